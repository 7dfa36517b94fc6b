"""An episode is one object: who, which classes, which clips are support and which are query."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stf2m_sk.model_selection._clips import Clips, named, plain
from stf2m_sk.model_selection._sides import Sides, check_gap, cut

__all__ = ["Episode", "Request", "draw_nested"]

_TRIES = 16  # contexts are dealt again while a class is short of clips on a side
_NAMED = 4  # classes that a message lists


class Episode(NamedTuple):
    """One person's support and query clips.

    Attributes
    ----------
    person : object
        As in ``groups``; None without groups.
    draw : int
        Number of the draw. Episodes of a draw share their query, and their supports are nested.
    shots : int
        Labelled clips per class, as requested.
    ways : array of shape (n_way,)
        Classes, sorted.
    support : int array
        Rows of the labelled clips, class by class; empty for 0 shots.
    query : int array
        Rows of the clips to predict, class by class.
    unlabelled : int array
        Rows of the person's whole support side, of all classes: what may be known of the person
        without a label.
    """

    person: Any
    draw: int
    shots: int
    ways: NDArray
    support: NDArray[np.intp]
    query: NDArray[np.intp]
    unlabelled: NDArray[np.intp] = np.empty(0, dtype=np.intp)


class Request(NamedTuple):
    """How episodes shall be.

    Attributes
    ----------
    shots : tuple of int
        Numbers of labelled clips per class, ascending.
    n_way : int or None
        Classes; None for all that the person has.
    n_query : int or None
        Clips to predict per class; None for all on the query side.
    gap : float or None
        See `stf2m_sk.model_selection.EpisodeSplit`.
    on_few : {"raise", "shrink"}
        See `stf2m_sk.model_selection.EpisodeSplit`.
    """

    shots: tuple[int, ...]
    n_way: int | None
    n_query: int | None
    gap: float | None
    on_few: str

    def check(self, *, has_times: bool) -> Request:
        """Refuse what cannot be meant.

        Raises
        ------
        ValueError
            With the parameter, what was given and what was expected.
        """
        _check_count("n_shot", self.shots, least=0)
        if self.n_way is not None:
            _check_count("n_way", (self.n_way,), least=2)
        if self.n_query is not None:
            _check_count("n_query", (self.n_query,), least=1)
        if self.on_few not in ("raise", "shrink"):
            raise ValueError(f"on_few={self.on_few!r}, but it must be 'raise' or 'shrink'.")
        check_gap(self.gap, has_times=has_times)
        return self

    @property
    def least(self) -> tuple[int, int]:
        """Clips that a class must have on the support side and on the query side."""
        support, query = max(self.shots), self.n_query or 1
        return (min(support, 1), 1) if self.on_few == "shrink" else (support, query)


def draw_nested(
    clips: Clips,
    rows: NDArray[np.intp],
    request: Request,
    *,
    person: Any,
    draw: int,
    generator: Generator,
) -> list[Episode]:
    """One draw for one person: an episode for each number of shots.

    The support side of each class is put in random order once, and n shots are its first n
    clips; the query is the same for all numbers of shots.

    Parameters
    ----------
    clips : Clips
        All clips.
    rows : int array
        Rows of the person.
    request : Request
        How episodes shall be.
    person : object
        Who it is.
    draw : int
        Number of the draw.
    generator : Generator
        Decides everything.

    Returns
    -------
    list of Episode
        Empty if `request` allows small episodes and not even two classes are on both sides.

    Raises
    ------
    ValueError
        If clips are too few, with the class, the person and the counts.
    """
    sides = _cut_enough(clips, rows, request, generator)
    enough = [label for label in sides if not _is_short(sides[label], request)]
    n_way = len(sides) if request.n_way is None else request.n_way
    if request.on_few == "shrink":
        n_way = min(n_way, len(enough))
        if n_way < 2:
            return []
    elif len(enough) < max(n_way, 2):
        raise ValueError(_too_few(clips, sides, request, person))
    ways = _choose(enough, n_way, generator)
    order = [generator.permutation(sides[label][0]) for label in ways]
    query = np.concatenate([_pick(sides[label][1], request.n_query, generator) for label in ways])
    unlabelled = np.sort(np.concatenate([support for support, _ in sides.values()]))
    return [
        Episode(
            person,
            draw,
            shots,
            np.array(ways, dtype=clips.labels.dtype),
            np.concatenate([one[:shots] for one in order]),
            query,
            unlabelled,
        )
        for shots in request.shots
    ]


def _cut_enough(clips: Clips, rows, request: Request, generator: Generator) -> Sides:
    """Cut, again where it may help, until no class is short; else the cut with the fewest short."""
    best, fewest = {}, np.inf
    is_random = clips.contexts is not None
    for _ in range(_TRIES if is_random else 1):
        sides = cut(clips, rows, share=0.5, gap=request.gap, generator=generator)
        n_short = sum(_is_short(pair, request) for pair in sides.values())
        if n_short < fewest:
            best, fewest = sides, n_short
        if not n_short:
            break
    return best


def _is_short(pair: tuple[NDArray, NDArray], request: Request) -> bool:
    return any(len(side) < least for side, least in zip(pair, request.least, strict=True))


def _choose(labels: list, n_way: int, generator: Generator) -> list:
    if n_way == len(labels):
        return labels
    chosen = np.sort(generator.permutation(len(labels))[:n_way])
    return [labels[i] for i in chosen]


def _pick(rows: NDArray[np.intp], n: int | None, generator: Generator) -> NDArray[np.intp]:
    if n is None or n >= len(rows):
        return rows
    return rows[np.sort(generator.permutation(len(rows))[:n])]


def _too_few(clips: Clips, sides: Sides, request: Request, person: Any) -> str:
    support, query = request.least
    short = [label for label in sides if _is_short(sides[label], request)]
    by = "by context" if clips.contexts is not None else f"in time with gap={request.gap}"
    if clips.contexts is None and request.gap is None:
        by = "at random"
    classes = "; ".join(
        f"class {plain(label)!r} has {len(sides[label][0])} clip(s) on the support side and "
        f"{len(sides[label][1])} on the query side"
        for label in short[:_NAMED]
    )
    more = f"; and {len(short) - _NAMED} more classes" if len(short) > _NAMED else ""
    n_way = max(2, len(sides) if request.n_way is None else request.n_way)
    return (
        f"too few clips of {named(person)}: {len(sides) - len(short)} of {len(sides)} classes have "
        f"enough for an episode of {n_way} classes with {support} support and {query} query "
        f"clip(s) each, cut {by}" + (f": {classes}{more}. " if short else ". ") + "Ask for fewer "
        "shots or classes, leave these clips out, or pass on_few='shrink' for smaller episodes."
    )


def _check_count(name: str, values: tuple, *, least: int) -> None:
    if not values:
        raise ValueError(f"{name} is empty; give at least one number of shots.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name}: {value!r} was given, but it takes whole numbers >= {least}.")

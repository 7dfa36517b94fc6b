"""An episode is one object: who, which classes, which clips are support and which are query."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stf2m_sk.model_selection._clips import Clips, named, plain
from stf2m_sk.model_selection._protocol import FewShotProtocol, least_clips
from stf2m_sk.model_selection._sides import Sides, cut

__all__ = ["Episode", "draw_nested", "draw_people"]

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
    ways : array of shape (n_ways,)
        Classes, sorted.
    support, query : int arrays
        Rows of the labelled clips and of those to predict, class by class.
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
    unlabelled: NDArray[np.intp]


def draw_people(
    clips: Clips, rows: NDArray[np.intp], protocol: FewShotProtocol, seed: list[int]
) -> tuple[list[Episode], list]:
    """All draws for each person among some rows, and who was passed over.

    Each person and draw has a generator of its own, so that a person's episodes do not depend
    on who else is there in the fold.
    """
    everyone = None if clips.groups is None else np.unique(clips.groups)
    episodes, skipped = [], []
    for person, own in clips.rows_of_people(rows):
        place = 0 if everyone is None else int(np.searchsorted(everyone, person))
        drawn = []
        for draw in range(protocol.draws):
            generator = np.random.default_rng([*seed, place, draw])
            drawn += draw_nested(clips, own, protocol, plain(person), draw, generator)
        episodes += drawn
        skipped += [] if drawn else [plain(person)]
    return episodes, skipped


def draw_nested(
    clips: Clips, rows: NDArray[np.intp], protocol: FewShotProtocol, person: Any, draw: int,
    generator: Generator,
) -> list[Episode]:  # fmt: skip
    """One draw for the person of some rows: an episode for each number of shots.

    Empty with ``on_few="shrink"`` if not even two classes are on both sides; without it that is a
    ValueError with the class, the person and the counts.
    """
    sides = _cut_enough(clips, rows, protocol, generator)
    enough = [label for label in sides if not _is_short(sides[label], protocol)]
    n_ways = len(sides) if protocol.ways is None else protocol.ways
    if protocol.on_few == "shrink":
        n_ways = min(n_ways, len(enough))
        if n_ways < 2:
            return []
    elif len(enough) < max(n_ways, 2):
        raise ValueError(_too_few(clips, sides, protocol, person))
    ways = [enough[i] for i in _some(len(enough), n_ways, generator)]
    order = [generator.permutation(sides[label][0]) for label in ways]
    query = []
    for label in ways:
        side = sides[label][1]
        query.append(side[_some(len(side), protocol.queries, generator)])
    labels = np.array(ways, dtype=clips.labels.dtype)
    unlabelled = np.sort(np.concatenate([support for support, _ in sides.values()]))
    further = np.concatenate(query), unlabelled
    supports = [(n, np.concatenate([one[:n] for one in order])) for n in protocol.shots]
    return [Episode(person, draw, n, labels, support, *further) for n, support in supports]


def _cut_enough(clips: Clips, rows, protocol: FewShotProtocol, generator: Generator) -> Sides:
    """Cut, again where it may help, until no class is short; else the cut with the fewest short."""
    best, fewest = {}, np.inf
    for _ in range(1 if clips.contexts is None else _TRIES):
        sides = cut(clips, rows, protocol.gap, generator)
        n_short = sum(_is_short(pair, protocol) for pair in sides.values())
        if n_short < fewest:
            best, fewest = sides, n_short
        if not n_short:
            break
    return best


def _is_short(pair: tuple[NDArray, NDArray], protocol: FewShotProtocol) -> bool:
    return any(len(side) < least for side, least in zip(pair, least_clips(protocol), strict=True))


def _some(n_all: int, n: int | None, generator: Generator) -> NDArray[np.intp]:
    """Places of n of all, in order; of all where n is None or none are too many."""
    if n is None or n >= n_all:
        return np.arange(n_all)
    return np.sort(generator.permutation(n_all)[:n])


def _too_few(clips: Clips, sides: Sides, protocol: FewShotProtocol, person: Any) -> str:
    support, query = least_clips(protocol)
    short = [label for label in sides if _is_short(sides[label], protocol)]
    by = "at random" if protocol.gap is None else f"in time with gap={protocol.gap}"
    by = by if clips.contexts is None else "by context"
    classes = "; ".join(
        f"class {plain(label)!r} has {len(sides[label][0])} clip(s) on the support side and "
        f"{len(sides[label][1])} on the query side"
        for label in short[:_NAMED]
    )
    more = f"; and {len(short) - _NAMED} more classes" if len(short) > _NAMED else ""
    n_ways = max(2, len(sides) if protocol.ways is None else protocol.ways)
    return (
        f"too few clips of {named(person)}: {len(sides) - len(short)} of {len(sides)} classes have "
        f"enough for an episode of {n_ways} classes with {support} support and {query} query "
        f"clip(s) each, cut {by}" + (f": {classes}{more}. " if short else ". ") + "Ask for fewer "
        "shots or classes, leave these clips out, or use on_few='shrink' for smaller episodes."
    )

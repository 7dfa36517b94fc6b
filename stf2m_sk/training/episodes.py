"""Episodes: small few-shot tasks of one person, drawn as index arrays into the training clips."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Episodes", "draw_episodes", "people_of"]

_CLIPS_OF_A_CLASS = 4  # of a stand-in for a person, where no people are known


class Episodes(NamedTuple):
    """Episodes of one number of shots, padded to one shape.

    Attributes
    ----------
    shots : int
        Labelled clips of each class, at most.
    person : int array of shape (n_episodes,)
        Code of the person.
    support : int array of shape (n_episodes, n_most_support)
        Rows of labelled clips; -1 fills up.
    query : int array of shape (n_episodes, n_most_query)
        Rows of the clips to be recognised; -1 fills up.
    """

    shots: int
    person: NDArray[np.int64]
    support: NDArray[np.int64]
    query: NDArray[np.int64]


def draw_episodes(
    codes: NDArray[np.integer],
    people: NDArray[np.integer],
    *,
    shots: tuple[int, ...],
    n_draws: int,
    generator: np.random.RandomState,
) -> list[Episodes]:
    """Draw episodes of every person with two clips of each of two classes.

    The clips of each class are cut in two halves: one side may be support, the other is the
    query. In turn the support side is the earlier half (as in a calibration at the start of a
    recording), a random half, and the later half. The first k clips of the shuffled support
    side are the k-shot support, so that supports are nested.

    Parameters
    ----------
    codes : int array of shape (n_clips,)
        Class codes, in the order of recording within a person.
    people : int array of shape (n_clips,)
        Codes of the people.
    shots : tuple of int
        Numbers of labelled clips of each class.
    n_draws : int
        Draws of every person.
    generator : numpy.random.RandomState
        Source of the halves and their order.

    Returns
    -------
    list of Episodes
        One for each number of shots; empty where nobody has two clips of each of two classes.

    Notes
    -----
    That views of one emotion form meta-training tasks is from the abstract of ST-F2M (arXiv
    2412.13541); the sides are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.training.episodes import draw_episodes
    >>> codes, people = np.tile([0, 1, 0, 1], 2), np.repeat([0, 1], 4)
    >>> zero, one = draw_episodes(
    ...     codes, people, shots=(0, 1), n_draws=1, generator=np.random.RandomState(0))
    >>> one.support.tolist(), one.query.tolist()
    ([[0, 1], [4, 5]], [[2, 3], [6, 7]])
    """
    drawn = []
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        by_class = [rows[codes[rows] == c] for c in np.unique(codes[rows])]
        by_class = [own for own in by_class if len(own) > 1]
        if len(by_class) < 2:
            continue
        for turn in range(n_draws):
            sides = [_sides(own, turn, generator) for own in by_class]
            drawn.append((person, sides))
    if not drawn:
        return []
    person = np.array([person for person, _ in drawn])
    query = _padded([np.concatenate([query for _, query in sides]) for _, sides in drawn])
    return [
        Episodes(k, person, _padded([_first(sides, k) for _, sides in drawn]), query) for k in shots
    ]


def people_of(
    codes: NDArray[np.integer],
    people: NDArray[np.integer] | None,
    generator: np.random.RandomState,
) -> NDArray[np.int64]:
    """People, or stand-ins for them: random parts of the clips with a few of every class.

    Parameters
    ----------
    codes : int array of shape (n_clips,)
        Class codes.
    people : int array of shape (n_clips,) or None
        Codes of the people; returned as they are.
    generator : numpy.random.RandomState
        Source of the parts.

    Returns
    -------
    int array of shape (n_clips,)
        Codes of people, or of parts.
    """
    if people is not None:
        return people
    n_parts = max(1, round(np.bincount(codes).max() / _CLIPS_OF_A_CLASS))
    parts = np.empty(len(codes), dtype=np.int64)
    for c in np.unique(codes):
        rows = generator.permutation(np.flatnonzero(codes == c))
        parts[rows] = (np.arange(len(rows)) + generator.randint(n_parts)) % n_parts
    return np.unique(parts, return_inverse=True)[1]


def _sides(rows, turn, generator) -> tuple[NDArray, NDArray]:
    """Support side, shuffled, and query of one class."""
    if turn % 3 == 0:
        order = rows
    elif turn % 3 == 1:
        order = generator.permutation(rows)
    else:
        order = rows[::-1]
    half = len(rows) // 2
    return generator.permutation(order[:half]), np.sort(order[half:])


def _first(sides: list[tuple[NDArray, NDArray]], k: int) -> NDArray:
    return np.concatenate([support[:k] for support, _ in sides])


def _padded(rows: list[NDArray]) -> NDArray[np.int64]:
    filled = np.full((len(rows), max(map(len, rows))), -1, dtype=np.int64)
    for place, own in zip(filled, rows, strict=True):
        place[: len(own)] = own
    return filled

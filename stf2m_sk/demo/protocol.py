"""Who is new, and by which clips they are made known: the episodes of the demo."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["SHOTS", "Episode", "Plan", "balanced_accuracy", "class_sides", "make_plan"]

SHOTS = (0, 1, 2, 4)
N_DRAWS = 4
_FEWEST_CLIPS = 3  # one for each side and one between them
_FEWEST_PEOPLE = 4  # two are new, and a population of one is none


class Episode(NamedTuple):
    """One new person, made known by a few clips and asked about others.

    Attributes
    ----------
    person : object
        The person, as in ``groups``.
    shots : int
        Labelled clips per class. A class with fewer clips on its support side gives them all.
    support : int array
        Rows of the labelled clips.
    query : int array
        Rows of the clips to answer.
    """

    person: object
    shots: int
    support: NDArray[np.intp]
    query: NDArray[np.intp]


class Plan(NamedTuple):
    """What is trained on and what is asked.

    Attributes
    ----------
    train : int array
        Rows of the people trained on.
    new_people : array
        The people who are not.
    skipped : array
        People left out of both: fewer than two labels with three clips.
    episodes : list of Episode
        Of all new people.
    """

    train: NDArray[np.intp]
    new_people: NDArray
    skipped: NDArray
    episodes: list[Episode]


def make_plan(target: NDArray, groups: NDArray, *, seed: int) -> Plan:
    """Draw the new people, a quarter and at least two, and their episodes.

    Parameters
    ----------
    target : array of shape (n_clips,)
        Labels; each person's clips in the order of recording.
    groups : array of shape (n_clips,)
        People.
    seed : int
        Decides who is new and which support clips are drawn.

    Returns
    -------
    Plan
        For each new person one episode without support, and four for each other number of shots.

    Raises
    ------
    ValueError
        If there are fewer than four people who can be used.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.demo.protocol import make_plan
    >>> target = np.tile(np.repeat(["calm", "joy"], 5), 4)
    >>> groups = np.repeat(["ann", "bob", "cy", "dee"], 10)
    >>> plan = make_plan(target, groups, seed=0)
    >>> len(plan.new_people), len(plan.train), len(plan.episodes)
    (2, 20, 26)
    """
    people = np.unique(groups)
    usable = np.array([len(class_sides(target, _rows_of(groups, p))) >= 2 for p in people])
    if usable.sum() < _FEWEST_PEOPLE:
        raise ValueError(
            f"too few people: {usable.sum()} of {len(people)} have at least {_FEWEST_CLIPS} clips "
            f"of each of 2 labels, but the demo needs {_FEWEST_PEOPLE}: 2 to train on and 2 new"
        )
    generator = np.random.default_rng(seed)
    n_new = max(2, round(usable.sum() / 4))
    new_people = np.sort(generator.permutation(people[usable])[:n_new])
    episodes = [
        episode
        for person in new_people
        for episode in _episodes_of(person, target, _rows_of(groups, person), generator)
    ]
    train = np.flatnonzero(np.isin(groups, np.setdiff1d(people[usable], new_people)))
    return Plan(train, new_people, people[~usable], episodes)


def class_sides(
    target: NDArray, rows: NDArray[np.intp]
) -> dict[object, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Cut each class of one person into a support side and a query side.

    Of a class's clips in the order of recording the first half is the support side and the rest
    the query side, but for one clip between them that is dropped: neighbours in time are much
    alike.

    Parameters
    ----------
    target : array of shape (n_clips,)
        Labels.
    rows : int array
        Rows of one person, in the order of recording.

    Returns
    -------
    dict of label to (support side, query side)
        Classes with fewer than three clips are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.demo.protocol import class_sides
    >>> sides = class_sides(np.array(["joy"] * 5 + ["calm"] * 2), np.arange(7))
    >>> {str(label): [side.tolist() for side in pair] for label, pair in sides.items()}
    {'joy': [[0, 1], [3, 4]]}
    """
    sides = {}
    for label in np.unique(target[rows]):
        of_class = rows[target[rows] == label]
        if len(of_class) >= _FEWEST_CLIPS:
            half = len(of_class) // 2
            sides[label] = of_class[:half], of_class[half + 1 :]
    return sides


def balanced_accuracy(true: NDArray, answered: NDArray) -> float:
    """Mean over the classes in `true` of the share that was answered right.

    Parameters
    ----------
    true : array of shape (n_clips,)
        Labels.
    answered : array of shape (n_clips,)
        Answers; they may name classes that `true` has not.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.demo.protocol import balanced_accuracy
    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 0]))
    0.3333333333333333
    """
    right = np.asarray(true == answered, dtype=float)
    return float(np.mean([right[true == label].mean() for label in np.unique(true)]))


def _rows_of(groups: NDArray, person: object) -> NDArray[np.intp]:
    return np.flatnonzero(groups == person)


def _episodes_of(
    person: object, target: NDArray, rows: NDArray[np.intp], generator: Generator
) -> list[Episode]:
    """One episode without support, then for each draw all other numbers of shots, nested."""
    sides = class_sides(target, rows).values()
    query = np.sort(np.concatenate([query_side for _, query_side in sides]))
    episodes = [Episode(person, 0, query[:0], query)]
    for _ in range(N_DRAWS):
        drawn = [generator.permutation(support_side) for support_side, _ in sides]
        for shots in SHOTS[1:]:
            support = np.sort(np.concatenate([order[:shots] for order in drawn]))
            episodes.append(Episode(person, shots, support, query))
    return episodes

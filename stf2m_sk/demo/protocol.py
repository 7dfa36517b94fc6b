"""Who is new in the demo; its episodes are those of `stf2m_sk.model_selection`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

__all__ = ["N_DRAWS", "SHOTS", "PeopleSplit", "split_people"]

SHOTS = (0, 1, 2, 4)
N_DRAWS = 4
_FEWEST_CLIPS = 3  # one for each side and one between them
_FEWEST_PEOPLE = 4  # two are new, and a population of one is none


class PeopleSplit(NamedTuple):
    """People to train on, and new people.

    Attributes
    ----------
    train, test : int array
        Rows of the people trained on, and of the new people.
    new_people : array
        The new people.
    skipped : array
        People left out of both: fewer than two labels with three clips.
    """

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    new_people: NDArray
    skipped: NDArray


def split_people(target: NDArray, groups: NDArray, *, seed: int) -> PeopleSplit:
    """Draw the new people: a quarter, and at least two.

    Parameters
    ----------
    target : array of shape (n_clips,)
        Labels.
    groups : array of shape (n_clips,)
        People.
    seed : int
        Decides who is new.

    Returns
    -------
    PeopleSplit

    Raises
    ------
    ValueError
        If there are fewer than four people who can be used.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.demo.protocol import split_people
    >>> target = np.tile(np.repeat(["calm", "joy"], 5), 4)
    >>> groups = np.repeat(["ann", "bob", "cy", "dee"], 10)
    >>> split = split_people(target, groups, seed=0)
    >>> len(split.new_people), len(split.train), len(split.test)
    (2, 20, 20)
    """
    people = np.unique(groups)
    is_usable = np.array([_n_labels(target[groups == person]) >= 2 for person in people])
    n_usable = int(is_usable.sum())
    if n_usable < _FEWEST_PEOPLE:
        raise ValueError(
            f"too few people: {n_usable} of {len(people)} have at least {_FEWEST_CLIPS} clips "
            f"of each of 2 labels, but the demo needs {_FEWEST_PEOPLE}: 2 to train on and 2 new"
        )
    rows = np.flatnonzero(np.isin(groups, people[is_usable]))
    draw = GroupShuffleSplit(1, test_size=max(2, n_usable // 4), random_state=seed)
    train, test = next(draw.split(rows, groups=groups[rows]))
    train, test = rows[train], rows[test]
    return PeopleSplit(train, test, np.unique(groups[test]), people[~is_usable])


def _n_labels(labels: NDArray) -> int:
    """Labels with clips enough for a support and a query side."""
    return int((np.unique(labels, return_counts=True)[1] >= _FEWEST_CLIPS).sum())

"""Means and intervals over people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_groups
from stf2m_sk.model_selection._intervals import interval

__all__ = ["class_means", "over_people", "people_of", "person_rows", "share_between"]


def people_of(groups: ArrayLike | None, n_clips: int) -> NDArray:
    """The person of each clip; without groups all clips are of one.

    Raises
    ------
    ValueError
        If there is not one for each clip.
    """
    is_given = check_groups(groups, n_clips) is not None
    return np.asarray(groups) if is_given else np.zeros(n_clips, dtype=int)


def person_rows(people: NDArray) -> list[NDArray[np.intp]]:
    """Rows of each person, in the order of the people's names."""
    return [np.flatnonzero(people == person) for person in np.unique(people)]


def class_means(
    values: NDArray[np.float64], labels: NDArray, people: NDArray, classes: Iterable
) -> NDArray[np.float64]:
    """Each person's mean over the clips of each class.

    Parameters
    ----------
    values : float64 array of shape (n_clips, ...)
        Of each clip; NaN counts for nothing.
    labels, people : array of shape (n_clips,)
        Class and person of each clip.
    classes : iterable of labels
        Which classes.

    Returns
    -------
    float64 array of shape (n_people, n_classes, ...)
        NaN where a person has no such clip.
    """
    classes = list(classes)
    means = np.full((len(np.unique(people)), len(classes), *values.shape[1:]), np.nan)
    for i, rows in enumerate(person_rows(people)):
        for j, label in enumerate(classes):
            own = values[rows[labels[rows] == label]]
            own = own[~np.isnan(own).any(axis=tuple(range(1, own.ndim)))]
            if len(own):
                means[i, j] = own.mean(axis=0)
    return means


def over_people(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and 95 % interval over people.

    Parameters
    ----------
    values : float64 array of shape (n_people, n)
        NaN where a person has no value.

    Returns
    -------
    float64 array of shape (n, 3)
        Mean, low and high; NaN without a value, and low and high of a single person.
    """
    summary = np.full((values.shape[1], 3), np.nan)
    for i, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known):
            summary[i] = known.mean(), *interval(known)
    return summary


def share_between(features: NDArray[np.float64], groups: NDArray) -> float:
    """Share of the sum of squares about the mean that lies between groups."""
    centred = features - features.mean(axis=0)
    total = np.square(centred).sum()
    between = sum(
        len(rows) * np.square(centred[rows].mean(axis=0)).sum() for rows in person_rows(groups)
    )
    return float(between / total) if total else 0.0

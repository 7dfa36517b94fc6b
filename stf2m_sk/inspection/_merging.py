"""Rules that fire alike, taken together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._firing import Firing, column_means

__all__ = ["Merged", "merged"]

_ALIKE = 0.95  # correlation of the firing of rules that are merged


class Merged(NamedTuple):
    """Rules of one modality that fire alike.

    Attributes
    ----------
    members : int array of shape (n_members,)
        Numbers of the rules, the most important one first.
    weights : float64 array of shape (n_classes,)
        Sum of their weights, in logits per standard deviation of the firing.
    importance : float
        Mean contribution to the logit of the emotion that they weigh most for, in the clips of
        this emotion less that in others.
    """

    members: NDArray[np.intp]
    weights: NDArray[np.float64]
    importance: float


def merged(firing: Firing, y: NDArray, classes: NDArray) -> list[Merged]:
    """Rules that fire alike, taken together.

    Parameters
    ----------
    firing : Firing
        Of all rules.
    y : array of shape (n_clips,)
        Emotions of the clips.
    classes : array of shape (n_classes,)
        Emotions of the weights.

    Returns
    -------
    list of Merged
        The most important one first. In each, the firing of the first member correlates with that
        of every other one by more than 0.95; rules that do not vary are in none.
    """
    differences = _differences(firing, y, classes)
    best = firing.weights.argmax(axis=1)
    rules = np.arange(len(best))
    single = firing.weights[rules, best] * differences[best, rules]
    deviations, found = firing.deviations, []
    for members in _alike(firing, single, deviations > 0):
        weights = deviations[members] @ firing.weights[members]
        own = int(weights.argmax())
        importance = differences[own, members] @ firing.weights[members, own]
        found.append(Merged(members, weights, float(importance)))
    return sorted(found, key=lambda own: -own.importance)


def _differences(firing: Firing, y: NDArray, classes: NDArray) -> NDArray[np.float64]:
    """By how much rules fire more in an emotion than in the others, (n_classes, n_rules).

    A modality that is absent counts as mean firing; an emotion that is not in y, as no difference.
    """
    deviating = np.nan_to_num(firing.strengths - column_means(firing.strengths))
    differences = np.zeros((len(classes), deviating.shape[1]))
    for difference, emotion in zip(differences, classes.tolist(), strict=True):
        is_own = y == emotion
        if is_own.any() and not is_own.all():
            difference[:] = deviating[is_own].mean(axis=0) - deviating[~is_own].mean(axis=0)
    return differences


def _alike(
    firing: Firing, importance: NDArray[np.float64], varies: NDArray[np.bool_]
) -> list[NDArray[np.intp]]:
    modality = np.array([name.modality for name in firing.names])
    groups = []
    for name in dict.fromkeys(modality.tolist()):
        own = np.flatnonzero((modality == name) & varies)
        if not len(own):
            continue
        own = own[np.argsort(-importance[own], kind="stable")]
        present = ~np.isnan(firing.strengths[:, own[0]])
        correlation = _correlation(firing.strengths[present][:, own])
        is_free = np.ones(len(own), bool)
        for first in range(len(own)):
            if is_free[first]:
                alike = is_free & (correlation[first] > _ALIKE)
                alike[first] = False
                is_free[alike] = False
                groups.append(own[[first, *np.flatnonzero(alike)]])
    return groups


def _correlation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=0)
    return unit.T @ unit

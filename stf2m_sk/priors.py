"""What is believed of the classes before anything is seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ClassPriors", "class_priors"]


class ClassPriors(NamedTuple):
    """How much more, or less, a class counts than one about which nothing is believed.

    Attributes
    ----------
    labels : array of shape (n_labels,)
        Labels, sorted.
    log_odds : float64 array of shape (n_labels,)
        What is added to the logit of each.
    """

    labels: NDArray
    log_odds: NDArray[np.float64]

    def of(self, classes: NDArray) -> NDArray[np.float64]:
        """For any labels, in their order; 0 for one about which nothing is believed."""
        place = np.searchsorted(self.labels, classes).clip(0, len(self.labels) - 1)
        return np.where(self.labels[place] == classes, self.log_odds[place], 0.0)


def class_priors(
    priors: ArrayLike | Mapping | None,
    class_weight: Mapping | str | None,
    classes: NDArray,
) -> ClassPriors:
    """Read the parameters `priors` and `class_weight`.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), mapping of label to float, or None
        Probabilities; a mapping may hold further labels. None: all alike.
    class_weight : mapping of label to float, "balanced" or None
        Factors; a label that is left out has 1. "balanced" is the same as None, since classes
        count alike, however many clips they have.
    classes : array of shape (n_classes,)
        Sorted labels.

    Returns
    -------
    ClassPriors

    Raises
    ------
    ValueError
        If priors are not positive, do not sum to 1, or lack a class or are too many; if a
        weight is not positive and finite, or `class_weight` names a label that is neither a
        class nor one with a prior.
    TypeError
        If priors name text and numbers.
    """
    labels, log_odds = classes, np.zeros(len(classes))
    if priors is not None:
        labels, values = _probabilities(priors, classes)
        log_odds = np.log(values * len(values))
    if isinstance(class_weight, Mapping):
        log_odds = log_odds + _log_weights(class_weight, labels)
    return ClassPriors(labels, log_odds)


def _log_weights(class_weight: Mapping, labels: NDArray) -> NDArray[np.float64]:
    extra = [label for label in class_weight if label not in labels.tolist()]
    if extra:
        raise ValueError(
            f"class_weight names {extra}, of which nothing else is known; the classes are "
            f"{labels.tolist()}. An emotion still to come can have a weight where it has a prior."
        )
    weights = np.array([class_weight.get(label, 1.0) for label in labels.tolist()], np.float64)
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"class_weight={class_weight!r}: weights must be positive and finite. To answer "
            "without a class, leave it out of `classes` in `adapt`."
        )
    return np.log(weights)


def _probabilities(priors, classes) -> tuple[NDArray, NDArray[np.float64]]:
    if isinstance(priors, Mapping):
        lacking = [label for label in classes.tolist() if label not in priors]
        if lacking:
            raise ValueError(f"priors lack the classes {lacking}; given {list(priors)}.")
        if len({isinstance(label, str) for label in priors}) > 1:
            raise TypeError(f"priors name text and numbers: {list(priors)}; use one kind.")
        order = sorted(priors)
        labels, values = np.array(order), np.array([priors[k] for k in order], dtype=np.float64)
    else:
        labels, values = classes, np.asarray(priors, dtype=np.float64)
        if values.shape != classes.shape:
            raise ValueError(
                f"priors have shape {values.shape}; expected one for each of the "
                f"{len(classes)} classes, in the order of {classes.tolist()}."
            )
    if not (values > 0).all():
        raise ValueError(f"priors must be positive, given {values.tolist()}.")
    if not np.isclose(values.sum(), 1.0):
        raise ValueError(f"The sum of the priors should be 1, given {values.sum():g}.")
    return labels, values

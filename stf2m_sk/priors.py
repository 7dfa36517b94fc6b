"""Prior probabilities of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ClassPriors", "class_priors"]


class ClassPriors(NamedTuple):
    """Log prior probabilities, relative to classes that are all alike.

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
        """For any labels, in their order; 0 for one without a prior."""
        place = np.searchsorted(self.labels, classes).clip(0, len(self.labels) - 1)
        return np.where(self.labels[place] == classes, self.log_odds[place], 0.0)


def class_priors(
    priors: ArrayLike | Mapping | None,
    classes: NDArray,
) -> ClassPriors:
    """Read the parameter `priors`.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), mapping of label to float, or None
        Probabilities; a mapping may hold further labels. None: all alike.
    classes : array of shape (n_classes,)
        Sorted labels.

    Returns
    -------
    ClassPriors

    Raises
    ------
    ValueError
        If priors are not positive, do not sum to 1, or lack a class or are too many.
    TypeError
        If priors name text and numbers.
    """
    if priors is None:
        return ClassPriors(classes, np.zeros(len(classes)))
    labels, values = _probabilities(priors, classes)
    return ClassPriors(labels, np.log(values * len(values)))


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

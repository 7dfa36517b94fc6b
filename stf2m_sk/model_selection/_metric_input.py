"""Reading the labels and the probabilities that a metric is given."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, column_or_1d

__all__ = [
    "Predictions",
    "read_distributions",
    "read_labels",
    "read_predictions",
    "read_soft",
    "recalls",
]

_ROUNDING = 1e-3  # of a sum of probabilities; float16 comes near it


class Predictions(NamedTuple):
    """Labels with the probabilities of all of them, the columns sorted by label."""

    y_true: NDArray
    probabilities: NDArray[np.float64]  # of known labels; a label that is not known has 0
    classes: NDArray
    known: NDArray[np.bool_]

    @property
    def y_pred(self) -> NDArray:
        known = self.classes[self.known]
        return known[self.probabilities[:, self.known].argmax(axis=1)]


def read_predictions(
    y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike
) -> Predictions:
    """Labels and probabilities, brought together by label.

    Raises
    ------
    ValueError
        If the lengths do not fit, there is no clip, a class stands twice, or a row is no
        distribution.
    TypeError
        If one side holds text and the other numbers.
    """
    y_true, classes = read_labels(y_true, "y_true"), read_labels(classes, "classes")
    probabilities = read_distributions(probabilities, "the probabilities")
    if probabilities.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"the probabilities have the shape {probabilities.shape}; expected a row for each of "
            f"{len(y_true)} labels and a column for each of {len(classes)} classes"
        )
    if len(np.unique(classes)) < len(classes):
        raise ValueError(f"classes holds a label twice: {classes.tolist()}; give each once")
    _check_same_kind(y_true, classes)
    union = np.union1d(classes, y_true)
    filled = np.zeros((len(y_true), len(union)))
    filled[:, np.searchsorted(union, classes)] = probabilities
    return Predictions(y_true, filled, union, np.isin(union, classes))


def read_labels(values: ArrayLike, name: str) -> NDArray:
    """A one-dimensional array of at least one label; else ValueError."""
    labels = column_or_1d(values)
    if not len(labels):
        raise ValueError(f"{name} is empty; expected at least one label")
    return labels


def _check_same_kind(y_true: NDArray, classes: NDArray) -> None:
    kinds = [{isinstance(value, str) for value in a.tolist()} for a in (y_true, classes)]
    if len(kinds[0] | kinds[1]) > 1:
        raise TypeError(
            f"y_true and classes hold text and numbers ({y_true[0]!r}, {classes[0]!r}), which "
            "cannot be compared; give all labels as text or all as numbers"
        )


def read_distributions(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Rows of at least 0 that sum to 1, to the last bit; ValueError for what is far from it."""
    rows = check_array(values, dtype=np.float64, input_name=name)
    total = rows.sum(axis=1, keepdims=True)
    wrong = (rows < 0).any(axis=1) | (np.abs(total[:, 0] - 1) > _ROUNDING)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{name} of {wrong.sum()} clip(s) are no distribution, the first is clip {first} with "
            f"{rows[first].tolist()}; expected values of at least 0 that sum to 1"
        )
    return rows / total


def read_soft(
    y_soft: ArrayLike, y_prob: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the annotators and probabilities of the same shape; else ValueError."""
    soft = check_array(y_soft, dtype=np.float64, input_name="y_soft")
    probabilities = read_distributions(y_prob, "y_prob")
    if soft.shape != probabilities.shape:
        raise ValueError(
            f"y_soft has the shape {soft.shape} and y_prob {probabilities.shape}; expected the "
            "same clips and the same classes in both"
        )
    total = soft.sum(axis=1, keepdims=True)
    wrong = (soft < 0).any(axis=1) | (total[:, 0] <= 0)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"y_soft of {wrong.sum()} clip(s) cannot be shares of annotators, the first is clip "
            f"{first} with {soft[first].tolist()}; expected values of at least 0, not all 0"
        )
    return soft / total, probabilities


def recalls(y_true: NDArray, y_pred: NDArray, labels: NDArray) -> list[float]:
    """Share of each label's clips that was predicted right; 0 for a label without clips.

    The same as scikit-learn's `recall_score`, but as quick as the prediction to a small episode.
    """
    right = y_true == y_pred
    own = [right[y_true == label] for label in labels]
    return [float(each.mean()) if len(each) else 0.0 for each in own]

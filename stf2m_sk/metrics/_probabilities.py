"""Metrics of probabilities, by name: (y_true, probabilities, classes) -> float."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics
from sklearn.utils.validation import check_array, column_or_1d

__all__ = ["LOWER_IS_BETTER", "METRICS", "expected_calibration_error", "read_shares", "recalls"]

_ROUNDING = 1e-3  # of a sum of probabilities; float16 comes near it


class _Predictions(NamedTuple):
    """Labels with the probabilities of all of them, the columns sorted by label."""

    y_true: NDArray
    probabilities: NDArray[np.float64]  # a label that the classifier does not know has 0
    classes: NDArray
    known: NDArray[np.bool_]

    @property
    def y_pred(self) -> NDArray:
        known = self.classes[self.known]
        return known[self.probabilities[:, self.known].argmax(axis=1)]


def expected_calibration_error(
    y_true: ArrayLike, y_prob: ArrayLike, *, classes: ArrayLike, n_bins: int = 15
) -> float:
    """How far the confidence of the predictions is from the share of them that is right.

    The distance between mean confidence (the largest probability of a clip) and accuracy, in
    bins of equal width by confidence, averaged over the clips.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        Labels.
    y_prob : array-like of shape (n_clips, n_classes)
        Probabilities; rows sum to 1.
    classes : array-like of shape (n_classes,)
        The label of each column, each once, in any order.
    n_bins : int, default=15
        Number of bins on (0, 1], each open on its left and closed on its right.

    Returns
    -------
    float
        0 (calibrated) to 1; lower is better. It is biased upwards where a bin has few clips, as
        in a single episode: pool the episodes first.

    Raises
    ------
    ValueError
        If the lengths do not fit, there is no clip, `classes` has a label twice, a row is no
        distribution, or `n_bins` is no whole number of at least 1.
    TypeError
        If text is compared with numbers.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks. ICML 2017, eq. 3.

    Examples
    --------
    Both clips are predicted with confidence 0.8 and one of them is right.

    >>> from stf2m_sk.metrics import expected_calibration_error
    >>> y_prob = [[0.8, 0.2], [0.2, 0.8]]
    >>> round(expected_calibration_error(["calm", "calm"], y_prob, classes=["calm", "joy"]), 12)
    0.3
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer) or n_bins < 1:
        raise ValueError(f"n_bins is {n_bins!r}; expected a whole number of at least 1")
    predictions = _read(y_true, y_prob, classes)
    confidence = predictions.probabilities.max(axis=1)
    gap = (predictions.y_pred == predictions.y_true) - confidence
    bins = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], confidence, side="left")
    return float(np.abs(np.bincount(bins, weights=gap)).sum() / len(gap))


def _accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = _read(y_true, probabilities, classes)
    return float(np.mean(predictions.y_true == predictions.y_pred))


def _balanced_accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    # scikit-learn's, which warns of predictions of other classes, takes longer than an episode.
    predictions = _read(y_true, probabilities, classes)
    present = np.unique(predictions.y_true)
    return float(np.mean(recalls(predictions.y_true, predictions.y_pred, present)))


def _f1_macro(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = _read(y_true, probabilities, classes)
    sides, labels = (predictions.y_true, predictions.y_pred), np.unique(predictions.y_true)
    return float(metrics.f1_score(*sides, labels=labels, average="macro", zero_division=0))


def _log_loss(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = _read(y_true, probabilities, classes)
    if len(predictions.classes) == 1:
        return 0.0  # scikit-learn refuses; one class has probability 1
    return float(metrics.log_loss(*predictions[:2], labels=predictions.classes))


def _top_2_accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = _read(y_true, probabilities, classes)
    if len(predictions.classes) <= 2:  # scikit-learn wants the scores of two classes in one column
        return float(np.isin(predictions.y_true, predictions.classes[predictions.known]).mean())
    # A label that the classifier does not know must not come second by a tie at 0.
    scores = np.where(predictions.known, predictions.probabilities, -1.0)
    labels = predictions.classes
    return float(metrics.top_k_accuracy_score(predictions.y_true, scores, k=2, labels=labels))


def _calibration_error(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    return expected_calibration_error(y_true, probabilities, classes=classes)


METRICS: Mapping[str, Callable[[ArrayLike, ArrayLike, ArrayLike], float]] = MappingProxyType(
    {
        "accuracy": _accuracy,
        "balanced_accuracy": _balanced_accuracy,
        "f1_macro": _f1_macro,
        "log_loss": _log_loss,
        "expected_calibration_error": _calibration_error,
        "top_2_accuracy": _top_2_accuracy,
    }
)
"""Functions (y_true, probabilities, classes) -> float by name.

The columns of `probabilities` belong to `classes`, in any order. Means over classes are over those
that the query has. Where a label is not in `classes` the prediction is wrong, and the probability
of the label is 0 (in the log loss, the machine epsilon).
"""

LOWER_IS_BETTER: frozenset[str] = frozenset({"log_loss", "expected_calibration_error"})
"""The names in `METRICS` of which a smaller value is the better one."""


def recalls(y_true: NDArray, y_pred: NDArray, labels: NDArray) -> list[float]:
    """Share of each label's clips that was predicted right; 0 for a label without clips.

    The same as scikit-learn's `recall_score`, but as quick as the prediction to a small episode.
    """
    right = y_true == y_pred
    own = [right[y_true == label] for label in labels]
    return [float(each.mean()) if len(each) else 0.0 for each in own]


def read_shares(values: ArrayLike, name: str, *, rounding: float = _ROUNDING) -> NDArray:
    """Rows of at least 0 that sum to 1, to the last bit; ValueError for what is far from it."""
    rows = check_array(values, dtype=np.float64, input_name=name)
    total = rows.sum(axis=1, keepdims=True)
    wrong = (rows < 0).any(axis=1) | (np.abs(total[:, 0] - 1) > rounding) | (total[:, 0] <= 0)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{name} of {wrong.sum()} clip(s) are no distribution, the first is clip {first} with "
            f"{rows[first].tolist()}; expected values of at least 0 that "
            f"{'sum to 1' if np.isfinite(rounding) else 'are not all 0'}"
        )
    return rows / total


def _read(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> _Predictions:
    """Labels and probabilities, brought together by label; else ValueError or TypeError."""
    y_true, classes = column_or_1d(y_true), column_or_1d(classes)
    if not len(y_true):
        raise ValueError("y_true is empty; expected at least one label")
    probabilities = read_shares(probabilities, "the probabilities")
    if probabilities.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"the probabilities have the shape {probabilities.shape}; expected a row for each of "
            f"{len(y_true)} labels and a column for each of {len(classes)} classes"
        )
    if len(np.unique(classes)) < len(classes):
        raise ValueError(f"classes holds a label twice: {classes.tolist()}; give each once")
    if len({isinstance(value, str) for a in (y_true, classes) for value in a.tolist()}) > 1:
        raise TypeError(
            f"y_true and classes hold text and numbers ({y_true[0]!r}, {classes[0]!r}), which "
            "cannot be compared; give all labels as text or all as numbers"
        )
    union = np.union1d(classes, y_true)
    filled = np.zeros((len(y_true), len(union)))
    filled[:, np.searchsorted(union, classes)] = probabilities
    return _Predictions(y_true, filled, union, np.isin(union, classes))

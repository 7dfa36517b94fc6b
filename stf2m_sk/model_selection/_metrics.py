"""Metrics for the predictions of an episode, whose query may lack classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import f1_score, top_k_accuracy_score
from sklearn.metrics import log_loss as sklearn_log_loss

from stf2m_sk.model_selection._metric_input import read_labels, read_predictions, read_soft, recalls

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "expected_calibration_error",
    "is_proportion",
    "quadrant_accuracy",
    "quadrant_metric",
    "soft_label_agreement",
    "soft_label_cross_entropy",
]

Metric = Callable[[ArrayLike, ArrayLike, ArrayLike], float]


def expected_calibration_error(
    y_true: ArrayLike, y_prob: ArrayLike, *, classes: ArrayLike, n_bins: int = 15
) -> float:
    """How far the confidence of the predictions is from the share of them that is right.

    The predictions are sorted into bins of equal width by their confidence, which is the largest
    probability of a clip. The error is the distance between mean confidence and accuracy in a
    bin, averaged over the clips.

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
        0 (calibrated) to 1; lower is better.

    Raises
    ------
    ValueError
        If the lengths do not fit, there is no clip, `classes` has a label twice, a row is no
        distribution, or `n_bins` is below 1.
    TypeError
        If text is compared with numbers, or `n_bins` is no whole number.

    Notes
    -----
    It is biased upwards where there are few clips in a bin, as in a single episode: compare only
    figures from equally many clips, or pool the episodes first.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks. ICML 2017, eq. 3.

    Examples
    --------
    Both clips are predicted with confidence 0.8 and one of them is right.

    >>> from stf2m_sk.model_selection import expected_calibration_error
    >>> y_prob = [[0.8, 0.2], [0.2, 0.8]]
    >>> round(expected_calibration_error(["calm", "calm"], y_prob, classes=["calm", "joy"]), 12)
    0.3
    """
    if isinstance(n_bins, bool) or not isinstance(n_bins, int | np.integer):
        raise TypeError(f"n_bins is {n_bins!r}; expected a whole number of at least 1")
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; expected at least 1")
    predictions = read_predictions(y_true, y_prob, classes)
    confidence = predictions.probabilities.max(axis=1)
    gap = (predictions.y_pred == predictions.y_true) - confidence
    upper_edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    bins = np.searchsorted(upper_edges, confidence, side="left")
    return float(np.abs(np.bincount(bins, weights=gap)).sum() / len(gap))


def quadrant_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, quadrants: Mapping[Any, Any]
) -> float:
    """Share of the clips predicted as an emotion of the right quadrant of valence and arousal.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        Labels.
    y_pred : array-like of shape (n_clips,)
        Predictions.
    quadrants : mapping of label to str or (valence, arousal)
        Where each label lies: the name of its quadrant, or two finite numbers of which the
        signs count. A label at (0, 0), such as neutral, has a place of its own.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    ValueError
        If a label is not in `quadrants` (it is named), the lengths differ, or there is no clip.
    TypeError
        If an entry of `quadrants` is neither a str nor two numbers, or both are mixed.

    References
    ----------
    Russell: A Circumplex Model of Affect. Journal of Personality and Social Psychology 39(6),
    1980, for valence and arousal; the score is ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection import quadrant_accuracy
    >>> quadrants = {"joy": (1, 1), "calm": (1, -1), "anger": (-1, 1), "fear": (-1, 1)}
    >>> quadrant_accuracy(["anger", "calm"], ["fear", "joy"], quadrants=quadrants)
    0.5
    """
    y_true, y_pred = read_labels(y_true, "y_true"), read_labels(y_pred, "y_pred")
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} labels and y_pred {len(y_pred)}; expected one prediction "
            "for each label"
        )
    places = _places(quadrants)
    _check_mapped(np.concatenate([y_true.astype(object), y_pred.astype(object)]), places)
    pairs = zip(y_true.tolist(), y_pred.tolist(), strict=True)
    return float(np.mean([places[true] == places[predicted] for true, predicted in pairs]))


def quadrant_metric(quadrants: Mapping[Any, Any]) -> Metric:
    """`quadrant_accuracy` in the form of the entries of `METRICS`.

    Parameters
    ----------
    quadrants : mapping of label to str or (valence, arousal)
        See `quadrant_accuracy`.

    Returns
    -------
    callable
        From (y_true, probabilities, classes) to a float. It can be pickled.

    Raises
    ------
    TypeError
        If an entry of `quadrants` is not as in `quadrant_accuracy`.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection import quadrant_metric
    >>> metric = quadrant_metric({"joy": "pleasant", "calm": "pleasant", "fear": "unpleasant"})
    >>> metric(["joy", "joy"], [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], ["calm", "joy", "fear"])
    0.5
    """
    _places(quadrants)
    return partial(_quadrant_accuracy, quadrants=dict(quadrants))


def soft_label_agreement(y_soft: ArrayLike, y_prob: ArrayLike) -> float:
    """Probability that the prediction agrees with an annotator drawn at random.

    The prediction of a clip is its most probable class, the first of them where several are. Where
    all annotators agree this is the accuracy.

    Parameters
    ----------
    y_soft : array-like of shape (n_clips, n_classes)
        How many annotators, or which share of them, gave the clip each label. Each row is
        divided by its sum.
    y_prob : array-like of shape (n_clips, n_classes)
        Probabilities, the columns in the order of those of `y_soft`; rows sum to 1.

    Returns
    -------
    float
        0 to 1. No prediction can reach more than the mean over the clips of the largest share.

    Raises
    ------
    ValueError
        If the shapes differ, there is no clip, a value is negative or not finite, a row of
        `y_soft` sums to 0 or one of `y_prob` not to 1.

    See Also
    --------
    soft_label_cross_entropy : Judges the probabilities too.

    References
    ----------
    Uma, Fornaciari, Hovy, Paun, Plank, Poesio: Learning from Disagreement: A Survey. Journal of
    Artificial Intelligence Research 72, 2021, for the evaluation with soft labels; that the
    annotator is drawn at random is ours.

    Examples
    --------
    Three annotators heard fear and one surprise; the prediction is fear.

    >>> from stf2m_sk.model_selection import soft_label_agreement
    >>> soft_label_agreement([[3, 1]], [[0.6, 0.4]])
    0.75
    """
    shares, probabilities = read_soft(y_soft, y_prob)
    predictions = probabilities.argmax(axis=1)
    return float(shares[np.arange(len(shares)), predictions].mean())


def soft_label_cross_entropy(y_soft: ArrayLike, y_prob: ArrayLike) -> float:
    """Expected log loss against an annotator drawn at random, in nats.

    It is least where the probabilities are the shares of the annotators, and linear in these
    shares: a few annotators estimate without bias what many would give.

    Parameters
    ----------
    y_soft : array-like of shape (n_clips, n_classes)
        As in `soft_label_agreement`.
    y_prob : array-like of shape (n_clips, n_classes)
        As in `soft_label_agreement`. Probabilities below the machine epsilon of float64 count
        as that, as in scikit-learn's `log_loss`.

    Returns
    -------
    float
        At least the mean entropy of the rows of `y_soft`; lower is better.

    Raises
    ------
    ValueError
        As `soft_label_agreement`.

    References
    ----------
    Uma, Fornaciari, Hovy, Paun, Plank, Poesio: Learning from Disagreement: A Survey. Journal of
    Artificial Intelligence Research 72, 2021. Peterson, Battleday, Griffiths, Russakovsky: Human
    Uncertainty Makes Classification More Robust. ICCV 2019.

    Examples
    --------
    >>> from stf2m_sk.model_selection import soft_label_cross_entropy
    >>> round(soft_label_cross_entropy([[1, 1]], [[0.5, 0.5]]), 4)
    0.6931
    """
    shares, probabilities = read_soft(y_soft, y_prob)
    safe = np.maximum(probabilities, np.finfo(np.float64).eps)
    return float(-(shares * np.log(safe)).sum(axis=1).mean())


# ---- the entries of METRICS: (y_true, probabilities, classes) -> float ----


def _accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = read_predictions(y_true, probabilities, classes)
    return float(np.mean(predictions.y_true == predictions.y_pred))


def _balanced_accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    # scikit-learn's balanced_accuracy_score, which warns of predictions that name another class.
    predictions = read_predictions(y_true, probabilities, classes)
    return float(
        np.mean(recalls(predictions.y_true, predictions.y_pred, np.unique(predictions.y_true)))
    )


def _f1_macro(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = read_predictions(y_true, probabilities, classes)
    present = np.unique(predictions.y_true)
    return float(
        f1_score(
            predictions.y_true, predictions.y_pred, labels=present, average="macro", zero_division=0
        )
    )


def _log_loss(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = read_predictions(y_true, probabilities, classes)
    if len(predictions.classes) == 1:
        return 0.0  # scikit-learn refuses; one class has probability 1
    return float(sklearn_log_loss(*predictions[:2], labels=predictions.classes))


def _top_2_accuracy(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    predictions = read_predictions(y_true, probabilities, classes)
    if len(predictions.classes) <= 2:  # scikit-learn wants the scores of two classes in one column
        return float(np.isin(predictions.y_true, predictions.classes[predictions.known]).mean())
    # A label that the classifier does not know must not come second by a tie at 0.
    scores = np.where(predictions.known, predictions.probabilities, -1.0)
    return float(top_k_accuracy_score(predictions.y_true, scores, k=2, labels=predictions.classes))


def _calibration_error(y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike) -> float:
    return expected_calibration_error(y_true, probabilities, classes=classes)


def _quadrant_accuracy(
    y_true: ArrayLike, probabilities: ArrayLike, classes: ArrayLike, *, quadrants: Mapping
) -> float:
    predictions = read_predictions(y_true, probabilities, classes)
    return quadrant_accuracy(predictions.y_true, predictions.y_pred, quadrants=quadrants)


METRICS: Mapping[str, Metric] = MappingProxyType(
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

All but the calibration error are scikit-learn's; the first two are computed without its checks,
which take longer than predicting an episode. The columns of `probabilities` belong to
`classes`, in any order. The query of an episode may lack classes: means over classes are over
those that it has. It may also hold a label that is not in `classes`: the prediction of such a
clip is wrong, and the probability of its label is 0 (in the log loss, the machine epsilon).
"""

LOWER_IS_BETTER: frozenset[str] = frozenset({"log_loss", "expected_calibration_error"})
"""The names in `METRICS` of which a smaller value is the better one."""

# How names of scikit-learn's scorers begin whose values are between 0 and 1.
_PROPORTIONS = (
    "accuracy", "average_precision", "balanced_accuracy", "f1", "jaccard", "precision", "recall",
    "roc_auc", "top_k",
)  # fmt: skip


def is_proportion(metric: Any) -> bool:
    """Whether the values of a metric are known to be between 0 and 1.

    Parameters
    ----------
    metric : str or callable
        As `few_shot_score` takes it.

    Returns
    -------
    bool
        False also where nothing is known, as of a callable that is not from here.
    """
    if isinstance(metric, str):
        return metric != "log_loss" and (metric in METRICS or metric.startswith(_PROPORTIONS))
    return isinstance(metric, partial) and metric.func is _quadrant_accuracy


def _places(quadrants: Mapping[Any, Any]) -> dict[Any, Any]:
    """The name of each label's quadrant, or the signs of its valence and arousal."""
    if not isinstance(quadrants, Mapping):
        raise TypeError(
            f"quadrants is {quadrants!r}; expected a mapping of label to the name of its quadrant "
            "or to (valence, arousal)"
        )
    places = {label: _place(label, entry) for label, entry in quadrants.items()}
    if len({isinstance(place, str) for place in places.values()}) > 1:
        raise TypeError("quadrants mixes names and (valence, arousal); give all in the same form")
    return places


def _place(label: Any, entry: Any) -> str | tuple[float, float]:
    if isinstance(entry, str):
        return entry
    try:
        valence, arousal = np.sign(np.asarray(entry, dtype=float))
    except (TypeError, ValueError):
        valence = arousal = np.nan
    if np.isnan(valence) or np.isnan(arousal):
        raise TypeError(
            f"quadrants[{label!r}] is {entry!r}; expected the name of a quadrant or two finite "
            "numbers (valence, arousal)"
        )
    return float(valence), float(arousal)


def _check_mapped(labels: NDArray, places: dict[Any, Any]) -> None:
    unmapped = sorted({label for label in labels.tolist() if label not in places}, key=str)
    if unmapped:
        raise ValueError(
            f"quadrants has no entry for {unmapped}; give each label a quadrant, or leave its "
            "clips out"
        )

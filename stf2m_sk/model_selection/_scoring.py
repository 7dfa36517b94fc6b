"""Which metrics are requested, and how each is taken from an episode's predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils.metaestimators import available_if

from stf2m_sk.model_selection._metrics import LOWER_IS_BETTER, METRICS, is_proportion

__all__ = ["Metric", "Prediction", "read_scoring"]

_OF_LABELS = frozenset({"accuracy", "balanced_accuracy", "f1_macro"})


class Prediction(NamedTuple):
    """What a classifier predicts of the query of an episode.

    Attributes
    ----------
    labels : array of shape (n_query,)
        Predicted labels.
    classes : array of shape (n_classes,)
        Columns of `probabilities` and `decision`.
    probabilities : array of shape (n_query, n_classes) or None
        None where the classifier gives none.
    decision : array of shape (n_query, n_classes) or (n_query,), or None
        The decision function of a classifier without probabilities.
    adapt_seconds, predict_seconds : float
        Time taken; what the episodes of a fold share is divided evenly.
    n_unlabelled : int
        Unlabelled clips that the classifier was given.
    """

    labels: NDArray
    classes: NDArray
    probabilities: NDArray | None
    decision: NDArray | None
    adapt_seconds: float
    predict_seconds: float
    n_unlabelled: int = 0


class Metric(NamedTuple):
    """A metric of the predictions of an episode.

    Attributes
    ----------
    score : callable
        From (prediction, rows of the query, true labels) to a float.
    greater_is_better : bool
        Which way the metric points.
    source : str, Mapping entry or callable
        As given; by it a cache tells metrics apart.
    is_proportion : bool
        Whether its values are between 0 and 1, and so are the ends of its intervals.
    """

    score: Callable[[Prediction, NDArray, NDArray], float]
    greater_is_better: bool
    source: Any
    is_proportion: bool = False


def read_scoring(scoring: Any) -> dict[str, Metric]:
    """Metrics by name.

    Parameters
    ----------
    scoring : str, callable, list or tuple of str, or dict
        Names of `METRICS` come first, then those of scikit-learn's scorers. A callable is either
        what `sklearn.metrics.make_scorer` returns, or ``metric(y_true, probabilities, classes)
        -> float`` with greater being better. A dict names them.

    Returns
    -------
    dict of str to Metric

    Raises
    ------
    ValueError
        If a name is unknown or stands twice, or there is none.
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from stf2m_sk.model_selection._scoring import read_scoring
    >>> list(read_scoring(["balanced_accuracy", "neg_brier_score"]))
    ['balanced_accuracy', 'neg_brier_score']
    """
    if isinstance(scoring, Mapping):
        named = dict(scoring)
    elif isinstance(scoring, str):
        named = {scoring: scoring}
    elif callable(scoring):
        named = {getattr(scoring, "__name__", "score"): scoring}
    elif isinstance(scoring, list | tuple) and all(isinstance(one, str) for one in scoring):
        named = {name: name for name in scoring}
        if len(named) < len(scoring):
            raise ValueError(f"scoring names a metric twice: {list(scoring)}; give each once.")
    else:
        raise TypeError(
            f"scoring={scoring!r}; expected a name, a callable, a list of names, or a dict of them."
        )
    if not named:
        raise ValueError("scoring is empty; give at least one metric, such as 'balanced_accuracy'.")
    return {str(name): _metric(source) for name, source in named.items()}


def _metric(source: Any) -> Metric:
    inside = is_proportion(source)
    if isinstance(source, str) and source in METRICS:
        score = _of_episode(METRICS[source], source)
        return Metric(score, source not in LOWER_IS_BETTER, source, inside)
    if isinstance(source, str) and source not in get_scorer_names():
        raise ValueError(
            f"{source!r} is no metric. Give one of {sorted(METRICS)}, or a name from "
            "sklearn.metrics.get_scorer_names()."
        )
    if isinstance(source, str | _BaseScorer):
        score = _of_scorer(check_scoring(_Predicted(), scoring=source))
        return Metric(score, True, source, inside)
    if callable(source):
        score = _of_episode(source, getattr(source, "__name__", repr(source)))
        return Metric(score, True, source, inside)
    raise TypeError(f"{source!r} is no metric: expected a name or a callable.")


def _of_episode(function: Callable, name: str) -> Callable[[Prediction, NDArray, NDArray], float]:
    def score(prediction: Prediction, query: NDArray, y_true: NDArray) -> float:
        probabilities = prediction.probabilities
        if name in _OF_LABELS:  # by what `predict` says, which need not be the most probable
            classes = np.union1d(prediction.classes, prediction.labels)
            return float(function(y_true, (prediction.labels[:, None] == classes) * 1.0, classes))
        if probabilities is None:
            raise ValueError(
                f"the metric {name!r} needs probabilities, but the classifier has no "
                "predict_proba. Calibrate it, or choose a metric of labels."
            )
        return float(function(y_true, probabilities, prediction.classes))

    return score


def _of_scorer(scorer: Callable) -> Callable[[Prediction, NDArray, NDArray], float]:
    def score(prediction: Prediction, query: NDArray, y_true: NDArray) -> float:
        return float(scorer(_Predicted(prediction), query[:, None], y_true))

    return score


def _has(name: str) -> Callable[[_Predicted], bool]:
    return lambda self: getattr(self.prediction, name, None) is not None


class _Predicted(ClassifierMixin, BaseEstimator):
    """Predictions as a fitted classifier, for scikit-learn's own scorers."""

    def __init__(self, prediction=None):
        self.prediction = prediction

    @property
    def classes_(self) -> NDArray:
        return self.prediction.classes

    def fit(self, X, y):
        return self

    def predict(self, X) -> NDArray:
        return self.prediction.labels

    @available_if(_has("probabilities"))
    def predict_proba(self, X) -> NDArray:
        return self.prediction.probabilities

    @available_if(_has("decision"))
    def decision_function(self, X) -> NDArray:
        return self.prediction.decision

    def __sklearn_is_fitted__(self) -> bool:
        return self.prediction is not None

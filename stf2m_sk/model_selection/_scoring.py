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

from stf2m_sk.metrics._probabilities import LOWER_IS_BETTER, METRICS

__all__ = ["RECALL", "Metric", "Prediction", "read_scoring"]

RECALL = "recall"  # the metric of the rows that hold the recall of one class
_OF_LABELS = frozenset({"accuracy", "balanced_accuracy", "f1_macro"})
# How names of scikit-learn's scorers begin whose values are between 0 and 1.
_PROPORTIONS = (
    "accuracy", "average_precision", "balanced_accuracy", "f1", "jaccard", "precision", "recall",
    "roc_auc", "top_k", "top_2", "expected_calibration_error",
)  # fmt: skip


class Prediction(NamedTuple):
    """What a classifier predicts of the query of an episode, and the seconds it took."""

    labels: NDArray
    classes: NDArray  # columns of the next two
    probabilities: NDArray | None
    decision: NDArray | None  # of a classifier without probabilities
    adapt_seconds: float = 0.0
    predict_seconds: float = 0.0  # with a share of what the episodes of a fold share
    n_unlabelled: int = 0  # unlabelled clips that the classifier was given


class Metric(NamedTuple):
    """From (prediction, rows of the query, true labels) to a float, and what is known of it."""

    score: Callable[[Prediction, NDArray, NDArray], float]
    greater_is_better: bool
    is_proportion: bool  # between 0 and 1, and so are the ends of its intervals
    source: Any  # as given


def read_scoring(scoring: Any) -> dict[str, Metric]:
    """Metrics by name; ValueError or TypeError for what is none. See `few_shot_score`."""
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
    if RECALL in named:
        raise ValueError(
            f"{RECALL!r} is the name of the rows of single classes; rename the metric."
        )
    return {str(name): _metric(source) for name, source in named.items()}


def _metric(source: Any) -> Metric:
    if isinstance(source, str) and source not in METRICS and source not in get_scorer_names():
        raise ValueError(
            f"{source!r} is no metric. Give one of {sorted(METRICS)}, or a name from "
            "sklearn.metrics.get_scorer_names()."
        )
    if not isinstance(source, str) and not callable(source):
        raise TypeError(f"{source!r} is no metric: expected a name or a callable.")
    is_name = isinstance(source, str)
    if is_name and source in METRICS:
        score = _of_episode(METRICS[source], source)
    elif isinstance(source, str | _BaseScorer):
        score = _of_scorer(check_scoring(_Predicted(), scoring=source))
    else:
        score = _of_episode(source, getattr(source, "__name__", repr(source)))
    inside = is_name and source.startswith(_PROPORTIONS)
    return Metric(score, not (is_name and source in LOWER_IS_BETTER), inside, source)


def _of_episode(function: Callable, name: str) -> Callable[[Prediction, NDArray, NDArray], float]:
    def score(prediction: Prediction, query: NDArray, y_true: NDArray) -> float:
        if name in _OF_LABELS:  # by what `predict` says, which need not be the most probable
            classes = np.union1d(prediction.classes, prediction.labels)
            return float(function(y_true, (prediction.labels[:, None] == classes) * 1.0, classes))
        if prediction.probabilities is None:
            raise ValueError(
                f"the metric {name!r} needs probabilities, but the classifier has no "
                "predict_proba. Calibrate it, or choose a metric of labels."
            )
        return float(function(y_true, prediction.probabilities, prediction.classes))

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

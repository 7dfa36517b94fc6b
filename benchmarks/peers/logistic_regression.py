"""Logistic regression on summary statistics."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from peers._base import WEIGHT, KindOfPeer, best_of, pool_weights
from peers._summary import SummaryTable


class Logistic(KindOfPeer):
    """Logistic regression of scikit-learn.

    Parameters
    ----------
    kind : {"pooled", "support", "population"}
        See `peers`.
    weight : float
        Of a support clip, pooled.
    seed : int
        Without effect.
    """

    def __init__(self, *, kind: str = "pooled", weight: float = WEIGHT, seed: int = 0) -> None:
        self.kind = kind
        self.weight = weight
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Fit the population's regression."""
        self.table = SummaryTable(signals)
        self.population, self.labels = self.table(signals), np.asarray(labels)
        if self.kind != "support":
            self.model = regress(self.population, self.labels)
        return self

    def features(self, signals) -> np.ndarray:
        """Summary statistics."""
        return self.table(signals)

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The most probable class."""
        if self.kind == "population" or support is None:
            return self.model.predict(query)
        if self.kind == "support":
            return regress(support, support_labels).predict(query)
        model = regress(
            np.concatenate([self.population, support]),
            np.concatenate([self.labels, support_labels]),
            pool_weights(len(self.labels), len(support), self.weight),
        )
        return best_of(model.predict_proba(query), model.classes_, support_labels)


def regress(table, labels, weights=None, **params) -> LogisticRegression:
    """Fit with at most 300 steps; the last of them change no answer, so their lack is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(max_iter=300, **params).fit(table, labels, sample_weight=weights)

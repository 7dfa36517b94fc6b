"""Random forest on summary statistics."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from peers._base import WEIGHT, KindOfPeer, best_of, pool_weights
from peers._summary import SummaryTable


class Forest(KindOfPeer):
    """Balanced forest of scikit-learn.

    Parameters
    ----------
    kind : {"pooled", "support", "population"}
        See `peers`.
    n_trees : int
        Trees.
    weight : float
        Of a support clip, pooled.
    seed : int
        Source of everything random.
    """

    def __init__(
        self, *, kind: str = "pooled", n_trees: int = 200, weight: float = WEIGHT, seed: int = 0
    ) -> None:
        self.kind = kind
        self.n_trees = n_trees
        self.weight = weight
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Fit the population's forest."""
        self.table = SummaryTable(signals)
        self.population, self.labels = self.table(signals), np.asarray(labels)
        if self.kind != "support":
            self.forest = self._grow(self.population, self.labels)
        return self

    def features(self, signals) -> np.ndarray:
        """Summary statistics."""
        return self.table(signals)

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class with the largest share of the trees."""
        if self.kind == "population" or support is None:
            classes, forest = self.forest
            return classes[forest.predict(query)]
        if self.kind == "support":
            classes, forest = self._grow(support, support_labels)
            return classes[forest.predict(query)]
        classes, forest = self._grow(
            np.concatenate([self.population, support]),
            np.concatenate([self.labels, support_labels]),
            pool_weights(len(self.labels), len(support), self.weight),
        )
        return best_of(forest.predict_proba(query), classes, support_labels)

    def _grow(self, table, labels, weights=None):
        # Codes: a balanced forest refuses labels that are numbers written as text.
        classes, codes = np.unique(labels, return_inverse=True)
        forest = RandomForestClassifier(
            self.n_trees, class_weight="balanced", random_state=self.seed
        )
        return classes, forest.fit(table, codes, sample_weight=weights)

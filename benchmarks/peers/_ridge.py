"""Ridge regression on many random features, in its dual: products of clips instead of weights."""

from __future__ import annotations

import numpy as np

from peers._base import WEIGHT, KindOfPeer, pool_weights

LAM = 1.0  # pooled
LAM_ALONE = 0.1  # population alone, support alone


class RidgePeer(KindOfPeer):
    """Features of a transform, then a ridge to -1 / 1 of each class.

    A subclass has `_fit_transform(signals)` and `_transform(signals)`, which give scaled float32
    features.

    Parameters
    ----------
    kind : {"pooled", "support", "population"}
        See `peers`.
    weight : float
        Of a support clip, pooled.
    seed : int
        Source of the random kernels.
    """

    shares_fit = True

    def __init__(self, *, kind: str = "pooled", weight: float = WEIGHT, seed: int = 0) -> None:
        self.kind = kind
        self.weight = weight
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Draw and scale the features; keep the products of the population."""
        self.labels = np.asarray(labels)
        self.classes = np.unique(self.labels)
        self.population = self._fit_transform(signals)
        self.products = self._products(self.population, self.population)
        return self

    def features(self, signals) -> dict[str, np.ndarray]:
        """Features of the clips, and their products with the population's."""
        own = self._transform(signals)
        return {"own": own, "with_population": self._products(own, self.population)}

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class with the largest score."""
        if self.kind == "population" or support is None:
            return self._answer_population(query)
        classes = np.unique(support_labels)
        among = self._products(support["own"], support["own"])
        asked = self._products(query["own"], support["own"])
        n_support = len(among)
        if self.kind == "support":
            weights, lam, labels = np.ones(n_support), LAM_ALONE, support_labels
        else:
            across = support["with_population"]
            among = np.block([[self.products, across.T], [across, among]])
            asked = np.concatenate([query["with_population"], asked], axis=1)
            weights = pool_weights(len(self.labels), n_support, self.weight)
            lam, labels = LAM, np.concatenate([self.labels, support_labels])
        return classes[_scores(among, asked, labels, classes, weights, lam).argmax(axis=1)]

    def _answer_population(self, query) -> np.ndarray:
        weights = np.ones(len(self.labels))
        scores = _scores(
            self.products, query["with_population"], self.labels, self.classes, weights, LAM_ALONE
        )
        return self.classes[scores.argmax(axis=1)]

    def _products(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return one @ other.T / one.shape[1]


def _scores(among, asked, labels, classes, weights, lam: float) -> np.ndarray:
    """Scores of the asked clips from the products with, and among, the labelled ones."""
    signs = 2.0 * (labels[:, None] == classes) - 1.0
    offset = np.average(signs, axis=0, weights=weights)
    dual = np.linalg.solve(among + lam * np.diag(1.0 / weights), signs - offset)
    return asked @ dual + offset

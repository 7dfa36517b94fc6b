"""Answers that look at no signal: what any classifier has to beat."""

from __future__ import annotations

import numpy as np

from peers._base import BasePeer


class Majority(BasePeer):
    """The most frequent class of the population.

    Parameters
    ----------
    seed : int
        Without effect.
    """

    new_classes = False

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Count."""
        values, counts = np.unique(labels, return_counts=True)
        self.label = values[counts.argmax()]
        return self

    def features(self, signals) -> np.ndarray:
        """The place of each clip in the recording."""
        return np.arange(len(next(iter(signals.values()))))

    def answer(self, support, support_labels, query) -> np.ndarray:
        """Always the same."""
        return np.repeat(self.label, len(query))


class NearestTime(Majority):
    """The label of the support clip that is nearest in the order of recording."""

    zero_shot = False
    new_classes = True
    needs_order = True

    def answer(self, support, support_labels, query) -> np.ndarray:
        """Nearest in place."""
        return support_labels[np.abs(query[:, None] - support).argmin(axis=1)]

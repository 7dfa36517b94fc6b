"""The classifier of this package."""

from __future__ import annotations

from typing import Any

import numpy as np

from peers._base import BasePeer
from stf2m_sk import STF2MClassifier


class STF2M(BasePeer):
    """STF2MClassifier; its clips are embedded in every episode, as a user's are.

    Parameters
    ----------
    seed : int
        `random_state`.
    **params
        Parameters of STF2MClassifier.
    """

    def __init__(self, *, seed: int = 0, **params: Any) -> None:
        self.seed = seed
        self.params = params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The seed and all parameters of the classifier, so that a new default is noticed."""
        params = STF2MClassifier(**self.params).get_params(deep=False)
        return {"seed": self.seed} | {k: v for k, v in params.items() if k != "random_state"}

    def fit(self, signals, labels, people=None):
        """Meta-train."""
        self.classifier = STF2MClassifier(random_state=self.seed, **self.params)
        self.classifier.fit(signals, labels, groups=people)
        return self

    def features(self, signals) -> dict[str, np.ndarray]:
        """The clips as they are."""
        return signals

    def answer(self, support, support_labels, query) -> np.ndarray:
        """`predict`, with a support after `adapt`."""
        if support is None:
            return self.classifier.predict(query)
        return self.classifier.adapt(support, support_labels).predict(query)

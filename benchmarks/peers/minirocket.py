"""MiniRocket (Dempster, Schmidt, Webb 2021, arXiv:2012.08791; aeon's) with a ridge."""

from __future__ import annotations

import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket

from peers._base import seeded
from peers._one_clock import OneClock
from peers._ridge import RidgePeer


class MiniRocketRidge(RidgePeer):
    """10,000 kernels on one clock; features scaled by the population."""

    def _fit_transform(self, signals) -> np.ndarray:
        self.clock = OneClock(signals)
        joined = self.clock(signals)
        with seeded(self.seed):
            self.rocket = MiniRocket(random_state=self.seed).fit(joined)
            features = self._kernels(joined)
        self.mean, self.scale = features.mean(0), features.std(0) + 1e-3
        return (features - self.mean) / self.scale

    def _transform(self, signals) -> np.ndarray:
        return (self._kernels(self.clock(signals)) - self.mean) / self.scale

    def _kernels(self, joined: np.ndarray) -> np.ndarray:
        return np.asarray(self.rocket.transform(joined), dtype=np.float32)

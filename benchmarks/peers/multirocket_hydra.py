"""MultiRocket and Hydra (arXiv:2102.00457, arXiv:2203.13652; aeon's) with a ridge.

The features are those of aeon's MultiRocketHydraClassifier, each scaled as it does: Hydra's
counts by its own scaler for sparse counts, MultiRocket's to mean 0 and deviation 1. The ridge is
the same as MiniRocket's here, because aeon's RidgeClassifierCV takes no support.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from aeon.classification.convolution_based._hydra import _SparseScaler
from aeon.transformations.collection.convolution_based import HydraTransformer, MultiRocket
from sklearn.preprocessing import StandardScaler

from peers._base import seeded
from peers._one_clock import SHORTEST, OneClock
from peers._ridge import RidgePeer

# MultiRocket takes differences first, so that it needs a frame more than a kernel has.
_SHORTEST = SHORTEST + 1
_BATCH = 256  # clips at once through Hydra, whose memory grows with them


class MultiRocketHydraRidge(RidgePeer):
    """About 50,000 features of MultiRocket and some thousand of Hydra, on one clock."""

    def _fit_transform(self, signals) -> np.ndarray:
        self.clock = OneClock(signals)
        joined = self._joined(signals)
        with seeded(self.seed), _threads_kept():
            self.hydra = HydraTransformer(random_state=self.seed).fit(joined)
            self.rocket = MultiRocket(random_state=self.seed).fit(joined)
            counts, pooled = self._counts(joined), self.rocket.transform(joined)
        self.count_scaler = _SparseScaler()
        self.count_scaler.fit(counts)
        self.scaler = StandardScaler().fit(pooled)
        return self._scaled(counts, pooled)

    def _transform(self, signals) -> np.ndarray:
        joined = self._joined(signals)
        return self._scaled(self._counts(joined), self.rocket.transform(joined))

    def _joined(self, signals) -> np.ndarray:
        joined = self.clock(signals)
        return np.repeat(joined, 2, axis=2) if joined.shape[2] < _SHORTEST else joined

    def _counts(self, joined: np.ndarray) -> torch.Tensor:
        batches = [joined[i : i + _BATCH] for i in range(0, len(joined), _BATCH)]
        return torch.cat([self.hydra.transform(batch) for batch in batches])

    def _scaled(self, counts: torch.Tensor, pooled: np.ndarray) -> np.ndarray:
        parts = [self.count_scaler.transform(counts).numpy(), self.scaler.transform(pooled)]
        return np.concatenate(parts, axis=1).astype(np.float32)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Aeon's Hydra sets torch's number of threads for good; set it back."""
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)

"""All modalities as channels of one array: for classifiers that know one clock only."""

from __future__ import annotations

import numpy as np

SHORTEST = 9  # frames of a rocket's kernel


class OneClock:
    """Scaled by the population, nearest earlier frame of the slower modalities, gaps at the mean.

    Parameters
    ----------
    signals : dict of array
        The population.
    """

    def __init__(self, signals: dict[str, np.ndarray]) -> None:
        self.n_frames = max(signal.shape[2] for signal in signals.values())
        self.moments = {
            name: (
                np.nanmean(signal, axis=(0, 2), keepdims=True),
                np.nanstd(signal, axis=(0, 2), keepdims=True) + 1e-6,
            )
            for name, signal in signals.items()
        }

    def __call__(self, signals: dict[str, np.ndarray]) -> np.ndarray:
        """One float32 array of shape (n_clips, n_channels of all modalities, n_frames)."""
        parts = []
        for name, (mean, scale) in self.moments.items():
            n_own = signals[name].shape[2]
            steps = np.floor(np.arange(self.n_frames) * n_own / self.n_frames).astype(int)
            parts.append(np.nan_to_num((signals[name] - mean) / scale)[:, :, steps])
        joined = np.concatenate(parts, axis=1).astype(np.float32)
        return np.repeat(joined, SHORTEST, axis=2) if joined.shape[2] < SHORTEST else joined

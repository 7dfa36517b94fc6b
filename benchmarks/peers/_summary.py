"""Mean, deviation, least and largest value of each channel: what a table of clips may hold."""

from __future__ import annotations

import warnings

import numpy as np

_STATISTICS = (np.nanmean, np.nanstd, np.nanmin, np.nanmax)


class SummaryTable:
    """Statistics of clips, 0 where nothing was measured, scaled by the population."""

    def __init__(self, signals: dict[str, np.ndarray]) -> None:
        table = _statistics(signals)
        self.mean, self.scale = table.mean(0), table.std(0) + 1e-6

    def __call__(self, signals: dict[str, np.ndarray]) -> np.ndarray:
        """An array of shape (n_clips, 4 * n_channels of all modalities)."""
        return (_statistics(signals) - self.mean) / self.scale


def _statistics(signals: dict[str, np.ndarray]) -> np.ndarray:
    with warnings.catch_warnings():
        # A channel of which a clip has nothing; its statistics become 0.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        parts = [of(signal, axis=2) for signal in signals.values() for of in _STATISTICS]
    return np.nan_to_num(np.concatenate(parts, axis=1))

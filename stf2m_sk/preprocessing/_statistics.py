"""Centre and spread of each channel, from what was measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_IQR_OF_A_STANDARD_NORMAL = 1.349


def channel_statistics(
    values: NDArray[np.floating], method: str, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread of each channel over clips and time.

    Parameters
    ----------
    values : ndarray of shape (n_clips, n_channels, n_timesteps)
        NaN means not measured.
    method : {"standard", "robust"}
        Mean and population standard deviation, or median and interquartile range / 1.349.
    name : str
        Name of the modality, for messages.

    Returns
    -------
    centres, scales : ndarray of shape (n_channels,), float64
        NaN where the data cannot tell: both where nothing was measured, the scale alone where
        the channel is constant up to rounding.

    Raises
    ------
    ValueError
        If values are too large for float64 to hold their statistics.
    """
    counts = np.count_nonzero(~np.isnan(values), axis=(0, 2))
    compute = _mean_and_deviation if method == "standard" else _median_and_range
    with np.errstate(over="ignore", invalid="ignore"):
        centres, scales = compute(values.astype(np.float64), counts)
    if not (np.isfinite(centres).all() and np.isfinite(scales).all()):
        channel = np.flatnonzero(~(np.isfinite(centres) & np.isfinite(scales)))[0]
        raise ValueError(
            f"modality {name!r}, channel {channel}: the values are too large for their mean and "
            "spread; give X in a larger unit"
        )
    # Less than this share of the level is the rounding of the values themselves.
    rounding = 1e-7 if values.dtype == np.float32 else 1e-14
    scales[scales <= rounding * np.abs(centres)] = np.nan
    centres[counts == 0] = scales[counts == 0] = np.nan
    return centres, scales


def filled(values: NDArray[np.float64], instead: NDArray[np.float64] | float) -> NDArray:
    """Return the statistics with `instead` where they could not be told."""
    return np.where(np.isnan(values), instead, values)


def mean_of_known(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over rows of what is not NaN, shape (n_columns,); NaN where nothing is."""
    known = ~np.isnan(rows)
    counts = known.sum(axis=0)
    means = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return np.where(counts > 0, means, np.nan)


def _mean_and_deviation(
    values: NDArray[np.float64], counts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    measured = ~np.isnan(values)

    def mean(of: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(measured, of, 0.0).sum(axis=(0, 2)) / np.maximum(counts, 1)

    centres = mean(values)
    # The mean of what is left is the rounding of the first sum: it matters where the level is
    # large and the spread small.
    centres += mean(values - centres[:, None])
    return centres, np.sqrt(mean((values - centres[:, None]) ** 2))


def _median_and_range(
    values: NDArray[np.float64], counts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values[:, counts == 0] = 0.0  # only so that NumPy does not warn of an empty channel
    lower, median, upper = np.nanpercentile(values, [25, 50, 75], axis=(0, 2))
    return median, (upper - lower) / _IQR_OF_A_STANDARD_NORMAL

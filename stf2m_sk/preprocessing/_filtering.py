"""Resampling with gaps: SciPy's polyphase filter on what was measured."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

# Bounds both terms of a ratio, and so the filter, which has 20 times as many taps.
_LARGEST_TERM = 10_000

# Least share of the filter's weight on measured values. Between 1/5 and 1/4: no regular pattern
# of missing values, such as every second frame, lies on the border, where rounding would decide.
_LEAST_MEASURED = 0.22


def rational_ratio(new_rate: float, rate: float, name: str) -> Fraction:
    """Return ``new_rate / rate`` as a fraction with terms of at most about 10,000.

    The relative error is below 1e-4, and 0 for the usual rates.

    Raises
    ------
    ValueError
        If the rates differ by more than a factor of 10,000.
    """
    factor = max(new_rate, rate) / min(new_rate, rate)
    if factor > _LARGEST_TERM:
        raise ValueError(
            f"modality {name!r}: cannot resample from {rate:g} Hz to {new_rate:g} Hz, a factor "
            f"of more than {_LARGEST_TERM}; resample in two steps"
        )
    ratio = Fraction(factor).limit_denominator(int(_LARGEST_TERM / factor))
    return ratio if new_rate >= rate else 1 / ratio


def resampled_length(n_timesteps: int, ratio: Fraction) -> int:
    """Return the number of frames after resampling: SciPy's, every frame that has begun."""
    return math.ceil(n_timesteps * ratio)


def resample(values: NDArray[np.floating], ratio: Fraction) -> NDArray[np.float64]:
    """Resample clips along time by normalised convolution.

    A clip without NaN is SciPy's ``resample_poly`` with ``padtype="edge"`` of the clip less its
    mid-range, which is added again: a constant stays exactly that.

    Parameters
    ----------
    values : ndarray of shape (n_clips, n_channels, n_timesteps)
        NaN means not measured.
    ratio : Fraction
        New rate divided by the old one.

    Returns
    -------
    ndarray of shape (n_clips, n_channels, n_frames), float64
        NaN where too little was measured: the new frame does not overlap the stretch from the
        first to the last measured value, or less than 0.22 of the filter's weight falls on
        measured values. Edge values stand in for what lies outside that stretch, so NaN at the
        end changes nothing.
    """
    n_clips, n_channels, n_timesteps = values.shape
    rows = values.reshape(n_clips * n_channels, n_timesteps).astype(np.float64)
    answer = np.full((len(rows), resampled_length(n_timesteps, ratio)), np.nan)
    has_values = ~np.isnan(rows).all(axis=1)
    if has_values.any():
        answer[has_values] = _resampled_rows(rows[has_values], ratio)
    return answer.reshape(n_clips, n_channels, -1)


def _resampled_rows(rows: NDArray[np.float64], ratio: Fraction) -> NDArray[np.float64]:
    measured = ~np.isnan(rows)
    first = measured.argmax(axis=1)[:, None]
    last = rows.shape[1] - 1 - measured[:, ::-1].argmax(axis=1)[:, None]
    steps = np.arange(rows.shape[1])
    edged = np.take_along_axis(rows, np.clip(steps, first, last), axis=1)
    # Around the middle, so that the filter's ripple acts on what varies and not on the level.
    middle = (np.fmin.reduce(rows, axis=1) / 2 + np.fmax.reduce(rows, axis=1) / 2)[:, None]
    edged -= middle
    has_gaps = np.isnan(edged).any(axis=1)
    signal = _filtered(np.nan_to_num(edged), ratio)
    share = np.ones_like(signal)
    if has_gaps.any():
        inside = (steps >= first[has_gaps]) & (steps <= last[has_gaps])
        signal[has_gaps], share[has_gaps] = _weighted(
            np.nan_to_num(edged[has_gaps]), signal[has_gaps], measured[has_gaps], inside, ratio
        )
    enough = (share >= _LEAST_MEASURED) & _overlapping(first, last, signal.shape[1], ratio)
    return np.where(enough, middle + signal / np.where(enough, share, 1.0), np.nan)


def _weighted(
    edged: NDArray[np.float64],
    filtered: NDArray[np.float64],
    measured: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    ratio: Fraction,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Filtered values and filtered weights of rows with gaps.

    A measured value has weight 1. Edge values, outside the measured stretch, weigh as much as
    there is measured inside on average: more would drown a stretch with few measured values.
    """
    density = measured.sum(axis=1, keepdims=True) / inside.sum(axis=1, keepdims=True)
    signal = _filtered(edged * inside, ratio, "constant")
    signal += density * (filtered - signal)
    everything = _filtered(np.ones((1, edged.shape[1])), ratio)
    outside = everything - _filtered(inside.astype(np.float64), ratio, "constant")
    weights = _filtered(measured.astype(np.float64), ratio, "constant") + density * outside
    return signal, weights / everything


def _overlapping(
    first: NDArray[np.intp], last: NDArray[np.intp], n_frames: int, ratio: Fraction
) -> NDArray[np.bool_]:
    """Whether a new frame overlaps the old ones from first to last, (n_rows, n_frames)."""
    up, down = ratio.numerator, ratio.denominator
    begin = np.arange(n_frames) * down  # in units of which an old frame has `up`
    return (begin < (last + 1) * up) & (begin + down > first * up)


def _filtered(
    rows: NDArray[np.float64], ratio: Fraction, beyond: str = "edge"
) -> NDArray[np.float64]:
    """SciPy's filter; `beyond` the row are its edge values, or zeros ("constant")."""
    return resample_poly(rows, ratio.numerator, ratio.denominator, axis=1, padtype=beyond)

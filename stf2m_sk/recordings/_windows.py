"""Windows of a fixed length: where they lie, and their values."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._signal import Signal

__all__ = [
    "check_window",
    "grid",
    "measured_share",
    "n_window_samples",
    "read_window",
    "whole_grid",
]

_WITHIN = 1e-6  # of a step: a window that ends where the stretch ends lies in it


def check_window(window: float, step: float | None) -> tuple[float, float]:
    """Length and step of windows in seconds, checked; a step of None is the window's length.

    Raises
    ------
    ValueError
        If one of them is not a positive number.
    """
    step = window if step is None else step
    for name, value in (("window", window), ("step", step)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise ValueError(f"{name} must be a number of seconds, got {value!r}")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number of seconds, got {value}")
    return float(window), float(step)


def grid(start: float, stop: float, window: float, step: float) -> NDArray[np.float64]:
    """Starts of the windows that lie wholly within a stretch.

    Parameters
    ----------
    start, stop : float
        The stretch, in seconds.
    window, step : float
        Length of a window, and from the start of one to the start of the next.

    Returns
    -------
    float64 array
        Window i starts at ``start + i * step``.

    Examples
    --------
    >>> from stf2m_sk.recordings._windows import grid
    >>> grid(100, 200, window=30, step=30).tolist()
    [100.0, 130.0, 160.0]
    """
    n = math.floor((stop - start - window) / step + _WITHIN) + 1
    return float(start) + step * np.arange(max(n, 0))


def whole_grid(start: float, stop: float, window: float, step: float) -> NDArray[np.float64]:
    """Starts of the windows over a whole recording: as `grid`, but at least one.

    Examples
    --------
    >>> from stf2m_sk.recordings._windows import whole_grid
    >>> whole_grid(100, 110, window=30, step=30).tolist()
    [100.0]
    """
    starts = grid(start, stop, window, step)
    return starts if len(starts) else np.array([float(start)])


def n_window_samples(name: str, signal_rate: float, window: float) -> int:
    """Samples of a window: as many in every window, whatever its start.

    Raises
    ------
    RecordingError
        If the window is shorter than the time between two samples.
    """
    if window * signal_rate < 1 - _WITHIN:
        raise RecordingError(
            f"a window of {window:g} s holds no sample of signal {name!r} at {signal_rate:g} Hz; "
            f"expected at least {1 / signal_rate:g} s, or another rate: recording.resample"
        )
    return round(window * signal_rate)


def read_window(
    signals: Mapping[str, Signal], start: float, window: float
) -> dict[str, NDArray[np.float32]]:
    """Values of one window.

    Parameters
    ----------
    signals : mapping of str to Signal
        Of numbers.
    start : float
        Of the window, in seconds.
    window : float
        Its length.

    Returns
    -------
    dict of str to float32 array of shape (n_channels, round(window * rate))
        From the first sample at or after the start; NaN where the signal does not reach.

    Raises
    ------
    RecordingError
        If a value is infinite or too large for float32: with signal and time.
    """
    values = {}
    for name, signal in signals.items():
        first = signal.index(start)
        last = first + n_window_samples(name, signal.rate, window)
        with np.errstate(over="ignore"):  # too large is an error below
            values[name] = signal.read(first, last).astype(np.float32)
        infinite = np.isinf(values[name])
        if infinite.any():
            channel, sample = np.argwhere(infinite)[0]
            raise RecordingError(
                f"signal {name!r}, channel {channel}, at "
                f"{signal.start + (first + sample) / signal.rate:.12g} s: infinite or too large "
                "for float32; use NaN for what was not measured"
            )
    return values


def measured_share(values: Mapping[str, NDArray]) -> float:
    """Share of a window's values that are measured: the mean over its signals."""
    shares = [1.0 - np.isnan(array).mean() for array in values.values() if array.size]
    return float(np.mean(shares)) if shares else 0.0

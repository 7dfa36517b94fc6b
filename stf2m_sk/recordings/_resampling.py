"""Another rate for a signal with gaps."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from stf2m_sk.recordings._signal import Signal

__all__ = ["resampled"]

_LARGEST_FACTOR = 10_000  # of the ratio of two rates: 44,100 to 16,000 Hz is 160 / 441


def resampled(signal: Signal, rate: float) -> Signal:
    """A signal at another rate.

    Parameters
    ----------
    signal : Signal
        Of shape (n_channels, n_samples), numbers; NaN where not measured.
    rate : float
        Samples a second.

    Returns
    -------
    Signal
        float32, with the same start. NaN where a gap was; the ratio of the rates is that of two
        whole numbers up to 10,000, which is within 1e-8 of what was asked for.

    Notes
    -----
    A polyphase filter (scipy) runs over each stretch without NaN, less the line through its two
    ends. The stretches are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings._resampling import resampled
    >>> resampled(Signal(np.full((1, 6), 2.0), rate=3), 2).values.round(3).tolist()
    [[2.0, 2.0, 2.0, 2.0]]
    """
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"rate must be a positive number of Hz, got {rate}")
    ratio = Fraction(rate / signal.rate).limit_denominator(_LARGEST_FACTOR)
    if not 0 < ratio.numerator <= _LARGEST_FACTOR:
        raise ValueError(f"cannot resample from {signal.rate:g} Hz to {rate:g} Hz")
    values = signal.read(0, signal.n_samples).astype(np.float64)
    return replace(signal, values=_over_channels(values, ratio), rate=rate)


def _over_channels(values: NDArray[np.float64], ratio: Fraction) -> NDArray[np.float32]:
    n_samples = values.shape[1] * ratio.numerator // ratio.denominator
    result = np.full((len(values), n_samples), np.nan, dtype=np.float32)
    for channel, row in enumerate(values):
        for first, last in _stretches(~np.isnan(row)):
            begin = -(-first * ratio.numerator // ratio.denominator)
            part = _resampled_stretch(row[first:last], first, begin, ratio)
            end = min(begin + len(part), n_samples)
            result[channel, begin:end] = part[: end - begin]
    return result


def _resampled_stretch(
    row: NDArray[np.float64], first: int, begin: int, ratio: Fraction
) -> NDArray[np.float64]:
    """New samples `begin` onwards of a stretch that starts at old sample `first`."""
    # The filter's samples lie at whole multiples of `denominator` old ones: start at one.
    lead = first % ratio.denominator
    padded = np.concatenate([np.full(lead, row[0]), row])
    up, down = ratio.numerator, ratio.denominator
    # Less the line through its ends, a stretch is 0 at both of them, as beyond it for the filter.
    line = np.linspace(padded[0], padded[-1], len(padded))
    new = resample_poly(padded - line, up, down)
    new += np.interp(np.arange(len(new)) * down / up, np.arange(len(padded)), line)
    n_wanted = -(-(first + len(row)) * up // down) - begin
    skipped = begin - (first - lead) // down * up
    return new[skipped : skipped + n_wanted]


def _stretches(measured: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], measured, [False]]).astype(int)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]

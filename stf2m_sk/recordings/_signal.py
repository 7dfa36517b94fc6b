"""One signal: values on a regular grid of times, read when they are needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["LazyValues", "Signal"]

_AT_A_SAMPLE = 1e-6  # of a sample: a time that is so near to one is meant to be it
_ROUNDING_STEPS = 4  # steps between floating-point numbers by which a sum of times may be off
_VALUES_AT_ONCE = 2**20  # read by `pieces`


class LazyValues(Protocol):
    """What `Signal.values` may be beside a NumPy array: read when a slice is taken.

    `numpy.memmap` is one; readers of audio, video and EDF files bring their own.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, key: tuple) -> NDArray:
        """Values at ``[..., start:stop]``, as a NumPy array."""


class _Part:
    """A stretch of lazy values: as lazy as they are."""

    def __init__(self, values: LazyValues, first: int, last: int) -> None:
        self._values, self._first, self._last = values, first, last
        self.shape = (*values.shape[:-1], last - first)
        self.dtype = values.dtype

    def __getitem__(self, key: tuple) -> NDArray:
        *others, time = key if isinstance(key, tuple) else (key,)
        start, stop, step = time.indices(self._last - self._first)
        return self._values[(*others, slice(self._first + start, self._first + stop, step))]


@dataclass(frozen=True, eq=False)
class Signal:
    """Values of a sensor, sampled at a constant rate.

    Sample i was measured at ``start + i / rate``; NaN means not measured.

    Parameters
    ----------
    values : array or LazyValues of shape (n_channels, n_samples)
        Time is the last axis. Raw video has shape (height, width, 3, n_frames), and words have
        dtype object, one row: an extractor turns both into numbers before they can be cut.
    rate : float
        Samples a second.
    start : float, default=0.0
        Time of the first sample in seconds: since 1970 in UTC, or since the recording began.
    unit : str, default=""
        Physical unit, such as "uS".
    channels : sequence of str, default=()
        Names of the channels; empty where they have none.

    Raises
    ------
    ValueError
        If a shape, rate, start or the number of channel names is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> eda = Signal(np.arange(40.0)[None], rate=4, start=100, unit="uS")
    >>> eda
    Signal(1x40 @ 4 Hz, 100 s to 110 s, uS)
    >>> eda.slice(102, 103).values
    array([[ 8.,  9., 10., 11.]])
    """

    values: NDArray | LazyValues
    rate: float
    start: float = 0.0
    unit: str = ""
    channels: Sequence[str] = ()

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        if len(shape) < 2:
            raise ValueError(
                f"values must have time as the last of at least two axes, got shape {shape}; "
                "give one channel as values[None]"
            )
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be a positive number of Hz, got {self.rate}")
        if not math.isfinite(self.start):
            raise ValueError(f"start must be a finite number of seconds, got {self.start}")
        if len(self.channels) not in (0, shape[0]):
            raise ValueError(
                f"channels names {len(self.channels)} channels, but values have {shape[0]}"
            )
        object.__setattr__(self, "channels", tuple(self.channels))

    @property
    def n_samples(self) -> int:
        """Samples of a channel."""
        return self.values.shape[-1]

    @property
    def n_channels(self) -> int:
        """Channels."""
        return self.values.shape[0]

    @property
    def stop(self) -> float:
        """Time at which the last sample ends, in seconds."""
        return self.start + self.n_samples / self.rate

    @property
    def is_numeric(self) -> bool:
        """Whether values are channels of real numbers, which can be cut as they are."""
        return len(self.values.shape) == 2 and np.dtype(self.values.dtype).kind in "fiub"

    def index(self, time: float) -> int:
        """Number of the first sample at or after a time.

        Parameters
        ----------
        time : float
            Seconds on the recording's clock.

        Returns
        -------
        int
            May lie outside of the signal.
        """
        # Seconds since 1970 are stored to 2e-7 s, which is more than a millionth of a sample.
        rounding = _ROUNDING_STEPS * math.ulp(max(abs(time), abs(self.start))) * self.rate
        return math.ceil((time - self.start) * self.rate - max(_AT_A_SAMPLE, rounding))

    def read(self, first: int, last: int) -> NDArray:
        """Samples first to last - 1; NaN where the signal does not reach (None for words).

        Parameters
        ----------
        first, last : int
            May lie outside of the signal.

        Returns
        -------
        array of shape (..., last - first)
            The values' dtype, or float32 where integers need NaN.
        """
        inside = slice(min(max(first, 0), self.n_samples), min(max(last, 0), self.n_samples))
        found = np.asarray(self.values[..., inside])
        if found.shape[-1] == last - first:
            return found
        if found.dtype == object:
            filled = np.full((*found.shape[:-1], last - first), None, dtype=object)
        else:
            dtype = np.result_type(found.dtype, np.float32)
            filled = np.full((*found.shape[:-1], last - first), np.nan, dtype=dtype)
        if found.shape[-1]:
            filled[..., inside.start - first : inside.stop - first] = found
        return filled

    def pieces(self) -> Iterator[tuple[int, NDArray]]:
        """All values, piece by piece, so that a long signal is never in memory as a whole.

        Yields
        ------
        first : int
            Number of the first sample of the piece.
        values : array of shape (..., n)
            The next samples.
        """
        per_sample = max(1, math.prod(self.values.shape[:-1]))
        size = max(1, _VALUES_AT_ONCE // per_sample)
        for first in range(0, self.n_samples, size):
            yield first, self.read(first, min(first + size, self.n_samples))

    def slice(self, start: float, stop: float) -> Signal:
        """The samples from `start` to before `stop`.

        Parameters
        ----------
        start, stop : float
            Seconds on the recording's clock; may lie outside of the signal.

        Returns
        -------
        Signal
            A new one; lazy values stay so.
        """
        first = min(max(self.index(start), 0), self.n_samples)
        last = min(max(self.index(stop), first), self.n_samples)
        if isinstance(self.values, np.ndarray):
            values = self.values[..., first:last]  # a view; of a memmap still on disk
        else:
            values = _Part(self.values, first, last)
        return replace(self, values=values, start=self.start + first / self.rate)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.values.shape))
        unit = f", {self.unit}" if self.unit else ""
        return f"Signal({size} @ {self.rate:g} Hz, {self.start:.12g} s to {self.stop:.12g} s{unit})"

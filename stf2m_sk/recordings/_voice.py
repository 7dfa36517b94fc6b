"""Voice: a log-mel spectrogram and prosody, block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._signal import Signal

__all__ = ["log_mel", "prosody", "voice"]

_SAMPLE_RATE = 16_000  # Hz: what is said lies below 8 kHz, and all recordings must be comparable
_WINDOW = 1024  # samples of a frame: 64 ms, two periods of the lowest pitch and more
_BAND = (50.0, 8000.0)  # Hz, of the mel filters
_PITCH = (60.0, 600.0)  # Hz, where the pitch is looked for
_REFERENCE = 100.0  # Hz: pitch 0
_HANN_POWER = 0.375  # mean of the squared window
_FLOOR = 1e-10  # power: librosa's, below the noise of 16-bit audio
_BLOCK = 400  # frames that are worked on at a time
_LOWEST_RATE = 2000.0  # Hz: below it no speech is left

_PROSODY = ("pitch", "energy", "centroid", "flatness", "crossings", "voicing")

# A part of the features: from magnitudes (n_bins, n) and samples to values (n_channels, n).
_Part = Callable[[NDArray, NDArray], NDArray]


def log_mel(signal: Signal, *, n_mels: int = 40, rate: float = 40.0) -> Signal:
    """Log-mel spectrogram of a voice, in dB.

    Parameters
    ----------
    signal : Signal
        Audio of shape (n_channels, n_samples) in [-1, 1]; channels are averaged. NaN means not
        recorded.
    n_mels : int, default=40
        Mel bands from 50 Hz to 8 kHz.
    rate : float, default=40.0
        Frames a second.

    Returns
    -------
    Signal
        Values, as float32, of shape (n_mels, n_frames) in dB, no less than -100. Frame i is centred
        at ``start + i / rate`` and sees 64 ms. It is NaN where any of these is not recorded, and
        so are bands above what the audio's own rate can hold.

    Raises
    ------
    ImportError
        If librosa is not installed (extra "audio").
    ValueError
        If the signal is no audio, or a parameter is impossible.

    Notes
    -----
    Values are those of `librosa.feature.melspectrogram` and `librosa.power_to_db` (reference 1)
    on the whole recording, but it is read in blocks of some seconds. Audio of another rate is
    first resampled to 16 kHz (soxr), so that recordings of different rates are comparable. Where
    16 kHz is no multiple of `rate`, the multiple next to it is taken.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import log_mel
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    >>> mel = log_mel(Signal(tone[None], rate=16_000))
    >>> mel
    Signal(40x41 @ 40 Hz, 0 s to 1.025 s, dB)
    >>> mel.channels[int(mel.values[:, 20].argmax())]
    'mel 412 Hz'
    """
    audio = _Audio(signal, rate)
    return audio.signals({"mel": _mel_part(audio, n_mels)})["mel"]


def prosody(signal: Signal, *, rate: float = 40.0) -> Signal:
    """How a voice speaks: pitch, energy, timbre and voicing.

    Parameters
    ----------
    signal : Signal
        Audio, as for `log_mel`.
    rate : float, default=40.0
        Frames a second.

    Returns
    -------
    Signal
        Values, as float32, of shape (6, n_frames), frames as in `log_mel`. Channels:

        - "pitch": octaves above 100 Hz, between 60 and 600 Hz, from YIN. A frame without voice
          holds YIN's best guess, too: "voicing" says how far it can be relied on;
        - "energy": mean square in dB, 0 for full scale, no less than -100;
        - "centroid": of the magnitude spectrum, in kHz;
        - "flatness": natural logarithm of the spectral flatness, 0 for white noise;
        - "crossings": share of the samples at which the signal changes its sign;
        - "voicing": correlation of the frame with itself one period later, 0 to 1.

    Raises
    ------
    ImportError
        If librosa is not installed (extra "audio").
    ValueError
        If the signal is no audio, or `rate` is impossible.

    Notes
    -----
    YIN (`librosa.yin`) and not pYIN: the latter takes 60 times as long, and its path through a
    whole recording could not be had live. The choice of channels is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import prosody
    >>> tone = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000)
    >>> speech = prosody(Signal(tone[None], rate=16_000))
    >>> for name, value in zip(speech.channels, speech.values[:, 20], strict=True):
    ...     print(f"{name} {value:.2f}")
    pitch 1.00
    energy -3.01
    centroid 0.20
    flatness -25.56
    crossings 0.02
    voicing 1.00
    """
    audio = _Audio(signal, rate)
    return audio.signals({"prosody": _prosody_part(audio)})["prosody"]


def voice(signal: Signal, *, n_mels: int = 40, rate: float = 40.0) -> dict[str, Signal]:
    """Log-mel spectrogram and prosody of a voice, in one pass over the audio.

    Parameters
    ----------
    signal : Signal
        Audio, as for `log_mel`.
    n_mels : int, default=40
        Mel bands.
    rate : float, default=40.0
        Frames a second.

    Returns
    -------
    dict of str to Signal
        "mel", as from `log_mel`, and "prosody", as from `prosody`.

    Raises
    ------
    ImportError
        If librosa is not installed (extra "audio").
    ValueError
        If the signal is no audio, or a parameter is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import voice
    >>> voice(Signal(np.zeros((2, 44_100)), rate=44_100))["prosody"]
    Signal(6x41 @ 40 Hz, 0 s to 1.025 s)
    """
    audio = _Audio(signal, rate)
    return audio.signals({"mel": _mel_part(audio, n_mels), "prosody": _prosody_part(audio)})


class _Audio:
    """One mono voice at the common sample rate, and its frames."""

    def __init__(self, signal: Signal, rate: float) -> None:
        _check(signal, rate)
        self.signal, self.rate = signal, rate
        self.librosa: ModuleType = require("librosa", "audio")
        self.hop = max(1, round(_SAMPLE_RATE / rate))
        self.sample_rate = self.hop * rate
        self.ratio = self.sample_rate / signal.rate
        if abs(self.ratio - 1) < 1e-9:
            self.ratio = 1.0
        self.length = math.ceil(signal.n_samples * self.ratio - 1e-6)
        self.n_frames = 1 + self.length // self.hop if signal.n_samples else 0
        self._holes = np.zeros(self.n_frames + 1, dtype=np.int64)  # differences of their number

    def signals(self, parts: Mapping[str, tuple[_Part, tuple[str, ...], str]]) -> dict[str, Signal]:
        """Values of every part (function, channels, unit), from one pass."""
        found = {
            name: np.empty((len(channels), self.n_frames), dtype=np.float32)
            for name, (_, channels, _) in parts.items()
        }
        for frames, samples in self._blocks():
            magnitude = np.abs(
                self.librosa.stft(samples, n_fft=_WINDOW, hop_length=self.hop, center=False)
            )
            for name, (part, _, _) in parts.items():
                found[name][:, frames] = part(magnitude, samples)
        missing = np.cumsum(self._holes)[: self.n_frames] > 0
        for values in found.values():
            values[:, missing] = np.nan
        return {
            name: replace(
                self.signal, values=found[name], rate=self.rate, unit=unit, channels=channels
            )
            for name, (_, channels, unit) in parts.items()
        }

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """The numbers of some frames, and the samples that they see."""
        edge = np.zeros(_WINDOW // 2, dtype=np.float32)  # before the start and after the end
        first, held = 0, edge
        for samples in self._resampled():
            held = np.concatenate([held, samples])
            n = min((len(held) - _WINDOW) // self.hop + 1, self.n_frames - first)
            if n > 0:
                yield slice(first, first + n), held[: (n - 1) * self.hop + _WINDOW]
                first, held = first + n, held[n * self.hop :]
        if first < self.n_frames:
            n = self.n_frames - first
            missing = (n - 1) * self.hop + _WINDOW - len(held)  # the edge, and what soxr rounded
            held = np.concatenate([held, np.zeros(max(missing, 0), dtype=np.float32)])
            yield slice(first, self.n_frames), held[: (n - 1) * self.hop + _WINDOW]

    def _resampled(self) -> Iterator[NDArray[np.float32]]:
        if self.ratio == 1:
            yield from self._mono()
            return
        soxr = require("soxr", "audio")
        stream = soxr.ResampleStream(self.signal.rate, self.sample_rate, 1, "float32", "HQ")
        for samples in self._mono():
            yield stream.resample_chunk(samples)
        yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)

    def _mono(self) -> Iterator[NDArray[np.float32]]:
        """Mean of the channels, 0 where none is recorded; notes the holes on the way."""
        size = math.ceil(_BLOCK * self.signal.rate / self.rate)
        for first in range(0, self.signal.n_samples, size):
            last = min(first + size, self.signal.n_samples)
            values = np.asarray(self.signal.read(first, last))
            recorded = ~np.isnan(values)
            n = recorded.sum(axis=0)
            if not n.all():
                self._note_holes(first, n == 0)
            mono = np.where(recorded, values, 0).sum(axis=0) / np.maximum(n, 1)
            if not np.isfinite(mono).all():
                at = self.signal.start + (first + np.flatnonzero(~np.isfinite(mono))[0]) / (
                    self.signal.rate
                )
                raise ValueError(
                    f"audio holds an infinite value at {at:.3f} s; NaN means not recorded"
                )
            yield mono.astype(np.float32)

    def _note_holes(self, first: int, hole: NDArray[np.bool_]) -> None:
        """Count frames that see a sample which is not recorded."""
        steps = np.diff(np.concatenate([[0], hole.astype(np.int8), [0]]))
        begins = (first + np.flatnonzero(steps == 1)) * self.ratio
        ends = (first + np.flatnonzero(steps == -1) - 1) * self.ratio
        half = _WINDOW // 2  # frame i sees samples i * hop - half to i * hop + half - 1
        lowest = np.ceil((begins - half + 1) / self.hop).clip(0, self.n_frames)
        highest = np.floor((ends + half) / self.hop).clip(-1, self.n_frames - 1)
        np.add.at(self._holes, lowest.astype(int), 1)
        np.add.at(self._holes, highest.astype(int) + 1, -1)


def _check(signal: Signal, rate: float) -> None:
    shape, dtype = tuple(signal.values.shape), signal.values.dtype
    if len(shape) != 2 or not np.issubdtype(dtype, np.floating):
        raise ValueError(
            "audio must have floats in [-1, 1] of shape (n_channels, n_samples), given "
            f"{dtype} of shape {shape}"
        )
    if signal.rate < _LOWEST_RATE:
        raise ValueError(
            f"audio must have at least {_LOWEST_RATE:g} samples a second, given {signal.rate:g} "
            "Hz: is this another kind of signal?"
        )
    if not 1 <= rate <= 1000:
        raise ValueError(f"rate must be 1 to 1000 frames a second, given {rate}")


def _mel_part(audio: _Audio, n_mels: int) -> tuple[_Part, tuple[str, ...], str]:
    if n_mels < 1:
        raise ValueError(f"n_mels must be at least 1, given {n_mels}")
    low, high = _BAND[0], min(_BAND[1], audio.sample_rate / 2)
    filters = audio.librosa.filters.mel(
        sr=audio.sample_rate, n_fft=_WINDOW, n_mels=n_mels, fmin=low, fmax=high
    )
    edges = audio.librosa.mel_frequencies(n_mels + 2, fmin=low, fmax=high)
    unknown = edges[2:] > audio.signal.rate / 2 + 1e-6

    def part(magnitude: NDArray, samples: NDArray) -> NDArray:
        values = audio.librosa.power_to_db(filters @ magnitude**2, amin=_FLOOR, top_db=None)
        values[unknown] = np.nan
        return values

    return part, tuple(f"mel {middle:.0f} Hz" for middle in edges[1:-1]), "dB"


def _prosody_part(audio: _Audio) -> tuple[_Part, tuple[str, ...], str]:
    librosa, frame = audio.librosa, {"frame_length": _WINDOW, "hop_length": audio.hop}

    def part(magnitude: NDArray, samples: NDArray) -> NDArray:
        low, high = _PITCH
        hertz = librosa.yin(
            samples, fmin=low, fmax=high, sr=audio.sample_rate, center=False, **frame
        )
        feature, spectrum = librosa.feature, {"S": magnitude}
        loudness = feature.rms(**spectrum, **frame)[0] ** 2 / _HANN_POWER
        centroid = feature.spectral_centroid(sr=audio.sample_rate, **spectrum)[0]
        crossings = feature.zero_crossing_rate(samples, center=False, **frame)[0]
        return np.stack(
            [
                np.log2(hertz / _REFERENCE),
                librosa.power_to_db(loudness, amin=_FLOOR, top_db=None),
                centroid / 1000,
                np.log(feature.spectral_flatness(**spectrum)[0]),
                crossings,
                _voicing(librosa.util.frame(samples, axis=0, **frame), audio.sample_rate / hertz),
            ]
        )

    return part, _PROSODY, ""


def _voicing(frames: NDArray, period: NDArray) -> NDArray:
    """Correlation of each frame (a row) with itself one period (in samples) later."""
    frames = frames - frames.mean(axis=1, keepdims=True)
    found = np.empty(len(frames))
    for i, lag in enumerate(period.round().astype(int)):
        early, late = frames[i, :-lag], frames[i, lag:]
        scale = np.sqrt((early @ early) * (late @ late)) + _WINDOW * _FLOOR  # silence: no voice
        found[i] = early @ late / scale
    return found.clip(0, 1)

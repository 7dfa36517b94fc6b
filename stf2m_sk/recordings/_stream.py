"""The same predictions while the signals come in."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk.recordings._errors import RecordingError, RecordingWarning
from stf2m_sk.recordings._predict import check_modality
from stf2m_sk.recordings._reading import Clips, answer_all, expected_schema, reader_of
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._windows import check_window, n_window_samples, whole_grid

__all__ = ["StreamPredictor", "StreamResult"]


class StreamResult(NamedTuple):
    """A prediction for one window.

    Attributes
    ----------
    start, end : float
        Of the window, in seconds on the clock of the signals.
    emotion : object
        Most probable label; None where nothing is measured.
    probabilities : float64 array of shape (n_classes,)
        In the order of `StreamPredictor.classes_`; NaN where nothing is measured.
    """

    start: float
    end: float
    emotion: object
    probabilities: NDArray[np.float64]


class StreamPredictor:
    """Predict the emotion of every moment live, from samples as they come.

    The answers are those of ``predict_timeline(..., causal=True)`` on the whole recording.

    Parameters
    ----------
    classifier : STF2MClassifier, Pipeline, or any classifier of Views with `predict_proba`
        As of `predict_timeline`. It is not changed.
    window : float
        Seconds that one prediction looks at: the length of the training clips.
    step : float, default=None
        Seconds from one prediction to the next; None: as long as a window.
    rates : mapping of str to float, default=None
        The signals that will come, with their rates in Hz; None: all those that the classifier
        was trained on. A window waits for every one of them.
    starts : mapping of str to float, default=None
        Times of the first samples in seconds; 0 where none is given.
    unlabelled : bool, default=True
        As of `predict_timeline`.
    patience : float, default=600.0
        Seconds by which a signal may stay behind the foremost one. Windows then no longer wait
        for it: what it has not sent counts as not measured. This bounds the memory.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Columns of the probabilities.

    Raises
    ------
    RecordingError
        If a signal is unknown to the classifier, or its rate is another one.
    NotFittedError, TypeError, ValueError
        As of `predict_timeline`.

    Notes
    -----
    A sample that was lost must be pushed as NaN: time is counted in samples. Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.recordings import StreamPredictor
    >>> from stf2m_sk.views import Views
    >>> rng = np.random.default_rng(0)
    >>> clips = Views({"eda": rng.normal(size=(40, 1, 20))}, rates={"eda": 4})
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=8, n_patterns=0, random_state=0)
    >>> clf = clf.fit(clips, ["calm", "tense"] * 20, groups=np.arange(40) // 10)
    >>> stream = StreamPredictor(clf, window=5)
    >>> stream.push("eda", rng.normal(size=16))
    []
    >>> [(result.start, result.end) for result in stream.push("eda", rng.normal(size=30))]
    [(0.0, 5.0), (5.0, 10.0)]
    """

    def __init__(
        self,
        classifier: object,
        window: float,
        step: float | None = None,
        *,
        rates: Mapping[str, float] | None = None,
        starts: Mapping[str, float] | None = None,
        unlabelled: bool = True,
        patience: float = 600.0,
    ) -> None:
        self._window, self._step = check_window(window, step)
        if not patience >= 0:
            raise ValueError(f"patience must be 0 or a positive number of seconds, got {patience}")
        self._patience = patience
        self._reader = reader_of(classifier, unlabelled=unlabelled, causal=True)
        self._schema = expected_schema(classifier)
        self.classes_ = self._reader.classes
        self._signals = self._declared(rates, dict(starts or {}))
        self._start = min(signal.start for signal in self._signals.values())
        self._n_answered = 0
        self._warned: set[str] = set()

    def __repr__(self) -> str:
        signals = ", ".join(map(str, self._schema))
        answered = f"{self._n_answered} windows answered"
        return (
            f"StreamPredictor({self._window:g} s windows, one every {self._step:g} s: {signals}; "
            f"{answered})"
        )

    def push(self, name: str, samples: ArrayLike) -> list[StreamResult]:
        """Take the next samples of one signal.

        Parameters
        ----------
        name : str
            The signal.
        samples : array-like of shape (n_channels, n_samples), or (n_samples,) of one channel
            As many as there are; NaN for lost ones.

        Returns
        -------
        list of StreamResult
            Windows that every signal has now reached the end of, in order; often none.

        Raises
        ------
        RecordingError
            If the signal was not declared, or the samples are not numbers of as many channels
            as before. Nothing is then taken.

        Warns
        -----
        RecordingWarning
            Once for a signal that windows no longer wait for.
        """
        self._buffer(name).append(self._checked(name, samples))
        return self._answers(self._ready())

    def finish(self) -> list[StreamResult]:
        """Answer the last windows, for which some signal has ended too early.

        Returns
        -------
        list of StreamResult
            Those that still lie wholly within the time that any signal has reached; the only
            window of a recording that is shorter than it.
        """
        if not any(signal.n_samples for signal in self._signals.values()):
            return []
        stop = max(signal.stop for signal in self._signals.values() if signal.n_samples)
        n = len(whole_grid(self._start, stop, self._window, self._step))
        return self._answers(max(0, n - self._n_answered))

    # ---- inner steps ----

    def _declared(
        self, rates: Mapping[str, float] | None, starts: dict[str, float]
    ) -> dict[str, Signal]:
        schema = self._schema
        if rates is None:
            rates = {} if schema is None else {m.name: m.rate for m in schema}
            if not rates or None in rates.values():
                raise RecordingError(
                    "the classifier does not say at which rates signals come; give `rates`, a "
                    "mapping of signal to Hz"
                )
        if not rates:
            raise RecordingError("rates names no signal; expected at least one")
        unknown = [name for name in starts if name not in rates]
        if unknown:
            raise RecordingError(f"starts names {unknown}, but the signals are {list(rates)}")
        signals = {}
        for name, rate in rates.items():
            if schema is not None and name not in schema:
                raise RecordingError(
                    f"signal {name!r} is unknown to the classifier, which was trained on "
                    f"{list(schema.names)}"
                )
            n_channels = None if schema is None else schema[name].n_channels
            if schema is not None:
                check_modality(schema, name, rate, n_channels)
            n_window_samples(name, rate, self._window)
            buffer = _Buffer(n_channels)
            signals[name] = Signal(buffer, rate=rate, start=float(starts.get(name, 0.0)))
        return signals

    def _buffer(self, name: str) -> _Buffer:
        if name not in self._signals:
            raise RecordingError(
                f"signal {name!r} was not declared; expected one of {list(self._signals)}"
            )
        return self._signals[name].values

    def _checked(self, name: str, samples: ArrayLike) -> NDArray[np.float32]:
        given = np.asarray(samples)
        values = given[None] if given.ndim == 1 else given
        n_channels = self._buffer(name).n_channels
        if values.ndim != 2 or (n_channels is not None and len(values) != n_channels):
            raise RecordingError(
                f"samples of {name!r} have shape {given.shape}; expected "
                f"({n_channels or 'n_channels'}, n_samples)"
            )
        if values.dtype.kind not in "fiub":
            raise RecordingError(f"samples of {name!r} must be numbers, given {values.dtype}")
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if np.isinf(values).any():
            raise RecordingError(
                f"samples of {name!r} hold infinite values; use NaN for what was not measured"
            )
        return values

    def _ready(self) -> int:
        """How many windows wait for nothing any more."""
        n = 0
        while all(self._has(name, self._n_answered + n) for name in self._signals):
            n += 1
        return n

    def _has(self, name: str, place: int) -> bool:
        signal = self._signals[name]
        last = signal.index(self._start_of(place)) + n_window_samples(
            name, signal.rate, self._window
        )
        if signal.n_samples >= last:
            return True
        foremost = max(other.stop for other in self._signals.values())
        if foremost - signal.stop <= self._patience:
            return False
        if name not in self._warned:
            self._warned.add(name)
            warnings.warn(
                f"signal {name!r} is {foremost - signal.stop:g} s behind: windows no longer wait "
                "for it, and what it has not sent counts as not measured",
                RecordingWarning,
                stacklevel=5,
            )
        return True

    def _start_of(self, place: int) -> float:
        return self._start + self._step * place

    def _answers(self, n: int) -> list[StreamResult]:
        if not n:
            return []
        starts = self._start + self._step * np.arange(self._n_answered, self._n_answered + n)
        signals = {name: s for name, s in self._signals.items() if s.values.n_channels is not None}
        probabilities = answer_all(self._reader, Clips(signals, starts, self._window))
        self._n_answered += n
        for signal in self._signals.values():
            signal.values.drop_before(signal.index(self._start_of(self._n_answered)))
        return [
            StreamResult(start, start + self._window, self._label(row), row)
            for start, row in zip(starts.tolist(), probabilities, strict=True)
        ]

    def _label(self, probabilities: NDArray[np.float64]) -> object:
        return None if np.isnan(probabilities).any() else self.classes_[probabilities.argmax()]


class _Buffer:
    """The latest samples of a signal, as lazy values of all that it has sent."""

    dtype = np.dtype(np.float32)

    def __init__(self, n_channels: int | None) -> None:
        self.n_channels = n_channels
        self._parts: deque[NDArray[np.float32]] = deque()
        self._first, self._last = 0, 0  # samples that are held

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_channels or 0, self._last

    def append(self, samples: NDArray[np.float32]) -> None:
        self.n_channels = len(samples)
        if samples.shape[1]:
            self._parts.append(samples)
        self._last += samples.shape[1]

    def drop_before(self, first: int) -> None:
        while self._parts and self._first + self._parts[0].shape[1] <= first:
            self._first += self._parts.popleft().shape[1]

    def __getitem__(self, key: tuple) -> NDArray[np.float32]:
        start, stop, _ = key[-1].indices(self._last)
        if start < self._first and start < stop:
            raise IndexError(f"samples before {self._first} are no longer held, asked for {start}")
        found, place = [np.empty((self.n_channels or 0, 0), dtype=self.dtype)], self._first
        for part in self._parts:
            found.append(part[:, max(0, start - place) : max(0, stop - place)])
            place += part.shape[1]
        return np.concatenate(found, axis=1)

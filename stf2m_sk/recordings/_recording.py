"""One recording: the signals of a person over a stretch of time, and what was annotated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from stf2m_sk.recordings import _check, _display
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._labels import checked_annotations
from stf2m_sk.recordings._resampling import resampled
from stf2m_sk.recordings._signal import Signal

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False, repr=False)
class Recording:
    """Named signals of one person on a common clock.

    Values stay where they are, in a file or in memory, until clips are cut from them.

    Parameters
    ----------
    signals : mapping of str to Signal
        At least one; each with its own rate and start.
    annotations : DataFrame, default=None
        Columns `start` and `end` (seconds on the signals' clock) and `label`; more are kept.
        Ratings may have the columns `valence` and `arousal` in place of `label`.
    person : str, default=""
        Who was recorded.
    name : str, default=""
        Name of the recording, such as that of its file.

    Raises
    ------
    RecordingError
        If there is no signal, something is not of its type, or an annotation has no times or
        ends before it starts.

    See Also
    --------
    stf2m_sk.recordings.cut : Clips of a fixed length.
    stf2m_sk.recordings.predict_timeline : A prediction for every moment.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Recording, Signal
    >>> eda, hr = Signal(np.zeros((1, 40)), rate=4), Signal(np.zeros((1, 8)), rate=1, start=2)
    >>> recording = Recording({"eda": eda, "hr": hr}, person="S01", name="visit 1")
    >>> recording
    Recording('visit 1' of S01, 0 s to 10 s, not annotated: eda 1x40 @ 4 Hz, hr 1x8 @ 1 Hz)
    >>> recording.slice(4, 6)["hr"].n_samples
    2
    """

    signals: Mapping[str, Signal]
    annotations: pd.DataFrame | None = field(default=None)
    person: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        for attribute in ("person", "name"):
            if not isinstance(getattr(self, attribute), str):
                raise RecordingError(
                    f"{attribute} of a recording must be a str, given {getattr(self, attribute)!r}"
                )
        _check_signals(self.signals, self.title)
        object.__setattr__(self, "signals", dict(self.signals))
        if self.annotations is not None:
            table = checked_annotations(self.annotations, f"annotations of {self.title}")
            object.__setattr__(self, "annotations", table)

    @property
    def title(self) -> str:
        """What messages call this recording."""
        name = f"recording {self.name!r}" if self.name else "the recording"
        return f"{name} of {self.person}" if self.person not in ("", self.name) else name

    @property
    def start(self) -> float:
        """Time of the first sample of any signal."""
        return min(signal.start for signal in self._filled())

    @property
    def stop(self) -> float:
        """Time at which the last sample of any signal ends."""
        return max(signal.stop for signal in self._filled())

    @property
    def duration(self) -> float:
        """Seconds from start to stop."""
        return self.stop - self.start

    def __getitem__(self, name: str) -> Signal:
        self._check_names([name])
        return self.signals[name]

    def with_signals(self, signals: Mapping[str, Signal]) -> Recording:
        """The same recording with other signals.

        Parameters
        ----------
        signals : dict of str to Signal
            Signals by name.

        Returns
        -------
        Recording
            A new one.
        """
        return replace(self, signals=dict(signals))

    def select(self, *names: str) -> Recording:
        """The same recording with some of its signals, in the order given.

        Parameters
        ----------
        *names : str
            Names of signals.

        Returns
        -------
        Recording
            A new one.

        Raises
        ------
        KeyError
            If there is no such signal.
        """
        self._check_names(names)
        return self.with_signals({name: self.signals[name] for name in names})

    def slice(self, start: float, stop: float) -> Recording:
        """The part from `start` to before `stop`.

        Parameters
        ----------
        start, stop : float
            In seconds on the signals' clock.

        Returns
        -------
        Recording
            Lazy values stay lazy. A signal that does not reach into the part has no samples;
            annotations are clipped to it.

        Raises
        ------
        RecordingError
            If no signal has a sample there.
        """
        signals = {name: signal.slice(start, stop) for name, signal in self.signals.items()}
        if not any(signal.n_samples for signal in signals.values()):
            raise RecordingError(
                f"{self.title} has no sample from {start:.12g} s to {stop:.12g} s; it goes from "
                f"{self.start:.12g} s to {self.stop:.12g} s"
            )
        table = self.annotations
        if table is not None:
            table = table[(table["end"] >= start) & (table["start"] < stop)]
            table = table.assign(
                start=table["start"].clip(start), end=table["end"].clip(upper=stop)
            )
        return replace(self, signals=signals, annotations=table)

    def join(self, other: Recording) -> Recording:
        """The signals of two recordings of the same person and clock together.

        Parameters
        ----------
        other : Recording
            Such as the video beside a wearable. Shift its signals first if its clock starts
            elsewhere: ``replace(signal, start=signal.start + seconds)``.

        Returns
        -------
        Recording
            With the annotations of both and the name of this one.

        Raises
        ------
        RecordingError
            If both have a signal of the same name, they are of different people, or they do not
            overlap in time, which tells of different clocks.
        """
        same = [name for name in self.signals if name in other.signals]
        if same:
            raise RecordingError(
                f"{self.title} and {other.title} both have signals {same}; leave them out of one "
                "with select, or rename them with with_signals"
            )
        if self.person and other.person and self.person != other.person:
            raise RecordingError(
                f"{self.title} and {other.title} are of different people; only recordings of one "
                "person can be joined"
            )
        if self.stop <= other.start or other.stop <= self.start:
            raise RecordingError(
                f"{self.title} ({self.start:.12g} s to {self.stop:.12g} s) and {other.title} "
                f"({other.start:.12g} s to {other.stop:.12g} s) do not overlap; expected one "
                "clock: shift the start of one recording's signals"
            )
        tables = [part.annotations for part in (self, other) if part.annotations is not None]
        return Recording(
            signals={**self.signals, **other.signals},
            annotations=pd.concat(tables, ignore_index=True) if tables else None,
            person=self.person or other.person,
            name=self.name or other.name,
        )

    def resample(self, name: str, rate: float) -> Recording:
        """The same recording with one signal at another rate.

        Parameters
        ----------
        name : str
            The signal. All of it is read.
        rate : float
            Samples a second.

        Returns
        -------
        Recording
            Values are float32. Each stretch without NaN is filtered and resampled by itself
            (`scipy.signal.resample_poly`, less the line through its ends); gaps stay NaN.

        Raises
        ------
        KeyError
            If there is no such signal.
        RecordingError
            If its values are not channels of numbers.
        ValueError
            If `rate` is not a positive number.
        """
        signal = self[name]
        if not signal.is_numeric:
            raise RecordingError(_display.not_numeric(self.title, name, signal))
        return self.with_signals({**self.signals, name: resampled(signal, rate)})

    def check(self, reference: object = None) -> pd.DataFrame:
        """Look for what would give plausible but wrong predictions.

        Parameters
        ----------
        reference : Bunch of `cut`, fitted STF2MClassifier, or DataFrame, default=None
            What to compare the signals' levels with: training clips, a classifier's scaling, or
            the `levels` of a Bunch. None: levels are not compared.

        Returns
        -------
        DataFrame with columns signal, place, finding, expectation
            A row for each finding, none where all is as expected:

            - more channels than samples, and no names for them: the axes look swapped;
            - nothing measured, or one value all the time;
            - at its largest or smallest value for 5 s and a twentieth of the time on end;
            - longer or shorter than all the other signals: the rate does not fit;
            - a level (root mean square) 30 times above or below the reference: another unit;
            - annotations outside of the recording: another clock.

        Raises
        ------
        TypeError
            If `reference` is none of these.

        Notes
        -----
        All values are read, piece by piece. The limits are ours.
        """
        return _check.findings(self, reference)

    def plot(self, ax=None, signals=None):
        """Draw the signals over time, with the annotations as coloured bands.

        Parameters
        ----------
        ax : sequence of matplotlib Axes, default=None
            One for each signal; by default a new figure with a row for each.
        signals : sequence of str, default=None
            Which signals, in order. By default all whose values are channels of numbers: video
            and words are not drawn.

        Returns
        -------
        array of matplotlib Axes
            One for each signal. Of long signals the smallest and largest value of each pixel
            are drawn. More than eight channels, such as those of a spectrogram, are rows of grey
            levels, the first at the bottom, each dark where it is large.

        Raises
        ------
        KeyError
            If there is no such signal.
        RecordingError
            If a signal, or every signal, is not of numbers.
        ValueError
            If there is not one Axes for each signal.
        """
        if signals is not None:
            self._check_names(signals)
        return _display.plot_recording(self, ax, signals)

    def __repr__(self) -> str:
        return _display.summary(self)

    def _repr_html_(self) -> str:
        return _display.html_table(self)

    def _filled(self) -> list[Signal]:
        """Signals with samples; all where none has."""
        signals = list(self.signals.values())
        return [signal for signal in signals if signal.n_samples] or signals

    def _check_names(self, names) -> None:
        for name in names:
            if name not in self.signals:
                raise KeyError(f"{self.title} has no signal {name!r}; it has {list(self.signals)}")


def _check_signals(signals: Mapping[str, Signal], title: str) -> None:
    if not isinstance(signals, Mapping):
        raise RecordingError(
            f"{title}: signals must be a mapping of name to Signal, given {type(signals).__name__}"
        )
    if not signals:
        raise RecordingError(f"{title} has no signal; expected at least one")
    for name, signal in signals.items():
        if not isinstance(name, str) or not name:
            raise RecordingError(f"{title}: signals are named by str, given {name!r}")
        if not isinstance(signal, Signal):
            raise RecordingError(
                f"{title}: signal {name!r} must be a Signal, given {type(signal).__name__}; "
                "make it with Signal(values, rate=...)"
            )

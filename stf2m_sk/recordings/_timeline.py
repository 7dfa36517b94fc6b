"""Probabilities over the time of a recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings import _display
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._labels import checked_annotations
from stf2m_sk.recordings._subtitle_export import Cue, elan, srt, webvtt

__all__ = ["Timeline"]

_SLACK = 1e-6  # seconds: times since 1970 are stored to 2e-7 s


@dataclass(frozen=True, eq=False)
class Timeline:
    """Probabilities of emotions over time, as `predict_timeline` gives them.

    Parameters
    ----------
    start, end : float64 array of shape (n_windows,)
        Of each window, in seconds on the recording's clock; in order.
    probabilities : float64 array of shape (n_windows, n_classes)
        Rows sum to 1; NaN where nothing is measured.
    classes : array of shape (n_classes,)
        Columns of `probabilities`.
    origin : float, default=0.0
        Start of the recording: time 0 of subtitles and figures.
    name, person : str, default=""
        Of the recording.
    causal : bool, default=False
        Whether windows know those before them only; `smoothed` then keeps to that.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Timeline
    >>> timeline = Timeline(
    ...     start=np.array([0.0, 5.0, 10.0]),
    ...     end=np.array([5.0, 10.0, 15.0]),
    ...     probabilities=np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]),
    ...     classes=np.array(["calm", "joy"]),
    ... )
    >>> timeline.labels.tolist()
    ['calm', 'calm', 'joy']
    >>> timeline.episodes()
       start   end emotion  certainty
    0    0.0  10.0    calm        0.8
    1   10.0  15.0     joy        0.8
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    classes: NDArray
    origin: float = 0.0
    name: str = ""
    person: str = ""
    causal: bool = False

    @property
    def labels(self) -> NDArray:
        """Most probable label of each window, (n_windows,) of objects; None if not measured."""
        found = np.full(len(self), None, dtype=object)
        measured = self._measured()
        found[measured] = self.classes[self.probabilities[measured].argmax(axis=1)]
        return found

    @property
    def certainty(self) -> NDArray[np.float64]:
        """Probability of the most probable label, (n_windows,); NaN if not measured."""
        return self.probabilities.max(axis=1)

    def __len__(self) -> int:
        return len(self.start)

    def spans(self) -> NDArray[np.float64]:
        """The time that each window speaks for.

        Returns
        -------
        float64 array of shape (n_windows, 2)
            Around its middle, as long as the step, so that windows that overlap share the time
            out; the first and the last reach to their ends. Windows with gaps between them speak
            for themselves.
        """
        if len(self) == 1:
            return np.stack([self.start, self.end], axis=1)
        middle = (self.start + self.end) / 2
        between = (middle[1:] + middle[:-1]) / 2
        begin = np.maximum(np.concatenate([self.start[:1], between]), self.start)
        end = np.minimum(np.concatenate([between, self.end[-1:]]), self.end)
        return np.stack([begin, end], axis=1)

    def smoothed(self, seconds: float) -> Timeline:
        """Average probabilities over time.

        Parameters
        ----------
        seconds : float
            Length of the stretch that is averaged: windows whose middle is at most half of it
            away. In a causal timeline: windows whose middle is less than all of it earlier. 0
            changes nothing.

        Returns
        -------
        Timeline
            Windows in which nothing is measured do not count, and stay NaN.

        Raises
        ------
        ValueError
            If `seconds` is negative or not finite.
        """
        if not (np.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds must be 0 or a positive number, got {seconds}")
        if seconds == 0:
            return self
        middle = (self.start + self.end) / 2
        if self.causal:
            first = np.searchsorted(middle, middle - seconds + _SLACK, side="left")
            first = np.minimum(first, np.arange(len(self)))
            last = np.arange(1, len(self) + 1)
        else:
            first = np.searchsorted(middle, middle - seconds / 2 - _SLACK, side="left")
            last = np.searchsorted(middle, middle + seconds / 2 + _SLACK, side="right")
        measured = self._measured()
        known = np.where(measured[:, None], self.probabilities, 0.0)
        sums = np.concatenate([np.zeros((1, known.shape[1])), known.cumsum(axis=0)])
        counts = np.concatenate([[0], measured.cumsum()])
        mean = (sums[last] - sums[first]) / np.maximum(counts[last] - counts[first], 1)[:, None]
        mean = mean / np.where(measured, mean.sum(axis=1), 1.0)[:, None]  # rounding of the sums
        return replace(self, probabilities=np.where(measured[:, None], mean, np.nan))

    def episodes(self, min_duration: float = 0.0) -> pd.DataFrame:
        """Stretches of one emotion.

        Parameters
        ----------
        min_duration : float, default=0.0
            Shorter episodes, in seconds, are left out. `smoothed` makes fewer of them.

        Returns
        -------
        DataFrame with columns start, end, emotion, certainty
            In the order of time, on the recording's clock. `certainty` is the mean probability
            of the emotion. Time in which nothing is measured belongs to no episode.
        """
        spans, labels = self.spans(), self.labels
        rows = []
        for first, last in _runs(labels, spans):
            label = labels[first]
            certainty = float(self.probabilities[first:last, self._column(label)].mean())
            rows.append((float(spans[first, 0]), float(spans[last - 1, 1]), label, certainty))
        rows = [row for row in rows if row[1] - row[0] >= min_duration]
        table = pd.DataFrame(rows, columns=["start", "end", "emotion", "certainty"])
        return table.astype({"start": float, "end": float, "certainty": float})

    def to_frame(self) -> pd.DataFrame:
        """All windows as a table.

        Returns
        -------
        DataFrame
            The columns start, end, emotion, certainty, and ``p_<label>`` for each class.
        """
        fixed = {
            "start": self.start,
            "end": self.end,
            "emotion": self.labels,
            "certainty": self.certainty,
        }
        columns = {f"p_{label}": self.probabilities[:, i] for i, label in enumerate(self.classes)}
        return pd.DataFrame(fixed | columns)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Write the table of `to_frame`.

        Parameters
        ----------
        path : str or Path, default=None
            File to write; None for none.

        Returns
        -------
        str
            What was written.
        """
        return _written(self.to_frame().to_csv(index=False), path)

    def to_webvtt(
        self,
        path: str | Path | None = None,
        *,
        min_duration: float = 0.0,
        origin: float | None = None,
    ) -> str:
        """Write the episodes as WebVTT subtitles, such as "joy 87 %".

        Parameters
        ----------
        path : str or Path, default=None
            File to write; None for none.
        min_duration : float, default=0.0
            As of `episodes`.
        origin : float, default=None
            Time on the recording's clock that is 0 in the file, such as the start of the video;
            None for the start of the recording.

        Returns
        -------
        str
            What was written.
        """
        return _written(webvtt(self._cues(min_duration, origin)), path)

    def to_srt(
        self,
        path: str | Path | None = None,
        *,
        min_duration: float = 0.0,
        origin: float | None = None,
    ) -> str:
        """Write the episodes as SRT subtitles, such as "joy 87 %".

        Parameters
        ----------
        path, min_duration, origin : as of `to_webvtt`
            Where to write, and which episodes.

        Returns
        -------
        str
            What was written.
        """
        return _written(srt(self._cues(min_duration, origin)), path)

    def to_elan(
        self,
        path: str | Path | None = None,
        *,
        min_duration: float = 0.0,
        origin: float | None = None,
        media: str | Path = "",
    ) -> str:
        """Write the episodes as an ELAN file (EAF 3.0) with tiers "emotion" and "certainty".

        Parameters
        ----------
        path : str or Path, default=None
            File to write, ending in .eaf; None for none.
        min_duration, origin : float
            As of `to_webvtt`.
        media : str or Path, default=""
            The video or sound that ELAN opens beside it.

        Returns
        -------
        str
            What was written.
        """
        cues = self._episode_cues(min_duration, origin)
        tiers = {
            "emotion": [Cue(start, end, str(label)) for start, end, label, _ in cues],
            "certainty": [Cue(start, end, f"{sure:.2f}") for start, end, _, sure in cues],
        }
        return _written(elan(tiers, str(media)), path)

    def plot(self, annotations: pd.DataFrame | None = None, ax=None):
        """Draw the probabilities over time, a row for each class.

        Parameters
        ----------
        annotations : DataFrame, default=None
            Columns start, end and label, such as those of the recording. Annotated time of a
            class is shaded, and its probability there is dark, elsewhere light.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        matplotlib Axes
            Its `figure` is the whole figure.

        Raises
        ------
        RecordingError
            If `annotations` have no times or no labels.
        """
        if annotations is not None:
            annotations = checked_annotations(annotations, "annotations")
            if "label" not in annotations.columns:
                raise RecordingError("annotations have no column 'label' to draw")
        return _display.plot_timeline(self, annotations, ax)

    def __repr__(self) -> str:
        n_missing = int((~self._measured()).sum())
        missing = f", {n_missing} not measured" if n_missing else ""
        who = " of ".join(dict.fromkeys(filter(None, (self.name, self.person))))
        classes = ", ".join(map(str, self.classes.tolist()))
        return (
            f"Timeline({f'{who}: ' if who else ''}{len(self)} windows, {self.start[0]:.12g} s to "
            f"{self.end[-1]:.12g} s{missing}; {classes})"
        )

    def _repr_html_(self) -> str:
        return _display.html_episodes(self)

    # ---- inner steps ----

    def _measured(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.probabilities).any(axis=1)

    def _column(self, label: object) -> int:
        return self.classes.tolist().index(label)

    def _episode_cues(
        self, min_duration: float, origin: float | None
    ) -> list[tuple[float, float, object, float]]:
        zero = self.origin if origin is None else origin
        return [
            (row.start - zero, row.end - zero, row.emotion, row.certainty)
            for row in self.episodes(min_duration).itertuples()
        ]

    def _cues(self, min_duration: float, origin: float | None) -> list[Cue]:
        return [
            Cue(start, end, f"{label} {sure:.0%}".replace("%", " %"))
            for start, end, label, sure in self._episode_cues(min_duration, origin)
        ]


def _runs(labels: NDArray, spans: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First and past-the-last window of each stretch of one label without a gap."""
    runs: list[tuple[int, int]] = []
    for i, label in enumerate(labels):
        if label is None:
            continue
        goes_on = runs and labels[i - 1] == label and spans[i, 0] <= spans[i - 1, 1] + _SLACK
        if goes_on:
            runs[-1] = runs[-1][0], i + 1
        else:
            runs.append((i, i + 1))
    return runs


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    return text

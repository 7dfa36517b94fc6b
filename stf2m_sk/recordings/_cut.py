"""Recordings to clips: an index table first, then the values, window by window."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch

from stf2m_sk.recordings._check import Statistics, findings, in_words, levels, statistics
from stf2m_sk.recordings._cut_input import (
    check_numbers,
    checked_recordings,
    common_signals,
    own_tables,
)
from stf2m_sk.recordings._errors import RecordingError, RecordingWarning
from stf2m_sk.recordings._labels import (
    LabelRule,
    Layout,
    is_missing,
    label_array,
    label_rule,
    lay_out,
)
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._windows import (
    check_window,
    grid,
    measured_share,
    n_window_samples,
    read_window,
    whole_grid,
)
from stf2m_sk.views import Views

__all__ = ["cut"]


_MOST_NAMED = 5  # recordings that a warning spells out


class Window(NamedTuple):
    """One row of the index: place of the recording, start in seconds, label or None."""

    recording: int
    start: float
    label: object


def cut(
    recordings: Recording | Sequence[Recording],
    annotations: pd.DataFrame | None = None,
    *,
    window: float,
    step: float | None = None,
    trim: float = 0.0,
    lag: float = 0.0,
    label: str | LabelRule | None = "majority",
    min_measured: float = 0.5,
) -> Bunch:
    """Cut recordings into clips of one length, with the label, person and time of each.

    Windows are laid over *annotated time*: from the start of every stretch of annotations
    without a gap, step by step, wholly inside it. Without any annotation, and with
    ``label=None``, they are laid over the whole of each recording and have no labels.

    Parameters
    ----------
    recordings : Recording or sequence of Recording
        All signals must be channels of numbers: see `stf2m_sk.recordings.extract` for sound,
        video and words. A signal that a recording lacks is NaN in its clips.
    annotations : DataFrame, default=None
        Columns `start`, `end` (seconds on the clock of the recordings) and `label`, in any
        order of rows. With a column `person` or `recording` each row is for the recordings of
        that person or name, else for all. By default each recording's own annotations.
    window : float
        Length of a clip in seconds.
    step : float, default=None
        Seconds from the start of a clip to that of the next; None: as long as a clip.
    trim : float, default=0.0
        Seconds left out at both ends of each stretch of one label, where emotions begin and
        fade. Above 0 no clip holds two labels.
    lag : float, default=0.0
        Seconds by which the rater is late: an annotation at t describes the signals at t - lag.
        In the literature 1 to 6 s.
    label : {"majority", "midpoint", "quadrant"}, callable or None, default="majority"
        Label of a clip in which annotations change: the one of most of it; the one at its middle;
        or the quadrant of mean `valence` and `arousal` about 0 (other midpoints:
        `stf2m_sk.recordings.quadrant`). A callable gets a DataFrame, the annotations in the clip
        with `start` and `end` clipped to it and all other columns, and returns a label, or None
        to leave the clip out. None: no labels.
    min_measured : float, default=0.5
        Least share of a clip that must be measured: the share of values that are not NaN, averaged
        over the signals that its recording has. A clip in which nothing is measured is always left
        out.

    Returns
    -------
    Bunch
        With the attributes

        views : Views of n_clips
            float32, with rates and channel names. Each signal at its own rate:
            ``round(window * rate)`` samples from the first at or after the start of the clip;
            NaN in gaps and beyond the ends of the signal.
        target : array of shape (n_clips,) or None
            Labels; None where there are none.
        target_names : array or None
            The different labels, sorted.
        groups : array of str of shape (n_clips,)
            Person of each clip; the recording's name where it says no person.
        contexts : array of str of shape (n_clips,)
            Name of the recording.
        times : float64 array of shape (n_clips, 2)
            Start and end in seconds on the recording's clock.
        index : DataFrame
            The columns recording, person, start, end, measured, and label where there are labels.
        n_dropped : dict
            Windows that were left out: ``"not annotated"`` (they would fit in the time without
            annotation, trimmed ends included), ``"no label"`` (the rule gave none) and
            ``"not measured"``.
        levels : DataFrame
            Root mean square of every channel of every recording, for `Recording.check`.

        Clips are in the order of the recordings, and of time in each.

    Raises
    ------
    RecordingError
        If two annotations of a recording overlap, a time is not a number, or a column is missing;
        if a signal is not of numbers, or differs between recordings in rate or channels; if
        recordings cannot be told apart; if no clip is left.
    TypeError
        If `recordings` are no recordings.
    ValueError
        If a number is out of its range.

    Warns
    -----
    RecordingWarning
        If `Recording.check` finds something; if a recording has no annotation, or annotations no
        recording; if clips are left out because little is measured.

    Notes
    -----
    Rows that touch (up to a millisecond) make one stretch, of whatever labels, unless `trim`
    parts them. Source: ours; the index table is the idea of braindecode's windowers.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from stf2m_sk.recordings import Recording, Signal
    >>> from stf2m_sk.recordings import cut
    >>> eda = Signal(np.sin(np.arange(480))[None], rate=4, unit="uS")
    >>> phases = pd.DataFrame({"start": [0, 60], "end": [60, 120], "label": ["calm", "tense"]})
    >>> clips = cut(Recording({"eda": eda}, phases, person="S01"), window=20, trim=5)
    >>> clips.views
    Views(4 clips: eda 1x80 @ 4 Hz; all measured)
    >>> clips.target.tolist(), clips.times[:, 0].tolist()
    (['calm', 'calm', 'tense', 'tense'], [5.0, 25.0, 65.0, 85.0])
    """
    recordings = checked_recordings(recordings)
    window, step = check_window(window, step)
    check_numbers(trim=trim, min_measured=min_measured, lag=lag)
    signals = common_signals(recordings, window)
    if label is None and annotations is not None:
        raise ValueError("label=None asks for clips without labels, but annotations are given")
    tables = [None] * len(recordings) if label is None else own_tables(recordings, annotations)
    known = [statistics(recording) for recording in recordings]
    warn = [*_other_units(recordings), *_what_looks_wrong(recordings, known)]
    if all(table is None for table in tables):
        windows, n_dropped = _whole(recordings, window, step), {}
    else:
        layouts = _layouts(recordings, tables, trim, lag)
        warn += _without_annotation(recordings, layouts, window)
        windows, n_dropped = _labelled(recordings, layouts, window, step, label)
    for message in warn:  # before reading may fail: they may say why
        warnings.warn(message, RecordingWarning, stacklevel=2)
    windows, arrays = _read(recordings, signals, windows, window, min_measured, n_dropped)
    if n_dropped["not measured"]:
        message = (
            f"{n_dropped['not measured']} window(s) are left out: less than {min_measured:.0%} of "
            "the values of the signals is measured there"
        )
        warnings.warn(message, RecordingWarning, stacklevel=2)
    return _bunch(recordings, signals, windows, arrays, n_dropped, known, window)


# ---- where the windows lie ----


def _layouts(
    recordings: list[Recording], tables: list[pd.DataFrame | None], trim: float, lag: float
) -> list[Layout | None]:
    """All annotations on their clocks, so that an error comes before anything is read."""
    return [
        None
        if table is None
        else lay_out(
            table,
            f"annotations of {recording.title}",
            trim=trim,
            lag=lag,
            span=(recording.start, recording.stop),
        )
        for recording, table in zip(recordings, tables, strict=True)
    ]


def _whole(recordings: list[Recording], window: float, step: float) -> list[Window]:
    """Windows over the whole of each recording; one of its own length where it is shorter."""
    return [
        Window(i, start, None)
        for i, recording in enumerate(recordings)
        for start in whole_grid(recording.start, recording.stop, window, step).tolist()
    ]


def _labelled(
    recordings: list[Recording],
    layouts: list[Layout | None],
    window: float,
    step: float,
    label: str | LabelRule,
) -> tuple[list[Window], dict[str, int]]:
    """Windows over annotated time, and how many there are elsewhere."""
    windows, n_dropped = [], {"not annotated": 0, "no label": 0}
    for i, (recording, layout) in enumerate(zip(recordings, layouts, strict=True)):
        runs = np.empty((0, 2)) if layout is None else layout.runs
        gaps = zip([recording.start, *runs[:, 1]], [*runs[:, 0], recording.stop], strict=True)
        n_dropped["not annotated"] += sum(len(grid(*gap, window, step)) for gap in gaps)
        if layout is None:
            continue
        rule = label_rule(label, layout.rows, f"annotations of {recording.title}")
        for start in (t for run in runs for t in grid(*run, window, step).tolist()):
            found = rule(layout.within(start, start + window))
            if is_missing(found):
                n_dropped["no label"] += 1
            else:
                windows.append(Window(i, start, found))
    return windows, n_dropped


# ---- values ----


def _read(
    recordings: list[Recording],
    signals: dict[str, Signal],
    windows: list[Window],
    window: float,
    min_measured: float,
    n_dropped: dict[str, int],
) -> tuple[list[tuple[Window, float]], dict[str, NDArray[np.float32]]]:
    """The windows that are measured, each with its share of measured values; and all values."""
    arrays = {
        name: np.full(
            (len(windows), signal.n_channels, n_window_samples(name, signal.rate, window)),
            np.nan,
            dtype=np.float32,
        )
        for name, signal in signals.items()
    }
    kept: list[tuple[Window, float]] = []
    for candidate in windows:
        values = read_window(recordings[candidate.recording].signals, candidate.start, window)
        share = measured_share(values)
        if share == 0 or share < min_measured:
            continue
        for name, value in values.items():
            arrays[name][len(kept)] = value
        kept.append((candidate, share))
    n_dropped["not measured"] = len(windows) - len(kept)
    if not kept:
        raise RecordingError(
            f"no clip of {window:g} s is left: {len(windows)} window(s) fit into annotated time, "
            f"or the recordings; {n_dropped['not measured']} of them are measured too little. "
            "Are the annotations on the clock of the recordings, and long enough after trim?"
        )
    return kept, {name: array[: len(kept)] for name, array in arrays.items()}


def _bunch(
    recordings: list[Recording],
    signals: dict[str, Signal],
    windows: list[tuple[Window, float]],
    arrays: dict[str, NDArray[np.float32]],
    n_dropped: dict[str, int],
    known: list[Statistics],
    length: float,
) -> Bunch:
    of = [recordings[candidate.recording] for candidate, _ in windows]
    starts = np.array([candidate.start for candidate, _ in windows])
    index = pd.DataFrame(
        {
            "recording": [recording.name for recording in of],
            "person": [recording.person or recording.name for recording in of],
            "start": starts,
            "end": starts + length,
            "measured": [share for _, share in windows],
        }
    )
    target = None
    if windows[0][0].label is not None:
        index["label"] = [candidate.label for candidate, _ in windows]
        target = label_array(index["label"].tolist())
    return Bunch(
        views=Views(
            arrays,
            rates={name: signal.rate for name, signal in signals.items()},
            channel_names={name: s.channels for name, s in signals.items() if s.channels},
        ),
        target=target,
        target_names=None if target is None else np.unique(target),
        groups=index["person"].to_numpy(dtype=str),
        contexts=index["recording"].to_numpy(dtype=str),
        times=index[["start", "end"]].to_numpy(),
        index=index,
        n_dropped=n_dropped,
        levels=_all_levels(recordings, known),
    )


# ---- what looks wrong ----


def _other_units(recordings: list[Recording]) -> list[str]:
    units: dict[str, dict[str, str]] = {}
    for recording in recordings:
        for name, signal in recording.signals.items():
            if signal.unit:
                units.setdefault(name, {}).setdefault(signal.unit, recording.title)
    return [
        f"signal {name!r} has different units: "
        + ", ".join(f"{unit!r} in {title}" for unit, title in own.items())
        + "; expected one unit"
        for name, own in units.items()
        if len(own) > 1
    ]


def _what_looks_wrong(recordings: list[Recording], known: list[Statistics]) -> list[str]:
    """Findings of each recording, its levels compared with the usual ones of them all."""
    usual = None
    if len(recordings) > 2:
        table = _all_levels(recordings, known)
        usual = table.groupby(["signal", "channel"], as_index=False)["level"].median()
    said = [
        (recording.title, in_words(findings(recording, usual, own)))
        for recording, own in zip(recordings, known, strict=True)
    ]
    wrong = [f"{title}: {text}" for title, text in said if text]
    more = (
        f"\n... and {len(wrong) - _MOST_NAMED} more recordings" if len(wrong) > _MOST_NAMED else ""
    )
    return ["\n".join(wrong[:_MOST_NAMED]) + more] if wrong else []


def _all_levels(recordings: list[Recording], known: list[Statistics]) -> pd.DataFrame:
    tables = [
        levels(own).assign(recording=recording.name)
        for recording, own in zip(recordings, known, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _without_annotation(
    recordings: list[Recording], layouts: list[Layout | None], window: float
) -> list[str]:
    messages = []
    none = [
        recording.title
        for recording, layout in zip(recordings, layouts, strict=True)
        if layout is None or not len(layout.runs)
    ]
    if none:
        messages.append(
            f"{len(none)} of {len(recordings)} recordings have no annotation within them and give "
            f"no clip: {', '.join(none[:_MOST_NAMED])}{', ...' if len(none) > _MOST_NAMED else ''}"
        )
    runs = np.concatenate([layout.runs for layout in layouts if layout is not None])
    n_short = sum(not len(grid(*run, window, window)) for run in runs)
    if n_short:
        messages.append(
            f"{n_short} of {len(runs)} annotated stretches are shorter than the window of "
            f"{window:g} s (after trim) and give no clip"
        )
    return messages

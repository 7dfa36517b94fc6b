"""What would give plausible but wrong predictions: looked for before anything is cut."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._signal import Signal

__all__ = [
    "FINDING_COLUMNS",
    "Channel",
    "Statistics",
    "findings",
    "in_words",
    "levels",
    "reference_levels",
    "statistics",
]

FINDING_COLUMNS = ["signal", "place", "finding", "expectation"]

# All limits are ours.
_LEVEL_FACTOR = 30.0  # people's levels differ less; mV for V or g for mg is 1,000
_LONG_RUN = 0.05  # of the measured samples, on end at the largest or smallest value
_FEWEST_IN_RUN = 20  # samples: a slow signal repeats values by chance
_SHORTEST_RUN = 5.0  # seconds: recorded speech has half a second of digital silence
_OFF_RATE = 0.05  # of the usual duration; 1,024 for 1,000 Hz is half of it
_SLOWEST_RATE = 1.0  # Hz, above which a rate can be a wrong one


class Channel(NamedTuple):
    """What one pass over a channel's values tells."""

    n: int
    square: float
    low: float
    high: float

    @property
    def level(self) -> float:
        """Root mean square."""
        return float(np.sqrt(self.square / self.n)) if self.n else np.nan

    @property
    def is_constant(self) -> bool:
        """Whether there are values and all are alike."""
        return self.n > 1 and self.low == self.high


Statistics = dict[str, list[Channel]]


def statistics(recording) -> Statistics:
    """Sums over all values of a recording's numeric signals, read piece by piece.

    Parameters
    ----------
    recording : Recording
        Signals with more channels than samples, without names, are left out: their axes look
        swapped.

    Returns
    -------
    dict of str to list of Channel
        By signal, one for each channel.
    """
    return {
        name: _channels(signal)
        for name, signal in recording.signals.items()
        if signal.is_numeric and not _looks_swapped(signal)
    }


def findings(recording, reference: object = None, known: Statistics | None = None) -> pd.DataFrame:
    """A table of what looks wrong in a recording.

    Parameters
    ----------
    recording : Recording
        All of its numeric signals are read.
    reference : object, default=None
        As of `reference_levels`.
    known : dict, default=None
        `statistics` of the recording, where they are known.

    Returns
    -------
    DataFrame with columns signal, place, finding, expectation
    """
    expected = None if reference is None else reference_levels(reference)
    known = statistics(recording) if known is None else known
    rows = [*_other_durations(recording), *_annotations_outside(recording)]
    for name, signal in recording.signals.items():
        if name not in known:
            rows += [_swapped(name, signal)] if signal.is_numeric else []
            continue
        rows += _values(name, signal, known[name])
        if expected is not None:
            rows += _other_levels(name, signal, known[name], expected)
    return pd.DataFrame(rows, columns=FINDING_COLUMNS)


def levels(known: Statistics) -> pd.DataFrame:
    """The level of every channel.

    Parameters
    ----------
    known : dict
        `statistics` of a recording.

    Returns
    -------
    DataFrame with columns signal, channel, level
        Root mean square of the measured values; channels are numbered from 0.
    """
    rows = [(name, i, c.level) for name, own in known.items() for i, c in enumerate(own)]
    return pd.DataFrame(rows, columns=["signal", "channel", "level"])


def in_words(table: pd.DataFrame, most: int = 3) -> str:
    """Findings for a message; empty text where there are none.

    Parameters
    ----------
    table : DataFrame
        Of `findings`.
    most : int, default=3
        Findings that are spelled out.

    Returns
    -------
    str
    """
    said = [
        f"{f'signal {row.signal!r}, ' if row.signal else ''}{row.place}: {row.finding}; expected "
        f"{row.expectation}"
        for row in table.head(most).itertuples()
    ]
    if len(table) > most:
        said.append(f"{len(table) - most} more, see recording.check()")
    return ". ".join(said)


def reference_levels(reference: object) -> pd.DataFrame:
    """Levels to compare with.

    Parameters
    ----------
    reference : DataFrame, Bunch of `cut` or fitted STF2MClassifier
        Levels of training recordings, or what has them.

    Returns
    -------
    DataFrame with columns signal, channel, level

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if hasattr(reference, "model_"):
        return _levels_of_classifier(reference.model_)
    table = getattr(reference, "levels", reference)
    if not isinstance(table, pd.DataFrame) or not {"signal", "channel", "level"} <= {*table}:
        raise TypeError(
            "reference must be what `cut` returned, a fitted STF2MClassifier, or a table with "
            f"columns signal, channel and level; given {type(reference).__name__}"
        )
    return table


def _levels_of_classifier(model) -> pd.DataFrame:
    """Root mean squares of the training clips, from the means and deviations they are scaled by."""
    rows = []
    for i, modality in enumerate(model.schema):
        mean, scale = (
            getattr(model.module.standardiser, f"{kind}_{i}")[:, 0].double().cpu().numpy()
            for kind in ("mean", "scale")
        )
        level = np.sqrt(mean**2 + scale**2)
        rows += [(modality.name, channel, value) for channel, value in enumerate(level.tolist())]
    return pd.DataFrame(rows, columns=["signal", "channel", "level"])


# ---- one signal ----


def _looks_swapped(signal: Signal) -> bool:
    """Whether there are more channels than samples, and nobody has named them as channels."""
    return not signal.channels and signal.n_channels > max(1, signal.n_samples)


def _swapped(name: str, signal: Signal) -> tuple[str, str, str, str]:
    shape = f"{signal.n_channels} channels of {signal.n_samples} samples"
    return name, "shape", shape, "(n_channels, n_samples): time last; are the axes swapped?"


def _channels(signal: Signal) -> list[Channel]:
    n = np.zeros(signal.n_channels, dtype=int)
    square = np.zeros(signal.n_channels)
    low, high = np.full(signal.n_channels, np.inf), np.full(signal.n_channels, -np.inf)
    for _, piece in signal.pieces():
        piece = piece.astype(np.float64)
        measured = np.isfinite(piece)
        n += measured.sum(axis=1)
        square += np.square(np.where(measured, piece, 0.0)).sum(axis=1)
        low = np.minimum(low, np.where(measured, piece, np.inf).min(axis=1))
        high = np.maximum(high, np.where(measured, piece, -np.inf).max(axis=1))
    rows = zip(n.tolist(), square.tolist(), low.tolist(), high.tolist(), strict=True)
    return [Channel(*row) for row in rows]


def _values(name: str, signal: Signal, channels: list[Channel]) -> list[tuple]:
    if all(not channel.n for channel in channels):
        return [(name, "all channels", "nothing is measured", "values that are not NaN")]
    if all(channel.is_constant for channel in channels):
        found = f"all values are {channels[0].low:g}" if len(channels) == 1 else "no value changes"
        return [(name, "all channels", found, "values that change")]
    rows = []
    for i, channel in enumerate(channels):
        if not channel.n:
            rows.append((name, _place(signal, i), "nothing is measured", "values that are not NaN"))
        elif channel.is_constant and not _is_nothing(signal, channel.low):
            found = f"all {channel.n} values are {channel.low:g}"
            rows.append((name, _place(signal, i), found, "values that change"))
    return rows + _saturated(name, signal, channels)


def _saturated(name: str, signal: Signal, channels: list[Channel]) -> list[tuple]:
    rows = []
    for kind in ("smallest", "largest"):
        ends = np.array([c.low if kind == "smallest" else c.high for c in channels])
        runs = _longest_runs(signal, ends)
        for i, (value, channel, (first, length)) in enumerate(
            zip(ends.tolist(), channels, runs, strict=True)
        ):
            least = max(_FEWEST_IN_RUN, _LONG_RUN * channel.n, _SHORTEST_RUN * signal.rate)
            is_long = length >= least
            if not is_long or channel.is_constant or _is_nothing(signal, value):
                continue
            begin, seconds = signal.start + first / signal.rate, length / signal.rate
            found = f"{value:g}, its {kind} value, for {seconds:g} s from {begin:.12g} s"
            rows.append((name, _place(signal, i), found, "values that change: saturated or off?"))
    return rows


def _is_nothing(signal: Signal, value: float) -> bool:
    """Whether a value says that nothing happened: 0 of a count or share, which has no unit."""
    return value == 0 and not signal.unit


def _longest_runs(signal: Signal, values: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First sample and length of the longest stretch at one value, for each channel."""
    best = [(0, 0)] * signal.n_channels
    open_since: list[int | None] = [None] * signal.n_channels
    for first, piece in signal.pieces():
        end = first + piece.shape[1]
        for i, at in enumerate(piece.astype(np.float64) == values[:, None]):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], at.view(np.int8), [0]])))
            runs = (edges.reshape(-1, 2) + first).tolist()
            if runs and runs[0][0] == first and open_since[i] is not None:
                runs[0][0] = open_since[i]
            open_since[i] = runs[-1][0] if runs and runs[-1][1] == end else None
            for start, stop in runs:
                if stop - start > best[i][1]:
                    best[i] = (start, stop - start)
    return best


def _other_levels(
    name: str, signal: Signal, channels: list[Channel], expected: pd.DataFrame
) -> list[tuple]:
    """One row where every channel is off in the same direction: a unit is that of a signal."""
    known = expected[(expected["signal"] == name) & (expected["level"] > 0)]
    usual = known.groupby("channel")["level"].agg(["min", "max"])
    pairs = [
        (channel.level, *usual.loc[i])
        for i, channel in enumerate(channels)
        if channel.n and channel.level > 0 and i in usual.index
    ]
    if not pairs:
        return []
    level, low, high = np.array(pairs).T
    if not ((level > _LEVEL_FACTOR * high).all() or (level < low / _LEVEL_FACTOR).all()):
        return []
    unit = f" {signal.unit}" if signal.unit else ""
    about = f"{low[0]:.3g}" if low[0] == high[0] else f"{low[0]:.3g} to {high[0]:.3g}"
    place = _place(signal, 0) if len(channels) == 1 else "all channels"
    found = f"root mean square {level[0]:.3g}{unit}"
    return [(name, place, found, f"about {about}, as in training: another unit?")]


def _place(signal: Signal, i: int) -> str:
    return f"channel {signal.channels[i] if signal.channels else i}"


# ---- all signals together ----


def _other_durations(recording) -> list[tuple]:
    """Signals that would be as long as all others at another rate.

    Slow ones are left out: words that end before the video does are no sign of a wrong rate.
    """
    duration = {
        name: signal.n_samples / signal.rate
        for name, signal in recording.signals.items()
        if signal.n_samples
    }
    rows = []
    for name, own in duration.items():
        others = [other for key, other in duration.items() if key != name]
        if len(others) < 2 or recording.signals[name].rate <= _SLOWEST_RATE:
            continue  # of two signals either may be the wrong one
        usual = float(np.median(others))
        if max(others) - min(others) > _OFF_RATE * usual or abs(own - usual) <= _OFF_RATE * usual:
            continue
        rate = recording.signals[name].rate
        found = f"lasts {own:g} s at {rate:g} Hz"
        expected = f"{usual:g} s, as the other signals last: {rate * own / usual:.4g} Hz?"
        rows.append((name, "rate", found, expected))
    return rows


def _annotations_outside(recording) -> list[tuple]:
    table = recording.annotations
    if table is None or not len(table):
        return []
    outside = (table["end"] < recording.start) | (table["start"] > recording.stop)
    if not outside.any():
        return []
    first = table[outside].iloc[0]
    found = (
        f"{int(outside.sum())} of {len(table)} annotations lie outside of the recording, the first "
        f"from {first['start']:.12g} s to {first['end']:.12g} s"
    )
    expected = f"times from {recording.start:.12g} s to {recording.stop:.12g} s: another clock?"
    return [("", "annotations", found, expected)]

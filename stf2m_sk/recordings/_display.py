"""How recordings and timelines show themselves: text, HTML and figures."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._signal import Signal

__all__ = [
    "html_episodes",
    "html_table",
    "not_numeric",
    "plot_recording",
    "plot_timeline",
    "summary",
]

# Okabe and Ito's colours, which differ for colour-blind readers too; bands differ in hatch too.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_HATCHES = ("", "//", "..", "\\\\", "xx", "--", "oo")
_BLUE, _ORANGE, _SHADE, _INK, _FAINT = "#0072B2", "#E69F00", "#D5DCE3", "#222222", "#666666"
_POINTS = 2000  # drawn of a signal: more than a figure has pixels across
_MOST_LINES = 8  # channels: more cannot be told apart as lines, and become rows of grey levels
_MOST_EPISODES = 20  # rows of a table
_ROW = 0.82  # of its place, that a class takes in a timeline


def not_numeric(title: str, name: str, signal: Signal) -> str:
    """What to say of a signal that cannot be cut as it is."""
    shape = tuple(signal.values.shape)
    return (
        f"{title}: signal {name!r} has values of shape {shape} and dtype {signal.values.dtype}; "
        "expected numbers of shape (n_channels, n_samples). Turn video, sound and words into "
        "such signals first, with stf2m_sk.recordings.extract, or leave it out with select"
    )


# ---- text ----


def summary(recording) -> str:
    """One line: name, person, time, annotations and signals."""
    named = [repr(recording.name)] if recording.name else []
    named += [f"of {recording.person}"] if recording.person not in ("", recording.name) else []
    parts = [" ".join(named)] if named else []
    parts += [f"{recording.start:.12g} s to {recording.stop:.12g} s", _count(recording)]
    signals = ", ".join(f"{name} {_size(s)} @ {s.rate:g} Hz" for name, s in _items(recording))
    return f"Recording({', '.join(parts)}: {signals})"


def html_table(recording) -> str:
    """A table with a row for each signal."""
    heads = ("signal", "shape", "rate", "from", "to", "unit", "channels")
    rows = [
        (
            name,
            _size(signal),
            f"{signal.rate:g} Hz",
            f"{signal.start:.12g} s",
            f"{signal.stop:.12g} s",
            signal.unit,
            ", ".join(map(str, signal.channels[:8]))
            + (", ..." if len(signal.channels) > 8 else ""),
        )
        for name, signal in _items(recording)
    ]
    caption = ", ".join(
        dict.fromkeys(filter(None, (recording.name, recording.person, _count(recording))))
    )
    body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
    return (
        f"<table><caption>Recording: {escape(caption)}</caption>"
        f"<thead><tr>{_tagged('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    )


def html_episodes(timeline) -> str:
    """A table with a row for each of the first episodes."""
    found = timeline.episodes()
    rows = found.head(_MOST_EPISODES).itertuples(index=False)
    heads = ("from", "to", "emotion", "certainty")
    cells = ((f"{start:.12g} s", f"{end:.12g} s", emotion, f"{sure:.0%}".replace("%", " %"))
             for start, end, emotion, sure in rows)  # fmt: skip
    body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in cells)
    more = f", the first {_MOST_EPISODES}" if len(found) > _MOST_EPISODES else ""
    who = f" of {timeline.person}" if timeline.person else ""
    caption = f"Timeline{who}: {len(timeline)} windows in {len(found)} episodes{more}"
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{_tagged('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    )


def _items(recording) -> list[tuple[str, Signal]]:
    return list(recording.signals.items())


def _size(signal: Signal) -> str:
    return "x".join(map(str, signal.values.shape))


def _count(recording) -> str:
    n = 0 if recording.annotations is None else len(recording.annotations)
    return f"{n} annotation{'s' if n > 1 else ''}" if n else "not annotated"


def _tagged(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{escape(str(text))}</{tag}>" for text in texts)


# ---- a recording ----


def plot_recording(recording, ax, signals):
    """Draw signals in rows, annotations as bands; see `Recording.plot`."""
    names = list(signals) if signals is not None else _drawable(recording)
    for name in names:
        if not recording[name].is_numeric:
            raise RecordingError(not_numeric(recording.title, name, recording[name]))
    rows = _rows(ax, len(names))
    for axes, name in zip(rows, names, strict=True):
        signal = recording[name]
        _draw_bands(axes, recording)
        if signal.n_channels > _MOST_LINES:
            _draw_levels(axes, signal, recording.start)
        else:
            _draw_lines(axes, signal, recording.start)
        unit = f" ({signal.unit})" if signal.unit else ""
        axes.set_ylabel(f"{name}{unit}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, max(recording.duration, 1e-9))
    rows[-1].set_xlabel("seconds from the start of the recording")
    rows[0].set_title(recording.title[:1].upper() + recording.title[1:], loc="left")
    _draw_band_key(rows[0], recording)
    return rows


def _drawable(recording) -> list[str]:
    names = [name for name, signal in _items(recording) if signal.is_numeric and signal.n_samples]
    if not names:
        raise RecordingError(
            f"{recording.title} has no signal of numbers to draw: {list(recording.signals)}"
        )
    return names


def _rows(ax, n: int) -> NDArray:
    if ax is None:
        pyplot = require("matplotlib.pyplot", "plot")
        _, rows = pyplot.subplots(
            n, 1, sharex=True, squeeze=False, figsize=(10, 1.2 + 1.3 * n), layout="constrained"
        )
        return rows[:, 0]
    rows = np.atleast_1d(np.asarray(ax, dtype=object))
    if rows.shape != (n,):
        raise ValueError(f"ax must be {n} Axes, one for each signal, got shape {rows.shape}")
    return rows


def _draw_lines(axes, signal: Signal, origin: float) -> None:
    for i, colour in zip(range(signal.n_channels), _line_colours(signal), strict=True):
        axes.plot(*_thinned(signal, i, origin), color=colour, linewidth=0.7)


def _draw_levels(axes, signal: Signal, origin: float) -> None:
    """A row of grey levels for each channel, the first at the bottom; what is missing stays white.

    Each goes from its 2nd to its 98th percentile: channels may differ in unit and size.
    """
    means = _means(signal, min(signal.n_samples, _POINTS // 2))
    measured = ~np.isnan(means).all(axis=1)
    low, high = np.nanpercentile(means[measured], [2, 98], axis=1)
    means[measured] -= low[:, None]
    means[measured] /= np.where(high > low, high - low, 1.0)[:, None]
    start, stop = signal.start - origin, signal.stop - origin
    axes.imshow(
        means,
        extent=(start, stop, 0, signal.n_channels),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        cmap="Greys",
        vmin=0,
        vmax=1,
        zorder=-1,  # annotations are drawn over it
    )
    axes.set_yticks([0, signal.n_channels])


def _means(signal: Signal, n: int) -> NDArray[np.float64]:
    """Means of n parts of each channel, (n_channels, n); NaN where nothing is measured."""
    sums, counts = np.zeros((2, signal.n_channels, n))
    for first, piece in signal.pieces():
        part = np.arange(first, first + piece.shape[1]) * n // signal.n_samples
        for channel, row in enumerate(piece.astype(np.float64)):
            known = ~np.isnan(row)
            sums[channel] += np.bincount(part[known], row[known], minlength=n)
            counts[channel] += np.bincount(part[known], minlength=n)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _line_colours(signal: Signal) -> list:
    if signal.n_channels == 1:
        return [_INK]
    return [str(0.6 * i / (signal.n_channels - 1)) for i in range(signal.n_channels)]  # greys


def _thinned(signal: Signal, channel: int, origin: float) -> tuple[NDArray, NDArray]:
    """Times and values to draw: of long signals the extremes of each of a thousand parts."""
    times, values = [], []
    size = max(1, -(-signal.n_samples // (_POINTS // 2)))
    for first, piece in signal.pieces():
        row = piece[channel].astype(np.float64)
        if size == 1:
            times.append(np.arange(first, first + len(row)))
            values.append(row)
            continue
        row = np.append(row, np.full(-len(row) % size, np.nan)).reshape(-1, size)
        empty = np.isnan(row).all(axis=1)
        low, high = np.where(np.isnan(row), np.inf, row), np.where(np.isnan(row), -np.inf, row)
        both = np.stack([low.min(axis=1), high.max(axis=1)], axis=1)
        both[empty] = np.nan
        times.append(np.repeat(first + size * (np.arange(len(row)) + 0.5), 2))
        values.append(both.ravel())
    at = np.concatenate(times) / signal.rate + signal.start - origin
    return at, np.concatenate(values)


def _labels_of(recording) -> list:
    table = recording.annotations
    if table is None or "label" not in table.columns:
        return []
    return list(dict.fromkeys(table.sort_values("start")["label"].dropna().tolist()))


def _band_style(place: int) -> dict:
    return {
        "facecolor": _COLOURS[place % len(_COLOURS)],
        "hatch": _HATCHES[place % len(_HATCHES)],
        "edgecolor": "white",
        "alpha": 0.3,
        "linewidth": 0,
    }


def _draw_bands(axes, recording) -> None:
    labels = _labels_of(recording)
    for place, label in enumerate(labels):
        rows = recording.annotations[recording.annotations["label"] == label]
        for start, end in zip(rows["start"], rows["end"], strict=True):
            style = _band_style(place)
            axes.axvspan(start - recording.start, end - recording.start, zorder=0, **style)


def _draw_band_key(axes, recording) -> None:
    labels = _labels_of(recording)
    if not labels:
        return
    patches = require("matplotlib.patches", "plot")
    keys = [patches.Patch(label=str(label), **_band_style(i)) for i, label in enumerate(labels)]
    axes.legend(
        handles=keys,
        ncols=min(len(keys), 6),
        frameon=False,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        fontsize="small",
    )


# ---- a timeline ----


def plot_timeline(timeline, annotations: pd.DataFrame | None, ax):
    """Draw probabilities over time, a row for each class; see `Timeline.plot`."""
    classes = _by_appearance(timeline.classes.tolist(), annotations)
    if ax is None:
        pyplot = require("matplotlib.pyplot", "plot")
        size = (11, 1.6 + 0.75 * len(classes))
        ax = pyplot.subplots(figsize=size, layout="constrained")[1]
    edges = timeline.spans() - timeline.origin
    scale, unit = (
        (60.0, "minutes") if timeline.end[-1] - timeline.origin > 300 else (1.0, "seconds")
    )
    for place, label in enumerate(reversed(classes)):
        _draw_class(ax, timeline, annotations, label, place, edges / scale, scale)
    _draw_unmeasured(ax, timeline, edges / scale, len(classes))
    ax.set_yticks(
        np.arange(len(classes)) + _ROW / 2,
        [str(label).replace("_", " ") for label in reversed(classes)],
    )
    ax.set_ylim(-0.05, len(classes))
    ax.set_xlim(edges[0, 0] / scale, edges[-1, 1] / scale)
    ax.tick_params(left=False)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel(f"{unit} from the start of the recording")
    ax.set_title(_timeline_title(timeline), loc="left", fontweight="bold", pad=24)
    _draw_timeline_key(ax, timeline, annotations)
    return ax


def _by_appearance(classes: list, annotations: pd.DataFrame | None) -> list:
    """Classes in the order in which they are annotated, so that time runs down the diagonal."""
    if annotations is None:
        return classes
    seen = list(dict.fromkeys(annotations.sort_values("start")["label"].tolist()))
    return sorted(classes, key=lambda label: seen.index(label) if label in seen else len(seen))


def _draw_class(ax, timeline, annotations, label, place: int, edges, scale: float) -> None:
    height = timeline.probabilities[:, timeline.classes.tolist().index(label)] * _ROW
    stretches = np.empty((0, 2))
    if annotations is not None:
        rows = annotations[annotations["label"] == label]
        stretches = (rows[["start", "end"]].to_numpy(dtype=float) - timeline.origin) / scale
    for start, end in stretches:
        ax.fill_between([start, end], place, place + _ROW, color=_SHADE, linewidth=0, zorder=0)
    middle = edges.mean(axis=1)[:, None]
    is_true = ((middle >= stretches[:, 0]) & (middle < stretches[:, 1])).any(axis=1)
    is_blue = is_true | (annotations is None)
    for chosen, colour in ((is_blue, _BLUE), (~is_blue, _ORANGE)):
        drawn = chosen & ~np.isnan(height)
        # Bars of a timeline touch; drawn one by one they would leave faint lines between them.
        tops = np.repeat(np.where(drawn, place + height, np.nan), 2)
        ax.fill_between(edges.ravel(), place, tops, color=colour, linewidth=0, zorder=2)
    ax.axhline(place, color=_FAINT, linewidth=0.5, zorder=3)
    for level, text in ((0.0, "0"), (_ROW, "100 %")):
        ax.annotate(
            text,
            (1.005, place + level),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize="x-small",
            color=_FAINT,
        )


def _draw_unmeasured(ax, timeline, edges, n_classes: int) -> None:
    for start, end in edges[np.isnan(timeline.probabilities).all(axis=1)]:
        ax.axvspan(start, end, facecolor="none", edgecolor=_FAINT, hatch="xxx", linewidth=0)


def _timeline_title(timeline) -> str:
    who = " of ".join(dict.fromkeys(filter(None, (timeline.name, timeline.person))))
    return f"Predicted probability of each emotion{': ' if who else ''}{who}"


def _draw_timeline_key(ax, timeline, annotations) -> None:
    patches = require("matplotlib.patches", "plot")
    keys = [patches.Patch(color=_BLUE, label="probability")]
    if annotations is not None:
        keys = [
            patches.Patch(color=_BLUE, label="probability of the annotated emotion (dark)"),
            patches.Patch(color=_ORANGE, label="of another emotion (light)"),
            patches.Patch(color=_SHADE, label="annotated"),
        ]
    if np.isnan(timeline.probabilities).any():
        keys.append(
            patches.Patch(facecolor="none", edgecolor=_FAINT, hatch="xxx", label="not measured")
        )
    ax.legend(
        handles=keys,
        ncols=len(keys),
        frameon=False,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.2,
        fontsize="small",
    )

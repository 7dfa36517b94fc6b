"""The two figures of the demo. No other file of it needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stf2m_sk.demo.report import Results

__all__ = ["Timeline", "draw_accuracy", "draw_timeline"]

# Okabe and Ito's colours, which differ for colour-blind readers too; ours are both blue.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#D55E00", "#009E73", "#707070"
_STYLES = [
    {"color": _BLUE, "marker": "o", "linewidth": 2.6},
    {"color": _BLUE, "marker": "o", "linewidth": 2.6, "linestyle": "--", "mfc": "white"},
    {"color": _ORANGE, "marker": "s", "linewidth": 1.6},
    {"color": _GREEN, "marker": "D", "linewidth": 1.6},
    {"color": _GREY, "marker": "v", "linewidth": 1.6},
]
_INK, _FAINT, _SHADE = "#222222", "#666666", "#E4E9EE"
_LOOK = {
    "font.size": 12,
    "axes.edgecolor": _FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
}
_TITLE = {"loc": "left", "pad": 42, "fontsize": 15, "fontweight": "bold"}
_DPI = 160


class Timeline(NamedTuple):
    """One person's clips in the order of recording, and their predictions.

    Attributes
    ----------
    person : str
        Who.
    shots : int
        Labelled clips per class.
    classes : array of shape (n_classes,)
        Columns of `probabilities`.
    probabilities : array of shape (n_clips, n_classes)
        Predictions of all clips.
    true : array of shape (n_clips,)
        Labels.
    is_support, is_query : bool array of shape (n_clips,)
        Clips that were given with their label; clips that are scored.
    clip : str
        What one clip is.
    """

    person: str
    shots: int
    classes: NDArray
    probabilities: NDArray[np.floating]
    true: NDArray
    is_support: NDArray[np.bool_]
    is_query: NDArray[np.bool_]
    clip: str

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the label, (n_clips,)."""
        return self.classes[self.probabilities.argmax(axis=1)] == self.true


def draw_accuracy(results: Results, names: Sequence[str], path: Path) -> None:
    """Draw accuracy over the number of labelled clips, with intervals.

    Parameters
    ----------
    results : mapping of (name, shots) to Interval
        As of `stf2m_sk.demo.report.results_of`.
    names : sequence of str
        Lines, at most five; the title is of the first two, without and with unlabelled clips.
    path : Path
        PNG file to write.
    """
    shots = sorted({k for _, k in results})
    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(9.6, 6), layout="constrained")
        axes = figure.add_subplot()
        for i, name in enumerate(names):
            _draw_line(axes, i, [(k, results[name, k]) for k in shots if (name, k) in results])
        _label_ends(axes, results, names, shots)
        axes.set_xticks(shots)
        axes.set_xlim(min(shots) - 0.25, max(shots) + 0.2)
        axes.set_xlabel("labelled clips of the new person, per class")
        _percent(axes)
        axes.set_ylabel("balanced accuracy (%)")
        axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(_finding(results, names, shots), **_TITLE)
        n_people = results[names[0], shots[-1]].n
        _chain(axes, [(f"Mean and 95 % interval over {n_people} people not trained on", _FAINT)])
        figure.savefig(path, dpi=_DPI)


def draw_timeline(timeline: Timeline, path: Path) -> None:
    """Draw one person's predicted probabilities, a row for each class, over the true phases.

    Parameters
    ----------
    timeline : Timeline
        What to draw.
    path : Path
        PNG file to write.
    """
    n_classes = len(timeline.classes)
    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(11, 2.1 + 0.95 * n_classes), layout="constrained")
        rows = figure.subplots(n_classes, 1, sharex=True, squeeze=False)[:, 0]
        for axes, label in zip(rows, _by_appearance(timeline), strict=True):
            _draw_class(axes, timeline, label)
        rows[-1].spines["bottom"].set_visible(True)
        rows[-1].tick_params(bottom=True)
        rows[-1].set_xlabel(f"{timeline.clip}, in the order of recording")
        figure.supylabel("predicted probability (%)", fontsize=12)
        n_right = (timeline.is_right & timeline.is_query).sum()
        rows[0].set_title(
            f"Person {timeline.person}: {n_right} of {timeline.is_query.sum()} clips read right "
            f"after {timeline.shots} labelled clips per class",
            **_TITLE,
        )
        _draw_key(rows[0])
        figure.savefig(path, dpi=_DPI)


# ---- accuracy over shots ----


def _draw_line(axes: Axes, i: int, points: list) -> None:
    style = _STYLES[i]
    x = np.array([k for k, _ in points]) + 0.05 * (i - 2)  # aside, so that no interval hides
    mean, low, high = np.array([interval[:3] for _, interval in points]).T
    axes.vlines(x, low, high, color=style["color"], linewidth=style["linewidth"], alpha=0.55)
    axes.plot(x, mean, markersize=7, **style)


def _label_ends(axes: Axes, results: Results, names: Sequence[str], shots: list[int]) -> None:
    ends = [results[name, shots[-1]].mean for name in names]
    for style, name, end, y in zip(_STYLES, names, ends, _spread(ends), strict=False):
        axes.annotate(
            f"{name}  {100 * end:.0f} %",
            (shots[-1] + 0.2, y),
            color=style["color"],
            va="center",
            fontweight="bold" if name == names[0] else "normal",
            annotation_clip=False,
        )


def _spread(heights: Sequence[float], gap: float = 0.055) -> NDArray[np.float64]:
    """Move heights apart, as little as it takes, until labels at them do not overlap."""
    heights = np.asarray(heights, dtype=float)
    order = np.argsort(heights)
    spread = heights[order]
    for _ in range(100):
        overlap = np.maximum(0.0, gap - np.diff(spread)) / 2
        spread[:-1] -= overlap
        spread[1:] += overlap
    result = np.empty_like(spread)
    result[order] = spread
    return result


def _finding(results: Results, names: Sequence[str], shots: list[int]) -> str:
    plain, unlabelled = names[:2]
    before, seen, last = (
        f"{100 * results[key].mean:.0f} %"
        for key in ((plain, shots[0]), (unlabelled, shots[0]), (plain, shots[-1]))
    )
    return (
        f"New people: {before} with no clip, {seen} with unlabelled clips,\n"
        f"{last} with {shots[-1]} labelled clips per class"
    )


# ---- one person's timeline ----


def _by_appearance(timeline: Timeline) -> list:
    """Classes in the order in which they first come, so that time runs down the diagonal."""
    return sorted(timeline.classes, key=timeline.true.tolist().index)


def _draw_class(axes: Axes, timeline: Timeline, label: object) -> None:
    is_true = timeline.true == label
    place = np.arange(1, len(is_true) + 1)
    height = timeline.probabilities[:, np.flatnonzero(timeline.classes == label)[0]]
    for start, stop in _runs(is_true):
        axes.axvspan(start + 0.5, stop + 0.5, color=_SHADE, linewidth=0, zorder=0)
    for scored, strength in ((timeline.is_query, 1.0), (~timeline.is_query, 0.4)):
        colours = np.where(is_true[scored], _BLUE, _ORANGE)
        axes.bar(place[scored], height[scored], width=0.86, color=colours, alpha=strength)
    given = is_true & timeline.is_support
    axes.plot(
        place[given], np.full(given.sum(), 1.12), "v", color=_INK, markersize=7, clip_on=False
    )
    axes.set_ylim(0, 1)
    axes.set_xlim(0.5, len(is_true) + 0.5)
    axes.set_yticks([0, 1], ["0", "100"], fontsize=10)
    axes.tick_params(bottom=False, left=False)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(False)
    name = str(label).replace("_", " ")
    axes.annotate(name, (1.01, 0.5), xycoords="axes fraction", va="center", annotation_clip=False)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _draw_key(axes: Axes) -> None:
    key = [
        ("blue: probability of the true class", _BLUE),
        ("orange: of another class", _ORANGE),
        ("pale: not scored", _FAINT),
        ("grey ground: true phase", _FAINT),
        ("▼ labelled clip", _INK),
    ]
    _chain(axes, key)


# ---- both ----


def _percent(axes: Axes) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 6), [f"{tick:.0f}" for tick in np.linspace(0, 100, 6)])


def _chain(axes: Axes, pieces: Sequence[tuple[str, str]]) -> None:
    """Write pieces of text, each in its colour, side by side between title and axes."""
    before, anchor, gap = axes.transAxes, (0.0, 1.0), (0, 18)
    for text, colour in pieces:
        before = axes.annotate(
            text,
            anchor,
            xycoords=before,
            xytext=gap,
            textcoords="offset points",
            va="bottom",
            color=colour,
            fontsize=11,
            annotation_clip=False,
        )
        anchor, gap = (1.0, 0.0), (18, 0)

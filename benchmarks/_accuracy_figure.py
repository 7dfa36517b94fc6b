"""The figure of accuracy.py: accuracy over shots, a panel for each cell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from _accuracy_report import Scores


class _Style(NamedTuple):
    colour: str
    marker: str
    label: str
    line: str = "-"


# Okabe and Ito's colours, which differ for colour-blind readers too; each has its own marker.
_STYLES = {
    "stf2m": _Style("#000000", "o", "STF2M"),
    "minirocket": _Style("#0072B2", "s", "MiniRocket + ridge"),
    "multirocket-hydra": _Style("#56B4E9", "D", "MultiRocket-Hydra + ridge"),
    "frozen-encoder": _Style("#009E73", "^", "frozen encoder"),
    "prototype": _Style("#D55E00", "v", "prototypical network"),
    "maml": _Style("#E69F00", "P", "MAML"),
    "eegnet": _Style("#CC79A7", "X", "EEGNet, fine-tuned"),
    "logistic": _Style("#666666", "<", "logistic regression"),
    "forest": _Style("#999999", ">", "random forest"),
    "nearest-time": _Style("#444444", "*", "nearest in time (control)", ":"),
}
_KINDS = ("-pooled", "-population", "")  # which of a peer's kinds is drawn
_LOOK = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#666666",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 10.5,
}
_COLUMNS = 4


def draw(scores: Scores, path: Path) -> None:
    """Draw all cells; the plain ones share a panel."""
    few = [cell for cell in scores.cells() if not cell.endswith(":plain")]
    if len(few) > 1:  # the bundled recording is one of the others once more
        few = [cell for cell in few if not cell.startswith("bundled")]
    plain = [cell for cell in scores.cells() if cell.endswith(":plain")]
    n_panels = len(few) + bool(plain)
    n_columns = min(_COLUMNS, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    with matplotlib.rc_context(_LOOK):
        figure = Figure(figsize=(3.6 * n_columns + 0.4, 3.3 * n_rows + 1.2), layout="constrained")
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axes, cell in zip(panels, few, strict=False):
            _draw_shots(axes, scores, cell)
        if plain:
            _draw_plain(panels[len(few)], scores, plain)
        for axes in panels[n_panels:]:
            axes.set_visible(False)
        figure.supylabel("balanced accuracy (%)", fontsize=11)
        _add_key(figure, panels[:n_panels], n_columns + 1)
        figure.savefig(path, dpi=150)


def _drawn(there: list[str], family: str) -> str | None:
    return next((family + kind for kind in _KINDS if family + kind in there), None)


def _draw_shots(axes: Axes, scores: Scores, cell: str) -> None:
    shots = scores.shots(cell)
    for family, style in _STYLES.items():
        peer = _drawn(scores.peers(cell), family)
        known = [(i, scores.mean(cell, k, peer)) for i, k in enumerate(shots)] if peer else []
        known = [(place, mean) for place, mean in known if mean is not None]
        if not known:
            continue
        places = [place for place, _ in known]
        ours = family == "stf2m"
        if ours:
            low, high = ([100 * getattr(m, end) for _, m in known] for end in ("low", "high"))
            axes.fill_between(places, low, high, color="#000000", alpha=0.10, linewidth=0)
        axes.plot(places, [100 * mean.mean for _, mean in known], **_line(style, ours))
    axes.set_xticks(range(len(shots)), shots)
    axes.set_xlim(-0.25, len(shots) - 0.75)
    axes.set_xlabel("labelled clips per class")
    _finish(axes, cell.replace("uea_", "").replace(":", ", "))


def _draw_plain(axes: Axes, scores: Scores, cells: list[str]) -> None:
    for family, style in _STYLES.items():
        values = []
        for cell in cells:
            peer = _drawn(scores.peers(cell), family)
            values.append(100 * scores.mean(cell, 0, peer).mean if peer else np.nan)
        if not np.isnan(values).all():
            line = _line(style, family == "stf2m") | {"linestyle": ""}
            axes.plot(range(len(cells)), values, **line)
    names = [cell.removeprefix("uea_").removesuffix(":plain") for cell in cells]
    axes.set_xticks(range(len(cells)), names, rotation=35, ha="right", rotation_mode="anchor")
    _finish(axes, "plain, no labelled clips")


def _line(style: _Style, ours: bool) -> dict:
    return {
        "color": style.colour,
        "marker": style.marker,
        "linestyle": style.line,
        "linewidth": 2.6 if ours else 1.3,
        "markersize": 7 if ours else 5.5,
        "zorder": 4 if ours else 3,
        "label": style.label,
    }


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylim(top=min(103, axes.get_ylim()[1]))


def _add_key(figure: Figure, panels, n_columns: int) -> None:
    known = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    labels = [style.label for style in _STYLES.values() if style.label in known]
    handles = [known[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=n_columns, frameon=False)

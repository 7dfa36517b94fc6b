"""Figures in one style, written without a display."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

matplotlib.use("agg")
# As in the figures of the package: Okabe and Ito's colours.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^DvPX*<>"


def panels(names: list[str], height: float) -> tuple[Any, dict[str, Any]]:
    """A figure, and an Axes for each name."""
    figure, axes = pyplot.subplots(
        1, len(names), figsize=(2 + 2.8 * len(names), height), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name.replace("_", " "), fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, dict(zip(names, axes[0], strict=True))


def style(i: int) -> dict[str, Any]:
    """Colour and marker of the i-th series."""
    look = {"color": _COLOURS[i % len(_COLOURS)], "marker": _MARKERS[i % len(_MARKERS)]}
    return look | {"markersize": 4}


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure; beside it the labels of all panels, each once."""
    pairs = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in figure.axes]
    known = {label: handle for pair in pairs for handle, label in pair}
    figure.legend(known.values(), known, loc="outside right", fontsize=7)
    figure.savefig(path, dpi=120)

"""How all displays look: colours, markers, panels and bars that can be read in grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._optional import require

__all__ = [
    "AGAINST",
    "COLOURS",
    "FAINT",
    "FOR",
    "INK",
    "LINES",
    "MARKERS",
    "SHADE",
    "draw_intervals",
    "grid_of",
    "signed_map",
    "signed_style",
    "single_axes",
    "without_frame",
    "words",
]

# Okabe and Ito's colours, which differ for colour-blind readers too; markers and lines go along.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
LINES = ("-", "--", ":", "-.")
FOR, AGAINST = "#0072B2", "#E69F00"  # dark and light in grey; what is against is hatched, too
INK, FAINT, SHADE = "#222222", "#666666", "#D5DCE3"


def words(label: object) -> str:
    """A label as it is written in a figure."""
    return str(label).replace("_", " ")


def single_axes(ax: Any, size: tuple[float, float]) -> Any:
    """The Axes to draw in: the given ones, or those of a new figure."""
    if ax is not None:
        return ax
    pyplot = require("matplotlib.pyplot", "plot")
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def grid_of(ax: Any, n_rows: int, n_columns: int, size: tuple[float, float], **ratios) -> tuple:
    """A grid for several panels: of a new figure, or in the place of the given Axes.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Axes of `subplots`, whose place is divided; they are hidden. None makes a figure.
    n_rows, n_columns : int
        Of the grid.
    size : tuple of float
        Of a new figure, in inches.
    **ratios
        `height_ratios` and `width_ratios` of the grid.

    Returns
    -------
    figure : matplotlib Figure
        Of the grid.
    grid : GridSpec
        Places for ``figure.add_subplot``.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the Axes have no place in a grid.
    """
    pyplot = require("matplotlib.pyplot", "plot")
    if ax is None:
        figure = pyplot.figure(figsize=size, layout="constrained")
        return figure, figure.add_gridspec(n_rows, n_columns, **ratios)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax was placed by hand, but several panels need a place in a grid: give Axes of "
            "pyplot.subplots(), or leave ax out"
        )
    ax.set_axis_off()
    return ax.figure, place.subgridspec(n_rows, n_columns, **ratios)


def without_frame(ax: Any, *sides: str) -> None:
    """Leave lines around Axes out; top and right where no side is named."""
    ax.spines[list(sides or ("top", "right"))].set_visible(False)


def signed_map() -> Any:
    """Colour map from against over white to for."""
    colours = require("matplotlib.colors", "plot")
    return colours.LinearSegmentedColormap.from_list("against_for", [AGAINST, "white", FOR])


def signed_style(value: float) -> dict:
    """Look of a bar: solid blue for an emotion, hatched orange against it."""
    if value >= 0:
        return {"facecolor": FOR, "edgecolor": FOR, "linewidth": 0.5}
    return {"facecolor": AGAINST, "edgecolor": INK, "linewidth": 0.5, "hatch": "////"}


def draw_intervals(ax: Any, places: Sequence[float], summary: NDArray[np.float64], **style) -> None:
    """Means as points with their intervals, lying.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    places : sequence of float
        Heights.
    summary : float64 array of shape (n, 3)
        Mean and ends of the interval; NaN where there is no interval.
    **style
        Of `errorbar`.
    """
    mean, low, high = summary.T
    reach = np.nan_to_num([mean - low, high - mean])
    ax.errorbar(mean, places, xerr=reach, linestyle="", capsize=3, **style)

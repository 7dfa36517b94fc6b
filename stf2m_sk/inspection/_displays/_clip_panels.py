"""Panels of a clip: signals, bands of contributions, and bars of terms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._displays._clip import ClipSignal
from stf2m_sk.inspection._displays._style import (
    FAINT,
    INK,
    LINES,
    signed_map,
    signed_style,
    without_frame,
    words,
)

__all__ = ["draw_signals", "draw_terms"]

_MOST_NAMED = 4  # channels: more do not fit above a signal


def draw_signals(figure: Any, grid: Any, signals: dict[str, ClipSignal]) -> NDArray:
    """Each modality over time, and below it the contributions of its stretches.

    Returns
    -------
    array of Axes of shape (n_modalities, 2)
    """
    axes = np.empty((len(signals), 2), dtype=object)
    largest = max(np.abs(own.contributions).max() for own in signals.values()) or 1.0
    for i, (name, signal) in enumerate(signals.items()):
        axes[i, 0] = figure.add_subplot(grid[2 * i, 0])
        axes[i, 1] = figure.add_subplot(grid[2 * i + 1, 0], sharex=axes[i, 0])
        _draw_signal(axes[i, 0], name, signal, largest)
        _draw_band(axes[i, 1], signal, largest)
    axes[-1, 1].tick_params(axis="x", labelbottom=True)
    axes[-1, 1].set_xlabel(_time_label(signals.values()))
    return axes


def draw_terms(ax: Any, terms: dict[str, float]) -> None:
    """Terms as lying bars, and their sum."""
    named = {**terms, "sum": sum(terms.values())}
    places = np.arange(len(named), dtype=float)
    places[-1] += 0.4  # apart from what it is the sum of
    reach = max(map(abs, named.values())) or 1.0
    for place, value in zip(places, named.values(), strict=True):
        ax.barh(place, value, height=0.7, **signed_style(value))
        side = 1 if value >= 0 else -1
        ax.text(
            value + 0.03 * side * reach,
            place,
            f"{value:+.2f}",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize="small",
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.axhline(len(terms) - 0.3, color=FAINT, linewidth=0.6)
    ax.set_yticks(places, [words(name) for name in named])
    ax.invert_yaxis()
    ax.set_xlim(-1.45 * reach, 1.45 * reach)
    ax.set_xlabel("contribution to the logit")
    ax.set_title("blue: for it; hatched: against it", loc="left", fontsize="medium")
    ax.tick_params(left=False)
    without_frame(ax, "top", "right", "left")


def _draw_signal(ax: Any, name: str, signal: ClipSignal, largest: float) -> None:
    """Channels as lines; behind them stretches, coloured by contribution."""
    colours = signed_map()
    for start, end, value in zip(
        signal.edges[:-1], signal.edges[1:], signal.contributions, strict=True
    ):
        # Half of the map: lines stay readable on the strongest colour.
        ax.axvspan(start, end, color=colours(0.5 + 0.3 * value / largest), linewidth=0, zorder=0)
    labels = signal.channel_names if len(signal.values) > 1 else ()
    is_key = 0 < len(labels) <= _MOST_NAMED
    for i, row in enumerate(signal.values):
        grey = str(0.55 * i / max(len(signal.values) - 1, 1))
        label = labels[i] if is_key else None
        ax.plot(signal.times, row, color=grey, linestyle=LINES[i % 4], linewidth=1.1, label=label)
    if np.isnan(signal.values).all():
        ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
    if is_key:
        ax.legend(
            ncols=len(labels),
            frameon=False,
            fontsize="x-small",
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.1,
        )
    ax.set_xlim(signal.edges[0], signal.edges[-1])
    ax.tick_params(labelbottom=False, bottom=False, labelsize="small")
    ax.set_ylabel(words(name))
    without_frame(ax, "top", "right", "bottom")


def _draw_band(ax: Any, signal: ClipSignal, largest: float) -> None:
    """Contributions of the stretches as bars."""
    for start, end, value in zip(
        signal.edges[:-1], signal.edges[1:], signal.contributions, strict=True
    ):
        ax.bar(start, value, width=end - start, align="edge", **signed_style(value))
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_ylim(-1.15 * largest, 1.15 * largest)
    ax.set_yticks([-largest, largest], [f"{-largest:.2g}", f"{largest:+.2g}"])
    ax.tick_params(axis="y", labelsize="x-small", labelcolor=FAINT)
    ax.tick_params(axis="x", labelbottom=False)
    without_frame(ax)


def _time_label(signals: Iterable[ClipSignal]) -> str:
    """What the times are."""
    units = {signal.unit for signal in signals}
    named = {"s": "seconds", "frames": "frames"}
    return f"{' or '.join(sorted(named[unit] for unit in units))} from the start of the clip"

"""Panels of a rule: its prototype, and how it fires in each emotion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stf2m_sk.fuzzy import Pattern
from stf2m_sk.inspection._displays._people import over_people
from stf2m_sk.inspection._displays._style import (
    FAINT,
    FOR,
    INK,
    LINES,
    SHADE,
    draw_intervals,
    without_frame,
    words,
)

if TYPE_CHECKING:
    from stf2m_sk.inspection._displays._rule import RuleDisplay

__all__ = ["draw_firing", "draw_row"]


def draw_row(axes: Any, display: RuleDisplay, row: int) -> None:
    """One row of the prototype with its spread, and windows that fire the rule."""
    lags, prototype = display.pattern.lags, display.pattern.prototype[row]
    low, high = prototype - display.spread[row], prototype + display.spread[row]
    axes.fill_between(lags, low, high, color=SHADE, linewidth=0, label="spread", zorder=0)
    for i, (clip, label) in enumerate(zip(display.clips, display.labels.tolist(), strict=True)):
        look = {"color": FAINT, "linewidth": 0.9, "linestyle": LINES[i % len(LINES)]}
        axes.plot(lags, display.windows[i, row], label=f"clip {clip}: {words(label)}", **look)
    axes.plot(lags, prototype, "-o", color=FOR, linewidth=2.4, ms=5, label="prototype")
    unit = "seconds" if display.pattern.lag_unit == "s" else "frames"
    axes.set_xlabel(f"{unit} from the centre of the window")
    axes.set_ylabel(_mixture(display.pattern, row))
    without_frame(axes)


def draw_firing(axes: Any, display: RuleDisplay) -> None:
    """Firing strengths as bars, intervals and points for people."""
    places, percent = np.arange(len(display.classes)), 100 * over_people(display.firing)
    axes.barh(places, percent[:, 0], color=SHADE, edgecolor=FAINT, height=0.7)
    draw_intervals(axes, places, percent, color=INK, marker="none")
    axes.plot(100 * display.firing.T, places + 0.2, ".", color=FOR, markersize=4, alpha=0.6)
    axes.set_yticks(places, [words(label) for label in display.classes.tolist()])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("share of the time that it fires (%)")
    n = len(display.firing)
    of = f"Mean over {n} people, 95 % interval" if n > 1 else "Mean over clips"
    axes.set_title(of, loc="left", fontsize="medium")
    axes.tick_params(left=False)
    without_frame(axes)


def _mixture(pattern: Pattern, row: int) -> str:
    """A row in words: its largest channel weights, and the change where it is one."""
    weights = pattern.weights[row]
    largest = [i for i in np.argsort(-np.abs(weights))[:3] if weights[i]]
    if len(pattern.channel_names) == 1:
        mixed = pattern.modality
    elif len(largest) == 1:
        mixed = f"{pattern.modality}: {pattern.channel_names[largest[0]]}"
    else:
        parts = [f"{weights[i]:+.2g} {pattern.channel_names[i]}" for i in largest]
        more = " ..." if np.count_nonzero(weights) > 3 else ""
        mixed = f"{pattern.modality}: {' '.join(parts)}{more}"
    of = f"change of {mixed}, per frame" if pattern.is_difference else mixed
    return f"{of} (less its mean)" if pattern.is_shape else of

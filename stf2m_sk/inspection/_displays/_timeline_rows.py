"""Contributions over a recording, as rows of bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._displays._style import AGAINST, FAINT, FOR, INK, without_frame, words
from stf2m_sk.recordings import Timeline

__all__ = ["draw_terms"]


def draw_terms(
    rows: Sequence[Any], top: Any, timeline: Timeline, terms: dict[str, NDArray], of: str
) -> None:
    """A row for each term, below the probabilities."""
    rows[0].set_title(
        f"Contributions to {of} (dark: for it; light, hatched: against it)",
        loc="left",
        fontsize="medium",
    )
    edges = timeline.spans() - timeline.origin
    edges = edges * (top.get_xlim()[1] / edges[-1, 1])  # seconds or minutes, as above
    largest = max(np.nanmax(np.abs(own), initial=0.0) for own in terms.values()) or 1.0
    for axes, (name, values) in zip(rows, terms.items(), strict=True):
        heights = np.repeat(values, 2)
        style = {"linewidth": 0, "edgecolor": INK}
        axes.fill_between(edges.ravel(), 0, np.maximum(heights, 0), facecolor=FOR, **style)
        axes.fill_between(
            edges.ravel(), 0, np.minimum(heights, 0), facecolor=AGAINST, hatch="////", **style
        )
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_ylim(-1.1 * largest, 1.1 * largest)
        axes.set_yticks([-largest, largest], [f"{-largest:.2g}", f"{largest:+.2g}"])
        axes.tick_params(axis="y", labelsize="x-small", labelcolor=FAINT)
        axes.tick_params(axis="x", labelbottom=False)
        axes.set_ylabel(words(name), rotation=0, ha="right", va="center")
        without_frame(axes)
    rows[-1].tick_params(axis="x", labelbottom=True, labelsize="small")
    rows[-1].set_xlabel(top.get_xlabel())
    top.set_xlabel("")

"""Figures of few-shot scores. No other file of `model_selection` needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stf2m_sk.model_selection._summary import unit_means
from stf2m_sk.model_selection._table import import_optional

__all__ = ["plot_shots"]

# Okabe and Ito's colours, which differ for colour-blind readers too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def plot_shots(results: Mapping[str, Any], metric: str | None, *, ax=None):
    """Draw mean and interval of each result over the number of shots.

    Parameters
    ----------
    results : mapping of str to FewShotResult
        By name; a single one is drawn with a faint line for each person.
    metric : str or None
        None for the first metric.
    ax : matplotlib Axes or None
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    pyplot = import_optional("matplotlib.pyplot", "plot")
    first = next(iter(results.values()))
    metric = _metric_of(first, metric)
    if ax is None:
        ax = pyplot.subplots(layout="constrained")[1]
    for i, (name, result) in enumerate(results.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        if len(results) == 1:
            _draw_units(ax, result, metric, colour)
        _draw_means(ax, result, metric, colour, name, offset=0.04 * (i - (len(results) - 1) / 2))
    ax.set_xlabel("support clips per class (shots)")
    ax.set_ylabel(metric.replace("_", " "))
    ax.set_xticks(sorted({row["shots"] for row in first.rows}))
    ax.set_title(f"Mean over {first.unit}, 95 % interval")
    if len(results) > 1:
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def _metric_of(result, metric: str | None) -> str:
    metrics = ["balanced_accuracy"] if result.unit == "classes" else result.metrics
    if metric is not None and metric not in metrics:
        raise ValueError(
            f"metric={metric!r} was not scored over {result.unit}; there are {metrics}."
        )
    return metrics[0] if metric is None else metric


def _draw_means(ax, result, metric: str, colour: str, name: str, *, offset: float) -> None:
    rows = result.summary().where(metric=metric)
    mean, low, high = rows["mean"], rows["low"], rows["high"]
    below = [m - bound for m, bound in zip(mean, low, strict=True)]
    above = [bound - m for m, bound in zip(mean, high, strict=True)]
    shots = [shot + offset for shot in rows["shots"]]
    ax.errorbar(
        shots, mean, yerr=[below, above], color=colour, marker="o", capsize=3, label=name or None
    )


def _draw_units(ax, result, metric: str, colour: str) -> None:
    lines: dict[Any, list[tuple[int, float]]] = {}
    for shots in sorted({row["shots"] for row in result.rows}):
        own = [row for row in result.rows if row["shots"] == shots]
        for unit, value in unit_means(own, metric, result.unit).items():
            lines.setdefault(unit, []).append((shots, value))
    for points in lines.values():
        ax.plot(*zip(*points, strict=True), color=colour, alpha=0.2, linewidth=1)

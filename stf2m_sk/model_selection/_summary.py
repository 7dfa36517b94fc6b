"""From one row for each episode to a mean and an interval over people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from stf2m_sk.model_selection._intervals import interval

__all__ = ["summarise", "unit_means"]

UNITS = ("people", "classes", "folds")

Rows = list[dict[str, Any]]


def unit_means(rows: Rows, metric: str, over: str) -> dict[Any, float]:
    """Mean of each unit, its episodes averaged first.

    Parameters
    ----------
    rows : list of dict
        Episodes of one number of shots.
    metric : str
        Column.
    over : {"people", "classes", "folds"}
        The unit. Over classes the value of a class is the share of its query clips that was
        predicted right, whose mean over classes is the balanced accuracy.

    Returns
    -------
    dict of unit to float
        In the order of the rows.

    Raises
    ------
    ValueError
        If the unit is not known, or the metric is no mean over classes.
    """
    values: dict[Any, list[float]] = {}
    for unit, value in _pairs(rows, metric, over):
        values.setdefault(unit, []).append(value)
    return {unit: float(np.mean(each)) for unit, each in values.items()}


def summarise(
    rows: Rows, metrics: list[str], over: str, *, proportions: Collection[str] = (), **how: Any
) -> Rows:
    """A row for each metric and number of shots: mean, interval, numbers of units and episodes.

    Parameters
    ----------
    rows : list of dict
        Episodes.
    metrics : list of str
        Columns.
    over : {"people", "classes", "folds"}
        The unit.
    proportions : collection of str, default=()
        Metrics whose values are between 0 and 1: so are the ends of their intervals.
    **how
        Of `stf2m_sk.model_selection._intervals.interval`.
    """
    summary = []
    for metric in metrics:
        for shots in sorted({row["shots"] for row in rows}):
            own = [row for row in rows if row["shots"] == shots]
            means = list(unit_means(own, metric, over).values())
            low, high = interval(means, **how)
            if metric in proportions:
                low, high = (float(np.clip(end, 0.0, 1.0)) for end in (low, high))
            summary.append(
                {
                    "metric": metric,
                    "shots": shots,
                    "mean": float(np.mean(means)),
                    "low": low,
                    "high": high,
                    f"n_{over}": len(means),
                    "n_episodes": len(own),
                }
            )
    return summary


def _pairs(rows: Rows, metric: str, over: str):
    if over not in UNITS:
        raise ValueError(f"over={over!r}, but it must be one of {list(UNITS)}.")
    if over != "classes":
        key: Callable = (lambda row: row["person"]) if over == "people" else lambda row: row["fold"]
        return [(key(row), row[metric]) for row in rows]
    if metric != "balanced_accuracy":
        raise ValueError(
            f"over='classes' was given for the metric {metric!r}, but only balanced_accuracy is a "
            "mean over classes; use over='people' or over='folds'."
        )
    return [(label, value) for row in rows for label, value in row["recall"].items()]

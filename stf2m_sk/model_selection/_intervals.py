"""Intervals over independent units, and paired tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["holm", "interval", "paired_p_value"]

_FEWEST_FOR_TEST = 6  # with 5 people the least two-sided p-value of a signed-rank test is 0.0625


def interval(values: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean over independent units, such as people.

    NaN for a single unit, which says nothing of how units differ; without width where all units
    are equal. How often it holds the truth is measured by ``benchmarks/interval_coverage.py``.
    """
    values = np.asarray(values, dtype=np.float64)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence!r}, but it must be between 0 and 1.")
    if len(values) < 2:
        return np.nan, np.nan
    mean, error = values.mean(), stats.sem(values)
    if error == 0:
        return float(mean), float(mean)
    low, high = stats.t.interval(confidence, len(values) - 1, mean, error)
    return float(low), float(high)


def paired_p_value(differences: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test, of one difference for each person.

    It needs symmetric differences but not normal ones: scores of few clips are lumpy and bounded.
    NaN under 6 people, where no test is claimed; 1 where all differences are 0.
    """
    # Ranks of what is equal but for rounding shall be tied.
    differences = np.round(np.asarray(differences, dtype=np.float64), 12)
    if len(differences) < _FEWEST_FOR_TEST or np.isnan(differences).any():
        return np.nan
    return float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's correction of several p-values; NaN stays NaN and counts as no test.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979). SciPy has the corrections of
    Benjamini and Hochberg and of Benjamini and Yekutieli only, which control another error.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    scaled = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected

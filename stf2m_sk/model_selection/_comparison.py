"""What `compare_few_shot` returns."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata

from stf2m_sk.model_selection._intervals import (
    holm,
    interval,
    paired_p_value,
    rank_biserial,
    standardised_mean,
)
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._summary import unit_means
from stf2m_sk.model_selection._table import Table

__all__ = ["FewShotComparison"]


class FewShotComparison:
    """Scores of several classifiers on the same episodes.

    Attributes
    ----------
    results : dict of str to FewShotResult
        Each classifier's own.
    rows : Table
        All their rows, with the column ``estimator`` in front.
    metrics : list of str
        Names of the metrics.
    unit : {"people", "classes", "folds"}
        Over what means, intervals and tests are taken.
    skipped : list
        Test people from whom no episode could be drawn (``on_few="shrink"``).

    Notes
    -----
    Intervals and tests are conditional on the fitted models: they say how these fits would
    compare on other people, not how much another fit would differ.
    """

    def __init__(
        self, results: dict[str, FewShotResult], *, greater_is_better: dict[str, bool]
    ) -> None:
        first = next(iter(results.values()))
        self.results = dict(results)
        self.metrics = first.metrics
        self.unit = first.unit
        self.skipped = first.skipped
        self._greater_is_better = dict(greater_is_better)
        self.rows = Table(
            [{"estimator": name, **row} for name, one in results.items() for row in one.rows],
            "Few-shot episodes",
        )

    def summary(self, **how: Any) -> Table:
        """Mean and interval for each classifier, metric and number of shots.

        Parameters
        ----------
        **how
            As in `FewShotResult.summary`.

        Returns
        -------
        Table
        """
        parts = {name: result.summary(**how) for name, result in self.results.items()}
        rows = [{"estimator": name, **row} for name, part in parts.items() for row in part]
        return Table(rows, next(iter(parts.values())).title)

    def differences(
        self,
        metric: str | None = None,
        *,
        reference: str | None = None,
        test: str = "wilcoxon",
        method: str = "t",
        confidence: float = 0.95,
        n_resamples: int = 9999,
        seed: int = 0,
    ) -> Table:
        """Paired differences, first minus second, for each pair and number of shots.

        Parameters
        ----------
        metric : str, default=None
            None for the first.
        reference : str, default=None
            Compare only this classifier with each other one; None compares all pairs.
        test : {"wilcoxon", "t"}, default="wilcoxon"
            Over people. Wilcoxon's signed-rank test needs symmetric differences but not
            normal ones, which scores of a few clips do not give; "t" is the paired t test.
        method, confidence, n_resamples, seed
            Of the intervals, as in `FewShotResult.summary`. They are of each difference alone:
            not corrected for their number.

        Returns
        -------
        Table
            Columns ``metric``, ``shots``, ``first``, ``second``, ``difference``, ``low``,
            ``high``, the number of units, ``p``, ``p_holm`` (Holm's correction over all rows of
            this table), ``cohen_d`` (mean of the differences in units of their standard
            deviation) and ``rank_biserial`` (-1 to 1). No test is claimed (NaN) under 6 people,
            where even the clearest signed-rank test is not below 0.05, nor over classes or
            folds, which are not independent.

        Raises
        ------
        ValueError
            If a name or an option is not known.
        """
        metric = self._metric(metric)
        over = self._over(metric)
        rows = [
            {"metric": metric, "shots": shots, "first": first, "second": second}
            | self._compare(metric, shots, first, second, test)
            for shots in self._shots()
            for first, second in self._pairs(reference)
        ]
        how = {"confidence": confidence, "method": method, "n_resamples": n_resamples, "seed": seed}
        for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
            row["low"], row["high"] = interval(row.pop("values"), **how)
            row["p_holm"] = float(corrected)
        order = ["metric", "shots", "first", "second", "difference", "low", "high"]
        order += [f"n_{over}", "p", "p_holm", "cohen_d", "rank_biserial"]
        title = f"Paired differences over {over}, {confidence:.0%} interval ({method}), {test}"
        return Table([{name: row[name] for name in order} for row in rows], title)

    def ranking(self, metric: str | None = None) -> Table:
        """The classifiers in the order of their mean rank over units, for each number of shots.

        Parameters
        ----------
        metric : str, default=None
            None for the first.

        Returns
        -------
        Table
            Columns ``metric``, ``shots``, ``estimator``, ``mean_rank`` (1 is best; ties share
            their ranks) and ``mean``.
        """
        metric = self._metric(metric)
        sign = -1.0 if self._greater_is_better[metric] else 1.0
        rows = []
        for shots in self._shots():
            scores = np.array([self._values(name, metric, shots) for name in self.results])
            ranks = rankdata(sign * np.round(scores, 12), axis=0).mean(axis=1)
            for i in np.argsort(ranks, kind="stable"):
                row = {"metric": metric, "shots": shots, "estimator": list(self.results)[i]}
                rows.append(row | {"mean_rank": float(ranks[i]), "mean": float(scores[i].mean())})
        return Table(rows, f"Ranking over {self._over(metric)}")

    def to_frame(self):
        """All episodes of all classifiers as a `pandas.DataFrame`.

        Raises
        ------
        ImportError
            If pandas is not there.
        """
        return self.rows.to_frame()

    def plot(self, metric: str | None = None, *, ax=None):
        """Draw mean and interval of each classifier over the number of shots.

        Parameters
        ----------
        metric : str, default=None
            None for the first.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            If matplotlib is not there.
        """
        from stf2m_sk.model_selection._plots import plot_shots

        return plot_shots(self.results, self._metric(metric), ax=ax)

    def __repr__(self) -> str:
        return f"{self.summary()!r}\n\n{self.differences()!r}"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_() + self.differences()._repr_html_()

    def _metric(self, metric: str | None) -> str:
        metric = self.metrics[0] if metric is None else metric
        if metric not in self.metrics:
            raise ValueError(f"metric={metric!r} was not scored; there are {self.metrics}.")
        return metric

    def _shots(self) -> list[int]:
        return sorted({row["shots"] for row in self.rows})

    def _pairs(self, reference: str | None) -> list[tuple[str, str]]:
        if reference is None:
            return list(combinations(self.results, 2))
        if reference not in self.results:
            raise ValueError(
                f"reference={reference!r} was not compared; there are {list(self.results)}."
            )
        return [(reference, name) for name in self.results if name != reference]

    def _values(self, name: str, metric: str, shots: int) -> np.ndarray:
        rows = self.results[name].rows.where(shots=shots).rows
        return np.array(list(unit_means(rows, metric, self._over(metric)).values()))

    def _over(self, metric: str) -> str:
        """The unit; folds where there are no people and the metric is no mean over classes."""
        is_of_classes = self.unit == "classes" and metric != "balanced_accuracy"
        return "folds" if is_of_classes else self.unit

    def _compare(self, metric: str, shots: int, first: str, second: str, test: str) -> dict:
        values = self._values(first, metric, shots) - self._values(second, metric, shots)
        is_tested = self.unit == "people"
        return {
            "values": values,
            "difference": float(values.mean()),
            f"n_{self._over(metric)}": len(values),
            "p": paired_p_value(values, test=test) if is_tested else float("nan"),
            "cohen_d": standardised_mean(values),
            "rank_biserial": rank_biserial(values),
        }

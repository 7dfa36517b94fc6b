"""What `few_shot_score` returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stf2m_sk.model_selection._scoring import Metric
from stf2m_sk.model_selection._summary import summarise
from stf2m_sk.model_selection._table import Table

__all__ = ["FewShotResult"]


class FewShotResult:
    """Scores of one classifier, a row for each episode.

    Attributes
    ----------
    rows : Table
        Columns: ``fold``, ``person`` (None without groups), ``draw``, ``shots``, ``n_way``,
        ``n_support``, ``n_query``, ``support`` and ``query`` (int arrays, rows of X), one for
        each metric, ``recall`` (dict of class to the share of its query clips predicted right),
        ``n_unlabelled`` (unlabelled clips that the classifier was given), and ``fit_seconds``
        (of the fold), ``adapt_seconds`` and ``predict_seconds``.
    metrics : list of str
        Names of the metrics.
    unit : {"people", "classes", "folds"}
        Over what `summary` takes its intervals.
    skipped : list
        Test people from whom no episode could be drawn (``on_few="shrink"``).

    Notes
    -----
    Intervals are conditional on the fitted models: they say how well these fits would do on
    other people, not how much another fit would differ.
    """

    def __init__(
        self,
        rows: list[dict[str, Any]],
        *,
        metrics: Mapping[str, Metric],
        unit: str,
        skipped: list,
    ) -> None:
        self.rows = Table(rows, "Few-shot episodes")
        self.metrics = list(metrics)
        self.unit = unit
        self.skipped = list(skipped)
        inside = {name for name, metric in metrics.items() if metric.is_proportion}
        self._proportions = {"balanced_accuracy", *inside}

    def summary(
        self,
        *,
        over: str | None = None,
        method: str = "t",
        confidence: float = 0.95,
        n_resamples: int = 9999,
        seed: int = 0,
    ) -> Table:
        """Mean and interval for each metric and number of shots.

        Parameters
        ----------
        over : {"people", "classes", "folds"}, default=None
            The unit whose episodes are averaged first; None for `unit`. Over classes there is
            balanced accuracy only, the mean of their recalls; see other metrics over folds.
        method : {"t", "studentised"}, default="t"
            Student's t, or the studentised bootstrap for at least 6 units.
        confidence : float, default=0.95
            Level of the intervals.
        n_resamples, seed : int
            Of the bootstrap.

        Returns
        -------
        Table
            Columns ``metric``, ``shots``, ``mean``, ``low``, ``high``, the number of units and
            ``n_episodes``. A single unit has no interval (NaN). Intervals of metrics that are
            between 0 and 1 are cut there; those of other callables than the package's own, and
            of differences, are not.

        Raises
        ------
        ValueError
            If an option is not known, or `over` is "people" where groups were not given.
        """
        over = self.unit if over is None else over
        if over == "people" and self.rows[0]["person"] is None:
            raise ValueError(
                "over='people' was given, but groups were not given; use over='folds'."
            )
        metrics = ["balanced_accuracy"] if over == "classes" else self.metrics
        how = {"confidence": confidence, "method": method, "n_resamples": n_resamples, "seed": seed}
        title = f"Mean over {over} with {confidence:.0%} interval ({method})"
        rows = summarise(self.rows.rows, metrics, over, proportions=self._proportions, **how)
        return Table(rows, title)

    def to_frame(self):
        """All episodes as a `pandas.DataFrame`.

        Raises
        ------
        ImportError
            If pandas is not there.
        """
        return self.rows.to_frame()

    def plot(self, metric: str | None = None, *, ax=None):
        """Draw mean and interval over the number of shots, and each unit as a faint line.

        Parameters
        ----------
        metric : str, default=None
            None for the first metric.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            If matplotlib is not there.
        ValueError
            If the metric was not scored over `unit`.
        """
        from stf2m_sk.model_selection._plots import plot_shots

        return plot_shots({"": self}, metric, ax=ax)

    def __repr__(self) -> str:
        return repr(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

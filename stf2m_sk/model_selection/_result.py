"""What `few_shot_score` and `compare_few_shot` return."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pandas as pd

from stf2m_sk.model_selection._intervals import holm, interval, paired_p_value
from stf2m_sk.model_selection._scoring import RECALL, Metric

__all__ = ["FewShotResult"]

_COLUMN = {"people": "person", "classes": "label", "folds": "fold"}
_OF_CLASSES = "balanced_accuracy"  # the only metric that is a mean over classes: of recalls


class FewShotResult:
    """Scores of classifiers on the same episodes, as pandas frames.

    Parameters
    ----------
    rows : DataFrame
        A row for each classifier, episode and metric: ``estimator``, ``fold``, ``person`` (None
        without groups), ``draw``, ``shots``, ``metric``, ``label``, ``value``, ``support`` and
        ``query`` (int arrays, rows of X), ``n_unlabelled`` (unlabelled clips that the classifier
        was given), and ``fit_seconds`` (of the fold), ``adapt_seconds`` and ``predict_seconds``.
        Rows of the metric "recall" hold the recall of the class in ``label``, which is None in
        all others. ``rows.to_csv`` and ``rows.to_parquet`` save them.
    metrics : dict of str to Metric
        By name, in the order in which they were given.
    unit : {"people", "classes", "folds"}
        Over what intervals and tests are taken: people; without groups classes where all are
        novel (of balanced accuracy, by recalls), else folds.
    skipped : list
        Test people from whom no episode could be drawn (``on_few="shrink"``).

    Attributes
    ----------
    estimators, metrics : list of str
        Names, in the order in which they were given.

    See Also
    --------
    stf2m_sk.inspection.ShotsDisplay : Draws it.

    Notes
    -----
    Intervals and tests are conditional on the fitted models: they say how these fits would do on
    other people, not how much another fit would differ.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import FewShotProtocol, few_shot_score
    >>> data = make_emotion_views(n_people=4, n_emotions=2, random_state=0)
    >>> protocol = FewShotProtocol(shots=1, random_state=0)
    >>> result = few_shot_score(
    ...     GaussianNB(), data.views, data.target, groups=data.groups, protocol=protocol, cv=2
    ... )
    >>> result.rows.query("metric == 'balanced_accuracy'").groupby("person")["value"].mean().shape
    (4,)
    """

    def __init__(
        self, rows: pd.DataFrame, metrics: dict[str, Metric], unit: str, skipped: list
    ) -> None:
        self.rows = rows
        self.estimators = list(rows["estimator"].unique())
        self.metrics = list(metrics)
        self.unit = unit
        self.skipped = list(skipped)
        self._metrics = dict(metrics)

    def units(self, metric: str | None = None) -> pd.DataFrame:
        """Mean of each unit, its episodes averaged first.

        Parameters
        ----------
        metric : str, default=None
            One of `metrics`; None for the first.

        Returns
        -------
        DataFrame
            A column for each classifier; the index holds shots and units.

        Raises
        ------
        ValueError
            If the metric was not scored.
        """
        metric = self._known(metric)
        unit = self._unit_of(metric)
        rows = self.rows[self.rows["metric"] == (RECALL if unit == "classes" else metric)]
        means = rows.groupby(["shots", _COLUMN[unit], "estimator"], sort=False)["value"].mean()
        return means.unstack("estimator")[self.estimators]

    def summary(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Mean and Student's t interval for each classifier, metric and number of shots.

        Parameters
        ----------
        confidence : float, default=0.95
            Level of the intervals.

        Returns
        -------
        DataFrame
            Columns ``estimator``, ``metric``, ``shots``, ``mean``, ``low``, ``high``, the number
            of units and ``n_episodes``. A single unit has no interval (NaN). Intervals of metrics
            that are between 0 and 1 are cut there; those of other callables are not.

        Raises
        ------
        ValueError
            If the level is not between 0 and 1.
        """
        means = {metric: list(self._by_shots(metric)) for metric in self.metrics}
        scored = self.rows[self.rows["metric"] == self.metrics[0]]
        n_episodes = scored.groupby("shots").size() // len(self.estimators)
        rows = []
        for name, metric in product(self.estimators, self.metrics):
            for shots, own in means[metric]:
                low, high = interval(own[name], confidence)
                if self._metrics[metric].is_proportion:
                    low, high = np.clip([low, high], 0.0, 1.0)
                row = {"estimator": name, "metric": metric, "shots": shots}
                row |= {"mean": own[name].mean(), "low": low, "high": high}
                row[f"n_{self._unit_of(metric)}"] = len(own)
                rows.append(row | {"n_episodes": n_episodes[shots]})
        return pd.DataFrame(rows)

    def differences(
        self, metric: str | None = None, *, reference: str | None = None, confidence: float = 0.95
    ) -> pd.DataFrame:
        """Paired differences, first minus second, for each pair and number of shots.

        Parameters
        ----------
        metric : str, default=None
            None for the first.
        reference : str, default=None
            Compare only this classifier with each other one; None compares all pairs.
        confidence : float, default=0.95
            Level of the intervals, each for itself: not corrected for their number.

        Returns
        -------
        DataFrame
            Columns ``metric``, ``shots``, ``first``, ``second``, ``difference``, ``low``,
            ``high``, the number of units, ``p`` (Wilcoxon's signed-rank test over people) and
            ``p_holm`` (Holm's correction over all rows). No test is claimed (NaN) under 6 people,
            where even the clearest is not below 0.05, nor over classes or folds, which are not
            independent.

        Raises
        ------
        ValueError
            If there is one classifier only, or a name is not known.
        """
        metric = self._known(metric)
        rows = []
        for shots, own in self._by_shots(metric):
            for first, second in self._pairs(reference):
                values = (own[first] - own[second]).to_numpy()
                low, high = interval(values, confidence)
                row = {"metric": metric, "shots": shots, "first": first, "second": second}
                row |= {"difference": values.mean(), "low": low, "high": high}
                row[f"n_{self._unit_of(metric)}"] = len(values)
                p_value = paired_p_value(values) if self.unit == "people" else np.nan
                rows.append(row | {"p": p_value})
        frame = pd.DataFrame(rows)
        return frame.assign(p_holm=holm(frame["p"]))

    def ranking(self, metric: str | None = None) -> pd.DataFrame:
        """The classifiers in the order of their mean rank over units, for each number of shots.

        Parameters
        ----------
        metric : str, default=None
            None for the first.

        Returns
        -------
        DataFrame
            Columns ``metric``, ``shots``, ``estimator``, ``mean_rank`` (1 is best; ties share
            their ranks) and ``mean``.

        Raises
        ------
        ValueError
            If the metric was not scored.
        """
        metric = self._known(metric)
        frames = []
        for shots, own in self._by_shots(metric):
            ascending = not self._metrics[metric].greater_is_better
            ranks = own.round(12).rank(axis=1, ascending=ascending).mean()
            frame = pd.DataFrame({"mean_rank": ranks, "mean": own.mean()}).rename_axis("estimator")
            frame = frame.sort_values("mean_rank", kind="stable").reset_index()
            frames.append(pd.DataFrame({"metric": metric, "shots": shots}, frame.index).join(frame))
        return pd.concat(frames, ignore_index=True)

    def __repr__(self) -> str:
        return f"Mean over {self.unit} with 95 % interval\n{self.summary().round(3).to_string()}"

    def _repr_html_(self) -> str:
        return self.summary().round(3).to_html()

    def _by_shots(self, metric: str) -> Iterator[tuple[int, pd.DataFrame]]:
        for shots, own in self.units(metric).groupby(level="shots"):
            yield shots, own.droplevel("shots")

    def _known(self, metric: str | None) -> str:
        if metric is not None and metric not in self._metrics:
            raise ValueError(f"metric={metric!r} was not scored; there are {self.metrics}.")
        return self.metrics[0] if metric is None else metric

    def _unit_of(self, metric: str) -> str:
        is_of_classes = self.unit == "classes" and metric != _OF_CLASSES
        return "folds" if is_of_classes else self.unit

    def _pairs(self, reference: str | None) -> list[tuple[str, str]]:
        if len(self.estimators) < 2:
            raise ValueError("there is one classifier only; use compare_few_shot with several.")
        if reference is None:
            return list(combinations(self.estimators, 2))
        if reference not in self.estimators:
            raise ValueError(f"reference={reference!r}, but it must be one of {self.estimators}.")
        return [(reference, name) for name in self.estimators if name != reference]

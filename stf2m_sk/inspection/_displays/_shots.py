"""Scores over the number of labelled clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk.inspection._displays._style import (
    COLOURS,
    LINES,
    MARKERS,
    single_axes,
    without_frame,
    words,
)
from stf2m_sk.model_selection import few_shot_score

__all__ = ["ShotsDisplay"]


@dataclass(eq=False, repr=False)
class ShotsDisplay:
    """Mean score and 95 % interval of classifiers over the number of labelled clips per class.

    Make it with `from_result` or `from_estimator`.

    Parameters
    ----------
    names : tuple of str
        Of the classifiers.
    shots : int array of shape (n_shots,)
        Labelled clips per class.
    mean, low, high : float64 array of shape (n_names, n_shots)
        Mean and interval over the units; NaN where a classifier has no score.
    metric : str
        What was scored.
    unit : {"people", "classes", "folds"}
        Over what means and intervals are taken.
    n_units : int
        Most of them at any number of shots.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The curves.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import ShotsDisplay
    >>> from stf2m_sk.model_selection import FewShotProtocol
    >>> data = make_emotion_views(n_people=4, n_emotions=2, random_state=0)
    >>> display = ShotsDisplay.from_estimator(
    ...     GaussianNB(), data.views, data.target, groups=data.groups, cv=2,
    ...     protocol=FewShotProtocol(shots=(1, 2), random_state=0),
    ... )
    >>> display.shots.tolist(), display.mean.shape, display.unit
    ([1, 2], (1, 2), 'people')
    """

    names: tuple[str, ...]
    shots: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    metric: str
    unit: str
    n_units: int

    @classmethod
    def from_estimator(
        cls, classifier: Any, X: Any, y: ArrayLike, *, metric: str | None = None, **how: Any
    ) -> ShotsDisplay:
        """Score a classifier on people left out and keep what is drawn.

        Parameters
        ----------
        classifier, X, y : as of `few_shot_score`
            What is scored, and clips with their labels.
        metric : str, default=None
            As of `from_result`.
        **how
            Other parameters of `few_shot_score`, such as groups and protocol.

        Returns
        -------
        ShotsDisplay

        Raises
        ------
        ValueError, TypeError
            As `few_shot_score` and `from_result`.
        """
        return cls.from_result(few_shot_score(classifier, X, y, **how), metric=metric)

    @classmethod
    def from_result(cls, result: Any, *, metric: str | None = None) -> ShotsDisplay:
        """Take scores that are there.

        Parameters
        ----------
        result : FewShotResult
            Of `few_shot_score` or `compare_few_shot`.
        metric : str, default=None
            None: the first that was scored.

        Returns
        -------
        ShotsDisplay

        Raises
        ------
        ValueError
            If the metric was not scored over the units of the result.
        """
        rows = result.summary()
        scored = list(rows["metric"].unique())
        if metric is not None and metric not in scored:
            raise ValueError(
                f"metric={metric!r} was not scored over {result.unit}; there are {scored}"
            )
        metric = scored[0] if metric is None else metric
        rows = rows[rows["metric"] == metric]
        table = rows.pivot(index="estimator", columns="shots", values=["mean", "low", "high"])
        mean, low, high = (table[name].loc[result.estimators] for name in ("mean", "low", "high"))
        names = tuple(result.estimators)
        n_units = int(rows[f"n_{result.unit}"].max())
        ends = low.to_numpy(), high.to_numpy()
        return cls(
            names, mean.columns.to_numpy(), mean.to_numpy(), *ends, metric, result.unit, n_units
        )

    def plot(self, ax: Any = None) -> ShotsDisplay:
        """Draw a line with intervals for each classifier.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ShotsDisplay
            Itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = single_axes(ax, (7.5, 4.5))
        self.figure_ = ax.figure
        apart = 0.012 * max(np.ptp(self.shots), 1)  # aside, so that no interval hides another
        for i, name in enumerate(self.names):
            reach = [self.mean[i] - self.low[i], self.high[i] - self.mean[i]]
            ax.errorbar(
                self.shots + apart * (i - (len(self.names) - 1) / 2),
                self.mean[i],
                yerr=np.nan_to_num(reach),
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                linestyle=LINES[i % len(LINES)],
                capsize=3,
                label=name or None,
            )
        ax.set_xticks(self.shots)
        ax.set_xlabel("labelled clips per class (shots)")
        ax.set_ylabel(words(self.metric))
        ax.set_title(f"Mean over {self.n_units} {self.unit}, 95 % interval", loc="left")
        ax.grid(axis="y", color="#E6E6E6", linewidth=0.8)
        ax.set_axisbelow(True)
        without_frame(ax)
        if len(self.names) > 1:
            ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        return self

"""What is taken for what, averaged over people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_labels
from stf2m_sk.inspection._displays._people import class_means, over_people, people_of
from stf2m_sk.inspection._displays._style import INK, single_axes, words
from stf2m_sk.person import join_labels

__all__ = ["ConfusionDisplay"]


@dataclass(eq=False, repr=False)
class ConfusionDisplay:
    """Shares of the clips of each emotion that are taken for each other one: means over people.

    Every person counts alike, however many clips they have. Make it with `from_estimator` or
    `from_predictions`.

    Parameters
    ----------
    classes : array of shape (n_classes,)
        Rows and columns.
    mean : float64 array of shape (n_classes, n_classes)
        Of the clips of the row's emotion, the share taken for the column's. NaN without clips.
    low, high : float64 array of shape (n_classes, n_classes)
        95 % interval over people; NaN of a single person.
    n_people : int array of shape (n_classes,)
        People with clips of the row's emotion.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The matrix.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> from stf2m_sk.inspection import ConfusionDisplay
    >>> display = ConfusionDisplay.from_predictions(
    ...     ["joy", "joy", "joy", "calm"], ["joy", "calm", "joy", "calm"], groups=[1, 1, 2, 2]
    ... )
    >>> display.mean.tolist(), display.n_people.tolist()
    ([[1.0, 0.0], [0.25, 0.75]], [1, 2])
    """

    classes: NDArray
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_people: NDArray[np.int64]

    @classmethod
    def from_estimator(
        cls, classifier: Any, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None
    ) -> ConfusionDisplay:
        """Predict clips and count.

        Parameters
        ----------
        classifier : fitted classifier
            Of any kind that predicts X.
        X : as in `STF2MClassifier.fit`
            Clips, best of people who were not trained on.
        y : array-like of shape (n_clips,)
            Their labels.
        groups : array-like of shape (n_clips,), default=None
            Their people; None: all are one person's.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        NotFittedError, ValueError
            As `predict` of the classifier and `from_predictions`.
        """
        return cls.from_predictions(y, classifier.predict(X), groups=groups)

    @classmethod
    def from_predictions(
        cls, y_true: ArrayLike, y_pred: ArrayLike, *, groups: ArrayLike | None = None
    ) -> ConfusionDisplay:
        """Count predictions that are there.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_clips,)
            Labels and predictions.
        groups : array-like of shape (n_clips,), default=None
            People; None: all clips are one person's.

        Returns
        -------
        ConfusionDisplay

        Raises
        ------
        ValueError
            If the lengths differ or a label is missing.
        TypeError
            If one of labels and predictions is text and the other numbers.
        """
        found = check_labels(y_pred, None, name="y_pred")
        true = check_labels(y_true, None, name="y_true")
        if len(true) != len(found):
            raise ValueError(
                f"y_true has {len(true)} labels and y_pred {len(found)}: give both for each clip"
            )
        people = people_of(groups, len(true))
        classes = np.unique(join_labels([true, found]))
        hits = (found[:, None] == classes).astype(np.float64)
        means = class_means(hits, true, people, classes)  # (n_people, n_classes, n_classes)
        summary = over_people(means.reshape(len(means), -1)).reshape(len(classes), -1, 3)
        low, high = np.clip(summary[..., 1:], 0.0, 1.0).transpose(2, 0, 1)
        n_people = (~np.isnan(means[:, :, 0])).sum(axis=0)
        return cls(classes, summary[..., 0], low, high, n_people)

    def plot(self, ax: Any = None) -> ConfusionDisplay:
        """Draw the matrix: mean share in percent, below it the interval.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ConfusionDisplay
            Itself, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.classes)
        self.ax_ = ax = single_axes(ax, (2.6 + 1.05 * n, 1.6 + 0.95 * n))
        self.figure_ = ax.figure
        image = ax.imshow(self.mean, cmap="cividis_r", vmin=0, vmax=1)
        for row, column in np.ndindex(n, n):
            self._write(row, column)
        names = [words(label) for label in self.classes.tolist()]
        counts = [f"{count} {'person' if count == 1 else 'people'}" for count in self.n_people]
        ax.set_yticks(range(n), [f"{a}\n({b})" for a, b in zip(names, counts, strict=True)])
        ax.set_xticks(range(n), [name.replace(" ", "\n") for name in names])
        ax.set_ylabel("emotion")
        ax.set_xlabel("predicted")
        ax.set_title("Share of each emotion's clips (%):\nmean over people, 95 % interval")
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        self.figure_.colorbar(image, ax=ax, shrink=0.8, label="share")
        return self

    def _write(self, row: int, column: int) -> None:
        mean, low, high = (own[row, column] for own in (self.mean, self.low, self.high))
        if np.isnan(mean):
            self.ax_.text(column, row, "no clips", ha="center", va="center", color=INK)
            return
        colour = "white" if mean > 0.5 else INK  # the map is dark above
        text = f"{100 * mean:.0f}"
        if np.isnan(low):
            self.ax_.text(column, row, text, ha="center", va="center", color=colour)
            return
        self.ax_.text(column, row - 0.12, text, ha="center", va="center", color=colour)
        self.ax_.text(
            column,
            row + 0.22,
            f"{100 * low:.0f}–{100 * high:.0f}",
            ha="center",
            va="center",
            color=colour,
            fontsize="x-small",
        )

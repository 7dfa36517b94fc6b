"""One pattern rule: what it looks for, windows in which it finds it, and in which emotions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_labels, torch_threads
from stf2m_sk.fuzzy import Pattern
from stf2m_sk.inspection._displays._firing import fire, windows_that_fire
from stf2m_sk.inspection._displays._people import class_means, people_of
from stf2m_sk.inspection._displays._rule_panels import draw_firing, draw_row
from stf2m_sk.inspection._displays._style import grid_of, words
from stf2m_sk.inspection._explain import unwrap
from stf2m_sk.views import as_views

__all__ = ["RuleDisplay"]


@dataclass(eq=False, repr=False)
class RuleDisplay:
    """A pattern rule with its prototype, windows that fire it, and how it fires in each emotion.

    Make it with `from_estimator`.

    Parameters
    ----------
    rule : str
        Its name, such as "eda_pattern3".
    pattern : Pattern
        What it looks for, in the units of the recording.
    spread : float64 array of shape (n_rows, n_taps)
        Deviation from the prototype of windows of the clips, weighted by their membership.
    windows : float64 array of shape (n_windows, n_rows, n_taps)
        The windows with the largest membership, one a clip; where the rule looks at shape
        alone, moved and scaled to the prototype.
    clips : int array of shape (n_windows,)
        Clips that they are from.
    labels : array of shape (n_windows,)
        Emotions of these clips.
    classes : array of shape (n_classes,)
        Emotions.
    firing : float64 array of shape (n_people, n_classes)
        Mean firing strength: the share of the time that the rule fires. NaN where a person has
        no such clip.

    Attributes
    ----------
    axes_ : array of Axes of shape (n_rows,)
        Prototype and windows.
    ax_ : matplotlib Axes
        Firing in each emotion.
    figure_ : matplotlib Figure
        Of all.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import RuleDisplay
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, n_patterns=32, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> display = RuleDisplay.from_estimator(
    ...     clf, data.views, data.target, rule="skin_pattern3", groups=data.groups)
    >>> print(display.pattern)
    level of skin (0), -1 to 1 s
    >>> display.windows.shape, display.firing.shape
    ((5, 1, 9), (4, 4))
    """

    rule: str
    pattern: Pattern
    spread: NDArray[np.float64]
    windows: NDArray[np.float64]
    clips: NDArray[np.intp]
    labels: NDArray
    classes: NDArray
    firing: NDArray[np.float64]

    @classmethod
    def from_estimator(
        cls,
        classifier: Any,
        X: Any,
        y: ArrayLike,
        *,
        rule: object,
        groups: ArrayLike | None = None,
        n_windows: int = 5,
    ) -> RuleDisplay:
        """Let a rule look at clips.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted; a Pipeline ends in one.
        X : as in `STF2MClassifier.fit`
            Clips.
        y : array-like of shape (n_clips,)
            Their labels.
        rule : str or RuleName
            A pattern rule, such as "eda_pattern3": see ``Explanation.rules``.
        groups : array-like of shape (n_clips,), default=None
            People of the clips; None: all are one person's, and there are no intervals.
        n_windows : int, default=5
            How many windows are kept.

        Returns
        -------
        RuleDisplay

        Raises
        ------
        NotFittedError, TypeError
            As `explain`.
        ValueError
            If X, y and groups do not fit together, or there is no such pattern rule.
        """
        classifier, X = unwrap(classifier, X)
        views = as_views(X, classifier.schema_)
        labels = check_labels(y, len(views))
        people = people_of(groups, len(views))
        with torch_threads(classifier.n_threads):
            fired = fire(classifier.model_, views, str(rule))
        spread, windows, clips = windows_that_fire(fired, n_windows)
        classes = np.unique(labels)
        firing = class_means(fired.strength, labels, people, classes)
        shown = clips, labels[clips], classes
        return cls(str(rule), fired.pattern, spread, windows, *shown, firing)

    def plot(self, ax: Any = None) -> RuleDisplay:
        """Draw the prototype with its spread and windows, and firing strengths as bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        RuleDisplay
            Itself, with `axes_`, `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` was placed by hand.
        """
        n_rows, n_classes = len(self.pattern.prototype), len(self.classes)
        height = max(4.0, 1.6 + 0.45 * n_classes)
        self.figure_, grid = grid_of(
            ax, 1, n_rows + 1, (4.2 * n_rows + 4.6, height), width_ratios=[1] * n_rows + [1.1]
        )
        add = self.figure_.add_subplot
        self.axes_ = np.array([add(grid[0, row]) for row in range(n_rows)])
        self.ax_ = add(grid[0, n_rows])
        for row, axes in enumerate(self.axes_):
            draw_row(axes, self, row)
        title = f"{words(self.rule)}:\n{self.pattern}"
        self.axes_[0].set_title(title, loc="left", fontsize="medium")
        below = {"loc": "upper left", "bbox_to_anchor": (-0.05, -0.2), "ncols": 2}
        self.axes_[0].legend(frameon=False, fontsize="x-small", **below)
        draw_firing(self.ax_, self)
        return self

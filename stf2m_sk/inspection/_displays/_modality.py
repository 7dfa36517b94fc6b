"""How much each modality matters, and what is left without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_labels
from stf2m_sk.inspection._displays._importance import contribution_sizes, without_modalities
from stf2m_sk.inspection._displays._people import (
    class_means,
    over_people,
    people_of,
)
from stf2m_sk.inspection._displays._style import (
    AGAINST,
    FAINT,
    FOR,
    draw_intervals,
    grid_of,
    without_frame,
    words,
)
from stf2m_sk.inspection._explain import explain
from stf2m_sk.recordings._reading import expected_schema
from stf2m_sk.views import as_views

__all__ = ["ModalityDisplay"]

_HEADS = ("Size of the contributions", "Accuracy lost without it", "Accuracy left")


@dataclass(eq=False, repr=False)
class ModalityDisplay:
    """Importance of each modality with intervals over people, and accuracy as they go missing.

    Make it with `from_estimator`.

    Parameters
    ----------
    modalities : tuple of str
        The most important first, by `drop`.
    contribution : float64 array of shape (n_people, n_modalities)
        Mean absolute contribution to a logit, relative to the mean over emotions.
    drop : float64 array of shape (n_people, n_modalities)
        Balanced accuracy with all modalities less that without this one.
    curve : float64 array of shape (2, n_people, n_modalities)
        Balanced accuracy without the first 0, 1, ... modalities: the most important ones go
        first, or the least important ones.

    Attributes
    ----------
    axes_ : array of Axes of shape (3,)
        Contribution, drop and curve.
    figure_ : matplotlib Figure
        Of all.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import ModalityDisplay
    >>> data = make_emotion_views(n_people=6, missing=0, random_state=0)
    >>> views = data.views.select("skin", "pulse")
    >>> new = np.isin(data.groups, ["person_4", "person_5"])
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, random_state=0)
    >>> clf = clf.fit(views[~new], data.target[~new], groups=data.groups[~new])
    >>> display = ModalityDisplay.from_estimator(
    ...     clf, views[new], data.target[new], groups=data.groups[new])
    >>> sorted(display.modalities), display.drop.shape, display.curve.shape
    (['pulse', 'skin'], (2, 2), (2, 2, 2))
    """

    modalities: tuple[str, ...]
    contribution: NDArray[np.float64]
    drop: NDArray[np.float64]
    curve: NDArray[np.float64]

    @classmethod
    def from_estimator(
        cls, classifier: Any, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None
    ) -> ModalityDisplay:
        """Explain clips, and predict them without some of their modalities.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted or adapted; a Pipeline ends in one.
        X : as in `STF2MClassifier.fit`
            Clips, best of people who were not trained on. Those in which a modality is absent
            are left out, so that all accuracies are of the same clips.
        y : array-like of shape (n_clips,)
            Their labels.
        groups : array-like of shape (n_clips,), default=None
            Their people; None: all are one person's, and there are no intervals.

        Returns
        -------
        ModalityDisplay

        Raises
        ------
        NotFittedError, TypeError
            As `explain`.
        ValueError
            If X, y and groups do not fit together, there is one modality only, or no clip has
            all of them.
        """
        views = as_views(X, expected_schema(classifier))
        labels = check_labels(y, len(views))
        people = people_of(groups, len(views))
        names = explain(classifier, views[:1]).modalities
        if len(names) < 2:
            raise ValueError(f"one modality cannot be compared with others, got {list(names)}")
        complete = views.select(*names).present.all(axis=1)
        if not complete.any():
            raise ValueError(f"no clip has all of the modalities {list(names)}")
        views, labels, people = views[complete], labels[complete], people[complete]

        def accuracy(without: tuple[str, ...]) -> NDArray[np.float64]:
            """Balanced accuracy of each person."""
            found = classifier.predict(without_modalities(views, without))
            hits = (found == labels).astype(np.float64)
            return np.nanmean(class_means(hits, labels, people, np.unique(labels)), axis=1)

        whole = accuracy(())
        drop = np.stack([whole - accuracy((name,)) for name in names], axis=1)
        order = np.argsort(-drop.mean(axis=0), kind="stable")
        ranked = tuple(names[i] for i in order)
        curve = [
            [whole, *(accuracy(way[:n]) for n in range(1, len(ranked)))]
            for way in (ranked, ranked[::-1])
        ]
        sizes = contribution_sizes(classifier, views, people)
        return cls(ranked, sizes[:, order], drop[:, order], np.array(curve).transpose(0, 2, 1))

    def plot(self, ax: Any = None) -> ModalityDisplay:
        """Draw contributions, drops of accuracy and the curve; a faint point for each person.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        ModalityDisplay
            Itself, with `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` was placed by hand.
        """
        n = len(self.modalities)
        self.figure_, grid = grid_of(ax, 1, 3, (13, 2.2 + 0.45 * n), width_ratios=[1, 1, 1.2])
        add = self.figure_.add_subplot
        first = add(grid[0, 0])
        self.axes_ = np.array([first, add(grid[0, 1], sharey=first), add(grid[0, 2])])
        for axes, values in zip(self.axes_[:2], (self.contribution, self.drop), strict=True):
            places = np.arange(n)
            axes.plot(values.T, places + 0.22, ".", color=FAINT, alpha=0.5, markersize=4)
            draw_intervals(axes, places, over_people(values), color=FOR, marker="o")
            axes.axvline(0, color=FAINT, linewidth=0.6)
        first.set_yticks(range(n), [words(name) for name in self.modalities])
        first.set_ylim(n - 0.5, -0.5)
        first.set_xlabel("mean absolute contribution to a logit")
        self.axes_[1].tick_params(labelleft=False)
        self.axes_[1].set_xlabel("balanced accuracy")
        self._draw_curve(self.axes_[2])
        for axes, head in zip(self.axes_, _HEADS, strict=True):
            axes.set_title(head, loc="left")
            without_frame(axes)
        return self

    def _draw_curve(self, axes: Any) -> None:
        looks = [
            {"color": AGAINST, "marker": "s", "linestyle": "--", "label": "most important first"},
            {"color": FOR, "marker": "o", "linestyle": "-", "label": "least important first"},
        ]
        for i, (values, look) in enumerate(zip(self.curve, looks, strict=True)):
            mean, low, high = over_people(values).T
            missing = np.arange(values.shape[1]) + 0.06 * (i - 0.5)
            reach = np.nan_to_num([mean - low, high - mean])
            axes.errorbar(missing, mean, yerr=reach, capsize=3, **look)
        axes.set_xticks(range(self.curve.shape[2]))
        axes.set_ylim(0, 1)
        axes.set_xlabel("modalities that are missing")
        axes.set_ylabel("balanced accuracy")
        axes.legend(frameon=False, fontsize="small", loc="lower left")

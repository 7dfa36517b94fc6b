"""Clips in the plane in which their features spread most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from stf2m_sk._validation import check_labels, torch_threads
from stf2m_sk.inspection._displays._people import people_of, person_rows, share_between
from stf2m_sk.inspection._displays._style import (
    FAINT,
    MARKERS,
    grid_of,
    without_frame,
    words,
)
from stf2m_sk.inspection._explain import unwrap
from stf2m_sk.nn.population import shift_known
from stf2m_sk.recordings._optional import require
from stf2m_sk.views import as_views

__all__ = ["EmbeddingDisplay"]

_MOST_NAMED = 8  # people in the key
_TITLES = ("Features as they are", "Each person's shift taken off")


@dataclass(eq=False, repr=False)
class EmbeddingDisplay:
    """Features of clips in two principal components, before and after each person's shift is off.

    Make it with `from_estimator`.

    Parameters
    ----------
    points : float64 array of shape (2, n_clips, 2)
        Before and after: coordinates of the clips.
    explained : float64 array of shape (2, 2)
        Share of the variance that each component has.
    between_people, between_emotions : float64 array of shape (2,)
        Share of the variance of all features that lies between people, and between emotions.
    labels, people : array of shape (n_clips,)
        Emotion and person of each clip.

    Attributes
    ----------
    axes_ : array of Axes of shape (2,)
        Before and after.
    figure_ : matplotlib Figure
        Of both.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import EmbeddingDisplay
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> display = EmbeddingDisplay.from_estimator(
    ...     clf, data.views, data.target, groups=data.groups)
    >>> bool(display.between_people[1] < display.between_people[0])
    True
    """

    points: NDArray[np.float64]
    explained: NDArray[np.float64]
    between_people: NDArray[np.float64]
    between_emotions: NDArray[np.float64]
    labels: NDArray
    people: NDArray

    @classmethod
    def from_estimator(
        cls, classifier: Any, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None
    ) -> EmbeddingDisplay:
        """Compute features and principal components.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted; a Pipeline ends in one.
        X : as in `STF2MClassifier.fit`
            Clips, at least 3.
        y : array-like of shape (n_clips,)
            Their labels.
        groups : array-like of shape (n_clips,), default=None
            Their people; None: all are one person's.

        Returns
        -------
        EmbeddingDisplay
            The shift of a person is the mean of all their features, as far as `adapt` takes it
            for known after as many unlabelled clips.

        Raises
        ------
        NotFittedError, TypeError
            As `explain`.
        ValueError
            If X, y and groups do not fit together, or there are fewer than 3 clips.
        """
        classifier, X = unwrap(classifier, X)
        model = classifier.model_
        views = as_views(X, model.schema)
        labels = check_labels(y, len(views))
        people = people_of(groups, len(views))
        if len(views) < 3:
            raise ValueError(f"a plane needs at least 3 clips, got {len(views)}")
        with torch_threads(classifier.n_threads):
            before = model.embed(views).numpy().astype(np.float64)
        after = before.copy()
        for rows in person_rows(people):
            after[rows] -= shift_known(len(rows), model.numbers) * before[rows].mean(axis=0)
        planes = [PCA(2, random_state=0).fit(features) for features in (before, after)]
        pairs = list(zip(planes, (before, after), strict=True))
        return cls(
            points=np.stack([plane.transform(features) for plane, features in pairs]),
            explained=np.stack([plane.explained_variance_ratio_ for plane in planes]),
            between_people=np.array([share_between(f, people) for f in (before, after)]),
            between_emotions=np.array([share_between(f, labels) for f in (before, after)]),
            labels=labels,
            people=people,
        )

    def plot(self, ax: Any = None) -> EmbeddingDisplay:
        """Draw both panels: small signs for clips, large ones for means of a person's emotion.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        EmbeddingDisplay
            Itself, with `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` was placed by hand.
        """
        self.figure_, grid = grid_of(ax, 1, 2, (12, 5.2))
        add = self.figure_.add_subplot
        self.axes_ = np.array([add(grid[0, i]) for i in range(2)])
        for i, axes in enumerate(self.axes_):
            self._draw(axes, self.points[i])
            shares = (
                f"{100 * self.between_people[i]:.0f} % of the variance between people, "
                f"{100 * self.between_emotions[i]:.0f} % between emotions"
            )
            axes.set_title(f"{_TITLES[i]}:\n{shares}", loc="left", fontsize="medium")
            for set_label, j in ((axes.set_xlabel, 0), (axes.set_ylabel, 1)):
                set_label(f"component {j + 1} ({100 * self.explained[i, j]:.0f} %)")
            axes.tick_params(labelsize="small", labelcolor=FAINT)
            without_frame(axes)
        self._draw_key(self.axes_[1])
        return self

    def _colours(self) -> dict:
        people = np.unique(self.people).tolist()
        colours = require("matplotlib", "plot").colormaps["viridis"]
        return {
            person: colours(0.9 * i / max(len(people) - 1, 1)) for i, person in enumerate(people)
        }

    def _draw(self, axes: Any, points: NDArray[np.float64]) -> None:
        for person, colour in self._colours().items():
            for marker, label in zip(_markers(), np.unique(self.labels).tolist(), strict=False):
                own = points[(self.people == person) & (self.labels == label)]
                if not len(own):
                    continue
                look = {"marker": marker, "color": [colour]}
                axes.scatter(*own.T, s=9, alpha=0.3, linewidths=0, zorder=1, **look)
                look = {"marker": marker, "facecolor": [colour], "edgecolor": "white"}
                axes.scatter(*own.mean(axis=0), s=70, linewidths=0.8, zorder=2, **look)

    def _draw_key(self, axes: Any) -> None:
        emotions = np.unique(self.labels).tolist()
        for marker, label in zip(_markers(), emotions, strict=False):
            axes.scatter([], [], marker=marker, color=FAINT, s=50, label=words(label))
        colours = self._colours()
        if len(colours) <= _MOST_NAMED:
            for person, colour in colours.items():
                axes.plot([], [], color=colour, linewidth=5, label=str(person))
        else:
            axes.plot([], [], color="none", label=f"colour: one of {len(colours)} people")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")


def _markers() -> list[str]:
    return list(MARKERS) * 10  # signs come again where there are very many emotions

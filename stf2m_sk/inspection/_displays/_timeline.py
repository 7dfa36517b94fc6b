"""Probabilities over a recording, and what they consist of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.inspection._displays._style import grid_of, single_axes, words
from stf2m_sk.inspection._displays._timeline_rows import draw_terms
from stf2m_sk.inspection._timeline import TimelineExplanation, explain_timeline
from stf2m_sk.recordings import Timeline

__all__ = ["TimelineDisplay"]


@dataclass(eq=False, repr=False)
class TimelineDisplay:
    """Probabilities of emotions over time; below them the contributions, where there are any.

    Make it with `from_timeline`, `from_explanation` or `from_estimator`.

    Parameters
    ----------
    timeline : Timeline
        Windows and their probabilities.
    annotations : DataFrame, default=None
        As of `Timeline.plot`.
    terms : dict of str to float64 array of shape (n_windows,), default=None
        Contributions of the modalities, "person" and "networks", each less its mean over
        emotions.
    emotion : label, default=None
        What the contributions are for; None: in each window its most probable emotion.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Probabilities.
    axes_ : array of Axes of shape (n_terms,)
        Contributions.
    figure_ : matplotlib Figure
        Of all.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.inspection import TimelineDisplay
    >>> from stf2m_sk.recordings import Timeline
    >>> timeline = Timeline(
    ...     start=np.array([0.0, 5.0]), end=np.array([5.0, 10.0]),
    ...     probabilities=np.array([[0.9, 0.1], [0.3, 0.7]]), classes=np.array(["calm", "joy"]),
    ... )
    >>> TimelineDisplay.from_timeline(timeline).timeline.labels.tolist()
    ['calm', 'joy']
    """

    timeline: Timeline
    annotations: pd.DataFrame | None = None
    terms: dict[str, NDArray[np.float64]] | None = None
    emotion: object = None

    @classmethod
    def from_timeline(
        cls, timeline: Timeline, *, annotations: pd.DataFrame | None = None
    ) -> TimelineDisplay:
        """Take a timeline as it is, without contributions.

        Parameters
        ----------
        timeline : Timeline
            Of `predict_timeline`.
        annotations : DataFrame, default=None
            Columns start, end and label, such as those of the recording.

        Returns
        -------
        TimelineDisplay
        """
        return cls(timeline, annotations)

    @classmethod
    def from_explanation(
        cls,
        explanation: TimelineExplanation,
        *,
        annotations: pd.DataFrame | None = None,
        emotion: object = None,
    ) -> TimelineDisplay:
        """Take a timeline and its contributions.

        Parameters
        ----------
        explanation : TimelineExplanation
            Of `explain_timeline`.
        annotations : DataFrame, default=None
            As of `from_timeline`.
        emotion : label, default=None
            What contributions are for; None: in each window its most probable emotion.

        Returns
        -------
        TimelineDisplay

        Raises
        ------
        ValueError
            If the emotion is none of the timeline's.
        """
        timeline = explanation.timeline
        classes = timeline.classes.tolist()
        if emotion is not None and emotion not in classes:
            raise ValueError(f"{emotion!r} is none of the emotions {classes}")
        likeliest = np.nan_to_num(timeline.probabilities).argmax(axis=1)
        place = likeliest if emotion is None else np.full(len(timeline), classes.index(emotion))
        named = dict(zip(explanation.modalities, explanation.by_modality.T, strict=True))
        named |= {"person": explanation.by_person.T, "networks": explanation.by_networks.T}
        rows = np.arange(len(timeline))
        # A logit means something beside the others only.
        terms = {name: (own - own.mean(axis=0))[place, rows] for name, own in named.items()}
        return cls(timeline, annotations, terms, emotion)

    @classmethod
    def from_estimator(
        cls,
        classifier: Any,
        recording: Any,
        *,
        window: float,
        step: float | None = None,
        unlabelled: bool = True,
        emotion: object = None,
    ) -> TimelineDisplay:
        """Explain a recording; its annotations, if it has labels, are drawn, too.

        Parameters
        ----------
        classifier, recording, window, step, unlabelled : as of `explain_timeline`
            What predicts, and what it is given.
        emotion : label, default=None
            As of `from_explanation`.

        Returns
        -------
        TimelineDisplay

        Raises
        ------
        NotFittedError, RecordingError, TypeError, ValueError
            As `explain_timeline` and `from_explanation`.
        """
        how = {"window": window, "step": step, "unlabelled": unlabelled}
        explanation = explain_timeline(classifier, recording, **how)
        table = recording.annotations
        has_labels = table is not None and "label" in table.columns
        annotations = table if has_labels else None
        return cls.from_explanation(explanation, annotations=annotations, emotion=emotion)

    def plot(self, ax: Any = None) -> TimelineDisplay:
        """Draw probabilities, a row for each emotion, and contributions, a row for each term.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; with contributions Axes of `subplots`, whose place is divided. None
            makes a figure.

        Returns
        -------
        TimelineDisplay
            Itself, with `ax_`, `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        RecordingError
            As `Timeline.plot`.
        ValueError
            If there are contributions and `ax` was placed by hand.
        """
        n = len(self.timeline.classes)
        if not self.terms:
            self.ax_ = self.timeline.plot(
                self.annotations, ax=single_axes(ax, (11, 1.6 + 0.75 * n))
            )
            self.figure_, self.axes_ = self.ax_.figure, np.empty(0, dtype=object)
            return self
        ratios = [0.75 * n, *[0.55] * len(self.terms)]
        self.figure_, grid = grid_of(
            ax, len(ratios), 1, (11, 2.6 + sum(ratios)), height_ratios=ratios
        )
        add = self.figure_.add_subplot
        self.ax_ = self.timeline.plot(self.annotations, ax=add(grid[0, 0]))
        self.axes_ = np.array(
            [add(grid[i + 1, 0], sharex=self.ax_) for i in range(len(self.terms))]
        )
        of = "each window's emotion" if self.emotion is None else words(self.emotion)
        draw_terms(self.axes_, self.ax_, self.timeline, self.terms, of)
        return self

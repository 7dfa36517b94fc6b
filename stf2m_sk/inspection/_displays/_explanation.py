"""One clip: its signals, and what in them is for an emotion and what against it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from stf2m_sk.inspection._displays._clip import (
    ClipSignal,
    check_same,
    clip_signal,
    likeliest,
    row_of,
    terms_of,
)
from stf2m_sk.inspection._displays._clip_panels import draw_signals, draw_terms
from stf2m_sk.inspection._displays._style import grid_of, words
from stf2m_sk.inspection._explain import explain
from stf2m_sk.inspection._explanation import Explanation
from stf2m_sk.recordings._reading import expected_schema
from stf2m_sk.views import as_views

__all__ = ["ExplanationDisplay"]


@dataclass(eq=False, repr=False)
class ExplanationDisplay:
    """What in a clip speaks for an emotion, and what against it.

    Make it with `from_explanation` or `from_estimator`.

    Parameters
    ----------
    output : label or str
        The emotion, or the pair "one - other".
    clip : int
        Row of the clip.
    signals : dict of str to ClipSignal
        Values, times, edges and contributions of stretches, by modality.
    terms : dict of str to float
        Contributions of the modalities, "person", "networks" and "priors": their sum is the
        logit, or the difference of two logits.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the bars of the terms.
    axes_ : array of Axes of shape (n_modalities, 2)
        Signals, and the bands of their contributions.
    figure_ : matplotlib Figure
        With all of them.

    See Also
    --------
    explain : Contributions as arrays and tables.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import ExplanationDisplay
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> display = ExplanationDisplay.from_estimator(clf, data.views, clip=3)
    >>> list(display.terms)
    ['motion', 'skin', 'pulse', 'voice', 'person', 'networks', 'priors']
    """

    output: object
    clip: int
    signals: dict[str, ClipSignal]
    terms: dict[str, float]

    @classmethod
    def from_estimator(
        cls,
        classifier: Any,
        X: Any,
        *,
        clip: int = 0,
        emotion: object = None,
        versus: object = None,
        relative_to: str = "population",
        n_stretches: int = 30,
    ) -> ExplanationDisplay:
        """Explain a clip and keep what is drawn.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted or adapted.
        X : as in `STF2MClassifier.fit`
            Clips.
        clip : int, default=0
            Which of them.
        emotion : label, default=None
            None: the most probable.
        versus : label, default=None
            Another emotion: draws the difference of the two logits.
        relative_to : {"population", "person"}, default="population"
            As of `explain`.
        n_stretches : int, default=30
            Most stretches of a modality.

        Returns
        -------
        ExplanationDisplay

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `explain` and `from_explanation`.
        """
        views = as_views(X, expected_schema(classifier))
        clip = row_of(clip, len(views))
        explanation = explain(classifier, views[[clip]], relative_to=relative_to)
        if versus is not None:
            first = likeliest(explanation, 0) if emotion is None else emotion
            explanation, emotion = explanation.versus(first, versus), None
        how = {"emotion": emotion, "n_stretches": n_stretches}
        return replace(cls.from_explanation(explanation, views[[clip]], **how), clip=clip)

    @classmethod
    def from_explanation(
        cls,
        explanation: Explanation,
        X: Any,
        *,
        clip: int = 0,
        emotion: object = None,
        n_stretches: int = 30,
    ) -> ExplanationDisplay:
        """Put the signals of a clip beside its explanation.

        Parameters
        ----------
        explanation : Explanation
            Of `explain`, or a pair of `Explanation.versus`.
        X : as in `STF2MClassifier.fit`
            The clips that were explained, with the names of their modalities.
        clip, emotion, n_stretches : as of `from_estimator`
            What is drawn.

        Returns
        -------
        ExplanationDisplay

        Raises
        ------
        ValueError
            If the clips are not those of the explanation, there is no such clip or emotion, or
            `n_stretches` is below 1.
        """
        views = as_views(X)
        check_same(views, explanation)
        clip = row_of(clip, len(explanation))
        if n_stretches < 1:
            raise ValueError(f"n_stretches must be at least 1, got {n_stretches}")
        output = likeliest(explanation, clip) if emotion is None else emotion
        if output not in explanation.names:
            raise ValueError(f"{output!r} is none of the emotions {list(explanation.names)}")
        place = explanation.names.index(output)
        signals = {
            name: clip_signal(explanation, views, name, clip, place, n_stretches)
            for name in explanation.modalities
        }
        terms = terms_of(explanation, clip, place)
        return cls(output=output, clip=clip, signals=signals, terms=terms)

    def plot(self, ax: Any = None) -> ExplanationDisplay:
        """Draw signals over time, contributions below each, and the terms of the logit as bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Of `subplots`; its place is divided among the panels. None makes a figure.

        Returns
        -------
        ExplanationDisplay
            Itself, with `ax_`, `axes_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` was placed by hand.
        """
        n = len(self.signals)
        size, ratios = (12, 1.4 + 1.35 * n), {"height_ratios": [1.6, 1.0] * n}
        self.figure_, grid = grid_of(ax, 2 * n, 2, size, width_ratios=[2.3, 1.0], **ratios)
        self.axes_ = draw_signals(self.figure_, grid, self.signals)
        self.axes_[0, 0].set_title(
            f"Clip {self.clip}: contributions to {words(self.output)}", loc="left"
        )
        self.ax_ = self.figure_.add_subplot(grid[:, 1])
        draw_terms(self.ax_, self.terms)
        return self

"""Contributions over a whole recording."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from stf2m_sk._validation import torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.inspection._explain import explain, unwrap
from stf2m_sk.person import PersonMean
from stf2m_sk.recordings import Recording, Timeline, predict_timeline
from stf2m_sk.recordings._reading import Clips, expected_schema
from stf2m_sk.views import as_views

__all__ = ["TimelineExplanation", "explain_timeline"]


@dataclass(frozen=True, eq=False, repr=False)
class TimelineExplanation:
    """A timeline, and what the logits of its windows consist of.

    Parameters
    ----------
    timeline : Timeline
        Windows and their probabilities.
    modalities : tuple of str
        Names of the modalities.
    by_modality : float64 array of shape (n_windows, n_classes, n_modalities)
        Contributions; NaN in windows in which nothing is measured.
    by_person, by_networks, by_prior : float64 array of shape (n_windows, n_classes)
        The other terms, likewise.

    See Also
    --------
    explain_timeline : Makes one.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.inspection import TimelineExplanation
    >>> from stf2m_sk.recordings import Timeline
    >>> timeline = Timeline(
    ...     start=np.array([0.0]), end=np.array([5.0]),
    ...     probabilities=np.array([[0.9, 0.1]]), classes=np.array(["calm", "joy"]),
    ... )
    >>> explained = TimelineExplanation(
    ...     timeline, ("eda",), by_modality=np.array([[[1.5], [0.0]]]),
    ...     by_person=np.array([[0.7, 0.0]]), by_networks=np.zeros((1, 2)),
    ...     by_prior=np.zeros((1, 2)),
    ... )
    >>> explained.to_frame()
       start  end emotion      term  contribution
    0    0.0  5.0    calm       eda           1.5
    1    0.0  5.0    calm    person           0.7
    2    0.0  5.0    calm  networks           0.0
    3    0.0  5.0    calm     prior           0.0
    4    0.0  5.0     joy       eda           0.0
    5    0.0  5.0     joy    person           0.0
    6    0.0  5.0     joy  networks           0.0
    7    0.0  5.0     joy     prior           0.0
    """

    timeline: Timeline
    modalities: tuple[str, ...]
    by_modality: NDArray[np.float64]
    by_person: NDArray[np.float64]
    by_networks: NDArray[np.float64]
    by_prior: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"TimelineExplanation({self.timeline!r}; {', '.join(self.modalities)})"

    def _repr_html_(self) -> str:
        means = self.to_frame().groupby(["emotion", "term"], sort=False)["contribution"].mean()
        said = f"Mean contributions over {len(self)} windows"
        return f"<p>{said}</p>{means.unstack('term').round(2).to_html()}"

    def __len__(self) -> int:
        return len(self.timeline)

    @property
    def total(self) -> NDArray[np.float64]:
        """Logits, (n_windows, n_classes): their softmax is ``timeline.probabilities``."""
        return self.by_modality.sum(axis=2) + self.by_person + self.by_networks + self.by_prior

    def to_frame(self) -> pd.DataFrame:
        """Contributions as a tidy table.

        Returns
        -------
        DataFrame
            Columns start, end, emotion, term (a modality, "person", "networks" or "prior") and
            contribution, window by window.
        """
        terms = [*self.modalities, "person", "networks", "prior"]
        others = [self.by_person, self.by_networks, self.by_prior]
        values = np.concatenate([self.by_modality, np.stack(others, axis=2)], axis=2)
        n_windows, n_classes, n_terms = values.shape
        labels = np.array([*self.timeline.classes.tolist(), None], dtype=object)[:-1]
        return pd.DataFrame(
            {
                "start": np.repeat(self.timeline.start, n_classes * n_terms),
                "end": np.repeat(self.timeline.end, n_classes * n_terms),
                "emotion": np.tile(np.repeat(labels, n_terms), n_windows),
                "term": np.tile(np.array(terms, dtype=object), n_windows * n_classes),
                "contribution": values.ravel(),
            }
        )


def explain_timeline(
    classifier: STF2MClassifier | Pipeline,
    recording: Recording,
    *,
    window: float,
    step: float | None = None,
    unlabelled: bool = True,
) -> TimelineExplanation:
    """Predict the emotion of every moment of a recording, and take the logits apart.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted or adapted; a Pipeline ends in one.
    recording, window, step, unlabelled : as of `predict_timeline`
        What is predicted, and in which windows.

    Returns
    -------
    TimelineExplanation
        With the timeline of `predict_timeline`, and contributions relative to the population
        that add up to the logits of its windows.

    Raises
    ------
    NotFittedError, RecordingError, TypeError, ValueError
        As `predict_timeline` and `explain`.

    Warns
    -----
    RecordingWarning
        As `predict_timeline`.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import explain_timeline
    >>> from stf2m_sk.recordings import Recording, Signal
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> views = data.views.select("skin")
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, random_state=0)
    >>> clf = clf.fit(views, data.target, groups=data.groups)
    >>> skin, rate = views["skin"][:5], clf.schema_["skin"].rate
    >>> recording = Recording({"skin": Signal(np.concatenate(skin, axis=1), rate=rate)})
    >>> explained = explain_timeline(clf, recording, window=skin.shape[2] / rate)
    >>> explained.by_modality.shape  # windows, emotions, modalities
    (5, 4, 1)
    """
    # Not a Pipeline's steps on clips that are not there yet: only who is at its end.
    last, _ = unwrap(classifier[-1:] if isinstance(classifier, Pipeline) else classifier, None)
    how = {"window": window, "step": step, "unlabelled": unlabelled}
    timeline = predict_timeline(classifier, recording, **how)
    names = [name for name in expected_schema(classifier).names if name in recording.signals]
    signals = recording.select(*names).signals
    clips = Clips(signals, timeline.start, float(window))
    steps = classifier[:-1] if isinstance(classifier, Pipeline) and len(classifier) > 1 else None
    person = _with_person(last, steps, clips) if unlabelled else last
    n_windows, n_classes = timeline.probabilities.shape
    modalities = tuple(last.schema_.names)
    sums = np.full((n_windows, n_classes, len(modalities)), np.nan)
    others = np.full((3, n_windows, n_classes), np.nan)
    for rows, views in clips.chunks():
        own = explain(person, views if steps is None else steps.transform(views))
        sums[rows] = own.by_modality
        others[:, rows] = own.by_person, own.by_networks, own.by_prior
    return TimelineExplanation(timeline, modalities, sums, *others)


def _with_person(last: STF2MClassifier, steps: Any, clips: Clips) -> STF2MClassifier:
    """The classifier after the windows as unlabelled clips; labelled ones it has read stay."""
    model, total, n = last.model_, 0.0, 0
    with torch_threads(last.n_threads):
        for rows, read in clips.chunks():
            views = as_views(read if steps is None else steps.transform(read), model.schema)
            total = total + model.embed(views).numpy().sum(axis=0, dtype=np.float64)
            n += len(rows)
    if not n:
        return last
    person = copy.copy(last)
    person.model_ = model.derived(
        person=PersonMean(total / n, n), support_weight=float(last.support_weight)
    )
    return person

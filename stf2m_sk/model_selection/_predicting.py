"""From a classifier fitted on the population and a list of episodes to predictions for each."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.model_selection._clips import Clips, named
from stf2m_sk.model_selection._embedded import EmbeddedClassifier, can_embed
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._fitting import Parts, Signals, handed_to, take_apart
from stf2m_sk.model_selection._scoring import Prediction
from stf2m_sk.model_selection.controls import ShuffledLabels
from stf2m_sk.pipelines import adapt_pipeline

__all__ = ["Refit", "predict_episodes"]


class Refit(NamedTuple):
    """How a classifier without `adapt` is fitted to a person.

    Attributes
    ----------
    mode : {"support", "pooled"}
        Fitted anew on the support alone, or on population and support together.
    population : int array
        Rows of the population.
    support_weight : float
        With "pooled", what a support clip counts for a population clip's 1: as sample weight,
        or by repeating it (rounded) where the classifier takes no weights.
    """

    mode: str
    population: NDArray[np.intp]
    support_weight: float


def predict_episodes(
    fitted: Any,
    X: Any,
    clips: Clips,
    episodes: list[Episode],
    refit: Refit,
    *,
    unlabelled: bool = False,
) -> Iterator[Prediction]:
    """Predict the query of each episode from the population and the episode's support.

    The first steps of a Pipeline transform, as they were fitted on the population, each clip
    once; so does the embedding of an `STF2MClassifier`. Then each episode takes the same way:
    the last step adapts, or is fitted anew if it has no ``adapt``, and predicts. Where first
    steps have ``adapt``, they adapt, too (`stf2m_sk.pipelines.adapt_pipeline`).

    Predictions with 0 shots are those of the population fit, among all its classes; predictions
    with more are among the classes of the episode.

    Parameters
    ----------
    fitted : classifier, Pipeline or search
        Fitted on the population.
    X : Views or array-like
        All clips.
    clips : Clips
        Their labels, and what is handed to methods that have a parameter for it. Labels of
        query clips are not looked at.
    episodes : list of Episode
        Whose queries to predict.
    refit : Refit
        For classifiers without `adapt`.
    unlabelled : bool, default=False
        Whether the support side goes to ``adapt(unlabelled=...)`` where there is this parameter.

    Yields
    ------
    Prediction
        In the order of the episodes.
    """
    if not episodes:
        return
    start = time.perf_counter()
    parts = _ready(take_apart(fitted), refit)
    unlabelled = unlabelled and _takes_unlabelled(parts.last)
    needed = [
        np.r_[one.support, one.query, one.unlabelled if unlabelled else one.query[:0]]
        for one in episodes
    ]
    if refit.mode == "pooled" and not hasattr(parts.last, "adapt"):
        needed.append(refit.population)
    rows = np.unique(np.concatenate(needed))
    signals = Signals.of(parts.head, X, rows)
    if parts.adaptive is None and can_embed(parts.last):
        embedded = EmbeddedClassifier(parts.last)
        parts = parts._replace(last=embedded)
        signals = Signals(embedded.embed(signals.take(rows)), rows)
    shared = (time.perf_counter() - start) / len(episodes)
    for episode in episodes:
        side = episode.unlabelled if unlabelled else episode.unlabelled[:0]
        try:
            prediction = _prediction(parts, signals, clips, episode, side, refit)
        except Exception as error:
            error.add_note(
                f"This was raised at an episode of {named(episode.person)} with "
                f"{episode.shots} shot(s) ({len(episode.support)} support clips)."
            )
            raise
        yield prediction._replace(
            predict_seconds=prediction.predict_seconds + shared, n_unlabelled=len(side)
        )


def _ready(parts: Parts, refit: Refit) -> Parts:
    """Give the last step of a Pipeline whose first steps adapt an `adapt` of its own."""
    if parts.adaptive is None or hasattr(parts.last, "adapt"):
        return parts
    if refit.mode == "pooled":
        raise ValueError(
            "refit='pooled' was given for a Pipeline of which a first step adapts, so that "
            "population and support pass through different steps. Use refit='support', or a "
            "classifier with adapt."
        )
    return parts._replace(last=_Refitted(parts.last, parts.is_frozen))


def _takes_unlabelled(classifier: Any) -> bool:
    if isinstance(classifier, ShuffledLabels):  # it hands on what its classifier takes
        return _takes_unlabelled(classifier.estimator_)
    adapt = getattr(classifier, "adapt", None)
    return adapt is not None and "unlabelled" in signature(adapt).parameters


def _prediction(
    parts: Parts, signals: Signals, clips: Clips, episode: Episode, side: NDArray, refit: Refit
) -> Prediction:
    start = time.perf_counter()
    known = _personal(parts, signals, clips, episode, side, refit)
    adapted = time.perf_counter()
    prediction = _predict(known, signals, clips, episode.query)
    if episode.shots:
        prediction = _among(prediction, episode.ways)
    seconds = adapted - start, time.perf_counter() - adapted
    return prediction._replace(adapt_seconds=seconds[0], predict_seconds=seconds[1])


def _personal(
    parts: Parts, signals: Signals, clips: Clips, episode: Episode, side: NDArray, refit: Refit
) -> Any:
    """The classifier of the episode's person."""
    rows, last = episode.support, parts.last
    if not episode.shots and not len(side):
        return last if parts.adaptive is None else parts.adaptive
    if not hasattr(last, "adapt"):
        return _fitted_anew(parts, signals, clips, rows, refit)
    support: tuple = ()
    further: dict[str, Any] = {"unlabelled": signals.take(side)} if len(side) else {}
    if episode.shots:
        support = signals.take(rows), clips.labels[rows]
        if "classes" in signature(last.adapt).parameters:
            further["classes"] = episode.ways
    if parts.adaptive is not None:
        pipeline = copy.copy(parts.adaptive)
        pipeline.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], last)]
        return adapt_pipeline(pipeline, *support, **further)
    if episode.shots:
        further |= handed_to(last.adapt, clips, rows)
    return last.adapt(*support, **further)


def _fitted_anew(
    parts: Parts, signals: Signals, clips: Clips, support: NDArray, refit: Refit
) -> Any:
    last = parts.last
    if parts.is_frozen:
        return last
    rows, weights = support, {}
    if refit.mode == "pooled":
        takes_weight = has_fit_parameter(last, "sample_weight")
        n_times = 1 if takes_weight else max(1, round(refit.support_weight))
        rows = np.concatenate([refit.population, np.tile(support, n_times)])
        if takes_weight:
            each = np.repeat([1.0, refit.support_weight], [len(refit.population), len(support)])
            weights = {"sample_weight": each}
    further = handed_to(last.fit, clips, rows)
    return clone(last).fit(signals.take(rows), clips.labels[rows], **further, **weights)


class _Refitted(BaseEstimator):
    """A classifier that adapts by being fitted anew, as the last step of a Pipeline.

    Unlabelled clips are for the steps before it.
    """

    def __init__(self, classifier, is_frozen):
        self.classifier = classifier
        self.is_frozen = is_frozen

    def fit(self, X, y):
        return self

    def adapt(self, X=None, y=None, *, unlabelled=None, classes=None):
        if self.is_frozen or X is None:
            return self.classifier
        return clone(self.classifier).fit(X, y)

    def __sklearn_is_fitted__(self):
        return True


def _predict(known: Any, signals: Signals, clips: Clips, rows: NDArray) -> Prediction:
    X, probabilities, decision = signals.take(rows), None, None
    if hasattr(known, "predict_proba"):
        probabilities = known.predict_proba(X, **handed_to(known.predict_proba, clips, rows))
    elif hasattr(known, "decision_function"):
        decision = known.decision_function(X)
    labels = known.predict(X, **handed_to(known.predict, clips, rows))
    return Prediction(labels, known.classes_, probabilities, decision, 0.0, 0.0)


def _among(prediction: Prediction, ways: NDArray) -> Prediction:
    """The same prediction among the classes of the episode; labels alone stay as they are."""
    keep = np.isin(prediction.classes, ways)
    if keep.all() or not keep.any():
        return prediction
    classes = prediction.classes[keep]
    if prediction.probabilities is not None:
        kept = prediction.probabilities[:, keep]
        total = kept.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            probabilities = np.where(total > 0, kept / total, 1 / len(classes))
        return prediction._replace(
            labels=classes[kept.argmax(axis=1)], classes=classes, probabilities=probabilities
        )
    if prediction.decision is None or prediction.decision.shape[1:] != prediction.classes.shape:
        return prediction
    kept = prediction.decision[:, keep]
    # With two classes left, scikit-learn's form of a decision function has one column.
    decision = kept[:, 1] - kept[:, 0] if len(classes) == 2 else kept
    return prediction._replace(
        labels=classes[kept.argmax(axis=1)], classes=classes, decision=decision
    )

"""From a classifier fitted on the population and a list of episodes to an answer for each."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.model_selection._batch import answer_batch, can_batch
from stf2m_sk.model_selection._clips import Clips, named
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._fitting import Parts, Signals, handed_to, take_apart
from stf2m_sk.model_selection._scoring import Answer
from stf2m_sk.model_selection.controls import ShuffledLabels
from stf2m_sk.pipelines import adapt_pipeline

__all__ = ["Refit", "answer_episodes"]


class Refit(NamedTuple):
    """How a classifier without `adapt` comes to know a person.

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


def answer_episodes(
    fitted: Any, X: Any, clips: Clips, episodes: list[Episode], refit: Refit
) -> Iterator[Answer]:
    """Answer each episode from the population and its support.

    The first steps of a Pipeline transform, as they were fitted on the population, each clip
    once; its last step adapts. Where first steps have ``adapt``, they adapt, too
    (`stf2m_sk.pipelines.adapt_pipeline`). Where people share the weights, all episodes are
    answered together (`stf2m_sk.model_selection._batch`). Classifiers without `adapt` are fitted
    anew.

    Answers with 0 shots are those of the population fit, among all its classes; answers with
    more are among the classes of the episode.

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
        What to answer.
    refit : Refit
        For classifiers without `adapt`.

    Yields
    ------
    Answer
        In the order of the episodes.
    """
    if not episodes:
        return
    parts = take_apart(fitted)
    asked = np.concatenate([np.r_[episode.support, episode.query] for episode in episodes])
    is_pooled = refit.mode == "pooled" and not hasattr(parts.last, "adapt")
    needed = np.r_[asked, refit.population] if is_pooled else asked
    signals = Signals.of(parts.head, X, needed)
    if parts.adaptive is None and can_batch(_inner(parts.last)):
        yield from _answer_together(parts.last, signals, clips, episodes)
        return
    for episode in episodes:
        try:
            yield _answer(parts, signals, clips, episode, refit)
        except Exception as error:
            error.add_note(
                f"This was raised while answering an episode of {named(episode.person)} with "
                f"{episode.shots} shot(s) ({len(episode.support)} support clips)."
            )
            raise


def _inner(classifier: Any) -> Any:
    """The classifier that answers; that inside `ShuffledLabels`, which changes labels only."""
    return classifier.estimator_ if type(classifier) is ShuffledLabels else classifier


def _answer_together(
    classifier: Any, signals: Signals, clips: Clips, episodes: list[Episode]
) -> list[Answer]:
    told = [clips.labels[one.support] for one in episodes]
    if type(classifier) is ShuffledLabels:
        told = [
            classifier.shuffled(signals.take(one.support), labels) if one.shots else labels
            for one, labels in zip(episodes, told, strict=True)
        ]
    return answer_batch(_inner(classifier), signals, told, episodes)


def _answer(parts: Parts, signals: Signals, clips: Clips, episode: Episode, refit: Refit) -> Answer:
    start = time.perf_counter()
    if episode.shots:
        known = _personal(parts, signals, clips, episode, refit)
    else:
        known = parts.last if parts.adaptive is None else parts.adaptive
    adapted = time.perf_counter()
    answer = _ask(known, signals, clips, episode.query)
    if episode.shots:
        answer = _among(answer, episode.ways)
    seconds = adapted - start, time.perf_counter() - adapted
    return answer._replace(adapt_seconds=seconds[0], predict_seconds=seconds[1])


def _personal(parts: Parts, signals: Signals, clips: Clips, episode: Episode, refit: Refit) -> Any:
    rows, last = episode.support, parts.last
    X, y = signals.take(rows), clips.labels[rows]
    if parts.adaptive is not None:
        return _adapt_all_steps(parts, X, y, refit)
    if hasattr(last, "adapt"):
        return last.adapt(X, y, **handed_to(last.adapt, clips, rows))
    if parts.is_frozen:
        return last
    if refit.mode == "support":
        return clone(last).fit(X, y, **handed_to(last.fit, clips, rows))
    return _fit_pooled(last, signals, clips, rows, refit)


def _adapt_all_steps(parts: Parts, X: Any, y: NDArray, refit: Refit) -> Pipeline:
    pipeline = copy.copy(parts.adaptive)
    last = parts.last
    if not hasattr(last, "adapt"):
        if refit.mode == "pooled":
            raise ValueError(
                "refit='pooled' was asked for a Pipeline of which a first step adapts, so that "
                "population and support pass through different steps. Use refit='support', or a "
                "classifier with adapt."
            )
        last = _Refitted(last, parts.is_frozen)
    pipeline.steps = [*pipeline.steps[:-1], (pipeline.steps[-1][0], last)]
    return adapt_pipeline(pipeline, X, y)


def _fit_pooled(last: Any, signals: Signals, clips: Clips, support: NDArray, refit: Refit) -> Any:
    takes_weight = has_fit_parameter(last, "sample_weight")
    n_times = 1 if takes_weight else max(1, round(refit.support_weight))
    rows = np.concatenate([refit.population, np.tile(support, n_times)])
    further = handed_to(last.fit, clips, rows)
    if takes_weight:
        weights = [1.0, refit.support_weight]
        further["sample_weight"] = np.repeat(weights, [len(refit.population), len(support)])
    return clone(last).fit(signals.take(rows), clips.labels[rows], **further)


class _Refitted(BaseEstimator):
    """A classifier that adapts by being fitted anew, as the last step of a Pipeline."""

    def __init__(self, classifier, is_frozen):
        self.classifier = classifier
        self.is_frozen = is_frozen

    def fit(self, X, y):
        return self

    def adapt(self, X, y, classes=None):
        return self.classifier if self.is_frozen else clone(self.classifier).fit(X, y)

    def __sklearn_is_fitted__(self):
        return True


def _ask(known: Any, signals: Signals, clips: Clips, rows: NDArray) -> Answer:
    X, probabilities, decision = signals.take(rows), None, None
    if hasattr(known, "predict_proba"):
        probabilities = known.predict_proba(X, **handed_to(known.predict_proba, clips, rows))
    elif hasattr(known, "decision_function"):
        decision = known.decision_function(X)
    labels = known.predict(X, **handed_to(known.predict, clips, rows))
    return Answer(labels, known.classes_, probabilities, decision, 0.0, 0.0)


def _among(answer: Answer, ways: NDArray) -> Answer:
    """The same answer among the classes of the episode; labels alone stay as they are."""
    keep = np.isin(answer.classes, ways)
    if keep.all() or not keep.any():
        return answer
    classes = answer.classes[keep]
    if answer.probabilities is not None:
        kept = answer.probabilities[:, keep]
        total = kept.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            probabilities = np.where(total > 0, kept / total, 1 / len(classes))
        return answer._replace(
            labels=classes[kept.argmax(axis=1)], classes=classes, probabilities=probabilities
        )
    if answer.decision is None or answer.decision.shape[1:] != answer.classes.shape:
        return answer
    kept = answer.decision[:, keep]
    # With two classes left, scikit-learn's form of a decision function has one column.
    decision = kept[:, 1] - kept[:, 0] if len(classes) == 2 else kept
    return answer._replace(labels=classes[kept.argmax(axis=1)], classes=classes, decision=decision)

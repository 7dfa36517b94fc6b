"""Fit a classifier to the population, and predict the query of each episode."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.embedded import EmbeddedClassifier, can_embed
from stf2m_sk.model_selection._clips import Clips, named
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._scoring import Prediction
from stf2m_sk.model_selection.controls import ShuffledLabels
from stf2m_sk.pipelines import adapt_pipeline
from stf2m_sk.preprocessing import ViewScaler

__all__ = ["fit_population", "predict_episodes"]

Rows = NDArray[np.intp]


def fit_population(estimator: Any, X: Any, clips: Clips, rows: Rows) -> Any:
    """Fit in place, and hand over what is known of the clips where there is a parameter for it.

    ``groups``, ``contexts`` and ``times`` reach ``fit`` of a bare classifier, or of the steps of a
    Pipeline, where it has the parameter; groups reach a search, which hands them to its splitter.
    With metadata routing enabled, the requests decide what a Pipeline or a search does with them.
    """
    taken = _taken_at_fit(estimator, clips.metadata(rows))
    return estimator.fit(_safe_indexing(X, rows), clips.labels[rows], **taken)


def predict_episodes(
    fitted: Any, X: Any, clips: Clips, episodes: list[Episode], *, unlabelled: bool
) -> Iterator[Prediction]:
    """Predict the query of each episode from the population and the episode's support.

    The first steps of a Pipeline transform, as they were fitted on the population, each clip
    once; so does the embedding of an `STF2MClassifier`. Then each episode takes the same way:
    the last step adapts and predicts. Where first steps have ``adapt``, they adapt, too
    (`stf2m_sk.pipelines.adapt_pipeline`).

    Predictions with 0 shots are those of the population fit, among all its classes; predictions
    with more are among the classes of the episode. Labels of query clips are not looked at.
    `unlabelled` gives the support side to ``adapt(unlabelled=...)`` where there is this parameter.
    """
    if not episodes:
        return
    start = time.perf_counter()
    parts = _take_apart(fitted)
    if not (unlabelled and _takes_unlabelled(parts)):
        episodes = [one._replace(unlabelled=one.unlabelled[:0]) for one in episodes]
    rows = np.unique(np.concatenate([np.r_[e.support, e.query, e.unlabelled] for e in episodes]))
    signals = _Signals(X, None)
    if parts.head is not None:
        signals = _Signals(parts.head.transform(_safe_indexing(X, rows)), rows)
    if parts.adaptive is None and can_embed(parts.last):
        embedded = EmbeddedClassifier(parts.last)
        parts = parts._replace(last=embedded, population=embedded)
        signals = _Signals(embedded.embed(signals.take(rows)), rows)
    shared = (time.perf_counter() - start) / len(episodes)
    for episode in episodes:
        try:
            prediction = _prediction(parts, signals, clips, episode)
        except Exception as error:
            error.add_note(
                f"This was raised at an episode of {named(episode.person)} with "
                f"{episode.shots} shot(s) ({len(episode.support)} support clips)."
            )
            raise
        yield prediction._replace(predict_seconds=prediction.predict_seconds + shared)


# ---- a fitted classifier, taken apart ----


class _Parts(NamedTuple):
    """What predicts without a support, steps that only transform, and what adapts.

    `adaptive` is the whole Pipeline where steps before the last adapt, too; then there is no head.
    """

    population: Any
    head: Pipeline | None
    last: Any
    adaptive: Pipeline | None = None


class _Refitted(BaseEstimator):
    """A classifier without ``adapt``: it adapts by being fitted anew on the support.

    Unlabelled clips are for the steps of a Pipeline before it.
    """

    def __init__(self, classifier, is_frozen):
        self.classifier = classifier
        self.is_frozen = is_frozen

    def fit(self, X, y):
        return self

    def adapt(self, X=None, y=None, *, unlabelled=None, classes=None, **metadata):
        if self.is_frozen or X is None:
            return self.classifier
        return clone(self.classifier).fit(X, y, **metadata)

    def __sklearn_is_fitted__(self):
        return True


def _take_apart(fitted: Any) -> _Parts:
    """Find the classifier that predicts, inside a search, a frozen estimator or a Pipeline."""
    fitted, is_frozen = _unwrap(fitted, False)
    is_pipeline = isinstance(fitted, Pipeline)
    last, is_frozen = _unwrap(fitted[-1], is_frozen) if is_pipeline else (fitted, is_frozen)
    adapting = last if hasattr(last, "adapt") else _Refitted(last, is_frozen)
    if is_pipeline and any(_adapts(step) for _, step in fitted.steps[:-1]):
        return _Parts(fitted, None, adapting, fitted)
    head = fitted[:-1] if is_pipeline and len(fitted) > 1 else None
    return _Parts(last, head, adapting)


def _unwrap(fitted: Any, is_frozen: bool) -> tuple[Any, bool]:
    while True:
        if isinstance(fitted, FrozenEstimator):
            fitted, is_frozen = fitted.estimator, True
        elif isinstance(fitted, BaseSearchCV):
            fitted = fitted.best_estimator_
        else:
            return fitted, is_frozen


def _adapts(step: Any) -> bool:
    if isinstance(step, Pipeline):
        return any(_adapts(inner) for _, inner in step.steps)
    if isinstance(step, ViewScaler) and step.scope == "population":
        return False  # it has the verb, but returns itself
    return hasattr(step, "adapt")


def _takes_unlabelled(parts: _Parts) -> bool:
    if isinstance(parts.last, _Refitted):
        return parts.adaptive is not None  # for the steps before it
    last = parts.last
    if isinstance(last, ShuffledLabels) and hasattr(last.estimator_, "adapt"):
        last = last.estimator_  # it hands on what its classifier takes
    return "unlabelled" in signature(last.adapt).parameters


# ---- one episode ----


class _Signals(NamedTuple):
    """Clips as the last step sees them: a row for each of the sorted rows of X, or for all."""

    values: Any
    rows: Rows | None

    def take(self, rows: Rows) -> Any:
        """The clips of some rows of X."""
        places = rows if self.rows is None else np.searchsorted(self.rows, rows)
        return _safe_indexing(self.values, places)


def _prediction(parts: _Parts, signals: _Signals, clips: Clips, episode: Episode) -> Prediction:
    start = time.perf_counter()
    known = _personal(parts, signals, clips, episode)
    adapted = time.perf_counter()
    prediction = _predict(known, signals, clips, episode.query)
    if episode.shots:
        prediction = _among(prediction, episode.ways)
    return prediction._replace(
        adapt_seconds=adapted - start,
        predict_seconds=time.perf_counter() - adapted,
        n_unlabelled=len(episode.unlabelled),
    )


def _personal(parts: _Parts, signals: _Signals, clips: Clips, episode: Episode) -> Any:
    """The classifier of the episode's person."""
    rows, side, last = episode.support, episode.unlabelled, parts.last
    if not episode.shots and not len(side):
        return parts.population
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
        method = last.classifier.fit if isinstance(last, _Refitted) else last.adapt
        further |= _handed_to(method, clips, rows)
    return last.adapt(*support, **further)


def _predict(known: Any, signals: _Signals, clips: Clips, rows: Rows) -> Prediction:
    X, probabilities, decision = signals.take(rows), None, None
    if hasattr(known, "predict_proba"):
        probabilities = known.predict_proba(X, **_handed_to(known.predict_proba, clips, rows))
    elif hasattr(known, "decision_function"):
        decision = known.decision_function(X)
    labels = known.predict(X, **_handed_to(known.predict, clips, rows))
    return Prediction(labels, known.classes_, probabilities, decision)


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


# ---- what methods have parameters for ----


def _handed_to(method: Any, clips: Clips, rows: Rows) -> dict[str, NDArray]:
    known = signature(method).parameters
    return {name: column for name, column in clips.metadata(rows).items() if name in known}


def _taken_at_fit(estimator: Any, known: dict[str, NDArray]) -> dict[str, NDArray]:
    if not isinstance(estimator, Pipeline | BaseSearchCV):
        return {name: known[name] for name in known if has_fit_parameter(estimator, name)}
    of_steps = _of_steps(estimator, known)
    if get_config()["enable_metadata_routing"]:
        consumed = set(get_routing_for_object(estimator).consumes("fit", list(known)))
        # Groups that a step takes but has not requested are an error of scikit-learn's.
        if any(name.endswith("__groups") for name in of_steps):
            consumed.add("groups")
        return {name: known[name] for name in known if name in consumed}
    if isinstance(estimator, BaseSearchCV):
        return {name: known[name] for name in known if name == "groups"}
    return of_steps


def _of_steps(estimator: Any, known: dict[str, NDArray]) -> dict[str, NDArray]:
    """What the steps of a Pipeline have parameters for, in the form in which it hands it on."""
    if not isinstance(estimator, Pipeline):
        return {}
    return {
        f"{step_name}__{name}": column
        for step_name, step in estimator.steps
        for name, column in known.items()
        if hasattr(step, "fit") and has_fit_parameter(step, name)
    }

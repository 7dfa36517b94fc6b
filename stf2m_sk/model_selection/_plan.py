"""The folds of an evaluation, the episodes of each, and their scores."""

from __future__ import annotations

import time
from collections.abc import Iterable
from inspect import signature
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, check_cv

from stf2m_sk.metrics._probabilities import recalls
from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.model_selection._episodes import Episode, draw_people
from stf2m_sk.model_selection._predicting import fit_population, predict_episodes
from stf2m_sk.model_selection._protocol import FewShotProtocol
from stf2m_sk.model_selection._scoring import Metric

__all__ = ["Fold", "Plan", "Task", "make_plan", "score_task"]

_FOLDS = 5


class Fold(NamedTuple):
    """Rows of the population, and the episodes of the test people."""

    number: int
    train: NDArray[np.intp]
    episodes: list[Episode]


class Plan(NamedTuple):
    """All folds, the people from whom no episode could be drawn, and the unit of intervals."""

    folds: list[Fold]
    skipped: list
    unit: str


class Task(NamedTuple):
    """One estimator on one fold."""

    name: str
    estimator: Any
    fold: Fold
    unlabelled: bool


def make_plan(X: Any, clips: Clips, protocol: FewShotProtocol, cv: Any) -> Plan:
    """Split, and draw the episodes of every fold."""
    seed = protocol.seed
    folds, skipped, unit = [], [], "people" if clips.groups is not None else "classes"
    for number, (train, test) in enumerate(_split(X, clips, cv, seed)):
        train, test = np.asarray(train), np.asarray(test)
        episodes, passed_over = draw_people(clips, test, protocol, [seed, number])
        skipped += passed_over
        known = clips.labels[train]
        if unit == "classes" and np.isin(clips.labels[test], known).any():
            unit = "folds"
        episodes = [one for one in episodes if one.shots or np.isin(one.ways, known).any()]
        if episodes:
            folds.append(Fold(number, train, episodes))
    if not folds:
        raise ValueError(
            "no episode remains: no test person has clips of two classes on both sides, or only 0 "
            "shots of novel classes were requested, which no population can predict. Give more "
            "clips, other contexts, a smaller gap, or shots above 0."
        )
    return Plan(folds, skipped, unit)


def _split(X: Any, clips: Clips, cv: Any, seed: int) -> Iterable:
    if cv is None or isinstance(cv, Integral):
        if clips.groups is None:
            raise ValueError(
                f"cv={cv!r} stands for folds of new people, but groups are not given. Pass groups, "
                "or a splitter as cv, such as NovelClassSplit()."
            )
        n_people = len(np.unique(clips.groups))
        n_folds = max(2, min(_FOLDS, n_people)) if cv is None else cv
        if n_people < n_folds:
            raise ValueError(
                f"there are {n_people} people, but {n_folds} folds of new people need {n_folds}."
            )
        cv = GroupKFold(n_folds, shuffle=True, random_state=seed)
    cv = check_cv(cv)
    known = signature(cv.split).parameters
    further = {name: getattr(clips, name) for name in ("contexts", "times") if name in known}
    return cv.split(X, clips.labels, clips.groups, **further)


def score_task(
    task: Task, X: Any, clips: Clips, metrics: dict[str, Metric]
) -> list[dict[str, Any]]:
    """Fit one fold, and score its episodes: what the episodes themselves do not hold."""
    start, fold = time.perf_counter(), task.fold
    fitted = fit_population(task.estimator, X, clips, fold.train)
    fit_seconds = time.perf_counter() - start
    predictions = predict_episodes(fitted, X, clips, fold.episodes, unlabelled=task.unlabelled)
    scores = []
    for episode, prediction in zip(fold.episodes, predictions, strict=True):
        y_true = clips.labels[episode.query]
        values = {n: one.score(prediction, episode.query, y_true) for n, one in metrics.items()}
        further = {"n_unlabelled": prediction.n_unlabelled, "fit_seconds": fit_seconds}
        further["adapt_seconds"] = prediction.adapt_seconds
        further["predict_seconds"] = prediction.predict_seconds
        own = recalls(y_true, prediction.labels, episode.ways)
        scores.append({"values": values, "recalls": own, "further": further})
    return scores

"""Score classifiers on new people or novel classes, after a few of their clips."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import fields
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, check_cv
from sklearn.utils.parallel import Parallel, delayed
from tqdm.auto import tqdm

from stf2m_sk.metrics._probabilities import recalls
from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.model_selection._episodes import Episode, draw_people
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._predicting import fit_population, predict_episodes
from stf2m_sk.model_selection._protocol import FewShotProtocol
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._results_file import ResultsFile, described, versions
from stf2m_sk.model_selection._scoring import RECALL, Metric, read_scoring

__all__ = ["compare_few_shot", "few_shot_score"]

_FOLDS = 5


def few_shot_score(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    protocol: FewShotProtocol = FewShotProtocol(),  # noqa: B008 - it is frozen
    cv: Any = None,
    scoring: Any = "balanced_accuracy",
    results: str | Path | None = None,
) -> FewShotResult:
    """Meta-train once per fold, adapt to each new person and score.

    For each fold the classifier is fitted on the training people. Of each test person's clips
    the protocol draws supports and queries.

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Any scikit-learn classifier; it is cloned. One with ``adapt`` adapts. One without is
        fitted anew on each support; `PooledClassifier` fits it on population and support. The
        first steps of a Pipeline transform as they were fitted on the population; its last step
        adapts or is fitted anew. Of a search (`GridSearchCV`) the best estimator is taken. A
        `FrozenEstimator` is not fitted again; without ``adapt`` it predicts from the population
        after any support.
    X : Views, mapping, list of arrays, array-like or DataFrame of n_clips
        Clips; whatever the estimator takes.
    y : array-like of shape (n_clips,)
        Labels.
    groups : array-like of shape (n_clips,), default=None
        People. None counts all test clips of a fold as one person's. Groups, contexts and times
        are handed to ``fit``, ``adapt`` and ``predict`` of a classifier that has parameters of
        these names; times are the numbers of the rows where they mean time and none are given.
    protocol : FewShotProtocol, default=FewShotProtocol()
        How episodes are drawn.
    cv : int, splitter or iterable of (train, test), default=None
        None and int are shuffled folds of new people: ``GroupKFold(cv, shuffle=True)``; None
        takes 5, or as many as there are people.
    scoring : str, callable, list of str or dict, default="balanced_accuracy"
        Names in `METRICS`, then those of scikit-learn's scorers; what
        `sklearn.metrics.make_scorer` returns; or ``metric(y_true, probabilities, classes)``, of
        which more is better. A dict names them. scikit-learn's scorers are called with the rows
        of the query as a column for X.
    results : str or Path, default=None
        File to which the scores of each classifier and fold are written when they are there. A
        run that was killed continues with what it holds; one with other clips, folds, protocol,
        parameters, scoring or versions is refused and the difference named. The code of
        classifiers from elsewhere cannot be told. Needs an int as `random_state` of the protocol.

    Returns
    -------
    FewShotResult
        Rows, `summary()` with intervals over people, `differences()` and `ranking()`.

    Raises
    ------
    ValueError
        If clips are too few, with the class, the person and the counts; if an argument cannot
        be meant; if a metric needs what the classifier does not give; if `results` holds others.
    TypeError
        If a results file cannot tell a parameter of the estimator from another.

    See Also
    --------
    compare_few_shot : Several classifiers on the same episodes.
    make_few_shot_scorer : For `GridSearchCV` and its like.

    Notes
    -----
    Folds run side by side within ``joblib.parallel_config(n_jobs=...)``; the rows are the same. On
    a terminal there is a progress bar. An `STF2MClassifier` embeds each clip once for all episodes
    of a fold.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import FewShotProtocol, few_shot_score
    >>> from stf2m_sk import PooledClassifier
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> result = few_shot_score(
    ...     PooledClassifier(LogisticRegression()), data.views, data.target, groups=data.groups,
    ...     protocol=FewShotProtocol(shots=(0, 2), random_state=0), cv=3,
    ... )
    >>> result.summary()["shots"].tolist(), result.unit
    ([0, 2], 'people')
    """
    name = type(estimator).__name__
    if protocol.unlabelled and not isinstance(protocol.unlabelled, bool):
        raise ValueError("unlabelled names classifiers, which is for compare_few_shot; give True.")
    return compare_few_shot(
        {name: estimator}, X, y, groups=groups, protocol=protocol, cv=cv, scoring=scoring,
        results=results,
    )  # fmt: skip


def compare_few_shot(
    estimators: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    protocol: FewShotProtocol = FewShotProtocol(),  # noqa: B008 - it is frozen
    cv: Any = None,
    scoring: Any = "balanced_accuracy",
    results: str | Path | None = None,
) -> FewShotResult:
    """Compare classifiers on the same folds, people, supports and queries.

    Parameters
    ----------
    estimators : mapping of str to classifier, Pipeline or search
        By name; see `few_shot_score` for what is taken.
    X, y, groups, protocol, cv, scoring, results
        As in `few_shot_score`. The protocol's `unlabelled` may name the classifiers that are
        given unlabelled clips, so that one can be compared with and without.

    Returns
    -------
    FewShotResult
        Rows, `summary()`, `differences()` and `ranking()`.

    Raises
    ------
    ValueError
        If there are no estimators, or as `few_shot_score`.
    TypeError
        If `estimators` is no mapping, or as `few_shot_score`.

    See Also
    --------
    few_shot_score : One classifier.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import FewShotProtocol, compare_few_shot
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> result = compare_few_shot(
    ...     {"linear": LogisticRegression(), "Bayes": GaussianNB()}, data.views, data.target,
    ...     groups=data.groups, protocol=FewShotProtocol(shots=2, random_state=0), cv=3,
    ... )
    >>> result.differences().columns[:7].tolist()
    ['metric', 'shots', 'first', 'second', 'difference', 'low', 'high']
    """
    given = _given_unlabelled(estimators, protocol)
    clips = protocol.read(X, y, groups)
    metrics = read_scoring(scoring)
    X = as_rows(X)
    plan = _make_plan(X, clips, protocol, cv)
    tasks = [
        _Task(name, estimator, fold, name in given)
        for name, estimator in estimators.items()
        for fold in plan.folds
    ]
    file = _open(results, X, clips, protocol, metrics, plan)
    handed = clips.in_order(protocol.gap)
    scored = _score_all(tasks, X, handed, metrics, file)
    rows = [row for pair in zip(tasks, scored, strict=True) for row in _rows(*pair)]
    return FewShotResult(pd.DataFrame(rows), metrics, plan.unit, plan.skipped)


# ---- folds and episodes ----


class _Fold(NamedTuple):
    number: int
    train: NDArray[np.intp]
    episodes: list[Episode]


class _Plan(NamedTuple):
    folds: list[_Fold]
    skipped: list
    unit: str


def _make_plan(X: Any, clips: Clips, protocol: FewShotProtocol, cv: Any) -> _Plan:
    """Split, and draw the episodes of every fold."""
    seed = protocol.seed
    folds, skipped, unit = [], [], "people" if clips.groups is not None else "classes"
    for number, (train, test) in enumerate(_split(X, clips, cv, seed)):
        train, test = np.asarray(train), np.asarray(test)
        episodes, passed_over = draw_people(clips, test, protocol, [seed, number])
        skipped += passed_over
        if unit == "classes" and np.isin(clips.labels[test], clips.labels[train]).any():
            unit = "folds"
        known = clips.labels[train]
        episodes = [one for one in episodes if one.shots or np.isin(one.ways, known).any()]
        if episodes:
            folds.append(_Fold(number, train, episodes))
    if not folds:
        raise ValueError(
            "no episode remains: no test person has clips of two classes on both sides, or only 0 "
            "shots of novel classes were requested, which no population can predict. Give more "
            "clips, other contexts, a smaller gap, or shots above 0."
        )
    return _Plan(folds, skipped, unit)


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


# ---- scores ----


class _Task(NamedTuple):
    """One estimator on one fold."""

    name: str
    estimator: Any
    fold: _Fold
    unlabelled: bool


def _score_all(tasks: list[_Task], X: Any, clips: Clips, metrics, file: ResultsFile | None) -> list:
    """Scores of all tasks, in their order; those in the file are read, the others computed."""
    scored, said = [None] * len(tasks), [""] * len(tasks)
    if file is not None:
        for i, task in enumerate(tasks):
            said[i] = described(task.estimator) + " + unlabelled" * task.unlabelled
            scored[i] = file.scores(task.name, task.fold.number, said[i])
    missing = [i for i, scores in enumerate(scored) if scores is None]
    jobs = (
        delayed(_run)(i, tasks[i]._replace(estimator=clone(tasks[i].estimator)), X, clips, metrics)
        for i in missing
    )
    done = Parallel(return_as="generator_unordered")(jobs)
    n_done = len(tasks) - len(missing)
    with tqdm(total=len(tasks), initial=n_done, unit="fit", disable=not _is_watched()) as bar:
        for i, scores in done:
            scored[i] = scores
            if file is not None:
                file.add(tasks[i].name, tasks[i].fold.number, said[i], scores)
            bar.update()
    return scored


def _is_watched() -> bool:
    """Whether somebody looks at a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _run(i: int, task: _Task, X: Any, clips: Clips, metrics: dict[str, Metric]) -> tuple[int, list]:
    """Fit one fold, and score its episodes: what the episodes themselves do not hold."""
    start = time.perf_counter()
    fold = task.fold
    fitted = fit_population(task.estimator, X, clips, fold.train)
    fit_seconds = time.perf_counter() - start
    predictions = predict_episodes(fitted, X, clips, fold.episodes, unlabelled=task.unlabelled)
    scores = []
    for episode, prediction in zip(fold.episodes, predictions, strict=True):
        y_true = clips.labels[episode.query]
        scores.append(
            {
                "values": {
                    name: metric.score(prediction, episode.query, y_true)
                    for name, metric in metrics.items()
                },
                "recalls": recalls(y_true, prediction.labels, episode.ways),
                "n_unlabelled": prediction.n_unlabelled,
                "fit_seconds": fit_seconds,
                "adapt_seconds": prediction.adapt_seconds,
                "predict_seconds": prediction.predict_seconds,
            }
        )
    return i, scores


def _rows(task: _Task, scores: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """A row for each episode and metric, and for the recall of each class."""
    for episode, own in zip(task.fold.episodes, scores, strict=True):
        place = {
            "estimator": task.name,
            "fold": task.fold.number,
            "person": episode.person,
            "draw": episode.draw,
            "shots": episode.shots,
        }
        found = [(name, None, value) for name, value in own["values"].items()]
        pairs = zip(episode.ways.tolist(), own["recalls"], strict=True)
        found += [(RECALL, label, value) for label, value in pairs]
        further = {"support": episode.support, "query": episode.query}
        further |= {name: own[name] for name in own if name not in ("values", "recalls")}
        for metric, label, value in found:
            yield {**place, "metric": metric, "label": label, "value": value, **further}


# ---- checks and settings ----


def _given_unlabelled(estimators: Any, protocol: FewShotProtocol) -> set[str]:
    """Names of the classifiers that are given unlabelled clips."""
    if not isinstance(estimators, Mapping):
        raise TypeError(
            f"estimators is a {type(estimators).__name__}, but it must be a dict of name to "
            "classifier."
        )
    if not estimators:
        raise ValueError("estimators is empty; give at least one classifier by name.")
    if isinstance(protocol.unlabelled, bool):
        return set(estimators) if protocol.unlabelled else set()
    if not set(protocol.unlabelled) <= set(estimators):
        raise ValueError(
            f"unlabelled={protocol.unlabelled!r}, but it must be True, False or names among "
            f"{list(estimators)}."
        )
    return set(protocol.unlabelled)


def _open(results, X, clips: Clips, protocol: FewShotProtocol, metrics, plan: _Plan):
    """The results file, or None."""
    if results is None:
        return None
    if isinstance(protocol.random_state, bool) or not isinstance(protocol.random_state, Integral):
        raise ValueError(
            f"results={str(results)!r} was given with random_state={protocol.random_state!r} in "
            "the protocol, which draws other episodes at each call: nothing could be resumed. Give "
            "an int."
        )
    columns = ("contexts", "times", "unlabelled")  # in the clips and in each estimator's line
    settings = {f.name: str(getattr(protocol, f.name)) for f in fields(protocol)}
    settings = {name: value for name, value in settings.items() if name not in columns}
    settings["scoring"] = described({name: metric.source for name, metric in metrics.items()})
    settings |= {"clips": joblib.hash([X, *clips]), "folds": joblib.hash(plan.folds)}
    return ResultsFile(results, settings | versions())

"""Score classifiers on new people or novel classes, after a few of their clips."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._plan import Task, make_plan, score_task
from stf2m_sk.model_selection._protocol import FewShotProtocol, read_for
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._results_file import ResultsFile, described, open_results
from stf2m_sk.model_selection._scoring import RECALL, read_scoring

__all__ = ["compare_few_shot", "few_shot_score"]


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

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Any scikit-learn classifier; it is cloned. One with ``adapt`` adapts. One without is
        fitted anew on each support; `PooledClassifier` fits it on population and support. The
        first steps of a Pipeline transform as they were fitted on the population. Of a search the
        best estimator is taken. A `FrozenEstimator` is not fitted again; without ``adapt`` it
        predicts from the population after any support.
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
        Names in `stf2m_sk.metrics.METRICS`, then those of scikit-learn's scorers; what
        `sklearn.metrics.make_scorer` returns; or ``metric(y_true, probabilities, classes)``, of
        which more is better. A dict names them. scikit-learn's scorers are called with the rows
        of the query as a column for X.
    results : str or Path, default=None
        File to which scores of each classifier and fold are written when they are there. A run
        that was killed continues with what it holds. Other clips, folds, protocol, parameters,
        scoring or versions are refused and the difference named; the code of classifiers from
        elsewhere cannot be told. Needs an int as `random_state` of the protocol.

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
    a terminal there is a progress bar.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk import PooledClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import FewShotProtocol, few_shot_score
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> result = few_shot_score(
    ...     PooledClassifier(LogisticRegression()), data.views, data.target, groups=data.groups,
    ...     protocol=FewShotProtocol(shots=(0, 2), random_state=0), cv=3,
    ... )
    >>> result.summary()["shots"].tolist(), result.unit
    ([0, 2], 'people')
    """
    if protocol.unlabelled and not isinstance(protocol.unlabelled, bool):
        raise ValueError("unlabelled names classifiers, which is for compare_few_shot; give True.")
    given = {"groups": groups, "protocol": protocol, "cv": cv, "scoring": scoring}
    return compare_few_shot({type(estimator).__name__: estimator}, X, y, **given, results=results)


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
        By name.
    X, y, groups, protocol, cv, scoring, results : see `few_shot_score`
        The protocol's `unlabelled` may name the classifiers that are given unlabelled clips, so
        that one can be compared with and without.

    Returns
    -------
    FewShotResult
        Rows, `summary()`, `differences()` and `ranking()`.

    Raises
    ------
    ValueError, TypeError
        If `estimators` is no mapping or empty, or as `few_shot_score`.

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
    clips, metrics, X = read_for(protocol, X, y, groups), read_scoring(scoring), as_rows(X)
    plan = make_plan(X, clips, protocol, cv)
    tasks = [
        Task(name, estimator, fold, name in given)
        for name, estimator in estimators.items()
        for fold in plan.folds
    ]
    file = None
    if results is not None:
        file = open_results(results, X, clips, protocol, metrics, plan.folds)
    scored = _score_all(tasks, X, clips.in_order(protocol.gap), metrics, file)
    rows = [row for pair in zip(tasks, scored, strict=True) for row in _rows(*pair)]
    return FewShotResult(pd.DataFrame(rows), metrics, plan.unit, plan.skipped)


def _given_unlabelled(estimators: Any, protocol: FewShotProtocol) -> set[str]:
    """Names of the classifiers that are given unlabelled clips."""
    if not isinstance(estimators, Mapping):
        kind = type(estimators).__name__
        raise TypeError(f"estimators is a {kind}, but it must be a dict of name to classifier.")
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


def _score_all(tasks: list[Task], X: Any, clips: Clips, metrics, file: ResultsFile | None) -> list:
    """Scores of all tasks, in their order; those in the file are read, the others computed."""
    scored, said = [None] * len(tasks), [""] * len(tasks)
    if file is not None:
        for i, task in enumerate(tasks):
            said[i] = described(task.estimator) + " + unlabelled" * task.unlabelled
            scored[i] = file.scores(task.name, task.fold.number, said[i])
    jobs = [
        delayed(_numbered)(i, task._replace(estimator=clone(task.estimator)), X, clips, metrics)
        for i, task in enumerate(tasks)
        if scored[i] is None
    ]
    done, n_read = Parallel(return_as="generator_unordered")(jobs), len(tasks) - len(jobs)
    hidden = {} if _is_watched() else {"disable": True}  # tqdm's TQDM_DISABLE decides else
    with tqdm(total=len(tasks), initial=n_read, unit="fit", **hidden) as bar:
        for i, scores in done:
            scored[i] = scores
            if file is not None:
                file.add(tasks[i].name, tasks[i].fold.number, said[i], scores)
            bar.update()
    return scored


def _numbered(i: int, *task: Any) -> tuple[int, list]:
    return i, score_task(*task)


def _is_watched() -> bool:
    """Whether somebody looks at a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _rows(task: Task, scores: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """A row for each episode and metric, and for the recall of each class."""
    for episode, own in zip(task.fold.episodes, scores, strict=True):
        place = {"estimator": task.name, "fold": task.fold.number, "person": episode.person}
        place |= {"draw": episode.draw, "shots": episode.shots}
        found = [(name, None, value) for name, value in own["values"].items()]
        pairs = zip(episode.ways.tolist(), own["recalls"], strict=True)
        found += [(RECALL, label, value) for label, value in pairs]
        further = {"support": episode.support, "query": episode.query} | own["further"]
        for metric, label, value in found:
            yield {**place, "metric": metric, "label": label, "value": value, **further}

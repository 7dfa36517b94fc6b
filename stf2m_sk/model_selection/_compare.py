"""Several classifiers on the same episodes, resumable."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from tqdm.auto import tqdm

from stf2m_sk.model_selection._cache import read_scores, write_scores
from stf2m_sk.model_selection._clips import read_clips, seed_from
from stf2m_sk.model_selection._comparison import FewShotComparison
from stf2m_sk.model_selection._fold_rows import check_refit, rows_of_fold, score_fold
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._keys import describe_data, describe_task
from stf2m_sk.model_selection._plan import Fold, make_plan
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._score import read_metrics, read_request

__all__ = ["compare_few_shot"]


class _Task(NamedTuple):
    """One estimator on one fold; `setting` is None without a cache."""

    name: str
    estimator: Any
    fold: Fold
    how: dict[str, Any]
    setting: dict[str, Any] | None


def compare_few_shot(
    estimators: Mapping[str, Any],
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    contexts: ArrayLike | None = None,
    times: ArrayLike | None = None,
    n_shot: Any = (0, 1, 2, 5),
    n_way: int | None = None,
    n_query: int | None = None,
    cv: Any = None,
    n_draws: int = 4,
    scoring: Any = "balanced_accuracy",
    gap: float | None = 1,
    on_few: str = "raise",
    refit: str = "support",
    support_weight: float = 50.0,
    unlabelled: bool | Collection[str] = False,
    random_state: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    cache: str | Path | None = None,
) -> FewShotComparison:
    """Compare classifiers on the same folds, people, supports and queries.

    Parameters
    ----------
    estimators : mapping of str to classifier, Pipeline or search
        By name; see `few_shot_score` for what is taken.
    X, y, groups, contexts, times, n_shot, n_way, n_query, cv, n_draws, scoring, gap, on_few
        As in `few_shot_score`.
    refit, support_weight, random_state
        As in `few_shot_score`.
    unlabelled : bool or collection of str, default=False
        As in `few_shot_score`; or the names of the classifiers that are given unlabelled clips,
        so that one can be compared with and without.
    n_jobs : int, default=None
        Pairs of classifier and fold at once. The rows are the same for any number.
    verbose : int, default=0
        1 shows a progress bar.
    cache : str or Path, default=None
        Folder in which the scores of each classifier and fold are kept as JSON as soon as they
        are there, so that a comparison that was killed continues where it was. A file is used
        only for the very same data, rows, episodes, classifier with all its parameters, metrics,
        settings, source of this package and versions of NumPy, scikit-learn and torch; the names
        of the classifiers do not matter. What no key can tell is the code of a classifier from
        elsewhere: empty the folder when you change it. Needs an int for
        `random_state`. Seeds that are None, in a splitter or a classifier, stay what they are:
        unseeded folds are never found again, and an unseeded classifier's rows are those of the
        run that wrote them.

    Returns
    -------
    FewShotComparison
        Rows, `summary()`, `differences()`, `ranking()`, `to_frame()`, `plot()`.

    Raises
    ------
    ValueError
        If there are no estimators, `unlabelled` names none of them, `cache` is given without an
        int as `random_state`, a file of the cache is damaged, or as `few_shot_score`.
    TypeError
        If `estimators` is no mapping, or a cache cannot tell a parameter from another.

    See Also
    --------
    few_shot_score : One classifier.

    Notes
    -----
    That results are kept by a hash of the setting is MOABB's habit.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import compare_few_shot
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> comparison = compare_few_shot(
    ...     {"linear": LogisticRegression(), "Bayes": GaussianNB()}, data.views, data.target,
    ...     groups=data.groups, n_shot=2, cv=3, random_state=0,
    ... )
    >>> comparison.differences().columns[:7]
    ['metric', 'shots', 'first', 'second', 'difference', 'low', 'high']
    """
    _check_estimators(estimators)
    clips = read_clips(X, y, groups, contexts, times)
    request = read_request(n_shot, n_way, n_query, gap, on_few, has_times=times is not None)
    metrics = read_metrics(scoring)
    check_refit(refit, support_weight)
    given = _names_given(unlabelled, estimators)
    folder = _open_cache(cache, random_state)
    X = as_rows(X)
    plan = make_plan(X, clips, request, cv=cv, n_draws=n_draws, seed=seed_from(random_state))
    handed = clips.in_order(gap)
    shared = {"refit": refit, "support_weight": support_weight}
    hows = {name: shared | {"unlabelled": name in given} for name in estimators}
    data = None if folder is None else describe_data(X, handed)
    tasks = [
        _Task(
            name,
            estimator,
            fold,
            hows[name],
            None if folder is None else describe_task(estimator, fold, metrics, data, **hows[name]),
        )
        for name, estimator in estimators.items()
        for fold in plan.folds
    ]
    scored = _score_all(tasks, folder, X, handed, metrics, n_jobs=n_jobs, verbose=verbose)
    rows: dict[str, list] = {name: [] for name in estimators}
    for task, scores in zip(tasks, scored, strict=True):
        rows[task.name] += rows_of_fold(task.fold, scores)
    kept = {"metrics": metrics, "unit": plan.unit, "skipped": plan.skipped}
    results = {name: FewShotResult(own, **kept) for name, own in rows.items()}
    directions = {name: metric.greater_is_better for name, metric in metrics.items()}
    return FewShotComparison(results, greater_is_better=directions)


def _score_all(tasks: list[_Task], folder, X, clips, metrics, *, n_jobs, verbose) -> list:
    """Scores of all tasks, in their order; those on disk are read, the others computed."""
    scored = [None if folder is None else read_scores(folder, task.setting) for task in tasks]
    missing = [i for i, scores in enumerate(scored) if scores is None]
    jobs = (
        delayed(_run)(i, tasks[i], clone(tasks[i].estimator), folder, X, clips, metrics)
        for i in missing
    )
    done: Iterator = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
    with tqdm(
        total=len(tasks), initial=len(tasks) - len(missing), unit="fit", disable=not verbose
    ) as bar:
        for i, scores in done:
            scored[i] = scores
            bar.update()
    return scored


def _run(i: int, task: _Task, estimator, folder, X, clips, metrics) -> tuple[int, list]:
    scores = score_fold(estimator, X, clips, task.fold, metrics, **task.how)
    if folder is not None:
        write_scores(folder, task.setting, scores)
    return i, scores


def _open_cache(cache: str | Path | None, random_state: Any) -> Path | None:
    if cache is None:
        return None
    if isinstance(random_state, bool) or not hasattr(random_state, "__index__"):
        raise ValueError(
            f"cache={str(cache)!r} was given with random_state={random_state!r}, which draws other "
            "episodes at each call: nothing could be resumed. Give an int as random_state."
        )
    folder = Path(cache)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _names_given(unlabelled: bool | Collection[str], estimators: Mapping[str, Any]) -> set[str]:
    """Names of the classifiers that are given unlabelled clips."""
    if isinstance(unlabelled, bool):
        return set(estimators) if unlabelled else set()
    names = {unlabelled} if isinstance(unlabelled, str) else set(unlabelled)
    if not names <= set(estimators):
        raise ValueError(
            f"unlabelled={unlabelled!r}, but it must be True, False or names among "
            f"{list(estimators)}."
        )
    return names


def _check_estimators(estimators: Any) -> None:
    if not isinstance(estimators, Mapping):
        raise TypeError(
            f"estimators is a {type(estimators).__name__}, but it must be a dict of name to "
            "classifier."
        )
    if not estimators:
        raise ValueError("estimators is empty; give at least one classifier by name.")

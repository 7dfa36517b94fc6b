"""Score a classifier on new people or novel classes, after a few of their clips."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from stf2m_sk.model_selection._clips import read_clips, seed_from
from stf2m_sk.model_selection._episodes import Request
from stf2m_sk.model_selection._fold_rows import RESERVED, check_refit, rows_of_fold, score_fold
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._plan import make_plan
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._scoring import Metric, read_scoring

__all__ = ["few_shot_score", "read_metrics", "read_request"]


def few_shot_score(
    estimator: Any,
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
    unlabelled: bool = False,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> FewShotResult:
    """Meta-train once per fold, adapt to each new person and score.

    For each fold the classifier is fitted on the training people. Of each test person's clips,
    one side may be support and the other is the query; the sides share no context, or are apart
    in time. With n shots the support is the first n clips per class of the support side, in random
    order: the supports of a draw are nested, and the query is the same for all numbers of shots.

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Any scikit-learn classifier; it is cloned. One with ``adapt`` adapts. One without is
        fitted anew for each episode, see `refit`. The first steps of a Pipeline transform as
        they were fitted on the population; its last step adapts or is fitted anew. Of a search
        (`GridSearchCV`) the best estimator is taken. A `FrozenEstimator` is not fitted again;
        without ``adapt`` it predicts from the population after any support.
    X : Views, mapping, list of arrays, array-like or DataFrame of n_clips
        Clips; whatever the estimator takes.
    y : array-like of shape (n_clips,)
        Labels.
    groups : array-like of shape (n_clips,), default=None
        People. None counts all test clips of a fold as one person's. Groups, contexts and times
        are handed to ``fit``, ``adapt`` and ``predict`` of a classifier that has parameters of
        these names; times are the numbers of the rows where they mean time and none are given.
    contexts : array-like of shape (n_clips,), default=None
        Trial, stimulus, statement or session: what support and query shall never share.
    times : array-like of shape (n_clips,), default=None
        When each clip begins; by default the order of the rows is that of recording.
    n_shot : int or sequence of int, default=(0, 1, 2, 5)
        Numbers of labelled clips per class. 0 is the population fit; it is left out where the
        population has none of the classes of the query. After more than 0 the predictions are
        among the classes of the episode, which are handed to ``adapt(classes=...)``.
    n_way : int, default=None
        Classes of an episode, drawn at random; None for all that the person has.
    n_query : int, default=None
        Query clips per class; None for all.
    cv : int, splitter or iterable of (train, test), default=None
        None and int are `NewPersonSplit`; 5 folds or as many as there are people.
    n_draws : int, default=4
        Draws of sides and supports for each person of a fold.
    scoring : str, callable, list of str or dict, default="balanced_accuracy"
        Names in `METRICS`, then those of scikit-learn's scorers; what
        `sklearn.metrics.make_scorer` returns; or ``metric(y_true, probabilities, classes)``.
        scikit-learn's scorers are called with the rows of the query as a column for X.
    gap : int, float or None, default=1
        Between the sides where there are no contexts, see `EpisodeSplit`.
    on_few : {"raise", "shrink"}, default="raise"
        What happens where a person has too few clips, see `EpisodeSplit`.
    refit : {"support", "pooled"}, default="support"
        What classifiers without ``adapt`` are fitted on: the support alone, or population and
        support together.
    support_weight : float, default=50.0
        With ``refit="pooled"``, what a support clip counts for a population clip's 1: as
        ``sample_weight``, or by repeating it (rounded) where ``fit`` takes none.
    unlabelled : bool, default=False
        Whether the person's whole support side goes without its labels to
        ``adapt(unlabelled=...)``, at every number of shots, also 0. A classifier whose ``adapt``
        has no such parameter, or that has no ``adapt``, does not get it; in a Pipeline the first
        steps that adapt do. The column ``n_unlabelled`` of the result says how many clips a
        classifier was given.
    random_state : int, RandomState instance or None, default=None
        Decides folds (where `cv` does not) and draws. The estimator has its own.
    n_jobs : int, default=None
        Folds at once. The rows are the same for any number.

    Returns
    -------
    FewShotResult
        Rows, `summary()` with intervals over people, `to_frame()`, `plot()`.

    Raises
    ------
    ValueError
        If clips are too few, with the class, the person and the counts; if an argument cannot
        be meant; if a metric needs what the classifier does not give.

    See Also
    --------
    compare_few_shot : Several classifiers on the same episodes.
    make_few_shot_scorer : For `GridSearchCV` and its like.

    Notes
    -----
    Training people, calibration clips and test clips are the three parts of MOABB's
    cross-subject evaluation; the nested supports and the weight of 50 are those of this
    project's yardstick. An `STF2MClassifier` embeds each clip once for all episodes of a fold.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import few_shot_score
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> result = few_shot_score(
    ...     LogisticRegression(), data.views, data.target, groups=data.groups, n_shot=(0, 2),
    ...     cv=3, refit="pooled", random_state=0,
    ... )
    >>> result.summary()["shots"], result.unit, len(result.rows)
    ([0, 2], 'people', 48)
    """
    clips = read_clips(X, y, groups, contexts, times)
    request = read_request(n_shot, n_way, n_query, gap, on_few, has_times=times is not None)
    metrics = read_metrics(scoring)
    check_refit(refit, support_weight)
    how = {"refit": refit, "support_weight": support_weight, "unlabelled": bool(unlabelled)}
    X = as_rows(X)
    plan = make_plan(X, clips, request, cv=cv, n_draws=n_draws, seed=seed_from(random_state))
    handed = clips.in_order(gap)
    scored = Parallel(n_jobs=n_jobs)(
        delayed(score_fold)(clone(estimator), X, handed, fold, metrics, **how)
        for fold in plan.folds
    )
    rows = [row for pair in zip(plan.folds, scored, strict=True) for row in rows_of_fold(*pair)]
    return FewShotResult(rows, metrics=metrics, unit=plan.unit, skipped=plan.skipped)


def read_request(n_shot, n_way, n_query, gap, on_few, *, has_times: bool) -> Request:
    """The request for episodes, checked; shots ascending."""
    shots = (n_shot,) if not hasattr(n_shot, "__iter__") else tuple(n_shot)
    request = Request(shots, n_way, n_query, gap, on_few).check(has_times=has_times)
    if len(set(shots)) < len(shots):
        raise ValueError(f"n_shot names a number of shots twice: {shots}; give each once.")
    return request._replace(shots=tuple(sorted(shots)))


def read_metrics(scoring: Any) -> dict[str, Metric]:
    """The metrics, whose names must not be those of other columns."""
    metrics = read_scoring(scoring)
    taken = sorted(RESERVED & set(metrics))
    if taken:
        raise ValueError(f"scoring names a metric {taken[0]!r}, which is a column; rename it.")
    return metrics

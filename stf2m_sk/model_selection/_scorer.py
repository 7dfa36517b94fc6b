"""A few-shot scorer for scikit-learn's own searches and validations."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from stf2m_sk.model_selection._clips import read_clips, seed_from
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._plan import check_draws, draw_people
from stf2m_sk.model_selection._predicting import Refit, predict_episodes
from stf2m_sk.model_selection._score import read_metrics, read_request

__all__ = ["FewShotScorer", "make_few_shot_scorer"]


def make_few_shot_scorer(
    *,
    n_shot: int = 5,
    n_way: int | None = None,
    n_query: int | None = None,
    n_draws: int = 4,
    metric: Any = "balanced_accuracy",
    gap: float | None = 1,
    on_few: str = "raise",
    unlabelled: bool = False,
    random_state: Any = None,
) -> FewShotScorer:
    """Make a scorer for `GridSearchCV`, `RandomizedSearchCV`, `cross_validate` and their like.

    The scorer adapts a fitted classifier to each of the test people by a few of their clips and
    scores it on the others; the score is the mean over people.

    Parameters
    ----------
    n_shot : int, default=5
        Support clips per class; 0 scores the population fit.
    n_way, n_query : int, default=None
        Classes, and query clips per class, of an episode; None for all there are.
    n_draws : int, default=4
        Draws of sides and support for each person.
    metric : str or callable, default="balanced_accuracy"
        One metric, as in `few_shot_score`. A metric of which less is better (``"log_loss"``) is
        negated, so that greater scores are better.
    gap : int, float or None, default=1
        Between support and query where there are no contexts, see `EpisodeSplit`.
    on_few : {"raise", "shrink"}, default="raise"
        What happens where a person has too few clips, see `EpisodeSplit`.
    unlabelled : bool, default=False
        Whether the support side goes without labels to ``adapt(unlabelled=...)`` where there is
        this parameter, see `few_shot_score`.
    random_state : int, RandomState instance or None, default=None
        Decides the episodes. Also with None or a RandomState they are the same at every call of
        one scorer: all candidates of a search have the same episodes.

    Returns
    -------
    FewShotScorer
        Called as ``scorer(estimator, X_test, y_test, groups=None, contexts=None, times=None)``.

    Raises
    ------
    ValueError
        If an argument cannot be meant.

    See Also
    --------
    NewPersonSplit, NovelClassSplit : The folds to search on.
    few_shot_score : Rows and intervals.

    Notes
    -----
    With ``sklearn.set_config(enable_metadata_routing=True)`` the scorer requests ``groups``,
    ``contexts`` and ``times``, so that people and contexts reach it; `set_score_request` changes
    that. Without routing scikit-learn hands a scorer nothing beside X and y: all test clips of a
    fold then count as one person's, in the order of recording.

    In a Pipeline the first steps transform and the last adapts. A classifier without ``adapt``
    is fitted anew on the support: a scorer does not see the population.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import NewPersonSplit, make_few_shot_scorer
    >>> data = make_emotion_views(n_people=4, n_emotions=2, random_state=0)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = GridSearchCV(
    ...         LogisticRegression(), {"C": [0.01, 1.0]},
    ...         cv=NewPersonSplit(n_splits=2, random_state=0),
    ...         scoring=make_few_shot_scorer(n_shot=2, random_state=0),
    ...     ).fit(data.views, data.target, groups=data.groups)
    >>> search.cv_results_["mean_test_score"].shape
    (2,)
    """
    scorer = FewShotScorer(
        n_shot=n_shot,
        n_way=n_way,
        n_query=n_query,
        n_draws=n_draws,
        metric=metric,
        gap=gap,
        on_few=on_few,
        unlabelled=unlabelled,
        random_state=seed_from(random_state),
    )
    scorer._read()
    return scorer


class FewShotScorer(BaseEstimator):
    """What `make_few_shot_scorer` returns; see there for the parameters."""

    __metadata_request__score: ClassVar[dict] = {
        "estimator": UNUSED,
        "groups": True,
        "contexts": True,
        "times": True,
    }

    def __init__(
        self,
        *,
        n_shot=5,
        n_way=None,
        n_query=None,
        n_draws=4,
        metric="balanced_accuracy",
        gap=1,
        on_few="raise",
        unlabelled=False,
        random_state=0,
    ):
        self.n_shot = n_shot
        self.n_way = n_way
        self.n_query = n_query
        self.n_draws = n_draws
        self.metric = metric
        self.gap = gap
        self.on_few = on_few
        self.unlabelled = unlabelled
        self.random_state = random_state

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> float:
        """Score a fitted classifier on test clips, see `score`."""
        return self.score(estimator, X, y, groups, contexts, times)

    def score(
        self,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> float:
        """Mean over the test people of their mean over draws.

        Parameters
        ----------
        estimator : classifier, Pipeline or search
            Fitted on the population; it is not changed.
        X : Views or array-like of n_clips
            Clips of the test people.
        y : array-like of shape (n_clips,)
            Labels.
        groups, contexts, times : array-like of shape (n_clips,), default=None
            As in `few_shot_score`.

        Returns
        -------
        float
            Greater is better.

        Raises
        ------
        ValueError
            If clips are too few, with the class, the person and the counts.
        """
        clips = read_clips(X, y, groups, contexts, times)
        request, metric = self._read(has_times=times is not None)
        rows = np.arange(len(clips.labels))
        episodes, _ = draw_people(clips, rows, request, self.n_draws, [self.random_state])
        if not episodes:
            raise ValueError(
                "no episode can be drawn from the test clips: nobody has clips of two classes on "
                "both the support and the query side. Give larger folds, other contexts or a "
                "smaller gap."
            )
        refit = Refit("support", rows[:0], 1.0)
        handed = clips.in_order(self.gap)
        X, unlabelled = as_rows(X), bool(self.unlabelled)
        predictions = predict_episodes(estimator, X, handed, episodes, refit, unlabelled=unlabelled)
        scores: dict[Any, list[float]] = {}
        for episode, prediction in zip(episodes, predictions, strict=True):
            value = metric.score(prediction, episode.query, clips.labels[episode.query])
            scores.setdefault(episode.person, []).append(value)
        mean = float(np.mean([np.mean(values) for values in scores.values()]))
        return mean if metric.greater_is_better else -mean

    def _read(self, *, has_times: bool = True):
        """The request and the metric, checked."""
        if hasattr(self.n_shot, "__iter__"):
            raise ValueError(
                f"n_shot={self.n_shot!r}, but a scorer takes one number of shots; make several "
                "scorers, or use few_shot_score."
            )
        check_draws(self.n_draws)
        request = read_request(
            self.n_shot, self.n_way, self.n_query, self.gap, self.on_few, has_times=has_times
        )
        metrics = list(read_metrics(self.metric).values())
        if len(metrics) > 1:
            raise ValueError(
                f"metric={self.metric!r}, but a scorer takes one metric; make several scorers."
            )
        return request, metrics[0]

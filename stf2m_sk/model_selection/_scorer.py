"""A few-shot scorer for scikit-learn's own searches and validations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from stf2m_sk.model_selection._episodes import draw_people
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._predicting import predict_episodes
from stf2m_sk.model_selection._protocol import FewShotProtocol, beside, read_for
from stf2m_sk.model_selection._scoring import Metric, read_scoring

__all__ = ["make_few_shot_scorer"]


def make_few_shot_scorer(protocol: FewShotProtocol, scoring: Any = "balanced_accuracy"):
    """Make a scorer for `GridSearchCV`, `RandomizedSearchCV`, `cross_validate` and their like.

    It adapts a fitted classifier to each of the test people by a few of their clips and scores it
    on the others; the score is the mean over people of their mean over draws.

    Parameters
    ----------
    protocol : FewShotProtocol
        How episodes are drawn, with one number of shots. Also with None as `random_state` they
        are the same at every call of one scorer: all candidates of a search have the same ones.
    scoring : str or callable, default="balanced_accuracy"
        One metric, as in `few_shot_score`. A metric of which less is better (``"log_loss"``) is
        negated, so that greater scores are better.

    Returns
    -------
    callable
        ``scorer(estimator, X_test, y_test, groups=None, contexts=None, times=None)``.

    Raises
    ------
    ValueError
        If the protocol has several numbers of shots, or contexts or times, which reach a scorer
        by metadata routing; if there are several metrics.

    See Also
    --------
    sklearn.model_selection.GroupKFold, NovelClassSplit : The folds to search on.
    few_shot_score : Rows and intervals.

    Notes
    -----
    With ``sklearn.set_config(enable_metadata_routing=True)`` the scorer requests ``groups``,
    ``contexts`` and ``times``; its `set_score_request` changes that. Without routing scikit-learn
    hands a scorer nothing beside X and y: all test clips of a fold then count as one person's, in
    the order of recording. ``GridSearchCV(verbose=2)`` shows the progress of a search.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import FewShotProtocol, make_few_shot_scorer
    >>> data = make_emotion_views(n_people=4, n_emotions=2, random_state=0)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = GridSearchCV(
    ...         LogisticRegression(), {"C": [0.01, 1.0]}, cv=GroupKFold(2),
    ...         scoring=make_few_shot_scorer(FewShotProtocol(shots=2, random_state=0)),
    ...     ).fit(data.views, data.target, groups=data.groups)
    >>> search.cv_results_["mean_test_score"].shape
    (2,)
    """
    if len(protocol.shots) > 1:
        raise ValueError(
            f"shots={protocol.shots}, but a scorer takes one number of shots; make several "
            "scorers, or use few_shot_score."
        )
    if protocol.contexts is not None or protocol.times is not None:
        raise ValueError(
            "the protocol has contexts or times of all clips, but a scorer sees those of a fold; "
            "pass them to fit of the search, with metadata routing enabled."
        )
    _one_metric(scoring)
    return _FewShotScorer(replace(protocol, random_state=protocol.seed), scoring)


class _FewShotScorer(BaseEstimator):
    __metadata_request__score: ClassVar[dict] = {
        "estimator": UNUSED,
        **dict.fromkeys(("groups", "contexts", "times"), True),
    }

    def __init__(self, protocol, scoring):
        self.protocol = protocol
        self.scoring = scoring

    def __call__(self, estimator, X, y, groups=None, contexts=None, times=None) -> float:
        return self.score(estimator, X, y, groups, contexts, times)

    def score(self, estimator, X, y, groups=None, contexts=None, times=None) -> float:
        protocol = beside(self.protocol, contexts=contexts, times=times)
        metric, clips = _one_metric(self.scoring), read_for(protocol, X, y, groups)
        episodes, _ = draw_people(clips, np.arange(len(clips.labels)), protocol, [protocol.seed])
        if not episodes:
            raise ValueError(
                "no episode can be drawn from the test clips: nobody has two classes on both the "
                "support and the query side. Give larger folds or a smaller gap."
            )
        handed, given = clips.in_order(protocol.gap), bool(protocol.unlabelled)
        predictions = predict_episodes(estimator, as_rows(X), handed, episodes, unlabelled=given)
        scores: dict[Any, list[float]] = {}
        for episode, prediction in zip(episodes, predictions, strict=True):
            value = metric.score(prediction, episode.query, clips.labels[episode.query])
            scores.setdefault(episode.person, []).append(value)
        mean = float(np.mean([np.mean(values) for values in scores.values()]))
        return mean if metric.greater_is_better else -mean


def _one_metric(scoring: Any) -> Metric:
    metrics = list(read_scoring(scoring).values())
    if len(metrics) > 1:
        raise ValueError(f"scoring={scoring!r}, but a scorer takes one metric; make several.")
    return metrics[0]

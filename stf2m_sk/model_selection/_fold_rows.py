"""Fit one fold, and score its episodes."""

from __future__ import annotations

import time
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._fitting import fit_population
from stf2m_sk.model_selection._metric_input import recalls
from stf2m_sk.model_selection._plan import Fold
from stf2m_sk.model_selection._predicting import Refit, predict_episodes
from stf2m_sk.model_selection._scoring import Metric, Prediction

__all__ = ["RESERVED", "check_refit", "rows_of_fold", "score_fold"]

_ORIGIN = ("estimator", "fold", "person", "draw", "shots")
_SIZE = ("n_way", "n_support", "n_query", "n_unlabelled", "support", "query", "recall")
_SECONDS = ("fit_seconds", "adapt_seconds", "predict_seconds")
RESERVED = frozenset({*_ORIGIN, *_SIZE, *_SECONDS})


def check_refit(refit: str, support_weight: float) -> None:
    """Refuse what cannot be meant.

    Raises
    ------
    ValueError
        If the mode is not known or the weight is not above 0.
    """
    if refit not in ("support", "pooled"):
        raise ValueError(f"refit={refit!r}, but it must be 'support' or 'pooled'.")
    is_number = isinstance(support_weight, Real) and not isinstance(support_weight, bool)
    if not is_number or not 0 < support_weight < np.inf:
        raise ValueError(f"support_weight={support_weight!r}, but it must be a number above 0.")


def score_fold(
    estimator: Any,
    X: Any,
    clips: Clips,
    fold: Fold,
    metrics: dict[str, Metric],
    *,
    refit: str,
    support_weight: float,
    unlabelled: bool,
) -> list[dict[str, Any]]:
    """Fit one fold, and score its episodes.

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Unfitted; it is fitted on the training rows.
    X : Views or array-like
        All clips.
    clips : Clips
        Their labels and origin.
    fold : Fold
        Training rows and episodes.
    metrics : dict of str to Metric
        What to score.
    refit, support_weight, unlabelled
        See `few_shot_score`.

    Returns
    -------
    list of dict
        For each episode the metrics, ``recall`` (list, in the order of the episode's ways),
        ``n_unlabelled`` and the seconds: what the episode itself does not hold.
    """
    start = time.perf_counter()
    fitted = fit_population(estimator, X, clips, fold.train)
    fit_seconds = time.perf_counter() - start
    how = Refit(refit, fold.train, support_weight)
    predictions = predict_episodes(fitted, X, clips, fold.episodes, how, unlabelled=unlabelled)
    return [
        {
            **_scores(prediction, episode, clips.labels, metrics),
            "n_unlabelled": prediction.n_unlabelled,
            "fit_seconds": fit_seconds,
            "adapt_seconds": prediction.adapt_seconds,
            "predict_seconds": prediction.predict_seconds,
        }
        for episode, prediction in zip(fold.episodes, predictions, strict=True)
    ]


def rows_of_fold(fold: Fold, scored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a `FewShotResult`, from what `score_fold` gives."""
    return [
        {
            "fold": fold.number,
            "person": episode.person,
            "draw": episode.draw,
            "shots": int(episode.shots),
            "n_way": len(episode.ways),
            "n_support": len(episode.support),
            "n_query": len(episode.query),
            "support": episode.support,
            "query": episode.query,
            **scores,
            "recall": dict(zip(episode.ways.tolist(), scores["recall"], strict=True)),
        }
        for episode, scores in zip(fold.episodes, scored, strict=True)
    ]


def _scores(
    prediction: Prediction, episode: Episode, labels: NDArray, metrics: dict[str, Metric]
) -> dict[str, Any]:
    y_true = labels[episode.query]
    scores = {name: one.score(prediction, episode.query, y_true) for name, one in metrics.items()}
    return {**scores, "recall": recalls(y_true, prediction.labels, episode.ways)}

"""How much a leak is worth: the score with and without it, on the same test clips."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from stf2m_sk.metrics._probabilities import METRICS
from stf2m_sk.model_selection._forms import take_clips
from stf2m_sk.model_selection.leakage._result import Leak

__all__ = ["Judge", "worth_of_rows", "worth_of_scaler"]

Rows = NDArray[np.intp]


class Judge(NamedTuple):
    """A classifier and all that is needed to score it on a split.

    Attributes
    ----------
    estimator : classifier
        Fitted and with `adapt`: it adapts to the training side. Else a clone is fitted to it.
    y : array of shape (n_clips,)
        Labels.
    groups : array of shape (n_clips,) or None
        People, for a `fit` that has this parameter.
    scoring : str
        One of `METRICS`.
    n_random : int
        Draws of random rows.
    """

    estimator: Any
    y: NDArray
    groups: ArrayLike | None
    scoring: str
    n_random: int

    def score(self, X: Any, train: Rows, test: Rows, classes: NDArray) -> float:
        """The score on the test side after training on the training side."""
        fitted = self._trained(take_clips(X, train), train, classes)
        query = take_clips(X, test)
        if hasattr(fitted, "predict_proba"):
            return METRICS[self.scoring](self.y[test], fitted.predict_proba(query), fitted.classes_)
        certain = fitted.predict(query)[:, np.newaxis] == fitted.classes_
        return METRICS[self.scoring](self.y[test], certain.astype(float), fitted.classes_)

    def _trained(self, X: Any, train: Rows, classes: NDArray) -> Any:
        if hasattr(self.estimator, "adapt") and _is_fitted(self.estimator):
            return self.estimator.adapt(X, self.y[train], classes=classes)
        fitted = clone(self.estimator)
        if self.groups is not None and has_fit_parameter(fitted, "groups"):
            return fitted.fit(X, self.y[train], groups=np.asarray(self.groups)[train])
        return fitted.fit(X, self.y[train])


def worth_of_rows(
    leak: Leak, judge: Judge, X: Any, train: Rows, test: Rows, generator: Generator
) -> Leak:
    """The leak with its three scores: as given, without its rows, without random ones.

    Parameters
    ----------
    leak : Leak
        With `train_rows`.
    judge : Judge
        Scores.
    X : Views, dict, list or array
        All clips.
    train, test : int array
        The two sides.
    generator : numpy.random.Generator
        Draws the random rows: as many of each class as leak.

    Returns
    -------
    Leak

    Notes
    -----
    Source: ours.
    """
    classes, codes = np.unique(judge.y[train], return_inverse=True)
    leaks = np.isin(train, leak.train_rows)
    leak = replace(leak, score=judge.score(X, train, test, classes))
    left = train[~leaks]
    n_left = len(np.unique(judge.y[left]))
    if n_left < 2:
        n_rows = f"{len(left)} of {len(train)} training rows of {n_left} class(es) are left"
        return replace(leak, note=f"{n_rows}, too few to fit")
    try:
        without = judge.score(X, left, test, classes)
        random = [
            judge.score(X, train[_random_rest(codes, leaks, generator)], test, classes)
            for _ in range(judge.n_random)
        ]
    except ValueError as error:
        return replace(leak, note=f"what is left cannot be fitted: {error}")
    return replace(leak, score_without=without, score_random=float(np.mean(random)))


def worth_of_scaler(leak: Leak, judge: Judge, scaled: Any, refitted: Any, train, test) -> Leak:
    """The leak with its scores: scaled as given, and by the training side alone.

    Parameters
    ----------
    leak : Leak
        Of a scaler.
    judge : Judge
        Scores.
    scaled, refitted : Views, dict, list or array
        All clips, as the leaking scaler leaves them and as one does that was fitted to the
        training side.
    train, test : int array
        The two sides.

    Returns
    -------
    Leak

    Notes
    -----
    Source: ours.
    """
    classes = np.unique(judge.y[train])
    score, without = (judge.score(X, train, test, classes) for X in (scaled, refitted))
    return replace(leak, score=score, score_without=without, score_random=score)


def _random_rest(
    codes: NDArray[np.intp], leaks: NDArray[np.bool_], generator: Generator
) -> NDArray[np.bool_]:
    """Mark what is kept when as many rows of each class go as leak, drawn at random."""
    kept = np.ones(len(codes), dtype=bool)
    for code in np.unique(codes[leaks]):
        own = np.flatnonzero(codes == code)
        kept[generator.permutation(own)[: leaks[own].sum()]] = False
    return kept


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True

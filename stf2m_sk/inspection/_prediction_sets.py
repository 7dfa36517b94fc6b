"""Sets of emotions that hold the true one for a promised share of new people's clips."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.model_selection import GroupKFold
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from stf2m_sk._validation import check_groups, check_labels
from stf2m_sk.inspection._coverage import covering_threshold
from stf2m_sk.model_selection import EpisodeSplit, FewShotProtocol
from stf2m_sk.views import Views, as_views

__all__ = ["CoverageError", "PredictionSets"]

_EPISODES = 4  # of each person, where clips are labelled


class CoverageError(ValueError):
    """More coverage was asked for than so few people can promise."""


class PredictionSets(MetaEstimatorMixin, BaseEstimator):
    """Emotions that a clip may show, calibrated on people who are left out.

    For a new person and a random clip of theirs, the set holds the true emotion with probability
    `level`: the unit of the promise is the person, not the clip. Sets are large where the
    classifier does not know.

    Parameters
    ----------
    estimator : STF2MClassifier or FrozenEstimator
        Cloned and fitted: once for each fold of people, without whom it is calibrated on them, and
        once on all. A `FrozenEstimator` around a fitted classifier is taken as it is; then all
        people of `fit` must be new to it.
    level : float, default=0.9
        Coverage, above 0 and below 1. With n people no level above n / (n + 1) can be promised.
        `set_params(level=...)` holds at once, without another `fit`.
    n_shots : int, default=0
        Labelled clips per emotion that will be known of a person. Each calibration person is
        adapted to as many.
    cv : int, default=5
        Folds of people.
    random_state : int, RandomState instance or None, default=None
        Decides folds and episodes. The estimator has its own.

    Attributes
    ----------
    classifier_ : STF2MClassifier
        Fitted on all people; after `adapt`, adapted.
    scores_ : dict of person to float array
        Nonconformity of each calibration clip, 1 - probability of its own emotion.
    classes_ : array of shape (n_classes,)
        Columns of `predict_set`.

    See Also
    --------
    unlikeness : Clips to which no promise applies, since nothing like them was seen.

    Notes
    -----
    A label is in the set if 1 - its probability is at most a threshold (Sadinle, Lei, Wasserman,
    JASA 2019: the smallest sets on average; adaptive sets were up to three times as large on real
    recordings). Among hierarchical conformal methods (Dunn, Wasserman, Ramdas, JASA 2022; Lee,
    Barber, Willett, arXiv 2306.06342) the threshold is that of pooled people who count alike,
    raised until each of them, left out in turn, is covered by the others to the level.

    This is measured, not guaranteed for every distribution: the guarantee would cover 95 % where
    90 % are asked of 19 people. People must be exchangeable: the new one is as those of `fit`.
    With folds, models of fewer people decide for a model of all, as in cross-conformal prediction
    and CV+ (Barber, Candes, Ramdas, Tibshirani, Annals of Statistics 2021). The promise is an
    average over people: single people may have less. A set may be empty: then no emotion is as
    likely as the true one usually is.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import PredictionSets
    >>> data = make_emotion_views(n_people=8, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=40, random_state=0)
    >>> sets = PredictionSets(clf, level=0.8, random_state=0)
    >>> sets = sets.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> inside = sets.predict_set(data.views[new])
    >>> inside.shape, inside.dtype
    ((24, 4), dtype('bool'))
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "adapt", "predict_proba"])],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "n_shots": [Interval(Integral, 0, None, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator, *, level=0.9, n_shots=0, cv=5, random_state=None):
        self.estimator = estimator
        self.level = level
        self.n_shots = n_shots
        self.cv = cv
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        groups: ArrayLike,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> PredictionSets:
        """Fit and calibrate.

        Parameters
        ----------
        X : as in `STF2MClassifier.fit`
            Clips.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,)
            Person of each clip.
        contexts, times : array-like of shape (n_clips,), default=None
            As in `FewShotProtocol`: labelled clips share no context with those they are judged by,
            or come earlier.

        Returns
        -------
        PredictionSets
            These sets.

        Raises
        ------
        CoverageError
            If people are too few for the level.
        ValueError
            If X, y or groups do not fit together, or nobody has clips for an episode.
        """
        views = as_views(X, getattr(self.estimator, "schema", None))
        labels = check_labels(y, views.n_clips)
        _ = check_groups(groups, views.n_clips)
        people = np.asarray(groups)
        n_people = len(np.unique(people))
        _check_level(self.level, n_people)
        more = {
            name: np.asarray(values)
            for name, values in (("contexts", contexts), ("times", times))
            if values is not None
        }
        scores = self._left_out(views, labels, people, more)
        _check_level(self.level, len(scores))  # people with too few clips give no episode
        classifier = clone(self.estimator).fit(views, labels, groups=people)
        self.scores_ = scores
        self.classifier_ = getattr(classifier, "estimator", classifier)
        self.adapted_ = False
        return self

    def adapt(self, X: Any, y: ArrayLike) -> PredictionSets:
        """Sets for a person of whom labelled clips are known.

        Parameters
        ----------
        X : as in `fit`
            Labelled clips, `n_shots` of each emotion.
        y : array-like of shape (n_clips,)
            Their labels.

        Returns
        -------
        PredictionSets
            Of the person; these are not changed.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `STF2MClassifier.adapt`.

        Warns
        -----
        UserWarning
            If there are more or fewer clips of an emotion than `n_shots`.
        """
        check_is_fitted(self)
        adapted = copy.copy(self)
        adapted.classifier_ = self.classifier_.adapt(X, y)
        names, counts = np.unique(np.asarray(y), return_counts=True)
        pairs = zip(names.tolist(), counts.tolist(), strict=True)
        others = {name: n for name, n in pairs if n != self.n_shots}
        if others:
            warnings.warn(
                f"the sets were calibrated for n_shots={self.n_shots} labelled clips per emotion, "
                f"given {others}. Their coverage is not known: fit with another n_shots.",
                UserWarning,
                stacklevel=2,
            )
        adapted.adapted_ = True
        return adapted

    def predict_set(self, X: Any) -> NDArray[np.bool_]:
        """Emotions that each clip may show.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        bool array of shape (n_clips, n_classes)
            Whether an emotion, in the order of `classes_`, is in the set.

        Raises
        ------
        NotFittedError
            If nothing is fitted, or `n_shots` is above 0 and `adapt` was not called.
        CoverageError
            If `level` was set to more than the people can promise.
        ValueError
            As `STF2MClassifier.predict_proba`.
        """
        check_is_fitted(self)
        if self.n_shots and not self.adapted_:
            raise ValueError(
                f"the sets are calibrated for n_shots={self.n_shots} labelled clips per emotion, "
                "but no clip of the person is known: call adapt(X, y) and ask what it returns."
            )
        return 1.0 - self.classifier_.predict_proba(X) <= self.threshold_

    @property
    def threshold_(self) -> float:
        """Largest nonconformity that a set admits, at the present level."""
        check_is_fitted(self)
        _check_level(self.level, len(self.scores_))
        return covering_threshold(list(self.scores_.values()), self.level)

    @property
    def classes_(self) -> NDArray:
        """Labels of the columns."""
        check_is_fitted(self)
        return self.classifier_.classes_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "scores_")

    def _left_out(self, views, labels, people, more) -> dict[Any, NDArray[np.float64]]:
        """Nonconformity of each person's clips, by classifiers of other people."""
        n_folds = min(self.cv, len(np.unique(people)))
        folds = GroupKFold(n_folds, shuffle=True, random_state=self.random_state)
        scores: dict[Any, list[NDArray]] = {}
        for train, test in folds.split(labels, labels, people):
            classifier = clone(self.estimator)
            classifier = classifier.fit(views[train], labels[train], groups=people[train])
            own = {name: values[test] for name, values in more.items()}
            judged = self._judged(classifier, views[test], labels[test], people[test], own)
            for person, part in judged:
                scores.setdefault(person, []).append(part)
        return {person: np.concatenate(parts) for person, parts in scores.items()}

    def _judged(
        self, classifier, views: Views, labels: NDArray, people: NDArray, more: dict
    ) -> Iterator[tuple[Any, NDArray[np.float64]]]:
        """Each person with the nonconformity of clips, after the labelled ones are known."""
        if not self.n_shots:
            for person in np.unique(people):
                own = people == person
                yield person, _nonconformity(classifier, views[own], labels[own])
            return
        protocol = FewShotProtocol(
            shots=self.n_shots, on_few="shrink", random_state=self.random_state, **more
        )
        episodes = EpisodeSplit(protocol, n_episodes=_EPISODES * len(np.unique(people)))
        for episode in episodes.episodes(views, labels, people):
            adapted = classifier.adapt(views[episode.support], labels[episode.support])
            query = episode.query
            yield episode.person, _nonconformity(adapted, views[query], labels[query])


def _nonconformity(classifier, views: Views, labels: NDArray) -> NDArray[np.float64]:
    """1 - probability of each clip's own label; infinite for a label that is not answered with."""
    probabilities = classifier.predict_proba(views)
    own = labels[:, None] == classifier.classes_
    return np.where(own.any(axis=1), 1.0 - (probabilities * own).sum(axis=1), np.inf)


def _check_level(level: float, n_people: int) -> None:
    most = n_people / (n_people + 1)
    if level > most:
        raise CoverageError(
            f"level={level} cannot be promised with {n_people} calibration people: at most "
            f"n / (n + 1) = {most:.3f}. Ask for a lower level, or give more people."
        )

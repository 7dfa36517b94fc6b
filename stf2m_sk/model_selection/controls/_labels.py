"""Controls that look at labels, and at when or of what they were, but at no signal."""

import copy
from collections import Counter
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from stf2m_sk._validation import check_labels
from stf2m_sk.model_selection._clips import check_per_clip
from stf2m_sk.model_selection._forms import count_clips

Column = ArrayLike | None  # of shape (n_clips,)


class LabelControl(ClassifierMixin, BaseEstimator):
    """Looks at labels only: of X, in any form, it needs the number of clips."""

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Count the labels of a population.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        y : array-like of shape (n_clips,)
            Labels.

        Returns
        -------
        object
            This control.

        Raises
        ------
        ValueError
            If X has another number of clips than y.
        """
        self._labels = check_labels(validate_data(self, y=y), count_clips(X))
        self.classes_ = self.population_classes_ = np.unique(self._labels)
        self._support = np.empty(0, dtype=np.intp)
        return self

    def adapt(self, X: Any, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """A new control for a support.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        y : array-like of shape (n_clips,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            What it can predict; by default the labels in y.

        Returns
        -------
        LabelControl
            Of the same class.

        Raises
        ------
        ValueError
            If lengths differ or `classes` lacks a label.
        TypeError
            If text meets numbers.
        """
        check_is_fitted(self)
        labels = check_labels(validate_data(self, y=y), count_clips(X))
        wanted = np.unique(labels if classes is None else column_or_1d(classes))
        check_labels(wanted.tolist() + self.population_classes_.tolist(), None, name="classes")
        if len(lacking := np.setdiff1d(labels, wanted)):
            raise ValueError(f"y holds labels that `classes` lacks: {lacking.tolist()}. Add them")
        adapted = copy.copy(self)
        adapted.classes_, adapted._support = wanted, np.searchsorted(wanted, labels)
        return adapted

    def predict(self, X: Any, **metadata: Column) -> NDArray:
        """The most likely label of each clip.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        **metadata
            As `predict_proba` takes them.

        Returns
        -------
        ndarray of shape (n_clips,)
            Of `classes_`.
        """
        shares = self.predict_proba(X, **metadata)
        return self.classes_[shares.argmax(axis=1)]

    def _with_prior(self, counts: NDArray) -> NDArray[np.float64]:
        """Shares of counted clips, with the population as half a clip: it settles ties only."""
        known = (self._labels[:, np.newaxis] == self.classes_).sum(axis=0)
        prior = known / known.sum() if known.any() else np.full(len(known), 1 / len(known))
        return (counts + 0.5 * prior) / (counts.sum(axis=-1, keepdims=True) + 0.5)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = tags.classifier_tags.poor_score = True
        tags.input_tags.three_d_array = tags.input_tags.allow_nan = tags.input_tags.sparse = True
        return tags


class MajorityControl(LabelControl):
    """Always the most frequent label: of the population, after `adapt` of the support.

    The probabilities are the shares of the labels. Those of a support have the population added
    as half a clip, so that a tie goes to what is more frequent there. Source: ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection import MajorityControl
    >>> MajorityControl().fit([[0]] * 3, ["calm", "joy", "joy"]).predict([[0]]).item()
    'joy'
    """

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of each label, for every clip the same.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Rows sum to 1; columns are in the order of `classes_`.
        """
        check_is_fitted(self)
        counts = np.bincount(self._support, minlength=len(self.classes_))
        return np.tile(self._with_prior(counts), (count_clips(X), 1))


class NearestInTimeControl(LabelControl):
    """Copies the label of the support clip that is nearest in time, in one recording.

    Where a classifier is not above it, it may have recognised the moment and not the emotion.
    `adapt`, and `predict` after it, need `times`: when each clip was, in any unit. Of two clips
    equally near the earlier is copied, as one clip, with the population as half. Source: ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection import NearestInTimeControl
    >>> control = NearestInTimeControl().fit([[0], [0]], ["calm", "joy"])
    >>> person = control.adapt([[0], [0]], ["calm", "joy"], times=[30, 600])
    >>> person.predict([[0]] * 3, times=[60, 500, 900]).tolist()
    ['calm', 'joy', 'joy']
    """

    def adapt(self, X: Any, y: ArrayLike, classes: Column = None, *, times: Column = None) -> Self:
        """A new control for a support.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        y : array-like of shape (n_clips,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            What it can predict; by default the labels in y.
        times : array-like of shape (n_clips,)
            When each clip was, in any unit; it must be given.

        Returns
        -------
        NearestInTimeControl
            This one is not changed.

        Raises
        ------
        ValueError
            If lengths differ, `classes` lacks a label, or `times` are not given or not finite.
        """
        adapted = super().adapt(X, y, classes)
        moments = _check_times(times, X)
        order = np.lexsort((adapted._support, moments))  # rows may come in any order
        adapted.times_, adapted._support = moments[order], adapted._support[order]
        return adapted

    def predict_proba(self, X: Any, *, times: Column = None) -> NDArray[np.float64]:
        """Two thirds and more for the label of the clip nearest in time.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        times : array-like of shape (n_clips,)
            When each clip was, in the unit of the support's; not needed before `adapt`.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Rows sum to 1; columns are in the order of `classes_`.

        Raises
        ------
        ValueError
            If `times` are not given after `adapt`.
        """
        check_is_fitted(self)
        copied = np.zeros((count_clips(X), len(self.classes_)))
        if len(self._support):
            apart = np.abs(np.subtract.outer(_check_times(times, X), self.times_))
            copied[np.arange(len(copied)), self._support[apart.argmin(axis=1)]] = 1
        return self._with_prior(copied)

    def predict(self, X: Any, *, times: Column = None) -> NDArray:
        """The label of the clip nearest in time.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        times : array-like of shape (n_clips,)
            When each clip was, in the unit of the support's; not needed before `adapt`.

        Returns
        -------
        ndarray of shape (n_clips,)
            Of `classes_`.
        """
        return super().predict(X, times=times)


class StimulusPriorControl(LabelControl):
    """What the other people reported for that stimulus; no signal is looked at.

    Where a classifier is not above it, it may have recognised the stimulus and not the emotion.
    `fit` and `predict` need `contexts`, the stimulus of each clip; with `groups`, its person, own
    reports do not count. `adapt` changes the classes only. Source: arXiv 2508.02417, adapted.

    Examples
    --------
    >>> from stf2m_sk.model_selection import StimulusPriorControl
    >>> control = StimulusPriorControl().fit([[0]] * 2, ["joy", "fear"], contexts=["cat", "snake"])
    >>> control.predict([[0]] * 3, contexts=["snake", "cat", "snake"]).tolist()
    ['fear', 'joy', 'fear']
    """

    def fit(self, X: Any, y: ArrayLike, *, contexts: Column = None, groups: Column = None) -> Self:
        """Count the labels of each context.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        y : array-like of shape (n_clips,)
            Labels.
        contexts : array-like of shape (n_clips,)
            The stimulus of each clip.
        groups : array-like of shape (n_clips,), default=None
            The person of each clip.

        Returns
        -------
        object
            This control.

        Raises
        ------
        ValueError
            If `contexts` is not given, or lengths differ.
        """
        contexts = _required(contexts, X, "contexts", "the stimulus of each clip")
        people = None if groups is None else check_per_clip(groups, len(contexts), "groups")
        super().fit(X, y)
        self.contexts_ = np.unique(contexts)
        reports = list(zip(contexts.tolist(), self._labels.tolist(), strict=True))
        self._reports = Counter(reports)
        self._own = None if people is None else Counter(zip(people.tolist(), reports, strict=True))
        return self

    def predict_proba(self, X: Any, *, contexts: Column = None, groups: Column = None) -> NDArray:
        """Shares of what was reported for each clip's stimulus; the population is half a clip.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        contexts : array-like of shape (n_clips,)
            The stimulus of each clip.
        groups : array-like of shape (n_clips,), default=None
            The person of each clip, whose own reports do not count then.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Rows sum to 1; columns are in the order of `classes_`.

        Raises
        ------
        ValueError
            If `contexts` is not given, or `groups` are and were not at `fit`.
        """
        check_is_fitted(self)
        contexts = _required(contexts, X, "contexts", "the stimulus of each clip").tolist()
        reports = [[(context, label) for label in self.classes_.tolist()] for context in contexts]
        counts = np.array([[self._reports[report] for report in row] for row in reports])
        if groups is not None:
            if self._own is None:
                raise ValueError("`groups` were not given at fit; give `groups` to fit too")
            people = check_per_clip(groups, len(contexts), "groups").tolist()
            rows = zip(people, reports, strict=True)
            counts -= [[self._own[person, report] for report in row] for person, row in rows]
        return self._with_prior(counts)

    def predict(self, X: Any, *, contexts: Column = None, groups: Column = None) -> NDArray:
        """The label that the others reported most for the clip's stimulus.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips; only their number counts.
        contexts : array-like of shape (n_clips,)
            The stimulus of each clip.
        groups : array-like of shape (n_clips,), default=None
            The person of each clip, whose own reports do not count then.

        Returns
        -------
        ndarray of shape (n_clips,)
            Of `classes_`.
        """
        return super().predict(X, contexts=contexts, groups=groups)


def _required(values: Column, X: Any, name: str, what: str) -> NDArray:
    """One entry for each clip of X, of something that a control cannot do without."""
    if values is None:
        raise ValueError(f"`{name}` is not given; expected {what}: pass {name}=...")
    return check_per_clip(values, count_clips(X), name)


def _check_times(times: Column, X: Any) -> NDArray[np.float64]:
    moments = _required(times, X, "times", "when each clip was (the order of the rows is no time)")
    return check_array(moments, ensure_2d=False, dtype=np.float64, input_name="times")

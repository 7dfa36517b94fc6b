"""A meta-estimator around a meta-trained classifier: cross-validation on one person's clips."""

from __future__ import annotations

import copy
import os
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, _fit_context
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from stf2m_sk._validation import check_labels, note_features, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fine_tuning import fine_tuned
from stf2m_sk.loading import load
from stf2m_sk.views import as_views

__all__ = ["PersonalisedClassifier"]


class PersonalisedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Adapt a meta-trained classifier in `fit`, so that scikit-learn's tools can refit it.

    `STF2MClassifier.fit` meta-trains on a population; `fit` of this one is `adapt` to the clips
    of a person. `cross_val_score`, `GridSearchCV` and learning curves over one person's clips
    then take seconds.

    Parameters
    ----------
    estimator : STF2MClassifier, FrozenEstimator, str or path-like
        A fitted classifier, a frozen one, or the file of a saved one. It is not changed, and
        `clone` keeps it by reference.
    unlabelled : as X of `fit`, default=None
        Unlabelled clips of the person; see `STF2MClassifier.adapt`.
    label_names : array-like, default=None
        Labels that 0, 1, ... stand for in `y`. Give ``np.unique(y)`` to tools that encode labels:
        `cross_val_predict` with `method="predict_proba"`, `VotingClassifier`,
        `StackingClassifier`. Predictions are then codes, too. None: `y` holds labels.
    support_weight : float, default=1.0
        As of `STF2MClassifier`.
    fine_tune_epochs : int, default=0
        Epochs by which copies of the networks are trained on the clips of `fit`, at a tenth of
        the learning rate. The classifier must have networks.
    random_state : int, RandomState instance or None, default=None
        Decides the course of fine-tuning.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels in `y`, sorted.
    classifier_ : STF2MClassifier
        Adapted.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from stf2m_sk import PersonalisedClassifier, STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> data = make_emotion_views(n_people=6, n_emotions=2, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> population = STF2MClassifier(n_networks=0, random_state=0)
    >>> population = population.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> person = PersonalisedClassifier(population)
    >>> cross_val_score(person, data.views[new], data.target[new], cv=3).shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit"]), str, os.PathLike],
        "unlabelled": "no_validation",
        "label_names": ["array-like", None],
        "support_weight": [Interval(Real, 0, None, closed="neither")],
        "fine_tune_epochs": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        unlabelled=None,
        label_names=None,
        support_weight=1.0,
        fine_tune_epochs=0,
        random_state=None,
    ):
        self.estimator = estimator
        self.unlabelled = unlabelled
        self.label_names = label_names
        self.support_weight = support_weight
        self.fine_tune_epochs = fine_tune_epochs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y: ArrayLike) -> PersonalisedClassifier:
        """Adapt to the clips of a person.

        Parameters
        ----------
        X : as in `STF2MClassifier.fit`
            Clips of the person.
        y : array-like of shape (n_clips,)
            Their labels, or codes of `label_names`.

        Returns
        -------
        PersonalisedClassifier
            This classifier.

        Raises
        ------
        TypeError, NotFittedError, FileNotFoundError
            If `estimator` is no meta-trained classifier.
        ValueError
            As `STF2MClassifier.adapt`; if `y` holds something else than codes of `label_names`;
            if fine-tuning is asked for where there is no network, or of new emotions.
        """
        start = copy.copy(_resolved(self.estimator))
        start.support_weight = self.support_weight
        codes = check_labels(y, None)
        labels = self._labels(codes)
        given = {"unlabelled": self.unlabelled, "classes": np.unique(labels)}
        adapted = start.adapt(X, labels, **given)
        views = as_views(X, start.schema_)
        if self.fine_tune_epochs:
            with torch_threads(start.n_threads):
                start.model_ = fine_tuned(
                    start.model_, views, labels, self.fine_tune_epochs, self.random_state
                )
            adapted = start.adapt(X, labels, **given)
        note_features(self, X, views, reset=True)
        self.classifier_ = adapted
        self.classes_ = np.unique(codes)
        return self

    def predict_proba(self, X) -> NDArray[np.floating]:
        """Probabilities of `classes_`.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes)
            As `STF2MClassifier.predict_proba`.
        """
        check_is_fitted(self)
        return self.classifier_.predict_proba(X)

    def predict_log_proba(self, X) -> NDArray[np.floating]:
        """Logarithms of the probabilities of `classes_`.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes)
            As `STF2MClassifier.predict_log_proba`.
        """
        check_is_fitted(self)
        return self.classifier_.predict_log_proba(X)

    def decision_function(self, X) -> NDArray[np.floating]:
        """Logits of `classes_`; as `STF2MClassifier.decision_function`.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes), or (n_clips,) with two classes
            In the latter case those of the second class.
        """
        check_is_fitted(self)
        return self.classifier_.decision_function(X)

    def predict(self, X) -> NDArray:
        """Most probable of `classes_`.

        Parameters
        ----------
        X : as in `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips,)
            Labels, or codes of `label_names`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def get_params(self, deep: bool = True) -> dict:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Has no effect: the parameters of `estimator` stay as they were at its `fit`.

        Returns
        -------
        dict
            By name.
        """
        return super().get_params(deep=False)

    def set_params(self, **params) -> PersonalisedClassifier:
        """Set parameters; those of `estimator`, which others may use, cannot be reached.

        Parameters
        ----------
        **params : any
            By name.

        Returns
        -------
        PersonalisedClassifier
            This classifier.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        nested = sorted(name for name in params if "__" in name)
        if nested:
            raise ValueError(
                f"Invalid parameter {nested[0]!r} for estimator {type(self).__name__}: what was "
                f"meta-trained is not changed. Valid parameters are: {sorted(self.get_params())}."
            )
        return super().set_params(**params)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def __sklearn_clone__(self):
        # What was meta-trained is the point: it is kept, not cloned.
        again = type(self)(**self.get_params(deep=False))
        if hasattr(self, "_metadata_request"):
            again._metadata_request = copy.deepcopy(self._metadata_request)
        return again

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    def _labels(self, codes: NDArray) -> NDArray:
        if self.label_names is None:
            return codes
        names = check_labels(self.label_names, None, name="label_names")
        if not np.array_equal(names, np.unique(names)):
            raise ValueError(
                f"label_names must be sorted and distinct, as np.unique(y) is; given "
                f"{names.tolist()}."
            )
        if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= len(names):
            raise ValueError(
                f"y holds {np.unique(codes).tolist()}, but with label_names it must hold codes "
                f"from 0 to {len(names) - 1}. Leave label_names out where y holds labels."
            )
        return names[codes]


def _resolved(estimator: object) -> STF2MClassifier:
    """The fitted classifier that is meant."""
    if isinstance(estimator, str | os.PathLike):
        return load(Path(estimator))
    classifier = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
    if not isinstance(classifier, STF2MClassifier):
        raise TypeError(
            f"estimator is a {type(classifier).__name__}; expected a fitted STF2MClassifier, a "
            "FrozenEstimator around one, or the file of a saved one. Of a Pipeline, give the last "
            "step and put the others before this classifier."
        )
    check_is_fitted(classifier)
    return classifier

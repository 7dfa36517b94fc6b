"""Controls made of a classifier: with shuffled labels, and without adaptation."""

import hashlib
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from stf2m_sk._validation import check_labels
from stf2m_sk.model_selection._forms import count_clips, modalities
from stf2m_sk.views import Views


class _Wrapper(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Predicts with a fitted clone of `estimator`."""

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, **fit_params) -> Self:
        """Fit a clone.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips, as the estimator takes them.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People; handed on if the estimator's `fit` has this parameter.
        **fit_params
            Handed on.

        Returns
        -------
        object
            This control.
        """
        self._validate_params()
        fitted = clone(self.estimator)
        if groups is not None and has_fit_parameter(fitted, "groups"):
            fit_params["groups"] = groups
        return self._hold(fitted.fit(X, y, **fit_params))

    def _hold(self, fitted: Any) -> Self:
        self.estimator_, self.classes_ = fitted, fitted.classes_
        if hasattr(fitted, "n_features_in_"):
            self.n_features_in_ = fitted.n_features_in_
        return self

    def predict(self, X: Any, **params) -> NDArray:
        """Labels of clips, as the estimator predicts them.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips, as the estimator takes them.
        **params
            Handed on.

        Returns
        -------
        ndarray of shape (n_clips,)
            Of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X, **params)

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X: Any, **params) -> NDArray[np.floating]:
        """Probabilities, as the estimator predicts them.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips, as the estimator takes them.
        **params
            Handed on.

        Returns
        -------
        ndarray of shape (n_clips, n_classes)
            Rows sum to 1; columns are in the order of `classes_`.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X, **params)

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.no_validation = inner.input_tags, inner.no_validation
        tags.classifier_tags.poor_score = True
        return tags


class ShuffledLabels(_Wrapper):
    """A classifier whose support labels are shuffled: what it scores without their meaning.

    The labels given to `adapt` are shuffled; where `estimator` has no `adapt`, those given to
    `fit`. Where the score stays high, the population decides, or a leak. Source: ours.

    Parameters
    ----------
    estimator : classifier
        Cloned at `fit`, which keeps the fitted one as `estimator_`.
    random_state : int, RandomState instance or None, default=None
        With an int, a permutation depends on it and on the clips.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.model_selection import ShuffledLabels
    >>> X, y = [[i] for i in range(99)], [0] * 50 + [1] * 49
    >>> ShuffledLabels(GaussianNB(), random_state=0).fit(X, y).score(X, y) < 0.8
    True
    """

    def __init__(self, estimator, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Fit a clone to the labels as they are if it can adapt, else to shuffled ones.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips, as the estimator takes them.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People; handed on if the estimator's `fit` has this parameter.

        Returns
        -------
        object
            This control.
        """
        self._validate_params()
        can_adapt = hasattr(self.estimator, "adapt")
        return super().fit(X, y if can_adapt else self.shuffled(X, y), groups=groups)

    @available_if(lambda self: hasattr(self.estimator, "adapt"))
    def adapt(self, X: Any = None, y: Any = None, classes: Any = None, **params) -> Self:
        """A new control, of the estimator adapted to clips with shuffled labels.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array, default=None
            Labelled clips, as the estimator takes them.
        y : array-like of shape (n_clips,), default=None
            Labels.
        classes : array-like of shape (n_classes,), default=None
            Handed on.
        **params
            Handed on.

        Returns
        -------
        ShuffledLabels
            This one is not changed.
        """
        check_is_fitted(self)
        shuffled = None if X is None else self.shuffled(X, y)
        return clone(self)._hold(self.estimator_.adapt(X, shuffled, classes=classes, **params))

    def shuffled(self, X: Any, y: ArrayLike) -> NDArray:
        """The labels in the order in which they are handed on.

        Parameters
        ----------
        X : Views, dict, list of arrays, or array
            Clips, as the estimator takes them.
        y : array-like of shape (n_clips,)
            Labels.

        Returns
        -------
        ndarray of shape (n_clips,)
            A permutation of y.

        Raises
        ------
        ValueError
            If y is None or has another length than X.
        """
        labels = check_labels(validate_data(self, y=y), count_clips(X))
        if self.random_state is None or isinstance(self.random_state, np.random.RandomState):
            generator = self.random_state or np.random.default_rng()  # the global one is left alone
        else:
            seed = int(check_random_state(self.random_state).randint(2**31))
            generator = np.random.default_rng([seed, *np.frombuffer(_digest(X), dtype=np.uint32)])
        return labels[generator.permutation(len(labels))]


class PopulationOnly(_Wrapper):
    """A classifier that is never adapted: what the population alone is worth.

    Source: ours.

    Parameters
    ----------
    estimator : classifier
        Cloned at `fit`, which keeps the fitted one as `estimator_`. It need not have `adapt`.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from stf2m_sk.model_selection import PopulationOnly
    >>> control = PopulationOnly(GaussianNB()).fit([[0.0], [1.0]], ["calm", "joy"])
    >>> control.adapt([[2.0]], ["awe"]).predict([[2.0]]).item()
    'joy'
    """

    def adapt(self, X: Any = None, y: Any = None, classes: Any = None, **params) -> Self:
        """Give back this very control, whatever the support.

        Parameters
        ----------
        X, y, classes, **params : object
            Ignored.

        Returns
        -------
        object
            This control.
        """
        check_is_fitted(self)
        return self


def _digest(X: Any) -> bytes:
    """The same for the same clips, however they lie in memory; X is not checked here."""
    digest = hashlib.blake2b(digest_size=16)
    for part in modalities(X.to_dict() if isinstance(X, Views) else X) or [X]:
        array = part.toarray() if issparse(part) else np.asarray(part)
        digest.update(f"{array.shape}{array.dtype.kind}".encode())
        digest.update(repr(array.tolist()).encode() if array.dtype.kind == "O" else array.tobytes())
    return digest.digest()

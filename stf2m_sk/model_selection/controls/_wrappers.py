"""Controls made of a classifier: with shuffled labels, and without adaptation."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d, has_fit_parameter

from stf2m_sk.model_selection._forms import count_clips, modalities
from stf2m_sk.views import Views

__all__ = ["PopulationOnly", "ShuffledLabels"]


def _has(name: str):
    def check(control: _Wrapper) -> bool:
        return hasattr(getattr(control, "estimator_", control.estimator), name)

    return available_if(check)


class _Wrapper(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Holds a fitted clone of `estimator` as `estimator_` and predicts with it."""

    def _fit_clone(
        self, X: Any, y: ArrayLike, groups: ArrayLike | None, fit_params: dict[str, Any]
    ) -> None:
        self._validate_params()
        fitted = clone(self.estimator)
        if groups is not None and has_fit_parameter(fitted, "groups"):
            fit_params = {**fit_params, "groups": groups}
        self.estimator_ = fitted.fit(X, y, **fit_params)

    @property
    def classes_(self) -> NDArray:
        """Labels of the predictions, sorted."""
        check_is_fitted(self)
        return self.estimator_.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of features seen at fit, where the estimator tells."""
        check_is_fitted(self)
        return self.estimator_.n_features_in_

    def predict(self, X: Any, **predict_params) -> NDArray:
        """Labels, as the estimator predicts them.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.
        **predict_params : dict
            Handed on to `estimator`.

        Returns
        -------
        array of shape (n_clips,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X, **predict_params)

    @_has("predict_proba")
    def predict_proba(self, X: Any, **predict_params) -> NDArray[np.floating]:
        """Probabilities of the labels, as the estimator predicts them.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.
        **predict_params : dict
            Handed on to `estimator`.

        Returns
        -------
        array of shape (n_clips, n_classes)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X, **predict_params)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.no_validation = inner.no_validation
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
        tags.classifier_tags.poor_score = True
        return tags


class ShuffledLabels(_Wrapper):
    """A classifier whose support labels are shuffled: what it scores without their meaning.

    A score that stays high tells that something other than the labels of the support decides:
    the population, or a leak. A classifier that can `adapt` learns its population from the true
    labels, and those given to `adapt` are shuffled. For one that cannot, the labels given to
    `fit` are the support's, and are shuffled.

    Parameters
    ----------
    estimator : classifier
        Cloned at `fit`.
    random_state : int, RandomState instance or None, default=None
        Decides the permutations. With an int the permutation depends on it and on the clips, so
        that episodes do not share one permutation, and an episode has the same one whenever it
        is predicted.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : array of shape (n_classes,)
        Labels of the predictions.

    See Also
    --------
    sklearn.model_selection.permutation_test_score : A test for plain cross-validation.

    Notes
    -----
    Source: ours. The permutation is one of all clips, with the same counts of labels; in small
    supports some clips keep their label by chance (on average one clip of a support with one
    clip of each class).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk.model_selection import ShuffledLabels
    >>> X, y = load_iris(return_X_y=True)
    >>> control = ShuffledLabels(LogisticRegression(max_iter=1000), random_state=0).fit(X, y)
    >>> control.score(X, y) < 0.7
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator, *, random_state=None):
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None) -> ShuffledLabels:
        """Fit a clone: with true labels if it can adapt, else with shuffled ones.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People, handed on if the `fit` of `estimator` has this parameter. There are no
            weights: labels would leave the clips that were weighted for them.

        Returns
        -------
        ShuffledLabels
            This control.
        """
        shuffled = y if hasattr(self.estimator, "adapt") else self.shuffled(X, y)
        self._fit_clone(X, shuffled, groups, {})
        return self

    @_has("adapt")
    def adapt(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        **adapt_params,
    ) -> ShuffledLabels:
        """A new control, of the estimator adapted to shuffled labels.

        Parameters
        ----------
        X : whatever `estimator` takes, default=None
            Support clips; None where there are only unlabelled clips, which go to `estimator`.
        y : array-like of shape (n_clips,), default=None
            Their labels.
        classes : array-like, default=None
            As in the `adapt` of `estimator`.
        **adapt_params : dict
            Handed on.

        Returns
        -------
        ShuffledLabels
            A fitted control; this one is not changed.
        """
        check_is_fitted(self)
        adapted = clone(self)
        shuffled = None if X is None else self.shuffled(X, y)
        adapted.estimator_ = self.estimator_.adapt(X, shuffled, classes=classes, **adapt_params)
        return adapted

    def shuffled(self, X: Any, y: ArrayLike) -> NDArray:
        """The labels in the order in which they are handed on.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips, which decide the permutation together with `random_state`.
        y : array-like of shape (n_clips,)
            Their labels.

        Returns
        -------
        array of shape (n_clips,)

        Raises
        ------
        ValueError
            If y is None or of another length.
        """
        if y is None:
            raise ValueError("ShuffledLabels requires y to be passed, but the target y is None")
        labels = column_or_1d(y, warn=True)
        if len(labels) != count_clips(X):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: X has "
                f"{count_clips(X)} clips and y {len(labels)} labels"
            )
        return labels[_generator(self.random_state, X).permutation(len(labels))]


class PopulationOnly(_Wrapper):
    """A classifier that is never adapted: what the population alone is worth.

    Parameters
    ----------
    estimator : classifier
        Cloned at `fit`. It need not have `adapt`.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : array of shape (n_classes,)
        Labels of the predictions, whatever the support.

    Notes
    -----
    Source: ours. An emotion that the population lacks is never predicted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk.model_selection import PopulationOnly
    >>> X, y = load_iris(return_X_y=True)
    >>> control = PopulationOnly(LogisticRegression(max_iter=1000)).fit(X, y)
    >>> control.adapt(X[:5], y[:5]) is control
    True
    """

    _parameter_constraints: ClassVar[dict] = {"estimator": [HasMethods(["fit", "predict"])]}

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(
        self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, **fit_params
    ) -> PopulationOnly:
        """Fit a clone of the estimator on the population.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People, handed on if the `fit` of `estimator` has this parameter.
        **fit_params : dict
            Handed on.

        Returns
        -------
        PopulationOnly
            This control.
        """
        self._fit_clone(X, y, groups, fit_params)
        return self

    def adapt(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        **adapt_params,
    ) -> PopulationOnly:
        """Give back this very control: a support changes neither the predictions nor the classes.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Not looked at.
        classes : array-like, default=None
            Not looked at.
        **adapt_params : dict
            Not looked at.

        Returns
        -------
        PopulationOnly
            This control.

        Raises
        ------
        NotFittedError
            If this control is not fitted.
        """
        check_is_fitted(self)
        return self


def _generator(
    random_state: int | np.random.RandomState | None, X: Any
) -> np.random.RandomState | np.random.Generator:
    """One for these clips; fresh entropy for None, and the caller's own if it is a RandomState."""
    if random_state is None:
        return np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return random_state
    seed = int(check_random_state(random_state).randint(2**31))
    return np.random.default_rng([seed, *np.frombuffer(_digest(X), dtype=np.uint32)])


def _digest(X: Any) -> bytes:
    """The same for the same clips, however they lie in memory; X is not checked here."""
    digest = hashlib.blake2b(digest_size=16)
    signals = modalities(X.to_dict() if isinstance(X, Views) else X)
    for part in [X] if signals is None else signals:
        values = part.toarray() if issparse(part) else np.asarray(part)
        digest.update(f"{values.shape}{values.dtype.kind}".encode())
        text = values.dtype.kind == "O"
        digest.update(repr(values.tolist()).encode() if text else values.tobytes())
    return digest.digest()

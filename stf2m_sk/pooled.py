"""Make a classifier adapt by fitting it anew on the population and a weighted support."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from stf2m_sk.views import Views, as_views

__all__ = ["PooledClassifier"]


def _has(name: str):
    return available_if(lambda self: hasattr(getattr(self, "estimator_", self.estimator), name))


class PooledClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Any classifier with an ``adapt``: fitted anew on population and weighted support together.

    It keeps the clips it was fitted on. In a Pipeline it is the last step: the steps before it
    then transform each clip once.

    Parameters
    ----------
    estimator : classifier
        Cloned.
    support_weight : float, default=50.0
        What a support clip counts for a population clip's 1: as ``sample_weight``, or by
        repeating it (rounded) where ``fit`` takes none.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on the population, or on population and support.
    classes_ : array of shape (n_classes,)
        Labels of the predictions.

    Notes
    -----
    Source: ours; the weight of 50 is that of this project's yardstick.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk import PooledClassifier
    >>> pooled = PooledClassifier(LogisticRegression())
    >>> pooled = pooled.fit([[0.0], [1.0], [2.0], [3.0]], ["calm", "calm", "joy", "joy"])
    >>> person = pooled.adapt([[3.0], [4.0]], ["calm", "joy"])
    >>> pooled.predict([[3.0]]).tolist(), person.predict([[3.0]]).tolist()
    (['joy'], ['calm'])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "support_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, estimator, *, support_weight=50.0):
        self.estimator = estimator
        self.support_weight = support_weight

    def fit(self, X: Any, y: ArrayLike) -> PooledClassifier:
        """Fit a clone on the population.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.
        y : array-like of shape (n_clips,)
            Labels.

        Returns
        -------
        PooledClassifier
            This classifier.
        """
        self._validate_params()
        self.estimator_ = clone(self.estimator).fit(X, y)
        self._population = _as_rows(X), np.asarray(y)
        return self

    def adapt(self, X: Any, y: ArrayLike) -> PooledClassifier:
        """A new classifier, fitted on the population and a person's labelled clips.

        Parameters
        ----------
        X : as at `fit`
            The support.
        y : array-like of shape (n_support,)
            Its labels.

        Returns
        -------
        PooledClassifier
            Fitted; this one is not changed.

        Raises
        ------
        NotFittedError
            If this classifier is not fitted.
        """
        check_is_fitted(self)
        known, labels = self._population
        takes_weight = has_fit_parameter(self.estimator, "sample_weight")
        n_times = 1 if takes_weight else max(1, round(self.support_weight))
        pooled = _joined([known] + [_as_rows(X)] * n_times)
        targets = np.concatenate([labels] + [np.asarray(y)] * n_times)
        weights = {}
        if takes_weight:
            counts = [len(labels), len(targets) - len(labels)]
            weights = {"sample_weight": np.repeat([1.0, self.support_weight], counts)}
        adapted = clone(self)
        adapted.estimator_ = clone(self.estimator).fit(pooled, targets, **weights)
        adapted._population = self._population
        return adapted

    @property
    def classes_(self) -> NDArray:
        """Labels of the predictions, sorted."""
        check_is_fitted(self)
        return self.estimator_.classes_

    def predict(self, X: Any) -> NDArray:
        """Labels, as the estimator predicts them.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.

        Returns
        -------
        array of shape (n_clips,)
            Labels.
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @_has("predict_proba")
    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Probabilities, as the estimator predicts them.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.

        Returns
        -------
        array of shape (n_clips, n_classes)
            Rows sum to 1.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_has("decision_function")
    def decision_function(self, X: Any) -> NDArray[np.floating]:
        """Decision function, as the estimator has it.

        Parameters
        ----------
        X : whatever `estimator` takes
            Clips.

        Returns
        -------
        array
            Of the estimator.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def _as_rows(X: Any) -> Any:
    """X in a form whose rows are clips."""
    if isinstance(X, Mapping) and not sparse.issparse(X):
        return as_views(X)
    return X if hasattr(X, "shape") else np.asarray(X)


def _joined(parts: list[Any]) -> Any:
    """Rows of several X of the same form below each other."""
    if isinstance(parts[0], Views):
        return Views.concatenate(parts)
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    if hasattr(parts[0], "iloc"):
        from pandas import concat  # only frames need it, and the package loads without

        return concat(parts)
    return np.concatenate(parts)

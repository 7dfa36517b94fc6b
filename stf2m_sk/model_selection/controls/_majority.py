"""The control that knows how often each label comes and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from stf2m_sk.model_selection._forms import count_clips
from stf2m_sk.model_selection.controls._base import LabelControl, with_prior

__all__ = ["MajorityControl"]


class MajorityControl(LabelControl):
    """Always the most frequent label, whatever the clip.

    `fit` counts the labels of the population, `adapt` those of a support instead.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the predictions, sorted.
    population_classes_ : array
        Labels seen at fit.

    See Also
    --------
    sklearn.dummy.DummyClassifier : Cannot be adapted.

    Notes
    -----
    Source: ours. The probabilities are the shares of the labels. After `adapt` they are those of
    the support with the population added as half a clip, so that a tie (in a support with equally
    many clips of all classes: always) goes to what is more frequent in the population, and a
    class without a clip is predicted from the population.

    X is not looked at: Views, dicts and arrays of any shape will do.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import MajorityControl
    >>> control = MajorityControl().fit(np.zeros((3, 1)), ["calm", "joy", "joy"])
    >>> control.predict(np.zeros((2, 1))).tolist()
    ['joy', 'joy']
    >>> person = control.adapt(np.zeros((3, 1)), ["fear", "calm", "fear"])
    >>> person.predict(np.zeros((2, 1))).tolist()
    ['fear', 'fear']
    """

    _parameter_constraints: ClassVar[dict] = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike) -> MajorityControl:
        """Count the labels of a population.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels.

        Returns
        -------
        MajorityControl
            This control.

        Raises
        ------
        ValueError
            If X and y differ in length, or y holds no classes.
        """
        self._fit_population(X, y)
        self._share = self._population_share
        return self

    def adapt(self, X: Any, y: ArrayLike, classes: ArrayLike | None = None) -> MajorityControl:
        """A new control that counts the labels of a support.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels of the support.
        classes : array-like, default=None
            Labels of the new control's predictions; by default those in `y`.

        Returns
        -------
        MajorityControl
            A fitted control; this one is not changed.

        Raises
        ------
        NotFittedError
            If this control is not fitted.
        ValueError
            If X and y differ in length, or `classes` lacks a label of `y`.
        TypeError
            If labels are text where those at `fit` were numbers, or the other way round.
        """
        adapted, codes = self._with_classes(X, y, classes)
        counts = np.bincount(codes, minlength=len(adapted.classes_))
        adapted._share = with_prior(counts, adapted._prior())
        return adapted

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The share of each label, for every clip the same.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.

        Returns
        -------
        array of shape (n_clips, n_classes)
        """
        check_is_fitted(self)
        return np.tile(self._share, (count_clips(X), 1))

    def predict(self, X: Any) -> NDArray:
        """The most frequent label, for every clip.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.

        Returns
        -------
        array of shape (n_clips,)
        """
        shares = self.predict_proba(X)
        return self.classes_[shares.argmax(axis=1)]

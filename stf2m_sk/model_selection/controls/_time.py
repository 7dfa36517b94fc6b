"""The control that knows the time and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from stf2m_sk.model_selection._forms import count_clips
from stf2m_sk.model_selection.controls._base import LabelControl, check_metadata, with_prior

__all__ = ["NearestInTimeControl"]


class NearestInTimeControl(LabelControl):
    """Copies the label of the support clip that is nearest in time; no signal is looked at.

    It is for clips of *one* recording of which the times are known: seconds, or the places in
    the order of recording where there is nothing better. Where the score of a classifier is not
    above this control's, it may have recognised the moment and not the emotion.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the predictions, sorted.
    population_classes_ : array
        Labels seen at fit.
    times_ : array or None
        Times of the support, sorted; None before `adapt`.

    Notes
    -----
    Source: ours. The time of a clip comes only from `times`: rows are often shuffled, and their
    order is then no time. Without support the prediction is the population's most frequent label,
    as that of `MajorityControl`. The copied label counts as one clip and the population as half
    a clip in the probabilities. Of two clips that are equally near, the earlier is copied.

    `times` are metadata: inside scikit-learn's tools request them with
    ``set_predict_proba_request(times=True)``.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import NearestInTimeControl
    >>> control = NearestInTimeControl().fit(np.zeros((2, 1)), ["calm", "joy"])
    >>> person = control.adapt(np.zeros((2, 1)), ["calm", "joy"], times=[30, 600])
    >>> person.predict(np.zeros((3, 1)), times=[60, 500, 900]).tolist()
    ['calm', 'joy', 'joy']
    """

    _parameter_constraints: ClassVar[dict] = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike) -> NearestInTimeControl:
        """Count the labels of a population, for predictions without a support.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels.

        Returns
        -------
        NearestInTimeControl
            This control.

        Raises
        ------
        ValueError
            If X and y differ in length, or y holds no classes.
        """
        self._fit_population(X, y)
        self.times_ = self._copied = None
        return self

    def adapt(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        *,
        times: ArrayLike | None = None,
    ) -> NearestInTimeControl:
        """A new control that copies the labels of a support.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels of the support.
        classes : array-like, default=None
            Labels of the new control's predictions; by default those in `y`.
        times : array-like of shape (n_clips,)
            When each clip was recorded, in any unit; there is no default that means anything.

        Returns
        -------
        NearestInTimeControl
            A fitted control; this one is not changed.

        Raises
        ------
        NotFittedError
            If this control is not fitted.
        ValueError
            If `times` is not given or not finite, lengths differ, or `classes` lacks a label of
            `y`.
        TypeError
            If labels are text where those at `fit` were numbers, or the other way round.
        """
        adapted, codes = self._with_classes(X, y, classes)
        moments = _check_times(times, len(codes))
        order = np.lexsort((codes, moments))  # not the order of the rows, which may be any
        adapted.times_, adapted._copied = moments[order], codes[order]
        return adapted

    def predict_proba(self, X: Any, *, times: ArrayLike | None = None) -> NDArray[np.float64]:
        """Two thirds and more for the label of the clip nearest in time.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        times : array-like of shape (n_clips,)
            When each clip was recorded, in the unit and from the zero of those at `adapt`. Not
            needed before `adapt`.

        Returns
        -------
        array of shape (n_clips, n_classes)

        Raises
        ------
        ValueError
            If `times` is needed and not given, not finite or of another length.
        """
        check_is_fitted(self)
        n_clips = count_clips(X)
        if self.times_ is None:
            return np.tile(self._population_share, (n_clips, 1))
        moments = _check_times(times, n_clips)
        nearest = np.abs(moments[:, np.newaxis] - self.times_).argmin(axis=1)
        return with_prior(np.eye(len(self.classes_))[self._copied[nearest]], self._prior())

    def predict(self, X: Any, *, times: ArrayLike | None = None) -> NDArray:
        """The label of the clip nearest in time.

        Parameters
        ----------
        X, times
            As in `predict_proba`.

        Returns
        -------
        array of shape (n_clips,)

        Raises
        ------
        ValueError
            As `predict_proba`.
        """
        shares = self.predict_proba(X, times=times)
        return self.classes_[shares.argmax(axis=1)]


def _check_times(times: ArrayLike | None, n_clips: int) -> NDArray[np.float64]:
    what = (
        "when each clip was recorded (the order of the rows is not taken for it); if they are in "
        "the order of recording, number them with numpy.arange over the recording"
    )
    moments = check_metadata(times, n_clips, "times", what)
    if moments.dtype.kind not in "iuf" or not np.isfinite(moments).all():
        raise ValueError(
            f"times hold {moments.dtype} with values that are not finite numbers; expected "
            "seconds, or places in the order of recording"
        )
    return moments.astype(np.float64)

"""The control that knows the stimulus and nothing else."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from stf2m_sk.model_selection._clips import check_per_clip
from stf2m_sk.model_selection._forms import count_clips
from stf2m_sk.model_selection.controls._base import LabelControl, check_metadata, with_prior

__all__ = ["StimulusPriorControl"]


class StimulusPriorControl(LabelControl):
    """What the other people reported for that stimulus; no signal is looked at.

    The stimulus (video, statement, song: the *context* of a clip) must be known for every clip,
    at `fit` and at `predict`. Where the score of a classifier is not above this control's, it
    may have recognised the stimulus and not the emotion.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the predictions, sorted.
    population_classes_ : array
        Labels seen at fit.
    contexts_ : array
        Contexts seen at fit.

    Notes
    -----
    Source: the control is that of arXiv 2508.02417 (on leakage in studies of emotion
    recognition); this form is ours. The probabilities are the shares of the labels that the
    context has at `fit`, with the population added as half a clip; an unseen context is predicted
    from the population. With `groups` a person's own reports do not count for them.

    `contexts` and `groups` are metadata: inside scikit-learn's tools request them with
    ``set_fit_request(contexts=True)`` and ``set_predict_proba_request(contexts=True)``.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import StimulusPriorControl
    >>> X, films = np.zeros((4, 1)), ["kitten", "kitten", "snake", "snake"]
    >>> control = StimulusPriorControl().fit(X, ["joy", "joy", "fear", "joy"], contexts=films)
    >>> control.predict(np.zeros((2, 1)), contexts=["kitten", "snake"]).tolist()
    ['joy', 'joy']
    >>> control.predict_proba(np.zeros((1, 1)), contexts=["snake"]).round(2).tolist()
    [[0.45, 0.55]]
    """

    _parameter_constraints: ClassVar[dict] = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        contexts: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> StimulusPriorControl:
        """Count the labels of each context.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels.
        contexts : array-like of shape (n_clips,)
            The stimulus of each clip; there is no default that means anything.
        groups : array-like of shape (n_clips,), default=None
            The person of each clip. Needed only if `predict` is called with them.

        Returns
        -------
        StimulusPriorControl
            This control.

        Raises
        ------
        ValueError
            If `contexts` is not given, X, y, contexts and groups differ in length, or y holds no
            classes.
        """
        n_clips = count_clips(X)
        contexts = check_metadata(contexts, n_clips, "contexts", "the stimulus of each clip")
        people = None if groups is None else check_per_clip(groups, n_clips, "groups")
        codes = self._fit_population(X, y)
        self.contexts_ = np.unique(contexts)
        self._codes, self._contexts, self._people = codes, contexts, people
        return self

    def adapt(self, X: Any, y: ArrayLike, classes: ArrayLike | None = None) -> StimulusPriorControl:
        """A new control with other classes; what a person reported does not count for them.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        y : array-like of shape (n_clips,)
            Labels of the support; only which labels there are counts.
        classes : array-like, default=None
            Labels of the new control's predictions; by default those in `y`. One that the
            population lacks has the probability 0.

        Returns
        -------
        StimulusPriorControl
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
        return self._with_classes(X, y, classes)[0]

    def predict_proba(
        self, X: Any, *, contexts: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """The share of each label among what the others reported for the clip's stimulus.

        Parameters
        ----------
        X : Views, dict or array of n_clips
            Not looked at.
        contexts : array-like of shape (n_clips,)
            The stimulus of each clip.
        groups : array-like of shape (n_clips,), default=None
            The person of each clip, where these people may have been at `fit`.

        Returns
        -------
        array of shape (n_clips, n_classes)

        Raises
        ------
        ValueError
            If `contexts` is not given, lengths differ, or `groups` is given here but was not at
            `fit`.
        """
        check_is_fitted(self)
        n_clips = count_clips(X)
        contexts = check_metadata(contexts, n_clips, "contexts", "the stimulus of each clip")
        counts = _counts_by(self._contexts, self._codes, contexts, len(self.population_classes_))
        if groups is not None:
            people = check_per_clip(groups, n_clips, "groups")
            counts = counts - self._own_counts(contexts, people)
        return with_prior(self._of_classes(counts), self._prior())

    def predict(
        self, X: Any, *, contexts: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> NDArray:
        """The label that the others reported most often for the clip's stimulus.

        Parameters
        ----------
        X, contexts, groups
            As in `predict_proba`.

        Returns
        -------
        array of shape (n_clips,)

        Raises
        ------
        ValueError
            As `predict_proba`.
        """
        shares = self.predict_proba(X, contexts=contexts, groups=groups)
        return self.classes_[shares.argmax(axis=1)]

    def _own_counts(self, contexts: NDArray, people: NDArray) -> NDArray[np.intp]:
        if self._people is None:
            raise ValueError(
                "`groups` is given at predict but was not at fit, so that nobody's own reports can "
                "be left out; give `groups` to fit too"
            )
        counts = np.zeros((len(people), len(self.population_classes_)), dtype=np.intp)
        for person in np.unique(people):
            query, own = people == person, self._people == person
            counts[query] = _counts_by(
                self._contexts[own], self._codes[own], contexts[query], counts.shape[1]
            )
        return counts

    def _of_classes(self, counts: NDArray) -> NDArray:
        among = np.zeros((len(counts), len(self.classes_)))
        known = np.isin(self.classes_, self.population_classes_)
        place = np.searchsorted(self.population_classes_, self.classes_[known])
        among[:, known] = counts[:, place]
        return among


def _counts_by(
    contexts: NDArray, codes: NDArray[np.intp], query: NDArray, n_classes: int
) -> NDArray[np.intp]:
    """How often each class has the context of each row of `query`, (n_query, n_classes)."""
    known, place = np.unique(contexts, return_inverse=True)
    counts = np.zeros((len(known) + 1, n_classes), dtype=np.intp)  # the last row: not seen
    np.add.at(counts, (place, codes), 1)
    found = np.isin(query, known)
    rows = np.full(len(query), len(known))
    rows[found] = np.searchsorted(known, query[found])
    return counts[rows]

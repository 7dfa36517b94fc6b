"""A classifier that reads features, so that each clip is embedded once for all episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.nn.recurrence import State
from stf2m_sk.person import PersonMean, Support, join_labels
from stf2m_sk.views import as_views

__all__ = ["EmbeddedClassifier", "can_embed"]


def can_embed(classifier: Any) -> bool:
    """Whether `EmbeddedClassifier` predicts as it does; not a subclass, whose verbs may differ."""
    return type(classifier) is STF2MClassifier


class EmbeddedClassifier:
    """The verbs of a fitted `STF2MClassifier` with features in place of clips.

    Parameters
    ----------
    fitted : STF2MClassifier
        It is not changed.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the predictions, sorted.

    Notes
    -----
    Predictions are computed in float64 and returned in the dtype of the features: those of the
    classifier's own verbs, to rounding. The prior of a person's unlabelled clips is kept, since
    it serves all numbers of shots.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection._embedded import EmbeddedClassifier
    >>> data = make_emotion_views(n_people=4, n_emotions=2, random_state=0)
    >>> fitted = STF2MClassifier(n_networks=0, n_kernels=8, n_patterns=8, random_state=0)
    >>> fitted = fitted.fit(data.views, data.target, groups=data.groups)
    >>> embedded = EmbeddedClassifier(fitted)
    >>> features = embedded.embed(data.views[:3])
    >>> np.allclose(embedded.predict_proba(features), fitted.predict_proba(data.views[:3]))
    True
    """

    def __init__(self, fitted: STF2MClassifier) -> None:
        self._n_threads = fitted.n_threads
        self._model = fitted.model_
        self._support_weight = float(fitted.support_weight)
        self._person: tuple[PersonMean | None, FittedModel] | None = None
        self.classes_ = fitted.classes_
        self._state = self._model.state

    def embed(self, X: Any) -> NDArray[np.floating]:
        """Features of clips.

        Parameters
        ----------
        X : as in `STF2MClassifier.predict_proba`
            Clips.

        Returns
        -------
        array of shape (n_clips, n_features)
            In the dtype of X.

        Raises
        ------
        ValueError
            As `STF2MClassifier.predict_proba`.
        """
        views = as_views(X, self._model.schema)
        check_measured(views)
        with torch_threads(self._n_threads):
            return self._model.embed(views).numpy()

    def adapt(
        self,
        X: NDArray[np.floating] | None = None,
        y: NDArray | None = None,
        *,
        unlabelled: NDArray[np.floating] | None = None,
        classes: ArrayLike | None = None,
    ) -> EmbeddedClassifier:
        """As `STF2MClassifier.adapt`, from features.

        Parameters
        ----------
        X : array of shape (n_support, n_features), default=None
            Support.
        y : array of shape (n_support,), default=None
            Its labels.
        unlabelled : array of shape (n_unlabelled, n_features), default=None
            Unlabelled clips of the person.
        classes : array-like, default=None
            Labels of the predictions; by default those of the population and of `y`.

        Returns
        -------
        EmbeddedClassifier
            This one is not changed.

        Raises
        ------
        TypeError
            If labels are text where those at `fit` were numbers, or the other way round.
        """
        known = self._model.population_classes
        labels = known[:0] if y is None else y
        wanted = np.unique(join_labels([known, labels]))  # text and numbers: an error
        if classes is not None:
            wanted = np.unique(classes)
        support = None if X is None else Support.labelled(X, labels).joined(None)
        adapted = EmbeddedClassifier.__new__(EmbeddedClassifier)
        adapted.__dict__.update(vars(self))
        with torch_threads(self._n_threads):
            adapted._model = self._of_person(unlabelled)
            adapted._state: State = adapted._model.state_of(support, wanted)
        adapted.classes_ = wanted
        return adapted

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Probabilities of `classes_`.

        Parameters
        ----------
        X : array of shape (n_clips, n_features)
            Of `embed`.

        Returns
        -------
        array of shape (n_clips, n_classes)
            In the dtype of X.
        """
        features = torch.from_numpy(X)
        with torch_threads(self._n_threads):
            logits = self._model.logits_of(self._state, features, self.classes_)
            return torch.softmax(logits, dim=-1).numpy().astype(X.dtype, copy=False)

    def predict(self, X: NDArray[np.floating]) -> NDArray:
        """Most probable of `classes_`, (n_clips,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _of_person(self, unlabelled: NDArray[np.floating] | None) -> FittedModel:
        """The population's model and the person's unlabelled clips; the latest one is kept."""
        person = None
        if unlabelled is not None:
            person = PersonMean(unlabelled.mean(axis=0, dtype=np.float64), len(unlabelled))
        if self._person is None or not _is_same(person, self._person[0]):
            weight = self._support_weight
            model = self._model.derived(person=person, support=None, support_weight=weight)
            self._person = person, model
        return self._person[1]


def _is_same(one: PersonMean | None, other: PersonMean | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.n_clips == other.n_clips and np.array_equal(one.features, other.features)

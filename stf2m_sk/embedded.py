"""A classifier that reads features, so that each clip is embedded once for all episodes."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.person import PersonMean, Support, join_labels
from stf2m_sk.views import as_views

__all__ = ["EmbeddedClassifier", "can_embed"]


def can_embed(classifier: Any) -> bool:
    """Whether `EmbeddedClassifier` predicts as it does; not a subclass, whose verbs may differ."""
    return type(classifier) is STF2MClassifier


class EmbeddedClassifier:
    """The verbs of a fitted `STF2MClassifier` with features in place of clips.

    Predictions are computed in float64 and returned in the dtype of the features: those of the
    classifier's own verbs, to rounding.
    """

    def __init__(self, fitted: STF2MClassifier) -> None:
        self._n_threads = fitted.n_threads
        self._support_weight = float(fitted.support_weight)
        self._population = self._model = fitted.model_
        self._latest: tuple[NDArray | None, FittedModel] | None = None
        self._state = fitted.model_.state
        self.classes_ = fitted.classes_

    def embed(self, X: Any) -> NDArray[np.floating]:
        """Features of clips, (n_clips, n_features), in the dtype of X."""
        views = as_views(X, self._population.schema)
        check_measured(views)
        with torch_threads(self._n_threads):
            return self._population.embed(views).numpy()

    def adapt(
        self,
        X: NDArray[np.floating] | None = None,
        y: NDArray | None = None,
        *,
        unlabelled: NDArray[np.floating] | None = None,
        classes: ArrayLike | None = None,
    ) -> EmbeddedClassifier:
        """As `STF2MClassifier.adapt`, from features; this one is not changed."""
        known = self._population.population_classes
        labels = known[:0] if y is None else y
        wanted = np.unique(join_labels([known, labels]))  # text and numbers: an error
        if classes is not None:
            wanted = np.unique(classes)
        support = None if X is None else Support.labelled(X, labels).joined(None)
        adapted = copy.copy(self)
        adapted.classes_ = wanted
        with torch_threads(self._n_threads):
            adapted._model = self._of_person(unlabelled)
            adapted._state = adapted._model.state_of(support, wanted)
        return adapted

    def predict_proba(self, X: NDArray[np.floating]) -> NDArray[np.floating]:
        """Probabilities of `classes_`, (n_clips, n_classes)."""
        features = torch.from_numpy(X)
        with torch_threads(self._n_threads):
            logits = self._model.logits_of(self._state, features, self.classes_)
            return torch.softmax(logits, dim=-1).numpy().astype(X.dtype, copy=False)

    def predict(self, X: NDArray[np.floating]) -> NDArray:
        """Most probable of `classes_`, (n_clips,)."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _of_person(self, unlabelled: NDArray[np.floating] | None) -> FittedModel:
        """The model of a person; the latest is kept, whose prior serves all numbers of shots."""
        if self._latest is None or not _is_same(unlabelled, self._latest[0]):
            person = None
            if unlabelled is not None:
                mean = unlabelled.mean(axis=0, dtype=np.float64)
                person = PersonMean(mean, len(unlabelled))
            weight = self._support_weight
            model = self._population.derived(person=person, support=None, support_weight=weight)
            self._latest = unlabelled, model
        return self._latest[1]


def _is_same(one: NDArray | None, other: NDArray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)

"""What the controls have in common: they look at labels, and at nothing that was measured."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from stf2m_sk.model_selection._clips import check_per_clip
from stf2m_sk.model_selection._forms import count_clips

__all__ = ["LabelControl", "check_metadata", "with_prior"]

_PRIOR_CLIPS = 0.5  # what the population counts beside one labelled clip: it settles ties only


class LabelControl(ClassifierMixin, BaseEstimator):
    """A classifier that looks at labels only; of X it needs the number of clips."""

    def _fit_population(self, X: Any, y: ArrayLike) -> NDArray[np.intp]:
        labels = _check_labels(self, y, count_clips(X))
        self.population_classes_, codes, count = np.unique(
            labels, return_inverse=True, return_counts=True
        )
        self._population_share = count / count.sum()
        self.classes_ = self.population_classes_
        return codes

    def _prior(self) -> NDArray[np.float64]:
        """The population's share of each class of the predictions; even where it knows none."""
        known = np.isin(self.classes_, self.population_classes_)
        place = np.searchsorted(self.population_classes_, self.classes_[known])
        share = np.zeros(len(self.classes_))
        share[known] = self._population_share[place]
        total = share.sum()
        return share / total if total > 0 else np.full(len(share), 1 / len(share))

    def _with_classes(self, X: Any, y: ArrayLike, classes: ArrayLike | None):
        """A copy with other classes, and the codes of y among them."""
        check_is_fitted(self)
        labels = _check_labels(self, y, count_clips(X))
        wanted = np.unique(labels if classes is None else column_or_1d(classes))
        _check_comparable(wanted, self.population_classes_)
        lacking = np.setdiff1d(labels, wanted)
        if len(lacking):
            raise ValueError(
                f"y holds labels that `classes` lacks: {lacking.tolist()}. Add them to `classes`, "
                "or leave their clips out."
            )
        adapted = copy.copy(self)
        adapted.classes_ = wanted
        return adapted, np.searchsorted(wanted, labels)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.classifier_tags.poor_score = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def with_prior(counts: NDArray, prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of counted clips with the prior added as half a clip."""
    return (counts + _PRIOR_CLIPS * prior) / (counts.sum(axis=-1, keepdims=True) + _PRIOR_CLIPS)


def _check_labels(control: BaseEstimator, y: ArrayLike | None, n_clips: int) -> NDArray:
    if y is None:
        raise ValueError(
            f"{type(control).__name__} requires y to be passed, but the target y is None"
        )
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    if len(labels) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_clips} clips "
            f"and y {len(labels)} labels"
        )
    if not n_clips:
        raise ValueError("Found array with 0 sample(s); give at least 1 labelled clip")
    return labels


def _check_comparable(classes: NDArray, known: NDArray) -> None:
    kinds = {isinstance(value, str) for value in [*classes.tolist(), *known.tolist()]}
    if len(kinds) > 1:
        raise TypeError(
            f"labels are text on one side and numbers on the other ({classes[0]!r}, at fit "
            f"{known[0]!r}); give all as text or all as numbers"
        )


def check_metadata(values: ArrayLike | None, n_clips: int, name: str, what: str) -> NDArray:
    if values is None:
        raise ValueError(f"`{name}` is not given; expected {what}: pass {name}=...")
    return check_per_clip(values, n_clips, name)

"""The meta-trained classifier behind the parameter `pretrained`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from stf2m_sk.persistence import restore

if TYPE_CHECKING:
    from stf2m_sk.classifier import STF2MClassifier

__all__ = ["resolve_pretrained"]


def resolve_pretrained(kind: type[STF2MClassifier], pretrained: object) -> STF2MClassifier:
    """Return the fitted classifier that is meant.

    Parameters
    ----------
    kind : type
        Class of the classifier, which this room does not know.
    pretrained : STF2MClassifier, FrozenEstimator, str or path-like
        A fitted classifier, a frozen one, or the file of a saved one.

    Returns
    -------
    STF2MClassifier
        Fitted.

    Raises
    ------
    TypeError
        If it is something else.
    NotFittedError
        If it is not fitted.
    FileNotFoundError, ValueError
        As of `stf2m_sk.load`, for a file.
    """
    if isinstance(pretrained, str | os.PathLike):
        return restore(kind, Path(pretrained))
    classifier = pretrained
    if isinstance(classifier, FrozenEstimator):
        classifier = classifier.estimator
    if not isinstance(classifier, kind):
        raise TypeError(
            f"pretrained is a {type(classifier).__name__}; expected a fitted {kind.__name__}, a "
            "FrozenEstimator around one, or the file of a saved one. Of a Pipeline, give the last "
            "step and put the others before this classifier."
        )
    check_is_fitted(classifier)
    return classifier

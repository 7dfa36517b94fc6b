"""The emotions that a clip lies between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["blend"]

_MOST = 3  # emotions of a blend: more cannot be told apart


def blend(classifier: Any, X: Any) -> pd.DataFrame:
    """Memberships of clips in their strongest emotions.

    Parameters
    ----------
    classifier : classifier with `predict_proba`
        Fitted or adapted; such as an STF2MClassifier or a Pipeline.
    X : as in `STF2MClassifier.fit`
        Clips.

    Returns
    -------
    DataFrame of shape (n_clips, n_classes)
        Columns are `classes_`. Of each clip the three strongest emotions, or all where there are
        fewer, have memberships that sum to 1; all others have 0. Ties go to the first.

    Raises
    ------
    NotFittedError, TypeError, ValueError
        As `predict_proba` of the classifier.

    Notes
    -----
    Memberships are the calibrated probabilities, as shares of their sum. A clip of one clear
    emotion has one membership near 1; two that are alike mean that the clip lies between these
    two, or that the classifier cannot tell. Source: ours.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import blend
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> shares = blend(clf, data.views[:3])
    >>> shares.shape, (shares > 0).sum(axis=1).tolist()
    ((3, 4), [3, 3, 3])
    """
    probabilities = np.asarray(classifier.predict_proba(X), dtype=np.float64)
    place = np.argsort(-probabilities, axis=1, kind="stable").argsort(axis=1)
    kept = np.where(place < _MOST, probabilities, 0.0)
    memberships = kept / kept.sum(axis=1, keepdims=True)
    return pd.DataFrame(memberships, columns=classifier.classes_)

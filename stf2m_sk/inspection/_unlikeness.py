"""How unlike the training clips a clip is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from stf2m_sk._validation import check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.inspection._explain import unwrap
from stf2m_sk.views import as_views

__all__ = ["unlikeness"]


def unlikeness(classifier: STF2MClassifier | Pipeline, X: Any) -> NDArray[np.float64]:
    """Predictive variance of clips, relative to what is usual for clips of new people.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted or adapted; a Pipeline ends in one.
    X : as in `STF2MClassifier.fit`
        Clips.

    Returns
    -------
    float64 array of shape (n_clips,)
        1 is the variance that 99 % of the clips of people left out at `fit` do not exceed. Above
        2, `predict` and `predict_proba` warn: on three real recordings no clean clip of a new
        person has as much, and clips with noise of 100 deviations or a unit 1,000 times off have
        2.8 to 100. Below 1 says that a clip is like those that the classifier has read, not that
        the answer is right.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If it is no STF2MClassifier, nor a Pipeline that ends in one.
    ValueError
        If X is not as at `fit`.

    See Also
    --------
    PredictionSets : Sets of emotions with a promised coverage.

    Notes
    -----
    The variance is that of the scores of the Gaussian model by the rules, without networks, after
    whatever clips of the person the classifier has read; of known emotions where it answers with
    any. What is usual is computed in closed form: the population less one person, eight people in
    turn. The share of a clip's variance that one modality has is small: where a single sensor is
    off, look at the warning, which checks each modality by itself. Source: ours.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import unlikeness
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> clf = STF2MClassifier(n_networks=0, random_state=0)
    >>> clf = clf.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> clips = data.views[new]
    >>> noise = {name: 100 * clips[name] for name in clips.names}
    >>> bool(unlikeness(clf, clips).max() < 2 < unlikeness(clf, noise).min())
    True
    """
    classifier, X = unwrap(classifier, X)
    views = as_views(X, classifier.schema_)
    check_measured(views)
    with torch_threads(classifier.n_threads):
        return classifier.model_.answers(views).unlikeness.numpy()

"""What the demo compares: the classifier, and three simple methods that it has to beat."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.model_selection import MajorityControl, NearestInTimeControl
from stf2m_sk.views import Views

__all__ = ["MODEL", "UNLABELLED", "Peer", "make_peers", "summary_statistics"]

MODEL = "STF2M"
UNLABELLED = "STF2M + unlabelled"
_N_TREES = 200


class Peer(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name : str
        For tables and figures.
    explanation : str
        What it does, in one line.
    classifier : classifier or Pipeline
        For `stf2m_sk.model_selection.compare_few_shot`.
    needs_support : bool
        Whether it is left out of the table where there is no labelled clip.
    """

    name: str
    explanation: str
    classifier: Any
    needs_support: bool = False


def make_peers(classifier: STF2MClassifier, *, seed: int) -> list[Peer]:
    """All rows of the table.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted on the people trained on; it is not fitted again.
    seed : int
        Of the random forests.

    Returns
    -------
    list of Peer
        The classifier without and with unlabelled clips, then the others.
    """
    frozen = FrozenEstimator(classifier)
    statistics = FunctionTransformer(summary_statistics)
    forest = RandomForestClassifier(_N_TREES, random_state=seed)
    return [
        Peer(
            MODEL,
            "This package: trained on the other people, then adapted with the labelled clips.",
            frozen,
        ),
        Peer(
            UNLABELLED,
            "The same, and the first half of the person's clips of each class without labels.",
            frozen,
        ),
        Peer(
            "random forest",
            f"{_N_TREES} trees on mean, deviation, minimum and maximum of each channel, grown on "
            "the same labelled clips; without one, on the other people.",
            make_pipeline(statistics, forest),
        ),
        Peer(
            "nearest in time",
            "No signal at all: the label of the labelled clip that is nearest in the recording.",
            NearestInTimeControl(),
            needs_support=True,
        ),
        Peer(
            "majority",
            "The most frequent label, whatever the clip.",
            MajorityControl(),
        ),
    ]


def summary_statistics(views: Views) -> NDArray[np.float64]:
    """Mean, standard deviation, minimum and maximum over time of every channel.

    Parameters
    ----------
    views : Views of n_clips
        Clips.

    Returns
    -------
    array of shape (n_clips, 4 * n_channels of all modalities)
        NaN where nothing of a channel is measured in a clip.

    Examples
    --------
    >>> from stf2m_sk.demo.peers import summary_statistics
    >>> from stf2m_sk.views import Views
    >>> summary_statistics(Views({"hr": [[[60.0, 62.0, float("nan")]]]}))
    array([[61.,  1., 60., 62.]])
    """
    columns = []
    for name in views.names:
        # Masked arrays leave out what is not measured, and do not warn where nothing is.
        signal = np.ma.masked_invalid(views[name].astype(np.float64))
        for statistic in (np.ma.mean, np.ma.std, np.ma.min, np.ma.max):
            columns.append(np.ma.filled(statistic(signal, axis=2), np.nan))
    return np.concatenate(columns, axis=1)

"""Three controls that answer the same episodes: what the classifier has to be better than."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from stf2m_sk.demo.protocol import Episode
from stf2m_sk.views import Views

__all__ = ["Peer", "majority", "nearest_in_time", "random_forest", "summary_statistics"]

_N_TREES = 200


class Peer(NamedTuple):
    """Something that answers episodes.

    Attributes
    ----------
    name : str
        For tables and figures.
    explanation : str
        What it does, in one line.
    answer : callable
        From an `Episode` to the labels of its query.
    needs_support : bool
        Whether it has nothing to say without labelled clips.
    """

    name: str
    explanation: str
    answer: Callable[[Episode], NDArray]
    needs_support: bool


def majority(target: NDArray, train: NDArray[np.intp]) -> Peer:
    """Always the most frequent label of the people trained on.

    Parameters
    ----------
    target : array of shape (n_clips,)
        Labels.
    train : int array
        Rows of the people trained on.

    Returns
    -------
    Peer
    """
    labels, count = np.unique(target[train], return_counts=True)
    most = labels[count.argmax()]
    return Peer(
        "majority",
        "The most frequent label of the people trained on, whatever the clip.",
        lambda episode: np.repeat(most, len(episode.query)),
        needs_support=False,
    )


def nearest_in_time(target: NDArray, groups: NDArray) -> Peer:
    """The label of the support clip that was recorded nearest; no signal is looked at.

    Parameters
    ----------
    target : array of shape (n_clips,)
        Labels; each person's clips in the order of recording.
    groups : array of shape (n_clips,)
        People. Nearness is counted in clips of the same person, wherever these stand.

    Returns
    -------
    Peer
    """
    place = np.empty(len(groups), dtype=np.intp)
    for person in np.unique(groups):
        of_person = groups == person
        place[of_person] = np.arange(of_person.sum())

    def answer(episode: Episode) -> NDArray:
        distance = np.abs(place[episode.query][:, None] - place[episode.support])
        return target[episode.support][distance.argmin(axis=1)]

    return Peer(
        "nearest in time",
        "No signal at all: the label of the labelled clip that is nearest in the recording.",
        answer,
        needs_support=True,
    )


def random_forest(views: Views, target: NDArray, *, seed: int) -> Peer:
    """A random forest on summary statistics, grown on the person's own support alone.

    Parameters
    ----------
    views : Views of n_clips
        All clips.
    target : array of shape (n_clips,)
        Labels.
    seed : int
        Of the forests, together with the support.

    Returns
    -------
    Peer
    """
    features = summary_statistics(views)
    # Codes, because a balanced forest refuses labels that are numbers written as text.
    labels, codes = np.unique(target, return_inverse=True)

    def answer(episode: Episode) -> NDArray:
        # A forest on four clips is half luck; one seed for all would give all the same luck.
        luck = np.random.RandomState([seed, *episode.support])
        forest = RandomForestClassifier(_N_TREES, class_weight="balanced", random_state=luck)
        forest.fit(features[episode.support], codes[episode.support])
        return labels[forest.predict(features[episode.query])]

    return Peer(
        "random forest",
        f"{_N_TREES} trees on mean, deviation, minimum and maximum of each channel, grown on the "
        "same labelled clips.",
        answer,
        needs_support=True,
    )


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

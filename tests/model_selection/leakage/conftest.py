"""Recordings, generated and real, and splits of them."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from stf2m_sk.datasets import load_stress, make_emotion_views
from stf2m_sk.views import Views


@pytest.fixture(scope="session")
def generated():
    return make_emotion_views(n_people=10, missing=0.2, shortest=0.6, random_state=0)


@pytest.fixture(scope="session")
def stress():
    """The bundled recording, with a split by person and one by time."""
    data = load_stress()
    new = np.isin(data.groups, np.unique(data.groups)[12:])
    own = [
        np.flatnonzero((data.groups == person) & (data.target == label))
        for person in np.unique(data.groups)
        for label in np.unique(data.target)
    ]
    # The first half of each state, and the rest but for one clip between them.
    sides = [(rows[: len(rows) // 2], rows[len(rows) // 2 + 1 :]) for rows in own]
    data.by_person = np.flatnonzero(~new), np.flatnonzero(new)
    data.by_time = tuple(np.sort(np.concatenate(side)) for side in zip(*sides, strict=True))
    return data


@pytest.fixture(scope="session")
def half_overlapping(stress):
    """The bundled recording, with a window more between any two that follow each other."""
    follow = np.flatnonzero(
        (stress.groups[1:] == stress.groups[:-1]) & (stress.segment[1:] == stress.segment[:-1])
    )
    arrays = {}
    for name, signal in stress.views.to_dict().items():
        half = signal.shape[2] // 2
        between = [signal[follow][:, :, half:], signal[follow + 1][:, :, :half]]
        arrays[name] = np.concatenate([signal, np.concatenate(between, axis=2)])
    start = 30.0 * np.arange(len(stress.target))
    order = np.random.default_rng(0).permutation(len(start) + len(follow))
    return Bunch(
        views=Views(arrays, rates={m.name: m.rate for m in stress.views.schema}),
        target=np.concatenate([stress.target, stress.target[follow]]),
        groups=np.concatenate([stress.groups, stress.groups[follow]]),
        times=np.concatenate([start, start[follow] + 15]),
        split=(order[:1500], order[1500:]),
    )

"""FewShotProtocol: what it refuses and how it shows itself."""

import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from sklearn.base import clone

from stf2m_sk.model_selection import FewShotProtocol
from stf2m_sk.model_selection._protocol import beside, read_for


def test_shots_are_sorted_and_may_be_one_number():
    assert FewShotProtocol(shots=[4, 0, 2]).shots == (0, 2, 4)
    assert FewShotProtocol(shots=3).shots == (3,)
    assert FewShotProtocol(shots=np.int64(3)).shots == (3,)


def test_it_is_frozen_and_copied_with_changes():
    protocol = FewShotProtocol(shots=1)
    with pytest.raises(FrozenInstanceError):
        protocol.shots = (2,)
    assert replace(protocol, draws=7).draws == 7
    assert pickle.loads(pickle.dumps(protocol)).shots == clone(protocol, safe=False).shots == (1,)


def test_repr_holds_what_was_changed():
    protocol = FewShotProtocol(shots=1, contexts=np.arange(9), random_state=0)
    assert repr(protocol) == "FewShotProtocol(shots=(1,), contexts='<9 clips>', random_state=0)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shots": ()}, "give each number of clips once"),
        ({"shots": (1, 1)}, "give each number of clips once"),
        ({"shots": None}, "give each number of clips once"),
        ({"shots": -1}, "shots is -1, but it takes whole numbers >= 0"),
        ({"shots": 1.5}, "shots is 1.5, but it takes whole numbers >= 0"),
        ({"draws": 0}, "draws is 0, but it takes whole numbers >= 1"),
        ({"draws": None}, "draws is None, but it takes whole numbers >= 1"),
        ({"ways": 1}, "ways is 1, but it takes whole numbers >= 2"),
        ({"queries": 0}, "queries is 0, but it takes whole numbers >= 1"),
        ({"on_few": "skip"}, "on_few='skip', but it must be 'raise' or 'shrink'"),
        ({"gap": -1}, "gap=-1, but it must be a number of at least 0, or None"),
        ({"gap": np.inf}, "gap=inf, but it must be a number of at least 0, or None"),
        ({"gap": "1"}, "gap='1', but it must be a number of at least 0, or None"),
        ({"gap": True}, "gap=True, but it must be a number of at least 0, or None"),
    ],
)
def test_messages(given, message):
    with pytest.raises(ValueError, match=message):
        FewShotProtocol(**given)


def test_a_gap_in_clips_is_whole():
    read_for(FewShotProtocol(gap=0.5, times=[0.0, 1.0]), None, ["a", "b"])
    with pytest.raises(ValueError, match="without times it counts clips: give a whole number"):
        read_for(FewShotProtocol(gap=0.5), None, ["a", "b"])


def test_contexts_are_given_once():
    protocol = FewShotProtocol(contexts=[1, 2])
    assert beside(protocol, contexts=None, times=[0.0, 1.0]).times == [0.0, 1.0]
    with pytest.raises(ValueError, match="contexts are given twice"):
        beside(protocol, contexts=[1, 2])

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stf2m_sk.recordings import Signal
from stf2m_sk.recordings._content import content_key, extractor_key
from stf2m_sk.recordings._files import FileValues

LAW = settings(max_examples=40, deadline=None)
VALUES = arrays(np.float32, (2, 5), elements=st.floats(-2, 2, width=16))


class Bytes(FileValues):
    """Bytes of a file from some place on."""

    def __init__(self, path, first=0):
        super().__init__(path, (1, path.stat().st_size - first), np.uint8)
        self.first = first

    def _read(self, first, last):
        content = self.path.read_bytes()[self.first + first : self.first + last]
        return np.frombuffer(content, dtype=np.uint8)[None]


def doubled(signal, factor=2):
    return Signal(signal.values * factor, signal.rate)


def tripled(signal, factor=3):
    return Signal(signal.values * factor, signal.rate)


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, signal):
        return Signal(signal.values * self.factor, signal.rate)


class Net(torch.nn.Module):
    def __init__(self, stride=2):
        super().__init__()
        self.stride = stride
        self.layer = torch.nn.Conv1d(1, 1, 3)

    def forward(self, x):
        return self.layer(x)[..., :: self.stride]


@LAW
@given(one=VALUES, other=VALUES)
def test_equal_values_have_equal_keys_and_others_not(one, other):
    same = one.tobytes() == other.tobytes()
    assert (content_key(Signal(one, 4)) == content_key(Signal(other, 4))) == same
    assert content_key(Signal(one, 4)) == content_key(Signal(one.copy(order="F"), 4))


@pytest.mark.parametrize(
    "other",
    [
        Signal(np.zeros((1, 4)), 5),
        Signal(np.zeros((1, 4)), 4, start=1),
        Signal(np.zeros((1, 4)), 4, unit="V"),
        Signal(np.zeros((1, 4)), 4, channels=["a"]),
        Signal(np.zeros((1, 4), dtype=np.float32), 4),
        Signal(np.zeros((4, 1)), 4),
        Signal(np.zeros((1, 8), dtype=np.float32), 4),
    ],
)
def test_whatever_an_extractor_sees_counts(other):
    assert content_key(Signal(np.zeros((1, 4)), 4)) != content_key(other)


def test_words_count_and_none_is_no_silence():
    said = [np.array([row], dtype=object) for row in (["a", ""], ["a", ""], ["a", None], ["", "a"])]
    keys = [content_key(Signal(words, 1)) for words in said]
    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_of_a_file_the_bytes_count_and_not_the_name(tmp_path):
    one, same, other = tmp_path / "one", tmp_path / "deeper" / "same", tmp_path / "other"
    same.parent.mkdir()
    one.write_bytes(b"12345")
    same.write_bytes(b"12345")
    other.write_bytes(b"12346")
    key = content_key(Signal(Bytes(one), 4))
    assert key == content_key(Signal(Bytes(same), 4))
    assert key != content_key(Signal(Bytes(other), 4))
    assert content_key(Signal(Bytes(one, 1), 4)) != content_key(Signal(Bytes(other, 1), 4))


def test_of_a_file_it_counts_which_part_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"11111")
    whole, part = Signal(Bytes(path), 4), Signal(Bytes(path, 1), 4)
    slices = [whole.slice(0, 1), whole.slice(0.25, 1.25)]
    assert len({content_key(signal) for signal in (whole, part, *slices)}) == 4


def test_functions_partials_methods_and_objects_have_keys_of_their_own():
    scaled = Scaled(2)
    extractors = [
        doubled,
        tripled,
        functools.partial(doubled, factor=4),
        functools.partial(doubled, factor=5),
        functools.partial(tripled, factor=4),
        scaled,
        Scaled(3),
        scaled.__call__,
        Scaled(3).__call__,
    ]
    keys = [extractor_key(extractor) for extractor in extractors]
    assert len(set(keys)) == len(keys)
    assert keys[3] == extractor_key(functools.partial(doubled, factor=5))
    assert keys[5] == extractor_key(Scaled(2))


def test_weights_and_settings_of_a_module_count():
    torch.manual_seed(0)
    one, other = Net(), Net()
    assert extractor_key(one) != extractor_key(other)
    other.load_state_dict(one.state_dict())
    assert extractor_key(one) == extractor_key(other)
    other.eval()
    assert extractor_key(one) == extractor_key(other)
    other.stride = 3
    assert extractor_key(one) != extractor_key(other)


def test_code_counts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    keys = []
    for name, code in (("mine_1", "1"), ("mine_2", "2")):
        Path(tmp_path, f"{name}.py").write_text(f"def f(signal):\n    return {code}\n")
        module = __import__(name)
        module.f.__module__ = "mine"  # both are called mine.f
        keys.append(extractor_key(module.f))
    assert keys[0] != keys[1]


def test_what_has_no_name_is_refused():
    def inner(signal):
        return signal

    for extractor in (lambda signal: signal, inner, functools.partial(inner, 1)):
        with pytest.raises(TypeError, match=r"cannot tell.*top of a module.*leave out cache"):
            extractor_key(extractor)
    with pytest.raises(TypeError, match="parameters cannot be hashed"):
        extractor_key(functools.partial(doubled, factor=lambda: 1))

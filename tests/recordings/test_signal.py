"""Times and samples of one signal, and values that are read when they are needed."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import Signal

UTC = 1_644_226_061.0
RATES = ["0.5", "1", "3.7", "4", "29.97", "32", "64", "100.003", "256", "1000", "16000", "44100"]


class Lazy:
    """Values that count what is read of them."""

    def __init__(self, values):
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.read = []

    def __getitem__(self, key):
        assert key[0] is Ellipsis
        self.read.append((key[1].start, key[1].stop))
        return self._values[key]


class TestLaws:
    @given(
        rate=st.sampled_from(RATES),
        start=st.sampled_from([0.0, -3.25, UTC, UTC + 0.37]),
        i=st.integers(-1000, 10_000_000),
    )
    @settings(max_examples=200, deadline=None)
    def test_the_time_of_a_sample_leads_back_to_it(self, rate, start, i):
        signal = Signal(np.zeros((1, 3)), rate=float(rate), start=start)
        assert signal.index(start + i / float(rate)) == i

    @given(
        rate=st.sampled_from(RATES[:10]),
        start=st.integers(-500, 500),
        time=st.integers(-500, 50_000),
        in_utc=st.booleans(),
    )
    @settings(max_examples=150, deadline=None)
    def test_index_is_the_first_sample_not_before_a_time(self, rate, start, time, in_utc):
        # 64ths of a second are exact in binary, so the expectation is exact arithmetic.
        zero = int(UTC) if in_utc else 0
        signal = Signal(np.zeros((1, 3)), rate=float(rate), start=zero + start / 64)
        expected = ceil(Fraction(time - start, 64) * Fraction(rate))
        assert signal.index(zero + time / 64) == expected

    @given(
        n=st.integers(0, 30),
        first=st.integers(-20, 50),
        length=st.integers(0, 40),
        dtype=st.sampled_from(["float32", "float64", "int16", "uint8"]),
    )
    @settings(max_examples=100, deadline=None)
    def test_read_is_nan_outside_and_the_values_inside(self, n, first, length, dtype):
        values = np.arange(2 * n).reshape(2, n).astype(dtype)
        found = Signal(values, rate=1).read(first, first + length)
        assert found.shape == (2, length)
        for column, i in enumerate(range(first, first + length)):
            if 0 <= i < n:
                assert found[:, column].tolist() == values[:, i].tolist()
            else:
                assert np.isnan(found[:, column]).all()


class TestReading:
    def test_words_are_none_outside(self):
        words = Signal(np.array([["a", ""]], dtype=object), rate=1)
        assert words.read(-1, 3).tolist() == [[None, "a", "", None]]

    def test_pieces_join_to_all_values_and_are_bounded(self):
        values = Lazy(np.arange(2 * 1_500_000, dtype=np.float32).reshape(2, -1))
        pieces = list(Signal(values, rate=1).pieces())
        assert np.array_equal(np.concatenate([p for _, p in pieces], axis=1), values._values)
        assert [first for first, _ in pieces] == [start for start, _ in values.read]
        assert max(piece.size for _, piece in pieces) <= 2**20

    def test_a_slice_of_lazy_values_reads_nothing(self):
        values = Lazy(np.arange(100.0).reshape(1, 100))
        part = Signal(values, rate=10, start=5).slice(6, 8)
        assert values.read == []
        assert (part.start, part.stop, part.n_samples) == (6.0, 8.0, 20)
        assert part.slice(6.5, 7).read(0, 5).tolist() == [[15.0, 16.0, 17.0, 18.0, 19.0]]
        assert values.read == [(15, 20)]

    def test_a_slice_of_a_memmap_stays_on_disk(self, tmp_path):
        np.save(tmp_path / "x.npy", np.arange(100.0)[None])
        signal = Signal(np.load(tmp_path / "x.npy", mmap_mode="r"), rate=10)
        assert isinstance(signal.slice(2, 4).values, np.memmap)

    def test_a_slice_outside_is_empty(self):
        signal = Signal(np.zeros((1, 10)), rate=10, start=5)
        assert signal.slice(0, 1).n_samples == 0
        assert signal.slice(9, 10).n_samples == 0


@pytest.mark.parametrize(
    ("values", "is_numeric"),
    [
        (np.zeros((2, 3)), True),
        (np.zeros((2, 3), dtype=np.uint8), True),
        (np.zeros((4, 4, 3, 2), dtype=np.uint8), False),
        (np.array([["a"]], dtype=object), False),
        (np.zeros((1, 2), dtype=complex), False),
    ],
)
def test_only_channels_of_real_numbers_are_numeric(values, is_numeric):
    assert Signal(values, rate=1).is_numeric is is_numeric


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": np.zeros(3), "rate": 1}, r"time as the last .* values\[None\]"),
        ({"values": np.zeros((1, 3)), "rate": 0}, "rate must be a positive number of Hz, got 0"),
        ({"values": np.zeros((1, 3)), "rate": float("nan")}, "rate must be a positive number"),
        ({"values": np.zeros((1, 3)), "rate": 1, "start": float("inf")}, "start must be a finite"),
        ({"values": np.zeros((2, 3)), "rate": 1, "channels": ["x"]}, "names 1 channels, but .* 2"),
    ],
)
def test_impossible_signals_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Signal(**arguments)

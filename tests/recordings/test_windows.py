"""Where windows lie, and their values."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import RecordingError, Signal
from stf2m_sk.recordings._windows import (
    check_window,
    grid,
    measured_share,
    n_window_samples,
    read_window,
    whole_grid,
)

UTC = 1_644_226_061.0


@given(
    start=st.sampled_from([0.0, 17.3, UTC + 0.1]),
    length=st.integers(0, 4000),
    window=st.integers(1, 300),
    step=st.integers(1, 300),
)
@settings(max_examples=100, deadline=None)
def test_windows_are_all_that_fit(start, length, window, step):
    starts = grid(start, start + length / 10, window / 10, step / 10)
    expected = [start + k * step / 10 for k in range(1 + (length - window) // step)]
    np.testing.assert_allclose(starts, expected if length >= window else [], rtol=0, atol=1e-6)


@given(
    rate=st.sampled_from(["0.5", "1", "2.5", "3.7", "4", "25", "29.97", "32", "64", "100.003"]),
    signal_start=st.integers(-2000, 2000),
    n=st.integers(0, 2000),
    window=st.integers(128, 2000),
    step=st.integers(1, 2000),
    gap=st.tuples(st.integers(0, 2000), st.integers(0, 500)),
    place=st.integers(0, 1000),
    in_utc=st.booleans(),
)
@settings(max_examples=1000, deadline=None)
def test_windows_to_time_and_back(rate, signal_start, n, window, step, gap, place, in_utc):
    # Times are 64ths of a second, exact in binary; the expectation is exact arithmetic.
    zero = int(UTC) * in_utc
    values = np.arange(float(n))[None]
    values[0, gap[0] : sum(gap)] = np.nan
    signal = Signal(values, rate=float(rate), start=zero + signal_start / 64)
    start = grid(zero, zero + (window + place * step) / 64, window / 64, step / 64)[place]
    assert start == zero + place * step / 64
    found = read_window({"x": signal}, start, window / 64)["x"][0]
    first = ceil(Fraction(place * step - signal_start, 64) * Fraction(rate))
    samples = np.arange(first, first + round(window / 64 * float(rate)))
    known = (samples >= 0) & (samples < n)
    expected = np.full(len(samples), np.nan, dtype=np.float32)
    expected[known] = values[0, samples[known]]
    np.testing.assert_array_equal(found, expected)
    if len(samples):
        time = signal.start + samples[0] / signal.rate  # back: the time of the first sample
        again = read_window({"x": signal}, time, window / 64)["x"][0]
        np.testing.assert_array_equal(again, found)


def test_a_whole_recording_has_at_least_one_window():
    assert whole_grid(5, 6, 30, 10).tolist() == [5.0]
    assert whole_grid(5, 45, 30, 10).tolist() == [5.0, 15.0]


@pytest.mark.parametrize(
    ("window", "step", "message"),
    [
        (0, None, "window must be a positive number of seconds, got 0"),
        (1, -1, "step must be a positive number of seconds, got -1"),
        (float("inf"), None, "window must be a positive number"),
        ("30", None, "window must be a number of seconds, got '30'"),
        (True, None, "window must be a number of seconds, got True"),
    ],
)
def test_impossible_windows_are_refused(window, step, message):
    with pytest.raises(ValueError, match=message):
        check_window(window, step)


def test_the_step_is_the_window_unless_given():
    assert check_window(30, None) == (30.0, 30.0)
    assert check_window(np.float32(30), np.int64(5)) == (30.0, 5.0)


def test_a_window_without_a_sample_is_refused():
    assert n_window_samples("hr", 1.0, 1.0) == 1
    with pytest.raises(
        RecordingError, match=r"0.5 s holds no sample of signal 'hr' at 1 Hz; .* 1 s"
    ):
        n_window_samples("hr", 1.0, 0.5)


class TestValues:
    def test_each_signal_at_its_rate_and_nan_beyond_its_ends(self):
        signals = {
            "eda": Signal(np.arange(8, dtype=np.int16)[None], rate=4, start=10),
            "hr": Signal(np.arange(5.0)[None], rate=1, start=11.5),
        }
        values = read_window(signals, start=10.5, window=2)
        np.testing.assert_array_equal(values["eda"], [[2, 3, 4, 5, 6, 7, np.nan, np.nan]])
        np.testing.assert_array_equal(values["hr"], [[np.nan, 0]])
        assert {array.dtype for array in values.values()} == {np.dtype(np.float32)}
        assert measured_share(values) == pytest.approx((6 / 8 + 1 / 2) / 2)

    @pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
    def test_infinite_values_are_refused_with_their_time(self, value):
        values = np.zeros((2, 20))
        values[1, 13] = value
        signals = {"eda": Signal(values, rate=2, start=100)}
        with pytest.raises(RecordingError, match=r"signal 'eda', channel 1, at 106.5 s: infinite"):
            read_window(signals, start=105, window=4)

    def test_the_share_of_nothing_is_nothing(self):
        assert measured_share({"eda": np.full((1, 4), np.nan)}) == 0

"""Resampling of signals with gaps, against scipy and against a truth that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from stf2m_sk.recordings import Recording, RecordingError, Signal


def resampled(values, rate, new):
    recording = Recording({"x": Signal(values, rate=rate, start=7, unit="mV", channels=["a"])})
    return recording.resample("x", new)["x"]


def test_without_gaps_it_is_scipys():
    values = np.random.default_rng(0).normal(size=(1, 882))
    values[0, [0, -1]] = 0.0  # so that nothing is taken off before
    found = resampled(values, 44_100, 16_000)
    expected = resample_poly(values[0], 160, 441)
    assert (found.rate, found.start, found.unit, found.channels) == (16_000, 7, "mV", ("a",))
    np.testing.assert_allclose(found.values[0], expected[: found.n_samples], atol=1e-6)


@pytest.mark.parametrize(("rate", "new"), [(100, 25), (100, 40), (25, 100), (32, 30), (29.97, 30)])
def test_a_slow_sine_keeps_its_times_beside_gaps(rate, new):
    # Each stretch begins between two samples of the new grid: a shift in time would show.
    time = np.arange(int(60 * rate)) / rate
    values = np.sin(2 * np.pi * 0.5 * time)
    values[int(20.01 * rate) : int(27.77 * rate)] = np.nan
    found = resampled(values[None], rate, new)
    truth = np.sin(2 * np.pi * 0.5 * np.arange(found.n_samples) / new)
    error = np.abs(found.values[0] - truth)
    assert np.nanquantile(error, 0.9) < 0.01
    assert np.nanmax(error) < 0.15  # at the ends of a stretch the filter sees half a sine


@given(
    rate=st.integers(1, 50),
    new=st.integers(1, 50),
    gap=st.tuples(st.integers(0, 200), st.integers(0, 200)),
)
@settings(max_examples=100, deadline=None)
def test_new_samples_are_nan_exactly_in_the_gap(rate, new, gap):
    first, last = sorted(gap)
    values = np.full((1, 200), 3.0)
    values[0, first:last] = np.nan
    found = resampled(values, rate, new)
    at = np.arange(found.n_samples) * rate  # in units of 1 / (rate * new) s
    inside = (at >= first * new) & (at < last * new)
    assert found.n_samples == 200 * new // rate
    assert np.array_equal(np.isnan(found.values[0]), inside)
    np.testing.assert_allclose(found.values[0, ~inside], 3.0, rtol=1e-5)


def test_each_channel_has_its_own_gaps():
    values = np.ones((2, 40))
    values[0, :10] = np.nan
    found = Recording({"x": Signal(values, rate=4)}).resample("x", 2)["x"].values
    assert np.isnan(found[0, :5]).all() and not np.isnan(found[:, 5:]).any()
    assert not np.isnan(found[1]).any()


def test_refusals():
    recording = Recording({"words": Signal(np.array([["a"]], dtype=object), rate=1)})
    with pytest.raises(RecordingError, match=r"'words' .* dtype object; .*extract"):
        recording.resample("words", 2)
    with pytest.raises(KeyError, match=r"no signal 'eda'; it has \['words'\]"):
        recording.resample("eda", 2)
    with pytest.raises(ValueError, match="rate must be a positive number of Hz, got -1"):
        Recording({"x": Signal(np.zeros((1, 9)), rate=1)}).resample("x", -1)

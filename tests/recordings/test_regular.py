import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._regular import regular_grid

RATES = [0.2, 1.0, 4.0, 12.5, 32.0, 64.0, 250.0, 1000.0]


def grid_of(times, rate=None):
    return regular_grid(np.asarray(times, dtype=np.float64), "sample {}".format, rate)


def kept_samples(draw):
    """Numbers of the samples that were kept: the first and last, and most in between."""
    n = draw(st.integers(10, 40))
    lost = draw(st.sets(st.integers(1, n - 2), max_size=n // 4))
    return np.array(sorted(set(range(n)) - lost))


@given(st.data(), st.sampled_from(RATES), st.sampled_from([0.0, 1.6e9]))
def test_samples_get_their_place_beside_gaps_and_rounded_times(data, rate, start):
    numbers = kept_samples(data.draw)
    times = np.round(start + numbers / rate, 5)  # devices round their times
    found, samples = grid_of(times)
    assert found == pytest.approx(rate, rel=1e-3)
    expected = np.full(numbers[-1] + 1, -1)
    expected[numbers] = np.arange(len(numbers))
    np.testing.assert_array_equal(samples, expected)


@given(st.data(), st.sampled_from(RATES))
def test_jitter_of_a_fifth_of_a_step_moves_no_sample(data, rate):
    numbers = kept_samples(data.draw)
    jitter = data.draw(st.lists(st.floats(-0.2, 0.2), min_size=len(numbers), max_size=len(numbers)))
    found, samples = grid_of((numbers + np.array(jitter)) / rate, rate)
    assert found == rate
    np.testing.assert_array_equal(samples[numbers], np.arange(len(numbers)))
    assert (samples >= 0).sum() == len(numbers)


def test_the_nearest_sample_within_half_a_step_is_taken():
    # By hand: at 1 Hz, 2.4 belongs to 2, and nothing lies within half a step of 3.
    _, samples = grid_of([0, 1, 2.4, 4, 5, 6], rate=1)
    np.testing.assert_array_equal(samples, [0, 1, 2, -1, 3, 4, 5])


def test_milliseconds_do_not_spoil_the_rate():
    # 64 Hz in milliseconds: steps of 15 and 16; the median alone would say 62.5 Hz.
    rate, samples = grid_of(np.round(np.arange(6400) / 64, 3))
    assert rate == 64
    np.testing.assert_array_equal(samples, np.arange(6400))


def test_a_rate_that_is_no_whole_number_stays():
    rate, _ = grid_of(np.arange(100_000) / 31.97)
    assert rate == pytest.approx(31.97, rel=1e-9)


@pytest.mark.parametrize(
    ("times", "rate", "message"),
    [
        ([0, 1, 1, 2], None, r"sample 2: time is repeated: 1 s after 1 s"),
        ([0, 1, 0.5, 2], None, r"sample 2: time runs backwards: 0\.5 s after 1 s"),
        ([3], None, "sample 0: one row has no rate; give rate="),
        (np.arange(50) / 4, 5, "the given rate does not fit, they have 4 Hz"),
        (np.arange(50) / 4, 3, "the given rate does not fit, they have 4 Hz"),
        (np.arange(5000) / 4, 4.06, "the given rate does not fit, they have 4 Hz"),
        ([*range(20), 1e9], None, "sample 20: time jumps by 1e.09 s"),
    ],
)
def test_wrong_times_are_refused(times, rate, message):
    with pytest.raises(RecordingError, match=message):
        grid_of(times, rate)


@pytest.mark.parametrize("seed", range(5))
def test_irregular_times_are_refused(seed):
    times = np.cumsum(np.random.default_rng(seed).exponential(size=500))
    with pytest.raises(RecordingError, match="do not fit a regular grid"):
        grid_of(times)


def test_every_second_sample_faster_is_refused():
    with pytest.raises(RecordingError, match="do not fit a regular grid"):
        grid_of(np.cumsum(np.tile([1.0, 3.0], 100)))


def test_one_sample_with_a_rate_is_a_grid():
    rate, samples = grid_of([7.0], rate=4)
    assert rate == 4
    np.testing.assert_array_equal(samples, [0])


def test_a_device_that_runs_a_little_fast_is_put_on_its_nominal_rate():
    # 4.004 Hz for 5,000 s: 20 of 20,020 samples find their place taken.
    rate, samples = grid_of(np.arange(20_020) / 4.004, rate=4)
    assert rate == 4
    assert len(samples) == 19_999 + 1
    assert (samples >= 0).all()
    assert np.abs(samples / 4.004 - np.arange(20_000) / 4).max() <= 0.126

"""Shapes: what is planted is named, with its size and length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.inspection._shape import shape_of

TIME = np.arange(0, 20, 0.25)
STEP = 0.25
OPPOSITE = {"rise": "fall", "fall": "rise", "peak": "dip", "dip": "peak"}


def _ramp(start, length):
    return np.interp(TIME, [start, start + length], [0.0, 1.0])


def _triangle(start, length):
    return np.interp(TIME, [start, start + length / 2, start + length], [0.0, 1.0, 0.0])


SHAPES = {"rise": _ramp, "peak": _triangle}


class TestPlanted:
    @settings(max_examples=25, deadline=None)
    @given(
        st.sampled_from(["rise", "fall", "peak", "dip"]),
        st.floats(5.0, 12.0),
        st.floats(0.01, 100.0),
        st.integers(0, 2**16),
    )
    def test_ramps_and_triangles(self, kind, length, size, seed):
        rng = np.random.default_rng(seed)
        sign = 1.0 if kind in SHAPES else -1.0
        clean = sign * size * SHAPES.get(kind, SHAPES.get(OPPOSITE[kind]))(4.0, length)
        windows = 7.0 + clean + 0.1 * size * rng.normal(size=(30, len(TIME)))
        shape = shape_of(windows.mean(axis=0), windows, STEP)
        assert shape.kind == kind
        assert shape.length == pytest.approx(length, rel=0.3)
        assert shape.size == pytest.approx(size, rel=0.2)
        assert shape.is_whole

    @pytest.mark.parametrize("rate", [0.2, 0.4, 0.7])
    def test_a_rhythm_has_its_rate(self, rate):
        course = 5.0 + 0.5 * np.sin(2 * np.pi * rate * TIME)
        shape = shape_of(course, course[None], STEP)
        assert shape.kind == "rhythm"
        assert shape.rate == pytest.approx(rate, rel=0.1)
        assert shape.size == pytest.approx(1.0, rel=0.15)

    def test_what_is_none_of_these_is_a_burst(self):
        course = np.random.default_rng(0).normal(size=len(TIME))
        assert shape_of(course, course[None], STEP).kind == "burst"

    def test_a_level(self):
        course = 3.0 + 0.1 * _ramp(6.0, 8.0)
        assert shape_of(course, course[None], STEP, usual=2.0).kind == "level"
        assert shape_of(course, course[None], STEP, usual=3.05).kind == "rise"
        assert shape_of(course, course[None], STEP).kind == "rise"
        assert shape_of(np.full(9, 3.0), np.full((1, 9), 3.0), STEP, usual=2.0).size == 1.0

    def test_a_ramp_that_goes_on_is_not_whole(self):
        assert not shape_of(TIME, TIME[None], STEP).is_whole

    def test_places_that_differ_do_not_make_it_longer(self):
        """The mean of ramps of 4 s, up to 4 s apart, takes longer than 4 s."""
        rng = np.random.default_rng(0)
        windows = np.stack([_ramp(start, 4.0) for start in rng.uniform(6.0, 10.0, size=50)])
        windows += 0.1 * rng.normal(size=windows.shape)
        mean = windows.mean(axis=0)
        assert shape_of(mean, mean[None], STEP).length > 5.5
        assert shape_of(mean, windows, STEP).length == pytest.approx(4.0, rel=0.2)

    def test_what_is_not_measured_does_not_count(self):
        windows = np.stack([_ramp(6.0, 8.0)] * 5)
        windows[1, :30] = np.nan
        shape = shape_of(_ramp(6.0, 8.0), windows + np.arange(5.0)[:, None], STEP)
        assert shape.length == pytest.approx(8.0, rel=0.1)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["rise", "peak"]), st.floats(-100.0, 100.0), st.floats(0.01, 100.0))
def test_units_change_sizes_alone(kind, offset, factor):
    course = SHAPES[kind](5.0, 8.0)
    shape = shape_of(course, course[None], STEP)
    scaled = offset - factor * course
    other = shape_of(scaled, scaled[None], STEP)
    assert other.kind == OPPOSITE[shape.kind]
    assert other.size == pytest.approx(factor * shape.size, rel=1e-6)
    assert other.length == pytest.approx(shape.length)

"""Looking at values block by block, against looking at all at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stf2m_sk.views import _arrays
from stf2m_sk.views._arrays import any_measured, check_not_infinite


def holed(shape, seed):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=shape)
    values[generator.random(shape) < 0.7] = np.nan
    return values


@given(st.tuples(*[st.integers(0, 5)] * 3), st.integers(1, 30), st.integers(0, 99))
def test_any_measured_is_that_of_all_at_once(shape, at_once, seed):
    values = holed(shape, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_arrays, "_VALUES_AT_ONCE", at_once)
        np.testing.assert_array_equal(any_measured(values), (~np.isnan(values)).any(axis=(1, 2)))


@pytest.mark.parametrize("at_once", [1, 10, 2**20])
def test_the_first_infinite_value_is_named(monkeypatch, at_once):
    monkeypatch.setattr(_arrays, "_VALUES_AT_ONCE", at_once)
    values = holed((6, 2, 3), 0)
    check_not_infinite(values, "skin")
    values[4, 1, 2], values[5, 0, 0] = -np.inf, np.inf
    with pytest.raises(
        ValueError, match=r"'skin', clip 4, channel 1, time step 2: infinite .*-inf"
    ):
        check_not_infinite(values, "skin")

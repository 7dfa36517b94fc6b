"""Intervals, tests and effect sizes against SciPy and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stf2m_sk.model_selection._intervals import holm, interval, paired_p_value

VALUES = st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=2, max_size=12)


class TestStudent:
    @given(VALUES, st.sampled_from([0.5, 0.9, 0.95]))
    def test_is_the_interval_of_scipys_t_test(self, values, confidence):
        low, high = interval(values, confidence=confidence)
        if np.ptp(values) < 1e-9:
            assert low == pytest.approx(high)
            return
        expected = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)

    def test_one_unit_has_none(self):
        assert np.isnan(interval([0.5])).all()

    def test_equal_units(self):
        assert interval([0.5] * 8) == (0.5, 0.5)


def test_levels():
    with pytest.raises(ValueError, match="confidence=1, but it must be between 0 and 1"):
        interval([0.1, 0.2], confidence=1)


class TestPaired:
    def test_wilcoxon_by_hand(self):
        # All six differences point one way: 2 of the 2 ** 6 signs are as extreme.
        assert paired_p_value([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]) == pytest.approx(2 / 64)

    def test_ties_but_for_rounding_are_ties(self):
        differences = np.array([0.1, 0.1, -0.1, 0.2, 0.2, 0.3, 0.3])
        noisy = differences + np.array([1, -1, 1, -1, 1, -1, 1]) * 1e-16
        assert paired_p_value(noisy) == paired_p_value(differences)

    def test_no_test_is_claimed_under_six(self):
        assert np.isnan(paired_p_value([0.1, 0.2, 0.3, 0.4, 0.5]))

    def test_no_difference(self):
        assert paired_p_value(np.zeros(8)) == 1.0


class TestHolm:
    def test_by_hand(self):
        corrected = holm([0.01, 0.04, 0.03, 0.005])
        np.testing.assert_allclose(corrected, [0.03, 0.06, 0.06, 0.02])

    def test_what_was_not_tested_does_not_count(self):
        np.testing.assert_allclose(holm([0.02, np.nan, 0.03]), [0.04, np.nan, 0.04])

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
    def test_rejects_what_the_stepwise_rule_rejects(self, p_values):
        order, rejected = np.argsort(p_values, kind="stable"), set()
        for step, i in enumerate(order):
            if p_values[i] * (len(p_values) - step) > 0.05:
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(holm(p_values) <= 0.05).tolist()) == rejected

"""Intervals against SciPy, and the words and columns of the table."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stf2m_sk.demo.peers import Peer
from stf2m_sk.demo.report import Interval, explain, format_table, mean_interval, summarise

scores = st.floats(0, 1, allow_nan=False)


class TestMeanInterval:
    @given(st.lists(scores, min_size=2, max_size=30))
    def test_is_scipys(self, values):
        interval = mean_interval(values)
        error = stats.sem(values)
        # SciPy answers NaN for an error of 0; the interval is then the mean itself.
        low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=error or 1)
        if error == 0:
            low = high = np.mean(values)
        expected = np.mean(values), low, high
        np.testing.assert_allclose(interval[:3], expected, rtol=1e-9, atol=1e-12)
        assert interval.n == len(values)

    def test_by_hand(self):
        # t(0.975, 2) = 4.3027, deviation 0.1, three people
        half = 4.302652729911275 * 0.1 / 3**0.5
        interval = mean_interval([0.6, 0.7, 0.8])
        np.testing.assert_allclose(interval[:3], [0.7, 0.7 - half, 0.7 + half])

    def test_one_person_has_no_interval(self):
        interval = mean_interval([0.5])
        assert interval.mean == 0.5
        assert np.isnan(interval.low)
        assert np.isnan(interval.high)


class TestSummarise:
    def test_draws_are_averaged_within_each_person_first(self):
        results = summarise({("STF2M", 1): {"ann": [0.0, 0.2], "bob": [0.4, 0.6, 0.8, 1.0]}})
        assert results == {("STF2M", 1): mean_interval([0.1, 0.7])}


class TestFormatTable:
    def test_cells_and_dashes(self):
        results = {
            ("STF2M", 0): Interval(0.7, 0.6, 0.8, 5),
            ("STF2M", 1): Interval(0.756, 0.604, 0.908, 5),
            ("random forest", 1): Interval(1 / 3, -0.05, 1.05, 2),
        }
        assert format_table(results, ["STF2M", "random forest"], [0, 1]).splitlines() == [
            "                             0 clips             1 clip",
            "STF2M              0.70 [0.60, 0.80]  0.76 [0.60, 0.91]",
            "random forest              –         0.33 [-0.05, 1.05]",
        ]

    def test_columns_end_together(self):
        results = {(name, k): Interval(0.5, 0.4, 0.6, 3) for name in ("a", "b") for k in (0, 1, 2)}
        lengths = {len(line) for line in format_table(results, ["a", "b"], [0, 1, 2]).splitlines()}
        assert len(lengths) == 1


class TestExplain:
    @pytest.fixture
    def text(self):
        peers = [
            Peer("STF2M", "Ours.", lambda episode: episode.query, False),
            Peer("nearest in time", "No signal at all.", lambda episode: episode.query, True),
        ]
        return explain(peers, 5, 4, "It is strong here because of the blocks.")

    def test_names_every_row_and_the_interval(self, text):
        heads = [line[:17].strip() for line in text.splitlines()]
        assert [head for head in heads if head] == ["STF2M", "nearest in time", "[95 % interval]"]

    def test_the_caution_stands_with_nearest_in_time(self, text):
        words = " ".join(text.split())
        assert "No signal at all. It is strong here because of the blocks." in words
        assert "Student's t over the 5 new people" in words
        assert "averaged over 4 draws" in words

    def test_lines_fit_a_terminal(self, text):
        assert max(len(line) for line in text.splitlines()) <= 98

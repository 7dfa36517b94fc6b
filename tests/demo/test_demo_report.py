"""Means and intervals against SciPy, and the words and columns of the table."""

import numpy as np
import pytest
from scipy import stats
from sklearn.naive_bayes import GaussianNB

from stf2m_sk.demo.peers import Peer
from stf2m_sk.demo.report import Interval, explain, format_table, results_of
from stf2m_sk.model_selection import FewShotProtocol, compare_few_shot


@pytest.fixture(scope="module")
def comparison():
    generator = np.random.default_rng(0)
    y = np.tile(np.repeat(["a", "b"], 8), 6)
    X = generator.normal(size=(96, 1)) + (y == "b")[:, None]
    return compare_few_shot(
        {"one": GaussianNB(), "other": GaussianNB()},
        X,
        y,
        groups=np.repeat(np.arange(6), 16),
        protocol=FewShotProtocol(shots=(0, 2), random_state=0),
        cv=2,
    )


class TestResults:
    def test_draws_are_averaged_within_each_person_first(self, comparison):
        results = results_of(comparison, [])
        assert set(results) == {(name, k) for name in ("one", "other") for k in (0, 2)}
        asked = "estimator == 'one' and shots == 2 and metric == 'balanced_accuracy'"
        rows = comparison.rows.query(asked)
        means = [rows[rows["person"] == p]["value"].mean() for p in range(6)]
        low, high = stats.t.interval(0.95, 5, np.mean(means), stats.sem(means))
        expected = np.mean(means), low, min(high, 1.0), 6
        assert tuple(results["one", 2]) == pytest.approx(expected)

    def test_who_needs_support_has_no_result_without(self, comparison):
        peers = [Peer("one", "", None, needs_support=True), Peer("other", "", None)]
        assert set(results_of(comparison, peers)) == {("one", 2), ("other", 0), ("other", 2)}


class TestFormatTable:
    def test_cells_and_dashes(self):
        results = {
            ("STF2M", 0): Interval(0.7, 0.6, 0.8, 5),
            ("STF2M", 1): Interval(0.756, 0.604, 0.908, 5),
            ("random forest", 1): Interval(1 / 3, 0.0, 1.0, 2),
        }
        assert format_table(results, ["STF2M", "random forest"], [0, 1]).splitlines() == [
            "                                0 clips             1 clip",
            "STF2M                 0.70 [0.60, 0.80]  0.76 [0.60, 0.91]",
            "random forest                 –          0.33 [0.00, 1.00]",
        ]

    def test_columns_end_together(self):
        results = {(name, k): Interval(0.5, 0.4, 0.6, 3) for name in ("a", "b") for k in (0, 1, 2)}
        lengths = {len(line) for line in format_table(results, ["a", "b"], [0, 1, 2]).splitlines()}
        assert len(lengths) == 1


class TestExplain:
    @pytest.fixture
    def text(self):
        peers = [
            Peer("STF2M", "Ours.", None),
            Peer("nearest in time", "No signal at all.", None, needs_support=True),
        ]
        return explain(peers, 5, 4, "It is strong here because of the blocks.")

    def test_names_every_row_and_the_interval(self, text):
        heads = [line[:20].strip() for line in text.splitlines()]
        assert [head for head in heads if head] == ["STF2M", "nearest in time", "[95 % interval]"]

    def test_the_caution_stands_with_nearest_in_time(self, text):
        words = " ".join(text.split())
        assert "No signal at all. It is strong here because of the blocks." in words
        assert "Student's t over the 5 new people" in words
        assert "averaged over 4 draws" in words

    def test_lines_fit_a_terminal(self, text):
        assert max(len(line) for line in text.splitlines()) <= 98

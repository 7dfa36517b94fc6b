"""What few_shot_score returns: summaries, and how they show themselves."""

import sys

import matplotlib
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from stf2m_sk.model_selection import METRICS, few_shot_score, quadrant_metric


def a_share(y_true, probabilities, classes):
    return METRICS["accuracy"](y_true, probabilities, classes)


@pytest.fixture(scope="module")
def result():
    """Of eight people with four classes, eight clips each."""
    generator = np.random.default_rng(0)
    y = np.tile(np.repeat(list("abcd"), 8), 8)
    groups = np.repeat(np.arange(8), 32)
    X = generator.normal(size=(256, 3)) + generator.normal(size=(8, 3))[groups]
    X[:, 0] += 1.5 * np.searchsorted(list("abcd"), y)
    return few_shot_score(
        GaussianNB(),
        X,
        y,
        groups=groups,
        n_shot=(0, 1, 2),
        cv=2,
        n_draws=2,
        scoring=["balanced_accuracy", "log_loss"],
        random_state=0,
    )


class TestResult:
    def test_people_are_the_unit(self, result):
        row = result.summary().where(metric="log_loss", shots=2)[0]
        means = [
            np.mean(result.rows.where(person=person, shots=2)["log_loss"]) for person in range(8)
        ]
        half = 2.364624 * np.std(means, ddof=1) / np.sqrt(8)  # Student's t, 7 degrees of freedom
        assert row["mean"] == pytest.approx(np.mean(means))
        assert (row["low"], row["high"]) == pytest.approx(
            (np.mean(means) - half, np.mean(means) + half)
        )
        assert (row["n_people"], row["n_episodes"]) == (8, 16)

    def test_other_intervals(self, result):
        wide = result.summary(method="studentised", confidence=0.99)
        assert wide.title == "Mean over people with 99% interval (studentised)"
        assert result.summary(over="folds")["n_folds"] == [2] * 6
        with pytest.raises(ValueError, match="over='days', but it must be one of"):
            result.summary(over="days")

    def test_intervals_of_proportions_stay_inside_0_and_1(self):
        y = np.tile(np.repeat(list("ab"), 4), 3)
        X = (y == "a").astype(float)[:, None]
        X[:8] = 0.5  # nothing is to be seen of the first of three people
        options = {"groups": np.repeat(np.arange(3), 8), "n_shot": 0, "cv": 3, "random_state": 0}
        scoring = {name: name for name in ("balanced_accuracy", "f1_weighted", "log_loss")}
        scoring["quadrant"] = quadrant_metric({"a": "left", "b": "right"})
        scoring["own"] = a_share
        result = few_shot_score(GaussianNB(), X, y, scoring=scoring, **options)
        summary = {row["metric"]: row for row in result.summary()}
        for name in ("balanced_accuracy", "f1_weighted", "quadrant"):
            assert 0 <= summary[name]["low"] < summary[name]["high"] == 1
        for name in ("log_loss", "own"):  # of which nothing is known
            row = summary[name]
            assert row["mean"] - row["low"] == pytest.approx(row["high"] - row["mean"])
        assert summary["own"]["high"] > 1

    def test_shows_itself(self, result):
        assert repr(result).splitlines()[0] == "Mean over people with 95% interval (t)"
        html = result._repr_html_()
        assert html.count("<tr>") == 7
        assert "balanced_accuracy" in html

    def test_frame(self, result):
        frame = result.to_frame()
        assert len(frame) == len(result.rows) == 48
        assert {"fold", "person", "draw", "shots", "support", "query", "log_loss"} <= set(frame)
        assert (frame["fit_seconds"] > 0).all()

    def test_no_pandas(self, result, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ImportError, match=r"to_frame\(\) needs pandas, which is not installed"):
            result.to_frame()

    def test_plot(self, result):
        matplotlib.use("agg")
        ax = result.plot("log_loss")
        assert ax.get_ylabel() == "log loss"
        assert len(ax.lines) >= 8
        assert result.plot(ax=ax) is ax
        with pytest.raises(ValueError, match="metric='f1' was not scored over people"):
            result.plot("f1")

    def test_table(self, result):
        with pytest.raises(KeyError, match="there is no column 'mood'"):
            result.rows["mood"]
        assert len(result.rows[:3]) == 3
        assert repr(result.rows.where(shots=9)).endswith("(no rows)")

"""What few_shot_score returns: frames with intervals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

from stf2m_sk.metrics import METRICS
from stf2m_sk.model_selection import FewShotProtocol, few_shot_score


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
        protocol=FewShotProtocol(shots=(0, 1, 2), draws=2, random_state=0),
        cv=2,
        scoring=["balanced_accuracy", "log_loss"],
    )


def test_rows_are_tidy(result):
    assert list(result.rows) == [
        "estimator", "fold", "person", "draw", "shots", "metric", "label", "value", "support",
        "query", "n_unlabelled", "fit_seconds", "adapt_seconds", "predict_seconds",
    ]  # fmt: skip
    assert result.rows["metric"].value_counts().to_dict() == {
        "balanced_accuracy": 48, "log_loss": 48, "recall": 4 * 48,
    }  # fmt: skip
    assert (result.rows["fit_seconds"] > 0).all()
    recalls = result.rows[result.rows["metric"] == "recall"].groupby(["person", "draw", "shots"])
    balanced = result.rows[result.rows["metric"] == "balanced_accuracy"]
    np.testing.assert_allclose(
        recalls["value"].mean(), balanced.groupby(["person", "draw", "shots"])["value"].first()
    )


def test_rows_are_saved_as_csv(result, tmp_path):
    result.rows.to_csv(tmp_path / "rows.csv", index=False)
    again = pd.read_csv(tmp_path / "rows.csv")
    np.testing.assert_allclose(again["value"], result.rows["value"])


def test_people_are_the_unit(result):
    row = result.summary().query("metric == 'log_loss' and shots == 2").iloc[0]
    rows = result.rows.query("metric == 'log_loss' and shots == 2")
    means = [rows[rows["person"] == person]["value"].mean() for person in range(8)]
    half = 2.364624 * np.std(means, ddof=1) / np.sqrt(8)  # Student's t, 7 degrees of freedom
    assert row["mean"] == pytest.approx(np.mean(means))
    assert (row["low"], row["high"]) == pytest.approx(
        (np.mean(means) - half, np.mean(means) + half)
    )
    assert (row["n_people"], row["n_episodes"]) == (8, 16)
    own = result.units("log_loss").loc[2]["GaussianNB"]
    assert own.sort_index().tolist() == pytest.approx(means)


def test_levels_and_names(result):
    narrow, wide = result.summary(), result.summary(confidence=0.99)
    assert (wide["low"] <= narrow["low"]).all()
    with pytest.raises(ValueError, match="confidence=1, but it must be between 0 and 1"):
        result.summary(confidence=1)
    with pytest.raises(ValueError, match="metric='f1' was not scored"):
        result.units("f1")


def test_intervals_of_proportions_stay_inside_0_and_1():
    y = np.tile(np.repeat(list("ab"), 4), 3)
    X = (y == "a").astype(float)[:, None]
    X[:8] = 0.5  # nothing is to be seen of the first of three people
    scoring = {name: name for name in ("balanced_accuracy", "f1_weighted", "log_loss")}
    scoring["own"] = a_share
    result = few_shot_score(
        GaussianNB(),
        X,
        y,
        groups=np.repeat(np.arange(3), 8),
        protocol=FewShotProtocol(shots=0, random_state=0),
        cv=3,
        scoring=scoring,
    )
    summary = result.summary().set_index("metric")
    for name in ("balanced_accuracy", "f1_weighted"):
        assert 0 <= summary["low"][name] < summary["high"][name] == 1
    for name in ("log_loss", "own"):  # of which nothing is known
        row = summary.loc[name]
        assert row["mean"] - row["low"] == pytest.approx(row["high"] - row["mean"])
    assert summary["high"]["own"] > 1


def test_shows_itself(result):
    assert repr(result).splitlines()[0] == "Mean over people with 95 % interval"
    assert len(repr(result).splitlines()) == 2 + 6
    assert result._repr_html_().count("<tr>") == 6

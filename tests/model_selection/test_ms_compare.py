"""compare_few_shot: the same episodes, paired statistics, a results file that survives a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import stf2m_sk
from stf2m_sk import PooledClassifier
from stf2m_sk.model_selection import (
    FewShotProtocol,
    NovelClassSplit,
    compare_few_shot,
    few_shot_score,
)

PAIR = {"linear": LogisticRegression(), "Bayes": GaussianNB()}
SETTINGS = {"shots": (0, 1, 2), "draws": 2, "random_state": 0}


def make_table(n_people=8):
    generator = np.random.default_rng(0)
    y = np.tile(np.repeat(list("abc"), 6), n_people)
    groups = np.repeat(np.arange(n_people), 18)
    X = generator.normal(size=(len(y), 2)) + generator.normal(size=(n_people, 2))[groups]
    X[:, 0] += np.searchsorted(list("abc"), y)
    return {"X": X, "y": y, "groups": groups}


@pytest.fixture(scope="module")
def table():
    return make_table()


def compare(table, estimators=PAIR, *, cv=4, scoring="balanced_accuracy", results=None, **drawn):
    protocol = FewShotProtocol(**(SETTINGS | drawn))
    further = {"cv": cv, "scoring": scoring, "results": results}
    return compare_few_shot(estimators, **table, protocol=protocol, **further)


def assert_same_rows(one, other):
    one, other = (
        result.rows[[name for name in result.rows if not name.endswith("seconds")]]
        for result in (one, other)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.fixture(scope="module")
def comparison(table):
    return compare(table)


def test_each_estimator_has_the_rows_of_few_shot_score(table, comparison):
    for name, estimator in PAIR.items():
        alone = few_shot_score(estimator, **table, protocol=FewShotProtocol(**SETTINGS), cv=4)
        own = comparison.rows[comparison.rows["estimator"] == name].reset_index(drop=True)
        assert len(own) == len(alone.rows)
        for column in ("person", "shots", "metric", "label", "value"):
            pd.testing.assert_series_equal(own[column], alone.rows[column])


def test_estimators_are_checked(table):
    with pytest.raises(TypeError, match="estimators is a list, but it must be a dict of name"):
        compare(table, [GaussianNB()])
    with pytest.raises(ValueError, match="estimators is empty; give at least one"):
        compare(table, {})


def test_the_estimators_given_are_not_fitted(table):
    given = GaussianNB()
    compare(table, {"one": given})
    assert not hasattr(given, "classes_")


class TestStatistics:
    def test_differences_are_paired_over_people(self, comparison):
        rows = comparison.rows.query("metric == 'balanced_accuracy' and shots == 1")
        means = {
            name: np.array(
                [rows[(rows.estimator == name) & (rows.person == p)].value.mean() for p in range(8)]
            )
            for name in PAIR
        }
        values = means["linear"] - means["Bayes"]
        row = comparison.differences().query("shots == 1").iloc[0]
        expected = stats.ttest_rel(means["linear"], means["Bayes"]).confidence_interval()
        assert row["difference"] == pytest.approx(values.mean())
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
        assert row["p"] == pytest.approx(stats.wilcoxon(np.round(values, 12)).pvalue)

    def test_holm_is_over_the_rows_of_the_table(self, table):
        three = compare(table, PAIR | {"strong": LogisticRegression(C=1e-4)})
        differences = three.differences()
        assert len(differences) == 9
        least = differences.loc[differences["p"].idxmin()]
        assert least["p_holm"] == pytest.approx(min(1, 9 * least["p"]))
        against = three.differences(reference="strong")
        assert against["first"].tolist() == ["strong"] * 6
        assert sorted(set(against["second"])) == ["Bayes", "linear"]

    def test_no_test_under_six_people(self):
        differences = compare(make_table(5), cv=5).differences()
        assert differences[["p", "p_holm"]].isna().all(axis=None)
        assert np.isfinite(differences["low"]).all()

    def test_no_test_over_classes_or_folds(self, table):
        table = table | {"groups": None, "y": np.tile(list("abcd"), 36)}
        novel = compare(
            table,
            scoring=["log_loss", "balanced_accuracy"],
            cv=NovelClassSplit(2, random_state=0),
            shots=1,
        )
        over_classes = novel.differences("balanced_accuracy").iloc[0]
        over_folds = novel.differences("log_loss").iloc[0]
        assert (over_classes["n_classes"], over_folds["n_folds"]) == (4, 2)
        assert np.isnan([over_classes["p"], over_folds["p"]]).all()

    def test_planted_order_is_ranked(self, table):
        estimators = {"blind": DummyClassifier(), "seeing": LogisticRegression()}
        pooled = {name: PooledClassifier(one) for name, one in estimators.items()}
        ranked = compare(table, pooled, scoring=["log_loss", "balanced_accuracy"], shots=2)
        for metric in ranked.metrics:  # of one less is better, of the other more
            assert ranked.ranking(metric)["estimator"].tolist() == ["seeing", "blind"]
        # Of eight people, by hand: the one who scores more on average has rank 1, ties 1.5.
        means = ranked.units("balanced_accuracy")
        seeing, blind = means["seeing"].to_numpy(), means["blind"].to_numpy()
        expected = np.mean(1 + (seeing < blind) + 0.5 * (seeing == blind))
        assert ranked.ranking("balanced_accuracy")["mean_rank"][0] == pytest.approx(expected)

    def test_messages(self, table, comparison):
        with pytest.raises(ValueError, match="metric='f1' was not scored"):
            comparison.differences("f1")
        with pytest.raises(ValueError, match="reference='tree', but it must be one of"):
            comparison.differences(reference="tree")
        with pytest.raises(ValueError, match="there is one classifier only"):
            compare(table, {"one": GaussianNB()}).differences()


class TestUnlabelled:
    def test_by_name(self, table, shift):
        pair = {name: make_pipeline(shift(), GaussianNB()) for name in ("with", "without")}
        found = compare(table, pair, unlabelled=("with",))
        given = found.rows.groupby("estimator")["n_unlabelled"].unique().map(list).to_dict()
        assert given == {"with": [9], "without": [0]}
        for name in pair:
            protocol = FewShotProtocol(**SETTINGS, unlabelled=name == "with")
            alone = few_shot_score(pair[name], **table, protocol=protocol, cv=4)
            own = found.rows[found.rows["estimator"] == name]["value"]
            assert own.tolist() == alone.rows["value"].tolist()
        everybody = compare(table, pair, unlabelled=True)
        assert set(everybody.rows["n_unlabelled"]) == {9}

    def test_names_are_checked(self, table):
        with pytest.raises(ValueError, match="it must be True, False or names among"):
            compare(table, unlabelled=("tree",))


class Counting(GaussianNB):
    """Counts its fits on the population."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += len(X) in (72, 108)  # of two or four folds; not with a support
        return super().fit(X, y, sample_weight)


class TestResultsFile:
    def test_is_read_and_gives_the_same_table(self, table, tmp_path):
        Counting.fits, path = 0, tmp_path / "scores.jsonl"
        first = compare(table, {"one": Counting()}, results=path)
        assert Counting.fits == 4
        content = path.read_bytes()
        again = compare(table, {"one": Counting()}, results=str(path))
        assert Counting.fits == 4
        assert path.read_bytes() == content
        pd.testing.assert_frame_equal(first.rows, again.rows, check_exact=True)

    def test_another_classifier_is_added(self, table, tmp_path, comparison):
        path = tmp_path / "scores.jsonl"
        compare(table, {"Bayes": GaussianNB()}, results=path)
        assert_same_rows(compare(table, results=path), comparison)
        assert len(path.read_text().splitlines()) == 1 + 2 * 4

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"random_state": 1}, "random_state is '0' there and '1' here"),
            ({"shots": (0, 1)}, r"shots is '\(0, 1, 2\)' there and '\(0, 1\)' here"),
            ({"draws": 1}, "draws is '2' there and '1' here"),
            ({"scoring": "accuracy"}, "scoring is .*balanced_accuracy.* there and .* here"),
            ({"gap": 0}, "gap is '1' there and '0' here"),
            ({"unlabelled": True}, r"one is 'Counting\(\)' there and 'Counting\(\) \+ unlabelled'"),
            ({"cv": 2}, "folds is"),
            ({"estimators": {"one": Counting(var_smoothing=1e-3)}}, "var_smoothing=0.001"),
            ({"X": make_table()["X"] + 1e-12}, "clips is"),
            ({"groups": make_table()["groups"] + 1}, "clips is"),
        ],
        ids=lambda change: next(iter(change)) if isinstance(change, dict) else None,
    )
    def test_other_settings_are_refused_and_named(self, table, tmp_path, change, named):
        path = tmp_path / "scores.jsonl"
        compare(table, {"one": Counting()}, results=path)
        content = path.read_bytes()
        table = {name: change.get(name, value) for name, value in table.items()}
        change = {name: value for name, value in change.items() if name not in table}
        with pytest.raises(ValueError, match=f"holds other results: .*{named}"):
            compare(table, results=path, **({"estimators": {"one": Counting()}} | change))
        assert path.read_bytes() == content

    def test_another_population_is_another_setting(self, table, tmp_path):
        train, test = np.arange(90), np.arange(90, 144)
        options = {"shots": 0, "results": tmp_path / "scores.jsonl"}
        compare(table, cv=[(train, test)], **options)
        with pytest.raises(ValueError, match="folds is"):
            compare(table, cv=[(train[:54], test)], **options)

    def test_a_seed_is_needed(self, table, tmp_path):
        with pytest.raises(ValueError, match="which draws other episodes at each call"):
            compare(table, results=tmp_path / "scores.jsonl", random_state=None)

    @pytest.mark.parametrize(
        "estimator",
        [
            LogisticRegression(random_state=np.random.RandomState(0)),
            FrozenEstimator(GaussianNB().fit([[0], [1]], [0, 1])),
            make_pipeline(FunctionTransformer(lambda X: X), GaussianNB()),
        ],
    )
    def test_what_cannot_be_told_from_another_is_refused(self, table, tmp_path, estimator):
        with pytest.raises(TypeError, match="a results file cannot tell"):
            compare(table, {"one": estimator}, results=tmp_path / "scores.jsonl")

    @pytest.mark.parametrize(
        "content", [b"person,score\n1,2\n", b"\x00\x01", b'{"a": 1}\n[1, 2]\n']
    )
    def test_another_file_is_left_alone(self, table, tmp_path, content):
        path = tmp_path / "scores.jsonl"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="damaged or no file of few-shot results"):
            compare(table, results=path)
        assert path.read_bytes() == content

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
    def test_a_line_that_was_cut_off_is_written_again(self, table, tmp_path, comparison, share):
        path = tmp_path / "scores.jsonl"
        compare(table, results=path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert_same_rows(compare(table, results=path), comparison)
        kept = [json.loads(line) for line in path.read_text().splitlines()]
        assert sorted((one["name"], one["fold"]) for one in kept[1:]) == [
            (name, fold) for name in sorted(PAIR) for fold in range(4)
        ]

    def test_an_error_keeps_what_was_done(self, table, tmp_path):
        path = tmp_path / "scores.jsonl"
        with pytest.raises(ValueError, match="needs probabilities"):
            good_and_bad = {"good": GaussianNB(), "bad": RidgeClassifier()}
            compare(table, good_and_bad, scoring="log_loss", results=path)
        assert len(path.read_text().splitlines()) == 1 + 4

    def test_kill_and_go_on(self, table, tmp_path, comparison):
        """Kill -9 with two of eight lines on disk: nothing is fitted twice, nothing is missing."""
        np.savez(tmp_path / "table.npz", **table)
        (tmp_path / "slow.py").write_text(SLOW)
        path = tmp_path / "scores.jsonl"
        command = [sys.executable, "slow.py", str(path)]
        packages = {"PYTHONPATH": str(Path(stf2m_sk.__file__).parents[1])}
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | packages)
        try:
            deadline = time.monotonic() + 60
            while not (path.exists() and path.read_bytes().count(b"\n") == 3):
                assert process.poll() is None, "the comparison ended before it was killed"
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kept = path.read_bytes()
        resumed = compare(table, results=path)
        assert_same_rows(resumed, comparison)
        assert path.read_bytes().startswith(kept)
        assert repr(resumed) == repr(comparison)


SLOW = """
import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from stf2m_sk.model_selection import FewShotProtocol, _plan, compare_few_shot

fit_population, n_fits = _plan.fit_population, 0


def slowly(*args):
    global n_fits
    n_fits += 1
    if n_fits > 2:
        time.sleep(600)  # it is killed here, with two folds on disk
    return fit_population(*args)


_plan.fit_population = slowly
table = dict(np.load("table.npz"))
pair = {"linear": LogisticRegression(), "Bayes": GaussianNB()}
protocol = FewShotProtocol(shots=(0, 1, 2), draws=2, random_state=0)
compare_few_shot(pair, **table, protocol=protocol, cv=4, results=sys.argv[1])
"""


def test_a_bar_is_shown_where_somebody_looks(table, capsys, monkeypatch):
    compare(table, cv=2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    compare(table, cv=2)
    assert "4/4" in capsys.readouterr().err


def test_folds_may_be_any_splitter_of_scikit_learn(table):
    folds = GroupKFold(4, shuffle=True, random_state=0)  # what cv=4 stands for
    assert_same_rows(compare(table, cv=folds), compare(table, cv=clone(folds, safe=False)))
    assert_same_rows(compare(table, cv=folds), compare(table, cv=4))

"""compare_few_shot: same episodes, paired statistics, and a cache that survives a kill."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stf2m_sk
from stf2m_sk.model_selection import NovelClassSplit, _compare, compare_few_shot, few_shot_score
from stf2m_sk.model_selection._compare import score_fold
from stf2m_sk.model_selection._keys import describe, key_of

PAIR = {"linear": LogisticRegression(), "Bayes": GaussianNB()}


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


def compare(table, estimators=PAIR, **options):
    options = {"n_shot": (0, 1, 2), "cv": 4, "n_draws": 2, "random_state": 0} | options
    return compare_few_shot(estimators, **table, **options)


def without_seconds(comparison):
    return [
        {name: value for name, value in row.items() if not name.endswith("seconds")}
        for row in comparison.rows
    ]


def assert_same_rows(one, other):
    one, other = without_seconds(one), without_seconds(other)
    assert len(one) == len(other)
    for row, same in zip(one, other, strict=True):
        assert row.keys() == same.keys()
        for name in row:
            np.testing.assert_array_equal(row[name], same[name])


@pytest.fixture(scope="module")
def comparison(table):
    return compare(table)


class TestRows:
    def test_each_estimator_has_the_rows_of_few_shot_score(self, table, comparison):
        for name, estimator in PAIR.items():
            alone = few_shot_score(
                estimator, **table, n_shot=(0, 1, 2), cv=4, n_draws=2, random_state=0
            )
            own = comparison.rows.where(estimator=name)
            assert len(own) == len(alone.rows)
            for row, same in zip(own, alone.rows, strict=True):
                np.testing.assert_array_equal(row["support"], same["support"])
                np.testing.assert_array_equal(row["query"], same["query"])
                assert row["balanced_accuracy"] == same["balanced_accuracy"]

    def test_progress(self, table, capsys):
        compare(table, verbose=1, cv=2)
        assert "4/4" in capsys.readouterr().err


class TestStatistics:
    def test_differences_are_paired_over_people(self, comparison):
        means = {
            name: np.array(
                [
                    np.mean(
                        comparison.rows.where(estimator=name, person=p, shots=1)[
                            "balanced_accuracy"
                        ]
                    )
                    for p in range(8)
                ]
            )
            for name in PAIR
        }
        values = means["linear"] - means["Bayes"]
        row = comparison.differences().where(shots=1)[0]
        expected = stats.ttest_rel(means["linear"], means["Bayes"]).confidence_interval()
        assert row["difference"] == pytest.approx(values.mean())
        assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
        assert row["p"] == pytest.approx(stats.wilcoxon(np.round(values, 12)).pvalue)
        assert row["cohen_d"] == pytest.approx(values.mean() / values.std(ddof=1))
        t = comparison.differences(test="t").where(shots=1)[0]
        assert t["p"] == pytest.approx(stats.ttest_rel(means["linear"], means["Bayes"]).pvalue)

    def test_holm_is_over_the_rows_of_the_table(self, table):
        three = PAIR | {"strong": LogisticRegression(C=1e-4)}
        differences = compare(table, three).differences()
        assert len(differences) == 9
        ordered = sorted(differences, key=lambda row: row["p"])
        assert ordered[0]["p_holm"] == pytest.approx(min(1, 9 * ordered[0]["p"]))
        against = compare(table, three).differences(reference="strong")
        assert against["first"] == ["strong"] * 6
        assert sorted(set(against["second"])) == ["Bayes", "linear"]

    def test_no_test_under_six_people(self):
        differences = compare(make_table(5), cv=5).differences()
        assert np.isnan(differences["p"]).all()
        assert np.isnan(differences["p_holm"]).all()
        assert np.isfinite(differences["low"]).all()

    def test_no_test_over_classes_or_folds(self, table):
        table = table | {"groups": None, "y": np.tile(list("abcd"), 36)}
        options = {"cv": NovelClassSplit(2, random_state=0), "n_shot": 1}
        novel = compare(table, scoring=["log_loss", "balanced_accuracy"], **options)
        (over_classes,) = novel.differences("balanced_accuracy")
        (over_folds,) = novel.differences("log_loss")
        assert (over_classes["n_classes"], over_folds["n_folds"]) == (4, 2)
        assert np.isnan([over_classes["p"], over_folds["p"]]).all()
        matplotlib.use("agg")
        assert novel.plot("balanced_accuracy").get_title() == "Mean over classes, 95 % interval"
        with pytest.raises(ValueError, match="'log_loss' was not scored over classes"):
            novel.plot("log_loss")

    def test_planted_order_is_ranked(self, table):
        estimators = {"blind": DummyClassifier(), "seeing": LogisticRegression()}
        metrics = ["log_loss", "balanced_accuracy"]
        ranked = compare(table, estimators, scoring=metrics, n_shot=2, refit="pooled")
        for metric in metrics:  # of one less is better, of the other more
            assert ranked.ranking(metric)["estimator"] == ["seeing", "blind"]
        # Of eight people, by hand: the one who scores more on average has rank 1, ties 1.5.
        own = ranked.rows.where
        means = np.array(
            [
                [np.mean(own(estimator=name, person=p)["balanced_accuracy"]) for p in range(8)]
                for name in ("seeing", "blind")
            ]
        )
        expected = np.mean(1 + (means[0] < means[1]) + 0.5 * (means[0] == means[1]))
        assert ranked.ranking("balanced_accuracy")["mean_rank"][0] == pytest.approx(expected)

    def test_messages(self, comparison):
        with pytest.raises(ValueError, match="metric='f1' was not scored"):
            comparison.differences("f1")
        with pytest.raises(ValueError, match="reference='tree' was not compared"):
            comparison.differences(reference="tree")


class TestUnlabelled:
    def test_by_name(self, table):
        pair = {"with": shift_and_bayes(), "without": shift_and_bayes()}
        found = compare(table, pair, unlabelled=["with"])
        given = {name: set(found.rows.where(estimator=name)["n_unlabelled"]) for name in pair}
        assert given == {"with": {9}, "without": {0}}
        for name, unlabelled in (("with", True), ("without", False)):
            alone = few_shot_score(
                pair[name], **table, n_shot=(0, 1, 2), cv=4, n_draws=2, random_state=0,
                unlabelled=unlabelled,
            )  # fmt: skip
            assert found.rows.where(estimator=name)["recall"] == alone.rows["recall"]
        everybody = compare(table, pair, unlabelled=True)
        assert set(everybody.rows["n_unlabelled"]) == {9}

    def test_names_are_checked(self, table):
        with pytest.raises(
            ValueError, match=r"unlabelled=\['tree'\], but it must be True, False or"
        ):
            compare(table, unlabelled=["tree"])


def shift_and_bayes():
    """Its scaler adapts, so that it has a use for unlabelled clips."""
    return make_pipeline(Shift(), GaussianNB())


class Shift(TransformerMixin, BaseEstimator):
    """Subtracts the mean of the clips that it was adapted to."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def adapt(self, X, y=None):
        return Shift().fit(X)

    def transform(self, X):
        return X - self.mean_


class TestShows:
    def test_text_html_frame_plot(self, comparison):
        matplotlib.use("agg")
        assert "Paired differences over people" in repr(comparison)
        assert comparison._repr_html_().count("<table>") == 2
        assert len(comparison.to_frame()) == len(comparison.rows)
        assert comparison.summary()["estimator"] == ["linear"] * 3 + ["Bayes"] * 3
        legend = comparison.plot().get_legend()
        assert [text.get_text() for text in legend.get_texts()] == list(PAIR)


class Counting(GaussianNB):
    """Counts its fits on the population."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += len(X) in (72, 108)  # of two or four folds; not with a support
        return super().fit(X, y, sample_weight)


class TestCache:
    def test_is_read_and_gives_the_same_table(self, table, tmp_path):
        Counting.fits = 0
        first = compare(table, {"one": Counting()}, cache=tmp_path)
        assert Counting.fits == 4
        assert len(list(tmp_path.glob("*.json"))) == 4
        again = compare(table, {"another name": Counting()}, cache=str(tmp_path))
        assert Counting.fits == 4
        for row, same in zip(first.rows, again.rows, strict=True):
            for name in set(row) - {"estimator"}:
                np.testing.assert_array_equal(row[name], same[name])

    @pytest.mark.parametrize(
        "change",
        [
            {"random_state": 1},
            {"n_shot": (0, 1)},
            {"n_draws": 1},
            {"scoring": "accuracy"},
            {"gap": 0},
            {"refit": "pooled"},
            {"support_weight": 2.0},
            {"unlabelled": True},
            {"cv": 2},
            {"estimators": {"one": Counting(var_smoothing=1e-3)}},
            {"X": make_table()["X"] + 1e-12},
            {"groups": make_table()["groups"] + 1},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_other_settings_are_never_mixed(self, table, tmp_path, change):
        compare(table, {"one": Counting()}, cache=tmp_path)
        kept = set(tmp_path.iterdir())
        Counting.fits = 0
        table = {name: change.get(name, value) for name, value in table.items()}
        change = {name: value for name, value in change.items() if name not in table}
        compare(table, cache=tmp_path, **({"estimators": {"one": Counting()}} | change))
        assert Counting.fits == change.get("cv", 4)
        assert kept < set(tmp_path.iterdir())

    def test_another_population_is_another_setting(self, table, tmp_path):
        train, test = np.arange(90), np.arange(90, 144)
        options = {"estimators": {"one": LogisticRegression()}, "n_shot": 0, "cache": tmp_path}
        compare(table, cv=[(train, test)], **options)
        fewer = compare(table, cv=[(train[:54], test)], **options)
        assert len(list(tmp_path.glob("*.json"))) == 2
        alone = compare(table, cv=[(train[:54], test)], **(options | {"cache": None}))
        assert_same_rows(fewer, alone)

    def test_a_seed_is_needed(self, table, tmp_path):
        with pytest.raises(ValueError, match=r"random_state=None, which draws other episodes at"):
            compare(table, cache=tmp_path, random_state=None)

    def test_a_damaged_file_is_told(self, table, tmp_path):
        compare(table, cache=tmp_path)
        path = next(tmp_path.glob("*.json"))
        path.write_text(path.read_text()[:-9])
        with pytest.raises(ValueError, match=r"cannot be read .*delete it, and its rows are"):
            compare(table, cache=tmp_path)
        path.write_text(json.dumps({"setting": {}, "scores": []}))
        with pytest.raises(ValueError, match="it holds another setting"):
            compare(table, cache=tmp_path)

    def test_what_a_killed_write_leaves_is_not_read(self, table, tmp_path, comparison):
        (tmp_path / "half.tmp").write_text('{"setting"')
        assert_same_rows(compare(table, cache=tmp_path), comparison)

    def test_an_error_keeps_what_was_done(self, table, tmp_path):
        with pytest.raises(ValueError, match="needs probabilities"):
            good_and_bad = {"good": GaussianNB(), "bad": RidgeClassifier()}
            compare(table, good_and_bad, scoring="log_loss", cache=tmp_path)
        assert len(list(tmp_path.glob("*.json"))) == 4

    def test_kill_and_go_on(self, table, tmp_path, comparison, monkeypatch):
        """Kill -9 with two of eight files on disk: nothing is fitted twice, nothing is missing."""
        np.savez(tmp_path / "table.npz", **table)
        (tmp_path / "slow.py").write_text(SLOW)
        cache = tmp_path / "cache"
        command = [sys.executable, "slow.py", str(cache)]
        path = {"PYTHONPATH": str(Path(stf2m_sk.__file__).parents[1])}
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | path)
        try:
            deadline = time.monotonic() + 60
            while len(list(cache.glob("*.json"))) < 2 and time.monotonic() < deadline:
                assert process.poll() is None, "the comparison ended before it was killed"
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kept = {path: path.read_bytes() for path in cache.glob("*.json")}
        assert len(kept) == 2
        calls = []

        def counting(estimator, X, clips, fold, *args, **how):
            calls.append(fold.number)
            return score_fold(estimator, X, clips, fold, *args, **how)

        monkeypatch.setattr(_compare, "score_fold", counting)
        resumed = compare(table, cache=cache)
        assert calls == [2, 3, 0, 1, 2, 3]
        assert_same_rows(resumed, comparison)
        assert all(path.read_bytes() == content for path, content in kept.items())
        assert len(list(cache.glob("*.json"))) == 8
        assert repr(resumed) == repr(comparison)


SLOW = """
import sys
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from stf2m_sk.model_selection import _compare

score_fold = _compare.score_fold


def slowly(estimator, X, clips, fold, *args, **how):
    if fold.number == 2:
        time.sleep(600)  # it is killed here, with two folds on disk
    return score_fold(estimator, X, clips, fold, *args, **how)


_compare.score_fold = slowly
table = dict(np.load("table.npz"))
pair = {"linear": LogisticRegression(), "Bayes": GaussianNB()}
settings = {"n_shot": (0, 1, 2), "cv": 4, "n_draws": 2, "random_state": 0}
_compare.compare_few_shot(pair, **table, **settings, cache=sys.argv[1])
"""


def one_metric(y_true, probabilities, classes):
    return 0.0


class TestKeys:
    def test_equal_values_have_equal_keys(self, people, fitted):
        for value in (
            make_pipeline(StandardScaler(), LogisticRegression(C=2.0)),
            {"a": [1, 2.5, None, True, "x", (np.float32(1), b"y")], "b": {3, 1, 2}},
            np.array(["calm", 3, None], dtype=object),
            people.views,
            make_scorer(accuracy_score),
            partial(one_metric, classes=[1]),
            one_metric,
            FrozenEstimator(fitted),
            np.random.RandomState(3),
        ):
            assert key_of(describe(value)) == key_of(describe(copy.deepcopy(value)))

    def test_other_values_have_other_keys(self, people, fitted):
        values = [
            1, 1.0, True, "1", None, [1], (1,), {1}, {"1": 1}, {1: 1}, np.array([1]),
            np.array([1.0]), np.array([[1]]), np.array([1], dtype=object), LogisticRegression(),
            LogisticRegression(C=2.0), LogisticRegression, GaussianNB(), one_metric, len,
            partial(one_metric), partial(one_metric, classes=[1]), people.views,
            people.views[:5], people.new_views, FrozenEstimator(fitted), fitted,
            FrozenEstimator(fitted.adapt(people.new_views, people.new_target)),
            FrozenEstimator(fitted.adapt(unlabelled=people.new_views)),
            FrozenEstimator(GaussianNB().fit([[0], [1]], [0, 1])),
            FrozenEstimator(GaussianNB().fit([[0], [2]], [0, 1])),
            np.random.RandomState(0), np.random.RandomState(1),
            make_scorer(accuracy_score), make_scorer(accuracy_score, greater_is_better=False),
        ]  # fmt: skip
        assert len({key_of(describe(value)) for value in values}) == len(values)

    @pytest.mark.parametrize("value", [lambda y, p, c: 0.0, object()])
    def test_what_cannot_be_told_apart(self, value):
        with pytest.raises(TypeError, match="a cache cannot tell"):
            describe(value)


def test_estimators():
    with pytest.raises(TypeError, match="estimators is a list, but it must be a dict of name"):
        compare(make_table(), [GaussianNB()])
    with pytest.raises(ValueError, match="estimators is empty; give at least one"):
        compare(make_table(), {})

"""few_shot_score: its protocol, every kind of classifier, its result."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import balanced_accuracy_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stf2m_sk.model_selection import (
    NewPersonSplit,
    NovelClassSplit,
    ShuffledLabels,
    few_shot_score,
)
from stf2m_sk.preprocessing import ViewScaler


@pytest.fixture(scope="module")
def table():
    """Eight people, four classes, eight clips each in two contexts; people are shifted."""
    generator = np.random.default_rng(0)
    y = np.tile(np.repeat(list("abcd"), 8), 8)
    groups = np.repeat(np.arange(8), 32)
    contexts = np.tile(np.arange(8) % 2, 32)
    X = generator.normal(size=(256, 3)) + generator.normal(size=(8, 3))[groups]
    X[:, 0] += 1.5 * np.searchsorted(list("abcd"), y)
    return {"X": X, "y": y, "groups": groups, "contexts": contexts}


def score(table, estimator, **options):
    options = {"n_shot": (0, 1, 2), "cv": 2, "n_draws": 2, "random_state": 0} | options
    return few_shot_score(estimator, **table, **options)


def mean_confidence(y_true, probabilities, classes):
    return probabilities.max(axis=1).mean()


class Seeing(ClassifierMixin, BaseEstimator):
    """Writes down what it is given; adapts."""

    seen: list = []  # noqa: RUF012

    def fit(self, X, y, groups=None, contexts=None):
        self.seen.append(("fit", len(X), groups, contexts))
        self.classes_ = np.unique(y)
        return self

    def adapt(self, X, y, times=None):
        self.seen.append(("adapt", len(X), times))
        return clone(self).fit(X, y)

    def predict_proba(self, X, times=None):
        self.seen.append(("predict", len(X), times))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


class TestProtocol:
    def test_rows_keep_sides_apart_and_supports_nested(self, table):
        result = score(table, GaussianNB(), n_shot=(4, 1, 0, 2))
        groups, contexts, y = table["groups"], table["contexts"], table["y"]
        assert len(result.rows) == 8 * 2 * 4
        assert result.unit == "people"
        for draw in {(row["person"], row["draw"]) for row in result.rows}:
            rows = result.rows.where(person=draw[0], draw=draw[1]).rows
            assert [row["shots"] for row in rows] == [0, 1, 2, 4]
            for row in rows:
                assert set(groups[np.r_[row["support"], row["query"]]]) == {row["person"]}
                assert not set(contexts[row["support"]]) & set(contexts[row["query"]])
                np.testing.assert_array_equal(row["query"], rows[0]["query"])
                assert row["n_support"] == 4 * row["shots"] == len(row["support"])
            for label in "abcd":
                one, two, four = (
                    row["support"][y[row["support"]] == label].tolist() for row in rows[1:]
                )
                assert four[:2] == two
                assert two[:1] == one

    def test_figures_are_those_of_a_loop_by_hand(self, table):
        result = score(table, LogisticRegression(), cv=NewPersonSplit(2, random_state=1))
        X, y = table["X"], table["y"]
        folds = list(NewPersonSplit(2, random_state=1).split(X, y, table["groups"]))
        for row in result.rows:
            rows = row["support"] if row["shots"] else folds[row["fold"]][0]
            predicted = LogisticRegression().fit(X[rows], y[rows]).predict(X[row["query"]])
            expected = balanced_accuracy_score(y[row["query"]], predicted)
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_pooled_weighs_the_support(self, table):
        X, y = table["X"], table["y"]
        train = np.flatnonzero(table["groups"] < 4)
        test = np.flatnonzero(table["groups"] >= 4)
        options = {"cv": [(train, test)], "refit": "pooled", "support_weight": 7.0}
        for row in score(table, LogisticRegression(), **options).rows.where(shots=2):
            pooled = np.r_[train, np.tile(row["support"], 7)]  # seven times is a weight of seven
            model = LogisticRegression(tol=1e-10, max_iter=1000).fit(X[pooled], y[pooled])
            expected = balanced_accuracy_score(y[row["query"]], model.predict(X[row["query"]]))
            assert row["balanced_accuracy"] == pytest.approx(expected, abs=0.07)
        for row in score(table, KNeighborsClassifier(3), **options).rows.where(shots=2):
            pooled = np.r_[train, np.tile(row["support"], 7)]
            model = KNeighborsClassifier(3).fit(X[pooled], y[pooled])
            expected = balanced_accuracy_score(y[row["query"]], model.predict(X[row["query"]]))
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_seed(self, table):
        one, same, other = (score(table, GaussianNB(), random_state=seed) for seed in (0, 0, 1))
        assert one.summary().rows == same.summary().rows != other.summary().rows

    def test_predictions_with_support_are_among_its_classes(self, table):
        options = {"n_way": 2, "n_query": 1, "refit": "pooled", "support_weight": 0.01}
        result = score(table, LogisticRegression(), scoring="log_loss", **options)
        two_way = result.rows.where(shots=1)["log_loss"]
        assert {row["n_way"] for row in result.rows} == {2}
        assert {row["n_query"] for row in result.rows} == {2}
        assert np.mean(two_way) < np.mean(result.rows.where(shots=0)["log_loss"])

    def test_novel_classes_have_no_zero_shots(self, table):
        options = {"cv": NovelClassSplit(2, random_state=0)}
        result = score(table, GaussianNB(), **options)
        assert {row["shots"] for row in result.rows} == {1, 2}
        message = "no episode remains: .* only 0 shots of novel classes were requested"
        with pytest.raises(ValueError, match=message):
            score(table, GaussianNB(), n_shot=0, **options)

    def test_without_people_the_interval_is_over_classes_or_folds(self, table):
        table = table | {"groups": None}
        result = score(table, GaussianNB(), cv=NovelClassSplit(2, random_state=0))
        assert result.unit == "classes"
        (row, _) = result.summary()
        recalls = {label: [] for label in "abcd"}
        for one in result.rows.where(shots=1):
            for label, value in one["recall"].items():
                recalls[label].append(value)
        means = [np.mean(values) for values in recalls.values()]
        assert (row["mean"], row["n_classes"]) == (pytest.approx(np.mean(means)), 4)
        result = score(table, GaussianNB(), cv=[(np.arange(128), np.arange(128, 256))])
        assert result.unit == "folds"
        assert np.isnan(result.summary()["low"]).all()
        with pytest.raises(ValueError, match="over='people' was given, but groups were not"):
            result.summary(over="people")

    def test_shrink_tells_who_was_skipped(self, table):
        y = np.where(table["groups"] == 3, "a", table["y"])
        result = score(table | {"y": y}, GaussianNB(), on_few="shrink", n_shot=(1, 20))
        assert result.skipped == [3]
        assert {row["n_support"] for row in result.rows.where(shots=20)} == {16}
        with pytest.raises(ValueError, match="too few clips of person"):
            score(table, GaussianNB(), n_shot=20)


class TestClassifiers:
    def test_each_clip_embedded_once_gives_what_the_loop_gives(self, people, fitted):
        result = few_shot_score(
            FrozenEstimator(fitted),
            people.views,
            people.target,
            groups=people.groups,
            cv=2,
            n_shot=(0, 1),
            scoring="log_loss",
            on_few="shrink",
            random_state=0,
        )
        for row in result.rows:
            support, query = row["support"], row["query"]
            known = fitted
            if row["shots"]:
                ways = np.unique(people.target[support])
                known = fitted.adapt(people.views[support], people.target[support], classes=ways)
            probabilities = known.predict_proba(people.views[query])
            expected = log_loss(people.target[query], probabilities, labels=known.classes_)
            assert row["log_loss"] == pytest.approx(expected, rel=1e-9)

    def test_the_population_is_trained_with_its_people(self, people, quick):
        splitter = NewPersonSplit(2, random_state=0)
        (train, test), _ = splitter.split(None, people.target, people.groups)
        result = few_shot_score(
            quick(),
            people.views,
            people.target,
            groups=people.groups,
            cv=[(train, test)],
            n_shot=0,
            scoring="log_loss",
            on_few="shrink",
            random_state=0,
        )
        fitted = quick().fit(people.views[train], people.target[train], groups=people.groups[train])
        for row in result.rows:
            probabilities = fitted.predict_proba(people.views[row["query"]])
            expected = log_loss(people.target[row["query"]], probabilities, labels=fitted.classes_)
            assert row["log_loss"] == pytest.approx(expected, rel=1e-9)

    def test_in_a_pipeline_too(self, people, fitted):
        options = {"groups": people.groups, "cv": 2, "n_shot": 1, "on_few": "shrink"}
        options |= {"scoring": "log_loss", "random_state": 0}
        classifier = FrozenEstimator(fitted)
        bare = few_shot_score(classifier, people.views, people.target, **options)
        steps = make_pipeline("passthrough", classifier)
        piped = few_shot_score(steps, people.views, people.target, **options)
        assert bare.rows["log_loss"] == piped.rows["log_loss"]

    def test_a_subclass_predictions_by_its_own_verbs(self, people, fitted):
        class Certain(type(fitted)):
            def predict_proba(self, X):
                return np.eye(len(self.classes_))[np.zeros(X.shape[0], dtype=int)]

        certain = Certain(**fitted.get_params())
        vars(certain).update(vars(fitted))
        result = few_shot_score(
            FrozenEstimator(certain),
            people.views,
            people.target,
            groups=people.groups,
            cv=2,
            n_shot=1,
            on_few="shrink",
            scoring={"largest": mean_confidence},
        )
        assert result.rows["largest"] == [1.0] * len(result.rows)

    def test_what_a_classifier_asks_for_is_handed_over(self, table):
        Seeing.seen.clear()
        score(table | {"contexts": None}, Seeing(), cv=[(np.arange(128), np.arange(128, 256))])
        fits = [one for one in Seeing.seen if one[0] == "fit"]
        np.testing.assert_array_equal(fits[0][2], table["groups"][:128])
        assert fits[0][3] is None
        adapted = [one for one in Seeing.seen if one[0] == "adapt"]
        assert all(len(one[2]) == one[1] for one in adapted)  # the numbers of the rows
        assert all(one[2] is not None for one in Seeing.seen if one[0] == "predict")
        Seeing.seen.clear()
        score(table, make_pipeline(StandardScaler(), Seeing()))
        np.testing.assert_array_equal(np.unique(Seeing.seen[0][2]).size, 4)
        assert Seeing.seen[0][3] is not None
        assert all(one[2] is None for one in Seeing.seen if one[0] == "adapt")

    def test_routing_decides_in_pipelines(self, table):
        with sklearn.config_context(enable_metadata_routing=True):
            Seeing.seen.clear()
            score(table, make_pipeline(StandardScaler(), Seeing().set_fit_request(groups=True)))
            assert Seeing.seen[0][2] is not None
            assert Seeing.seen[0][3] is None
            with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="groups"):
                score(table, make_pipeline(StandardScaler(), Seeing()))

    def test_first_steps_transform_as_fitted_on_the_population(self, table):
        X = table["X"]
        train, test = np.arange(128), np.arange(128, 256)
        result = score(table, make_pipeline(StandardScaler(), GaussianNB()), cv=[(train, test)])
        Z = StandardScaler().fit(X[train]).transform(X)
        by_hand = score(table | {"X": Z}, GaussianNB(), cv=[(train, test)])
        assert result.summary().rows == by_hand.summary().rows

    def test_first_steps_that_adapt_do(self, table):
        scaler = ViewScaler(scope="person")
        result = score(table, make_pipeline(scaler, GaussianNB()))
        population = make_pipeline(ViewScaler(), GaussianNB())
        assert result.summary().rows != score(table, population).summary().rows
        with pytest.raises(ValueError, match="refit='pooled' was given for a Pipeline of which"):
            score(table, make_pipeline(scaler, GaussianNB()), refit="pooled")

    def test_of_a_search_the_best_is_taken(self, table):
        search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=GroupKFold(2))
        assert score(table, search).summary().rows == score(table, GaussianNB()).summary().rows

    def test_what_is_frozen_is_not_fitted_again(self, table):
        frozen = FrozenEstimator(GaussianNB().fit(table["X"], table["y"]))
        result = score(table, frozen)
        for row in result.rows.where(shots=2):
            predicted = frozen.predict(table["X"][row["query"]])
            expected = balanced_accuracy_score(table["y"][row["query"]], predicted)
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_a_frozen_classifier_with_adapt_adapts(self, fitted, people):
        options = {"groups": people.groups, "cv": 2, "n_shot": 1, "on_few": "shrink"}
        frozen = FrozenEstimator(fitted)
        result = few_shot_score(frozen, people.views, people.target, random_state=0, **options)
        row = result.rows[0]
        labels = people.target[row["support"]]
        adapted = fitted.adapt(people.views[row["support"]], labels, classes=np.unique(labels))
        predicted = adapted.predict(people.views[row["query"]])
        expected = balanced_accuracy_score(people.target[row["query"]], predicted)
        assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_an_error_says_where(self, table):
        with pytest.raises(ValueError, match="n_neighbors") as caught:
            score(table, KNeighborsClassifier(30))
        assert "an episode of person" in caught.value.__notes__[0]
        assert "with 1 shot(s) (4 support clips)" in caught.value.__notes__[0]


class Centred(ClassifierMixin, BaseEstimator):
    """Nearest class mean; subtracts the mean of the person's unlabelled clips."""

    def fit(self, X, y):
        self.classes_, self.centre_ = np.unique(y), np.zeros(X.shape[1])
        self.means_ = np.array([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def adapt(self, X=None, y=None, *, unlabelled=None, classes=None):
        adapted = clone(self)
        vars(adapted).update(vars(self))
        if unlabelled is not None:
            adapted.centre_ = unlabelled.mean(axis=0)
        if X is not None:
            adapted.fit(X - adapted.centre_, y).centre_ = adapted.centre_
            assert adapted.classes_.tolist() == np.sort(classes).tolist()
        return adapted

    def predict(self, X):
        away = np.linalg.norm(X[:, None] - self.centre_ - self.means_, axis=2)
        return self.classes_[away.argmin(axis=1)]


class TestUnlabelled:
    @pytest.fixture
    def no_contexts(self, table):
        return table | {"contexts": None}

    def test_the_whole_support_side_at_every_number_of_shots(self, no_contexts):
        X, y, groups = (no_contexts[name] for name in ("X", "y", "groups"))
        train, test = np.flatnonzero(groups < 4), np.flatnonzero(groups >= 4)
        options = {"cv": [(train, test)], "unlabelled": True, "n_way": 3}
        result = score(no_contexts, Centred(), **options)
        for row in result.rows:
            own = [np.flatnonzero((groups == row["person"]) & (y == label)) for label in "abcd"]
            side = np.concatenate([rows[:4] for rows in own])  # the first half of eight clips
            population, centre = Centred().fit(X[train], y[train]), X[side].mean(axis=0)
            known = population
            if row["shots"]:
                rows = row["support"]
                known = Centred().fit(X[rows] - centre, y[rows])
            predicted = known.predict(X[row["query"]] - centre)
            right = predicted == y[row["query"]]
            recalls = {label: right[y[row["query"]] == label].mean() for label in row["recall"]}
            assert row["recall"] == pytest.approx(recalls)
            assert row["n_unlabelled"] == 16
        without = score(no_contexts, Centred(), **options | {"unlabelled": False})
        assert set(without.rows["n_unlabelled"]) == {0}
        assert without.summary().rows != result.summary().rows
        for one, other in zip(result.rows, without.rows, strict=True):
            np.testing.assert_array_equal(one["query"], other["query"])

    def test_with_contexts_it_is_what_was_dealt_to_the_support(self, table):
        result = score(table, Centred(), unlabelled=True)
        assert set(result.rows["n_unlabelled"]) == {16}

    @pytest.mark.parametrize("refit", ["support", "pooled"])
    def test_who_cannot_take_them_does_not_get_them(self, table, refit):
        for classifier in (GaussianNB(), make_pipeline(StandardScaler(), GaussianNB())):
            one, other = (
                score(table, classifier, unlabelled=unlabelled, refit=refit)
                for unlabelled in (True, False)
            )
            assert set(one.rows["n_unlabelled"]) == {0}
            assert one.summary().rows == other.summary().rows

    def test_in_a_pipeline(self, table):
        X, groups = table["X"], table["groups"]
        train, test = np.flatnonzero(groups < 4), np.flatnonzero(groups >= 4)
        options = {"cv": [(train, test)], "unlabelled": True}
        piped = score(table, make_pipeline(StandardScaler(), Centred()), **options)
        by_hand = StandardScaler().fit(X[train]).transform(X)
        alone = score(table | {"X": by_hand}, Centred(), **options)
        assert piped.rows["recall"] == alone.rows["recall"]
        assert piped.rows["n_unlabelled"] == alone.rows["n_unlabelled"]

    def test_first_steps_adapt_to_them(self, no_contexts):
        """Each person standardised by their support side, the classifier by none of it."""
        X, y, groups = (no_contexts[name] for name in ("X", "y", "groups"))
        train, test = np.flatnonzero(groups < 4), np.flatnonzero(groups >= 4)
        Z = X.copy()
        for person in range(8):
            own = np.flatnonzero(groups == person)
            side = np.concatenate([own[y[own] == label][:4] for label in "abcd"])
            of = X[own if person < 4 else side]
            Z[own] = (X[own] - of.mean(axis=0)) / of.std(axis=0)
        options = {"cv": [(train, test)]}
        expected = score(no_contexts | {"X": Z}, GaussianNB(), **options)
        with sklearn.config_context(enable_metadata_routing=True):
            scaler = ViewScaler(scope="person").set_fit_request(groups=True)
            pipeline = make_pipeline(scaler.set_transform_request(groups=True), GaussianNB())
            found = score(no_contexts, pipeline, unlabelled=True, **options)
        assert set(found.rows["n_unlabelled"]) == {16}
        assert found.rows["recall"] == expected.rows["recall"]

    def test_shuffled_labels_hand_them_on(self, table):
        result = score(table, ShuffledLabels(Centred(), random_state=0), unlabelled=True)
        assert set(result.rows["n_unlabelled"]) == {16}
        alone = score(table, Centred(), unlabelled=True)
        zero = {"shots": 0}
        assert result.rows.where(**zero)["recall"] == alone.rows.where(**zero)["recall"]
        other = score(table, ShuffledLabels(GaussianNB(), random_state=0), unlabelled=True)
        assert set(other.rows["n_unlabelled"]) == {0}


class TestScoring:
    def test_every_kind(self, table):
        scoring = {
            "by name": "f1_macro",
            "of scikit-learn": "neg_brier_score",
            "made": make_scorer(balanced_accuracy_score, adjusted=True),
            "own": mean_confidence,
        }
        result = score(table, GaussianNB(), scoring=scoring, n_shot=2)
        assert result.metrics == list(scoring)
        for row in result.rows:
            adjusted = (np.mean(list(row["recall"].values())) - 0.25) / 0.75
            assert row["made"] == pytest.approx(adjusted)
            assert 0.25 <= row["own"] <= 1

    def test_without_probabilities(self, table):
        result = score(table, RidgeClassifier(), scoring=["accuracy", "roc_auc_ovr"][:1])
        assert len(result.rows) == 48
        with pytest.raises(ValueError, match="'log_loss' needs probabilities, but the classifier"):
            score(table, RidgeClassifier(), scoring="log_loss")

    @pytest.mark.parametrize(
        ("scoring", "error", "message"),
        [
            ("accuracies", ValueError, "'accuracies' is no metric. Give one of"),
            ([], ValueError, "scoring is empty"),
            (["accuracy", "accuracy"], ValueError, "names a metric twice"),
            (3, TypeError, "expected a name, a callable, a list of names, or a dict"),
            ({"a": 3}, TypeError, "3 is no metric: expected a name or a callable"),
            ({"fold": "accuracy"}, ValueError, "names a metric 'fold', which is a column"),
        ],
    )
    def test_messages(self, table, scoring, error, message):
        with pytest.raises(error, match=message):
            score(table, GaussianNB(), scoring=scoring)


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_shot": ()}, "n_shot is empty"),
            ({"n_shot": (1, 1)}, "n_shot names a number of shots twice"),
            ({"n_shot": -1}, "n_shot: -1 was given"),
            ({"n_draws": 0}, "n_draws=0, but it must be a whole number"),
            ({"refit": "both"}, "refit='both', but it must be 'support' or 'pooled'"),
            ({"support_weight": 0}, "support_weight=0, but it must be a number above 0"),
            ({"groups": None}, "stands for folds of new people, but groups are not given"),
            ({"cv": 20}, "there are 8 people, but 20 folds need 20"),
        ],
    )
    def test_messages(self, table, options, message):
        table = {name: options.get(name, value) for name, value in table.items()}
        options = {name: value for name, value in options.items() if name not in table}
        with pytest.raises(ValueError, match=message):
            score(table, GaussianNB(), **options)

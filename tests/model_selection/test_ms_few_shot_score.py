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

from stf2m_sk import PooledClassifier
from stf2m_sk.model_selection import (
    FewShotProtocol,
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


def score(table, estimator, *, cv=2, scoring="balanced_accuracy", **drawn):
    """By a protocol of two draws, and what is given."""
    drawn = {"shots": (0, 1, 2), "draws": 2, "random_state": 0} | drawn
    protocol = FewShotProtocol(contexts=table["contexts"], **drawn)
    table = {name: table[name] for name in ("X", "y", "groups")}
    return few_shot_score(estimator, **table, protocol=protocol, cv=cv, scoring=scoring)


def scores(result):
    return result.rows[
        ["fold", "person", "draw", "shots", "metric", "label", "value"]
    ].values.tolist()


def folds_of(table, n=2, seed=0):
    return list(
        GroupKFold(n, shuffle=True, random_state=seed).split(table["X"], groups=table["groups"])
    )


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
    def test_rows_keep_sides_apart_and_supports_nested(self, table, episodes_of):
        result = score(table, GaussianNB(), shots=(4, 1, 0, 2))
        groups, contexts, y = table["groups"], table["contexts"], table["y"]
        episodes = episodes_of(result)
        assert len(episodes) == 8 * 2 * 4
        assert result.unit == "people"
        for draw in {(row["person"], row["draw"]) for row in episodes}:
            rows = episodes_of(result, person=draw[0], draw=draw[1])
            assert [row["shots"] for row in rows] == [0, 1, 2, 4]
            for row in rows:
                assert set(groups[np.r_[row["support"], row["query"]]]) == {row["person"]}
                assert not set(contexts[row["support"]]) & set(contexts[row["query"]])
                np.testing.assert_array_equal(row["query"], rows[0]["query"])
                assert len(row["support"]) == 4 * row["shots"]
            for label in "abcd":
                one, two, four = (
                    row["support"][y[row["support"]] == label].tolist() for row in rows[1:]
                )
                assert four[:2] == two
                assert two[:1] == one

    def test_figures_are_those_of_a_loop_by_hand(self, table, episodes_of):
        X, y = table["X"], table["y"]
        folds = folds_of(table, seed=1)
        result = score(table, LogisticRegression(), cv=folds)
        for row in episodes_of(result):
            rows = row["support"] if row["shots"] else folds[row["fold"]][0]
            predicted = LogisticRegression().fit(X[rows], y[rows]).predict(X[row["query"]])
            expected = balanced_accuracy_score(y[row["query"]], predicted)
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_pooled_weighs_the_support(self, table, episodes_of):
        X, y = table["X"], table["y"]
        train = np.flatnonzero(table["groups"] < 4)
        test = np.flatnonzero(table["groups"] >= 4)
        result = score(
            table, PooledClassifier(LogisticRegression(), support_weight=7), cv=[(train, test)]
        )
        for row in episodes_of(result, shots=2):
            pooled = np.r_[train, np.tile(row["support"], 7)]  # seven times is a weight of seven
            model = LogisticRegression(tol=1e-10, max_iter=1000).fit(X[pooled], y[pooled])
            expected = balanced_accuracy_score(y[row["query"]], model.predict(X[row["query"]]))
            assert row["balanced_accuracy"] == pytest.approx(expected, abs=0.07)
        result = score(
            table, PooledClassifier(KNeighborsClassifier(3), support_weight=7), cv=[(train, test)]
        )
        for row in episodes_of(result, shots=2):
            pooled = np.r_[train, np.tile(row["support"], 7)]
            model = KNeighborsClassifier(3).fit(X[pooled], y[pooled])
            expected = balanced_accuracy_score(y[row["query"]], model.predict(X[row["query"]]))
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_seed(self, table):
        one, same, other = (score(table, GaussianNB(), random_state=seed) for seed in (0, 0, 1))
        assert scores(one) == scores(same) != scores(other)

    def test_predictions_with_support_are_among_its_classes(self, table, episodes_of):
        pooled = PooledClassifier(LogisticRegression(), support_weight=0.01)
        result = score(table, pooled, scoring="log_loss", ways=2, queries=1)
        assert {len(row["recall"]) for row in episodes_of(result)} == {2}
        assert {len(row["query"]) for row in episodes_of(result)} == {2}
        means = result.units("log_loss").groupby("shots").mean()["PooledClassifier"]
        assert means[1] < means[0]

    def test_novel_classes_have_no_zero_shots(self, table):
        options = {"cv": NovelClassSplit(2, random_state=0)}
        result = score(table, GaussianNB(), **options)
        assert set(result.rows["shots"]) == {1, 2}
        message = "no episode remains: .* only 0 shots of novel classes were requested"
        with pytest.raises(ValueError, match=message):
            score(table, GaussianNB(), shots=0, **options)

    def test_without_people_the_interval_is_over_classes_or_folds(self, table, episodes_of):
        table = table | {"groups": None}
        result = score(table, GaussianNB(), cv=NovelClassSplit(2, random_state=0))
        assert result.unit == "classes"
        row = result.summary().iloc[0]
        recalls = {label: [] for label in "abcd"}
        for one in episodes_of(result, shots=1):
            for label, value in one["recall"].items():
                recalls[label].append(value)
        means = [np.mean(values) for values in recalls.values()]
        assert (row["mean"], row["n_classes"]) == (pytest.approx(np.mean(means)), 4)
        result = score(table, GaussianNB(), cv=[(np.arange(128), np.arange(128, 256))])
        assert result.unit == "folds"
        assert np.isnan(result.summary()["low"]).all()

    def test_shrink_tells_who_was_skipped(self, table, episodes_of):
        y = np.where(table["groups"] == 3, "a", table["y"])
        result = score(table | {"y": y}, GaussianNB(), on_few="shrink", shots=(1, 20))
        assert result.skipped == [3]
        assert {len(row["support"]) for row in episodes_of(result, shots=20)} == {16}
        with pytest.raises(ValueError, match="too few clips of person"):
            score(table, GaussianNB(), shots=20)


class TestClassifiers:
    def test_each_clip_embedded_once_gives_what_the_loop_gives(self, people, fitted, episodes_of):
        result = few_shot_score(
            FrozenEstimator(fitted),
            people.views,
            people.target,
            groups=people.groups,
            cv=2,
            scoring="log_loss",
            protocol=FewShotProtocol(shots=(0, 1), on_few="shrink", random_state=0),
        )
        for row in episodes_of(result):
            support, query = row["support"], row["query"]
            known = fitted
            if row["shots"]:
                ways = np.unique(people.target[support])
                known = fitted.adapt(people.views[support], people.target[support], classes=ways)
            probabilities = known.predict_proba(people.views[query])
            expected = log_loss(people.target[query], probabilities, labels=known.classes_)
            assert row["log_loss"] == pytest.approx(expected, rel=1e-9)

    def test_the_population_is_trained_with_its_people(self, people, quick, episodes_of):
        (train, test), _ = GroupKFold(2).split(people.target, groups=people.groups)
        result = few_shot_score(
            quick(),
            people.views,
            people.target,
            groups=people.groups,
            cv=[(train, test)],
            scoring="log_loss",
            protocol=FewShotProtocol(shots=0, on_few="shrink", random_state=0),
        )
        fitted = quick().fit(people.views[train], people.target[train], groups=people.groups[train])
        for row in episodes_of(result):
            probabilities = fitted.predict_proba(people.views[row["query"]])
            expected = log_loss(people.target[row["query"]], probabilities, labels=fitted.classes_)
            assert row["log_loss"] == pytest.approx(expected, rel=1e-9)

    def test_in_a_pipeline_too(self, people, fitted):
        protocol = FewShotProtocol(shots=1, on_few="shrink", random_state=0)
        options = {"groups": people.groups, "cv": 2, "protocol": protocol, "scoring": "log_loss"}
        classifier = FrozenEstimator(fitted)
        bare = few_shot_score(classifier, people.views, people.target, **options)
        steps = make_pipeline("passthrough", classifier)
        piped = few_shot_score(steps, people.views, people.target, **options)
        assert scores(bare) == scores(piped)

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
            protocol=FewShotProtocol(shots=1, on_few="shrink"),
            scoring={"largest": mean_confidence},
        )
        assert (result.units("largest") == 1.0).all(axis=None)

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
        assert scores(result) == scores(by_hand)

    def test_first_steps_that_adapt_do(self, table):
        scaler = ViewScaler(scope="person")
        result = score(table, make_pipeline(scaler, GaussianNB()))
        population = make_pipeline(ViewScaler(), GaussianNB())
        assert scores(result) != scores(score(table, population))

    def test_of_a_search_the_best_is_taken(self, table):
        search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=GroupKFold(2))
        assert scores(score(table, search)) == scores(score(table, GaussianNB()))

    def test_what_is_frozen_is_not_fitted_again(self, table, episodes_of):
        frozen = FrozenEstimator(GaussianNB().fit(table["X"], table["y"]))
        result = score(table, frozen)
        for row in episodes_of(result, shots=2):
            predicted = frozen.predict(table["X"][row["query"]])
            expected = balanced_accuracy_score(table["y"][row["query"]], predicted)
            assert row["balanced_accuracy"] == pytest.approx(expected)

    def test_a_frozen_classifier_with_adapt_adapts(self, fitted, people, episodes_of):
        protocol = FewShotProtocol(shots=1, on_few="shrink", random_state=0)
        options = {"groups": people.groups, "cv": 2, "protocol": protocol}
        frozen = FrozenEstimator(fitted)
        result = few_shot_score(frozen, people.views, people.target, **options)
        row = episodes_of(result)[0]
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

    def test_the_whole_support_side_at_every_number_of_shots(self, no_contexts, episodes_of):
        X, y, groups = (no_contexts[name] for name in ("X", "y", "groups"))
        train, test = np.flatnonzero(groups < 4), np.flatnonzero(groups >= 4)
        options = {"cv": [(train, test)], "unlabelled": True, "ways": 3}
        result = score(no_contexts, Centred(), **options)
        for row in episodes_of(result):
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
        assert scores(without) != scores(result)
        for one, other in zip(episodes_of(result), episodes_of(without), strict=True):
            np.testing.assert_array_equal(one["query"], other["query"])

    def test_with_contexts_it_is_what_was_dealt_to_the_support(self, table):
        result = score(table, Centred(), unlabelled=True)
        assert set(result.rows["n_unlabelled"]) == {16}

    @pytest.mark.parametrize("classifier", [GaussianNB(), PooledClassifier(GaussianNB())])
    def test_who_cannot_take_them_does_not_get_them(self, table, classifier):
        for estimator in (classifier, make_pipeline(StandardScaler(), classifier)):
            one, other = (score(table, estimator, unlabelled=given) for given in (True, False))
            assert set(one.rows["n_unlabelled"]) == {0}
            assert scores(one) == scores(other)

    def test_in_a_pipeline(self, table):
        X, groups = table["X"], table["groups"]
        train, test = np.flatnonzero(groups < 4), np.flatnonzero(groups >= 4)
        options = {"cv": [(train, test)], "unlabelled": True}
        piped = score(table, make_pipeline(StandardScaler(), Centred()), **options)
        by_hand = StandardScaler().fit(X[train]).transform(X)
        alone = score(table | {"X": by_hand}, Centred(), **options)
        assert scores(piped) == scores(alone)
        assert set(piped.rows["n_unlabelled"]) == set(alone.rows["n_unlabelled"]) == {16}

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
        assert scores(found) == scores(expected)

    def test_shuffled_labels_hand_them_on(self, table, episodes_of):
        result = score(table, ShuffledLabels(Centred(), random_state=0), unlabelled=True)
        assert set(result.rows["n_unlabelled"]) == {16}
        alone = score(table, Centred(), unlabelled=True)
        recalls = [[row["recall"] for row in episodes_of(one, shots=0)] for one in (result, alone)]
        assert recalls[0] == recalls[1]
        other = score(table, ShuffledLabels(GaussianNB(), random_state=0), unlabelled=True)
        assert set(other.rows["n_unlabelled"]) == {0}


class TestScoring:
    def test_every_kind(self, table, episodes_of):
        scoring = {
            "by name": "f1_macro",
            "of scikit-learn": "neg_brier_score",
            "made": make_scorer(balanced_accuracy_score, adjusted=True),
            "own": mean_confidence,
        }
        result = score(table, GaussianNB(), scoring=scoring, shots=2)
        assert result.metrics == list(scoring)
        for row in episodes_of(result):
            adjusted = (np.mean(list(row["recall"].values())) - 0.25) / 0.75
            assert row["made"] == pytest.approx(adjusted)
            assert 0.25 <= row["own"] <= 1

    def test_without_probabilities(self, table, episodes_of):
        result = score(table, RidgeClassifier(), scoring=["accuracy", "roc_auc_ovr"][:1])
        assert len(episodes_of(result)) == 48
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
            ({"recall": "accuracy"}, ValueError, "'recall' is the name of the rows of single"),
        ],
    )
    def test_messages(self, table, scoring, error, message):
        with pytest.raises(error, match=message):
            score(table, GaussianNB(), scoring=scoring)


class TestArguments:
    def test_folds_of_people_need_people(self, table):
        message = "stands for folds of new people, but groups are not given"
        with pytest.raises(ValueError, match=message):
            score(table | {"groups": None}, GaussianNB())
        with pytest.raises(
            ValueError, match="there are 8 people, but 20 folds of new people need 20"
        ):
            score(table, GaussianNB(), cv=20)

    def test_names_are_for_several_classifiers(self, table):
        with pytest.raises(ValueError, match="unlabelled names classifiers"):
            score(table, GaussianNB(), unlabelled=("ours",))

"""The few-shot scorer inside scikit-learn's own tools."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    cross_validate,
    learning_curve,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from stf2m_sk.model_selection import FewShotProtocol, few_shot_score, make_few_shot_scorer


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def table():
    """Six people, three classes, eight clips each in two contexts."""
    generator = np.random.default_rng(0)
    y = np.tile(np.repeat(list("abc"), 8), 6)
    groups = np.repeat(np.arange(6), 24)
    X = generator.normal(size=(144, 3)) + generator.normal(size=(6, 3))[groups]
    X[:, 0] += np.searchsorted(list("abc"), y)
    return {"X": X, "y": y, "groups": groups, "contexts": np.tile(np.arange(8) % 2, 18)}


FOLDS = GroupKFold(3)


def scorer_of(shots, scoring="balanced_accuracy", **drawn):
    return make_few_shot_scorer(FewShotProtocol(shots=shots, **drawn), scoring)


class TestScore:
    def test_is_the_mean_over_people(self, table):
        X, y, groups, contexts = table.values()
        train, test = next(FOLDS.split(X, y, groups))
        fitted = GaussianNB().fit(X[train], y[train])
        scorer = scorer_of(2, draws=3, random_state=0)
        result = few_shot_score(
            GaussianNB(),
            X,
            y,
            groups=groups,
            cv=[(train, test)],
            protocol=FewShotProtocol(shots=0, contexts=contexts),
        )
        zero = scorer_of(0, draws=4, random_state=0)
        found = zero(fitted, X[test], y[test], groups[test], contexts[test])
        assert found == pytest.approx(result.summary()["mean"][0], abs=0.1)
        means = [
            scorer(fitted, X[rows], y[rows], groups[rows], contexts[rows])
            for rows in (test[groups[test] == person] for person in np.unique(groups[test]))
        ]
        both = scorer(fitted, X[test], y[test], groups[test], contexts[test])
        assert both == pytest.approx(np.mean(means), abs=0.2)

    def test_one_person_is_a_loop_by_hand(self, table):
        X, y = table["X"][:24], table["y"][:24]
        scorer = scorer_of(2, draws=3, random_state=5)
        result = few_shot_score(
            GaussianNB(),
            table["X"],
            table["y"],
            cv=[(np.arange(24, 144), np.arange(24))],
            protocol=FewShotProtocol(shots=2, draws=3, random_state=5),
        )
        rows = result.rows[result.rows["metric"] == "balanced_accuracy"]
        expected = [
            balanced_accuracy_score(
                y[one.query], GaussianNB().fit(X[one.support], y[one.support]).predict(X[one.query])
            )
            for one in rows.itertuples()
        ]
        found = scorer(GaussianNB().fit(table["X"][24:], table["y"][24:]), X, y)
        assert 0 < found <= 1
        assert rows["value"].tolist() == pytest.approx(expected)

    def test_adapts_and_leaves_the_classifier_alone(self, fitted, people, state_of):
        before = state_of(fitted)
        scorer = scorer_of(1, on_few="shrink", random_state=0)
        value = scorer(fitted, people.views, people.target, people.groups)
        assert 0 <= value <= 1
        assert state_of(fitted) == before

    def test_unlabelled_clips_are_the_support_side(self, fitted, people):
        own = people.new_views, people.new_target
        scorer = scorer_of(0, draws=1, gap=0, unlabelled=True, random_state=0)
        sides = [np.flatnonzero(own[1] == label) for label in np.unique(own[1])]
        half = np.concatenate([rows[: len(rows) // 2] for rows in sides])
        rest = np.concatenate([rows[len(rows) // 2 :] for rows in sides])
        person = fitted.adapt(unlabelled=own[0][half])
        expected = balanced_accuracy_score(own[1][rest], person.predict(own[0][rest]))
        assert scorer(fitted, *own) == pytest.approx(expected)
        pipeline = Pipeline([("same", "passthrough"), ("clf", fitted)])
        assert scorer(pipeline, *own) == pytest.approx(expected)

    def test_less_is_better_is_negated(self, table):
        X, y, groups, contexts = table.values()
        fitted = GaussianNB().fit(X, y)
        scorer = scorer_of(0, scoring="log_loss", random_state=0)
        assert scorer(fitted, X, y, groups, contexts) < 0

    def test_same_episodes_at_every_call(self, table):
        X, y, groups, contexts = table.values()
        fitted = GaussianNB().fit(X, y)
        for random_state in (None, np.random.RandomState(0), 3):
            scorer = scorer_of(1, draws=1, random_state=random_state)
            copies = scorer, pickle.loads(pickle.dumps(scorer)), clone(scorer)
            assert len({one(fitted, X, y, groups, contexts) for one in copies}) == 1


class TestInScikitLearn:
    def test_people_and_contexts_reach_the_scorer(self, table, routing):
        X, y, groups, contexts = table.values()
        scorer = scorer_of(2, random_state=0)
        scores = cross_validate(
            LogisticRegression(),
            X,
            y,
            cv=FOLDS,
            scoring=scorer,
            params={"groups": groups, "contexts": contexts},
        )["test_score"]
        for found, (train, test) in zip(scores, FOLDS.split(X, y, groups), strict=True):
            fitted = LogisticRegression().fit(X[train], y[train])
            assert found == scorer(fitted, X[test], y[test], groups[test], contexts[test])
            assert found != scorer(fitted, X[test], y[test])

    def test_what_is_not_requested_is_not_handed_over(self, table, routing):
        X, y, groups, _ = table.values()
        scorer = scorer_of(2, random_state=0).set_score_request(groups=False)
        scores = cross_validate(
            LogisticRegression(), X, y, cv=FOLDS, scoring=scorer, params={"groups": groups}
        )["test_score"]
        train, test = next(FOLDS.split(X, y, groups))
        assert scores[0] == scorer(LogisticRegression().fit(X[train], y[train]), X[test], y[test])

    def test_other_tools(self, table, routing):
        X, y, groups, contexts = table.values()
        scorer = scorer_of(1, draws=1, random_state=0)
        steps = [("scale", StandardScaler()), ("clf", LogisticRegression())]
        search = RandomizedSearchCV(
            Pipeline(steps),
            {"clf__C": [0.1, 1.0]},
            n_iter=1,
            cv=FOLDS,
            scoring=scorer,
            random_state=0,
        ).fit(X, y, groups=groups, contexts=contexts)
        assert 0 < search.best_score_ <= 1
        assert 0 < search.score(X, y, groups=groups, contexts=contexts) <= 1
        curve = learning_curve(
            GaussianNB(),
            X,
            y,
            cv=FOLDS,
            scoring=scorer,
            train_sizes=[0.5, 1.0],
            params={"groups": groups, "contexts": contexts},
        )
        assert np.isfinite(curve[2]).all()
        both = {"one": scorer, "two": scorer_of(2, random_state=0)}
        found = cross_validate(
            GaussianNB(),
            X,
            y,
            cv=FOLDS,
            scoring=both,
            params={"groups": groups, "contexts": contexts},
        )
        assert {"test_one", "test_two"} <= set(found)

    def test_without_routing_the_test_clips_are_one_persons(self, table):
        X, y, groups, _ = table.values()
        scorer = scorer_of(2, random_state=0)
        search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=FOLDS, scoring=scorer)
        search.fit(X, y, groups=groups)
        train, test = next(FOLDS.split(X, y, groups))
        expected = scorer(GaussianNB().fit(X[train], y[train]), X[test], y[test])
        assert search.cv_results_["split0_test_score"][0] == expected


@pytest.mark.parametrize(
    ("drawn", "scoring", "message"),
    [
        ({"shots": (1, 2)}, "accuracy", r"shots=\(1, 2\), but a scorer takes one number of shots"),
        ({"shots": 1}, ["accuracy", "f1_macro"], "but a scorer takes one metric"),
        ({"shots": 1, "contexts": [1, 2]}, "accuracy", "but a scorer sees those of a fold"),
    ],
)
def test_messages(drawn, scoring, message):
    with pytest.raises(ValueError, match=message):
        make_few_shot_scorer(FewShotProtocol(**drawn), scoring)


def test_nobody_has_two_classes():
    scorer = scorer_of(1, on_few="shrink")
    fitted = GaussianNB().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="no episode can be drawn from the test clips"):
        scorer(fitted, np.zeros((3, 1)), [0, 1, 1])

"""scikit-learn's tools on a real recording, in every form of X that they take.

Everything that a tool says is compared with the same thing done by hand on Views.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    LeaveOneGroupOut,
    ParameterSampler,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier

from stf2m_sk import PersonalisedClassifier, Views
from stf2m_sk.datasets import load_stress
from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.preprocessing import ViewScaler

FOLDS = StratifiedKFold(2)
WEIGHTS = [0.1, 1.0, 10.0]
EVERYWHERE = ["Views", "flat array", "3-D array"]
TABLES = ["Views", "flat array"]
POPULATION, NEW = ["S01", "S02", "S03", "S05"], ["S04", "S06", "S07"]


def stress():
    """Four clips of each of three states, of seven people of the bundled recording."""
    data = load_stress()
    states = ["emotional_stress", "physical_stress", "relax"]
    rows = []
    for person in POPULATION + NEW:
        for state in states:
            clips = np.flatnonzero((data.groups == person) & (data.target == state))
            rows.extend(clips[:: len(clips) // 4][:4])
    target, groups = data.target[rows], data.groups[rows]
    views = data.views.select("acc", "hr").astype(np.float64)[rows]
    return views, np.searchsorted(states, target), groups, np.isin(groups, NEW)


def stacked(views):
    """All channels in one array; modalities that are shorter end in NaN."""
    longest = max(views[name].shape[2] for name in views.names)
    ends = [((0, 0), (0, 0), (0, longest - views[name].shape[2])) for name in views.names]
    return np.concatenate(
        [
            np.pad(views[name], end, constant_values=np.nan)
            for name, end in zip(views.names, ends, strict=True)
        ],
        axis=1,
    )


class Recording:
    """Clips of three new people, and a few-shot model that starts from a population."""

    def __init__(self, quick, views, y, groups, new):
        settings = {"schema": views.schema, "n_kernels": 20}
        self.population = quick(**settings).fit(views[~new], y[~new], groups=groups[~new])
        self.untrained = quick(**settings)
        self.model = PersonalisedClassifier(self.population)
        self.views, self.y, self.groups = views[new], y[new], groups[new]
        self.folds = list(FOLDS.split(self.y, self.y))
        self.forms = {
            "Views": self.views,
            "flat array": self.views.to_flat(),
            "3-D array": stacked(self.views),
        }

    def fit(self, rows=slice(None), y=None, **parameters):
        """The model fitted on some clips, by hand and on Views."""
        y = self.y if y is None else y
        return clone(self.model).set_params(**parameters).fit(self.views[rows], y[rows])

    def scores(self, y=None, n_train=None, **parameters):
        """Accuracy in each fold, by hand."""
        y = self.y if y is None else y
        return [
            self.fit(train[:n_train], y, **parameters).score(self.views[test], y[test])
            for train, test in self.folds
        ]

    def out_of_fold(self, method, y=None, **parameters):
        """What the model of the other fold says of every clip, by hand."""
        answers = [
            getattr(self.fit(train, y, **parameters), method)(self.views[test])
            for train, test in self.folds
        ]
        order = np.argsort(np.concatenate([test for _, test in self.folds]))
        return np.concatenate(answers)[order]


@pytest.fixture(scope="module")
def data(quick):
    return Recording(quick, *stress())


def same(found, expected):
    # 3-D arrays carry the trailing NaN of shorter modalities, which may change the last bits.
    assert_allclose(found, expected, rtol=0, atol=1e-9)


class TestTheModelItself:
    def test_is_better_than_chance_and_forms_agree(self, data):
        assert np.mean(data.scores()) > 0.5  # 1 / 3 is chance
        expected = data.fit().predict_proba(data.views)
        for X in data.forms.values():
            same(clone(data.model).fit(X, data.y).predict_proba(X), expected)


@pytest.mark.parametrize("form", EVERYWHERE)
class TestCrossValidation:
    def test_cross_val_score(self, data, form):
        scores = cross_val_score(data.model, data.forms[form], data.y, cv=FOLDS)
        same(scores, data.scores())

    def test_cross_val_predict(self, data, form):
        X = data.forms[form]
        for method in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
            found = cross_val_predict(data.model, X, data.y, cv=FOLDS, method=method)
            same(found, data.out_of_fold(method))

    def test_cross_validate_returns_the_estimators(self, data, form):
        X = data.forms[form]
        result = cross_validate(data.model, X, data.y, cv=FOLDS, return_estimator=True)
        assert len(result["estimator"]) == len(data.folds)
        for estimator, (train, _) in zip(result["estimator"], data.folds, strict=True):
            assert estimator.estimator is data.population
            same(estimator.predict_proba(X), data.fit(train).predict_proba(data.views))

    def test_people_stay_on_one_side(self, data, form):
        X, y, groups = data.forms[form], data.y, data.groups
        for splitter, n_folds in ((StratifiedGroupKFold(2), 2), (LeaveOneGroupOut(), 3)):
            scores = cross_val_score(data.model, X, y, groups=groups, cv=splitter)
            folds = list(splitter.split(data.views, y, groups))
            assert not any(set(groups[train]) & set(groups[test]) for train, test in folds)
            expected = [data.fit(a).score(data.views[b], y[b]) for a, b in folds]
            assert len(scores) == n_folds
            same(scores, expected)

    def test_learning_curve(self, data, form):
        sizes, train, test = learning_curve(
            data.model, data.forms[form], data.y, cv=FOLDS, train_sizes=[9, 15]
        )
        assert sizes.tolist() == [9, 15]
        same(test, [data.scores(n_train=9), data.scores(n_train=15)])
        for (rows, _), score in zip(data.folds, train[1], strict=True):
            rows = rows[:15]
            same(score, data.fit(rows).score(data.views[rows], data.y[rows]))

    def test_validation_curve(self, data, form):
        _, test = validation_curve(
            data.model,
            data.forms[form],
            data.y,
            param_name="support_weight",
            param_range=WEIGHTS,
            cv=FOLDS,
        )
        same(test, [data.scores(support_weight=weight) for weight in WEIGHTS])

    def test_permutation_test_score(self, data, form):
        score, permuted, p_value = permutation_test_score(
            data.model, data.forms[form], data.y, cv=FOLDS, n_permutations=3, random_state=0
        )
        same(score, np.mean(data.scores()))
        generator = np.random.RandomState(0)
        orders = [generator.permutation(len(data.y)) for _ in range(3)]
        # The folds are those of the permuted labels.
        for found, order in zip(permuted, orders, strict=True):
            y = data.y[order]
            by_hand = [
                data.fit(train, y).score(data.views[test], y[test])
                for train, test in FOLDS.split(y, y)
            ]
            same(found, np.mean(by_hand))
        same(p_value, (np.sum(permuted >= score) + 1) / 4)


@pytest.mark.parametrize("form", EVERYWHERE)
class TestSearch:
    def found(self, data, search, candidates):
        """Scores by candidate, and the refitted model, are those found by hand."""
        by_hand = [np.mean(data.scores(support_weight=weight)) for weight in candidates]
        same(search.cv_results_["mean_test_score"], by_hand)
        best = search.best_params_["support_weight"]
        assert by_hand[candidates.index(best)] == max(by_hand)
        return data.fit(support_weight=best).predict_proba(data.views)

    def test_grid_search(self, data, form):
        X = data.forms[form]
        search = GridSearchCV(data.model, {"support_weight": WEIGHTS}, cv=FOLDS).fit(X, data.y)
        same(search.predict_proba(X), self.found(data, search, WEIGHTS))

    def test_randomized_search(self, data, form):
        X, settings = data.forms[form], {"support_weight": np.geomspace(0.1, 10, 7)}
        search = RandomizedSearchCV(data.model, settings, n_iter=3, cv=FOLDS, random_state=2)
        drawn = [p["support_weight"] for p in ParameterSampler(settings, 3, random_state=2)]
        same(search.fit(X, data.y).predict_proba(X), self.found(data, search, drawn))

    def test_halving_grid_search(self, data, form):
        X = data.forms[form]
        search = HalvingGridSearchCV(
            data.model,
            {"support_weight": [0.1, 1.0, 3.0, 10.0]},
            factor=2,
            min_resources=12,
            cv=FOLDS,
            random_state=0,
        )
        search.fit(X, data.y)
        assert search.n_candidates_ == [4, 2]
        assert search.n_resources_ == [12, 24]
        scores = search.cv_results_["mean_test_score"].reshape(-1)
        assert np.isfinite(scores).all()
        assert np.mean(scores[search.cv_results_["iter"] == 1]) > 0.4
        same(search.predict_proba(X), data.fit(**search.best_params_).predict_proba(data.views))


@pytest.mark.parametrize("form", EVERYWHERE)
class TestCalibrationAndThresholds:
    def test_calibrated(self, data, form):
        X, y = data.forms[form], data.y
        found = CalibratedClassifierCV(data.model, cv=FOLDS).fit(X, y).predict_proba(X)
        by_hand = []
        for train, test in data.folds:
            frozen = CalibratedClassifierCV(FrozenEstimator(data.fit(train)))
            by_hand.append(frozen.fit(data.views[test], y[test]).predict_proba(data.views))
        same(found, np.mean(by_hand, axis=0))

    def test_fixed_threshold(self, data, form):
        X, y = data.forms[form], (data.y == 1).astype(int)
        decision = data.fit(y=y).decision_function(data.views)
        threshold = np.sort(decision)[-3:-1].mean()  # two clips are above it
        fixed = FixedThresholdClassifier(
            data.model, threshold=threshold, response_method="decision_function"
        )
        assert_array_equal(fixed.fit(X, y).predict(X), (decision >= threshold).astype(int))
        assert (fixed.predict(X) != data.fit(y=y).predict(data.views)).any()

    def test_tuned_threshold(self, data, form):
        X, y = data.forms[form], (data.y == 1).astype(int)
        train, test = data.folds[0]
        tuned = TunedThresholdClassifierCV(
            data.model, cv=[(train, test)], thresholds=200, response_method="predict_proba"
        ).fit(X, y)
        probability = data.fit(train, y).predict_proba(data.views[test])[:, 1]
        thresholds = np.linspace(probability.min(), probability.max(), 200)
        scores = [balanced_accuracy_score(y[test], probability >= t) for t in thresholds]
        assert tuned.best_score_ == pytest.approx(max(scores))
        same(tuned.best_threshold_, thresholds[np.argmax(scores)])
        probability = data.fit(y=y).predict_proba(data.views)[:, 1]
        assert_array_equal(tuned.predict(X), (probability >= tuned.best_threshold_).astype(int))


@pytest.mark.parametrize("form", EVERYWHERE)
class TestEnsembles:
    def members(self, data):
        return [(f"weight{w}", clone(data.model).set_params(support_weight=w)) for w in (0.1, 10)]

    def test_voting(self, data, form):
        X = data.forms[form]
        vote = VotingClassifier(self.members(data), voting="soft", weights=[1, 3]).fit(X, data.y)
        parts = [data.fit(support_weight=w).predict_proba(data.views) for w in (0.1, 10)]
        same(vote.predict_proba(X), (parts[0] + 3 * parts[1]) / 4)

    def test_stacking(self, data, form):
        X = data.forms[form]
        stack = StackingClassifier(self.members(data), LogisticRegression(), cv=FOLDS)
        stack.fit(X, data.y)
        columns = [data.out_of_fold("predict_proba", support_weight=w) for w in (0.1, 10)]
        final = LogisticRegression().fit(np.hstack(columns), data.y)
        columns = [data.fit(support_weight=w).predict_proba(data.views) for w in (0.1, 10)]
        assert_allclose(
            stack.predict_proba(X), final.predict_proba(np.hstack(columns)), rtol=0, atol=1e-5
        )

    def test_one_vs_rest(self, data, form):
        X = data.forms[form]
        found = OneVsRestClassifier(data.model).fit(X, data.y).predict_proba(X)
        by_hand = [
            data.fit(y=(data.y == label).astype(int)).predict_proba(data.views)[:, 1]
            for label in range(3)
        ]
        same(found, np.transpose(by_hand) / np.sum(by_hand, axis=0)[:, None])

    def test_frozen(self, data, form):
        X, frozen = data.forms[form], FrozenEstimator(data.population)
        found = cross_val_predict(frozen, X, data.y, cv=FOLDS, method="predict_proba")
        same(found, data.population.predict_proba(data.views))


@pytest.mark.parametrize("form", TABLES)
class TestToolsThatWantATable:
    """They make Views the flat form, which the schema reads again."""

    def test_one_vs_one(self, data, form):
        found = OneVsOneClassifier(data.model).fit(data.forms[form], data.y)
        votes, margins = np.zeros((2, len(data.y), 3))
        for a, b in ((0, 1), (0, 2), (1, 2)):
            rows = np.flatnonzero(np.isin(data.y, [a, b]))
            pair = data.fit(rows, (data.y == b).astype(int))
            margin = pair.decision_function(data.views)
            won = pair.predict(data.views)
            votes[:, b] += won
            votes[:, a] += 1 - won
            margins[:, b] += margin
            margins[:, a] -= margin
        expected = votes + margins / (3 * (np.abs(margins) + 1))
        same(found.decision_function(data.forms[form]), expected)

    def test_bagging_of_clips(self, data, form):
        X = data.forms[form]
        bag = BaggingClassifier(data.model, n_estimators=3, random_state=0).fit(X, data.y)
        parts = [data.fit(rows).predict_proba(data.views) for rows in bag.estimators_samples_]
        same(bag.predict_proba(X), np.mean(parts, axis=0))

    def test_self_training(self, data, form):
        X, known = data.forms[form], np.arange(len(data.y)) % 3 == 0
        partial = np.where(known, data.y, -1)
        probability = data.fit(known).predict_proba(data.views)
        largest = probability.max(axis=1)
        threshold = np.sort(largest[~known])[-5:-3].mean()  # four clips are above it
        sure = ~known & (largest > threshold)
        tool = SelfTrainingClassifier(data.model, threshold=threshold, max_iter=1)
        tool.fit(X, partial)
        partial[sure] = probability[sure].argmax(axis=1)
        assert_array_equal(tool.transduction_, partial)
        expected = data.fit(known | sure, partial).predict_proba(data.views)
        same(tool.predict_proba(X), expected)

    def test_union_of_features(self, data, form):
        union = FeatureUnion(
            [
                ("embedding", SpatioTemporalEncoder(FrozenEstimator(data.population))),
                ("mean", FunctionTransformer(lambda X: np.asarray(X).mean(axis=1)[:, None])),
            ]
        )
        X = data.forms[form]
        found = make_pipeline(union, LogisticRegression(max_iter=1000)).fit(X, data.y)
        embedded = SpatioTemporalEncoder(FrozenEstimator(data.population))
        columns = np.column_stack(
            [
                embedded.fit_transform(data.views, data.y),
                data.views.to_flat().mean(axis=1),
            ]
        )
        same(found[0].transform(X), columns)
        assert found.score(X, data.y) > 0.8


class TestToolsThatTakeColumns:
    def test_column_transformer_of_modalities(self, data):
        X, (first, second) = data.forms["flat array"], data.views.schema
        columns = ColumnTransformer(
            [
                ("first", ViewScaler(schema={first.name: first_of(data)}), slice(first.n_flat)),
                ("second", "passthrough", slice(first.n_flat, None)),
            ]
        )
        model = make_pipeline(columns, data.untrained).fit(X, data.y)
        scaled = ViewScaler().fit_transform(data.views.select(first.name)).to_dict()
        views = Views(
            {**scaled, second.name: data.views[second.name]},
            rates={m.name: m.rate for m in (first, second)},
        )
        by_hand = clone(data.untrained).fit(views, data.y)
        same(model.predict_proba(X), by_hand.predict_proba(views))

    def test_permutation_importance(self, data, quick):
        name = data.views.names[0]
        few = data.views[name][:, :, ::40]  # so that there are few columns
        schema = {name: {"n_channels": few.shape[1], "n_timesteps": few.shape[2]}}
        X = few.reshape(len(few), -1).copy()
        X[:, 1] = X[0, 1]
        model = quick(schema=schema, n_kernels=40).fit(X, data.y)
        found = permutation_importance(
            model, X, data.y, scoring="neg_log_loss", n_repeats=2, random_state=0
        )
        assert found.importances.shape == (X.shape[1], 2)
        assert_array_equal(found.importances[1], 0)  # a constant column
        others = np.delete(found.importances, 1, axis=0)
        assert (others != 0).all()


def first_of(data):
    """The first modality's entry of the schema as a dict."""
    return data.views.schema.to_dict()[data.views.names[0]]

"""Pipelines of this package's steps, alone and in cross-validation with people routed."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from stf2m_sk.datasets import load_stress
from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.fuzzy import FuzzyRuleTransformer
from stf2m_sk.pipelines import adapt_pipeline
from stf2m_sk.preprocessing import ViewScaler

PEOPLE_OUT = GroupKFold(2)


def stress():
    """Six clips of each of two states, of four people of the bundled recording; no names."""
    data = load_stress()
    rows = []
    for person in ("S01", "S02", "S03", "S05"):
        for state in ("physical_stress", "relax"):
            clips = np.flatnonzero((data.groups == person) & (data.target == state))
            rows.extend(clips[:: len(clips) // 6][:6])
    views = data.views.select("acc", "hr").astype(np.float64)[rows]
    return Bunch(views=views, y=data.target[rows], groups=data.groups[rows])


@pytest.fixture(scope="module")
def data():
    """Two halves of people: each is new to what was fitted on the other."""
    data = stress()
    data.new = np.isin(data.groups, np.unique(data.groups)[-2:])
    data.folds = list(PEOPLE_OUT.split(data.y, data.y, data.groups))
    return data


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def settings(**parameters):
    return {"n_kernels": 40} | parameters


class TestWithoutGroups:
    def test_scaler_and_classifier(self, data, quick):
        model = make_pipeline(ViewScaler(), quick(**settings()))
        new = data.new
        model.fit(data.views[~new], data.y[~new])
        assert model.score(data.views[new], data.y[new]) > 0.7  # people who are new to it
        scaler = ViewScaler().fit(data.views[~new])
        by_hand = quick(**settings()).fit(scaler.transform(data.views[~new]), data.y[~new])
        assert_array_equal(
            model.predict_proba(data.views[new]),
            by_hand.predict_proba(scaler.transform(data.views[new])),
        )

    @pytest.mark.filterwarnings("ignore:fuzzy c-means")
    def test_scaler_encoder_rules_and_a_linear_model(self, data, quick):
        new = data.new
        model = make_pipeline(
            ViewScaler(),
            SpatioTemporalEncoder(quick(**settings())),
            FuzzyRuleTransformer(n_rules=2, initialisation="k-means", random_state=0),
            LogisticRegression(max_iter=1000),
        )
        model.fit(data.views[~new], data.y[~new])
        assert model.score(data.views[new], data.y[new]) > 0.7
        X = data.views
        for step in model[:-1]:
            X = step.transform(X)
        assert_array_equal(model.predict_proba(data.views), model[-1].predict_proba(X))
        again = clone(model).fit(data.views[~new], data.y[~new])
        assert_array_equal(again.predict_proba(data.views), model.predict_proba(data.views))

    def test_scaler_encoder_rules_and_a_linear_model_with_defaults(self, data, quick):
        model = make_pipeline(
            ViewScaler(),
            SpatioTemporalEncoder(quick(n_kernels=40)),
            FuzzyRuleTransformer(),
            LogisticRegression(),
        )
        proba = model.fit(data.views, data.y).predict_proba(data.views)
        assert np.isfinite(proba).all()
        assert_allclose(proba.sum(axis=1), 1)
        assert model.score(data.views, data.y) > 0.7


def routed(quick, scope, **parameters):
    """Scaler and classifier, both with the person of each clip."""
    scaler = ViewScaler(scope=scope).set_fit_request(groups=True)
    return Pipeline(
        [
            ("scale", scaler.set_transform_request(groups=True)),
            ("classify", quick(**settings(**parameters)).set_fit_request(groups=True)),
        ]
    )


def by_hand(data, quick, train, scope, **parameters):
    """The same, step by step, and what it answers to all clips."""
    views, y, groups = data.views[train], data.y[train], data.groups[train]
    scaler = ViewScaler(scope=scope)
    classifier = quick(**settings(**parameters))
    classifier.fit(scaler.fit_transform(views, groups=groups), y, groups=groups)
    return classifier.predict_proba(scaler.transform(data.views))


@pytest.mark.usefixtures("routing")
class TestGroupsByMetadataRouting:
    @pytest.mark.parametrize("scope", ["population", "person"])
    def test_through_pipeline_and_cross_validate(self, data, quick, scope):
        result = cross_validate(
            routed(quick, scope),
            data.views,
            data.y,
            cv=PEOPLE_OUT,
            params={"groups": data.groups},
            scoring="accuracy",  # the default scorer would hand groups on to transform
            return_estimator=True,
            error_score="raise",
        )
        labels = np.unique(data.y)
        for i, (train, test) in enumerate(data.folds):
            assert not set(data.groups[train]) & set(data.groups[test])
            pipeline = result["estimator"][i]
            expected = by_hand(data, quick, train, scope)
            assert_array_equal(pipeline.predict_proba(data.views), expected)
            right = labels[expected[test].argmax(axis=1)] == data.y[test]
            assert result["test_score"][i] == pytest.approx(right.mean())
            if scope == "person":
                assert pipeline[0].people_.tolist() == sorted(set(data.groups[train]))

    def test_scope_matters(self, data, quick):
        train = data.folds[0][0]
        person, population = (by_hand(data, quick, train, s) for s in ("person", "population"))
        assert (person != population).any()

    def test_through_grid_search(self, data, quick):
        grid = {"scale__scope": ["population", "person"], "classify__n_kernels": [2, 3]}
        search = GridSearchCV(
            routed(quick, "population"),
            grid,
            cv=PEOPLE_OUT,
            scoring="accuracy",
            error_score="raise",
        )
        search.fit(data.views, data.y, groups=data.groups)
        scores = []
        for setting in search.cv_results_["params"]:
            n_kernels, scope = setting["classify__n_kernels"], setting["scale__scope"]
            folds = []
            for train, test in data.folds:
                answer = by_hand(data, quick, train, scope, n_kernels=n_kernels)[test]
                folds.append(np.mean(np.unique(data.y)[answer.argmax(axis=1)] == data.y[test]))
            scores.append(np.mean(folds))
        assert len(scores) == 4
        assert_allclose(search.cv_results_["mean_test_score"], scores, rtol=0, atol=1e-12)
        best = search.best_params_
        everyone = np.arange(len(data.y))
        expected = by_hand(
            data,
            quick,
            everyone,
            best["scale__scope"],
            n_kernels=best["classify__n_kernels"],
        )
        assert_array_equal(search.predict_proba(data.views), expected)

    def test_to_an_encoder(self, data, quick):
        encoder = SpatioTemporalEncoder(quick(**settings()).set_fit_request(groups=True))
        model = make_pipeline(encoder.set_fit_request(groups=True), LogisticRegression())
        model.fit(data.views, data.y, groups=data.groups)
        own = quick(**settings()).fit(data.views, data.y, groups=data.groups)
        expected = SpatioTemporalEncoder(FrozenEstimator(own)).fit_transform(data.views, data.y)
        assert_array_equal(model[0].transform(data.views), expected)


class TestFewShot:
    def test_a_routed_pipeline_adapts_to_a_person(self, data, quick, routing):
        new = data.new
        model = routed(quick, "person")
        model.fit(data.views[~new], data.y[~new], groups=data.groups[~new])
        one = data.groups == data.groups[new][0]
        views, y = data.views[one], data.y[one]
        person = adapt_pipeline(model, views[::2], y[::2])
        scaler = model["scale"].adapt(views[::2])
        classifier = model["classify"].adapt(scaler.transform(views[::2]), y[::2])
        assert_array_equal(
            person.predict_proba(views), classifier.predict_proba(scaler.transform(views))
        )
        assert person.score(views[1::2], y[1::2]) > 0.6


class TestExample:
    def test_grid_search_on_a_few_people(self, capsys):
        path = Path(__file__).parents[1] / "examples" / "grid_search.py"
        example = runpy.run_path(str(path))
        assert np.prod([len(values) for values in example["GRID"].values()]) == 8
        search = example["search_settings"](
            n_people=3,
            n_jobs=1,
            grid={"viewscaler__scope": ["population", "person"]},
            n_kernels=20,
            n_patterns=8,
        )
        assert search.best_score_ > 0.3  # chance is 1 / 4; two people are few to learn from
        assert search.best_estimator_[0].scope == search.best_params_["viewscaler__scope"]
        example["report"](search)
        head, first, second, *_ = capsys.readouterr().out.splitlines()
        assert head.split()[:3] == ["scope", "mean", "folds;"]
        assert first.split()[0] == search.best_params_["viewscaler__scope"]
        means = [float(line.split()[1].rstrip("%")) for line in (first, second)]
        expected = sorted(search.cv_results_["mean_test_score"], reverse=True)
        assert means == pytest.approx([100 * mean for mean in expected], abs=0.06)
        assert len(second.split()) == 2 + 3 + 3
        assert first.endswith("+0.0% +0.0% +0.0%")

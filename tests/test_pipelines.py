"""Personalising fitted pipelines."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline

from stf2m_sk.pipelines import adapt_pipeline, partial_fit_pipeline
from stf2m_sk.preprocessing import ViewScaler, ViewSelector


def fitted_pipeline(people, quick, **settings):
    """A selector, nothing, a scaler by person and the classifier, fitted with groups."""
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = ViewScaler(scope="person")
        pipeline = Pipeline(
            [
                ("select", ViewSelector(keep=["pulse", "skin"])),
                ("nothing", "passthrough"),
                ("also nothing", None),
                ("scale", scaler.set_fit_request(groups=True).set_transform_request(groups=True)),
                ("classify", quick().set_fit_request(groups=True)),
            ],
            **settings,
        )
        return pipeline.fit(people.views, people.target, groups=people.groups)


@pytest.fixture(scope="module")
def pipeline(people, quick):
    return fitted_pipeline(people, quick)


@pytest.fixture(autouse=True)
def nothing_changes_it(pipeline, state_of):
    """Every test leaves the shared pipeline as it was."""

    def state():
        return (
            pickle.dumps(pipeline[:-1]),
            state_of(pipeline[-1]),
            [id(s) for _, s in pipeline.steps],
        )

    before = state()
    yield
    assert state() == before


class TestAdapt:
    def test_is_the_steps_by_hand(self, pipeline, people):
        support, labels = people.new_views[:4], people.new_target[:4]
        person = adapt_pipeline(pipeline, support, labels)
        selected = pipeline["select"].transform(support)
        scaler = pipeline["scale"].adapt(selected)
        classifier = pipeline["classify"].adapt(scaler.transform(selected), labels)
        expected = classifier.predict_proba(
            scaler.transform(pipeline["select"].transform(people.new_views))
        )
        assert_array_equal(person.predict_proba(people.new_views), expected)
        assert (expected != pipeline.predict_proba(people.new_views)).any()

    def test_keeps_steps_without_adapt_by_reference(self, pipeline, people):
        person = adapt_pipeline(pipeline, people.new_views, people.new_target)
        assert person is not pipeline
        assert person["select"] is pipeline["select"]
        assert person.steps[1:3] == pipeline.steps[1:3]
        assert person["scale"] is not pipeline["scale"]
        assert person["classify"].model_.module is pipeline["classify"].model_.module

    def test_classes_reach_the_last_step(self, pipeline, people):
        labels = people.new_target[:2]
        classes = ["awe", *pipeline.classes_]
        person = adapt_pipeline(pipeline, people.new_views[:2], labels, classes=classes)
        assert person.classes_.tolist() == sorted(classes)
        person = adapt_pipeline(pipeline, people.new_views[:2], labels)
        assert person.classes_.tolist() == pipeline.classes_.tolist()
        narrow = sorted(set(labels.tolist()))
        person = adapt_pipeline(pipeline, people.new_views[:2], labels, classes=narrow)
        assert person.classes_.tolist() == narrow

    @pytest.mark.parametrize("n_labelled", [0, 4])
    def test_unlabelled_clips_go_through_the_adapted_steps(self, pipeline, people, n_labelled):
        unlabelled, support = people.new_views[2:], people.new_views[:n_labelled]
        selected = pipeline["select"].transform(unlabelled)
        scaler = pipeline["scale"].adapt(selected)
        further = {"unlabelled": scaler.transform(selected)}
        labelled = ()
        if n_labelled:
            labels = people.new_target[:n_labelled]
            labelled = scaler.transform(pipeline["select"].transform(support)), labels
        classifier = pipeline["classify"].adapt(*labelled, **further)
        expected = classifier.predict_proba(
            scaler.transform(pipeline["select"].transform(people.new_views))
        )
        given = (support, people.new_target[:n_labelled]) if n_labelled else ()
        person = adapt_pipeline(pipeline, *given, unlabelled=unlabelled)
        assert_array_equal(person.predict_proba(people.new_views), expected)

    def test_what_a_last_step_does_not_take_is_an_error(self):
        class Simple(GaussianNB):
            def adapt(self, X, y):
                return GaussianNB().fit(X, y)

        X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        own = make_pipeline(ViewScaler(), Simple()).fit(X, y)
        assert adapt_pipeline(own, X, y).predict([[5.0]]).tolist() == [1]
        with pytest.raises(TypeError, match="unexpected keyword argument 'unlabelled'"):
            adapt_pipeline(own, X, y, unlabelled=X)

    def test_clips_are_needed(self, pipeline, people):
        with pytest.raises(ValueError, match="got no clip: give X and y, or unlabelled, or all"):
            adapt_pipeline(pipeline)
        with pytest.raises(TypeError, match="X and y belong together"):
            adapt_pipeline(pipeline, people.new_views, unlabelled=people.new_views)

    def test_keeps_the_settings(self, people, quick, tmp_path):
        settings = {"memory": str(tmp_path), "verbose": False, "transform_input": ["groups"]}
        own = fitted_pipeline(people, quick, memory=str(tmp_path)).set_params(**settings)

        class Kind(Pipeline):
            pass

        own.__class__ = Kind
        person = adapt_pipeline(own, people.new_views, people.new_target)
        assert type(person) is Kind
        assert {name: getattr(person, name) for name in settings} == settings

    def test_pipelines_inside(self, pipeline, people):
        nested = Pipeline([("before", pipeline[:-1]), ("after", Pipeline([pipeline.steps[-1]]))])
        person = adapt_pipeline(nested, people.new_views[:4], people.new_target[:4])
        flat = adapt_pipeline(pipeline, people.new_views[:4], people.new_target[:4])
        assert_array_equal(
            person.predict_proba(people.new_views), flat.predict_proba(people.new_views)
        )
        assert nested["before"]["scale"] is pipeline["scale"]
        only_selects = Pipeline([("before", pipeline[:1]), ("after", pipeline[-1])])
        person = adapt_pipeline(only_selects, people.new_views, people.new_target)
        assert person["before"] is only_selects["before"]

    def test_no_pipeline_is_simply_adapted(self, fitted, people):
        found = adapt_pipeline(fitted, people.new_views[:3], people.new_target[:3])
        expected = fitted.adapt(people.new_views[:3], people.new_target[:3])
        assert_array_equal(
            found.predict_proba(people.new_views), expected.predict_proba(people.new_views)
        )

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (make_pipeline(ViewScaler(), LogisticRegression()), "given LogisticRegression"),
            (make_pipeline(ViewScaler(), "passthrough"), "given 'passthrough'"),
            (make_pipeline(ViewScaler(), None), "given None"),
            (Pipeline([]), "given None"),
        ],
    )
    def test_a_last_step_without_adapt(self, wrong, message, people):
        with pytest.raises(
            TypeError, match=rf"the last step of the pipeline must have adapt.*{message}"
        ):
            adapt_pipeline(wrong, people.new_views, people.new_target)

    def test_an_estimator_without_adapt(self, people):
        with pytest.raises(TypeError, match=r"the estimator must have adapt.*LogisticRegression"):
            adapt_pipeline(LogisticRegression(), people.new_views, people.new_target)

    def test_unfitted(self, people, quick, pipeline):
        for unfitted in (
            quick(),
            make_pipeline(ViewSelector(), quick()),
            make_pipeline(ViewSelector(), pipeline[-1]),
            make_pipeline(ViewScaler(scope="person"), pipeline[-1]),
        ):
            with pytest.raises(NotFittedError, match="is not fitted yet"):
                adapt_pipeline(unfitted, people.new_views, people.new_target)


class TestPartialFit:
    def test_is_the_steps_by_hand_in_place(self, pipeline, people):
        person = adapt_pipeline(pipeline, people.new_views[:2], people.new_target[:2])
        scaler, by_hand = person["scale"], person["classify"]
        by_hand = pickle.loads(pickle.dumps(by_hand))
        state = pickle.dumps(person[:-1])
        found = partial_fit_pipeline(
            person, people.new_views[2:], people.new_target[2:], classes=["awe"]
        )
        assert found is person
        assert pickle.dumps(person[:-1]) == state
        transformed = scaler.transform(pipeline["select"].transform(people.new_views))
        by_hand.partial_fit(transformed[2:], people.new_target[2:], classes=["awe"])
        assert "awe" in person.classes_
        assert_array_equal(
            person.predict_proba(people.new_views), by_hand.predict_proba(transformed)
        )

    def test_inner_pipelines_and_other_estimators(self):
        X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        inner = make_pipeline(ViewScaler(), GaussianNB())
        own = make_pipeline(ViewSelector(), inner).fit(X, y)
        assert partial_fit_pipeline(own, X[:1], y[:1]) is own
        assert inner[-1].class_count_.tolist() == [3, 2]
        alone = GaussianNB().fit(X, y)
        assert partial_fit_pipeline(alone, X[:1], y[:1]) is alone
        assert alone.class_count_.tolist() == [3, 2]

    def test_errors(self, people, quick):
        with pytest.raises(TypeError, match=r"last step of the pipeline must have partial_fit\(X"):
            partial_fit_pipeline(
                make_pipeline(ViewScaler(), LogisticRegression()), people.views, people.target
            )
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            partial_fit_pipeline(make_pipeline(quick()), people.views, people.target)

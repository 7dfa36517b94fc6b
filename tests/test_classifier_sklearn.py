"""STF2MClassifier in the hands of scikit-learn's tools."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from stf2m_sk import STF2MClassifier, Views

FOLDS = StratifiedKFold(2)
ONE_SPLIT = StratifiedShuffleSplit(1, test_size=0.5, random_state=0)


def in_other_units(X):
    """Every modality times a thousand."""
    if isinstance(X, Views):
        return {name: 1000 * array for name, array in X.to_dict().items()}
    return 1000 * X


class TestParameters:
    def test_clone_has_the_parameters_and_is_not_fitted(self, fitted, people, quick):
        again = clone(fitted)
        assert again.get_params() == fitted.get_params()
        assert not again.__sklearn_is_fitted__()
        again.fit(people.views, people.target, groups=people.groups)
        assert_array_equal(
            again.predict_proba(people.new_views), fitted.predict_proba(people.new_views)
        )

    def test_get_and_set(self):
        classifier = STF2MClassifier(n_kernels=5)
        assert classifier.get_params()["n_kernels"] == 5
        assert classifier.set_params(n_kernels=6, view_dropout=0.1) is classifier
        assert (classifier.n_kernels, classifier.view_dropout) == (6, 0.1)
        with pytest.raises(ValueError, match="Invalid parameter 'n_kernel' for estimator"):
            classifier.set_params(n_kernel=3)

    def test_are_about_fifteen(self):
        assert len(STF2MClassifier().get_params()) <= 17

    def test_are_keyword_only(self):
        with pytest.raises(TypeError, match="positional argument"):
            STF2MClassifier(5)

    def test_all_are_declared_and_documented(self):
        names = STF2MClassifier().get_params().keys()
        assert names == STF2MClassifier._parameter_constraints.keys()
        documented = STF2MClassifier.__doc__.split("Attributes\n")[0]
        assert [name for name in names if f"\n    {name} : " not in documented] == []

    def test_repr(self):
        assert repr(STF2MClassifier()) == "STF2MClassifier()"
        assert repr(STF2MClassifier(n_kernels=3)) == "STF2MClassifier(n_kernels=3)"
        assert "STF2MClassifier" in STF2MClassifier()._repr_html_()

    def test_tags(self):
        tags = get_tags(STF2MClassifier())
        assert is_classifier(STF2MClassifier())
        assert tags.input_tags.two_d_array
        assert tags.input_tags.three_d_array
        assert tags.input_tags.allow_nan
        assert tags.target_tags.required


class TestCopies:
    @pytest.mark.parametrize(
        "duplicate",
        [copy.deepcopy, lambda classifier: pickle.loads(pickle.dumps(classifier))],
        ids=["deepcopy", "pickle"],
    )
    def test_answer_alike_and_go_their_own_way(self, fitted, people, duplicate, state_of):
        adapted = fitted.adapt(people.new_views[:4], people.new_target[:4])
        again = duplicate(adapted)
        answer = adapted.predict_proba(people.views)
        assert_array_equal(again.predict_proba(people.views), answer)
        before = state_of(adapted)
        again.partial_fit(people.new_views, people.new_target)
        again.adapt(people.new_views, people.new_target)
        assert state_of(adapted) == before
        adapted.partial_fit(people.new_views, people.new_target)
        assert_array_equal(again.predict_proba(people.views), adapted.predict_proba(people.views))

    def test_a_pickle_does_not_hold_the_training_clips(self, quick, arrays):
        sizes = []
        for times in (10, 20):
            X, y = np.tile(arrays.X, (times, 1, 1)), np.tile(arrays.y, times)
            sizes.append(len(pickle.dumps(quick().fit(X, y))))
        assert sizes[1] < sizes[0] + arrays.X.nbytes  # ten times as much was added


class TestModelSelection:
    @pytest.mark.parametrize("form", ["Views", "3-D array"])
    def test_cross_val_score(self, quick, people, form):
        X = people.views if form == "Views" else np.nan_to_num(people.views["skin"])
        y = people.target
        scores = cross_val_score(quick(), X, y, cv=ONE_SPLIT)
        folds = ONE_SPLIT.split(np.zeros(len(y)), y)
        by_hand = [quick().fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds]
        assert scores.tolist() == by_hand

    def test_grid_search(self, quick, arrays):
        search = GridSearchCV(quick(), {"n_kernels": [2, 4]}, cv=ONE_SPLIT).fit(arrays.X, arrays.y)
        by_hand = quick(**search.best_params_).fit(arrays.X, arrays.y)
        assert_array_equal(search.predict_proba(arrays.X), by_hand.predict_proba(arrays.X))

    def test_pipeline(self, quick, people):
        pipeline = make_pipeline(FunctionTransformer(in_other_units), quick())
        pipeline.fit(people.views, people.target)
        by_hand = quick().fit(in_other_units(people.views), people.target)
        assert_array_equal(
            pipeline.predict_proba(people.new_views),
            by_hand.predict_proba(in_other_units(people.new_views)),
        )
        assert pipeline.classes_.tolist() == by_hand.classes_.tolist()

    def test_frozen_keeps_the_meta_training(self, fitted, people):
        frozen = clone(FrozenEstimator(fitted))
        frozen.fit(people.new_views, people.new_target)
        assert frozen.estimator is fitted
        assert_array_equal(frozen.predict_proba(people.views), fitted.predict_proba(people.views))

    def test_frozen_can_be_calibrated(self, fitted_on_array, arrays):
        calibrated = CalibratedClassifierCV(FrozenEstimator(fitted_on_array), cv=FOLDS)
        calibrated.fit(arrays.X, arrays.y)
        assert calibrated.predict_proba(arrays.X).shape == (len(arrays.X), 2)


class TestGroupsByMetadataRouting:
    @pytest.fixture(autouse=True)
    def routing(self):
        with sklearn.config_context(enable_metadata_routing=True):
            yield

    def test_reach_fit_in_cross_validation(self, quick, people):
        people_out = GroupKFold(2)
        result = cross_validate(
            quick().set_fit_request(groups=True),
            people.views,
            people.target,
            cv=people_out,
            params={"groups": people.groups},
            return_estimator=True,
        )
        folds = list(people_out.split(people.views, people.target, people.groups))
        assert len(result["estimator"]) == len(folds) == 2
        train, _ = folds[0]
        by_hand = quick().fit(
            people.views[train], people.target[train], groups=people.groups[train]
        )
        without = quick().fit(people.views[train], people.target[train])
        answer = result["estimator"][0].predict_proba(people.views)
        assert_array_equal(answer, by_hand.predict_proba(people.views))
        assert (answer != without.predict_proba(people.views)).any()

    def test_reach_fit_in_grid_search_and_pipeline(self, quick, people):
        pipeline = make_pipeline(
            FunctionTransformer(in_other_units), quick().set_fit_request(groups=True)
        )
        search = GridSearchCV(pipeline, {"stf2mclassifier__n_kernels": [2]}, cv=ONE_SPLIT)
        search.fit(people.views, people.target, groups=people.groups)
        by_hand = quick(n_kernels=2).fit(
            in_other_units(people.views), people.target, groups=people.groups
        )
        assert_array_equal(
            search.predict_proba(people.new_views),
            by_hand.predict_proba(in_other_units(people.new_views)),
        )

    def test_are_refused_where_nobody_asked_for_them(self, quick, people):
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="groups"):
            make_pipeline(quick()).fit(people.views, people.target, groups=people.groups)

"""STF2MClassifier: what its verbs do and leave behind."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from stf2m_sk import Views

KNOWN = ["emotion_0", "emotion_1", "emotion_2"]


def padded(views, n_more):
    """The same clips with trailing NaN in every modality."""
    rates = {modality.name: modality.rate for modality in views.schema}
    arrays = {
        name: np.pad(array, ((0, 0), (0, 0), (0, n_more)), constant_values=np.nan)
        for name, array in views.to_dict().items()
    }
    return Views(arrays, rates=rates)


class Epochs(Callback):
    """Counts the epochs of a training."""

    def __init__(self):
        self.n = 0

    def on_epoch_end(self, net, **kwargs):
        self.n += 1


class TestFit:
    def test_what_is_there_afterwards(self, fitted, people):
        assert fitted.classes_.tolist() == KNOWN
        assert_array_equal(fitted.population_classes_, fitted.classes_)
        assert fitted.n_features_in_ == people.views.shape[1]
        assert fitted.schema_ == people.views.schema
        assert fitted.model_.support is None
        assert fitted.model_.person is None
        assert list(fitted.history_) == []
        assert not hasattr(fitted, "feature_names_in_")

    def test_returns_itself_and_keeps_parameters(self, quick, arrays):
        classifier = quick(n_kernels=np.int64(2), schema={"signal": {"n_channels": 2}})
        before = classifier.get_params()
        assert classifier.fit(arrays.X, arrays.y) is classifier
        after = classifier.get_params()
        assert before.keys() == after.keys()
        assert all(after[name] is value for name, value in before.items())

    def test_does_not_write_to_the_data(self, quick, people):
        copies = {name: array.copy() for name, array in people.views.to_dict().items()}
        target, groups = people.target.copy(), people.groups.copy()
        quick().fit(people.views, people.target, groups=people.groups)
        for name, array in copies.items():
            assert_array_equal(people.views[name], array)
        assert_array_equal(people.target, target)
        assert_array_equal(people.groups, groups)

    def test_again_starts_from_nothing(self, fitted, people, fitted_on_array, arrays):
        fitted.partial_fit(people.new_views, people.new_target)
        adapted = fitted.adapt(people.new_views, people.new_target)
        before = adapted.predict_proba(people.views)
        fitted.fit(arrays.X, arrays.y)
        expected = fitted_on_array.predict_proba(arrays.X)
        assert_array_equal(fitted.predict_proba(arrays.X), expected)
        assert fitted.schema_ == fitted_on_array.schema_
        assert fitted.n_features_in_ == 2
        assert fitted.model_.support is None
        assert_array_equal(adapted.predict_proba(people.views), before)

    def test_groups_matter(self, fitted, quick, people):
        without = quick().fit(people.views, people.target)
        answer = without.predict_proba(people.new_views)
        assert (answer != fitted.predict_proba(people.new_views)).any()

    @pytest.mark.parametrize("names", [["A", "B", "b", "ä"], [-2.5, 0.0, 0.5, 7.0]])
    def test_groups_of_any_type(self, fitted, quick, people, names):
        _, code = np.unique(people.groups, return_inverse=True)
        renamed = quick().fit(people.views, people.target, groups=np.array(names)[code])
        assert_array_equal(renamed.predict_proba(people.views), fitted.predict_proba(people.views))

    def test_history_and_callbacks_of_every_network(self, quick, arrays):
        epochs = Epochs()
        classifier = quick(n_networks=2, hidden_dim=8, max_epochs=3, callbacks=[epochs])
        history = classifier.fit(arrays.X, arrays.y).history_
        assert len(history) == 2
        assert sum(map(len, history)) == epochs.n
        for rows in history:
            assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
            assert all(np.isfinite(row["train_loss"]) for row in rows)

    @pytest.mark.parametrize(
        "groups",
        [np.arange(24), np.zeros(24), np.repeat(["ann", "ben"], 12), np.arange(24) % 2],
        ids=["a person a clip", "one person", "a person a class", "two people"],
    )
    def test_people_of_any_kind_make_a_population(self, quick, arrays, groups):
        classifier = quick().fit(arrays.X, arrays.y, groups=groups)
        assert classifier.score(arrays.X, arrays.y) > 0.7

    @pytest.mark.parametrize("n_networks", [0, 2])
    @pytest.mark.parametrize("rows", [[0, 12], [0, 1, 12]], ids=str)
    def test_very_few_clips(self, quick, arrays, rows, n_networks):
        classifier = quick(n_networks=n_networks, hidden_dim=4, max_epochs=1)
        classifier.fit(arrays.X[rows], arrays.y[rows])
        assert_array_equal(classifier.predict(arrays.X[rows]), arrays.y[rows])

    def test_a_class_with_a_single_clip(self, quick, arrays):
        y = arrays.y.astype(object)
        y[5] = "rare"
        classifier = quick().fit(arrays.X, y, groups=np.arange(24) % 3)
        assert classifier.classes_.tolist() == ["calm", "rare", "tense"]
        assert np.isfinite(classifier.predict_proba(arrays.X)).all()

    @pytest.mark.parametrize(
        "change",
        [lambda X: 0 * X, lambda X: np.where([[0], [1]], np.nan, X), lambda X: 1e30 * X],
        ids=["constant", "a dead channel", "huge"],
    )
    def test_signals_of_any_kind(self, quick, arrays, change):
        classifier = quick().fit(change(arrays.X), arrays.y)
        assert np.isfinite(classifier.predict_proba(change(arrays.X))).all()

    def test_trailing_nan_changes_nothing(self, fitted, quick, people):
        longer = quick().fit(padded(people.views, 30), people.target, groups=people.groups)
        expected = fitted.predict_proba(people.new_views)
        assert_array_equal(longer.predict_proba(people.new_views), expected)


class TestAdapt:
    def test_gives_a_new_classifier_with_the_same_weights(self, fitted, people):
        adapted = fitted.adapt(people.new_views, people.new_target)
        assert type(adapted) is type(fitted)
        assert adapted is not fitted
        assert adapted.model_.module is fitted.model_.module
        assert adapted.model_.population is fitted.model_.population
        assert adapted.get_params() == fitted.get_params()

    def test_leaves_the_original_as_it_was(self, fitted, people, state_of):
        before, answer = state_of(fitted), fitted.predict_proba(people.new_views)
        adapted = fitted.adapt(
            people.new_views, people.new_target, unlabelled=people.new_views, classes=[*KNOWN, "a"]
        )
        adapted.partial_fit(people.new_views[:2], ["a", "a"])
        adapted.set_params(n_kernels=99)
        assert state_of(fitted) == before
        assert_array_equal(fitted.predict_proba(people.new_views), answer)

    @pytest.mark.filterwarnings("ignore:y holds labels that are new")
    @pytest.mark.parametrize("verb", ["adapt", "partial_fit"])
    def test_starts_from_the_population(self, fitted, people, verb):
        views, target = people.new_views, people.new_target
        once = fitted.adapt(views[5:], target[5:])
        read = fitted.adapt(unlabelled=views)
        read = getattr(read, verb)(views[:5], np.full(5, "awe"))
        assert "awe" in read.classes_
        again = read.adapt(views[5:], target[5:])
        assert again.model_.person is None
        assert_array_equal(again.predict_proba(views), once.predict_proba(views))
        assert_array_equal(again.classes_, once.classes_)

    def test_support_and_person_are_remembered(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:4], people.new_target[:4], unlabelled=people.views)
        support, person = adapted.model_.support, adapted.model_.person
        labels = support.labels[support.first_labels()]
        assert sorted(labels) == sorted(people.new_target[:4])
        features = fitted.model_.embed(people.new_views[:4]).numpy()
        assert_array_equal(np.sort(support.features, axis=0), np.sort(features, axis=0))
        assert person.n_clips == len(people.views)
        features = fitted.model_.embed(people.views).numpy()
        assert_allclose(person.features, features.mean(0), rtol=0, atol=1e-12)

    def test_needs_clips(self, fitted, people, refuses):
        refuses(fitted, ValueError, "give X and y, or unlabelled, or all three", fitted.adapt)
        refuses(fitted, ValueError, "adapt got no clip", lambda: fitted.adapt(classes=KNOWN))

    def test_needs_labels_for_clips(self, fitted, people, refuses):
        views, target = people.new_views, people.new_target
        for given in ({"X": views}, {"y": target}):
            for more in ({}, {"unlabelled": views}):
                message = "X and y belong together"
                refuses(fitted, TypeError, message, lambda g=given | more: fitted.adapt(**g))


class TestUnlabelledClips:
    def test_alone_are_enough(self, fitted, people):
        adapted = fitted.adapt(unlabelled=people.new_views)
        assert adapted.classes_.tolist() == KNOWN
        assert adapted.model_.support is None
        answer = adapted.predict_proba(people.new_views)
        assert (answer != fitted.predict_proba(people.new_views)).any()

    def test_go_with_labelled_ones(self, fitted, people):
        views, target = people.new_views, people.new_target
        answers = [
            fitted.adapt(*given, unlabelled=unlabelled).predict_proba(views)
            for given in ((), (views[:4], target[:4]))
            for unlabelled in (views, people.views)
        ]
        assert len({answer.tobytes() for answer in answers}) == 4

    def test_are_kept_by_partial_fit(self, fitted, people):
        views, target = people.new_views, people.new_target
        at_once = fitted.adapt(views[:5], target[:5], unlabelled=views)
        in_parts = fitted.adapt(unlabelled=views).partial_fit(views[:2], target[:2])
        in_parts.partial_fit(views[2:5], target[2:5])
        assert_array_equal(in_parts.predict_proba(views), at_once.predict_proba(views))

    def test_of_the_emotions_that_are_asked_about(self, fitted, people):
        adapted = fitted.adapt(unlabelled=people.new_views, classes=["emotion_2", "awe"])
        assert adapted.classes_.tolist() == ["awe", "emotion_2"]


class TestClassesAfterAdapt:
    def test_are_those_of_the_population_and_of_the_clips(self, fitted, people):
        with pytest.warns(UserWarning, match="new to this classifier"):
            adapted = fitted.adapt(people.new_views[:3], ["zest", "awe", "emotion_1"])
        assert adapted.classes_.tolist() == ["awe", *KNOWN, "zest"]
        assert fitted.classes_.tolist() == KNOWN
        assert_array_equal(adapted.population_classes_, fitted.population_classes_)

    def test_may_be_given(self, fitted, people, recwarn):
        wanted = ["zest", "emotion_1", "emotion_0", "zest"]
        adapted = fitted.adapt(people.new_views[:2], ["emotion_0", "zest"], classes=wanted)
        assert adapted.classes_.tolist() == ["emotion_0", "emotion_1", "zest"]
        assert adapted.predict_proba(people.new_views).shape == (len(people.new_views), 3)
        assert [str(warning.message) for warning in recwarn] == []

    def test_a_single_clip_does_not_decide_everything(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:1], ["emotion_1"])
        assert adapted.classes_.tolist() == KNOWN
        answer = adapted.predict_proba(people.new_views)
        assert (answer > 0).all()
        assert (answer[:, 1] < 1).all()

    def test_one_label_alone_may_be_asked_for(self, fitted, people):
        adapted = fitted.adapt(people.new_views[0], ["awe"], classes=["awe"])
        assert_array_equal(adapted.predict(people.new_views), ["awe"] * len(people.new_views))
        assert_array_equal(adapted.predict_proba(people.new_views), 1.0)


class TestWarningOfNewLabels:
    @pytest.mark.parametrize("verb", ["adapt", "partial_fit"])
    def test_is_one_and_names_the_nearest(self, fitted, people, verb):
        labels = ["emotoin_1", "zest", "emotion_0", "zest"]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(fitted, verb)(people.new_views[:4], labels)
        assert len(caught) == 1
        assert caught[0].category is UserWarning
        text = str(caught[0].message)
        assert "'emotoin_1' (nearest: 'emotion_1'), 'zest'." in text
        assert "emotion_0" not in text
        assert caught[0].filename == __file__

    def test_of_numbers(self, quick, arrays):
        fitted = quick().fit(arrays.X, np.repeat([10, 200], 12))
        with pytest.warns(UserWarning, match=r"201 \(nearest: '200'\)"):
            fitted.adapt(arrays.X[:2], [10, 201])

    @pytest.mark.parametrize("verb", ["adapt", "partial_fit"])
    def test_is_not_there_where_they_are_meant_or_known(self, fitted, people, recwarn, verb):
        views = people.new_views
        getattr(fitted, verb)(views[:2], ["emotion_1", "zest"], classes=[*KNOWN, "zest"])
        adapted = fitted.adapt(views[:2], ["zest", "awe"], classes=["awe", "zest"])
        adapted.partial_fit(views[2:4], ["zest", "awe"])
        labels = [f"emotion {i}" for i in range(len(views))]
        fitted.adapt(views, labels, classes=labels)
        assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.filterwarnings("ignore:y holds labels that are new")
class TestPartialFit:
    def test_takes_no_gradient_step_and_changes_the_answer(self, fitted, people):
        module, population = fitted.model_.module, fitted.model_.population
        weights = {name: value.clone() for name, value in module.state_dict().items()}
        before = fitted.predict_proba(people.new_views)
        assert fitted.partial_fit(people.new_views, people.new_target) is fitted
        assert fitted.model_.module is module
        assert fitted.model_.population is population
        assert all((module.state_dict()[name] == weights[name]).all() for name in weights)
        assert (fitted.predict_proba(people.new_views) != before).any()

    def test_classes_become_the_union(self, fitted, people):
        fitted.partial_fit(people.new_views[:2], ["zest", "emotion_1"], classes=["awe"])
        assert fitted.classes_.tolist() == ["awe", *KNOWN, "zest"]
        fitted.partial_fit(people.new_views[:1], ["awe"])
        assert fitted.classes_.tolist() == ["awe", *KNOWN, "zest"]
        assert len(fitted.model_.support.features) == 3

    def test_after_adapt_adds_to_its_support(self, fitted, people):
        views, target = people.new_views, people.new_target
        adapted = fitted.adapt(views[:5], target[:5]).partial_fit(views[5:], target[5:])
        at_once = fitted.adapt(views, target)
        assert_allclose(
            adapted.predict_proba(views), at_once.predict_proba(views), rtol=0, atol=1e-12
        )

    def test_keeps_the_narrowed_classes(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:1], ["emotion_0"], classes=KNOWN[:2])
        adapted.partial_fit(people.new_views[1:2], ["emotion_1"])
        assert adapted.classes_.tolist() == KNOWN[:2]

    def test_unfitted_equals_fit(self, quick, arrays, fitted_on_array):
        first = quick().partial_fit(arrays.X, arrays.y)
        expected = fitted_on_array.predict_proba(arrays.X)
        assert_array_equal(first.predict_proba(arrays.X), expected)
        assert_array_equal(first.classes_, fitted_on_array.classes_)
        assert first.model_.support is None

    def test_unfitted_reserves_classes(self, quick, arrays, fitted_on_array):
        reserved = quick().partial_fit(arrays.X, arrays.y, classes=["tense", "calm", "awe"])
        assert reserved.classes_.tolist() == ["awe", "calm", "tense"]
        assert reserved.population_classes_.tolist() == ["calm", "tense"]
        expected = fitted_on_array.adapt(
            unlabelled=arrays.X, classes=["awe", "calm", "tense"]
        ).model_
        assert reserved.model_.population_classes.tolist() == expected.population_classes.tolist()
        own = reserved.decision_function(arrays.X)
        assert_array_equal(own[:, 2] - own[:, 1], fitted_on_array.decision_function(arrays.X))
        reserved.partial_fit(arrays.X[:1], ["awe"])
        assert reserved.classes_.tolist() == ["awe", "calm", "tense"]


class TestSupportWeight:
    def test_between_the_population_and_the_person(self, fitted, people):
        X, y = people.new_views, people.new_target
        own = np.searchsorted(KNOWN, y)
        mean = {}
        for weight in (1e-9, 0.1, 10.0):
            adapted = fitted.set_params(support_weight=weight).adapt(X, y)
            mean[weight] = adapted.predict_log_proba(X)[np.arange(len(y)), own].mean()
        plain = fitted.predict_log_proba(X)[np.arange(len(y)), own].mean()
        assert mean[1e-9] == pytest.approx(plain, rel=1e-4)
        assert mean[1e-9] < mean[0.1] < mean[10.0]

    def test_does_not_change_the_population(self, quick, arrays, fitted_on_array):
        heavy = quick(support_weight=7.0).fit(arrays.X, arrays.y)
        expected = fitted_on_array.predict_proba(arrays.X)
        assert_array_equal(heavy.predict_proba(arrays.X), expected)


class TestPredict:
    def test_probabilities(self, fitted, people):
        answer = fitted.predict_proba(people.new_views)
        assert answer.shape == (len(people.new_views), 3)
        assert (answer >= 0).all()
        assert_allclose(answer.sum(axis=1), 1, rtol=0, atol=1e-12)

    def test_label_is_the_most_probable(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:3], ["a", "c", "b"], classes=["a", "b", "c"])
        for classifier in (fitted, adapted):
            best = classifier.predict_proba(people.views).argmax(axis=1)
            assert_array_equal(classifier.predict(people.views), classifier.classes_[best])
            right = classifier.predict(people.views) == people.target
            assert classifier.score(people.views, people.target) == right.mean()

    def test_changes_nothing(self, fitted, people, state_of):
        before = state_of(fitted)
        fitted.predict(people.new_views)
        fitted.predict_proba(people.new_views.astype(np.float32))
        assert state_of(fitted) == before

    def test_the_answer_may_be_written_to(self, fitted, people):
        first = fitted.predict_proba(people.new_views)
        expected = first.copy()
        first[:] = 0
        assert_array_equal(fitted.predict_proba(people.new_views), expected)

    def test_lengths_may_differ_and_modalities_be_absent(self, fitted, people):
        some = people.new_views[people.new_views.present.all(axis=1)]
        shorter = {"skin": some["skin"][..., :20]}
        assert np.isfinite(fitted.predict_proba(shorter)).all()
        longer = {"pulse": np.tile(some["pulse"], 4), "skin": some["skin"]}
        assert np.isfinite(fitted.predict_proba(longer)).all()

    def test_a_copy_goes_its_own_way(self, fitted, people, state_of):
        before = state_of(fitted)
        copy.copy(fitted).partial_fit(people.new_views, people.new_target)
        assert state_of(fitted) == before

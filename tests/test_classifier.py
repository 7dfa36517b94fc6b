"""STF2MClassifier: what its verbs do and leave behind."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback

from stf2m_sk import Views


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
        assert fitted.classes_.tolist() == ["emotion_0", "emotion_1", "emotion_2"]
        assert_array_equal(fitted.population_classes_, fitted.classes_)
        assert fitted.n_features_in_ == people.views.shape[1]
        assert fitted.schema_ == people.views.schema
        assert fitted.support_ is None
        assert not hasattr(fitted, "feature_names_in_")

    def test_returns_itself_and_keeps_parameters(self, quick, arrays):
        classifier = quick(n_rules=np.int64(2), schema={"signal": {"n_channels": 2}})
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

    def test_again_starts_from_nothing(self, fitted, quick, arrays):
        fitted.fit(arrays.X, arrays.y)
        fresh = quick().fit(arrays.X, arrays.y)
        assert_array_equal(fitted.predict_proba(arrays.X), fresh.predict_proba(arrays.X))
        assert fitted.schema_ == fresh.schema_
        assert fitted.n_features_in_ == fresh.n_features_in_ == 2

    def test_again_forgets_the_support(self, fitted, people):
        fitted.partial_fit(people.new_views, people.new_target)
        fitted.fit(people.views, people.target)
        assert fitted.support_ is None

    def test_again_leaves_adapted_classifiers_as_they_were(self, fitted, people, arrays):
        adapted = fitted.adapt(people.new_views, people.new_target)
        before = adapted.predict_proba(people.views)
        fitted.fit(arrays.X, arrays.y)
        assert_array_equal(adapted.predict_proba(people.views), before)

    def test_groups_matter(self, fitted, quick, people):
        without = quick().fit(people.views, people.target)
        name = "encoders.0.spatial.weight"
        weights = [c.net_.module_.state_dict()[name] for c in (fitted, without)]
        assert (weights[0] != weights[1]).any()

    @pytest.mark.parametrize("names", [["A", "B", "b", "ä"], [-2.5, 0.0, 0.5, 7.0]])
    def test_groups_of_any_type(self, fitted, quick, people, names):
        _, code = np.unique(people.groups, return_inverse=True)
        renamed = quick().fit(people.views, people.target, groups=np.array(names)[code])
        assert_array_equal(renamed.predict_proba(people.views), fitted.predict_proba(people.views))

    def test_history_has_a_row_for_each_epoch(self, quick, arrays):
        history = quick(max_epochs=2).fit(arrays.X, arrays.y).history_
        assert [row["epoch"] for row in history] == [1, 2]
        assert all(np.isfinite(row["train_loss"]) for row in history)

    def test_people_held_out_compare_epochs(self, quick, arrays):
        held_out = quick(validation_fraction=0.4).fit(arrays.X, arrays.y).history_
        assert 0 <= held_out[0]["valid_acc"] <= 1
        assert "valid_acc" not in quick(validation_fraction=0).fit(arrays.X, arrays.y).history_[0]

    def test_callbacks_are_called(self, quick, arrays):
        epochs = Epochs()
        quick(max_epochs=2, callbacks=[epochs]).fit(arrays.X, arrays.y)
        assert epochs.n == 2

    def test_rules_have_one_output_a_class(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:2], ["zest", "zest"], classes=["awe", "zest"])
        for classifier, n_classes in ((fitted, 3), (adapted, 2)):
            rules = classifier.rules_
            n_rules, n_features = rules.centers.shape
            assert n_rules == classifier.n_rules
            assert rules.widths.shape == (n_rules, n_features)
            assert rules.consequent_weight.shape == (n_rules, n_classes, n_features)
            assert rules.consequent_bias.shape == (n_rules, n_classes)
            assert (rules.widths > 0).all()
            assert rules.temperature > 0
            placed = classifier.net_.module_.rules.centers.numpy()
            assert_array_equal(rules.centers, placed.astype(np.float64))

    def test_rules_are_what_the_answer_adds_them_up_from(self, fitted, people):
        """Rule by rule; up to a constant for each class, before and after adapt."""
        adapted = fitted.adapt(people.new_views[:4], people.new_target[:4], classes=fitted.classes_)
        for classifier in (fitted, adapted):
            base, state = classifier.rules_, classifier._state
            module = copy.deepcopy(classifier.net_.module_).double()
            signals = [torch.from_numpy(people.new_views[name]) for name in people.new_views.names]
            with torch.no_grad():
                clips, read = module.prepare(signals), module.read(signals)
            u = (clips.kernels.sum(1) @ module.to_rules).numpy()
            expected = np.zeros((len(u), 3))
            for i, x in enumerate(u):
                squares = (((x - base.centers) / base.widths) ** 2).sum(1)
                z = -base.temperature / np.sqrt(len(x)) * squares / 2
                w = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
                for r in range(len(w)):
                    expected[i] += w[r] * (base.consequent_weight[r] @ x + base.consequent_bias[r])
            # By the state's weights, with those of all else set to 0.
            alone = torch.zeros_like(state.weights)
            first = sum(module.block_sizes[:3])
            alone[first : module.embedding_size] = state.weights[first : module.embedding_size]
            alone[-module.novelty_sizes[-1] :] = state.weights[-module.novelty_sizes[-1] :]
            added = state._replace(weights=alone).logits(read) / state.log_scale.exp()
            assert added.std(0).min() > 1e-4
            difference = expected - added.numpy()
            np.testing.assert_allclose(difference - difference.mean(0), 0, atol=1e-9)

    def test_a_class_with_a_single_clip_counts_to_the_population(self, quick, arrays):
        y = arrays.y.astype(object)
        y[5] = "rare"
        with pytest.warns(UserWarning, match="1 of 3 classes have no 2 clips"):
            classifier = quick().fit(arrays.X, y)
        assert classifier.classes_.tolist() == ["calm", "rare", "tense"]
        assert np.isfinite(classifier.predict_proba(arrays.X)).all()

    def test_trailing_nan_changes_nothing(self, fitted, quick, people):
        longer = quick().fit(padded(people.views, 30), people.target, groups=people.groups)
        expected = fitted.predict_proba(people.new_views)
        np.testing.assert_allclose(longer.predict_proba(people.new_views), expected, atol=1e-6)


class TestAdapt:
    def test_gives_a_new_classifier_with_the_same_weights(self, fitted, people):
        adapted = fitted.adapt(people.new_views, people.new_target)
        assert type(adapted) is type(fitted)
        assert adapted is not fitted
        assert adapted.net_ is fitted.net_
        assert adapted.get_params() == fitted.get_params()

    def test_leaves_the_original_as_it_was(self, fitted, people, state_of):
        before, answer = state_of(fitted), fitted.predict_proba(people.new_views)
        adapted = fitted.adapt(people.new_views, people.new_target)
        adapted.partial_fit(people.new_views[:2], ["awe", "awe"])
        adapted.set_params(n_rules=99)
        assert state_of(fitted) == before
        assert_array_equal(fitted.predict_proba(people.new_views), answer)

    def test_starts_from_the_population(self, fitted, people):
        views, target = people.new_views, people.new_target
        twice = fitted.adapt(views[:5], target[:5]).adapt(views[5:], target[5:])
        once = fitted.adapt(views[5:], target[5:])
        assert_array_equal(twice.predict_proba(views), once.predict_proba(views))
        assert_array_equal(twice.classes_, once.classes_)

    def test_starts_from_the_population_after_partial_fit(self, fitted, people):
        views, target = people.new_views, people.new_target
        once = fitted.adapt(views[5:], target[5:])
        fitted.partial_fit(views[:5], np.full(5, "awe"))
        again = fitted.adapt(views[5:], target[5:])
        assert_array_equal(again.predict_proba(views), once.predict_proba(views))
        assert "awe" not in again.classes_

    def test_classes_are_those_of_the_clips(self, fitted, people):
        adapted = fitted.adapt(people.new_views[:3], ["zest", "awe", "zest"])
        assert adapted.classes_.tolist() == ["awe", "zest"]
        assert fitted.classes_.tolist() == ["emotion_0", "emotion_1", "emotion_2"]
        assert_array_equal(adapted.population_classes_, fitted.population_classes_)

    def test_classes_may_be_given(self, fitted, people):
        wanted = ["zest", "emotion_1", "emotion_0", "zest"]
        adapted = fitted.adapt(people.new_views[:2], ["emotion_0"] * 2, classes=wanted)
        assert adapted.classes_.tolist() == ["emotion_0", "emotion_1", "zest"]
        assert adapted.predict_proba(people.new_views).shape == (len(people.new_views), 3)

    def test_one_clip_of_one_label_is_enough(self, fitted, people):
        adapted = fitted.adapt(people.new_views[0], ["awe"])
        assert_array_equal(adapted.predict(people.new_views), ["awe"] * len(people.new_views))

    def test_many_labels_with_a_clip_each_give_no_warning(self, fitted, people, recwarn):
        labels = [f"emotion {i}" for i in range(len(people.views))]
        fitted.adapt(people.views, labels, classes=labels)
        assert [str(warning.message) for warning in recwarn] == []

    def test_support_is_remembered(self, fitted, people):
        adapted = fitted.adapt(people.new_views, people.new_target)
        assert sorted(adapted.support_.labels) == sorted(people.new_target)
        assert len(adapted.support_.embeddings) == len(people.new_views)


class TestPartialFit:
    def test_takes_no_gradient_step(self, fitted, people):
        weights = {k: v.clone() for k, v in fitted.net_.module_.state_dict().items()}
        net = fitted.net_
        assert fitted.partial_fit(people.new_views, people.new_target) is fitted
        assert fitted.net_ is net
        after = fitted.net_.module_.state_dict()
        assert weights.keys() == after.keys()
        assert all((weights[name] == after[name]).all() for name in weights)

    def test_changes_the_answer(self, fitted, people):
        before = fitted.predict_proba(people.new_views)
        fitted.partial_fit(people.new_views, people.new_target)
        assert (fitted.predict_proba(people.new_views) != before).any()

    def test_classes_become_the_union(self, fitted, people):
        fitted.partial_fit(people.new_views[:2], ["zest", "emotion_1"], classes=["awe"])
        union = ["awe", "emotion_0", "emotion_1", "emotion_2", "zest"]
        assert fitted.classes_.tolist() == union
        fitted.partial_fit(people.new_views[:1], ["awe"])
        assert fitted.classes_.tolist() == union
        assert len(fitted.support_.labels) == 3

    def test_after_adapt_adds_to_its_support(self, fitted, people):
        views, target = people.new_views, people.new_target
        adapted = fitted.adapt(views[:5], target[:5]).partial_fit(views[5:], target[5:])
        at_once = fitted.adapt(views, target)
        np.testing.assert_allclose(
            adapted.predict_proba(views), at_once.predict_proba(views), rtol=0, atol=1e-8
        )

    def test_unfitted_equals_fit(self, quick, people, lasting):
        first = quick().partial_fit(people.views, people.target)
        fit = quick().fit(people.views, people.target)
        assert_array_equal(first.predict_proba(people.views), fit.predict_proba(people.views))
        assert_array_equal(first.classes_, fit.classes_)

    def test_unfitted_reserves_classes(self, quick, arrays):
        reserved = quick().partial_fit(arrays.X, arrays.y, classes=["tense", "calm", "awe"])
        assert reserved.classes_.tolist() == ["awe", "calm", "tense"]
        assert reserved.population_classes_.tolist() == ["calm", "tense"]
        assert reserved.predict_proba(arrays.X).shape == (len(arrays.X), 3)
        fit = quick().fit(arrays.X, arrays.y)
        weights = fit.net_.module_.state_dict()
        for name, value in reserved.net_.module_.state_dict().items():
            assert (value == weights[name]).all()
        reserved.partial_fit(arrays.X[:1], ["awe"])
        assert reserved.classes_.tolist() == ["awe", "calm", "tense"]

    def test_an_adapted_one_leaves_its_origin_alone(self, fitted, people, state_of):
        before = state_of(fitted)
        copy.copy(fitted.adapt(people.new_views[:2], ["a", "b"])).partial_fit(
            people.new_views, people.new_target
        )
        assert state_of(fitted) == before


class TestPredict:
    def test_probabilities(self, fitted, people):
        answer = fitted.predict_proba(people.new_views)
        assert answer.shape == (len(people.new_views), 3)
        assert (answer >= 0).all()
        np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=0, atol=1e-12)

    def test_label_is_the_most_probable(self, fitted, people):
        for classifier in (fitted, fitted.adapt(people.new_views[:3], ["a", "c", "b"])):
            best = classifier.predict_proba(people.views).argmax(axis=1)
            assert_array_equal(classifier.predict(people.views), classifier.classes_[best])

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

    def test_score_is_the_accuracy(self, fitted, people):
        right = fitted.predict(people.views) == people.target
        assert fitted.score(people.views, people.target) == right.mean()

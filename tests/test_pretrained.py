"""A meta-trained classifier in cross-validation, without being trained again."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, learning_curve

import stf2m_sk
from stf2m_sk import STF2MClassifier

FOLDS = StratifiedKFold(3)


@pytest.fixture
def file(lasting, tmp_path):
    lasting.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


class TestConditioning:
    def test_is_adapting_the_classifier(self, lasting, people):
        fitted = STF2MClassifier(pretrained=lasting).fit(people.new_views, people.new_target)
        adapted = lasting.adapt(people.new_views, people.new_target)
        assert fitted.net_ is lasting.net_
        assert_array_equal(fitted.classes_, adapted.classes_)
        assert_array_equal(fitted.predict_proba(people.views), adapted.predict_proba(people.views))

    def test_takes_its_own_few_shot_parameters(self, quick, people):
        start = quick(priors=[0.8, 0.1, 0.1], support_weight=3.0).fit(people.views, people.target)
        X, y = people.new_views, people.new_target
        same = STF2MClassifier(pretrained=start, priors=[0.8, 0.1, 0.1], support_weight=3.0).fit(
            X, y
        )
        assert_array_equal(
            same.predict_proba(people.views), start.adapt(X, y).predict_proba(people.views)
        )
        plain = STF2MClassifier(pretrained=start).fit(X, y)
        assert (plain.predict_proba(people.views) != same.predict_proba(people.views)).any()

    def test_starts_from_the_population_of_an_adapted_classifier(self, lasting, people):
        adapted = lasting.adapt(people.views, people.target)
        one = STF2MClassifier(pretrained=adapted).fit(people.new_views, people.new_target)
        other = STF2MClassifier(pretrained=lasting).fit(people.new_views, people.new_target)
        assert_array_equal(one.predict_proba(people.views), other.predict_proba(people.views))

    def test_takes_a_frozen_one_or_a_file(self, lasting, people, file):
        expected = lasting.adapt(people.new_views, people.new_target).predict_proba(people.views)
        for pretrained in (FrozenEstimator(lasting), file, str(file)):
            fitted = STF2MClassifier(pretrained=pretrained)
            fitted.fit(people.new_views, people.new_target)
            assert_array_equal(fitted.predict_proba(people.views), expected)

    def test_leaves_the_classifier_as_it_was(self, lasting, people, state_of):
        before = state_of(lasting)
        classifier = STF2MClassifier(pretrained=lasting, fine_tune_epochs=1, random_state=0)
        classifier.fit(people.new_views, people.new_target)
        classifier.partial_fit(people.new_views, people.new_target)
        assert state_of(lasting) == before

    def test_may_be_chained(self, lasting, people):
        first = STF2MClassifier(pretrained=lasting).fit(people.new_views, people.new_target)
        second = STF2MClassifier(pretrained=first).fit(people.new_views, people.new_target)
        assert_array_equal(first.predict_proba(people.views), second.predict_proba(people.views))

    def test_one_class_and_one_clip_are_enough(self, lasting, people):
        fitted = STF2MClassifier(pretrained=lasting).fit(people.new_views[0], ["awe"])
        assert fitted.predict(people.new_views).tolist() == ["awe"] * len(people.new_views)

    def test_partial_fit_adds_and_adapt_starts_anew(self, lasting, people):
        X, y = people.new_views, people.new_target
        in_parts = STF2MClassifier(pretrained=lasting).fit(X[:4], y[:4]).partial_fit(X[4:], y[4:])
        at_once = STF2MClassifier(pretrained=lasting).fit(X, y)
        np.testing.assert_allclose(
            in_parts.predict_proba(people.views), at_once.predict_proba(people.views), atol=1e-8
        )
        assert_array_equal(
            in_parts.adapt(X, y).predict_proba(people.views),
            lasting.adapt(X, y).predict_proba(people.views),
        )

    def test_a_saved_conditioned_classifier_needs_nothing_else(self, lasting, people, tmp_path):
        fitted = STF2MClassifier(pretrained=lasting).fit(people.new_views, people.new_target)
        fitted.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        assert loaded.pretrained is None
        assert_array_equal(loaded.predict_proba(people.views), fitted.predict_proba(people.views))

    def test_partial_fit_of_an_unfitted_one_reads_its_clips_too(self, lasting, people):
        X, y = people.new_views, people.new_target
        reserved = STF2MClassifier(pretrained=lasting).partial_fit(
            X, y, classes=[*np.unique(y), "awe"]
        )
        expected = lasting.adapt(X, y, classes=[*np.unique(y), "awe"])
        assert_array_equal(reserved.classes_, expected.classes_)
        assert_array_equal(
            reserved.predict_proba(people.views), expected.predict_proba(people.views)
        )


class TestCopies:
    def test_clone_keeps_it_by_reference(self, lasting):
        classifier = STF2MClassifier(pretrained=lasting, fine_tune_epochs=2, n_rules=5)
        with sklearn.config_context(enable_metadata_routing=True):
            classifier.set_fit_request(groups=True)
        again = clone(classifier)
        assert again.pretrained is lasting
        assert again.get_params(deep=False) == classifier.get_params(deep=False)
        assert again._metadata_request.fit.requests == {"groups": True}
        assert classifier.pretrained is lasting
        assert not again.__sklearn_is_fitted__()

    def test_pickle_takes_it_along(self, lasting, people):
        again = pickle.loads(pickle.dumps(STF2MClassifier(pretrained=lasting)))
        again.fit(people.new_views, people.new_target)
        expected = lasting.adapt(people.new_views, people.new_target)
        assert_array_equal(again.predict_proba(people.views), expected.predict_proba(people.views))


class TestModelSelection:
    def test_cross_validation_is_adapting_in_each_fold(self, lasting, people):
        X, y = people.views, people.target
        scores = cross_val_score(STF2MClassifier(pretrained=lasting), X, y, cv=FOLDS)
        by_hand = [
            lasting.adapt(X[a], y[a]).score(X[b], y[b]) for a, b in FOLDS.split(np.zeros(len(y)), y)
        ]
        assert scores.tolist() == by_hand

    def test_grid_search_over_the_few_shot_parameters(self, lasting, people):
        grid = {"support_weight": [0.01, 1.0], "class_weight": [None, {"emotion_0": 2.0}]}
        search = GridSearchCV(STF2MClassifier(pretrained=lasting), grid, cv=FOLDS)
        search.fit(people.views, people.target)
        assert len(search.cv_results_["mean_test_score"]) == 4
        assert search.best_estimator_.pretrained is lasting

    def test_learning_curve(self, lasting, people):
        sizes, _, scores = learning_curve(
            STF2MClassifier(pretrained=lasting),
            people.views,
            people.target,
            cv=FOLDS,
            train_sizes=[6, 12],
            shuffle=True,
            random_state=0,
        )
        assert sizes.tolist() == [6, 12]
        assert np.isfinite(scores).all()


class TestSupportWeight:
    def test_between_the_population_and_the_person(self, lasting, people):
        X, y = people.new_views, people.new_target
        classes = lasting.classes_

        def answer(weight):
            fitted = STF2MClassifier(pretrained=lasting, support_weight=weight).fit(X, y)
            assert_array_equal(fitted.classes_, classes)
            return fitted.decision_function(X)

        own = np.searchsorted(classes, y)
        heard = [answer(w)[np.arange(len(y)), own].mean() for w in (1e-9, 1.0, 1e3)]
        assert heard[0] < heard[1] < heard[2]

    def test_one_is_the_learned_weight(self, quick, people):
        plain = quick().fit(people.views, people.target).adapt(people.new_views, people.new_target)
        heavy = quick(support_weight=7.0).fit(people.views, people.target)
        assert_array_equal(
            heavy.predict_proba(people.views),
            quick().fit(people.views, people.target).predict_proba(people.views),
        )
        heavy = heavy.adapt(people.new_views, people.new_target)
        assert (plain.predict_proba(people.views) != heavy.predict_proba(people.views)).any()


class TestFineTuning:
    def tuned(self, lasting, people, **changes):
        parameters = {"fine_tune_epochs": 2, "random_state": 0, "n_support": 1} | changes
        classifier = STF2MClassifier(pretrained=lasting, **parameters)
        return classifier.fit(people.views, people.target, groups=people.groups)

    def test_moves_a_copy_of_the_weights(self, lasting, people):
        fitted = self.tuned(lasting, people)
        before = lasting.net_.module_.state_dict()
        after = fitted.net_.module_.state_dict()
        moved = {name for name in before if not np.array_equal(before[name], after[name])}
        assert fitted.net_ is not lasting.net_
        assert any(name.startswith("encoders.") for name in moved)
        # The learner and all that was read off the population's clips stay as they were.
        assert all(name.startswith("encoders.") for name in moved)

    def test_same_seed_same_bytes_and_epochs_count(self, lasting, people):
        answers = [
            self.tuned(lasting, people, **changes).predict_proba(people.new_views).tobytes()
            for changes in ({}, {}, {"random_state": 1}, {"fine_tune_epochs": 3})
        ]
        assert answers[0] == answers[1]
        assert len(set(answers)) == 3

    def test_history_holds_its_epochs(self, lasting, people):
        history = self.tuned(lasting, people).history_
        assert [row["epoch"] for row in history] == [1, 2]
        assert all(np.isfinite(row["train_loss"]) for row in history)

    def test_lowers_the_loss(self, lasting, people):
        trusting = copy.copy(lasting)
        trusting.net_ = copy.deepcopy(lasting.net_)
        with torch.no_grad():  # else what is trained has hardly any say in the answer
            trusting.net_.module_.learner.log_ridge[0] = 0.0
        # The same episodes, noise and all, with steps and as good as without.
        losses = [
            [
                row["train_loss"]
                for row in self.tuned(
                    trusting, people, fine_tune_epochs=20, learning_rate=speed
                ).history_
            ]
            for speed in (0.05, 1e-9)
        ]
        assert np.mean(losses[0][-10:]) < np.mean(losses[1][-10:])

    def test_needs_clips_for_an_episode(self, lasting, people):
        classifier = STF2MClassifier(pretrained=lasting, fine_tune_epochs=1)
        with pytest.raises(ValueError, match="2 clips"):
            classifier.fit(people.new_views[:1], people.new_target[:1])
        assert not classifier.__sklearn_is_fitted__()


class TestErrors:
    def test_another_device(self, lasting, people):
        classifier = STF2MClassifier(pretrained=lasting, device="meta")
        with pytest.raises(ValueError, match="device='meta'"):
            classifier.fit(people.views, people.target)

    def test_a_schema_of_another_length(self, lasting, people):
        schema = {m.name: {"n_channels": m.n_channels, "n_timesteps": 7} for m in lasting.schema_}
        classifier = STF2MClassifier(pretrained=lasting, schema=schema)
        with pytest.raises(ValueError, match="of 14 values a clip, but the pretrained classifier"):
            classifier.fit(people.views, people.target)

    def test_something_else(self, people):
        with pytest.raises(
            TypeError, match="pretrained is a LogisticRegression; expected a fitted"
        ):
            STF2MClassifier(pretrained=LogisticRegression()).fit(people.views, people.target)

    def test_not_fitted(self, quick, people):
        for pretrained in (quick(), FrozenEstimator(quick())):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                STF2MClassifier(pretrained=pretrained).fit(people.views, people.target)

    def test_fine_tuning_of_nothing(self, quick, people):
        with pytest.raises(ValueError, match="fine_tune_epochs=2, but pretrained=None leaves"):
            quick(fine_tune_epochs=2).fit(people.views, people.target)

    def test_no_such_file(self, people, tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no file"):
            STF2MClassifier(pretrained=tmp_path / "none").fit(people.views, people.target)

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"X": np.zeros((9, 5, 4))}, ValueError, "X has 5 channels, but the schema has 2"),
            ({"y": np.arange(9)}, TypeError, "cannot be mixed; give all as text or all as numbers"),
            ({"y": ["calm"] * 8}, ValueError, "inconsistent numbers of samples"),
            ({"groups": ["S01"]}, ValueError, "groups has 1 entries for 9 clips"),
        ],
        ids=["channels", "kind of labels", "number of labels", "groups"],
    )
    def test_wrong_input_changes_nothing(self, lasting, people, refuses, change, error, message):
        classifier = STF2MClassifier(pretrained=lasting).fit(people.views, people.target)
        given = {"X": people.new_views, "y": people.new_target, "groups": None} | change
        again = copy.copy(classifier)
        refuses(again, error, message, lambda: again.fit(**given))

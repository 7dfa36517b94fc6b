"""Priors, and the forms in which a classifier gives its answer."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax, softmax

import stf2m_sk
from stf2m_sk.priors import class_priors

CLASSES = np.array(["anger", "joy", "zest"])


def with_priors(classifier, priors):
    """A fitted classifier with other priors, without fitting it again."""
    changed = copy.copy(classifier)
    read = class_priors(priors, classifier.population_classes_)
    changed.model_ = replace(classifier.model_, priors=read)
    return changed


class TestAnswers:
    def test_probabilities_are_the_softmax_of_the_decision(self, lasting, people):
        decision = lasting.decision_function(people.views)
        assert decision.shape == (len(people.views), 3)
        assert_allclose(lasting.predict_proba(people.views), softmax(decision, axis=1), rtol=1e-12)
        assert_allclose(
            lasting.predict_log_proba(people.views), log_softmax(decision, axis=1), rtol=1e-9
        )

    def test_with_two_classes_it_is_one_number(self, fitted_on_array, arrays):
        decision = fitted_on_array.decision_function(arrays.X)
        probabilities = fitted_on_array.predict_proba(arrays.X)
        assert decision.shape == (len(arrays.X),)
        assert_allclose(1 / (1 + np.exp(-decision)), probabilities[:, 1], rtol=1e-10)
        expected = fitted_on_array.classes_[(decision > 0).astype(int)]
        assert_array_equal(fitted_on_array.predict(arrays.X), expected)

    def test_logarithms_do_not_underflow(self, lasting, people):
        fitted = with_priors(lasting, [1e-300, 0.5, 0.5])
        single = people.new_views.astype(np.float32)
        assert fitted.predict_proba(single)[:, 0].max() == 0
        logs = fitted.predict_log_proba(single)
        assert logs.dtype == np.float32
        assert np.isfinite(logs).all()
        assert (logs[:, 0] < -600).all()


class TestPriors:
    @settings(max_examples=20, deadline=None)
    @given(priors=st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
    def test_follow_bayes(self, lasting, people, priors):
        priors = np.array(priors) / np.sum(priors)
        plain = lasting.predict_proba(people.new_views)
        answer = with_priors(lasting, priors).predict_proba(people.new_views)
        expected = plain * priors
        assert_allclose(answer, expected / expected.sum(1, keepdims=True), rtol=1e-9)

    def test_hold_for_meta_training_too(self, quick, people):
        priors = {"emotion_0": 0.7, "emotion_1": 0.2, "emotion_2": 0.1}
        plain = quick().fit(people.views, people.target).predict_proba(people.new_views)
        fitted = quick(priors=priors).fit(people.views, people.target)
        expected = plain * [0.7, 0.2, 0.1]
        expected /= expected.sum(1, keepdims=True)
        assert_allclose(fitted.predict_proba(people.new_views), expected, rtol=1e-9)
        listed = quick(priors=[0.7, 0.2, 0.1]).fit(people.views, people.target)
        assert_array_equal(
            listed.predict_proba(people.new_views), fitted.predict_proba(people.new_views)
        )

    def test_go_with_the_label_in_adapt(self, quick, people):
        fitted = quick(priors=[0.6, 0.3, 0.1]).fit(people.views, people.target)
        plain = quick().fit(people.views, people.target)
        wanted = ["awe", "emotion_2", "emotion_1"]
        labels = np.where(people.new_target == "emotion_0", "awe", people.new_target)
        given = {"classes": wanted, "unlabelled": people.new_views}
        answer = fitted.adapt(people.new_views, labels, **given)
        expected = plain.adapt(people.new_views, labels, **given)
        expected = expected.predict_proba(people.views) * [1 / 3, 0.3, 0.1]
        expected /= expected.sum(1, keepdims=True)
        assert answer.classes_.tolist() == sorted(wanted)
        assert_allclose(answer.predict_proba(people.views), expected, rtol=1e-9)

    def test_of_an_emotion_still_to_come(self):
        read = class_priors({"anger": 0.2, "awe": 0.25, "joy": 0.25, "zest": 0.3}, CLASSES)
        found = np.exp(read.of(np.array(["awe", "bored", "zest", "zzz"])))
        assert_allclose(found, [1.0, 1.0, 1.2, 1.0])

    @pytest.mark.parametrize("labels", ["text", "numbers"])
    def test_survive_a_file(self, quick, arrays, tmp_path, labels):
        y = arrays.y if labels == "text" else np.repeat([0, 1], 12)
        given = [{0: 0.25, 1: 0.75}, np.array([0.25, 0.75])]
        if labels == "text":
            given = [{"calm": 0.5, "tense": 0.2, "zest": 0.3}, [0.25, 0.75]]
        for priors in given:
            fitted = quick(priors=priors, n_patterns=0).fit(arrays.X, y)
            fitted.save(tmp_path / "model")
            loaded = stf2m_sk.load(tmp_path / "model")
            assert loaded.priors == (priors if isinstance(priors, dict) else list(priors))
            assert_array_equal(loaded.predict_proba(arrays.X), fitted.predict_proba(arrays.X))

    @pytest.mark.parametrize(
        ("priors", "message"),
        [
            ([0.5, 0.5], r"priors have shape \(2,\); expected one for each of the 3 classes"),
            ([0.5, 0.5, 0.5], "The sum of the priors should be 1, given 1.5"),
            ([1.5, -0.5, 0.0], "priors must be positive"),
            ([0.5, 0.5, np.nan], "priors must be positive"),
            ({"anger": 1.0}, r"priors lack the classes \['joy', 'zest'\]"),
            ({"anger": 0.5, 1: 0.5}, r"priors lack the classes \['joy', 'zest'\]"),
            ({"anger": 0.5, "joy": 0.2, "zest": 0.2, 1: 0.1}, "priors name text and numbers"),
        ],
    )
    def test_that_make_no_sense(self, priors, message):
        with pytest.raises((TypeError, ValueError), match=message):
            class_priors(priors, CLASSES)

    def test_that_make_no_sense_leave_the_classifier(self, fitted_on_array, arrays, refuses):
        fitted_on_array.set_params(priors=[0.5, 0.6])
        refuses(
            fitted_on_array,
            ValueError,
            "The sum of the priors",
            lambda: fitted_on_array.fit(arrays.X, arrays.y),
        )

    def test_classes_count_alike_however_many_clips_they_have(self, quick):
        # No information at all, and enough clips not to learn them by heart: the prior remains.
        generator = np.random.default_rng(0)
        X, y = generator.normal(size=(900, 1, 4)), np.repeat(["many", "few"], [750, 150])
        fitted = quick(n_kernels=4).fit(X, y)
        answer = fitted.predict_proba(generator.normal(size=(300, 1, 4)))
        assert abs(answer[:, 0].mean() - 0.5) < 0.1  # the share of "few" is 0.17

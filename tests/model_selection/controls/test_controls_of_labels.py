"""Controls that look at labels alone, against scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from stf2m_sk.model_selection import (
    MajorityControl,
    NearestInTimeControl,
    StimulusPriorControl,
)

LABELS = np.array(["calm", "fear", "joy"])


def blank(n):
    """X without any information."""
    return np.zeros((n, 1))


class TestMajority:
    def test_is_scikit_learns_dummy(self):
        y = np.random.default_rng(0).choice(LABELS, size=30, p=[0.2, 0.5, 0.3])
        dummy = DummyClassifier(strategy="prior").fit(blank(30), y)
        control = MajorityControl().fit(blank(30), y)
        np.testing.assert_array_equal(control.predict(blank(5)), dummy.predict(blank(5)))
        np.testing.assert_allclose(control.predict_proba(blank(5)), dummy.predict_proba(blank(5)))

    def test_adapts_to_the_support(self):
        population = MajorityControl().fit(blank(3), ["joy", "joy", "calm"])
        before = population.predict_proba(blank(1))
        person = population.adapt(blank(3), ["calm", "fear", "fear"])
        assert person.classes_.tolist() == ["calm", "fear"]
        # Counts 1 and 2; of these the population knows calm only, which adds its half a clip.
        np.testing.assert_allclose(person.predict_proba(blank(1)), [[1.5 / 3.5, 2 / 3.5]])
        np.testing.assert_array_equal(population.predict_proba(blank(1)), before)

    def test_a_tie_goes_to_the_population(self):
        population = MajorityControl().fit(blank(3), ["joy", "joy", "calm"])
        assert population.adapt(blank(2), ["calm", "joy"]).predict(blank(1)) == ["joy"]

    def test_a_class_without_a_clip_has_the_populations_share(self):
        population = MajorityControl().fit(blank(4), ["joy", "joy", "joy", "calm"])
        person = population.adapt(blank(1), ["calm"], classes=["joy", "calm", "awe"])
        assert person.classes_.tolist() == ["awe", "calm", "joy"]
        np.testing.assert_allclose(person.predict_proba(blank(1)), [[0, 1.125 / 1.5, 0.375 / 1.5]])

    def test_only_new_emotions(self):
        population = MajorityControl().fit(blank(2), ["joy", "calm"])
        person = population.adapt(blank(3), ["awe", "awe", "grief"])
        np.testing.assert_allclose(person.predict_proba(blank(1)), [[2.25 / 3.5, 1.25 / 3.5]])

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.sampled_from("abcd"), min_size=1), st.lists(st.sampled_from("bcde")))
    def test_laws(self, support, population):
        control = MajorityControl().fit(blank(len(population) + 1), [*population, "b"])
        person = control.adapt(blank(len(support)), support)
        shares = person.predict_proba(blank(2))
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert support.count(person.predict(blank(1))[0]) == max(map(support.count, support))
        swapped = control.adapt(blank(len(support)), support[::-1])
        np.testing.assert_array_equal(swapped.predict_proba(blank(2)), shares)
        again = person.adapt(blank(len(support)), support)  # from the population, not from both
        np.testing.assert_array_equal(again.predict_proba(blank(2)), shares)


class TestStimulusPrior:
    @pytest.fixture
    def data(self):
        generator = np.random.default_rng(0)
        return (
            generator.choice(LABELS, size=60),
            generator.choice(["dogs", "kids", "rain"], size=60),
            generator.choice(["ann", "bob", "cy", "dee"], size=60),
        )

    def test_against_a_loop(self, data):
        y, contexts, people = data
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts, groups=people)
        prior = np.array([(y == label).mean() for label in LABELS])
        for given_groups in (None, people):
            shares = control.predict_proba(blank(60), contexts=contexts, groups=given_groups)
            for row in range(60):
                others = contexts == contexts[row]
                if given_groups is not None:
                    others &= people != people[row]
                counts = np.array([(y[others] == label).sum() for label in LABELS])
                expected = (counts + prior / 2) / (counts.sum() + 0.5)
                np.testing.assert_allclose(shares[row], expected)

    def test_an_unseen_context_is_predicted_from_the_population(self, data):
        y, contexts, _ = data
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts)
        majority = MajorityControl().fit(blank(60), y)
        shares = control.predict_proba(blank(1), contexts=["unheard of"])
        np.testing.assert_allclose(shares, majority.predict_proba(blank(1)))

    def test_adapt_changes_the_classes_only(self, data):
        y, contexts, _ = data
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts)
        one = control.adapt(blank(2), ["fear", "joy"])
        other = control.adapt(blank(3), ["joy", "joy", "joy"], classes=["joy", "fear"])
        assert one.classes_.tolist() == other.classes_.tolist() == ["fear", "joy"]
        shares = one.predict_proba(blank(60), contexts=contexts)
        np.testing.assert_array_equal(shares, other.predict_proba(blank(60), contexts=contexts))
        np.testing.assert_allclose(shares.sum(axis=1), 1)
        assert control.classes_.tolist() == LABELS.tolist()

    def test_a_new_emotion_is_never_predicted(self, data):
        y, contexts, _ = data
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts)
        shares = control.adapt(blank(2), ["awe", "joy"]).predict_proba(
            blank(2), contexts=contexts[:2]
        )
        assert (shares[:, 0] == 0).all()

    def test_numbers_as_contexts(self):
        control = StimulusPriorControl().fit(blank(2), [1, 2], contexts=[7, 9])
        assert control.predict(blank(3), contexts=[9, 7, 9]).tolist() == [2, 1, 2]

    def test_needs_contexts(self, data):
        y, contexts, _ = data
        with pytest.raises(ValueError, match=r"`contexts` is not given; expected the stimulus"):
            StimulusPriorControl().fit(blank(60), y)
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts)
        for method in (control.predict, control.predict_proba):
            with pytest.raises(ValueError, match=r"`contexts` is not given; .* pass contexts="):
                method(blank(1))

    def test_needs_groups_at_fit(self, data):
        y, contexts, people = data
        control = StimulusPriorControl().fit(blank(60), y, contexts=contexts)
        with pytest.raises(ValueError, match="give `groups` to fit too"):
            control.predict(blank(60), contexts=contexts, groups=people)

    def test_one_context_for_each_clip(self, data):
        with pytest.raises(ValueError, match=r"contexts has the shape \(59,\); expected one"):
            StimulusPriorControl().fit(blank(60), data[0], contexts=data[1][:59])
        with pytest.raises(ValueError, match=r"contexts holds NaN or None .* first at clip 1"):
            StimulusPriorControl().fit(blank(2), ["joy", "fear"], contexts=["dogs", None])


class TestNearestInTime:
    def test_is_one_nearest_neighbour_on_the_time(self):
        generator = np.random.default_rng(0)
        y, times = generator.choice(LABELS, size=20), generator.uniform(size=20)
        asked = generator.uniform(size=50)
        control = NearestInTimeControl().fit(blank(20), y).adapt(blank(20), y, times=times)
        neighbour = KNeighborsClassifier(1).fit(times[:, None], y)
        np.testing.assert_array_equal(
            control.predict(blank(50), times=asked), neighbour.predict(asked[:, None])
        )

    def test_without_support_it_is_the_majority(self):
        y = ["joy", "joy", "calm"]
        control = NearestInTimeControl().fit(blank(3), y)
        majority = MajorityControl().fit(blank(3), y)
        np.testing.assert_array_equal(
            control.predict_proba(blank(2)), majority.predict_proba(blank(2))
        )

    def test_the_copied_label_counts_as_a_clip(self):
        control = NearestInTimeControl().fit(blank(4), ["joy", "joy", "joy", "calm"])
        person = control.adapt(blank(2), ["calm", "joy"], times=[0, 10])
        np.testing.assert_allclose(
            person.predict_proba(blank(1), times=[1]), [[1.125 / 1.5, 0.375 / 1.5]]
        )

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 12))
    def test_the_order_of_rows_does_not_matter(self, seed, n):
        generator = np.random.default_rng(seed)
        y, times = generator.choice(LABELS, size=n), generator.integers(6, size=n)
        asked, order = generator.integers(6, size=9), generator.permutation(n)
        control = NearestInTimeControl().fit(blank(3), LABELS)
        one = control.adapt(blank(n), y, times=times)
        other = control.adapt(blank(n), y[order], times=times[order])
        prediction = one.predict(blank(9), times=asked)
        np.testing.assert_array_equal(prediction, other.predict(blank(9), times=asked))
        later = control.adapt(blank(n), y, times=times + 100)
        np.testing.assert_array_equal(prediction, later.predict(blank(9), times=asked + 100))

    def test_refuses_without_times(self):
        control = NearestInTimeControl().fit(blank(2), ["calm", "joy"])
        with pytest.raises(ValueError, match=r"`times` is not given; .*the order of the rows is"):
            control.adapt(blank(2), ["calm", "joy"])
        person = control.adapt(blank(2), ["calm", "joy"], times=[0, 1])
        for method in (person.predict, person.predict_proba):
            with pytest.raises(ValueError, match="`times` is not given"):
                method(blank(2))

    @pytest.mark.parametrize(
        ("times", "message"),
        [
            ([0, np.inf], "times contains infinity"),
            (["09:00", "09:30"], "could not convert string to float: .*09:00"),
        ],
    )
    def test_what_is_no_time(self, times, message):
        control = NearestInTimeControl().fit(blank(2), ["calm", "joy"])
        with pytest.raises(ValueError, match=message):
            control.adapt(blank(2), ["calm", "joy"], times=times)


class TestAdaptRefuses:
    @pytest.fixture(params=[MajorityControl, StimulusPriorControl, NearestInTimeControl])
    def control(self, request):
        more = {"contexts": LABELS} if request.param is StimulusPriorControl else {}
        return request.param().fit(blank(3), LABELS, **more)

    def test_before_fit(self, control):
        with pytest.raises(NotFittedError):
            clone(control).adapt(blank(1), ["joy"])

    def test_classes_that_lack_a_label(self, control):
        with pytest.raises(ValueError, match=r"`classes` lacks: \['joy'\]. Add them"):
            control.adapt(blank(2), ["joy", "fear"], classes=["fear"])

    def test_numbers_for_text(self, control):
        with pytest.raises(TypeError, match="text and numbers, which cannot be mixed"):
            control.adapt(blank(2), [0, 1])

    def test_lengths(self, control):
        with pytest.raises(ValueError, match="X has 3 clips, y has 2 labels"):
            control.adapt(blank(3), ["joy", "fear"])

    def test_modalities_of_different_lengths(self, control):
        X = {"eda": np.zeros((2, 1, 3)), "hr": np.zeros((1, 1, 3))}
        with pytest.raises(ValueError, match=r"differ in their number of clips: \[1, 2\]"):
            control.adapt(X, ["joy", "fear"])

    def test_no_labels(self, control):
        with pytest.raises(ValueError, match=r"Control estimator requires y to be passed"):
            control.adapt(blank(3), None)

    def test_no_clips(self, control):
        with pytest.raises(ValueError, match=r"0 sample\(s\). Give at least 1 label"):
            control.adapt(blank(0), np.array([], dtype=str))

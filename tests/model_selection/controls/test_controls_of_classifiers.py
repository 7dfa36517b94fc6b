"""Controls made of a classifier, and what must not change in it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from stf2m_sk.model_selection import (
    PopulationOnly,
    ShuffledLabels,
)

LABELS = np.array(["calm", "fear", "joy"])


def blank(n):
    """X without any information."""
    return np.zeros((n, 1))


class Recorder(ClassifierMixin, BaseEstimator):
    """Writes down with which labels it is fitted and adapted; `adapt` is as STF2MClassifier's."""

    def fit(self, X, y, *, groups=None):
        self.fitted_y_, self.groups_, self.classes_ = y, groups, np.unique(y)
        return self

    def adapt(self, X, y, classes=None):
        adapted = clone(self).fit(X, self.fitted_y_, groups=self.groups_)
        adapted.support_y_, adapted.classes_ = y, np.unique(y if classes is None else classes)
        return adapted

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class TestShuffledLabels:
    def test_the_population_keeps_its_labels(self):
        y = np.repeat(LABELS, 10)
        control = ShuffledLabels(Recorder(), random_state=0).fit(blank(30), y, groups=y)
        np.testing.assert_array_equal(control.estimator_.fitted_y_, y)
        np.testing.assert_array_equal(control.estimator_.groups_, y)

    def test_the_support_is_permuted(self):
        y, X = np.repeat(LABELS, 10), np.random.default_rng(0).normal(size=(30, 2))
        control = ShuffledLabels(Recorder(), random_state=0).fit(X, y)
        person = control.adapt(X, y, classes=[*LABELS, "awe"])
        given = person.estimator_.support_y_
        assert sorted(given) == sorted(y)
        assert 0 < (given == y).mean() < 0.7
        assert person.classes_.tolist() == ["awe", *LABELS]
        assert not hasattr(control.estimator_, "support_y_")

    def test_without_adapt_the_labels_of_fit_are(self):
        generator = np.random.default_rng(0)
        y = np.repeat([0, 1], 200)
        X = generator.normal(size=(400, 1)) + 6 * y[:, None]
        control = ShuffledLabels(LogisticRegression(), random_state=0).fit(X, y)
        assert not hasattr(control, "adapt")
        assert LogisticRegression().fit(X, y).score(X, y) > 0.99
        assert abs(np.corrcoef(X[:, 0], control.predict_proba(X)[:, 1])[0, 1]) > 0.9
        assert np.ptp(control.predict_proba(X)[:, 1]) < 0.4  # it has learned next to nothing

    def test_the_permutation_depends_on_seed_and_clips_alone(self):
        y, generator = np.arange(40), np.random.default_rng(0)
        one, other = generator.normal(size=(2, 40, 1, 5))
        control = ShuffledLabels(Recorder(), random_state=3).fit(one, y)

        def permuted(control, X):
            return control.adapt(X, y).estimator_.support_y_.tolist()

        first = permuted(control, one)
        assert permuted(control, other) != first
        assert permuted(control, one) == first
        assert permuted(control, np.asfortranarray(one)) == first
        assert permuted(control, {"eda": one}) == first
        assert permuted(clone(control).set_params(random_state=4).fit(one, y), one) != first

    def test_a_random_state_is_asked_anew(self):
        control = ShuffledLabels(Recorder(), random_state=np.random.RandomState(0))
        control.fit(blank(40), np.arange(40))
        draws = [control.adapt(blank(40), np.arange(40)).estimator_.support_y_ for _ in range(2)]
        assert draws[0].tolist() != draws[1].tolist()

    def test_global_generator_is_left_alone(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        ShuffledLabels(Recorder()).fit(blank(9), np.arange(9)).adapt(blank(9), np.arange(9))
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    def test_all_permutations_are_as_likely(self):
        X = np.random.default_rng(0).normal(size=(3000, 3, 1))
        control = ShuffledLabels(Recorder(), random_state=0).fit(X[0], np.arange(3))
        drawn = [tuple(control.adapt(x, np.arange(3)).estimator_.support_y_) for x in X]
        counts = np.unique(drawn, axis=0, return_counts=True)[1]
        assert len(counts) == 6
        assert abs(counts - 500).max() < 5 * np.sqrt(500)

    def test_lengths(self):
        control = ShuffledLabels(Recorder(), random_state=0).fit(blank(3), LABELS)
        with pytest.raises(ValueError, match="X has 3 clips, y has 2 labels"):
            control.adapt(blank(3), ["joy", "fear"])
        with pytest.raises(ValueError, match="requires y to be passed"):
            control.adapt(blank(3), None)

    def test_no_classifier(self):
        with pytest.raises(ValueError, match="The 'estimator' parameter of ShuffledLabels must be"):
            ShuffledLabels("logistic").fit(blank(3), LABELS)


class TestPopulationOnly:
    def test_adapt_changes_nothing(self):
        control = PopulationOnly(Recorder()).fit(blank(3), LABELS, groups=LABELS)
        assert control.adapt(blank(1), ["awe"], classes=["awe", "joy"]) is control
        assert control.classes_.tolist() == LABELS.tolist()
        assert not hasattr(control.estimator_, "support_y_")

    def test_predictions_as_its_estimator(self):
        generator = np.random.default_rng(0)
        X, y = generator.normal(size=(30, 2)), generator.choice(LABELS, size=30)
        control = PopulationOnly(LogisticRegression()).fit(X, y, groups=y)
        alone = LogisticRegression().fit(X, y)
        np.testing.assert_array_equal(control.predict_proba(X), alone.predict_proba(X))
        np.testing.assert_array_equal(control.predict(X), alone.predict(X))

    def test_has_probabilities_only_where_its_estimator_has(self):
        assert not hasattr(PopulationOnly(Recorder()), "predict_proba")

    def test_before_fit(self):
        with pytest.raises(NotFittedError):
            PopulationOnly(LogisticRegression()).adapt(blank(1), ["joy"])

    def test_of_the_real_thing(self, fitted, people):
        # A frozen classifier survives the clone of the wrapper.
        from sklearn.frozen import FrozenEstimator

        control = PopulationOnly(FrozenEstimator(fitted)).fit(people.views, people.target)
        person = control.adapt(people.new_views, people.new_target)
        np.testing.assert_array_equal(
            person.predict_proba(people.new_views), fitted.predict_proba(people.new_views)
        )

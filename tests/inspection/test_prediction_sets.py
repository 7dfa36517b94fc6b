"""PredictionSets: coverage over people, where people differ and have unequal numbers of clips."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import CoverageError, PredictionSets

SMALL = {"n_networks": 0, "n_kernels": 40, "n_patterns": 16, "random_state": 0}


class Told(ClassifierMixin, BaseEstimator):
    """Reads the probability of class 1 off the clip; counts what it is fitted and adapted to."""

    def fit(self, X, y, *, groups=None):
        self.classes_, self.people_, self.support_ = np.array([0, 1]), set(groups), None
        return self

    def adapt(self, X, y):
        adapted = clone(self).fit(X, y, groups=self.people_)
        adapted.support_ = np.bincount(y, minlength=2).tolist()
        return adapted

    def predict_proba(self, X):
        one = X["p"][:, 0, 0].astype(float)
        return np.stack([1 - one, one], axis=1)


def people_of(n_people, generator, clips=None):
    """The more clips, the easier the person: pooling clips would promise too much."""
    X, y, groups = [], [], []
    for person in range(n_people):
        easy = generator.random() < 0.5
        n = clips or (40 if easy else 4)
        own = generator.integers(2, size=n)
        sure = generator.uniform(0.5, 1.0, size=n)
        right = generator.random(n) < (0.98 if easy else 0.6)
        X.append(np.where(own == right, sure, 1 - sure))
        y.append(own)
        groups.append(np.full(n, person))
    X = {"p": np.concatenate(X)[:, None, None]}
    return X, np.concatenate(y), np.concatenate(groups)


def frozen():
    return FrozenEstimator(Told().fit(None, None, groups=["somebody else"]))


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_a_new_person_is_covered_as_promised(level):
    generator = np.random.default_rng(0)
    covered, pooled = [], []
    for _ in range(300):
        X, y, groups = people_of(12, generator)
        sets = PredictionSets(frozen(), level=level, random_state=0).fit(X, y, groups=groups)
        new, label, _ = people_of(1, generator)
        inside = sets.predict_set(new)
        covered.append(inside[np.arange(len(label)), label].mean())
        scores = np.concatenate(list(sets.scores_.values()))
        score = 1 - Told.predict_proba(None, new)[np.arange(len(label)), label]
        pooled.append((score <= np.quantile(scores, level)).mean())
    error = 3 * np.std(covered) / np.sqrt(300)
    assert abs(np.mean(covered) - level) < 0.02 + error
    assert np.mean(pooled) < np.mean(covered) - 0.03  # what counting clips alike would give


def test_labels_up_to_the_threshold_are_inside():
    X, y, groups = people_of(6, np.random.default_rng(0), clips=8)
    sets = PredictionSets(frozen(), level=0.8, random_state=0).fit(X, y, groups=groups)
    smaller = sets.threshold_
    probabilities = Told.predict_proba(None, X)
    assert (sets.predict_set(X) == (1 - probabilities <= smaller)).all()
    inside = np.mean([(scores <= smaller).mean() for scores in sets.scores_.values()])
    assert inside >= 0.8
    assert sets.set_params(level=0.5).threshold_ < smaller


def test_no_more_is_promised_than_people_allow():
    X, y, groups = people_of(5, np.random.default_rng(0), clips=8)
    with pytest.raises(CoverageError, match=r"level=0\.9 .* 5 calibration people: .* 0\.833"):
        PredictionSets(frozen(), level=0.9).fit(X, y, groups=groups)
    sets = PredictionSets(frozen(), level=5 / 6).fit(X, y, groups=groups)
    sets.set_params(level=0.84)
    with pytest.raises(CoverageError):
        sets.predict_set(X)


def test_calibration_people_are_not_trained_on(monkeypatch):
    seen = []

    def predict_proba(self, X):
        seen.append((self.people_, len(X["p"])))
        return np.full((len(X["p"]), 2), 0.5)

    monkeypatch.setattr(Told, "predict_proba", predict_proba)
    X, y, groups = people_of(6, np.random.default_rng(0), clips=8)
    sets = PredictionSets(Told(), level=0.8, cv=3, random_state=0).fit(X, y, groups=groups)
    assert [len(people) for people, _ in seen] == [4] * 6
    assert sets.classifier_.people_ == set(groups.tolist())
    assert sorted(sets.scores_) == list(range(6))


def test_people_are_adapted_to_as_many_clips_as_will_be_known(monkeypatch):
    supports = []

    def predict_proba(self, X):
        supports.append(self.support_)
        return np.full((len(X["p"]), 2), 0.5)

    monkeypatch.setattr(Told, "predict_proba", predict_proba)
    X, y, groups = people_of(6, np.random.default_rng(0), clips=40)
    sets = PredictionSets(Told(), level=0.8, n_shots=2, cv=3).fit(X, y, groups=groups)
    assert supports == [[2, 2]] * len(supports) and len(supports) >= 6
    with pytest.raises(ValueError, match="call adapt"):
        sets.predict_set(X)
    known = {"p": X["p"][:4]}
    person = sets.adapt(known, np.array([0, 1, 0, 1]))
    assert person.predict_set(X).shape == (len(y), 2)
    with pytest.raises(ValueError, match="call adapt"):
        sets.predict_set(X)
    with pytest.warns(UserWarning, match=r"n_shots=2 .* \{0: 1, 1: 3\}"):
        sets.adapt(known, np.array([0, 1, 1, 1]))


def test_an_emotion_that_is_not_answered_with_counts_as_missed():
    X, y, groups = people_of(6, np.random.default_rng(0), clips=8)
    y = np.where(groups == 0, 7, y)
    sets = PredictionSets(frozen(), level=0.8).fit(X, y, groups=groups)
    assert np.isinf(sets.scores_[0]).all() and np.isfinite(sets.scores_[1]).all()


def test_of_the_classifier_itself():
    data = make_emotion_views(n_people=24, n_clips_per_emotion=4, random_state=0)
    new = np.isin(data.groups, np.unique(data.groups)[-10:])
    sets = PredictionSets(STF2MClassifier(**SMALL), level=0.8, cv=3, random_state=0)
    sets.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    inside = sets.predict_set(data.views[new])
    covered = inside[np.arange(new.sum()), np.searchsorted(sets.classes_, data.target[new])]
    assert 0.7 < covered.mean() < 0.92
    assert 1 < inside.sum(axis=1).mean() < 3.5


def test_refusals():
    X, y, groups = people_of(6, np.random.default_rng(0), clips=8)
    with pytest.raises(NotFittedError):
        PredictionSets(Told()).predict_set(X)
    with pytest.raises(ValueError, match="level"):
        PredictionSets(Told(), level=1.0).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="groups"):
        PredictionSets(Told()).fit(X, y, groups=groups[:3])

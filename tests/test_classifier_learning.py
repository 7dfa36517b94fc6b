"""STF2MClassifier learns: planted truths, people it has never seen, generous margins."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.utils import Bunch

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views

N_SHOTS = 4
N_TEST = 3  # people
SMALL = {"n_networks": 0, "n_kernels": 60, "n_patterns": 32, "random_state": 0}


def easy_people(**knobs):
    """Skin and voice of eight people, the last of whom are to be recognised."""
    knobs = {"n_emotions": 3, "noise": 0.5, "ambiguity": 0, "random_state": 0} | knobs
    data = make_emotion_views(n_people=8, n_clips_per_emotion=8, **knobs)
    names = np.unique(data.groups)
    return Bunch(
        views=data.views.select("skin", "voice"),
        target=data.target,
        groups=data.groups,
        emotions=data.target_names,
        old=np.isin(data.groups, names[:-N_TEST]),
        new_people=names[-N_TEST:],
    )


def support_and_query(data, person):
    """The first clips of each emotion of a person, and all others."""
    rows = np.flatnonzero(data.groups == person)
    support = np.concatenate([rows[data.target[rows] == e][:N_SHOTS] for e in data.emotions])
    return support, np.setdiff1d(rows, support)


def accuracies(classifier, data):
    """Mean accuracy on new people after 0 and after a few shots."""
    zero, few = [], []
    for person in data.new_people:
        support, query = support_and_query(data, person)
        adapted = classifier.adapt(data.views[support], data.target[support])
        zero.append(classifier.score(data.views[query], data.target[query]))
        few.append(adapted.score(data.views[query], data.target[query]))
    return np.mean(zero), np.mean(few)


def fit(data, rows):
    classifier = STF2MClassifier(**SMALL)
    return classifier.fit(data.views[rows], data.target[rows], groups=data.groups[rows])


class TestNewPeople:
    def test_zero_shots_are_well_above_chance(self):
        data = easy_people(person_shift=0.5)
        zero, few = accuracies(fit(data, data.old), data)
        chance = DummyClassifier().fit(data.views, data.target).score(data.views, data.target)
        assert zero > chance + 0.25
        assert few > 0.8

    def test_a_few_shots_help_where_people_differ(self):
        data = easy_people(person_shift=3.0)
        zero, few = accuracies(fit(data, data.old), data)
        assert few > zero + 0.1
        assert few > 0.7


@pytest.fixture(scope="module")
def with_a_new_emotion():
    """Recordings of four emotions, and a classifier that has seen three of them."""
    data = easy_people(n_emotions=4)
    return data, fit(data, data.old & (data.target != "emotion_3"))


class TestNewEmotions:
    def test_are_recognised_after_a_few_clips(self, with_a_new_emotion):
        data, classifier = with_a_new_emotion
        assert "emotion_3" not in classifier.classes_
        hits, false_alarms, right = [], [], []
        for person in data.new_people:
            support, query = support_and_query(data, person)
            adapted = classifier.adapt(
                data.views[support], data.target[support], classes=data.emotions
            )
            is_new = data.target[query] == "emotion_3"
            said = adapted.predict(data.views[query])
            hits.append((said[is_new] == "emotion_3").mean())
            false_alarms.append((said[~is_new] == "emotion_3").mean())
            right.append((said == data.target[query]).mean())
        assert np.mean(hits) > 0.5
        assert np.mean(false_alarms) < 0.25
        assert np.mean(right) > 0.6  # chance is 0.25

    def test_what_has_no_clips_is_answered_from_the_population(self, with_a_new_emotion):
        data, classifier = with_a_new_emotion
        right = []
        for person in data.new_people:
            support, query = support_and_query(data, person)
            support = support[data.target[support] == "emotion_0"]
            adapted = classifier.adapt(
                data.views[support], data.target[support], classes=classifier.classes_
            )
            rest = query[np.isin(data.target[query], ["emotion_1", "emotion_2"])]
            right.append(adapted.score(data.views[rest], data.target[rest]))
        assert np.mean(right) > 0.5  # chance is 1 / 3, and 0 for the label of the support


class TestUnlabelledClips:
    def test_help_where_people_differ(self):
        data = easy_people(person_shift=10.0)
        classifier = fit(data, data.old)
        plain, own = [], []
        for person in data.new_people:
            support, query = support_and_query(data, person)
            adapted = classifier.adapt(unlabelled=data.views[support])
            plain.append(classifier.score(data.views[query], data.target[query]))
            own.append(adapted.score(data.views[query], data.target[query]))
        assert np.mean(own) > np.mean(plain) + 0.1


class TestNetworks:
    def test_learn_what_is_there(self):
        generator = np.random.default_rng(0)
        X = generator.normal(size=(160, 1, 40))
        y = np.tile(["calm", "tense"], 80)
        X[y == "tense"] += 1.5 * np.sin(np.arange(40))  # a tone
        classifier = STF2MClassifier(
            **SMALL | {"n_kernels": 1, "n_patterns": 0, "n_networks": 2, "hidden_dim": 8},
            max_epochs=6,
        )
        classifier.fit(X[:100], y[:100])
        assert classifier.score(X[100:], y[100:]) > 0.9
        for rows in classifier.history_:
            assert rows[-1]["train_loss"] < rows[0]["train_loss"]


class TestPlantedTruth:
    """Two emotions that differ in one thing alone, in white noise; no person's traits."""

    @pytest.mark.parametrize("truth", ["level of a channel", "channels together", "when"])
    def test_is_found(self, truth):
        generator = np.random.default_rng(5)
        X = generator.normal(size=(96, 2, 40))
        y = np.tile(["calm", "tense"], 48)
        tense = y == "tense"
        if truth == "level of a channel":
            X[tense, 1] += 1.0
        elif truth == "channels together":
            source = 1.5 * generator.normal(size=(96, 40))
            X[:, 0] += source
            X[:, 1] += np.where(tense[:, None], source, -source)
        else:
            X[tense, :, :12] += 1.5
            X[~tense, :, -12:] += 1.5
        classifier = STF2MClassifier(**SMALL).fit(X[:64], y[:64])
        assert classifier.score(X[64:], y[64:]) > 0.75

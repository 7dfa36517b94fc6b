"""Folds of new people and novel classes: disjoint, complete, seeded."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from stf2m_sk.model_selection import NewPersonNovelClassSplit, NewPersonSplit, NovelClassSplit

SEEDS = st.integers(0, 1000)


def recording(n_people=6, n_classes=4, n_clips=6):
    people = np.repeat(np.arange(n_people), n_classes * n_clips)
    labels = np.tile(np.repeat(list("abcdefgh")[:n_classes], n_clips), n_people)
    contexts = np.tile(np.arange(n_clips) % 3, n_people * n_classes)
    return labels, people, contexts


class TestNewPerson:
    @given(SEEDS, st.integers(2, 6))
    @settings(deadline=None)
    def test_everyone_is_new_once(self, seed, n_splits):
        labels, people, _ = recording()
        tested = []
        splitter = NewPersonSplit(n_splits, random_state=seed)
        for train, test in splitter.split(None, labels, people):
            assert not set(people[train]) & set(people[test])
            np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(labels)))
            tested += np.unique(people[test]).tolist()
        assert sorted(tested) == list(range(6))
        assert splitter.get_n_splits() == n_splits

    @given(SEEDS, st.sampled_from([0.2, 0.34, 0.5]), st.booleans())
    @settings(deadline=None)
    def test_calibration_is_apart_from_the_test(self, seed, share, with_contexts):
        labels, people, contexts = recording()
        contexts = contexts if with_contexts else None
        splitter = NewPersonSplit(3, calibration=share, random_state=seed)
        for train, test in splitter.split(None, labels, people, contexts=contexts):
            calibration = train[np.isin(people[train], people[test])]
            np.testing.assert_array_equal(train[len(train) - len(calibration) :], calibration)
            assert not set(calibration) & set(test)
            for person in np.unique(people[test]):
                own = calibration[people[calibration] == person]
                if with_contexts:
                    tested = contexts[test[people[test] == person]]
                    assert not set(contexts[own]) & set(tested)
                    assert len(set(contexts[own])) == int(3 * share)
                else:
                    assert len(own) == 4 * int(6 * share)

    def test_nothing_left_to_test(self):
        message = r"person 0 has 2 clip\(s\), none of which is left to test beside calibration=0.5"
        with pytest.raises(ValueError, match=message):
            list(
                NewPersonSplit(2, calibration=0.5, gap=5, random_state=0).split(
                    None, [0, 1, 0, 1], [0, 0, 1, 1]
                )
            )

    @pytest.mark.parametrize("share", [-0.1, 1, "half"])
    def test_share(self, share):
        with pytest.raises(ValueError, match="must be a share: at least 0 and below 1"):
            list(NewPersonSplit(2, calibration=share).split(None, [0, 1], [0, 1]))

    def test_groups_are_needed(self):
        with pytest.raises(ValueError, match="NewPersonSplit needs to know who was recorded"):
            list(NewPersonSplit().split(None, [0, 1]))

    def test_too_few_people(self):
        with pytest.raises(ValueError, match="there are 2 people, but 5 folds need 5: 1 for each"):
            list(NewPersonSplit().split(None, [0, 1], [0, 1]))

    def test_too_few_folds(self):
        with pytest.raises(ValueError, match="1 folds of people were requested"):
            list(NewPersonSplit(1).split(None, [0, 1], [0, 1]))

    def test_pickle_repr_and_grid_search(self):
        labels, people, _ = recording()
        X = np.random.default_rng(0).normal(size=(len(labels), 2))
        splitter = pickle.loads(pickle.dumps(NewPersonSplit(3, random_state=0)))
        assert repr(splitter).startswith("NewPersonSplit(calibration=0.0, gap=1, n_splits=3")
        search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=splitter)
        assert search.fit(X, labels, groups=people).n_splits_ == 3


class TestNovelClass:
    @given(SEEDS, st.integers(4, 8), st.integers(2, 4))
    @settings(deadline=None)
    def test_every_class_is_novel_once(self, seed, n_classes, n_splits):
        labels, _, _ = recording(n_classes=n_classes)
        splitter = NovelClassSplit(min(n_splits, n_classes // 2), random_state=seed)
        novel = []
        for train, test in splitter.split(None, labels):
            assert not set(labels[train]) & set(labels[test])
            assert len(train) + len(test) == len(labels)
            assert len(set(labels[test])) >= 2
            novel += np.unique(labels[test]).tolist()
        assert sorted(novel) == sorted(set(labels))

    def test_too_few_classes(self):
        with pytest.raises(ValueError, match="there are 3 classes, but 2 folds need 4: 2 for each"):
            list(NovelClassSplit().split(None, [0, 1, 2]))


class TestBoth:
    @given(SEEDS)
    @settings(deadline=None)
    def test_people_and_classes_are_new(self, seed):
        labels, people, _ = recording()
        splitter = NewPersonNovelClassSplit(3, 2, random_state=seed)
        pairs = list(splitter.split(None, labels, people))
        assert len(pairs) == splitter.get_n_splits() == 6
        for train, test in pairs:
            assert not set(labels[train]) & set(labels[test])
            assert not set(people[train]) & set(people[test])
        tested = np.sort(np.concatenate([test for _, test in pairs]))
        np.testing.assert_array_equal(tested, np.arange(len(labels)))

    def test_a_fold_without_clips(self):
        labels, people, _ = recording(n_people=2)
        keep = (people == 0) | (labels == "a")
        with pytest.raises(ValueError, match=r"training and \d+ test clips. Ask for fewer folds"):
            splitter = NewPersonNovelClassSplit(2, 2, random_state=0)
            list(splitter.split(None, labels[keep], people[keep]))

"""Folds of novel classes, of the same or of new people: disjoint, complete, seeded."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from stf2m_sk.model_selection import NovelClassSplit

SEEDS = st.integers(0, 1000)


def recording(n_people=6, n_classes=4, n_clips=6):
    people = np.repeat(np.arange(n_people), n_classes * n_clips)
    labels = np.tile(np.repeat(list("abcdefgh")[:n_classes], n_clips), n_people)
    contexts = np.tile(np.arange(n_clips) % 3, n_people * n_classes)
    return labels, people, contexts


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
        splitter = NovelClassSplit(2, n_person_splits=3, random_state=seed)
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
            splitter = NovelClassSplit(2, n_person_splits=2, random_state=0)
            list(splitter.split(None, labels[keep], people[keep]))

    def test_groups_are_needed(self):
        with pytest.raises(ValueError, match="new people need groups"):
            list(NovelClassSplit(n_person_splits=2).split(None, [0, 1]))

    def test_too_few_people(self):
        with pytest.raises(ValueError, match="there are 2 people, but 5 folds need 5: 1 for each"):
            list(NovelClassSplit(n_person_splits=5).split(None, [0, 1], [0, 1]))

    @pytest.mark.parametrize("n_splits", [1, True, 2.0])
    def test_too_few_folds(self, n_splits):
        with pytest.raises(ValueError, match="folds of classes were requested"):
            list(NovelClassSplit(n_splits).split(None, [0, 1, 2, 3]))


def test_pickle_repr_and_grid_search():
    labels, people, _ = recording()
    X = np.random.default_rng(0).normal(size=(len(labels), 2))
    splitter = pickle.loads(pickle.dumps(NovelClassSplit(n_person_splits=3, random_state=0)))
    assert repr(splitter) == "NovelClassSplit(n_person_splits=3, n_splits=2, random_state=0)"
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=splitter)
    assert search.fit(X, labels, groups=people).n_splits_ == 6

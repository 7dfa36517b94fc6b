"""The controls against scikit-learn and plain loops."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from stf2m_sk.demo.peers import majority, nearest_in_time, random_forest, summary_statistics
from stf2m_sk.demo.protocol import Episode
from stf2m_sk.views import Views


def episode(support, query):
    return Episode("ann", 1, np.array(support), np.array(query))


@pytest.fixture
def views():
    generator = np.random.default_rng(0)
    acc, hr = generator.normal(size=(30, 2, 8)), generator.normal(size=(30, 1, 5))
    acc[3, :, 5:] = np.nan
    hr[4] = np.nan
    return Views({"acc": acc, "hr": hr})


class TestMajority:
    def test_is_scikit_learns_dummy_on_the_training_rows(self):
        target = np.array(["joy"] * 5 + ["calm"] * 2 + ["fear"] * 9)
        train = np.arange(7)
        dummy = DummyClassifier(strategy="most_frequent").fit(train[:, None], target[train])
        query = np.arange(9, 14)
        answer = majority(target, train).answer(episode([], query))
        np.testing.assert_array_equal(answer, dummy.predict(query[:, None]))

    def test_needs_no_support(self):
        assert not majority(np.array([0, 1]), np.arange(2)).needs_support


class TestNearestInTime:
    def test_is_one_nearest_neighbour_on_the_place(self):
        target = np.random.default_rng(0).integers(0, 3, size=60)
        support, query = np.array([3, 20, 41, 56]), np.array([0, 11, 13, 30, 33, 49, 59])
        neighbour = KNeighborsClassifier(1).fit(support[:, None], target[support])
        answer = nearest_in_time(target, np.zeros(60)).answer(episode(support, query))
        np.testing.assert_array_equal(answer, neighbour.predict(query[:, None]))

    def test_people_may_be_interleaved(self):
        # Ann's clips are rows 0, 5, 6, 7: row 5 is one clip from row 0 and two from row 7,
        # though it stands nearer to row 7 in the file.
        groups = np.array(["ann", "bob", "bob", "bob", "bob", "ann", "ann", "ann"])
        target = np.array(["joy", "x", "x", "x", "x", "?", "?", "calm"])
        answer = nearest_in_time(target, groups).answer(episode([0, 7], [5, 6]))
        assert answer.tolist() == ["joy", "calm"]

    def test_says_nothing_without_support(self):
        assert nearest_in_time(np.array([0, 1]), np.array([0, 0])).needs_support


class TestSummaryStatistics:
    def test_against_numpy(self, views):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of rows of NaN
            expected = [
                statistic(views[name], axis=2)
                for name in ("acc", "hr")
                for statistic in (np.nanmean, np.nanstd, np.nanmin, np.nanmax)
            ]
        statistics = summary_statistics(views)
        np.testing.assert_allclose(statistics, np.concatenate(expected, axis=1), rtol=1e-12)
        assert np.isnan(statistics[4, -4:]).all()
        assert np.isnan(statistics).sum() == 4

    def test_large_offsets_keep_their_spread(self):
        signal = np.float32(1e4) + np.array([[[0.0, 1.0, 0.0, 1.0]]], dtype=np.float32)
        assert summary_statistics(Views({"hr": signal}))[0, 1] == pytest.approx(0.5, abs=1e-9)


class TestRandomForest:
    def test_is_scikit_learns_on_the_support(self, views):
        target = np.random.default_rng(1).choice(["calm", "fear", "joy"], size=30)
        support, query = np.arange(10), np.arange(12, 30)
        features = summary_statistics(views)
        luck = np.random.RandomState([5, *support])
        forest = RandomForestClassifier(200, class_weight="balanced", random_state=luck)
        forest.fit(features[support], target[support])
        answer = random_forest(views, target, seed=5).answer(episode(support, query))
        np.testing.assert_array_equal(answer, forest.predict(features[query]))

    def test_labels_that_are_numbers_written_as_text(self, views):
        target = np.array(["1", "10"] * 15)
        answer = random_forest(views, target, seed=0).answer(episode([0, 1, 2, 3], [7, 8]))
        assert set(answer) <= {"1", "10"}

    def test_a_modality_that_the_support_lacks(self):
        generator = np.random.default_rng(0)
        hr = np.full((12, 1, 5), np.nan)
        hr[6:] = 1.0
        eda = np.repeat([0.0, 9.0], 6)[[0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]][:, None, None]
        views = Views({"eda": eda + generator.normal(size=(12, 1, 5)), "hr": hr})
        target = np.array(["calm", "joy"] * 6)
        answer = random_forest(views, target, seed=0).answer(episode(range(4), range(6, 12)))
        np.testing.assert_array_equal(answer, target[6:])

    def test_says_nothing_without_support(self, views):
        assert random_forest(views, np.zeros(30), seed=0).needs_support

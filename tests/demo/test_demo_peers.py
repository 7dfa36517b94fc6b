"""The rows of the demo against scikit-learn and NumPy."""

import warnings

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator

from stf2m_sk import STF2MClassifier
from stf2m_sk.demo.peers import MODEL, UNLABELLED, make_peers, summary_statistics
from stf2m_sk.views import Views


@pytest.fixture
def views():
    generator = np.random.default_rng(0)
    acc, hr = generator.normal(size=(30, 2, 8)), generator.normal(size=(30, 1, 5))
    acc[3, :, 5:] = np.nan
    hr[4] = np.nan
    return Views({"acc": acc, "hr": hr})


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


class TestPeers:
    @pytest.fixture
    def peers(self):
        return {peer.name: peer for peer in make_peers(STF2MClassifier(), seed=5)}

    def test_the_classifier_is_not_fitted_again(self):
        classifier = STF2MClassifier()
        first, second, *_ = make_peers(classifier, seed=0)
        assert (first.name, second.name) == (MODEL, UNLABELLED)
        assert isinstance(first.classifier, FrozenEstimator)
        assert first.classifier.estimator is second.classifier.estimator is classifier

    def test_only_nearest_in_time_needs_support(self, peers):
        assert [name for name, peer in peers.items() if peer.needs_support] == ["nearest in time"]

    def test_forest_is_scikit_learns_on_the_statistics(self, views, peers):
        target = np.random.default_rng(1).choice(["calm", "fear", "joy"], size=30)
        support, query = np.arange(10), np.arange(12, 30)
        features = summary_statistics(views)
        forest = RandomForestClassifier(200, random_state=5).fit(features[support], target[support])
        found = peers["random forest"].classifier.fit(views[support], target[support])
        np.testing.assert_array_equal(found.predict(views[query]), forest.predict(features[query]))

    def test_forest_without_a_modality(self, peers):
        generator = np.random.default_rng(0)
        hr = np.full((12, 1, 5), np.nan)
        hr[6:] = 1.0
        eda = np.repeat([0.0, 9.0], 6)[[0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]][:, None, None]
        views = Views({"eda": eda + generator.normal(size=(12, 1, 5)), "hr": hr})
        target = np.array(["1", "10"] * 6)  # numbers written as text
        forest = peers["random forest"].classifier.fit(views[:4], target[:4])
        np.testing.assert_array_equal(forest.predict(views[6:]), target[6:])

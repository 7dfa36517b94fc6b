"""Principal components and what they leave out, against NumPy and scikit-learn in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from stf2m_sk.nn.components import Components

laws = settings(deadline=None, max_examples=50)
HALF = 1e-3  # of the directions, which are kept to half precision


def random_features(n_clips, n_features, *, missing=0.0, seed=0):
    """Features with means and correlations; a clip may lack the first third of them."""
    source = np.random.default_rng(seed)
    mixed = source.normal(size=(n_features, n_features))
    features = source.normal(size=(n_clips, n_features)) @ mixed + source.normal(size=n_features)
    features[source.random(n_clips) < missing, : -(-n_features // 3)] = np.nan
    return features


def calibrated(features, n_components, weight=None):
    n_features = features.shape[1]
    components = Components(n_features, n_components).double()
    weight = np.ones(n_features) if weight is None else weight
    components.calibrate(torch.from_numpy(features), torch.from_numpy(weight))
    return components


@st.composite
def cases(draw):
    """Features with gaps, weights, and how many components are kept of them."""
    n_clips, n_features = draw(st.integers(2, 12)), draw(st.integers(1, 10))
    seed = draw(st.integers(0, 10**6))
    features = random_features(
        n_clips, n_features, missing=draw(st.sampled_from([0.0, 0.4])), seed=seed
    )
    weight = np.random.default_rng(seed).uniform(0.1, 10, size=n_features)
    return features, draw(st.integers(1, 8)), weight


class TestCalibrate:
    @pytest.mark.parametrize("n_clips", [12, 200], ids=["fewer-clips", "more-clips"])
    def test_gives_the_principal_components_of_numpy(self, n_clips):
        n_features, n_kept = 24, 5
        source = np.random.default_rng(0)
        # A planted spectrum in which the kept directions stand out.
        spectrum = np.append(5.0 ** -np.arange(n_kept), np.zeros(n_features - n_kept))
        mixed = source.normal(size=(n_features, n_features))
        features = 1e2 * (source.normal(size=(n_clips, n_features)) * spectrum) @ mixed
        features += 0.1 * source.normal(size=features.shape) + 3e2
        even = 1.0 / features.std(0)
        components = calibrated(features, n_kept, even)
        standard = (features - features.mean(0)) * even
        np.testing.assert_allclose(components.mean, features.mean(0), rtol=1e-9)
        _, _, rows = np.linalg.svd(standard, full_matrices=False)
        directions = components.directions.numpy()
        np.testing.assert_allclose(
            directions @ directions.T, rows[:n_kept].T @ rows[:n_kept], atol=2 * HALF
        )
        by_sklearn = PCA(n_kept).fit_transform(standard)
        by_sklearn /= np.linalg.norm(by_sklearn, axis=1).mean()
        parts = components.project(components.standardise(torch.from_numpy(features))).numpy()
        np.testing.assert_allclose(
            parts @ parts.T, by_sklearn @ by_sklearn.T, rtol=2 * HALF, atol=2 * HALF
        )

    @laws
    @given(cases())
    def test_what_is_missing_stands_at_the_mean_of_what_is_not(self, case):
        features, n_kept, weight = case
        components = calibrated(features, n_kept, weight)
        measured = ~np.isnan(features)
        mean = [features[has, j].mean() if has.any() else 0 for j, has in enumerate(measured.T)]
        np.testing.assert_allclose(components.mean, mean, rtol=1e-9, atol=1e-12)
        centred = np.where(measured, features - mean, 0.0) * weight
        values, rows = np.linalg.svd(centred, full_matrices=False)[1:]
        n_there = min(n_kept, len(values))
        kept = np.linalg.norm(centred @ components.directions.numpy())
        # The directions may be others where spreads are alike, but hold as much of the spread.
        expected = np.linalg.norm(values[:n_there])
        np.testing.assert_allclose(kept, expected, rtol=HALF, atol=1e-9)
        lengths = np.linalg.norm(centred @ rows[:n_there].T, axis=1).mean()
        if lengths > 1e-3:
            np.testing.assert_allclose(components.scale, weight / lengths, rtol=HALF)

    @laws
    @given(cases())
    def test_directions_are_orthonormal_or_0(self, case):
        features, n_kept, weight = case
        directions = calibrated(features, n_kept, weight).directions
        products = directions.mT @ directions
        there = (products.diagonal() > 0.5).double()
        torch.testing.assert_close(products, torch.diag(there), rtol=0, atol=2 * HALF)
        assert there.sum() <= min(features.shape)
        assert (directions[:, there == 0] == 0).all()

    @laws
    @given(cases(), st.randoms(use_true_random=False))
    def test_order_of_the_clips_does_not_matter(self, case, random):
        features, n_kept, weight = case
        order = random.sample(range(len(features)), len(features))
        one, other = (calibrated(rows, n_kept, weight) for rows in (features, features[order]))
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-9, atol=1e-12)
        if n_kept >= min(features.shape):  # else directions of one spread may trade places
            spans = [part.directions @ part.directions.mT for part in (one, other)]
            values = np.linalg.svd(np.nan_to_num((features - one.mean.numpy()) * weight))[1]
            if values.min() > 1e-6 * values.max():
                torch.testing.assert_close(*spans, rtol=0, atol=3 * HALF)

    def test_components_are_uncorrelated_and_ordered_by_spread(self):
        features = random_features(60, 8)
        components = calibrated(features, 5)
        parts = components.project(components.standardise(torch.from_numpy(features))).numpy()
        covariance = parts.T @ parts
        variances = np.diag(covariance)
        np.testing.assert_allclose(covariance, np.diag(variances), atol=HALF * variances.max())
        assert (np.diff(variances) < 0).all()
        np.testing.assert_allclose(np.linalg.norm(parts, axis=1).mean(), 1.0, atol=HALF)

    def test_a_heavier_feature_has_more_say(self):
        features = np.random.default_rng(0).normal(size=(500, 3))
        for j in range(3):
            first = calibrated(features, 1, np.where(np.arange(3) == j, 10.0, 1.0)).directions
            assert first[:, 0].abs().argmax() == j

    def test_a_feature_that_no_clip_has(self):
        features = random_features(10, 4)
        features[:, 1] = np.nan
        components = calibrated(features, 3)
        rest = calibrated(np.delete(features, 1, axis=1), 3)
        assert components.mean[1] == 0
        assert components.directions[1].abs().max() < 1e-6
        spans = [part.directions @ part.directions.mT for part in (components, rest)]
        kept = np.array([0, 2, 3])
        torch.testing.assert_close(spans[0][kept][:, kept], spans[1], rtol=0, atol=2 * HALF)

    @pytest.mark.parametrize("n_clips", [1, 5])
    def test_clips_that_are_all_alike(self, n_clips):
        features = np.tile(np.array([3.0, -2.0, 7.0]), (n_clips, 1))
        components = calibrated(features, 2, np.array([1.0, 2.0, 3.0]))
        np.testing.assert_allclose(components.scale, [1.0, 2.0, 3.0])
        standard = components.standardise(torch.from_numpy(features))
        parts = components.project(standard)
        assert (parts == 0).all() and (components.novelty(standard, parts) == 0).all()

    def test_fewer_clips_than_components(self):
        components = calibrated(random_features(3, 9), 5)
        assert (components.directions[:, :2].norm(dim=0) > 0.99).all()
        assert (components.directions[:, 2:] == 0).all()  # three centred clips span two
        assert all(buffer.isfinite().all() for buffer in components.buffers())

    def test_directions_lose_nothing_in_half_precision(self):
        directions = calibrated(random_features(30, 9), 5).directions
        assert torch.equal(directions.half().double(), directions)

    def test_has_no_gradient_and_draws_nothing(self):
        before = torch.get_rng_state()
        features = torch.from_numpy(random_features(20, 4)).requires_grad_()
        components = Components(4, 2).double()
        components.calibrate(features, torch.ones(4).double())
        assert torch.equal(torch.get_rng_state(), before)
        assert not any(buffer.requires_grad for buffer in components.buffers())
        assert not list(components.parameters())

    def test_again_forgets_the_first_time(self):
        twice = calibrated(random_features(30, 9), 5)
        few = random_features(3, 9, seed=1)
        twice.calibrate(torch.from_numpy(few), torch.ones(9).double())
        for buffer, expected in zip(twice.buffers(), calibrated(few, 5).buffers(), strict=True):
            assert torch.equal(buffer, expected)


class TestNovelty:
    @laws
    @given(cases(), st.integers(0, 10**6))
    def test_is_what_numpy_leaves_over(self, case, seed):
        features, n_kept, weight = case
        components = calibrated(features, n_kept, weight)
        new = random_features(4, features.shape[1], seed=seed)
        standard = components.standardise(torch.from_numpy(new))
        mean, scale, directions = (buffer.numpy() for buffer in components.buffers())
        expected = (new - mean) * scale
        np.testing.assert_allclose(standard.numpy(), expected, rtol=1e-9, atol=1e-12)
        parts = components.project(standard)
        np.testing.assert_allclose(parts.numpy(), expected @ directions, rtol=1e-9, atol=1e-9)
        novelty = components.novelty(standard, parts)
        # Parts and novelty together say all that the features do ...
        rebuilt = parts.numpy() @ directions.T + novelty.numpy()
        np.testing.assert_allclose(rebuilt, expected, rtol=1e-9, atol=1e-9)
        # ... and novelty nothing that the parts say.
        largest = standard.norm(dim=1).max()
        assert (novelty @ components.directions).abs().max() <= 2 * HALF * n_kept * largest

    @laws
    @given(cases())
    def test_training_clips_have_none_where_all_directions_are_kept(self, case):
        features, _, weight = case
        components = calibrated(features, len(features), weight)
        standard = components.standardise(torch.from_numpy(features)).nan_to_num()
        novelty = components.novelty(standard, components.project(standard))
        largest = standard.norm(dim=1).max()
        assert novelty.abs().max() <= 2 * HALF * len(features) * largest

    def test_a_direction_that_no_training_clip_has_is_all_novel(self):
        features = random_features(20, 6)
        features[:, 4] = 1.5
        components = calibrated(features, 5)
        new = torch.from_numpy(features[:3]).clone()
        new[:, 4] += 2.0
        moved = components.standardise(new) - components.standardise(torch.from_numpy(features[:3]))
        assert components.project(moved).abs().max() < 1e-6
        torch.testing.assert_close(components.novelty(moved, components.project(moved)), moved)

    def test_rows_of_several_modalities_add_up(self):
        components = calibrated(random_features(20, 7), 4)
        features = torch.from_numpy(random_features(5, 7, seed=1))
        whole = components.project(components.standardise(features))
        parts = [
            components.project(components.standardise(features[:, rows], rows), rows)
            for rows in (slice(0, 2), slice(2, 7))
        ]
        torch.testing.assert_close(sum(parts), whole)

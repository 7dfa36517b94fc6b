"""Block scaling, against NumPy in float64."""

import numpy as np
import pytest
import torch

from stf2m_sk.nn.features import BlockScaler

SIZES = (4, 1, 6)
NAN = float("nan")


def features(seed=0, n_clips=50):
    source = np.random.default_rng(seed)
    X = source.normal(size=(n_clips, sum(SIZES))) * np.exp(source.normal(size=sum(SIZES)))
    return X + source.normal(size=sum(SIZES))


def fitted(X, weights=(1.0, 1.0, 1.0)):
    scaler = BlockScaler(SIZES).double()
    scaler.calibrate(torch.from_numpy(X))
    scaler.weigh(torch.tensor(weights))
    return scaler


def blocks(scaled):
    return torch.as_tensor(scaled).split(SIZES, dim=1)


class TestBlockScaler:
    def test_equals_numpy(self):
        X, weights = features(), (2.0, 0.5, 3.0)
        X[:, 7] *= 1e-3  # varies hardly: scaled by a tenth of the block's deviation
        found = fitted(X, weights)(torch.from_numpy(X))
        for own, found_own, weight in zip(
            np.split(X, np.cumsum(SIZES)[:-1], axis=1), blocks(found), weights, strict=True
        ):
            deviation = own.std(axis=0)
            deviation = np.maximum(deviation, 0.1 * np.sqrt((deviation**2).mean()))
            expected = (own - own.mean(axis=0)) / deviation * np.sqrt(weight / own.shape[1])
            np.testing.assert_allclose(found_own, expected, rtol=1e-6, atol=1e-9)

    def test_rows_of_a_block_have_its_weight_as_mean_squared_length(self):
        X = features()
        found = fitted(X, (2.0, 0.5, 3.0))(torch.from_numpy(X))
        lengths = [float(own.square().sum(1).mean()) for own in blocks(found)]
        np.testing.assert_allclose(lengths, [2.0, 0.5, 3.0], rtol=0.2)
        assert max(lengths[1] - 0.5, 0) < 1e-6

    def test_missing_values_are_0_and_left_out_of_the_moments(self):
        X = features()
        holes = np.random.default_rng(1).random(X.shape) < 0.3
        with_holes = np.where(holes, NAN, X)
        scaler = fitted(with_holes)
        np.testing.assert_allclose(scaler.mean, np.nanmean(with_holes, axis=0), rtol=1e-9)
        found = scaler(torch.from_numpy(with_holes)).numpy()
        assert (found[holes] == 0).all()
        np.testing.assert_allclose(found[~holes], scaler(torch.from_numpy(X)).numpy()[~holes])

    def test_a_feature_that_never_varied_says_nothing(self):
        X = features()
        X[:, 2] = 4.2
        scaler = fitted(X)
        assert scaler.scale[2] == 0
        assert (scaler(torch.from_numpy(features(3)))[:, 2] == 0).all()

    def test_a_block_that_was_never_seen(self):
        X = features()
        X[:, :4] = NAN
        found = fitted(X)(torch.from_numpy(features(1)))
        assert found.isfinite().all()
        assert (found[:, :4] == 0).all()

    def test_one_clip(self):
        assert (fitted(features(n_clips=1))(torch.from_numpy(features())) == 0).all()

    def test_before_it_is_calibrated_all_is_0(self):
        assert (BlockScaler(SIZES)(torch.ones(2, 11)) == 0).all()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_dtype_is_kept(self, dtype):
        scaler = BlockScaler(SIZES).to(dtype)
        X = torch.from_numpy(features()).to(dtype)
        scaler.calibrate(X)
        assert scaler(X).dtype == dtype

    def test_a_clip_stands_alone(self):
        X = torch.from_numpy(features())
        scaler = fitted(features(1))
        assert torch.equal(torch.cat([scaler(row[None]) for row in X]), scaler(X))

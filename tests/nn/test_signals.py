"""Standardised clips, against NumPy in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.signals import Standardiser

laws = settings(deadline=None, max_examples=30)
NAN = float("nan")


def recordings(seed=0, *, missing=0.2, dtype=np.float64):
    """Two modalities with holes, an absent modality and a channel that is missing in places."""
    source = np.random.default_rng(seed)
    one = 5.0 + 3.0 * source.normal(size=(6, 3, 20))
    two = -2.0 + 0.1 * source.normal(size=(6, 1, 7))
    for own in (one, two):
        own[source.random(own.shape) < missing] = NAN
    one[0] = NAN
    one[1, 2] = NAN
    return [own.astype(dtype) for own in (one, two)]


def tensors(arrays):
    return [torch.from_numpy(array) for array in arrays]


def standardised(arrays, fitted_on=None):
    standardiser = Standardiser([array.shape[1] for array in arrays]).double()
    standardiser.calibrate(tensors(arrays if fitted_on is None else fitted_on))
    return standardiser(tensors(arrays))


class TestStandardiser:
    def test_equals_numpy(self):
        arrays = recordings()
        signals = standardised(arrays)
        for array, values, frames in zip(arrays, signals.values, signals.frames, strict=True):
            mean = np.nanmean(array, axis=(0, 2), keepdims=True)
            deviation = np.nanstd(array, axis=(0, 2), keepdims=True)
            expected = np.nan_to_num((array - mean) / deviation)
            np.testing.assert_allclose(values, expected, atol=1e-12)
            np.testing.assert_array_equal(frames, ~np.isnan(array).all(axis=1))
        assert signals.present[0].tolist() == [0.0, 1.0]
        assert (signals.present[1:] == 1).all()

    def test_a_constant_channel_keeps_its_unit(self):
        array = np.full((3, 1, 5), 7.3)
        np.testing.assert_array_equal(standardised([array]).values[0], 0.0)
        moved = standardised([array + 2.0], fitted_on=[array]).values[0]
        np.testing.assert_allclose(moved, 2.0)

    def test_constant_up_to_rounding_is_constant(self):
        array = np.full((3, 1, 5), 1e5) + 1e-6 * np.random.default_rng(0).normal(size=(3, 1, 5))
        assert standardised([array]).values[0].abs().max() < 1e-4

    def test_a_channel_that_was_never_measured(self):
        array = np.random.default_rng(0).normal(size=(4, 2, 9))
        array[:, 1] = NAN
        signals = standardised([array])
        assert signals.values[0].isfinite().all()
        assert (signals.values[0][:, 1] == 0).all()
        assert (signals.frames[0] == 1).all()
        new = np.full((1, 2, 3), 0.5)
        assert standardised([new], fitted_on=[array]).values[0][0, 1].tolist() == [0.5] * 3

    def test_a_modality_that_was_never_measured(self):
        signals = standardised([np.full((2, 2, 4), NAN), np.ones((2, 1, 3))])
        assert signals.values[0].abs().sum() == 0
        assert signals.present.tolist() == [[0.0, 1.0]] * 2

    def test_artefacts_are_cut_off(self):
        array = np.random.default_rng(0).normal(size=(5, 1, 50))
        wild = array.copy()
        wild[0, 0, :2] = [1e30, -1e30]
        values = standardised([wild], fitted_on=[array]).values[0]
        assert values[0, 0, :2].tolist() == [10.0, -10.0]

    @laws
    @given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e4), st.floats(-100, 100))
    def test_units_do_not_matter(self, seed, scale, offset):
        arrays = recordings(seed)
        moved = [scale * (array + offset) for array in arrays]
        for one, other in zip(standardised(arrays).values, standardised(moved).values, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)

    @laws
    @given(st.integers(0, 2**32 - 1), st.integers(1, 30))
    def test_trailing_nan_changes_nothing(self, seed, n_more):
        arrays = recordings(seed)
        longer = [np.pad(a, ((0, 0), (0, 0), (0, n_more)), constant_values=NAN) for a in arrays]
        one, other = standardised(arrays), standardised(longer)
        for i, array in enumerate(arrays):
            n = array.shape[2]
            np.testing.assert_allclose(other.values[i][..., :n], one.values[i], atol=1e-12)
            assert (other.values[i][..., n:] == 0).all()
            assert (other.frames[i][..., n:] == 0).all()
        assert torch.equal(one.present, other.present)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype_is_kept(self, dtype):
        arrays = recordings(dtype=dtype)
        standardiser = Standardiser([3, 1]).to(torch.from_numpy(arrays[0]).dtype)
        standardiser.calibrate(tensors(arrays))
        signals = standardiser(tensors(arrays))
        dtypes = {part.dtype for part in (*signals.values, *signals.frames, signals.present)}
        assert dtypes == {torch.from_numpy(arrays[0]).dtype}

    def test_the_recordings_are_left_alone(self):
        arrays = recordings()
        given_ = tensors([array.copy() for array in arrays])
        standardiser = Standardiser([3, 1]).double()
        standardiser.calibrate(given_)
        standardiser(given_)
        for one, other in zip(given_, arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def test_taking_clips():
    signals = standardised(recordings())
    rows = torch.tensor([4, 0, 4])
    taken = signals.take(rows)
    for one, other in zip(
        taken.values + taken.frames, signals.values + signals.frames, strict=True
    ):
        assert torch.equal(one, other[rows])
    assert torch.equal(taken.present, signals.present[rows])

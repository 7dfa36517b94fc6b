"""Layers that draw from a given generator only."""

import numpy as np
import pytest
import torch

from stf2m_sk.nn._layers import dropout, linear


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def a_linear(seed):
    return linear(25, 40, generator=generator(seed))


class TestStart:
    def test_weights_fill_the_documented_interval_and_offsets_are_zero(self):
        layer = a_linear(3)
        weight, bound = layer.weight.detach().numpy(), 25**-0.5
        assert np.abs(weight).max() <= bound
        assert weight.max() > 0.95 * bound and weight.min() < -0.95 * bound
        # the standard deviation of a uniform distribution
        np.testing.assert_allclose(weight.std(), bound / 3**0.5, rtol=0.1)
        assert (layer.bias == 0).all()

    def test_only_the_generator_decides(self):
        before = torch.get_rng_state()
        first, again, other = a_linear(3), a_linear(3), a_linear(4)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first.weight, again.weight)
        assert not torch.equal(first.weight, other.weight)

    def test_without_bias(self):
        assert linear(3, 2, generator=generator(), bias=False).bias is None

    def test_the_generator_moves_on(self):
        source = generator()
        one, two = (linear(3, 2, generator=source) for _ in range(2))
        assert not torch.equal(one.weight, two.weight)


class TestDropout:
    def test_without_a_generator_or_a_share_nothing_happens(self):
        values = torch.randn(5, 4, generator=generator())
        before = torch.get_rng_state()
        assert dropout(values, 0.5, None) is values
        assert dropout(values, 0.0, generator()) is values
        assert torch.equal(torch.get_rng_state(), before)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
    def test_share_and_scale(self, share):
        values = torch.ones(200, 100, dtype=torch.float64)
        before = torch.get_rng_state()
        dropped = dropout(values, share, generator()).numpy()
        assert torch.equal(torch.get_rng_state(), before)
        assert (values == 1).all()
        kept = dropped != 0
        np.testing.assert_allclose(kept.mean(), 1 - share, atol=0.02)
        np.testing.assert_allclose(dropped[kept], 1 / (1 - share), rtol=1e-12)

    def test_the_seed_decides(self):
        values = torch.ones(50)
        first, again, other = (dropout(values, 0.5, generator(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_gradient_is_that_of_a_product(self):
        values = torch.randn(40, generator=generator(), requires_grad=True)
        dropped = dropout(values, 0.4, generator(1))
        dropped.sum().backward()
        kept = (dropped != 0).double()
        torch.testing.assert_close(values.grad.double(), kept / 0.6, rtol=1e-6, atol=0)

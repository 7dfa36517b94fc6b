"""Where rules fire because of the course of a signal, against plain NumPy loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.blocks import block_sums, clip_means
from stf2m_sk.nn.courses import ramp_course
from stf2m_sk.nn.kernels import RampRules
from stf2m_sk.nn.patterns import PatternRules

laws = settings(deadline=None, max_examples=25)


def clips(n_clips, n_channels, n_frames, *, missing=0.3, seed=0):
    """A signal with holes, 0 in the holes, and its frames."""
    source = torch.Generator().manual_seed(seed)
    frames = (torch.rand(n_clips, n_frames, generator=source) >= missing).double()
    signal = torch.randn(n_clips, n_channels, n_frames, generator=source).double() + 1.0
    return signal * frames[:, None], frames


def ramps(n_channels, n_timesteps, *, seed=0, n_kernels=6, n_ramps=2):
    """Float64 kernels with drawn ramps."""
    source = torch.Generator().manual_seed(seed)
    sizes = {"n_kernels": n_kernels, "n_ramps": n_ramps}
    rules = RampRules(n_channels, n_timesteps, **sizes, generator=source).double()
    rules.lower.copy_(torch.randn(n_kernels, n_ramps, generator=source))
    rules.width.copy_(0.2 + torch.rand(n_kernels, n_ramps, generator=source))
    return rules


def patterns(n_channels, n_timesteps, signal, frames, *, seed=0):
    """Float64 patterns with windows of the clips as prototypes."""
    source = torch.Generator().manual_seed(seed)
    sizes = {"n_groups": 4, "n_prototypes": 2}
    rules = PatternRules(n_channels, n_timesteps, **sizes, generator=source).double()
    rules.calibrate(signal, frames)
    for group, windows in enumerate(rules.windows(signal, frames)):
        rules.place(group, windows[:2])
    return rules


def loop_course(rules, signal, frames, coefficients):
    """Frame by frame, one clip: memberships less those of the clip at its mean, at the taps."""
    known = frames.numpy() > 0
    mean = signal.numpy()[:, known].mean(axis=1, keepdims=True) * known
    taps, mixtures, n_frames = rules.taps.numpy(), rules.mixtures.numpy(), len(known)
    lower, width = rules.lower.numpy(), rules.width.numpy()
    weights = coefficients.numpy().reshape(*lower.shape, -1)
    course = np.zeros((weights.shape[2], n_frames))
    for dilation, rows in rules.dilations:
        for k in range(rows.start, rows.stop):
            mixed, still = mixtures[k] @ signal.numpy(), mixtures[k] @ mean
            for t in np.flatnonzero(known):
                places = [(j, t + dilation * (j - 4)) for j in range(9)]
                places = [(j, s) for j, s in places if 0 <= s < n_frames]
                fired, usual = (
                    np.clip(
                        (sum(taps[k, j] * own[s] for j, s in places) - lower[k]) / width[k], 0, 1
                    )
                    for own in (mixed, still)
                )
                shares = np.array([(taps[k, j] * (mixed[s] - still[s])) ** 2 for j, s in places])
                added = (fired - usual) @ weights[k] / known.sum()
                for (_, s), share in zip(places, shares / shares.sum(), strict=True):
                    course[:, s] += added * share
    return course


class TestRamps:
    def test_equals_the_loop(self):
        rules = ramps(2, 40)
        signal, frames = clips(3, 2, 40)
        coefficients = torch.randn(12, 3, generator=torch.Generator().manual_seed(1)).double()
        _, found = ramp_course(rules, signal, frames, coefficients, 1)
        expected = [
            loop_course(rules, *own, coefficients) for own in zip(signal, frames, strict=True)
        ]
        # The floor of the shares moves a little: a hundredth of the largest.
        np.testing.assert_allclose(found, np.array(expected), atol=0.01 * np.abs(expected).max())

    @laws
    @given(
        st.sampled_from([1, 2, 9, 30, 700]),
        st.integers(1, 60),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.3, 1.0]),
        st.integers(0, 2**16),
    )
    def test_sums_are_what_a_clip_at_its_mean_lacks(
        self, n_timesteps, n_frames, n_channels, missing, seed
    ):
        rules = ramps(n_channels, n_timesteps, seed=seed)
        signal, frames = clips(4, n_channels, n_frames, missing=missing, seed=seed)
        coefficients = torch.randn(12, 2, generator=torch.Generator().manual_seed(seed)).double()
        strengths, course = ramp_course(rules, signal, frames, coefficients, 1)
        torch.testing.assert_close(strengths, rules(signal, frames))
        if rules.stride == 1:
            still = rules(clip_means(signal, frames), frames)
            torch.testing.assert_close(course.sum(2), (strengths - still) @ coefficients)
        assert course.shape == (4, 2, -(-n_frames // rules.stride))
        unmeasured = block_sums(frames, rules.stride)[:, None].expand_as(course) == 0
        assert not course[unmeasured].any()

    def test_a_wide_window_points_to_what_it_responds_to(self):
        rules = ramps(1, 240, n_kernels=50)
        signal, frames = torch.zeros(1, 1, 240).double(), torch.ones(1, 240).double()
        signal[..., 160:184] = 3.0
        coefficients = torch.eye(100).double()
        _, course = ramp_course(rules, signal, frames, coefficients, 8)
        assert rules.dilations[-1][0] == 26  # windows of 209 frames
        sums = course[0, -20:].abs()
        assert sums[:, 20:23].sum() > 0.5 * sums.sum()
        assert (sums.sum(0).argmax() >= 20) and (sums.sum(0).argmax() < 23)

    def test_a_clip_at_its_mean_has_none(self):
        rules = ramps(2, 40)
        signal, frames = clips(2, 2, 40, missing=0.0)
        still = clip_means(signal, frames)
        _, course = ramp_course(rules, still, frames, torch.eye(12).double(), 1)
        assert course.abs().max() < 1e-12


class TestPatterns:
    @laws
    @given(
        st.sampled_from([2, 9, 30, 300]),
        st.integers(2, 60),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.3]),
        st.integers(0, 2**16),
    )
    def test_sums_are_what_a_clip_at_its_mean_lacks(
        self, n_timesteps, n_frames, n_channels, missing, seed
    ):
        signal, frames = clips(5, n_channels, n_frames, missing=missing, seed=seed)
        frames[:, 0] = 1.0
        rules = patterns(n_channels, n_timesteps, signal, frames, seed=seed)
        coefficients = torch.randn(8, 2, generator=torch.Generator().manual_seed(seed)).double()
        strengths, course = rules.course(signal, frames, coefficients)
        torch.testing.assert_close(strengths, rules(signal, frames))
        still = rules(clip_means(signal, frames), frames)
        torch.testing.assert_close(course.sum(2), (strengths - still) @ coefficients)
        unmeasured = block_sums(frames, rules.stride)[:, None].expand_as(course) == 0
        assert not course[unmeasured].any()

    def test_a_wide_window_points_to_what_it_responds_to(self):
        signal, frames = torch.zeros(4, 1, 240).double(), torch.ones(4, 240).double()
        signal[..., 160:176] = 3.0
        source = torch.Generator().manual_seed(0)
        rules = PatternRules(1, 240, n_groups=4, n_prototypes=2, generator=source).double()
        rules.calibrate(signal, frames)
        for group, windows in enumerate(rules.windows(signal, frames)):
            rules.place(group, windows[[0, int(windows.square().sum(1).argmax())]])
        _, course = rules.course(signal, frames, torch.eye(8).double())
        sums = course[0].abs()
        assert (sums.sum(1) > 0).all()
        inside = sums[:, 39:45].sum(1) / sums.sum(1)
        assert inside.min() > 0.6


class TestBlocks:
    @pytest.mark.parametrize("length", [1, 3, 4, 20])
    def test_sums(self, length):
        values = torch.arange(24.0).reshape(2, 12)
        parts = [values[:, i : i + length].sum(1) for i in range(0, 12, length)]
        torch.testing.assert_close(block_sums(values, length), torch.stack(parts, dim=1))

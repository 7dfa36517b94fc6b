"""Ramp rules, against plain NumPy loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.kernels import RampRules

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_clips(n_clips, n_channels, n_frames, *, missing=0.3, seed=0, dtype=torch.float64):
    """A signal with holes, 0 in the holes, and its frames."""
    source = generator(seed)
    frames = (torch.rand(n_clips, n_frames, generator=source) >= missing).to(dtype)
    signal = torch.randn(n_clips, n_channels, n_frames, dtype=dtype, generator=source)
    return signal * frames[:, None], frames


def make_kernels(n_channels, n_timesteps, n_kernels, n_ramps, *, seed=0, **reach):
    """Float64 kernels with drawn ramps."""
    source = generator(seed)
    sizes = {"n_kernels": n_kernels, "n_ramps": n_ramps, **reach}
    kernels = RampRules(n_channels, n_timesteps, **sizes, generator=source).double()
    kernels.lower.copy_(torch.randn(n_kernels, n_ramps, generator=source))
    kernels.width.copy_(0.2 + torch.rand(n_kernels, n_ramps, generator=source))
    return kernels


def loop_responses(kernels, signal):
    """Kernel responses at every frame, by explicit sums: (n_clips, n_kernels, n_frames)."""
    taps, mixtures = kernels.taps.numpy(), kernels.mixtures.numpy()
    n_clips, n_channels, n_frames = signal.shape
    responses = np.zeros((n_clips, len(taps), n_frames))
    for dilation, rows in kernels.dilations:
        for k in range(rows.start, rows.stop):
            for tap in range(taps.shape[1]):
                for t in range(n_frames):
                    s = t + dilation * (tap - taps.shape[1] // 2)
                    if 0 <= s < n_frames:
                        mixed = sum(mixtures[k, c] * signal[:, c, s] for c in range(n_channels))
                        responses[:, k, t] += taps[k, tap] * mixed
    return responses


def loop_strengths(kernels, signal, frames):
    """Evaluate the documented equation term by term."""
    lower, width = kernels.lower.numpy(), kernels.width.numpy()
    responses = loop_responses(kernels, signal)
    strengths = np.zeros((len(signal), *lower.shape))
    for i in range(len(signal)):
        read = [t for t in range(0, signal.shape[2], kernels.stride) if frames[i, t] > 0]
        for k in range(lower.shape[0]):
            for j in range(lower.shape[1]):
                heights = [(responses[i, k, t] - lower[k, j]) / width[k, j] for t in read]
                if read:
                    strengths[i, k, j] = np.clip(heights, 0, 1).mean()
    return strengths.reshape(len(signal), -1)


@st.composite
def cases(draw):
    """Kernels, a signal and its frames; the clip may be longer or shorter than usual."""
    n_channels, n_kernels = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    n_timesteps = draw(st.sampled_from([1, 2, 9, 30, 1000, 3000]))
    n_frames = draw(st.integers(1, 40)) if n_timesteps < 100 else draw(st.integers(120, 140))
    seed = draw(st.integers(0, 2**32 - 1))
    kernels = make_kernels(
        n_channels,
        n_timesteps,
        n_kernels,
        draw(st.integers(1, 3)),
        seed=seed,
        most_mixed=draw(st.sampled_from([1, 2, 9])),
        n_taps=draw(st.sampled_from([1, 3, 9])),
    )
    missing = draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    signal, frames = random_clips(3, n_channels, n_frames, missing=missing, seed=seed)
    return kernels, signal, frames


class TestStrengths:
    @settings(deadline=None, max_examples=20)
    @given(cases())
    def test_equal_loops(self, case):
        kernels, signal, frames = case
        strengths = kernels(signal, frames)
        assert strengths.dtype == torch.float64
        assert strengths.shape == (3, kernels.n_rules)
        expected = loop_strengths(kernels, signal.numpy(), frames.numpy())
        np.testing.assert_allclose(strengths.numpy(), expected, rtol=1e-9, atol=1e-12)

    def test_a_long_clip_is_read_in_strides(self):
        # Otherwise the loop above would never be asked about a stride.
        assert make_kernels(1, 1000, 3, 1).stride > 1
        assert make_kernels(1, 30, 3, 1).stride == 1

    @laws
    @given(cases(), st.integers(1, 60))
    def test_trailing_unmeasured_frames_change_nothing(self, case, n_more):
        kernels, signal, frames = case
        longer = torch.nn.functional.pad(signal, (0, n_more))
        padded = kernels(longer, torch.nn.functional.pad(frames, (0, n_more)))
        torch.testing.assert_close(padded, kernels(signal, frames), rtol=0, atol=1e-12)

    @laws
    @given(cases())
    def test_lie_between_0_and_1_and_are_0_where_nothing_is_measured(self, case):
        kernels, signal, frames = case
        frames[0], signal[0] = 0, 0
        strengths = kernels(signal, frames)
        assert ((strengths >= 0) & (strengths <= 1 + 1e-12)).all()
        assert (strengths[0] == 0).all()

    @pytest.mark.parametrize(
        ("n_clips", "n_frames"), [(1, 20), (31, 20), (32, 20), (33, 20), (5, 30_000), (2, 70_000)]
    )
    def test_clips_do_not_influence_each_other(self, n_clips, n_frames):
        kernels = make_kernels(2, 20, 5, 2)
        signal, frames = random_clips(n_clips, 2, n_frames)
        together = kernels(signal, frames)
        alone = [kernels(signal[[i]], frames[[i]]) for i in range(n_clips)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-13)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_dtype_is_kept(self, dtype):
        kernels = make_kernels(2, 20, 5, 2).to(dtype)
        assert kernels(*random_clips(3, 2, 20, dtype=dtype)).dtype == dtype

    def test_do_not_draw_from_the_global_generator(self):
        before = torch.get_rng_state()
        kernels = make_kernels(2, 20, 5, 2)
        signal, frames = random_clips(3, 2, 20)
        kernels.calibrate(signal, frames)
        kernels(signal, frames)
        assert torch.equal(torch.get_rng_state(), before)

    def test_printing_says_the_sizes(self):
        kernels = make_kernels(2, 1000, 5, 3)
        assert f"n_kernels=5, n_ramps=3, stride={kernels.stride}" in repr(kernels)


class TestStart:
    def test_taps_have_norm_1_and_most_have_mean_0(self):
        taps = make_kernels(3, 50, 400, 2).taps
        torch.testing.assert_close(taps.norm(dim=1), torch.ones(400).double(), rtol=0, atol=1e-6)
        sees_level = taps.mean(1).abs() > 1e-7
        assert torch.equal(sees_level.repeat_interleave(2), make_kernels(3, 50, 400, 2).sees_level)
        assert 0.2 < sees_level.double().mean() < 0.4
        # The level is as large as a tap, 1 / 3 of the norm before it was added.
        assert 0.15 < taps.mean(1)[sees_level].abs().median() < 0.3

    def test_a_constant_level_is_seen(self):
        kernels = make_kernels(1, 50, 100, 2)
        generator = torch.Generator().manual_seed(0)
        signal = torch.randn(40, 1, 50, generator=generator).double()
        low, high, frames = signal, signal + 1.0, torch.ones(40, 50).double()
        kernels.calibrate(torch.cat([low, high]), torch.cat([frames, frames]))
        change = kernels(high, frames).mean(0) - kernels(low, frames).mean(0)
        n_changed = (change.reshape(100, 2).abs().amax(1) > 0.05).sum()
        assert n_changed > 20

    @pytest.mark.parametrize("n_channels", [1, 2, 5, 30])
    def test_every_kernel_mixes_one_to_nine_channels(self, n_channels):
        n_mixed = (make_kernels(n_channels, 50, 400, 1).mixtures != 0).sum(1)
        most = min(n_channels, 9)
        counts = torch.bincount(n_mixed, minlength=most + 1)
        assert n_mixed.min() == 1 and n_mixed.max() == most
        # Few channels are likelier.
        assert counts[1] == counts.max()

    @pytest.mark.parametrize("most_mixed", [1, 2, 4])
    def test_every_kernel_mixes_as_many_channels_as_it_may(self, most_mixed):
        mixtures = make_kernels(30, 50, 400, 1, most_mixed=most_mixed).mixtures
        n_mixed = (mixtures != 0).sum(1)
        assert n_mixed.unique().tolist() == list(range(1, most_mixed + 1))
        assert (mixtures != 0).any(0).all()

    def test_one_channel_each_leaves_no_spatial_convolution(self):
        kernels = make_kernels(4, 30, 12, 2, most_mixed=1)
        signal, frames = random_clips(5, 4, 30)
        kernels.calibrate(signal, frames)
        here, changes = kernels(signal, frames), []
        for channel in range(4):
            moved = signal.clone()
            moved[:, channel] += 0.3 * frames
            changes.append((kernels(moved, frames) != here).any(0))
        mixed = (kernels.mixtures != 0).repeat_interleave(2, dim=0).T
        assert torch.equal(torch.stack(changes), mixed)

    def test_one_tap_leaves_no_temporal_convolution(self):
        kernels = make_kernels(3, 30, 12, 2, n_taps=1)
        assert (kernels.taps == 1).all() and kernels.taps.shape == (12, 1)
        signal, frames = random_clips(5, 3, 30)
        order = torch.rand(5, 30, generator=generator(1)).argsort(1)
        shuffled = signal.gather(2, order[:, None].expand_as(signal))
        answer = kernels(shuffled, frames.gather(1, order))
        torch.testing.assert_close(answer, kernels(signal, frames), rtol=0, atol=1e-12)

    def test_every_channel_is_mixed_in(self):
        assert (make_kernels(30, 50, 400, 1).mixtures != 0).any(0).all()

    @laws
    @given(st.integers(1, 3000), st.integers(1, 60))
    def test_dilations_share_the_kernels_and_fit_into_the_clip(self, n_timesteps, n_kernels):
        kernels = RampRules(1, n_timesteps, n_kernels=n_kernels, n_ramps=1, generator=generator())
        dilations = [dilation for dilation, _ in kernels.dilations]
        rows = [row for _, part in kernels.dilations for row in range(part.start, part.stop)]
        assert rows == list(range(n_kernels))
        sizes = [part.stop - part.start for _, part in kernels.dilations]
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 1
        assert dilations == sorted(set(dilations)) and dilations[0] == 1
        reach = (kernels.taps.shape[1] - 1) * dilations[-1] + 1
        assert dilations[-1] == 1 or reach <= n_timesteps

    def test_long_clips_get_long_kernels(self):
        for n_timesteps in (100, 1000):
            kernels = make_kernels(1, n_timesteps, 10, 1)
            reach = (kernels.taps.shape[1] - 1) * kernels.dilations[-1][0] + 1
            assert reach > n_timesteps / 2

    def test_the_seed_decides(self):
        first, again, other = (make_kernels(3, 50, 8, 2, seed=seed) for seed in (1, 1, 2))
        for name in ("taps", "mixtures"):
            assert torch.equal(getattr(first, name), getattr(again, name))
            assert not torch.equal(getattr(first, name), getattr(other, name))


def measured_responses(kernels, signal, frames):
    """Responses (n_kernels, n_measured) at the measured positions that are read."""
    responses = loop_responses(kernels, signal.numpy())[:, :, :: kernels.stride]
    measured = frames.numpy()[:, :: kernels.stride] > 0
    return np.concatenate(
        [response[:, at] for response, at in zip(responses, measured, strict=True)], axis=1
    )


class TestCalibrate:
    @pytest.mark.parametrize(("n_timesteps", "n_frames"), [(25, 25), (1000, 150)])
    def test_ramps_run_between_quantiles_of_the_measured_responses(self, n_timesteps, n_frames):
        n_kernels, n_ramps = 12, 3
        kernels = make_kernels(2, n_timesteps, n_kernels, n_ramps)
        signal, frames = random_clips(12, 2, n_frames, missing=0.4)
        kernels.calibrate(signal, frames)
        responses = measured_responses(kernels, signal, frames)
        n_positions = -(-n_frames // kernels.stride)
        half = min(0.2, 8 / n_positions)
        for k in range(n_kernels):
            ordered = np.sort(responses[k])
            for j in range(n_ramps):
                centre = (j + k * (5**0.5 - 1) / 2 % 1) / n_ramps
                levels = np.clip([centre - half, centre + half], 0, 1)
                places = levels * (len(ordered) - 1)
                ends = kernels.lower[k, j], kernels.lower[k, j] + kernels.width[k, j]
                for end, place in zip(ends, places, strict=True):
                    assert ordered[int(np.floor(place))] - 1e-9 <= end
                    assert end <= ordered[int(np.ceil(place))] + 1e-9

    def test_centres_of_ramps_leave_no_wide_gap_between_quantiles(self):
        kernels = make_kernels(1, 400, 12, 3)
        signal, frames = random_clips(20, 1, 400, missing=0.0)
        kernels.calibrate(signal, frames)
        responses = measured_responses(kernels, signal, frames)
        middle = (kernels.lower + kernels.width / 2).numpy()
        levels = [(r < m).mean() for r, ms in zip(responses, middle, strict=True) for m in ms]
        gaps = np.diff(np.concatenate([[0], np.sort(levels), [1]]))
        assert gaps.max() < 3 / len(levels)

    def test_few_frames_get_a_wider_ramp(self):
        widths = []
        for n_frames in (20, 100, 400):
            kernels = make_kernels(2, n_frames, 10, 2)
            signal, frames = random_clips(20, 2, n_frames, missing=0.0)
            kernels.calibrate(signal, frames)
            spread = measured_responses(kernels, signal, frames).std(axis=1)[:, None]
            widths.append((kernels.width.numpy() / spread).mean())
        assert widths[0] > widths[1] > widths[2]

    def test_mean_strengths_are_the_shares_above_the_middle_of_the_ramp(self):
        kernels = make_kernels(1, 200, 10, 4)
        signal, frames = random_clips(40, 1, 200, missing=0.0)
        kernels.calibrate(signal, frames)
        means = kernels(signal, frames).mean(0).reshape(10, 4)
        assert (means.diff(dim=1) < 0).all()
        responses = measured_responses(kernels, signal, frames)
        above = responses[:, None] > (kernels.lower + kernels.width / 2).numpy()[..., None]
        np.testing.assert_allclose(means.numpy(), above.mean(-1), atol=0.05)

    def test_calibrating_twice_is_calibrating_once(self):
        kernels = make_kernels(2, 30, 6, 3)
        clips = random_clips(8, 2, 30)
        kernels.calibrate(*clips)
        once = {name: value.clone() for name, value in kernels.state_dict().items()}
        kernels.calibrate(*clips)
        for name, value in kernels.state_dict().items():
            assert torch.equal(value, once[name])

    def test_strengths_do_not_change_with_the_scale_of_the_signal(self):
        strengths = []
        for scale in (1.0, 1000.0):
            kernels = make_kernels(2, 30, 6, 3)
            signal, frames = random_clips(8, 2, 30)
            kernels.calibrate(scale * signal, frames)
            strengths.append(kernels(scale * signal, frames))
        torch.testing.assert_close(*strengths, rtol=0, atol=1e-5)

    def test_one_time_step(self):
        kernels = make_kernels(3, 1, 6, 4)
        signal, frames = random_clips(20, 3, 1, missing=0.0)
        kernels.calibrate(signal, frames)
        strengths = kernels(signal, frames)
        np.testing.assert_allclose(
            strengths, loop_strengths(kernels, signal.numpy(), frames.numpy()), atol=1e-12
        )
        # The ramp is wide enough that a single frame gives more than 0 or 1.
        assert ((strengths > 0) & (strengths < 1)).any(0).float().mean() > 0.5

    def test_a_constant_signal_keeps_the_ramp_finite(self):
        kernels = make_kernels(2, 20, 6, 3)
        frames = torch.ones(5, 20).double()
        for level in (0.0, 3.0):
            signal = torch.full((5, 2, 20), level).double()
            kernels.calibrate(signal, frames)
            assert (kernels.width > 0).all()
            assert kernels(signal, frames).isfinite().all()

    def test_without_a_measured_frame_strengths_are_still_defined(self):
        kernels = RampRules(2, 20, n_kernels=6, n_ramps=3, generator=generator())
        kernels.calibrate(torch.zeros(5, 2, 20), torch.zeros(5, 20))
        strengths = kernels(*random_clips(4, 2, 20, dtype=torch.float32))
        assert strengths.isfinite().all()
        assert (strengths >= 0).all() and (strengths <= 1).all()

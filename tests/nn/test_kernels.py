"""Random kernels, against plain NumPy loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.kernels import RandomKernels

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_clips(n_clips, n_channels, n_frames, *, missing=0.3, seed=0, dtype=torch.float64):
    """A signal with holes, 0 in the holes, and its frames."""
    source = generator(seed)
    frames = (torch.rand(n_clips, n_frames, generator=source) >= missing).to(dtype)
    signal = torch.randn(n_clips, n_channels, n_frames, dtype=dtype, generator=source)
    return signal * frames[:, None], frames


def make_kernels(n_channels, n_timesteps, n_kernels, n_biases, *, seed=0, **reach):
    """Float64 kernels with drawn biases and ramps."""
    source = generator(seed)
    sizes = {"n_kernels": n_kernels, "n_biases": n_biases, **reach}
    kernels = RandomKernels(n_channels, n_timesteps, **sizes, generator=source).double()
    kernels.biases.copy_(torch.randn(n_kernels, n_biases, generator=source))
    kernels.ramps.copy_(0.2 + torch.rand(n_kernels, generator=source))
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


def loop_features(kernels, signal, frames):
    """Evaluate the documented features term by term."""
    biases, ramps = kernels.biases.numpy(), kernels.ramps.numpy()
    responses = loop_responses(kernels, signal)
    n_kernels, n_biases = biases.shape
    features = np.zeros((len(signal), n_kernels, n_biases))
    for i in range(len(signal)):
        read = [t for t in range(0, signal.shape[2], kernels.stride) if frames[i, t] > 0]
        for k in range(n_kernels):
            for j in range(n_biases):
                # biases are in units of the ramp's width
                heights = [responses[i, k, t] / ramps[k] - biases[k, j] + 0.5 for t in read]
                if read:
                    features[i, k, j] = np.clip(heights, 0, 1).mean()
    return features.reshape(len(signal), -1)


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


class TestFeatures:
    @settings(deadline=None, max_examples=20)
    @given(cases())
    def test_equal_loops(self, case):
        kernels, signal, frames = case
        features = kernels(signal, frames)
        assert features.dtype == torch.float64
        assert features.shape == (3, kernels.n_features)
        expected = loop_features(kernels, signal.numpy(), frames.numpy())
        np.testing.assert_allclose(features.numpy(), expected, rtol=1e-9, atol=1e-12)

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
        features = kernels(signal, frames)
        assert ((features >= 0) & (features <= 1 + 1e-12)).all()
        assert (features[0] == 0).all()

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
        assert f"n_kernels=5, n_biases=3, stride={kernels.stride}" in repr(kernels)


class TestStart:
    def test_taps_have_norm_1_and_most_have_mean_0(self):
        taps = make_kernels(3, 50, 400, 2).taps
        torch.testing.assert_close(taps.norm(dim=1), torch.ones(400).double(), rtol=0, atol=1e-6)
        sees_level = taps.mean(1).abs() > 1e-7
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
    def test_every_kernel_hears_one_to_nine_channels(self, n_channels):
        n_heard = (make_kernels(n_channels, 50, 400, 1).mixtures != 0).sum(1)
        most = min(n_channels, 9)
        counts = torch.bincount(n_heard, minlength=most + 1)
        assert n_heard.min() == 1 and n_heard.max() == most
        # Few channels are likelier.
        assert counts[1] == counts.max()

    @pytest.mark.parametrize("most_mixed", [1, 2, 4])
    def test_every_kernel_hears_as_many_channels_as_it_may(self, most_mixed):
        mixtures = make_kernels(30, 50, 400, 1, most_mixed=most_mixed).mixtures
        n_heard = (mixtures != 0).sum(1)
        assert n_heard.unique().tolist() == list(range(1, most_mixed + 1))
        assert (mixtures != 0).any(0).all()

    def test_one_channel_each_leaves_no_spatial_convolution(self):
        kernels = make_kernels(4, 30, 12, 2, most_mixed=1)
        signal, frames = random_clips(5, 4, 30)
        here, changes = kernels(signal, frames), []
        for channel in range(4):
            moved = signal.clone()
            moved[:, channel] += 0.3 * frames
            changes.append((kernels(moved, frames) != here).any(0))
        heard = (kernels.mixtures != 0).repeat_interleave(2, dim=0).T
        assert torch.equal(torch.stack(changes), heard)

    def test_one_tap_leaves_no_temporal_convolution(self):
        kernels = make_kernels(3, 30, 12, 2, n_taps=1)
        assert (kernels.taps == 1).all() and kernels.taps.shape == (12, 1)
        signal, frames = random_clips(5, 3, 30)
        order = torch.rand(5, 30, generator=generator(1)).argsort(1)
        shuffled = signal.gather(2, order[:, None].expand_as(signal))
        answer = kernels(shuffled, frames.gather(1, order))
        torch.testing.assert_close(answer, kernels(signal, frames), rtol=0, atol=1e-12)

    def test_every_channel_is_heard(self):
        assert (make_kernels(30, 50, 400, 1).mixtures != 0).any(0).all()

    @laws
    @given(st.integers(1, 3000), st.integers(1, 60))
    def test_dilations_share_the_kernels_and_fit_into_the_clip(self, n_timesteps, n_kernels):
        kernels = RandomKernels(
            1, n_timesteps, n_kernels=n_kernels, n_biases=1, generator=generator()
        )
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
    def test_biases_are_evenly_spread_quantiles_of_the_measured_responses(
        self, n_timesteps, n_frames
    ):
        n_kernels, n_biases = 12, 3
        kernels = make_kernels(2, n_timesteps, n_kernels, n_biases)
        signal, frames = random_clips(12, 2, n_frames, missing=0.4)
        kernels.calibrate(signal, frames)
        responses = measured_responses(kernels, signal, frames)
        biases = (kernels.biases * kernels.ramps[:, None]).numpy()
        n = responses.shape[1] - 1
        levels = np.array(
            [
                [(r < b - 1e-9).sum() / n for b in bias]
                for r, bias in zip(responses, biases, strict=True)
            ]
        )
        # Each bias of a kernel is a response, in a band of quantiles of its own ...
        distance = np.abs(responses[:, None] - biases[..., None]).min(-1)
        np.testing.assert_allclose(distance, 0, atol=1e-9)
        bands = np.arange(n_biases) / n_biases
        assert (levels >= bands - 1 / n).all()
        assert (levels <= bands + 1 / n_biases + 1 / n).all()
        # ... and together the kernels leave no wide gap between 0 and 1.
        gaps = np.diff(np.concatenate([[0], np.sort(levels.ravel()), [1]]))
        assert gaps.max() < 3 / levels.size + 1 / n

    def test_ramps_are_one_share_of_the_spread_of_every_kernel(self):
        kernels = make_kernels(2, 40, 10, 2)
        signal, frames = random_clips(8, 2, 40)
        kernels.calibrate(signal, frames)
        spread = measured_responses(kernels, signal, frames).std(axis=1)
        shares = kernels.ramps.numpy() / spread
        np.testing.assert_allclose(shares, shares[0], rtol=1e-9)
        assert 0 < shares[0] < 1

    def test_few_frames_get_a_wider_ramp(self):
        shares = []
        for n_frames in (1, 4, 60):
            kernels = make_kernels(2, n_frames, 10, 2)
            signal, frames = random_clips(40, 2, n_frames, missing=0.0)
            kernels.calibrate(signal, frames)
            spread = measured_responses(kernels, signal, frames).std(axis=1)
            shares.append((kernels.ramps.numpy() / spread)[0])
        assert shares[0] > shares[1] > shares[2]

    def test_mean_features_are_the_complements_of_the_levels(self):
        kernels = make_kernels(1, 60, 10, 4)
        signal, frames = random_clips(40, 1, 60, missing=0.0)
        kernels.calibrate(signal, frames)
        means = kernels(signal, frames).mean(0).reshape(10, 4)
        assert (means.diff(dim=1) < 0).all()
        responses = measured_responses(kernels, signal, frames)
        above = responses[:, None] > (kernels.biases * kernels.ramps[:, None]).numpy()[..., None]
        np.testing.assert_allclose(means.numpy(), above.mean(-1), atol=0.03)

    def test_calibrating_twice_is_calibrating_once(self):
        kernels = make_kernels(2, 30, 6, 3)
        clips = random_clips(8, 2, 30)
        kernels.calibrate(*clips)
        once = {name: value.clone() for name, value in kernels.state_dict().items()}
        kernels.calibrate(*clips)
        for name, value in kernels.state_dict().items():
            assert torch.equal(value, once[name])

    def test_features_do_not_change_with_the_scale_of_the_signal(self):
        features = []
        for scale in (1.0, 1000.0):
            kernels = make_kernels(2, 30, 6, 3)
            signal, frames = random_clips(8, 2, 30)
            kernels.calibrate(scale * signal, frames)
            features.append(kernels(scale * signal, frames))
        torch.testing.assert_close(*features, rtol=0, atol=1e-9)

    def test_one_time_step(self):
        kernels = make_kernels(3, 1, 6, 4)
        signal, frames = random_clips(20, 3, 1, missing=0.0)
        kernels.calibrate(signal, frames)
        features = kernels(signal, frames)
        np.testing.assert_allclose(
            features, loop_features(kernels, signal.numpy(), frames.numpy()), atol=1e-12
        )
        # The ramp is wide enough that a single frame gives more than 0 or 1.
        assert ((features > 0) & (features < 1)).any(0).float().mean() > 0.5

    def test_a_constant_response_keeps_the_ramp_finite(self):
        kernels = make_kernels(2, 20, 6, 3)
        kernels.calibrate(torch.zeros(5, 2, 20).double(), torch.ones(5, 20).double())
        assert (kernels.ramps == 1).all() and (kernels.biases == 0).all()
        features = kernels(torch.zeros(5, 2, 20).double(), torch.ones(5, 20).double())
        torch.testing.assert_close(features, torch.full_like(features, 0.5), rtol=0, atol=1e-12)

    def test_without_a_measured_frame_features_are_still_defined(self):
        kernels = RandomKernels(2, 20, n_kernels=6, n_biases=3, generator=generator())
        kernels.calibrate(torch.zeros(5, 2, 20), torch.zeros(5, 20))
        features = kernels(*random_clips(4, 2, 20, dtype=torch.float32))
        assert features.isfinite().all()
        assert (features >= 0).all() and (features <= 1).all()

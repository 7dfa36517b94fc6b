"""The wired network: what calibration sets, what preparing and embedding promise."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from stf2m_sk.nn.module import Clips, ModuleSizes, STF2MModule

laws = settings(deadline=None, max_examples=20)

N_CHANNELS, N_TIMESTEPS = (3, 1, 2), (40, 10, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_module(*, seed=0, dtype=torch.float64, **changes):
    sizes = ModuleSizes(
        n_channels=N_CHANNELS,
        n_timesteps=N_TIMESTEPS,
        hidden_dim=8,
        embedding_dim=6,
        n_blocks=1,
        n_kernels=9,
        kernel_dim=5,
        n_rules=4,
        rule_dim=3,
        dropout=0.3,
    )
    return STF2MModule(sizes._replace(**changes), generator=generator(seed)).to(dtype)


def random_signals(n_clips, *, missing=0.0, seed=0, dtype=torch.float64):
    """Recordings of three modalities, each channel with an offset and a scale of its own."""
    source = generator(seed)
    signals = []
    for n_channels, n_timesteps in zip(N_CHANNELS, N_TIMESTEPS, strict=True):
        signal = torch.randn(n_clips, n_channels, n_timesteps, generator=source).to(dtype)
        # Clips differ in strength and trend, so that components exist.
        signal = signal * torch.rand(n_clips, 1, 1, generator=source).to(dtype)
        signal = signal + 2 * torch.randn(n_clips, n_channels, 1, generator=source).to(dtype)
        channel = torch.arange(1, n_channels + 1)[:, None]
        signal = 10.0**channel * (signal + 5.0)
        gone = torch.rand(signal.shape, generator=source) < missing
        signals.append(signal.masked_fill(gone, torch.nan))
    return signals


def without(signals, rows, modality):
    """The recordings, with one modality of some clips not measured."""
    changed = [signal.clone() for signal in signals]
    changed[modality][rows] = torch.nan
    return changed


def calibrated(signals, **changes):
    module = make_module(**changes)
    module.calibrate(signals, generator=generator(1))
    return module


def normalised_features(module, clips):
    """Features of the random kernels of every modality, side by side."""
    parts = zip(module.kernels, clips.signals, clips.frames, strict=True)
    return torch.cat([kernels(signal, frame) for kernels, signal, frame in parts], dim=1).numpy()


class TestStandardising:
    @pytest.mark.parametrize("missing", [0.0, 0.4])
    def test_means_and_scales_are_those_of_numpy(self, missing):
        signals = random_signals(20, missing=missing)
        module = calibrated(signals)
        for i, signal in enumerate(signals):
            values = signal.numpy().transpose(1, 0, 2).reshape(signal.shape[1], -1)
            mean, scale = getattr(module, f"mean_{i}"), getattr(module, f"scale_{i}")
            np.testing.assert_allclose(mean[:, 0], np.nanmean(values, axis=1), rtol=1e-12)
            np.testing.assert_allclose(scale[:, 0], np.nanstd(values, axis=1), rtol=1e-12)

    def test_prepared_signals_are_standardised_and_0_where_not_measured(self):
        signals = random_signals(20, missing=0.4)
        module = calibrated(signals)
        clips = module.prepare(signals)
        for i, signal in enumerate(signals):
            values = signal.numpy()
            mean, scale = (getattr(module, f"{name}_{i}").numpy() for name in ("mean", "scale"))
            expected = np.nan_to_num((values - mean) / scale)
            np.testing.assert_allclose(clips.signals[i].numpy(), expected, rtol=1e-9, atol=1e-12)
            frames = (~np.isnan(values)).any(axis=1)
            np.testing.assert_array_equal(clips.frames[i].numpy(), frames)
            np.testing.assert_array_equal(clips.present[:, i].numpy(), frames.any(axis=1))

    def test_artefacts_are_cut_off(self):
        signals = random_signals(20)
        module = calibrated(signals)
        signals[0][3, 1, 7], signals[0][3, 1, 8] = 1e9, -1e9
        cut = module.prepare(signals).signals[0][3, 1]
        assert cut[7] == -cut[8] == cut.abs().max()
        assert 3 < cut[7] < 100

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_a_small_signal_on_a_huge_offset(self, dtype):
        small = [s / s.std((0, 2), keepdim=True) for s in random_signals(20)]
        offset = [(1e6 + 4 * signal).to(dtype) for signal in small]
        module = calibrated(offset, dtype=dtype)
        for i, signal in enumerate(offset):
            # to half of the last digit, which sums in float32 do not reach
            mean = signal.double().mean((0, 2))
            torch.testing.assert_close(
                getattr(module, f"mean_{i}")[:, 0].double(), mean, rtol=6e-8, atol=0
            )
        prepared = module.prepare(offset)
        reference = calibrated(small)
        for values, expected in zip(
            prepared.signals, reference.prepare(small).signals, strict=True
        ):
            # float32 has steps of 1/16 at a million
            atol = 0.05 if dtype == torch.float32 else 1e-6
            torch.testing.assert_close(values.double(), expected, rtol=0, atol=atol)

    @pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 1e-12])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_a_constant_channel_becomes_0(self, value, dtype):
        signals = random_signals(10, dtype=dtype)
        signals[0][:, 1] = value
        module = calibrated(signals, dtype=dtype)
        prepared = module.prepare(signals).signals[0]
        np.testing.assert_allclose(prepared[:, 1], 0, atol=1e-9)
        assert (prepared[:, [0, 2]].std((0, 2)) > 0.5).all()

    def test_a_channel_that_was_never_measured(self):
        signals = random_signals(10)
        signals[0][:, 1] = torch.nan
        signals[2][:] = torch.nan
        module = calibrated(signals)
        assert module.mean_0[1] == 0 and module.scale_0[1] == 1
        clips = module.prepare(signals)
        assert (clips.signals[0][:, 1] == 0).all()
        assert (clips.present[:, 2] == 0).all()
        assert module.embed(clips).isfinite().all()

    def test_the_unit_of_a_channel_does_not_matter(self):
        signals = random_signals(20)
        in_other_units = [1000.0 * signal - 7.0 for signal in signals]
        embeddings = [
            module.embed(module.prepare(clips))
            for clips in (signals, in_other_units)
            for module in [calibrated(clips)]
        ]
        torch.testing.assert_close(*embeddings, rtol=0, atol=1e-7)


class TestComponents:
    @pytest.mark.parametrize("n_clips", [12, 200], ids=["fewer-clips", "more-clips"])
    def test_are_the_principal_components_of_numpy(self, n_clips):
        module = make_module()
        n_features = len(module.kernel_mean)
        assert (n_clips > n_features) == (n_clips == 200)
        source = np.random.default_rng(0)
        # A planted spectrum in which the kept directions stand out, of spread so large that the
        # constant added to it does not matter.
        spectrum = np.append(5.0 ** -np.arange(5), np.zeros(n_features - 5))
        mixed = source.normal(size=(n_features, n_features))
        features = 1e2 * (source.normal(size=(n_clips, n_features)) * spectrum) @ mixed
        features += 0.1 * source.normal(size=features.shape) + 3e2
        module._set_components(torch.from_numpy(features))
        standard = (features - features.mean(0)) / features.std(0)
        components = module.components.numpy()
        sees_level = torch.cat([kernels.sees_level for kernels in module.kernels]).numpy()
        np.testing.assert_allclose(module.kernel_mean.numpy(), features.mean(0), rtol=1e-9)
        for rows, columns in ((~sees_level, slice(0, 3)), (sees_level, slice(3, 5))):
            part, other = components[rows, columns], components[~rows, columns]
            assert (other == 0).all()
            _, _, directions = np.linalg.svd(standard[:, rows], full_matrices=False)
            n_kept = part.shape[1]
            expected = directions[:n_kept].T @ directions[:n_kept]
            kept = np.linalg.qr(part * features.std(0)[rows, None])[0]
            # The components are rounded to half precision.
            np.testing.assert_allclose(kept @ kept.T, expected, atol=2e-3)
            projected = (features - features.mean(0))[:, rows] @ part
            by_sklearn = PCA(n_kept).fit_transform(standard[:, rows])
            by_sklearn /= np.linalg.norm(by_sklearn, axis=1).mean()
            np.testing.assert_allclose(
                projected @ projected.T, by_sklearn @ by_sklearn.T, rtol=2e-3, atol=2e-3
            )

    def test_kernel_parts_of_the_training_clips_have_mean_0_and_mean_length_1(self):
        signals = random_signals(30)
        module = calibrated(signals)
        for part in module.kernel_parts(module.prepare(signals)):
            torch.testing.assert_close(part.norm(dim=1).mean().item(), 1.0, rtol=0, atol=1e-3)
            torch.testing.assert_close(part.mean(0), 0.0 * part[0], rtol=0, atol=1e-6)

    @pytest.mark.parametrize("part", [0, 1], ids=["course", "level"])
    def test_kernel_parts_are_uncorrelated_and_ordered_by_variance(self, part):
        signals = random_signals(30)
        module = calibrated(signals)
        kernels = module.kernel_parts(module.prepare(signals))[part].numpy()
        covariance = kernels.T @ kernels
        variances = np.diag(covariance)
        # The components are rounded to half precision.
        np.testing.assert_allclose(covariance, np.diag(variances), atol=1e-3 * variances.max())
        assert (np.diff(variances) < 0).all()

    def test_kernel_parts_are_the_projected_features(self):
        signals = random_signals(15, missing=0.2)
        module = calibrated(signals)
        clips = module.prepare(signals)
        features = normalised_features(module, clips)
        expected = (features - module.kernel_mean.numpy()) @ module.components.numpy()
        np.testing.assert_allclose(clips.kernels.sum(1).numpy(), expected, atol=1e-9)

    @pytest.mark.parametrize("rows", [range(0, 30, 2), range(18)], ids=["half", "most"])
    def test_a_lacking_modality_says_nothing_of_its_features(self, rows):
        signals = random_signals(30)
        has = np.setdiff1d(np.arange(30), rows)
        alone = calibrated([signals[0][has], signals[1][has], signals[2][has]])
        module = calibrated(without(signals, list(rows), 0))
        of_first = slice(0, module.kernels[0].n_features)
        # Its means are those of the clips that have it, and so its part has mean 0 over them.
        np.testing.assert_allclose(module.kernel_mean[of_first], alone.kernel_mean[of_first])
        clips = module.prepare(without(signals, list(rows), 0))
        kernels = clips.kernels
        torch.testing.assert_close(
            kernels[has, 0].mean(0), torch.zeros(5).double(), rtol=0, atol=1e-6
        )
        for part in module.kernel_parts(clips):
            assert abs(part.norm(dim=1).mean().item() - 1.0) < 1e-3

    def test_a_modality_that_the_first_clips_lack_is_calibrated(self):
        signals = random_signals(130)
        module = make_module()
        order = torch.randperm(130, generator=generator(1))
        module.calibrate(without(signals, order[:100].tolist(), 0), generator=generator(1))
        assert module.kernels[0].biases.std(1).min() > 0

    def test_fewer_clips_than_components(self):
        signals = random_signals(3)
        module = calibrated(signals, kernel_dim=8)
        assert (
            module.components[:, 3:6] == 0
        ).all()  # of the course; the last two are of the level
        assert module.prepare(signals).kernels.isfinite().all()

    def test_a_single_clip(self):
        signals = random_signals(1)
        module = calibrated(signals)
        assert module.embed(module.prepare(signals)).isfinite().all()

    def test_calibration_is_decided_by_the_generator_and_leaves_the_global_one(self):
        signals = random_signals(20)
        before = torch.get_rng_state()
        first, again = calibrated(signals).state_dict(), calibrated(signals).state_dict()
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)

    def test_calibration_does_not_change_the_recordings(self):
        signals = random_signals(20, missing=0.3)
        copies = [signal.clone() for signal in signals]
        module = calibrated(signals)
        module.prepare(signals)
        for signal, before in zip(signals, copies, strict=True):
            torch.testing.assert_close(signal, before, rtol=0, atol=0, equal_nan=True)

    def test_rules_look_at_the_first_components(self):
        signals = random_signals(40)
        module = calibrated(signals)
        clips = module.prepare(signals)
        points = module.rule_inputs(clips)
        first = clips.kernels.sum(1)[:, :3]
        for j in range(3):
            correlation = torch.corrcoef(torch.stack([points[:, j], first[:, j]]))[0, 1]
            assert correlation > 0.9


class TestPrepare:
    def test_an_absent_modality_has_no_kernel_part(self):
        signals = random_signals(10)
        module = calibrated(signals)
        clips = module.prepare(without(signals, [2, 5], 0))
        assert (clips.kernels[[2, 5], 0] == 0).all()
        assert (clips.present[[2, 5], 0] == 0).all()
        assert (clips.kernels[[2, 5], 1] != 0).any()

    def test_a_frame_counts_if_any_channel_is_measured(self):
        signals = random_signals(10)
        module = calibrated(signals)
        signals[0][0, :2, 5] = torch.nan
        signals[0][0, :, 6] = torch.nan
        frames = module.prepare(signals).frames[0][0]
        assert frames[5] == 1 and frames[6] == 0 and frames.sum() == 39

    @laws
    @given(st.integers(1, 50), st.integers(0, 2))
    def test_trailing_nan_changes_nothing(self, n_more, modality):
        signals = random_signals(10, missing=0.2)
        module = calibrated(signals)
        longer = list(signals)
        longer[modality] = torch.nn.functional.pad(signals[modality], (0, n_more), value=torch.nan)
        expected = module.embed(module.prepare(signals))
        torch.testing.assert_close(
            module.embed(module.prepare(longer)), expected, rtol=0, atol=1e-10
        )

    def test_warns_of_nothing(self):
        signals = without(random_signals(10, missing=0.3), slice(None), 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            module = calibrated(signals)
            module.embed(module.prepare(signals))

    def test_take(self):
        signals = random_signals(10, missing=0.2)
        module = calibrated(signals)
        clips, rows = module.prepare(signals), torch.tensor([7, 7, 0])
        taken, alone = clips.take(rows), module.prepare([signal[rows] for signal in signals])
        assert isinstance(taken, Clips)
        torch.testing.assert_close(taken.kernels, alone.kernels, rtol=0, atol=1e-12)
        assert torch.equal(taken.present, alone.present)
        for part in ("signals", "frames"):
            for one, other in zip(getattr(taken, part), getattr(alone, part), strict=True):
                assert torch.equal(one, other)


class TestEmbed:
    def test_parts_of_an_embedding(self):
        signals = random_signals(30)
        module = calibrated(signals)
        embeddings, firing = module.embed_with_firing(module.prepare(signals))
        assert module.block_sizes == [6, 3, 2, 3, 4]
        assert embeddings.shape == (30, module.embedding_size) == (30, 18)
        learned, course, level, consequents, fired = embeddings.split(module.block_sizes, dim=1)
        clips = module.prepare(signals)
        for part, again in zip((course, level), module.kernel_parts(clips), strict=True):
            assert torch.equal(part, again)
        kernels = torch.cat([course, level], dim=1)
        ones = torch.ones(30).double()
        for part in (learned, consequents):
            torch.testing.assert_close(part.norm(dim=1), ones, rtol=0, atol=2e-2)
            torch.testing.assert_close(part.mean(1), 0 * ones, rtol=0, atol=1e-9)
        torch.testing.assert_close(kernels, module.prepare(signals).kernels.sum(1))
        torch.testing.assert_close(fired.sum(1), ones)
        assert torch.equal(fired, firing)
        assert torch.equal(embeddings, module.embed(module.prepare(signals)))

    def test_rules_fire_at_their_inputs(self):
        signals = random_signals(20, missing=0.1)
        module = calibrated(signals)
        clips = module.prepare(signals)
        embeddings, firing = module.embed_with_firing(clips)
        expected_firing, consequents = module.rules(module.rule_inputs(clips))
        torch.testing.assert_close(firing, expected_firing)
        centred = consequents - consequents.mean(1, keepdim=True)
        in_embedding = embeddings[:, 11:14]
        cosine = torch.cosine_similarity(centred, in_embedding)
        torch.testing.assert_close(cosine, torch.ones(20).double())

    @laws
    @given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=6, max_size=6))
    def test_leaving_a_view_out_is_not_having_measured_it(self, used):
        views = torch.tensor(used)
        views[:, 0] |= ~views.any(1)
        signals = random_signals(6)
        module = calibrated(random_signals(20, seed=1))
        masked = module.embed(module.prepare(signals), views.double())
        removed = [
            signal.masked_fill(~views[:, i, None, None], torch.nan)
            for i, signal in enumerate(signals)
        ]
        expected = module.embed(module.prepare(removed))
        torch.testing.assert_close(masked, expected, rtol=0, atol=1e-10)

    def test_a_view_that_is_not_there_cannot_be_used(self):
        signals = without(random_signals(6), slice(None), 1)
        module = calibrated(random_signals(20, seed=1))
        clips = module.prepare(signals)
        assert torch.equal(module.embed(clips, torch.ones(6, 3).double()), module.embed(clips))

    def test_clips_do_not_influence_each_other(self):
        signals = random_signals(9, missing=0.2)
        module = calibrated(random_signals(20, seed=1))
        together = module.embed(module.prepare(signals))
        alone = [module.embed(module.prepare([s[[i]] for s in signals])) for i in range(9)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)

    def test_changes_no_state_and_draws_nothing(self):
        signals = random_signals(6, missing=0.2)
        module = calibrated(random_signals(20, seed=1))
        state = {name: value.clone() for name, value in module.state_dict().items()}
        before = torch.get_rng_state()
        first = module.train().embed(module.prepare(signals))
        assert torch.equal(module.eval().embed(module.prepare(signals)), first)
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())

    def test_dropout_only_with_a_generator(self):
        module = calibrated(random_signals(20))
        clips = module.prepare(random_signals(6))
        noisy = module.embed(clips, None, generator(1))
        assert torch.equal(module.embed(clips, None, generator(1)), noisy)
        assert not torch.equal(module.embed(clips), noisy)

    def test_float32_answers_as_float64_does(self):
        signals = random_signals(20, missing=0.1)
        module = calibrated(signals)
        expected = module.embed(module.prepare(signals))
        single = module.float()
        answer = single.embed(single.prepare([signal.float() for signal in signals]))
        assert answer.dtype == torch.float32
        torch.testing.assert_close(answer.double(), expected, rtol=0, atol=1e-4)


class TestSizes:
    @pytest.mark.parametrize(("total", "expected"), [(9, 9), (10, 10), (3, 3), (1, 3), (2, 3)])
    def test_kernels_are_shared_out_with_at_least_one_each(self, total, expected):
        module = make_module(n_kernels=total)
        counts = [len(kernels.taps) for kernels in module.kernels]
        assert sum(counts) == expected
        assert max(counts) - min(counts) <= 1

    def test_the_seed_decides_the_start(self):
        before = torch.get_rng_state()
        first, again, other = (make_module(seed=seed).state_dict() for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)
        differs = [name for name in first if not torch.equal(first[name], other[name])]
        assert {"to_rules.weight", "rules.centers", "kernels.0.taps"} <= set(differs)


class TestRidges:
    def test_small_ones_serve_the_population_alone(self):
        module = make_module()
        module.start_ridges(0.1, 6.0)
        sizes = module.block_sizes
        alone, with_support = (module.ridge(n_support=n).detach() for n in (0, 3))
        expected = np.repeat([100.0, 1.0, 6.0, 100.0, 100.0, 1e-3], [*sizes, 1])
        np.testing.assert_allclose(with_support, expected, rtol=1e-5)
        expected[sizes[0] : sizes[0] + sizes[1]] = 0.1
        np.testing.assert_allclose(alone, expected, rtol=1e-5)

    def test_of_what_is_trained_grow_together(self):
        module = make_module()
        module.distrust_training(10.0)
        np.testing.assert_allclose(
            module.learner.log_ridge.detach().exp(), [1000.0, 1.0, 2.0, 1000.0, 1000.0], rtol=1e-5
        )

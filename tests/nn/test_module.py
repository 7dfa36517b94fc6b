"""The wired network: what calibration sets, what preparing and embedding promise."""

import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.clips import Clips
from stf2m_sk.nn.knowledge import gather_knowledge
from stf2m_sk.nn.meta_rnn import Classes
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.sizes import ModuleSizes

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
        consequent_dim=6,
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
    """A module that has read the training clips off, rules included: some clips are centres."""
    module = make_module(**changes)
    module.calibrate(signals, generator=generator(1))
    points = module.aim_rules(module.prepare(signals))
    centers = points[torch.arange(module.sizes.n_rules) % len(points)]
    module.set_rules(points, centers, torch.full_like(centers, 0.7))
    return module


def kernel_features(module, clips):
    """Features of the random kernels of all modalities: what sees the course, and the level too."""
    parts = zip(module.kernels, clips.signals, clips.frames, strict=True)
    features = torch.cat([kernels(signal, frame) for kernels, signal, frame in parts], dim=1)
    features = features.numpy()
    sees_level = np.concatenate([kernels.sees_level.numpy() for kernels in module.kernels])
    return features[:, ~sees_level], features[:, sees_level]


def of_modality(module, modality):
    """Where the course and the level features of a modality stand among those of all."""
    places = []
    for level in (False, True):
        counts = [int((k.sees_level == level).sum()) for k in module.kernels]
        start = sum(counts[:modality])
        places.append(slice(start, start + counts[modality]))
    return places


def loop_rules(base, u):
    """The answer of a rule base, rule by rule in NumPy: (n_clips, n_outputs)."""
    n_rules, n_features = base.centers.shape
    answers = np.zeros((len(u), base.consequent_bias.shape[1]))
    for i in range(len(u)):
        z = np.zeros(n_rules)
        for r in range(n_rules):
            squares = ((u[i] - base.centers[r]) / base.widths[r]) ** 2
            z[r] = -base.temperature / np.sqrt(n_features) * 0.5 * squares.sum()
        w = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        for r in range(n_rules):
            answers[i] += w[r] * (base.consequent_weight[r] @ u[i] + base.consequent_bias[r])
    return answers


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
    def test_course_and_level_have_means_and_directions_of_their_own(self):
        signals = random_signals(30)
        module = calibrated(signals)
        features = kernel_features(module, module.prepare(signals))
        for components, own in zip((module.course, module.level), features, strict=True):
            np.testing.assert_allclose(components.mean, own.mean(0), atol=1e-9)
            # All are scaled so that they spread alike, but for those that hardly do.
            weight = 1.0 / (own.std(0) + 1e-2)
            ratio = components.scale.numpy() / weight
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
            standard = (own - own.mean(0)) * weight
            rows = np.linalg.svd(standard, full_matrices=False)[2]
            directions = components.directions.numpy()
            n_kept = directions.shape[1]
            expected = rows[:n_kept].T @ rows[:n_kept]
            np.testing.assert_allclose(directions @ directions.T, expected, atol=2e-3)

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
        parts = module.kernel_parts(clips)
        features = kernel_features(module, clips)
        triples = zip(parts, (module.course, module.level), features, strict=True)
        for part, components, own in triples:
            standard = (own - components.mean.numpy()) * components.scale.numpy()
            expected = standard @ components.directions.numpy()
            np.testing.assert_allclose(part.numpy(), expected, atol=1e-9)

    @pytest.mark.parametrize("rows", [range(0, 30, 2), range(18)], ids=["half", "most"])
    def test_a_lacking_modality_says_nothing_of_its_features(self, rows):
        signals = random_signals(30)
        has = np.setdiff1d(np.arange(30), rows)
        alone = calibrated([signals[0][has], signals[1][has], signals[2][has]])
        module = calibrated(without(signals, list(rows), 0))
        # Its means are those of the clips that have it, and so its part has mean 0 over them.
        for name, first in zip(("course", "level"), of_modality(module, 0), strict=True):
            means = [getattr(made, name).mean[first] for made in (module, alone)]
            torch.testing.assert_close(*means)
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
        n_course, n_level = (part.directions.shape[1] for part in (module.course, module.level))
        assert (n_course, n_level) == (6, 2)
        assert (module.course.directions[:, 3:] == 0).all()
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


class TestRules:
    def test_look_where_clips_spread_most_as_far_as_that_is_trusted(self):
        signals = random_signals(40)
        module = calibrated(signals)
        module.start_ridges(4.0, 9.0)
        clips = module.prepare(signals)
        points = module.aim_rules(clips).numpy()
        course, level = (part.numpy() for part in module.kernel_parts(clips))
        trusted = np.column_stack([course / 2.0, level / 3.0])
        rows = np.linalg.svd(trusted, full_matrices=False)[2][:3]
        expected = trusted @ rows.T
        expected /= np.sqrt((expected**2).sum(1).mean())
        np.testing.assert_allclose(points @ points.T, expected @ expected.T, atol=1e-6)
        np.testing.assert_allclose((points**2).sum(1).mean(), 1.0)
        again = clips.kernels.sum(1) @ module.to_rules
        np.testing.assert_allclose(points, again.numpy(), atol=1e-9)

    def test_where_clips_do_not_spread_there_is_nothing_to_see(self):
        signals = [signal[:1].expand(5, -1, -1) for signal in random_signals(1)]
        module = make_module()
        module.calibrate(signals, generator=generator(1))
        points = module.aim_rules(module.prepare(signals))
        assert points.isfinite().all() and points.abs().max() < 1e-6
        module.set_rules(points, torch.zeros(4, 3), torch.ones(4, 3))
        assert module.read(signals).isfinite().all()

    def test_design_is_that_of_the_rules_and_its_firing_counts_as_said(self):
        signals = random_signals(30)
        module = calibrated(signals)
        points = module.prepare(signals).kernels.sum(1) @ module.to_rules
        design = module.rules(points)[1].numpy()
        assert design.shape == (30, 4 * (3 + 1))
        np.testing.assert_allclose(module.consequents.mean, design.mean(0), atol=1e-9)
        # The firing strength, last of each rule's columns, counts as one of ten directions.
        weight = np.tile([1.0, 1.0, 1.0, 0.1**0.5], 4)
        ratio = module.consequents.scale.numpy() / weight
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
        rows = np.linalg.svd((design - design.mean(0)) * weight, full_matrices=False)[2][:6]
        directions = module.consequents.directions.numpy()
        np.testing.assert_allclose(directions @ directions.T, rows.T @ rows, atol=2e-3)

    def test_fire_at_their_inputs(self):
        signals = random_signals(20, missing=0.1)
        module = calibrated(signals)
        clips = module.prepare(signals)
        embeddings, design = module.embed_with_design(clips)
        expected = module.rules(clips.kernels.sum(1) @ module.to_rules)[1]
        expected = module.consequents.standardise(expected)
        torch.testing.assert_close(design, expected)
        part = embeddings[:, -module.block_sizes[-1] :]
        torch.testing.assert_close(part, module.consequents.project(expected))

    @laws
    @given(st.integers(0, 10**6))
    def test_rule_base_says_what_the_rules_block_adds(self, seed):
        """Rule by rule in NumPy; up to a constant for each class."""
        module = calibrated(random_signals(30))
        signals, source = random_signals(8, missing=0.1, seed=1), generator(seed)
        n_columns = module.embedding_size + 1 + sum(module.novelty_sizes)
        classes = Classes(
            torch.randn(n_columns, 3, generator=source).double(),
            torch.randn(module.embedding_size, generator=source).double(),
            torch.tensor(0.7).double(),
        )
        base = module.rule_base(classes)
        assert base.consequent_weight.shape == (4, 3, 3)
        silent = classes.weights.clone()
        silent[sum(module.block_sizes[:3]) : module.embedding_size] = 0
        silent[-module.novelty_sizes[-1] :] = 0
        embeddings = module.read(signals).detach()
        logits = [state.logits(embeddings) for state in (classes, classes._replace(weights=silent))]
        added = ((logits[0] - logits[1]) / classes.log_scale.exp()).numpy()
        u = module.prepare(signals).kernels.sum(1) @ module.to_rules
        difference = loop_rules(base, u.numpy()) - added
        np.testing.assert_allclose(
            difference - difference.mean(0), 0, atol=1e-9 * np.abs(added).max()
        )


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
        clips = module.prepare(signals)
        embeddings = module.embed(clips)
        assert module.block_sizes == [6, 3, 2, 6]
        assert embeddings.shape == (30, module.embedding_size) == (30, 17)
        learned, course, level, rules = embeddings.split(module.block_sizes, dim=1)
        for part, again in zip((course, level), module.kernel_parts(clips), strict=True):
            assert torch.equal(part, again)
        ones = torch.ones(30).double()
        torch.testing.assert_close(learned.norm(dim=1), ones, rtol=0, atol=2e-2)
        torch.testing.assert_close(learned.mean(1), 0 * ones, rtol=0, atol=1e-9)
        torch.testing.assert_close(torch.cat([course, level], dim=1), clips.kernels.sum(1))
        for part in (course, level, rules):
            torch.testing.assert_close(part.norm(dim=1).mean().item(), 1.0, rtol=0, atol=1e-2)
            torch.testing.assert_close(part.mean(0), 0 * part[0], rtol=0, atol=1e-6)
        assert torch.equal(embeddings, module.embed_with_design(clips)[0])

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


class TestRead:
    def test_is_the_embedding_and_what_it_leaves_out(self):
        module = calibrated(random_signals(30))
        signals = random_signals(12, missing=0.1, seed=1)
        clips = module.prepare(signals)
        with torch.no_grad():
            (embeddings, design), read = module.embed_with_design(clips), module.read(signals)
        n_course, n_level = 4 * (9 - 3), 4 * 3
        assert module.novelty_sizes == [n_course, n_level, 16]
        assert read.shape == (12, 17 + sum(module.novelty_sizes))
        torch.testing.assert_close(read[:, :17], embeddings, rtol=0, atol=1e-12)
        novelty = read[:, 17:].split(module.novelty_sizes, dim=1)
        blocks = embeddings.split(module.block_sizes, dim=1)[1:]
        standard = [
            (own - components.mean.numpy()) * components.scale.numpy()
            for own, components in zip(
                kernel_features(module, clips), (module.course, module.level), strict=True
            )
        ]
        parts = (module.course, module.level, module.consequents)
        for own, components, block, left in zip(
            [*standard, design.numpy()], parts, blocks, novelty, strict=True
        ):
            rebuilt = block.numpy() @ components.directions.numpy().T + left.numpy()
            np.testing.assert_allclose(rebuilt, own, atol=1e-9)
            largest = np.linalg.norm(own, axis=1).max()
            assert (left @ components.directions).abs().max() < 1e-2 * largest

    def test_of_ready_clips_is_the_same(self):
        module = calibrated(random_signals(30))
        signals = random_signals(7, seed=1)
        signals[0][2] = torch.nan  # a clip without its first modality
        torch.testing.assert_close(
            module.read_ready(module.prepare(signals)), module.read(signals), rtol=0, atol=0
        )

    def test_rules_part_is_that_of_the_embeddings(self):
        module = calibrated(random_signals(30))
        clips = module.prepare(random_signals(7, seed=1))
        part = module.embed(clips).split(module.block_sizes, dim=1)[-1]
        torch.testing.assert_close(module.rules_part(clips), part)

    def test_training_clips_have_nothing_novel_where_all_their_directions_are_kept(self):
        signals = random_signals(6)
        module = calibrated(signals, kernel_dim=20, consequent_dim=6)
        of_training, of_others = (
            module.read(clips)[:, module.embedding_size :].norm(dim=1).mean().item()
            for clips in (signals, random_signals(6, seed=1))
        )
        assert of_training < 0.02
        assert of_others > 0.3

    def test_a_lacking_modality_stands_at_its_mean(self):
        signals = random_signals(10)
        module = calibrated(signals)
        n_first = sum(module.block_sizes)
        lacking = module.read(without(signals, slice(None), 0))
        course, level, _ = lacking[:, n_first:].split(module.novelty_sizes, dim=1)
        blocks = lacking[:, :n_first].split(module.block_sizes, dim=1)
        for part, components, block, rows in zip(
            (course, level),
            (module.course, module.level),
            blocks[1:3],
            of_modality(module, 0),
            strict=True,
        ):
            standard = part + block @ components.directions.mT
            torch.testing.assert_close(standard[:, rows], 0 * standard[:, rows], atol=1e-9, rtol=0)

    @laws
    @given(st.integers(1, 30), st.integers(0, 2))
    def test_trailing_nan_changes_nothing(self, n_more, modality):
        module = calibrated(random_signals(20))
        signals = random_signals(5, missing=0.2, seed=1)
        longer = list(signals)
        longer[modality] = torch.nn.functional.pad(signals[modality], (0, n_more), value=torch.nan)
        torch.testing.assert_close(module.read(longer), module.read(signals), rtol=0, atol=1e-9)

    def test_clips_do_not_influence_each_other(self):
        signals = random_signals(9, missing=0.2)
        module = calibrated(random_signals(20, seed=1))
        alone = [module.read([s[[i]] for s in signals]) for i in range(9)]
        torch.testing.assert_close(module.read(signals), torch.cat(alone), rtol=0, atol=1e-9)

    def test_float32_answers_as_float64_does(self):
        signals = random_signals(20, missing=0.1)
        module = calibrated(signals)
        expected = module.read(signals)
        answer = module.float().read([signal.float() for signal in signals])
        assert answer.dtype == torch.float32
        torch.testing.assert_close(answer.double(), expected, rtol=0, atol=1e-3)


class TestAblation:
    """Full-length clips without gaps; the kernels read every frame of them."""

    def shuffled(self, signals):
        """The frames of each clip and modality in an order of their own."""
        order = [torch.rand(s[:, :1].shape, generator=generator(5)).argsort(2) for s in signals]
        return [s.gather(2, o.expand_as(s)) for s, o in zip(signals, order, strict=True)]

    @pytest.mark.parametrize("temporal", [False, True])
    def test_only_temporal_convolutions_see_the_order_of_frames(self, temporal):
        module = calibrated(random_signals(30), temporal=temporal)
        assert all(kernels.stride == 1 for kernels in module.kernels)
        with torch.no_grad():  # as after training, by which places in time may have got a weight
            for name, parameter in module.encoders.named_parameters():
                if parameter.requires_grad:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(2)))
                else:
                    assert name.endswith("position.weight")
        signals = random_signals(8, seed=1)
        difference = (module.read(signals) - module.read(self.shuffled(signals))).abs()
        of_blocks = difference.split([*module.block_sizes, *module.novelty_sizes], dim=1)
        for part in of_blocks:
            assert part.max() > 1e-3 if temporal else part.max() < 1e-9

    @pytest.mark.parametrize("spatial", [False, True])
    def test_only_spatial_convolutions_see_channels_together(self, spatial):
        module = calibrated(random_signals(30), spatial=spatial, n_kernels=30)
        several = [k for k, n in zip(module.kernels, N_CHANNELS, strict=True) if n > 1]
        n_mixed = torch.cat([(k.mixtures != 0).sum(1) for k in several])
        assert (n_mixed.max() > 1) == spatial
        clips = module.prepare(random_signals(6, seed=1))
        for kernels, signal, frames in zip(
            module.kernels, clips.signals, clips.frames, strict=True
        ):
            here, reads = kernels(signal, frames), []
            for channel in range(signal.shape[1]):
                moved = signal.clone()
                moved[:, channel] = moved[:, channel].flip(0)
                reads.append((kernels(moved, frames) != here).any(0))
            assert (torch.stack(reads).sum(0).max() <= 1) or (spatial and signal.shape[1] > 1)

    def test_silent_rules_have_no_say(self):
        signals = random_signals(30)
        changes = {}
        for silent in (False, True):
            module = calibrated(signals)
            if silent:
                module.silence_rules()
            logits = []
            for widths in (0.3, 3.0):
                module.rules.set_antecedents(module.rules.centers, torch.full((4, 3), widths))
                read = module.read(signals)
                membership = torch.eye(3).double().repeat(10, 1)
                knowledge = gather_knowledge(
                    read[:, : module.embedding_size], membership, torch.ones(30).double()
                )
                ridge = module.ridge(n_support=6)
                support = (read[:6], membership[:6], torch.ones(6).double())
                logits.append(module.learner(knowledge, ridge, *support).logits(read))
            changes[silent] = (logits[0] - logits[1]).abs().max().item()
        assert changes[True] < 1e-5
        assert changes[False] > 1e-2


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
        assert {"encoders.0.spatial.weight", "rules.centers", "kernels.0.taps"} <= set(differs)


class TestRidges:
    def test_small_ones_serve_the_population_alone(self):
        module = make_module()
        module.start_ridges(0.1, 6.0)
        sizes = [*module.block_sizes, 1, *module.novelty_sizes]

        def all_of(course, level):
            # The rules say three tenths of what the random kernels say.
            kernels = [course, level, 1.0 / (0.3 * (1.0 / course + 1.0 / level))]
            return np.repeat([100.0, *kernels, 1e-3, *kernels], sizes)

        alone, with_support = (module.ridge(n_support=n).detach() for n in (0, 3))
        np.testing.assert_allclose(with_support, all_of(1.0, 6.0), rtol=1e-5)
        np.testing.assert_allclose(alone, all_of(0.1, 6.0), rtol=1e-5)

    @pytest.mark.parametrize("share", [0.03, 2.0])
    def test_rules_say_a_share_of_what_kernels_say(self, share):
        module = make_module()
        module.start_ridges(0.1, 6.0)
        module.share_with_rules(share)
        for n_support in (0, 3):
            _, *parts = module.ridge(n_support=n_support)[: module.embedding_size].split(
                module.block_sizes
            )
            course, level, rules = (part[0].item() for part in parts)
            assert 1 / rules == pytest.approx(share * (1 / course + 1 / level), rel=1e-5)

    def test_of_another_learner_and_fewer_novel_columns(self):
        module = make_module()
        module.start_ridges(0.1, 6.0)
        learner = copy.deepcopy(module.learner)
        with torch.no_grad():
            learner.log_ridge.add_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        ridge = module.ridge(n_support=1, learner=learner, novelty_sizes=[2, 0, 1])
        expected = learner.log_ridge.exp()
        torch.testing.assert_close(ridge[module.embedding_size + 1 :], expected[[1, 1, 3]])
        blocks = expected.repeat_interleave(torch.tensor(module.block_sizes))
        torch.testing.assert_close(ridge[: module.embedding_size], blocks)

    def test_a_silent_learner_shifts_nobody(self):
        module = make_module()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        module.silence_learner()
        for name, value in module.state_dict().items():
            assert torch.equal(value, before[name]) == (name != "learner.shift_share")
        assert module.learner.shift_share == 0

    def test_what_is_novel_is_trusted_as_what_is_not(self):
        module = make_module()
        with torch.no_grad():
            module.learner.log_ridge.copy_(torch.tensor([3.0, 1.0, -1.0, 2.0]))
        ridge = module.ridge(n_support=1)
        n_first = module.embedding_size + 1
        assert len(ridge) == n_first + sum(module.novelty_sizes)
        torch.testing.assert_close(ridge[:n_first], module.learner.ridge(module.block_sizes))
        expected = np.repeat(np.exp([1.0, -1.0, 2.0]), module.novelty_sizes)
        np.testing.assert_allclose(ridge[n_first:].detach(), expected, rtol=1e-6)

    def test_of_what_is_trained_grow_together(self):
        module = make_module()
        module.distrust_training(10.0)
        np.testing.assert_allclose(
            module.learner.log_ridge.detach().exp(), [1000.0, 1.0, 2.0, 2.2], rtol=1e-5
        )

    def test_silence_is_of_the_rules_alone(self):
        module = make_module()
        before = module.learner.log_ridge.detach().clone()
        module.silence_rules()
        assert torch.equal(module.learner.log_ridge[:-1], before[:-1])
        assert module.learner.log_ridge[-1].exp() > 1e8

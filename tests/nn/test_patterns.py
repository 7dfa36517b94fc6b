"""Pattern rules, against plain NumPy loops in float64 and scikit-fuzzy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.patterns import PatternRules, membership

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_clips(n_clips, n_channels, n_frames, *, missing=0.3, seed=0, dtype=torch.float64):
    """A signal with holes, 0 in the holes, and its frames."""
    source = generator(seed)
    frames = (torch.rand(n_clips, n_frames, generator=source) >= missing).to(dtype)
    signal = torch.randn(n_clips, n_channels, n_frames, dtype=dtype, generator=source)
    return signal * frames[:, None], frames


def make_rules(n_channels, n_timesteps, n_groups=8, n_prototypes=3, *, seed=0, **reach):
    """Float64 rules, calibrated, with drawn prototypes."""
    source = generator(seed)
    sizes = {"n_groups": n_groups, "n_prototypes": n_prototypes, **reach}
    rules = PatternRules(n_channels, n_timesteps, **sizes, generator=source).double()
    rules.calibrate(*random_clips(6, n_channels, max(n_timesteps, 3), seed=seed + 1))
    prototypes = torch.randn(rules.prototypes.shape, generator=source).double()
    rules.prototypes.copy_(prototypes * (rules.mixtures.abs().sum(2) > 0)[:, None, :, None])
    return rules


def loop_windows(rules, signal, frames):
    """Windows of each group as documented: (n_clips, n_positions, n_rows * n_taps)."""
    n_clips, _, n_frames = signal.shape
    difference = np.zeros_like(signal)
    for t in range(1, n_frames):
        both = (frames[:, t] * frames[:, t - 1])[:, None]
        difference[:, :, t] = (signal[:, :, t] - signal[:, :, t - 1]) * both
    difference /= rules.difference_scale.numpy()
    n_rows, n_taps = rules.prototypes.shape[2:]
    for group, kind in enumerate(rules.groups):
        source = difference if kind.is_difference else signal
        mixture = rules.mixtures[group].numpy()
        positions = range(0, n_frames, rules.stride)
        windows = np.zeros((n_clips, len(positions), n_rows, n_taps))
        for place, t in enumerate(positions):
            for tap in range(n_taps):
                frame = t + kind.dilation * (tap - n_taps // 2)
                if 0 <= frame < n_frames:
                    windows[:, place, :, tap] = source[:, :, frame] @ mixture.T
        centred = (windows - windows.mean(3, keepdims=True)).reshape(n_clips, len(positions), -1)
        windows = windows.reshape(centred.shape)
        if kind.is_shape:
            floor = (0.1 * float(rules.window_scale[group])) ** 2 * windows.shape[2]
            windows = centred / np.sqrt((centred**2).sum(2, keepdims=True) + floor)
        yield windows


def loop_memberships(windows, prototypes, fuzzifier=1.5):
    """Fuzzy c-means by its equation; a window on a prototype belongs to it alone."""
    memberships = np.zeros((len(windows), len(prototypes)))
    for i, window in enumerate(windows):
        # The floor is the module's: windows nearer than 0.001 lie on the prototype.
        squares = [max(((window - c) ** 2).sum(), 1e-6) for c in prototypes]
        for k, own in enumerate(squares):
            memberships[i, k] = 1 / sum((own / s) ** (1 / (fuzzifier - 1)) for s in squares)
    return memberships


def loop_strengths(rules, signal, frames):
    strengths = []
    measured = frames[:, :: rules.stride] > 0
    for group, windows in enumerate(loop_windows(rules, signal, frames)):
        prototypes = rules.prototypes[group].flatten(1).numpy()
        own = np.zeros((len(signal), len(prototypes)))
        for i in range(len(signal)):
            if measured[i].any():
                own[i] = loop_memberships(windows[i][measured[i]], prototypes).mean(0)
        strengths.append(own)
    return np.concatenate(strengths, axis=1)


@st.composite
def cases(draw):
    """Rules, a signal and its frames; the clip may be longer or shorter than usual."""
    n_timesteps = draw(st.sampled_from([1, 2, 9, 30, 400, 1000]))
    n_frames = draw(st.integers(1, 30)) if n_timesteps < 100 else draw(st.integers(60, 90))
    seed = draw(st.integers(0, 2**31))
    n_channels = draw(st.integers(1, 4))
    rules = make_rules(
        n_channels,
        n_timesteps,
        draw(st.integers(1, 6)),
        draw(st.integers(1, 4)),
        seed=seed,
        n_taps=draw(st.sampled_from([1, 3, 9])),
        most_mixed=draw(st.sampled_from([1, 2, 9])),
    )
    missing = draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    return rules, *random_clips(3, n_channels, n_frames, missing=missing, seed=seed)


class TestMembership:
    def test_equals_the_equation(self):
        source = np.random.default_rng(0)
        windows, prototypes = source.normal(size=(20, 5)), source.normal(size=(4, 5))
        found = membership(torch.from_numpy(windows), torch.from_numpy(prototypes))
        np.testing.assert_allclose(found, loop_memberships(windows, prototypes), rtol=1e-9)

    def test_equals_scikit_fuzzy(self):
        from skfuzzy.cluster import cmeans_predict

        source = np.random.default_rng(1)
        windows, prototypes = source.normal(size=(30, 6)), source.normal(size=(3, 6))
        start = np.full((3, 30), 1 / 3)
        expected, *_ = cmeans_predict(windows.T, prototypes, 1.5, 1e-12, 5, init=start)
        found = membership(torch.from_numpy(windows), torch.from_numpy(prototypes))
        np.testing.assert_allclose(found, expected.T, rtol=1e-6)

    @laws
    @given(st.integers(0, 2**32 - 1), st.sampled_from([torch.float32, torch.float64]))
    def test_rows_sum_to_one(self, seed, dtype):
        source = torch.Generator().manual_seed(seed)
        windows = torch.randn(9, 3, generator=source, dtype=dtype)
        prototypes = torch.cat([windows[:2], torch.randn(2, 3, generator=source, dtype=dtype)])
        found = membership(windows * 10, prototypes * 10)
        assert (found >= 0).all()
        torch.testing.assert_close(found.sum(1), torch.ones(9, dtype=dtype))

    @laws
    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
    def test_order_does_not_matter(self, seed, order):
        source = torch.Generator().manual_seed(seed)
        windows = torch.randn(9, 3, generator=source)
        prototypes = torch.randn(4, 3, generator=source)
        rows = torch.randperm(9, generator=generator(order))
        rules = torch.randperm(4, generator=generator(order))
        found = membership(windows[rows], prototypes[rules])
        torch.testing.assert_close(found, membership(windows, prototypes)[rows][:, rules])

    def test_a_window_on_a_prototype_belongs_to_it(self):
        prototypes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
        torch.testing.assert_close(membership(prototypes.clone(), prototypes), torch.eye(3))

    def test_prototypes_that_are_the_same_share(self):
        found = membership(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [0.0], [9.0]]))
        torch.testing.assert_close(found[:, 0], found[:, 1])
        assert found[1, 0].item() == pytest.approx(0.5)

    def test_far_away_all_are_alike(self):
        found = membership(torch.full((1, 2), 1e4).double(), torch.eye(2).double())
        torch.testing.assert_close(found, torch.full_like(found, 0.5), rtol=1e-3, atol=0)


class TestWindows:
    @settings(deadline=None, max_examples=20)
    @given(cases())
    def test_equal_a_loop(self, case):
        rules, signal, frames = case
        measured = frames[:, :: rules.stride].numpy() > 0
        expected = list(loop_windows(rules, signal.numpy(), frames.numpy()))
        found = list(rules.windows(signal, frames))
        assert len(found) == len(expected) == len(rules.groups)
        for own, every in zip(found, expected, strict=True):
            np.testing.assert_allclose(own, every[measured], rtol=1e-9, atol=1e-10)

    def test_the_kinds_take_turns(self):
        groups = make_rules(2, 100, 16).groups
        assert [tuple(g[1:]) for g in groups[:4]] == [
            (False, False),
            (False, True),
            (True, False),
            (True, True),
        ]
        assert len({g.dilation for g in groups}) > 2
        assert len(set(groups)) == 16

    @pytest.mark.parametrize("n_channels", [1, 3])
    def test_shapes_do_not_see_level_and_size(self, n_channels):
        rules = make_rules(n_channels, 40, 10, n_taps=3)
        signal, frames = random_clips(4, n_channels, 40, missing=0.0)
        levels = torch.tensor([700.0, -3.0, 0.2])[:n_channels, None]
        inside = slice(16, 24)  # beyond its ends a clip is 0, whatever its level

        def shapes(values, group):
            own = list(rules.windows(values, frames))[group].view(4, 40, -1)
            return own[:, inside].unflatten(2, (-1, 3))

        for group, kind in enumerate(rules.groups):
            if not kind.is_shape:
                continue
            found = shapes(signal, group)
            torch.testing.assert_close(found.mean(3), torch.zeros(found.shape[:3]).double())
            large = shapes(1000 * signal, group)
            lifted = shapes(1000 * signal + levels, group)
            torch.testing.assert_close(lifted, large, rtol=1e-6, atol=1e-6)
            lengths = large.flatten(2).norm(dim=2)
            torch.testing.assert_close(lengths, torch.ones(4, 8).double(), rtol=1e-3, atol=0)

    def test_a_flat_window_has_no_shape(self):
        rules = make_rules(1, 40, 2)
        flat = 1e-4 * random_clips(2, 1, 40, missing=0.0)[0]
        shapes = list(rules.windows(flat, torch.ones(2, 40).double()))[1]
        assert shapes.norm(dim=1).max() < 0.01

    def test_a_difference_over_a_hole_is_0(self):
        rules = make_rules(1, 40, 3, n_taps=3)
        signal = torch.arange(40.0).double().expand(1, 1, 40) + 5
        frames = torch.ones(1, 40).double()
        frames[0, 10] = 0
        windows = list(rules.windows(signal * frames[:, None], frames))[2]
        scale = float(rules.difference_scale)
        changes = (windows * scale / rules.mixtures[2, 0, 0]).round(decimals=9).unique().tolist()
        assert changes == [0.0, 1.0]


class TestStrengths:
    @settings(deadline=None, max_examples=20)
    @given(cases())
    def test_equal_loops(self, case):
        rules, signal, frames = case
        strengths = rules(signal, frames)
        assert strengths.shape == (3, rules.n_rules)
        expected = loop_strengths(rules, signal.numpy(), frames.numpy())
        np.testing.assert_allclose(strengths, expected, rtol=1e-6, atol=1e-9)

    @laws
    @given(cases())
    def test_those_of_a_group_sum_to_one_or_nothing_is_measured(self, case):
        rules, signal, frames = case
        sums = rules(signal, frames).view(3, len(rules.groups), -1).sum(2)
        measured = (frames[:, :: rules.stride].sum(1) > 0).double()
        torch.testing.assert_close(sums, measured[:, None].expand_as(sums))

    @laws
    @given(cases(), st.integers(1, 60))
    def test_trailing_unmeasured_frames_change_nothing(self, case, n_more):
        rules, signal, frames = case
        longer = torch.nn.functional.pad(signal, (0, n_more))
        padded = rules(longer, torch.nn.functional.pad(frames, (0, n_more)))
        torch.testing.assert_close(padded, rules(signal, frames), rtol=0, atol=1e-10)

    @pytest.mark.parametrize(
        ("n_clips", "n_frames"), [(1, 20), (63, 20), (64, 20), (65, 20), (5, 30_000), (2, 70_000)]
    )
    def test_clips_do_not_influence_each_other(self, n_clips, n_frames):
        rules = make_rules(2, n_frames, 4)
        signal, frames = random_clips(n_clips, 2, n_frames)
        together = rules(signal, frames)
        alone = [rules(signal[[i]], frames[[i]]) for i in range(n_clips)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)

    @pytest.mark.parametrize("n_channels", [1, 3])
    def test_one_time_step(self, n_channels):
        for n_taps in (1, 9):
            rules = make_rules(n_channels, 1, 4, n_taps=n_taps)
            signal, frames = random_clips(20, n_channels, 1, missing=0.0)
            expected = loop_strengths(rules, signal.numpy(), frames.numpy())
            np.testing.assert_allclose(rules(signal, frames), expected, rtol=1e-6)

    def test_constant_signals(self):
        rules = make_rules(2, 20)
        for level in (0.0, 3.0):
            signal, frames = torch.full((5, 2, 20), level).double(), torch.ones(5, 20).double()
            rules.calibrate(signal, frames)
            assert (rules.difference_scale == 1).all()
            assert rules.window_scale.isfinite().all() and (rules.window_scale > 0).all()
            strengths = rules(signal, frames)
            np.testing.assert_allclose(
                strengths, loop_strengths(rules, signal.numpy(), frames.numpy()), rtol=1e-6
            )

    def test_without_a_measured_frame(self):
        rules = PatternRules(2, 20, n_groups=4, n_prototypes=2, generator=generator())
        signal, frames = torch.zeros(5, 2, 20), torch.zeros(5, 20)
        rules.calibrate(signal, frames)
        assert [len(own) for own in rules.windows(signal, frames)] == [0] * 4
        assert (rules(signal, frames) == 0).all()
        assert rules(*random_clips(4, 2, 20, dtype=torch.float32)).isfinite().all()

    def test_float32_is_close_to_float64(self):
        rules = make_rules(3, 200)
        signal, frames = random_clips(6, 3, 200)
        double = rules(signal, frames)
        single = rules.float()(signal.float(), frames.float())
        assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
        torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-5)


class TestStart:
    def test_mixtures_have_norm_1_and_take_turns_in_their_number(self):
        mixtures = make_rules(5, 50, 9).mixtures
        lengths = mixtures.norm(dim=2)
        used = torch.tensor([[1, 0, 0], [1, 1, 0], [1, 1, 1]]).double().repeat(3, 1)
        torch.testing.assert_close(lengths, used, rtol=0, atol=1e-6)

    @pytest.mark.parametrize("n_channels", [1, 2])
    def test_no_more_rows_than_channels(self, n_channels):
        assert make_rules(n_channels, 50).mixtures.shape[1] == n_channels

    def test_one_tap_leaves_levels_alone(self):
        groups = make_rules(2, 50, 5, n_taps=1).groups
        assert groups == [(1, False, False)] * 5

    def test_no_group(self):
        rules = PatternRules(2, 50, n_groups=0, n_prototypes=8, generator=generator())
        assert rules.n_rules == 0
        assert list(rules.windows(*random_clips(2, 2, 50, dtype=torch.float32))) == []

    def test_the_seed_decides_and_the_global_generator_is_left(self):
        before = torch.get_rng_state()
        first, again, other = (make_rules(3, 50, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first.mixtures, again.mixtures)
        assert not torch.equal(first.mixtures, other.mixtures)

    def test_placing_sets_one_group(self):
        rules = make_rules(2, 50, 3, 2)
        before = rules.prototypes.clone()
        rules.place(1, torch.arange(36.0).double().view(2, 18))
        assert rules.prototypes[1, 1, 0].tolist() == list(range(18, 27))
        assert torch.equal(rules.prototypes[[0, 2]], before[[0, 2]])

    def test_scales_are_deviations(self):
        rules = make_rules(2, 30, 1)
        signal, frames = random_clips(5, 2, 30)
        rules.calibrate(signal, frames)
        x, m = signal.numpy(), frames.numpy()
        both = (m[:, 1:] * m[:, :-1])[:, None]
        squares = (np.diff(x, axis=2) ** 2 * both).sum((0, 2)) / both.sum()
        np.testing.assert_allclose(rules.difference_scale[:, 0], np.sqrt(squares), rtol=1e-9)
        rows = next(loop_windows(rules, x, m))[m > 0].reshape(-1, 2, 9)
        np.testing.assert_allclose(
            float(rules.window_scale[0]), np.sqrt(rows.var(2).mean()), rtol=1e-9
        )

    def test_printing_says_the_sizes(self):
        assert "n_groups=8, n_prototypes=3, stride=" in repr(make_rules(2, 1000))

"""Placement of pattern rules, against scikit-learn, scikit-fuzzy and planted truth."""

import re

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from stf2m_sk.fuzzy import place_patterns
from stf2m_sk.nn.patterns import PatternRules


def make_rules(n_channels=1, n_timesteps=40, n_groups=4, n_prototypes=3, **reach):
    generator = torch.Generator().manual_seed(0)
    return PatternRules(
        n_channels,
        n_timesteps,
        n_groups=n_groups,
        n_prototypes=n_prototypes,
        generator=generator,
        **reach,
    )


def planted(n_clips=120, n_kinds=3, seed=0):
    """Clips of one frame and two channels in clusters, and the clusters' centres."""
    source = np.random.default_rng(seed)
    centres = np.array([[-4.0, 0.0], [4.0, 0.0], [0.0, 5.0]])[:n_kinds]
    values = centres[np.arange(n_clips) % n_kinds] + 0.2 * source.normal(size=(n_clips, 2))
    return torch.from_numpy(values[:, :, None]).float(), torch.ones(n_clips, 1), centres


def place(rules, signal, frames, seed=0, **how):
    rules.calibrate(signal, frames)
    place_patterns(rules, signal, frames, np.random.RandomState(seed), **how)
    return rules


class TestPlacement:
    @pytest.mark.parametrize("initialisation", ["c-means", "k-means"])
    def test_finds_planted_clusters(self, initialisation):
        signal, frames, centres = planted()
        rules = make_rules(2, 1, n_groups=2, n_taps=1)
        place(rules, signal, frames, initialisation=initialisation)
        for group in range(2):
            mixture = rules.mixtures[group].numpy()
            truth, found = centres @ mixture.T, rules.prototypes[group].flatten(1).numpy()
            distances = cdist(truth, found)
            rows, columns = linear_sum_assignment(distances)
            if mixture.any(axis=1).all():  # mixed into one row, clusters may lie on each other
                assert distances[rows, columns].max() < 0.3

    def test_is_a_fixed_point_of_scikit_fuzzy(self):
        from skfuzzy.cluster import cmeans

        signal, frames, _ = planted()
        rules = place(make_rules(2, 1, n_groups=2, n_taps=1), signal, frames)
        windows = list(rules.windows(signal, frames))[1].double().numpy()
        found = rules.prototypes[1].flatten(1).double().numpy()
        squares = cdist(windows, found) ** 2
        # Windows of two values are placed with fuzzifier 2.
        memberships = (1 / squares) / (1 / squares).sum(axis=1, keepdims=True)
        again = cmeans(windows.T, 3, 2.0, 1e-9, 1, init=memberships.T)[0]
        np.testing.assert_allclose(again, found, atol=0.01)

    def test_random_takes_windows(self):
        signal, frames, _ = planted()
        rules = place(make_rules(2, 1, 1, n_taps=1), signal, frames, initialisation="random")
        windows = next(rules.windows(signal, frames))
        distances = torch.cdist(rules.prototypes[0].flatten(1), windows).amin(1)
        assert distances.max() < 1e-6

    def test_few_distinct_windows_are_repeated(self):
        signal = torch.tensor([0.0, 1.0, 0.0, 1.0])[:, None, None]
        rules = place(make_rules(1, 1, 1, 5, n_taps=1), signal, torch.ones(4, 1))
        values = (rules.prototypes.flatten() / rules.mixtures.flatten()).abs()
        found, counts = values.unique(return_counts=True)
        assert found.tolist() == pytest.approx([0, 1])
        assert sorted(counts.tolist()) == [2, 3]

    def test_without_a_measured_frame_prototypes_stay(self):
        rules = place(make_rules(), torch.zeros(3, 1, 40), torch.zeros(3, 40))
        assert (rules.prototypes == 0).all()

    def test_unmeasured_frames_place_nothing(self):
        signal, frames, _ = planted()
        wild = torch.cat([signal, torch.zeros(50, 2, 1)])
        with_holes = torch.cat([frames, torch.zeros(50, 1)])
        one = place(make_rules(2, 1, n_taps=1), signal, frames)
        other = place(make_rules(2, 1, n_taps=1), wild, with_holes)
        assert torch.equal(one.prototypes, other.prototypes)

    def test_groups_that_collapse_are_placed_by_k_means_and_that_is_logged(self, caplog):
        signal = torch.randn(30, 1, 40, generator=torch.Generator().manual_seed(0))
        with caplog.at_level("INFO", logger="stf2m_sk"):
            rules = place(make_rules(), signal, torch.ones(30, 40))
        [said] = caplog.messages
        assert re.match(r"\d of 4 groups of pattern rules have prototypes of k-means", said)
        for group in range(4):  # no two prototypes in one place
            assert torch.pdist(rules.prototypes[group].flatten(1).double()).min() > 0.1

    @pytest.mark.parametrize("initialisation", ["c-means", "k-means", "random"])
    def test_the_seed_decides_and_global_generators_are_left(self, initialisation):
        signal = torch.randn(30, 1, 40, generator=torch.Generator().manual_seed(0))
        frames = torch.ones(30, 40)
        before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        one, again, other = (
            place(make_rules(), signal, frames, seed, initialisation=initialisation).prototypes
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[1])
        assert torch.equal(one, again)
        assert not torch.equal(one, other)

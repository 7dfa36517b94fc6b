"""From recordings to features: how the parts are wired."""

import copy

import pytest
import torch

from stf2m_sk.nn.encoder import EmotionNetwork, NetworkEnsemble
from stf2m_sk.nn.module import Block, ModuleSizes, STF2MModule

SIZES = ModuleSizes([3, 1], [40, 9], n_kernels=20, n_patterns=48)
NAN = float("nan")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def recordings(n_clips=12, seed=0):
    source = generator(seed)
    one, two = (torch.randn(n_clips, c, t, generator=source) for c, t in ((3, 40), (1, 9)))
    one[0, :, 30:], two[1] = NAN, NAN
    return [one, two]


@pytest.fixture(scope="module")
def module():
    return _fitted(SIZES)


def _fitted(sizes, **attached):
    source = generator()
    module = STF2MModule(sizes, generator=source).eval()
    clips = recordings()
    module.standardiser.calibrate(clips)
    signals = module.standardiser(clips)
    module.calibrate_rules(signals)
    for patterns in module.patterns:
        drawn = torch.randn(patterns.prototypes.shape, generator=source)
        patterns.prototypes.copy_(drawn)
    if attached:
        module.attach(**attached)
    module.scaler.calibrate(module.unscaled(signals))
    return module


@pytest.fixture(scope="module")
def ensemble():
    return NetworkEnsemble(
        EmotionNetwork([3, 1], [40, 9], 3, hidden_dim=4, generator=generator(seed))
        for seed in range(2)
    ).eval()


class TestBlocks:
    def test_each_kind_of_rule_in_each_modality_is_one(self, module):
        kinds = [(block.kind, block.modality) for block in module.blocks]
        assert kinds == [(kind, i) for i in (0, 1) for kind in ("course", "level", "pattern")]
        sizes = [block.size for block in module.blocks]
        assert sizes[0] + sizes[1] == sizes[3] + sizes[4] == 40
        assert sizes[2] == sizes[5] == 24
        assert module.scaler.sizes == sizes

    def test_columns_are_the_rules_of_their_block(self, module):
        signals = module.standardiser(recordings())
        found = module.strengths(signals).split([block.size for block in module.blocks], dim=1)
        for i in (0, 1):
            shown = signals.present[:, i] > 0
            ramps = module.ramps[i](signals.values[i], signals.frames[i])
            sees_level = module.ramps[i].sees_level
            patterns = module.patterns[i](signals.values[i], signals.frames[i])
            expected = (ramps[:, ~sees_level], ramps[:, sees_level], patterns)
            for one, other in zip(found[3 * i : 3 * i + 3], expected, strict=True):
                torch.testing.assert_close(one[shown], other[shown])
                assert one[~shown].isnan().all()

    @pytest.mark.parametrize(
        ("n_kernels", "n_patterns", "kinds"),
        [(0, 8, {"pattern"}), (9, 0, {"course", "level"}), (1, 0, {"course", "level"})],
    )
    def test_kinds_without_a_rule_are_no_block(self, n_kernels, n_patterns, kinds):
        module = STF2MModule(
            SIZES._replace(n_kernels=n_kernels, n_patterns=n_patterns), generator=generator()
        )
        assert {block.kind for block in module.blocks} <= kinds
        assert {block.modality for block in module.blocks} == {0, 1}
        assert all(block.size for block in module.blocks)

    def test_reach_of_the_parts(self):
        sizes = SIZES._replace(n_taps=1, most_mixed=1)
        module = STF2MModule(sizes, generator=generator())
        for ramps, patterns in zip(module.ramps, module.patterns, strict=True):
            assert ramps.taps.shape[1] == patterns.prototypes.shape[3] == 1
            assert ((ramps.mixtures != 0).sum(1) == 1).all()
            assert ((patterns.mixtures != 0).sum(2) <= 1).all()

    def test_patterns_come_in_whole_groups(self):
        module = STF2MModule(SIZES._replace(n_patterns=17), generator=generator())
        assert sum(patterns.n_rules for patterns in module.patterns) == 24


class TestForward:
    def test_an_absent_modality_is_0_in_its_blocks_and_nowhere_else(self, module):
        clips = recordings()
        features = module(clips)
        assert features.isfinite().all()
        own = [torch.full((block.size,), block.modality) for block in module.blocks]
        is_second = torch.cat(own) == 1
        assert (features[1, is_second] == 0).all()
        assert (features[1, ~is_second] != 0).any()
        there = module([clips[0], torch.zeros(12, 1, 9)])
        assert torch.equal(there[:, ~is_second], features[:, ~is_second])

    def test_is_the_scaled_strengths(self, module):
        signals = module.standardiser(recordings())
        expected = module.scaler(module.strengths(signals))
        assert torch.equal(module(recordings()), expected)
        assert torch.equal(module.features(signals), expected)

    def test_weights_scale_the_gram_matrix_of_a_block(self, module):
        module = copy.deepcopy(module)
        before = module(recordings()).split(module.scaler.sizes, dim=1)
        module.scaler.weigh(torch.arange(6.0))
        after = module(recordings()).split(module.scaler.sizes, dim=1)
        for weight, one, other in zip(range(6), before, after, strict=True):
            torch.testing.assert_close(other @ other.T, weight * one @ one.T)

    def test_clips_do_not_influence_each_other(self, module):
        clips = recordings()
        alone = [module([clip[[i]] for clip in clips]) for i in range(12)]
        torch.testing.assert_close(torch.cat(alone), module(clips), rtol=0, atol=1e-6)

    def test_trailing_nan_changes_nothing(self, module):
        module, clips = copy.deepcopy(module).double(), [clip.double() for clip in recordings()]
        longer = [torch.nn.functional.pad(clip, (0, 25), value=NAN) for clip in clips]
        torch.testing.assert_close(module(longer), module(clips), rtol=0, atol=1e-10)

    def test_float64_is_close_to_float32(self, module):
        double = copy.deepcopy(module).double()([clip.double() for clip in recordings()])
        assert double.dtype == torch.float64
        torch.testing.assert_close(module(recordings()).double(), double, rtol=0, atol=1e-4)

    def test_the_seed_decides_and_the_global_generator_is_left(self):
        before = torch.get_rng_state()
        first, again = (STF2MModule(SIZES, generator=generator(1)) for _ in range(2))
        other = STF2MModule(SIZES, generator=generator(2))
        assert torch.equal(torch.get_rng_state(), before)
        for name, value in first.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])
        assert not torch.equal(first.ramps[0].taps, other.ramps[0].taps)


class TestNetworks:
    def test_are_the_last_block(self, ensemble):
        module = _fitted(SIZES, ensemble=ensemble, n_classes=3)
        assert module.blocks[-1] == Block("network", -1, 3)
        signals = module.standardiser(recordings())
        last = module.unscaled(signals)[:, -3:]
        scores = ensemble(signals)
        torch.testing.assert_close(last, scores - scores.mean(1, keepdim=True))
        assert torch.equal(
            module.unscaled(signals)[:, :-3].isnan(), module.strengths(signals).isnan()
        )

    def test_speak_for_a_clip_that_lacks_a_modality(self, ensemble):
        module = _fitted(SIZES, ensemble=ensemble, n_classes=3)
        assert (module(recordings())[1, -3:] != 0).all()

    def test_given_log_probabilities_take_their_place(self, ensemble):
        module = _fitted(SIZES, ensemble=ensemble, n_classes=3)
        signals = module.standardiser(recordings())
        given = torch.randn(12, 3, generator=generator(9))
        found = module.unscaled(signals, given)
        torch.testing.assert_close(found[:, -3:], given - given.mean(1, keepdim=True))
        own = module.unscaled(signals)
        torch.testing.assert_close(found[:, :-3], own[:, :-3], equal_nan=True)
        assert torch.equal(module.features(signals, given), module.scaler(found))

    def test_keep_the_deviation_1_whatever_the_rules_weigh(self, ensemble):
        module = _fitted(SIZES, ensemble=ensemble, n_classes=3)
        n_blocks = len(module.blocks) - 1
        module.weigh(torch.linspace(0.1, 1.0, n_blocks))
        assert module.n_rules == sum(block.size for block in module.blocks[:-1])
        torch.testing.assert_close(module.scaler.weights[:-1], torch.linspace(0.1, 1.0, n_blocks))
        deviation = module(recordings())[:, module.n_rules :].std(dim=0, correction=0)
        torch.testing.assert_close(deviation, torch.ones(3), rtol=1e-3, atol=0)

    def test_attaching_leaves_the_rules_as_they_are(self, ensemble):
        plain, module = _fitted(SIZES), _fitted(SIZES, ensemble=ensemble, n_classes=3)
        torch.testing.assert_close(module(recordings())[:, :-3], plain(recordings()))

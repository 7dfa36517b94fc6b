"""Perturbations of training clips: what they may change and what they must not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.masking import masked_moments
from stf2m_sk.nn.signals import Signals
from stf2m_sk.training import augmentation
from stf2m_sk.training.augmentation import (
    augment,
    drop_views,
    mask_channels,
    mask_stretches,
    mixup,
    perturb_levels,
    shift_in_time,
)

laws = settings(deadline=None, max_examples=25)
EACH = [perturb_levels, shift_in_time, mask_stretches, mask_channels, drop_views, augment]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_signals(n_clips=4, *, shapes=((3, 20), (1, 5)), missing=0.2, seed=0):
    """Standardised clips, 0 where not measured."""
    source = generator(seed)
    values, frames = [], []
    for n_channels, n_frames in shapes:
        frame = (torch.rand(n_clips, n_frames, generator=source) >= missing).double()
        value = torch.randn(n_clips, n_channels, n_frames, generator=source).double()
        values.append(value * frame[:, None])
        frames.append(frame)
    return Signals(tuple(values), tuple(frames), torch.stack([f.amax(1) for f in frames], 1))


def parts(signals):
    return [*signals.values, *signals.frames, signals.present]


def assert_sound(changed, before):
    """Shapes stay, what is not measured is 0, and no clip is emptied."""
    for now, then in zip(parts(changed), parts(before), strict=True):
        assert now.shape == then.shape and now.dtype == then.dtype
        assert torch.isfinite(now).all()
    for i, (values, frames) in enumerate(zip(changed.values, changed.frames, strict=True)):
        assert ((frames == 0) | (frames == 1)).all()
        assert (values.transpose(1, 2)[frames == 0] == 0).all()
        assert torch.equal(frames.amax(1), changed.present[:, i])
    assert torch.equal(changed.present.any(1), before.present.any(1))


shapes = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=3)


@pytest.mark.parametrize("perturb", EACH)
@laws
@given(shapes, st.integers(1, 6), st.sampled_from([0.0, 0.3, 0.8]), st.integers(0, 10**6))
def test_each_keeps_unmeasured_frames_unmeasured_and_empties_no_clip(
    perturb, shapes, n_clips, missing, seed
):
    signals, before = (
        make_signals(n_clips, shapes=shapes, missing=missing, seed=seed) for _ in range(2)
    )
    changed = perturb(signals, generator(seed))
    assert_sound(changed, before)
    assert all(map(torch.equal, parts(signals), parts(before)))
    if perturb not in (shift_in_time, augment):
        for now, then in zip(changed.frames, before.frames, strict=True):
            assert (now <= then).all()


@pytest.mark.parametrize("perturb", EACH)
def test_only_the_generator_decides(perturb):
    signals = make_signals(8)
    before = torch.get_rng_state()
    first, again, other = (perturb(signals, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, parts(first), parts(again)))
    assert not all(map(torch.equal, parts(first), parts(other)))


def test_levels_change_by_one_gain_and_offset_in_units_of_the_clip():
    signals = make_signals(400, shapes=((2, 15),), missing=0.2)
    signals.values[0][:, 1] *= 0.01  # noise must scale with it
    changed = perturb_levels(signals, generator())
    mean, variance = masked_moments(signals.values[0], signals.frames[0])
    new_mean, new_variance = masked_moments(changed.values[0], changed.frames[0])
    course = (signals.values[0] - mean) / variance.sqrt() * signals.frames[0][:, None]
    new_course = (changed.values[0] - new_mean) / new_variance.sqrt() * signals.frames[0][:, None]
    torch.testing.assert_close(new_course, course)
    for moved in ((new_mean - mean) / variance.sqrt(), (new_variance / variance).log() / 2):
        np.testing.assert_allclose(moved.mean(0), 0.0, atol=0.06)
        np.testing.assert_allclose(moved.std(0), augmentation._SPREAD, atol=0.05)


def test_a_shift_moves_all_channels_of_a_clip_alike():
    signals = make_signals(200, shapes=((2, 30),), missing=0.0)
    changed = shift_in_time(signals, generator())
    steps = set()
    for before, after, frames in zip(
        signals.values[0], changed.values[0], changed.frames[0], strict=True
    ):
        matches = [
            k
            for k in range(-3, 4)
            if torch.equal(
                after[:, max(0, k) : 30 + min(0, k)], before[:, max(0, -k) :][:, : 30 - abs(k)]
            )
        ]
        assert len(matches) == 1
        assert frames.sum() == 30 - abs(matches[0])
        steps.add(matches[0])
    assert steps == set(range(-3, 4))


class TestStretches:
    def test_the_gap_is_one_stretch_of_a_minor_part_of_the_clip(self):
        changed = mask_stretches(make_signals(500, shapes=((1, 50),), missing=0.0), generator())
        gone = (changed.frames[0] == 0).numpy()
        edges = np.diff(gone.astype(int), axis=1, prepend=0, append=0)
        assert ((edges == 1).sum(axis=1) <= 1).all()
        assert 5 < gone.sum(axis=1).max() <= 15
        # No place is spared or always hit.
        share = gone.mean(axis=0)
        assert (share[:-1] > 0).all() and (share < 0.5).all()

    def test_padding_is_no_part_of_a_clip(self):
        frames = torch.zeros(20_000, 100)
        frames[:, :10] = 1.0
        signals = Signals((frames[:, None].clone(),), (frames,), torch.ones(20_000, 1))
        lost = 10 - mask_stretches(signals, generator()).frames[0].sum(1)
        assert lost.max() == 2 and lost.min() == 0  # gaps below 30 % of ten frames


def test_channels_are_set_to_0_but_never_all():
    signals = make_signals(3000, shapes=((2, 4), (1, 4)), missing=0.0)
    changed = mask_channels(signals, generator())
    lost = (changed.values[0] == 0).all(2)
    assert 0.07 < lost.double().mean() < 0.13 and not lost.all(1).any()
    assert torch.equal(changed.values[1], signals.values[1])


def test_views_are_left_out_but_never_all():
    signals = make_signals(3000, shapes=((2, 4), (1, 4), (1, 3)), missing=0.3)
    changed = drop_views(signals, generator())
    lost = (changed.present < signals.present).double().sum() / signals.present.sum()
    assert abs(lost - augmentation._VIEW_LOSS) < 0.03
    assert (changed.present <= signals.present).all() and changed.present.any(1).all()


class TestMixup:
    @laws
    @given(shapes, st.integers(1, 6), st.integers(0, 10**6))
    def test_is_sound_and_keeps_the_sum_of_targets(self, shapes, n_clips, seed):
        signals = make_signals(n_clips, shapes=shapes, seed=seed)
        targets = torch.eye(7).double()[torch.arange(n_clips)]
        changed, mixed = mixup(signals, targets, generator(seed))
        assert_sound(changed, changed)
        for now, then in zip(changed.frames, signals.frames, strict=True):
            assert (now >= then).all()
        torch.testing.assert_close(mixed.sum(1), torch.ones(n_clips).double())
        assert (mixed.amax(1) >= 0.5).all()
        assert all(
            map(torch.equal, parts(signals), parts(make_signals(n_clips, shapes=shapes, seed=seed)))
        )

    def test_values_and_targets_are_weighted_alike(self):
        n_clips = 300
        targets = torch.eye(n_clips).double()
        signals = make_signals(n_clips, shapes=((2, 6),), missing=0.3)
        changed, mixed = mixup(signals, targets, generator())
        weights, frames = mixed.numpy(), signals.frames[0].numpy()
        each = weights[:, :, None] * frames  # of a clip, from a clip, at a frame
        total = each.sum(1)
        values = signals.values[0].numpy()
        expected = np.einsum("nmt,mct->nct", each, values) / np.maximum(total, 1e-12)[:, None]
        np.testing.assert_allclose(changed.values[0], expected * (total > 0)[:, None], atol=1e-9)
        np.testing.assert_array_equal(changed.frames[0].numpy() > 0, total > 0)
        untouched = (weights.max(1) == 1.0).mean()
        assert abs(untouched - (1 - augmentation._MIXUP_SHARE)) < 0.1

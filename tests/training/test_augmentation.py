"""Sensor noise: what it may change and what it must not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.clips import Clips
from stf2m_sk.training.augmentation import augment

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_clips(n_clips=4, *, shapes=((3, 20), (1, 5)), missing=0.2, seed=0):
    """Ready clips, 0 where not measured."""
    source = generator(seed)
    signals, frames = [], []
    for n_channels, n_frames in shapes:
        frame = (torch.rand(n_clips, n_frames, generator=source) >= missing).double()
        signal = torch.randn(n_clips, n_channels, n_frames, generator=source).double()
        signals.append(signal * frame[:, None])
        frames.append(frame)
    present = torch.stack([frame.amax(1) for frame in frames], dim=1)
    kernels = torch.randn(n_clips, len(shapes), 7, generator=source).double()
    return Clips(tuple(signals), tuple(frames), present, kernels)


def full_clips(n_clips, n_channels, n_frames):
    return make_clips(n_clips, shapes=((n_channels, n_frames),), missing=0.0)


@laws
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(0, 10**6),
)
def test_shapes_masks_and_what_stays(shapes, n_clips, seed):
    clips = make_clips(n_clips, shapes=shapes, seed=seed)
    before = make_clips(n_clips, shapes=shapes, seed=seed)
    changed = augment(clips, generator(seed))
    assert torch.equal(changed.kernels, before.kernels)
    assert torch.equal(changed.present, before.present)
    for i in range(len(shapes)):
        assert torch.equal(clips.signals[i], before.signals[i])
        assert torch.equal(clips.frames[i], before.frames[i])
        signal, frames = changed.signals[i], changed.frames[i]
        assert signal.shape == before.signals[i].shape
        assert signal.dtype == torch.float64 and frames.dtype == torch.float64
        # No frame is measured that was not, and what is not measured is 0.
        assert ((frames == 0) | (frames == 1)).all()
        assert (frames <= before.frames[i]).all()
        assert (signal.transpose(1, 2)[frames == 0] == 0).all()


def test_each_channel_is_changed_by_one_gain_and_one_offset_or_dropped():
    clips = full_clips(30, 3, 40)
    changed = augment(clips, generator())
    gains, offsets, dropped = [], [], 0
    for i, channel in np.ndindex(30, 3):
        kept = changed.frames[0][i].numpy() > 0
        before = clips.signals[0][i, channel].numpy()[kept]
        after = changed.signals[0][i, channel].numpy()[kept]
        if (after == 0).all():
            dropped += 1
            continue
        gain, offset = np.polyfit(before, after, 1)
        np.testing.assert_allclose(gain * before + offset, after, atol=1e-5)
        gains.append(gain)
        offsets.append(offset)
    assert 0 < dropped < 30
    # Around no change, and one draw for each channel of each clip.
    np.testing.assert_allclose(np.mean(gains), 1.0, atol=0.15)
    np.testing.assert_allclose(np.mean(offsets), 0.0, atol=0.15)
    assert len(np.unique(np.round(gains, 6))) == len(np.unique(np.round(offsets, 6))) == len(gains)
    assert abs(np.corrcoef(gains, offsets)[0, 1]) < 0.4


def test_the_gap_is_one_stretch_of_a_minor_part_of_the_clip():
    changed = augment(full_clips(500, 1, 50), generator())
    gone = (changed.frames[0] == 0).numpy()
    edges = np.diff(gone.astype(int), axis=1, prepend=0, append=0)
    assert ((edges == 1).sum(axis=1) <= 1).all()
    lengths = gone.sum(axis=1)
    assert lengths.max() < 25 and lengths.max() > 5
    assert len(np.unique(lengths)) > 5
    # No place is spared or always hit.
    share = gone.mean(axis=0)
    assert (share[:-1] > 0).all() and (share < 0.5).all()


def test_modalities_get_gaps_of_their_own():
    changed = augment(make_clips(50, shapes=((1, 30), (1, 30)), missing=0.0), generator())
    assert not torch.equal(*changed.frames)


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_a_clip_of_few_frames_keeps_one(n_frames):
    changed = augment(full_clips(300, 2, n_frames), generator())
    assert (changed.frames[0].sum(1) >= 1).all()


def test_only_the_generator_decides():
    clips = make_clips()
    before = torch.get_rng_state()
    first, again, other = (augment(clips, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for one, same, another in zip(first.signals, again.signals, other.signals, strict=True):
        assert torch.equal(one, same)
        assert not torch.equal(one, another)


class TestGap:
    def test_padding_is_no_part_of_a_clip(self):
        frames = torch.zeros(20_000, 100)
        frames[:, :10] = 1.0
        clips = Clips((torch.ones(20_000, 1, 100),), (frames,), torch.ones(20_000, 1), None)
        kept = augment(clips, generator()).frames[0]
        assert (kept[:, 10:] == 0).all()
        lost = 10 - kept.sum(1)
        assert lost.max() == 2 and lost.min() == 0  # gaps below 30 % of ten frames
        assert (kept[:, :10].mean(0) < 1).all()  # each frame is in a gap at times, the last too

    def test_what_is_measured_is_never_lost_as_a_whole(self):
        frames = torch.zeros(20_000, 100)
        frames[:, [97, 99]] = 1.0
        clips = Clips((torch.ones(20_000, 1, 100),), (frames,), torch.ones(20_000, 1), None)
        assert augment(clips, generator()).frames[0].any(1).all()

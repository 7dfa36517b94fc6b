"""Perturbations of training clips: what the networks must not rely on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stf2m_sk.nn.masking import masked_moments
from stf2m_sk.nn.signals import Signals

__all__ = [
    "augment",
    "drop_views",
    "mask_channels",
    "mask_stretches",
    "mixup",
    "perturb_levels",
    "shift_in_time",
]

_LONGEST_SHIFT = 0.1  # of the frames
_LONGEST_GAP = 0.3  # of the clip
_CHANNEL_LOSS = 0.1
_VIEW_LOSS = 0.1
_SPREAD = 0.3  # of gain and offset, in deviations of the channel within its clip
_MIXUP_SHARE = 0.2  # of the clips; half of them cost .02 to .09 nats a clip of new people


def augment(signals: Signals, generator: torch.Generator) -> Signals:
    """Apply every perturbation but mixup.

    Parameters
    ----------
    signals : Signals
        Standardised clips; not changed.
    generator : torch.Generator
        Source of the noise, on the device of the clips.

    Returns
    -------
    Signals
        Of the same shapes. Every clip keeps at least one measured frame of one modality, if it
        had any.

    Notes
    -----
    Ours. Sensors differ in gain and offset from person to person, slip, and lose contact.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.signals import Standardiser
    >>> from stf2m_sk.training.augmentation import augment
    >>> signals = Standardiser([2])([torch.ones(3, 2, 50)])
    >>> augment(signals, torch.Generator().manual_seed(0)).values[0].shape
    torch.Size([3, 2, 50])
    """
    for perturb in (perturb_levels, shift_in_time, mask_stretches, mask_channels):
        signals = perturb(signals, generator)
    return drop_views(signals, generator)


def perturb_levels(signals: Signals, generator: torch.Generator) -> Signals:
    """Change gain and offset of every channel, in units of its deviation within the clip."""

    def perturb(values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = masked_moments(values, frames)
        noise = _SPREAD * _normal(2, *mean.shape, generator=generator).to(values.dtype)
        moved = mean + (values - mean) * noise[0].exp() + noise[1] * variance.sqrt()
        return moved * frames[:, None], frames

    return _each(signals, perturb)


def shift_in_time(signals: Signals, generator: torch.Generator) -> Signals:
    """Move every modality of a clip by up to 10 % of the frames, earlier or later.

    Frames that leave at one end are lost, those that enter at the other are not measured. A
    modality that would lose all its measured frames stays where it is.
    """

    def shift(values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        n_clips, n_channels, n_frames = values.shape
        most = int(_LONGEST_SHIFT * n_frames)
        draw = _uniform(n_clips, 1, generator=generator)
        steps = (draw * (2 * most + 1)).floor().long() - most
        source = torch.arange(n_frames, device=values.device) - steps
        inside = (source >= 0) & (source < n_frames)
        source = source.clamp(0, n_frames - 1)
        moved_frames = frames.gather(1, source) * inside
        moved = values.gather(2, source[:, None].expand(-1, n_channels, -1)) * inside[:, None]
        kept = moved_frames.amax(1, keepdim=True) > 0
        frames = torch.where(kept, moved_frames, frames)
        return torch.where(kept[..., None], moved, values), frames

    return _each(signals, shift)


def mask_stretches(signals: Signals, generator: torch.Generator) -> Signals:
    """Cut one stretch out of every modality, of up to 30 % of its length.

    The length counts from the start to the last measured frame. A modality of which nothing
    would be left keeps all its frames.
    """

    def mask(values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        time = torch.arange(frames.shape[1], device=frames.device)
        draw = _uniform(2, len(frames), 1, generator=generator)
        # What pads a clip to the length of others is no part of it.
        extent = ((time + 1) * (frames > 0)).amax(1, keepdim=True)
        length = (draw[0] * _LONGEST_GAP * extent).floor()
        start = (draw[1] * (extent - length + 1)).floor()
        cut = frames * ((time < start) | (time >= start + length))
        frames = torch.where(cut.any(1, keepdim=True), cut, frames)
        return values * frames[:, None], frames

    return _each(signals, mask)


def mask_channels(signals: Signals, generator: torch.Generator) -> Signals:
    """Set every tenth channel of a clip to 0; a modality of one channel keeps it."""

    def mask(values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        n_clips, n_channels, _ = values.shape
        draw = _uniform(n_clips, n_channels, generator=generator)
        kept = _keep_one(draw >= _CHANNEL_LOSS, draw)
        return values * kept[..., None], frames

    return _each(signals, mask)


def drop_views(signals: Signals, generator: torch.Generator) -> Signals:
    """Leave out every tenth modality of a clip, but never all that are present."""
    draw = _uniform(*signals.present.shape, generator=generator)
    draw = draw.masked_fill(signals.present == 0, -1.0)
    kept = _keep_one(draw >= _VIEW_LOSS, draw) & (signals.present > 0)
    kept = kept.to(signals.present.dtype)
    return Signals(
        tuple(values * kept[:, i, None, None] for i, values in enumerate(signals.values)),
        tuple(frames * kept[:, i, None] for i, frames in enumerate(signals.frames)),
        kept,
    )


def mixup(signals: Signals, targets: Tensor, generator: torch.Generator) -> tuple[Signals, Tensor]:
    """Weighted means of every fifth clip with another clip, and of their targets.

    Where only one of two clips is measured, it counts alone.

    Parameters
    ----------
    signals : Signals
        Standardised clips; not changed.
    targets : Tensor of shape (n_clips, n_classes)
        Probability of every class.
    generator : torch.Generator
        Source of the noise, on the device of the clips.

    Returns
    -------
    signals : Signals
        Of the same shapes.
    targets : Tensor of shape (n_clips, n_classes)
        Weighted alike.
    """
    n_clips = len(targets)
    partner = torch.randperm(n_clips, generator=generator, device=targets.device)
    draw = _uniform(2, n_clips, generator=generator).to(targets.dtype)
    weight = torch.where(draw[0] < _MIXUP_SHARE, 0.5 + 0.5 * draw[1], 1.0)
    other = signals.take(partner)
    mixed = [
        _weighted_mean(*pair, weight[:, None])
        for pair in zip(signals.values, signals.frames, other.values, other.frames, strict=True)
    ]
    values, frames = zip(*mixed, strict=True)
    present = torch.stack([frame.amax(1) for frame in frames], dim=1)
    weight = weight[:, None]
    targets = weight * targets + (1.0 - weight) * targets[partner]
    return Signals(values, frames, present), targets


def _weighted_mean(
    values: Tensor, frames: Tensor, other: Tensor, other_frames: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Of two clips, over those measured at a frame."""
    own, others = weight * frames, (1.0 - weight) * other_frames
    total = own + others
    share = torch.where(total > 0, own / total.clamp_min(1e-12), 0.0)[:, None]
    measured = (total > 0).to(frames.dtype)
    return (share * values + (1.0 - share) * other) * measured[:, None], measured


def _each(signals: Signals, perturb: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Signals:
    """Apply a function of values and frames to every modality."""
    changed = [
        perturb(values, frames)
        for values, frames in zip(signals.values, signals.frames, strict=True)
    ]
    values, frames = zip(*changed, strict=True)
    return Signals(values, frames, signals.present)


def _keep_one(kept: Tensor, draw: Tensor) -> Tensor:
    """Keep the column of the largest draw in a row that would keep none."""
    largest = draw >= draw.amax(1, keepdim=True)
    return kept | (largest & ~kept.any(1, keepdim=True))


def _uniform(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)

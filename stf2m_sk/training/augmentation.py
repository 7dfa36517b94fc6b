"""Noise that a sensor could have made: what the learned convolutions must not rely on."""

from __future__ import annotations

import torch
from torch import Tensor

from stf2m_sk.nn.clips import Clips

__all__ = ["augment"]

_SPREAD = 0.3  # of gain and offset, in standard deviations of the channel
_LONGEST_GAP = 0.3  # of the clip
_CHANNEL_LOSS = 0.1


def augment(clips: Clips, generator: torch.Generator) -> Clips:
    """Change gain and offset of channels, drop some, and cut a gap into each modality.

    The gap is up to 30 % of the time from a clip's start to its last measured frame. A clip of
    which it would leave nothing keeps all its frames.

    Parameters
    ----------
    clips : Clips
        Ready clips; not changed.
    generator : torch.Generator
        Source of the noise, on the device of the clips.

    Returns
    -------
    Clips
        The random kernels' part is as it was: it is not trained.

    Notes
    -----
    Ours. Sensors differ in gain and offset from person to person, slip, and lose contact.
    """
    changed = [
        _augment(signal, frames, generator)
        for signal, frames in zip(clips.signals, clips.frames, strict=True)
    ]
    signals, frames = zip(*changed, strict=True)
    return clips._replace(signals=signals, frames=frames)


def _augment(signal: Tensor, frames: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    n_clips, n_channels, n_frames = signal.shape
    device = signal.device
    noise = torch.randn(2, n_clips, n_channels, 1, generator=generator, device=device)
    gain, offset = 1.0 + _SPREAD * noise[0], _SPREAD * noise[1]
    heard = torch.rand(n_clips, n_channels, 1, generator=generator, device=device)
    heard = heard >= _CHANNEL_LOSS
    place = torch.rand(2, n_clips, 1, generator=generator, device=device)
    time = torch.arange(n_frames, device=device)
    # What pads a clip to the length of others is no part of it.
    extent = ((time + 1) * (frames > 0)).amax(1, keepdim=True)
    length = (place[0] * _LONGEST_GAP * extent).floor()
    start = (place[1] * (extent - length + 1)).floor()
    cut = frames * ((time < start) | (time >= start + length))
    frames = torch.where(cut.any(1, keepdim=True), cut, frames)
    return (signal * gain + offset) * heard * frames[:, None], frames

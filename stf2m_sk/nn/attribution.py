"""Sums over rules taken apart in time: what each frame of a clip contributes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.signals import Signals

__all__ = ["frame_sums"]


@torch.no_grad()
def frame_sums(
    module: STF2MModule, signals: Signals, coefficients: Tensor, baseline: Tensor
) -> list[Tensor]:
    """Sums over the rules of each modality, frame by frame.

    Parameters
    ----------
    module : STF2MModule
        Its rules.
    signals : Signals
        Standardised clips, in the dtype and on the device of the module.
    coefficients : Tensor of shape (n_rules, n_outputs)
        Weights of the firing strengths, in the order of the blocks.
    baseline : Tensor of shape (n_rules,)
        Subtracted from the memberships of every frame.

    Returns
    -------
    list of Tensor (n_clips, n_outputs, n_frames)
        One a modality; 0 where not measured. Over the frames of a modality that is present they
        sum to ``(strengths - baseline) @ coefficients``, over its rules alone.

    Notes
    -----
    A rule looks at a window; what it contributes is attributed to the window's centre. Where
    only every n-th frame is the centre of a window, it is shared out over the measured frames
    from there to the next.
    """
    order = torch.argsort(module.columns.to(coefficients.device))
    coefficients, offsets = coefficients[order], (coefficients * baseline[:, None])[order]
    sums, first = [], 0
    modalities = zip(module.ramps, module.patterns, signals.values, signals.frames, strict=True)
    for ramps, patterns, values, frames in modalities:
        measured = frames / frames.sum(1, keepdim=True).clamp_min(1.0)
        last = first + ramps.n_rules + patterns.n_rules
        total = -offsets[first:last].sum(0)[:, None] * measured[:, None]
        for rules in (ramps, patterns):
            if rules.n_rules:
                own = coefficients[first : first + rules.n_rules]
                total = total + _shared(rules.weighted(values, frames, own), frames, rules.stride)
            first += rules.n_rules
        sums.append(total)
    return sums


def _shared(at_positions: Tensor, frames: Tensor, stride: int) -> Tensor:
    """What belongs to every stride-th frame, shared out over the measured frames up to the next."""
    n_frames = frames.shape[1]
    blocks = F.pad(frames, (0, -n_frames % stride)).unflatten(1, (-1, stride))
    share = (blocks / blocks.sum(2, keepdim=True).clamp_min(1.0))[:, None]
    return (at_positions[..., None] * share).flatten(2)[..., :n_frames]

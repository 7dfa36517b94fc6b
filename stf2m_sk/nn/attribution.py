"""Sums over rules taken apart in time: what each frame of a clip contributes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.courses import ramp_course
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.signals import Signals

__all__ = ["frame_sums", "strengths_and_courses"]

_BLOCKS = 32  # of a clip, in which windows of ramp rules are taken together


@torch.no_grad()
def strengths_and_courses(
    module: STF2MModule, signals: Signals, coefficients: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Firing strengths, and what frames add to weighted sums of them by the course of the signals.

    Parameters
    ----------
    module : STF2MModule
        Its rules.
    signals : Signals
        Standardised clips, in the dtype and on the device of the module.
    coefficients : Tensor of shape (n_rules, n_outputs)
        Weights of the firing strengths, in the order of the blocks.

    Returns
    -------
    strengths : Tensor of shape (n_clips, n_rules)
        As of the module; NaN for a modality that is absent.
    courses : list of Tensor (n_clips, n_outputs, n_frames)
        One a modality; 0 where not measured.

    Notes
    -----
    What rules contribute beyond a clip of which each channel stays at its mean is the course's.
    The taps of each window share it: the more, the farther the signal lies from the mean there
    and the more they weigh. Its resolution are blocks of frames, about 32 of a clip; the measured
    frames of a block share alike. Source: ours.
    """
    coefficients = coefficients[torch.argsort(module.columns.to(coefficients.device))]
    strengths, courses, first = [], [], 0
    modalities = zip(module.ramps, module.patterns, signals.values, signals.frames, strict=True)
    for ramps, patterns, values, frames in modalities:
        n_together = max(1, round(frames.shape[1] / (ramps.stride * _BLOCKS)))
        middle = first + ramps.n_rules
        last = middle + patterns.n_rules
        found, course = ramp_course(ramps, values, frames, coefficients[first:middle], n_together)
        course = _shared(course, frames, n_together * ramps.stride)
        if patterns.n_rules:
            further, added = patterns.course(values, frames, coefficients[middle:last])
            found = torch.cat([found, further], dim=1)
            course += _shared(added, frames, patterns.stride)
        strengths.append(found)
        courses.append(course)
        first = last
    return module.in_order(strengths, signals.present), courses


def frame_sums(course: Tensor, total: Tensor, frames: Tensor) -> Tensor:
    """Sums over the rules of a modality, frame by frame.

    Parameters
    ----------
    course : Tensor of shape (n_clips, n_outputs, n_frames)
        Of `strengths_and_courses`.
    total : Tensor of shape (n_clips, n_outputs)
        Sums over the rules, less what they are compared with.
    frames : Tensor of shape (n_clips, n_frames)
        1 for a measured frame, 0 for one that is not.

    Returns
    -------
    Tensor of shape (n_clips, n_outputs, n_frames)
        In the dtype of `total`; 0 where not measured. Over the frames of a modality that is
        present they sum to the total: what is left of it beside the course is the level's, and
        all measured frames share it alike.
    """
    course, frames = course.to(total), frames.to(total)
    share = frames / frames.sum(1, keepdim=True).clamp_min(1.0)
    return course + (total - course.sum(2))[..., None] * share[:, None]


def _shared(of_blocks: Tensor, frames: Tensor, length: int) -> Tensor:
    """What belongs to blocks of frames, shared out over the measured ones among them."""
    n_frames = frames.shape[1]
    blocks = F.pad(frames, (0, -n_frames % length)).unflatten(1, (-1, length))
    share = (blocks / blocks.sum(2, keepdim=True).clamp_min(1.0))[:, None]
    return (of_blocks[..., None] * share).flatten(2)[..., :n_frames]

"""Where in a clip the course of a signal makes ramp rules fire."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from stf2m_sk.nn.blocks import block_sums, clip_means, floored, tap_offsets
from stf2m_sk.nn.kernels import RampRules

__all__ = ["ramp_course"]

_FRAMES_AT_ONCE = 2**13  # the working set stays in the cache


@torch.no_grad()
def ramp_course(
    rules: RampRules, signal: Tensor, frames: Tensor, coefficients: Tensor, n_together: int
) -> tuple[Tensor, Tensor]:
    """Firing strengths, and their weighted sums less those of clips that stay at their means.

    Parameters
    ----------
    rules : RampRules
        Rules.
    signal : Tensor of shape (n_clips, n_channels, n_frames)
        Standardised signal, 0 where not measured.
    frames : Tensor of shape (n_clips, n_frames)
        1 for a measured frame, 0 for one that is not.
    coefficients : Tensor of shape (n_rules, n_outputs)
        Weights of the rules.
    n_together : int
        Positions in a block.

    Returns
    -------
    strengths : Tensor of shape (n_clips, n_rules)
        As of the rules themselves.
    course : Tensor of shape (n_clips, n_outputs, n_blocks)
        What blocks of ``n_together * rules.stride`` frames add to the weighted sums.

    Notes
    -----
    What a window adds is shared out over the blocks at its taps, in proportion to the squares of
    what each of them adds to the response: deviation from the clip's mean times weight. The
    centre of a wide window may lie far from what it responds to. Source: ours.
    """
    length = n_together * rules.stride
    reads, weights = zip(*_matrices(rules, -(-signal.shape[2] // length), length), strict=True)
    coefficients = coefficients.unflatten(0, rules.lower.shape).mT
    parts = []
    at_once = max(1, _FRAMES_AT_ONCE // signal.shape[2])
    for values, known in zip(signal.split(at_once), frames.split(at_once), strict=True):
        means = clip_means(values, known)
        deviations, still = values - means, block_sums(means, length) / length
        count = block_sums(known[:, :: rules.stride], n_together)
        measured = block_sums(known, length) > 0
        course = values.new_zeros(coefficients.shape[1], *count.shape)
        strengths = values.new_empty(*rules.lower.shape, len(values))
        each = zip(reads, weights, rules.in_blocks(values, known, n_together), strict=True)
        for read, weight, (_, rows, added) in each:
            strengths[rows] = added.sum(3)
            mixtures = rules.mixtures[rows]
            responses = torch.bmm((mixtures @ still).transpose(0, 1), read.mT)
            added -= _memberships(rules, rows, responses) * count
            own = torch.bmm(coefficients[rows], added.flatten(2)).unflatten(2, count.shape)
            squares = block_sums((mixtures @ deviations).square_(), length).transpose(0, 1)
            course += _shared(own, floored(squares) * measured, weight).sum(0)
        n_positions = count.sum(1).clamp_min(1.0)
        strengths = (strengths / n_positions).flatten(0, 1).T
        parts.append((strengths, course.transpose(0, 1) / n_positions[:, None, None]))
    strengths, courses = zip(*parts, strict=True)
    return torch.cat(strengths), torch.cat(courses)


def _matrices(rules: RampRules, n_blocks: int, length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each dilation the taps and their squares, (n_rows, n_blocks, n_blocks).

    Row by row the window around each block, with its taps in the blocks where they lie.
    """
    block = torch.arange(n_blocks, device=rules.taps.device)
    for dilation, rows in rules.dilations:
        taps = rules.taps[rows]
        offsets = torch.tensor(tap_offsets(taps.shape[1], dilation, length), device=block.device)
        places = (block[:, None] + offsets[:, None, None] == block).to(taps.dtype)
        yield (
            torch.tensordot(taps, places, 1),
            torch.tensordot(floored(taps.square()), places, 1),
        )


def _memberships(rules: RampRules, rows: slice, responses: Tensor) -> Tensor:
    """Of kernels that respond so, (n_rows, ...): those of each ramp, (n_rows, n_ramps, ...)."""
    lower, width = (own[rows, :, None, None] for own in (rules.lower, rules.width))
    return ((responses[:, None] - lower) / width).clamp_(0.0, 1.0)


def _shared(values: Tensor, squares: Tensor, weights: Tensor) -> Tensor:
    """Values of windows (n_rows, n_outputs, n_clips, n_blocks), shared out over their taps.

    Shares are proportional to squares (n_rows, n_clips, n_blocks) times weights; the sums over
    the blocks stay as they are.
    """
    reached = torch.bmm(squares, weights.mT).clamp_min_(torch.finfo(squares.dtype).tiny)
    per_share = values / reached[:, None]
    return torch.bmm(per_share.flatten(1, 2), weights).view_as(values) * squares[:, None]

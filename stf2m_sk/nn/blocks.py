"""Blocks of frames, and how what windows add is shared out over the blocks at their taps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "block_sums",
    "clip_means",
    "floored",
    "shared_by_windows",
    "tap_offsets",
]

_FLOOR = 1e-3  # of the mean: where nothing deviates, all taps share alike
_LEAST = 1e-12


def clip_means(signal: Tensor, frames: Tensor) -> Tensor:
    """The signals of clips that stay at their means.

    Parameters
    ----------
    signal : Tensor of shape (n_clips, n_channels, n_frames)
        Standardised signal, 0 where not measured.
    frames : Tensor of shape (n_clips, n_frames)
        1 for a measured frame, 0 for one that is not.

    Returns
    -------
    Tensor of the shape of `signal`
        The mean of each clip and channel where measured, 0 elsewhere.
    """
    mean = signal.sum(2) / frames.sum(1, keepdim=True).clamp_min(1.0)
    return mean[:, :, None] * frames[:, None]


def block_sums(values: Tensor, length: int) -> Tensor:
    """Sums over blocks of the last axis.

    Parameters
    ----------
    values : Tensor of shape (..., n_values)
        Values.
    length : int
        How many are in a block; the last block may have fewer.

    Returns
    -------
    Tensor of shape (..., n_blocks)
    """
    if values.shape[-1] % length:
        values = F.pad(values, (0, -values.shape[-1] % length))
    # A product with ones: torch takes twice as long for a sum over so short an axis.
    return values.unflatten(-1, (-1, length)) @ values.new_ones(length)


def tap_offsets(n_taps: int, dilation: int, length: int) -> list[int]:
    """Blocks from that of the centre of a window to those of its taps.

    Parameters
    ----------
    n_taps, dilation : int
        Of the window.
    length : int
        Frames of a block.

    Returns
    -------
    list of int
    """
    return [round(dilation * (tap - n_taps // 2) / length) for tap in range(n_taps)]


def floored(squares: Tensor) -> Tensor:
    """Squares with a small floor, so that none of them is 0.

    Parameters
    ----------
    squares : Tensor of shape (..., n_values)
        At least 0.

    Returns
    -------
    Tensor of the shape of `squares`
    """
    return squares + (_FLOOR * squares.mean(-1, keepdim=True) + _LEAST)


def shared_by_windows(
    values: Tensor, squares: Tensor, measured: Tensor, offsets: Sequence[int]
) -> Tensor:
    """What windows add, shared out over the blocks at their taps.

    Parameters
    ----------
    values : Tensor of shape (n_clips, n_outputs, n_blocks)
        Of the window around each block; 0 where it is not measured.
    squares : Tensor of shape (n_clips, n_blocks, n_taps)
        Squared deviations at the taps of each window: shares are proportional to them.
    measured : Tensor of shape (n_clips, n_blocks)
        1 for a block that can have a share, 0 for others.
    offsets : sequence of int
        Of `tap_offsets`.

    Returns
    -------
    Tensor of the shape of `values`
        With the same sums over the blocks.
    """
    before, after = max(0, -offsets[0]), max(0, offsets[-1])
    n_blocks, padded = values.shape[2], F.pad(measured, (before, after))
    places = [slice(before + own, before + own + n_blocks) for own in offsets]
    shares = floored(squares.movedim(2, 0)) * torch.stack([padded[:, own] for own in places])
    shares /= shares.sum(0).clamp_min_(torch.finfo(shares.dtype).tiny)
    total = F.pad(torch.zeros_like(values), (before, after))
    for share, place in zip(shares, places, strict=True):
        total[..., place].addcmul_(values, share[:, None])
    return total[..., before : before + n_blocks]

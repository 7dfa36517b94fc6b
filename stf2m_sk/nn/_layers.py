"""Layers that draw from a given generator only, never from torch's global one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["convolve_each", "dropout", "linear"]


def linear(
    n_inputs: int, n_outputs: int, *, generator: torch.Generator, bias: bool = True
) -> nn.Linear:
    """Fully connected layer, uniform within 1 / sqrt(n_inputs), offset 0.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Sizes of the last dimension, before and after.
    generator : torch.Generator
        Source of the initial weights.
    bias : bool, default=True
        Whether to add an offset.

    Returns
    -------
    torch.nn.Linear
        The initialised layer.
    """
    layer = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs, bias=bias)
    bound = 1.0 / math.sqrt(n_inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        if bias:
            layer.bias.zero_()
    return layer


def convolve_each(padded: Tensor, taps: Tensor, *, dilation: int, n_frames: int) -> Tensor:
    """Convolve each channel of a signal with its own taps (a depthwise convolution).

    Sums shifted copies: on a CPU torch's own dilated depthwise convolution took six times as
    long forwards, and twice as long with its gradient.

    Parameters
    ----------
    padded : Tensor of shape (n_clips, n_channels, n_frames + 2 * margin)
        Signal with the same margin on both sides, at least ``dilation * (n_taps // 2)``.
    taps : Tensor of shape (n_channels, n_taps)
        An odd number of taps for each channel.
    dilation : int
        Frames between two taps.
    n_frames : int
        Length of the signal without its margins.

    Returns
    -------
    Tensor of shape (n_clips, n_channels, n_frames)
        Cross-correlation, as torch's convolutions are.
    """
    n_taps = taps.shape[1]
    first = (padded.shape[2] - n_frames) // 2 - dilation * (n_taps // 2)
    shifted = [padded[:, :, first + tap * dilation :][:, :, :n_frames] for tap in range(n_taps)]
    total = shifted[0] * taps[:, 0, None]
    for tap in range(1, n_taps):
        total = total.addcmul_(shifted[tap], taps[:, tap, None])
    return total


def dropout(values: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Set a random share of the values to 0 and scale the others up.

    Parameters
    ----------
    values : Tensor
        Any shape.
    share : float
        Share in [0, 1) to drop.
    generator : torch.Generator or None
        Source of the noise. None means inference: `values` is returned as it is.

    Returns
    -------
    Tensor
        Of the shape of `values`.
    """
    if generator is None or share == 0:
        return values
    kept = torch.rand(values.shape, generator=generator, device=values.device) >= share
    return values * kept / (1.0 - share)

"""Layers that draw from a given generator only, never from torch's global one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["dropout", "linear"]


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

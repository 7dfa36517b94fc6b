"""Firing strengths made comparable: centred, scaled, weighted block by block."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["BlockScaler"]

_LEAST_DEVIATION = 0.1  # of the block's: what varies less in training says no more than that


class BlockScaler(nn.Module):
    """Centre and scale features, and weigh them block by block.

    A block of d features with weight a contributes a times the mean product of its standardised
    features to the Gram matrix of clips: weights of blocks do not depend on their sizes.

    Parameters
    ----------
    sizes : sequence of int
        Features of each block.

    Attributes
    ----------
    sizes : list of int
        Features of each block.
    mean, scale : Buffer of shape (n_features,)
        Of the training clips; scale is 0 for a feature that never varied.
    weights : Buffer of shape (n_blocks,)
        Block weights, at first 1.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.features import BlockScaler
    >>> scaler = BlockScaler([2, 1])
    >>> scaler.calibrate(torch.tensor([[0.0, 1.0, 3.0], [2.0, 3.0, 5.0]]))
    >>> scaler.weigh(torch.tensor([1.0, 4.0]))
    >>> scaler(torch.tensor([[2.0, 3.0, 5.0]])).square().sum().round(decimals=3)
    tensor(5.)
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.register_buffer("mean", torch.zeros(sum(sizes)))
        self.register_buffer("scale", torch.zeros(sum(sizes)))
        self.register_buffer("weights", torch.ones(len(sizes)))

    @torch.no_grad()
    def calibrate(self, features: Tensor) -> None:
        """Take means and deviations from training clips.

        Parameters
        ----------
        features : Tensor of shape (n_clips, n_features)
            NaN where a clip lacks what the feature is of.
        """
        mean = features.nanmean(0).nan_to_num()
        deviation = (features - mean).square().nanmean(0).nan_to_num().sqrt()
        self.mean.copy_(mean)
        for own, block in zip(self._split(deviation), self._split(self.scale), strict=True):
            floor = _LEAST_DEVIATION * own.square().mean().sqrt()
            scale = 1.0 / (torch.maximum(own, floor) * len(own) ** 0.5)
            block.copy_(torch.where(own > 1e-6, scale, 0.0))

    @torch.no_grad()
    def weigh(self, weights: Tensor) -> None:
        """Set the weights of the blocks.

        Parameters
        ----------
        weights : Tensor of shape (n_blocks,)
            Positive.
        """
        self.weights.copy_(weights)

    def forward(self, features: Tensor) -> Tensor:
        """Centred, scaled and weighted features; 0 where they are NaN.

        Parameters
        ----------
        features : Tensor of shape (n_clips, n_features)
            NaN where a clip lacks what the feature is of.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
            A block of weight a has rows of mean squared length a over the training clips, or
            less where features hardly varied.
        """
        return torch.nan_to_num((features - self.mean) * self.factors, nan=0.0)

    @property
    def factors(self) -> Tensor:
        """What centred features are multiplied by, (n_features,)."""
        sizes = torch.tensor(self.sizes, device=self.weights.device)
        weights = self.weights.sqrt().repeat_interleave(sizes, output_size=len(self.scale))
        return self.scale * weights

    def _split(self, values: Tensor) -> tuple[Tensor, ...]:
        return values.split(self.sizes)

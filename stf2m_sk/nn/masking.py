"""Moments over what was measured."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MaskedBatchNorm", "masked_moments"]


def masked_moments(values: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance over the measured frames.

    Parameters
    ----------
    values : Tensor of shape (n_clips, n_channels, n_frames)
        Signal or hidden layer.
    frames : Tensor of shape (n_clips, n_frames)
        1 for a measured frame, else 0.

    Returns
    -------
    mean, variance : Tensor of shape (n_clips, n_channels, 1)
        Both 0 for a clip without a measured frame.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.masking import masked_moments
    >>> mean, variance = masked_moments(
    ...     torch.tensor([[[1.0, 3.0, 99.0]]]), torch.tensor([[1.0, 1.0, 0.0]]))
    >>> mean.item(), variance.item()
    (2.0, 1.0)
    """
    frames = frames[:, None]
    count = frames.sum(2, keepdim=True).clamp_min(1.0)
    mean = (values * frames).sum(2, keepdim=True) / count
    variance = ((values - mean).square() * frames).sum(2, keepdim=True) / count
    return mean, variance


class MaskedBatchNorm(nn.Module):
    """Batch normalisation of vectors that leaves unmeasured clips out.

    In training mode with the moments of the batch's measured clips, in evaluation mode with their
    running means: then no clip depends on another.

    Parameters
    ----------
    n_features : int
        Length of the vectors.

    Notes
    -----
    With fewer than two measured clips, a batch is normalised with the running moments and leaves
    them as they are.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.masking import MaskedBatchNorm
    >>> norm = MaskedBatchNorm(1)
    >>> measured = torch.tensor([[1.0], [1.0], [0.0]])
    >>> norm(torch.tensor([[1.0], [3.0], [99.0]]), measured).round(decimals=2).flatten().tolist()
    [-1.0, 1.0, 0.0]
    """

    _EPS = 1e-5
    _MOMENTUM = 0.1

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n_features))
        self.offset = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("variance", torch.ones(n_features))

    def forward(self, vectors: Tensor, measured: Tensor) -> Tensor:
        """Normalise every feature.

        Parameters
        ----------
        vectors : Tensor of shape (n_clips, n_features)
            One a clip.
        measured : Tensor of shape (n_clips, 1)
            1 for a clip that counts, else 0.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
            0 for a clip that does not count.
        """
        mean, variance = self.mean, self.variance
        if self.training and measured.sum() >= 2:
            mean, variance = self._moments(vectors, measured)
        scale = self.gain * (variance + self._EPS).rsqrt()
        return ((vectors - mean) * scale + self.offset) * measured

    def _moments(self, vectors: Tensor, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Moments of the batch; the running ones are moved towards them."""
        count = measured.sum()
        mean = (vectors * measured).sum(0) / count
        variance = ((vectors - mean).square() * measured).sum(0) / count
        with torch.no_grad():
            self.mean.lerp_(mean.to(self.mean.dtype), self._MOMENTUM)
            self.variance.lerp_(variance.to(self.variance.dtype), self._MOMENTUM)
        return mean, variance

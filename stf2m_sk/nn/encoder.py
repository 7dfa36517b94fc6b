"""Spatial and temporal convolutions of one modality, and their fusion over modalities."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn._layers import convolve_each, dropout, linear

__all__ = ["GatedTemporalBlock", "ModalityEncoder", "fuse"]

_DILATIONS = (1, 2, 4, 8)
_TAPS = 5
_POOLING_HEADS = 4
_FREQUENCIES = 4
_PATCHES = 32  # a clip of the usual length is cut into about so many patches


class GatedTemporalBlock(nn.Module):
    """Gated multi-scale temporal convolution with a residual.

    The channels are split over four dilations (1, 2, 4, 8); each channel is convolved over time
    by itself, then all are mixed through a gate. Layer normalisation within a frame; there are
    no statistics over the batch, so that a clip's answer never depends on its neighbours.

    Parameters
    ----------
    hidden_dim : int
        Number of channels, a multiple of 4.
    dropout_share : float
        Share of the block's output that is dropped in training.
    generator : torch.Generator
        Source of the initial weights.

    Notes
    -----
    The abstract of ST-F2M (arXiv 2412.13541) asks for temporal convolutions that reflect
    patterns which change within a clip; the gate and the dilations are ours.
    """

    def __init__(
        self, hidden_dim: int, *, dropout_share: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.dropout_share = dropout_share
        self.norm = nn.LayerNorm(hidden_dim)
        bound = 1.0 / math.sqrt(_TAPS)
        taps = torch.empty(hidden_dim, _TAPS).uniform_(-bound, bound, generator=generator)
        self.taps = nn.Parameter(taps)
        self.mix = linear(hidden_dim, 2 * hidden_dim, generator=generator)

    def forward(
        self, hidden: Tensor, frames: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Add what the frames around each frame say.

        Parameters
        ----------
        hidden : Tensor of shape (n_clips, n_frames, hidden_dim)
            0 where not measured.
        frames : Tensor of shape (n_clips, n_frames, 1)
            1 for a measured frame, 0 for one that is not.
        generator : torch.Generator, optional
            Source of dropout noise; None (default) means inference.

        Returns
        -------
        Tensor of shape (n_clips, n_frames, hidden_dim)
            0 where not measured.
        """
        normed = (self.norm(hidden) * frames).transpose(1, 2)
        scaled = self._convolve(normed).transpose(1, 2)
        gated = F.glu(self.mix(scaled), dim=-1)
        return (hidden + dropout(gated, self.dropout_share, generator)) * frames

    def _convolve(self, normed: Tensor) -> Tensor:
        """Each channel over time, a quarter of them at each dilation."""
        margin = max(_DILATIONS) * (_TAPS // 2)
        padded = F.pad(normed, (margin, margin)).chunk(len(_DILATIONS), dim=1)
        taps = self.taps.chunk(len(_DILATIONS))
        parts = zip(padded, taps, _DILATIONS, strict=True)
        return torch.cat(
            [
                convolve_each(part, own, dilation=dilation, n_frames=normed.shape[2])
                for part, own, dilation in parts
            ],
            dim=1,
        )


class ModalityEncoder(nn.Module):
    """From one modality of a clip to its embedding.

    Patches of a few frames are mixed over channels (the spatial convolution) and given their
    place in time; gated multi-scale blocks follow (the temporal convolutions); what remains is
    pooled over the measured frames by learned attention, mean and standard deviation.

    Parameters
    ----------
    n_channels : int
        Channels of the modality.
    n_timesteps : int
        Usual length of a clip in frames; decides the length of a patch.
    hidden_dim : int
        Width of the convolutions, a multiple of 4.
    embedding_dim : int
        Dimension of the embedding.
    n_blocks : int
        Number of temporal blocks.
    dropout_share : float
        Share dropped in training, in the blocks and before the last layer.
    temporal : bool, default=True
        False leaves patches, places and temporal blocks out: the order of the frames is lost.
    generator : torch.Generator
        Source of the initial weights.

    Notes
    -----
    The division into spatial and temporal convolutions is that of the abstract of ST-F2M
    (arXiv 2412.13541); patches, gates and pooling are ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.encoder import ModalityEncoder
    >>> generator = torch.Generator().manual_seed(0)
    >>> encoder = ModalityEncoder(
    ...     3, 240, hidden_dim=32, embedding_dim=16, n_blocks=2, dropout_share=0.2,
    ...     generator=generator)
    >>> encoder(torch.zeros(5, 3, 200), torch.ones(5, 200)).shape
    torch.Size([5, 16])
    """

    def __init__(
        self,
        n_channels: int,
        n_timesteps: int,
        *,
        hidden_dim: int,
        embedding_dim: int,
        n_blocks: int,
        dropout_share: float,
        temporal: bool = True,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.patch = max(1, round(n_timesteps / _PATCHES)) if temporal else 1
        self.n_patches = math.ceil(n_timesteps / self.patch)
        self.dropout_share = dropout_share
        self.spatial = linear(n_channels * self.patch, hidden_dim, generator=generator)
        self.position = linear(2 * _FREQUENCIES, hidden_dim, generator=generator, bias=False)
        self.position.requires_grad_(temporal)
        self.blocks = nn.ModuleList(
            GatedTemporalBlock(hidden_dim, dropout_share=dropout_share, generator=generator)
            for _ in range(n_blocks if temporal else 0)
        )
        self.norm = nn.LayerNorm(hidden_dim)
        self.attention = linear(hidden_dim, _POOLING_HEADS, generator=generator)
        self.out = linear(3 * hidden_dim, embedding_dim, generator=generator)
        with torch.no_grad():
            self.position.weight.zero_()  # starts without a preference for a place in time

    def forward(
        self, signal: Tensor, frames: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Embeddings of one modality.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised signal, 0 where not measured.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.
        generator : torch.Generator, optional
            Source of dropout noise; None (default) means inference.

        Returns
        -------
        Tensor of shape (n_clips, embedding_dim)
            The row of a clip without a measured frame is defined, but means nothing.
        """
        hidden, frames = self._patches(signal, frames)
        hidden = (self.spatial(hidden) + self.position(self._places(hidden))) * frames
        for block in self.blocks:
            hidden = block(hidden, frames, generator)
        pooled = self._pool(self.norm(hidden), frames)
        return self.out(dropout(pooled, self.dropout_share, generator))

    def _patches(self, signal: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        n_clips, n_channels, n_frames = signal.shape
        missing = -n_frames % self.patch
        signal = F.pad(signal, (0, missing)).transpose(1, 2)
        frames = F.pad(frames, (0, missing)).reshape(n_clips, -1, self.patch)
        patches = signal.reshape(n_clips, -1, self.patch * n_channels)
        return patches, frames.amax(2, keepdim=True)

    def _places(self, hidden: Tensor) -> Tensor:
        """Sine and cosine of the time since the clip's start, over the usual length."""
        time = torch.arange(hidden.shape[1], dtype=hidden.dtype, device=hidden.device)
        octaves = 2.0 ** torch.arange(_FREQUENCIES, dtype=hidden.dtype, device=hidden.device)
        angle = time[:, None] / self.n_patches * octaves * (math.pi / 2)
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    def _pool(self, hidden: Tensor, frames: Tensor) -> Tensor:
        n_clips, n_frames, hidden_dim = hidden.shape
        # A finite floor, so that a clip without a measured frame gives numbers and not NaN.
        scores = self.attention(hidden).masked_fill(frames == 0, -1e9)
        heads = hidden.reshape(n_clips, n_frames, _POOLING_HEADS, -1)
        attended = torch.einsum("ntkh,ntk->nkh", heads, scores.softmax(1))
        count = frames.sum(1).clamp_min(1.0)
        mean = (hidden * frames).sum(1) / count
        variance = ((hidden - mean[:, None]).square() * frames).sum(1) / count
        deviation = (variance + 1e-5).sqrt()
        return torch.cat([attended.reshape(n_clips, hidden_dim), mean, deviation], dim=1)


def fuse(embeddings: Tensor, present: Tensor) -> Tensor:
    """Fuse the embeddings of the modalities that are present.

    Parameters
    ----------
    embeddings : Tensor of shape (n_clips, n_modalities, embedding_dim)
        One embedding a modality.
    present : Tensor of shape (n_clips, n_modalities)
        1 where the clip has the modality, 0 where it has not.

    Returns
    -------
    Tensor of shape (n_clips, embedding_dim)
        Mean over the modalities that are present, brought to mean 0 and length 1.

    Notes
    -----
    Ours. The order of the modalities does not matter.
    """
    total = (embeddings * present[..., None]).sum(1)
    mean = total / present.sum(1, keepdim=True).clamp_min(1.0)
    dim = mean.shape[-1]
    return F.layer_norm(mean, (dim,)) / math.sqrt(dim)

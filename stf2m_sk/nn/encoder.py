"""Convolutional networks that name the emotion of a clip from its standardised signals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn._layers import dropout as drop
from stf2m_sk.nn._layers import linear
from stf2m_sk.nn.masking import MaskedBatchNorm, masked_moments
from stf2m_sk.nn.signals import Signals

__all__ = [
    "EmotionNetwork",
    "ModalityEncoder",
    "NetworkEnsemble",
]

_POSITIONS = 64  # a clip of the usual length is brought to about so many by strides
_DILATIONS = (1, 2, 4)
_TAPS = 3
_WIDTH_PER_CHANNEL = 8  # modalities of few channels get narrower convolutions
_LEAST_DEVIATION = 1e-3  # of a channel within a clip, in units of the training clips' deviation


class ModalityEncoder(nn.Module):
    """From one modality of a clip to its embedding.

    Every channel enters as its course: mean removed and deviation divided out over the clip.
    Strided convolutions over time and all channels (the spatial mixing) bring long signals to
    about 64 positions; dilated convolutions with residuals follow (the temporal patterns). Mean,
    deviation and maximum over the measured frames are pooled. The channels' levels, their means
    and log-deviations within the clip, are put beside what is pooled.

    Parameters
    ----------
    n_channels : int
        Channels of the modality.
    n_timesteps : int
        Usual length of a clip in frames; decides the strides.
    hidden_dim : int
        Dimension of the embedding, and width of the convolutions; these are narrower, but by at
        most a half, for a modality of less than ``hidden_dim / 8 - 1`` channels.
    dropout : float
        Share dropped in training, after every convolution.
    generator : torch.Generator
        Source of the initial weights.

    Notes
    -----
    Spatial and temporal convolutions are in the abstract of ST-F2M (arXiv 2412.13541); all else
    is ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.encoder import ModalityEncoder
    >>> encoder = ModalityEncoder(
    ...     3, 240, hidden_dim=16, dropout=0.1, generator=torch.Generator().manual_seed(0))
    >>> encoder(torch.zeros(5, 3, 200), torch.ones(5, 200)).shape
    torch.Size([5, 16])
    """

    def __init__(
        self,
        n_channels: int,
        n_timesteps: int,
        *,
        hidden_dim: int,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.strides = _strides(n_timesteps)
        width = min(hidden_dim, max(hidden_dim // 2, _WIDTH_PER_CHANNEL * (n_channels + 1)))
        widths = [n_channels] + [max(1, width // 2)] * (len(self.strides) - 1) + [width]
        self.stem = nn.ModuleList(
            _convolution(before, after, 2 * stride + 1, stride=stride, generator=generator)
            for before, after, stride in zip(widths, widths[1:], self.strides, strict=False)
        )
        self.blocks = nn.ModuleList(
            _convolution(width, width, _TAPS, dilation=dilation, generator=generator)
            for dilation in _DILATIONS
        )
        n_pooled = 3 * width + 2 * n_channels
        self.pooled_norm = MaskedBatchNorm(n_pooled)
        self.out = linear(n_pooled, hidden_dim, generator=generator)

    def forward(
        self, values: Tensor, frames: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Embeddings of one modality.

        Parameters
        ----------
        values : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised signal, 0 where not measured.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, else 0.
        generator : torch.Generator, optional
            Source of dropout noise; None (default) means no noise.

        Returns
        -------
        Tensor of shape (n_clips, hidden_dim)
            The row of a clip without a measured frame is finite, but means nothing.
        """
        mean, variance = masked_moments(values, frames)
        deviation = variance.sqrt() + _LEAST_DEVIATION
        course = (values - mean) / deviation * frames[:, None]
        levels = torch.cat([mean, deviation.log()], dim=1).squeeze(2)
        hidden, frames = self._convolve(course, frames, generator)
        pooled = torch.cat([_pool(hidden, frames), levels], dim=1)
        measured = frames.amax(1, keepdim=True)
        pooled = self.pooled_norm(pooled, measured)
        return self.out(drop(pooled, self.dropout, generator))

    def _convolve(
        self, hidden: Tensor, frames: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        for layer, stride in zip(self.stem, self.strides, strict=True):
            missing = -frames.shape[1] % stride
            hidden, frames = F.pad(hidden, (0, missing)), F.pad(frames, (0, missing))
            frames = F.max_pool1d(frames[:, None], stride).squeeze(1)
            hidden = F.relu(layer(hidden)) * frames[:, None]
        for layer in self.blocks:
            update = F.relu(layer(hidden)) * frames[:, None]
            hidden = hidden + _drop_channels(update, self.dropout, generator)
        return hidden, frames


class EmotionNetwork(nn.Module):
    """From a clip to a logit for every emotion.

    One `ModalityEncoder` a modality; the mean of the embeddings of those present goes through a
    linear layer. What a modality that is absent would have said is not in the mean.

    Parameters
    ----------
    n_channels : sequence of int
        Channels of each modality.
    n_timesteps : sequence of int
        Usual length of each modality in frames.
    n_classes : int
        Number of emotions.
    hidden_dim : int
        Width of the network.
    generator : torch.Generator
        Source of the initial weights.
    dropout : float, default=0.1
        Share dropped in training.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.encoder import EmotionNetwork
    >>> from stf2m_sk.nn.signals import Standardiser
    >>> signals = Standardiser([2, 1])([torch.zeros(4, 2, 60), torch.full((4, 1, 9), torch.nan)])
    >>> network = EmotionNetwork(
    ...     [2, 1], [60, 9], 3, hidden_dim=8, generator=torch.Generator().manual_seed(0)).eval()
    >>> network(signals).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        n_channels: Sequence[int],
        n_timesteps: Sequence[int],
        n_classes: int,
        *,
        hidden_dim: int,
        generator: torch.Generator,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            ModalityEncoder(
                channels, timesteps, hidden_dim=hidden_dim, dropout=dropout, generator=generator
            )
            for channels, timesteps in zip(n_channels, n_timesteps, strict=True)
        )
        self.head = linear(hidden_dim, n_classes, generator=generator)

    def forward(self, signals: Signals, generator: torch.Generator | None = None) -> Tensor:
        """Logits of clips.

        Parameters
        ----------
        signals : Signals
            Standardised clips; any number of frames.
        generator : torch.Generator, optional
            Source of dropout noise; None (default) means no noise.

        Returns
        -------
        Tensor of shape (n_clips, n_classes)
            Logits.
        """
        embeddings = [
            encoder(values, frames, generator)
            for encoder, values, frames in zip(
                self.encoders, signals.values, signals.frames, strict=True
            )
        ]
        present = signals.present[..., None]
        total = (torch.stack(embeddings, dim=1) * present).sum(1)
        return self.head(F.relu(total / present.sum(1).clamp_min(1.0)))


class NetworkEnsemble(nn.Module):
    """Several networks; they answer with the mean of their log-probabilities.

    Parameters
    ----------
    networks : iterable of EmotionNetwork
        At least one.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.encoder import EmotionNetwork, NetworkEnsemble
    >>> from stf2m_sk.nn.signals import Standardiser
    >>> generator = torch.Generator().manual_seed(0)
    >>> ensemble = NetworkEnsemble(
    ...     EmotionNetwork([1], [30], 2, hidden_dim=4, generator=generator) for _ in range(3))
    >>> ensemble.eval()(Standardiser([1])([torch.zeros(5, 1, 30)])).shape
    torch.Size([5, 2])
    """

    def __init__(self, networks: Iterable[EmotionNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, signals: Signals) -> Tensor:
        """Mean of the log-probabilities.

        Parameters
        ----------
        signals : Signals
            Standardised clips.

        Returns
        -------
        Tensor of shape (n_clips, n_classes)
            Logarithm of the geometric mean of the probabilities; rows need not sum to 1.
        """
        answers = [network(signals).log_softmax(1) for network in self.networks]
        return torch.stack(answers).mean(0)


def _drop_channels(values: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Dropout of whole channels of a clip."""
    if generator is None:
        return values
    return values * drop(torch.ones_like(values[:, :, :1]), share, generator)


def _strides(n_timesteps: int) -> list[int]:
    """Strides of 4 and at most one of 2 that bring a length to about 64 positions.

    Examples
    --------
    >>> _strides(30), _strides(120), _strides(1920)
    ([1], [2], [4, 4, 2])
    """
    n_halvings = max(0, round(math.log2(max(1, n_timesteps) / _POSITIONS)))
    strides = [4] * (n_halvings // 2) + [2] * (n_halvings % 2)
    return strides or [1]


def _convolution(
    n_inputs: int,
    n_outputs: int,
    n_taps: int,
    *,
    generator: torch.Generator,
    stride: int = 1,
    dilation: int = 1,
) -> nn.Conv1d:
    """Convolution over time, offset 0 at first; the ends are padded with 0."""
    padding = dilation * (n_taps // 2)
    layer = nn.utils.skip_init(
        nn.Conv1d,
        n_inputs,
        n_outputs,
        n_taps,
        stride=stride,
        dilation=dilation,
        padding=padding,
    )
    bound = math.sqrt(3.0 / (n_inputs * n_taps))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


def _pool(hidden: Tensor, frames: Tensor) -> Tensor:
    """Mean, deviation and maximum over the measured frames: (n_clips, 3 * width)."""
    mean, variance = masked_moments(hidden, frames)
    # `hidden` is at least 0 everywhere, and 0 where not measured.
    parts = [mean.squeeze(2), (variance.squeeze(2) + 1e-5).sqrt(), hidden.amax(2)]
    return torch.cat(parts, dim=1)

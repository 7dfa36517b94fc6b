"""What the deep peers share: standardised clips, and this package's learned convolutions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from stf2m_sk.nn.encoder import ModalityEncoder, fuse
from stf2m_sk.training.augmentation import augment

EMBEDDING_DIM = 64


class Clips(NamedTuple):
    """Clips as the encoder takes them: standardised, 0 where not measured, with masks."""

    signals: tuple[Tensor, ...]
    frames: tuple[Tensor, ...]
    present: Tensor

    def rows(self, rows: np.ndarray | Tensor) -> Clips:
        """Some of the clips."""
        rows = torch.as_tensor(rows)
        return Clips(
            tuple(signal[rows] for signal in self.signals),
            tuple(frames[rows] for frames in self.frames),
            self.present[rows],
        )

    @property
    def n_clips(self) -> int:
        """A length of its own would break the tuple."""
        return len(self.present)


class Standardiser:
    """Mean 0 and deviation 1 in the population, for each channel.

    Parameters
    ----------
    signals : dict of array
        The population.
    """

    def __init__(self, signals: dict[str, np.ndarray]) -> None:
        self.shapes = [signal.shape[1:] for signal in signals.values()]
        self.moments = {
            name: (
                np.nanmean(signal, axis=(0, 2), keepdims=True),
                np.nanstd(signal, axis=(0, 2), keepdims=True) + 1e-6,
            )
            for name, signal in signals.items()
        }

    def __call__(self, signals: dict[str, np.ndarray]) -> Clips:
        """Standardise clips."""
        ready, frames = [], []
        for name, (mean, scale) in self.moments.items():
            scaled = ((signals[name] - mean) / scale).astype(np.float32)
            frames.append(torch.from_numpy((~np.isnan(scaled)).any(axis=1).astype(np.float32)))
            ready.append(torch.from_numpy(np.nan_to_num(scaled)))
        present = torch.stack([own.amax(1) for own in frames], dim=1)
        return Clips(tuple(ready), tuple(frames), present)


class Encoder(nn.Module):
    """Learned convolutions of `stf2m_sk`, as wide as its classifier has them.

    Parameters
    ----------
    shapes : list of (n_channels, n_frames)
        Of the modalities.
    generator : torch.Generator
        Source of the initial weights.
    dropout_share : float
        Share dropped in training.
    """

    def __init__(
        self,
        shapes: list[tuple[int, int]],
        generator: torch.Generator,
        *,
        hidden_dim: int = 32,
        dropout_share: float = 0.2,
    ) -> None:
        super().__init__()
        self.modalities = nn.ModuleList(
            ModalityEncoder(
                *shape,
                hidden_dim=hidden_dim,
                embedding_dim=EMBEDDING_DIM,
                n_blocks=2,
                dropout_share=dropout_share,
                generator=generator,
            )
            for shape in shapes
        )

    def forward(self, clips: Clips, generator: torch.Generator | None = None) -> Tensor:
        """Embeddings of length 8; a generator means training."""
        parts = zip(self.modalities, clips.signals, clips.frames, strict=True)
        each = [encoder(signal, frames, generator) for encoder, signal, frames in parts]
        # Length 1 would leave a linear layer and distances too little to start from.
        return fuse(torch.stack(each, dim=-2), clips.present) * EMBEDDING_DIM**0.5


@torch.no_grad()
def embed(encoder: Encoder, clips: Clips, batch: int = 512) -> np.ndarray:
    """Embeddings, without training."""
    rows = torch.arange(clips.n_clips).split(batch)
    return torch.cat([encoder(clips.rows(some)) for some in rows]).numpy()


class OneCycle:
    """AdamW over a fixed number of steps, with a learning rate that rises and falls.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is trained.
    n_steps : int
        Steps.
    learning_rate : float
        The largest.
    """

    def __init__(self, parameters, n_steps: int, learning_rate: float) -> None:
        self.parameters = list(parameters)
        self.optimizer = torch.optim.AdamW(self.parameters, learning_rate, weight_decay=1e-3)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, learning_rate, total_steps=n_steps, cycle_momentum=False
        )

    def step(self, loss: Tensor) -> None:
        """One step down."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.schedule.step()


def noisy(clips: Clips, generator: torch.Generator) -> Clips:
    """The noise that `stf2m_sk` trains with: gain, offset, lost channels and gaps."""
    return augment(clips, generator)


def balanced_weights(codes: np.ndarray) -> Tensor:
    """Weights of the classes by which each counts alike."""
    counts = np.bincount(codes)
    return torch.as_tensor(len(codes) / (len(counts) * counts), dtype=torch.float32)

"""Clips as the encoder takes them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Clips"]


class Clips(NamedTuple):
    """Clips made ready for the encoder.

    Attributes
    ----------
    signals : tuple of Tensor (n_clips, n_channels, n_frames)
        Standardised; 0 where not measured.
    frames : tuple of Tensor (n_clips, n_frames)
        1 for a frame in which any channel is measured, else 0.
    present : Tensor of shape (n_clips, n_modalities)
        1 where a modality has a measured frame, else 0.
    kernels : Tensor of shape (n_clips, n_modalities, kernel_dim)
        What the random kernels say of each modality; 0 where it is absent.
    """

    signals: tuple[Tensor, ...]
    frames: tuple[Tensor, ...]
    present: Tensor
    kernels: Tensor

    def take(self, rows: Tensor) -> Clips:
        """Clips at the given rows."""
        return Clips(
            tuple(signal[rows] for signal in self.signals),
            tuple(frame[rows] for frame in self.frames),
            self.present[rows],
            self.kernels[rows],
        )

"""Clips as the rules and networks take them: standardised, with masks of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["LARGEST", "Signals", "Standardiser"]

LARGEST = 10.0  # standard deviations; what lies beyond is an artefact of the sensor


class Signals(NamedTuple):
    """Standardised clips.

    Attributes
    ----------
    values : tuple of Tensor (n_clips, n_channels, n_frames)
        One a modality; 0 where not measured.
    frames : tuple of Tensor (n_clips, n_frames)
        1 for a frame in which any channel is measured, else 0.
    present : Tensor of shape (n_clips, n_modalities)
        1 where a modality has a measured frame, else 0.
    """

    values: tuple[Tensor, ...]
    frames: tuple[Tensor, ...]
    present: Tensor

    def take(self, rows: Tensor) -> Signals:
        """Clips at the given rows."""
        return Signals(
            tuple(values[rows] for values in self.values),
            tuple(frames[rows] for frames in self.frames),
            self.present[rows],
        )


class Standardiser(nn.Module):
    """Scale every channel by its mean and deviation over the training clips.

    Parameters
    ----------
    n_channels : sequence of int
        Channels of each modality.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.signals import Standardiser
    >>> signal = torch.tensor([[[1.0, 3.0, torch.nan]]])
    >>> standardiser = Standardiser([1])
    >>> standardiser.calibrate([signal])
    >>> signals = standardiser([signal])
    >>> signals.values[0].tolist(), signals.frames[0].tolist()
    ([[[-1.0, 1.0, 0.0]]], [[1.0, 1.0, 0.0]])
    """

    def __init__(self, n_channels: Sequence[int]) -> None:
        super().__init__()
        for i, n in enumerate(n_channels):
            self.register_buffer(f"mean_{i}", torch.zeros(n, 1))
            self.register_buffer(f"scale_{i}", torch.ones(n, 1))

    @torch.no_grad()
    def calibrate(self, recordings: Sequence[Tensor]) -> None:
        """Take means and deviations from training clips.

        Parameters
        ----------
        recordings : sequence of Tensor (n_clips, n_channels, n_timesteps)
            NaN where not measured. A channel that is never measured keeps mean 0; one that never
            varies keeps deviation 1.
        """
        for i, recording in enumerate(recordings):
            mean = recording.nanmean(dim=(0, 2)).nan_to_num()[:, None]
            variance = (recording - mean).square().nanmean(dim=(0, 2)).nan_to_num()[:, None]
            scale = variance.sqrt()
            negligible = scale <= 1e-6 * mean.abs()
            getattr(self, f"mean_{i}").copy_(mean)
            getattr(self, f"scale_{i}").copy_(torch.where(negligible, 1.0, scale))

    def forward(self, recordings: Sequence[Tensor]) -> Signals:
        """Standardise clips.

        Parameters
        ----------
        recordings : sequence of Tensor (n_clips, n_channels, n_timesteps)
            NaN where not measured; any number of frames.

        Returns
        -------
        Signals
            In units of the training clips' deviation, at most 10 of it.
        """
        values, frames = [], []
        for i, recording in enumerate(recordings):
            measured = ~torch.isnan(recording)
            scaled = (recording - getattr(self, f"mean_{i}")) / getattr(self, f"scale_{i}")
            scaled = scaled.clamp(-LARGEST, LARGEST)
            values.append(torch.where(measured, scaled, 0.0))
            frames.append(measured.any(1).to(recording.dtype))
        present = torch.stack([frame.amax(1) for frame in frames], dim=1)
        return Signals(tuple(values), tuple(frames), present)

"""Signs that a sensor was off, or that its unit is another one than in training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stf2m_sk.nn.signals import LARGEST, Signals

__all__ = ["SensorCheck"]

# All limits are ours; docs/method.md says what they catch on real recordings.
_QUIET = 0.1  # of the range that almost all training clips exceed
_RARE = 0.01  # of the training clips have less
_CLAMPED = 0.5  # of the measured frames, at the largest value that the standardiser lets pass
_FEWEST_FRAMES = 5  # a shorter clip may well be constant


class SensorCheck(nn.Module):
    """Say of which modalities a clip looks as no training clip does.

    A channel is off if it hardly moves within the clip (ten times less than all but 1 % of the
    training clips do), or if more than half of its frames lie 10 deviations or more from the mean
    of the training clips. A modality is off if any of its channels is.

    Parameters
    ----------
    n_channels : sequence of int
        Channels of each modality.

    Notes
    -----
    Where more than 1 % of the training clips are constant in a channel, a constant clip is nothing
    new. Clips of fewer than 5 measured frames may be constant. Source: ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.sensors import SensorCheck
    >>> from stf2m_sk.nn.signals import Standardiser
    >>> signal = torch.randn(50, 1, 30, generator=torch.Generator().manual_seed(0))
    >>> standardiser, check = Standardiser([1]), SensorCheck([1])
    >>> standardiser.calibrate([signal])
    >>> check.calibrate(standardiser([signal]))
    >>> clips = torch.stack([signal[0], torch.zeros(1, 30), 1000 * signal[0]])
    >>> check(standardiser([clips])).flatten().tolist()
    [False, True, True]
    """

    def __init__(self, n_channels: Sequence[int]) -> None:
        super().__init__()
        for i, n in enumerate(n_channels):
            self.register_buffer(f"quiet_{i}", torch.zeros(n))

    @torch.no_grad()
    def calibrate(self, signals: Signals) -> None:
        """Read off training clips how little a channel moves.

        Parameters
        ----------
        signals : Signals
            Standardised training clips; some hundreds are plenty.
        """
        for i, values in enumerate(signals.values):
            usual = torch.nanquantile(_ranges(values), _RARE, dim=0, interpolation="lower")
            getattr(self, f"quiet_{i}").copy_(_QUIET * usual.nan_to_num())

    @torch.no_grad()
    def forward(self, signals: Signals) -> Tensor:
        """Modalities that are off.

        Parameters
        ----------
        signals : Signals
            Standardised clips.

        Returns
        -------
        bool Tensor of shape (n_clips, n_modalities)
            False for a modality that is absent.
        """
        off = []
        for i, values in enumerate(signals.values):
            quiet = _ranges(values) < getattr(self, f"quiet_{i}")  # NaN is not below
            clamped = (values.abs() >= LARGEST).sum(2) > _CLAMPED * (values != 0).sum(2)
            off.append((quiet | clamped).any(1))
        return torch.stack(off, dim=1)


def _ranges(values: Tensor) -> Tensor:
    """Largest less smallest value of each channel, (n_clips, n_channels); NaN if it has too few.

    A standardised 0 stands for what is not measured.
    """
    measured = values != 0
    high = values.masked_fill(~measured, -torch.inf).amax(2)
    low = values.masked_fill(~measured, torch.inf).amin(2)
    return (high - low).masked_fill(measured.sum(2) < _FEWEST_FRAMES, torch.nan)

"""The clips of a fit, resident on the device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from stf2m_sk.nn.clips import Clips
from stf2m_sk.nn.module import STF2MModule

__all__ = ["TrainingClips", "embed_all"]

_CLIPS_AT_ONCE = 256


class TrainingClips(Dataset):
    """All clips of a fit, resident on the device, with what the episodes are drawn from.

    Parameters
    ----------
    clips : Clips
        Ready clips on the device.
    codes : int array of shape (n_clips,)
        Class codes 0 .. n_classes - 1.
    groups : int array of shape (n_clips,) or None
        Codes of the people.
    n_classes : int
        Number of classes.
    """

    def __init__(
        self,
        clips: Clips,
        codes: NDArray[np.integer],
        groups: NDArray[np.integer] | None,
        n_classes: int,
    ) -> None:
        device = clips.present.device
        self.clips = clips
        self.codes = torch.as_tensor(codes, dtype=torch.int64, device=device)
        self.groups = None if groups is None else torch.as_tensor(groups, device=device)
        self.membership = F.one_hot(self.codes, n_classes).to(clips.present.dtype)

    def __len__(self) -> int:
        return len(self.codes)

    def people(self, rows: Tensor | slice = slice(None)) -> Tensor | None:
        """1 where a clip is of the person, else 0: (n_rows, n_people); None without groups."""
        if self.groups is None:
            return None
        return F.one_hot(self.groups[rows].long()).to(self.membership.dtype)


@torch.no_grad()
def embed_all(module: STF2MModule, clips: Clips) -> Tensor:
    """Embeddings of many clips, part by part, without gradients.

    Parameters
    ----------
    module : STF2MModule
        Network.
    clips : Clips
        Ready clips.

    Returns
    -------
    Tensor of shape (n_clips, embedding_size)
        Embeddings.
    """
    rows = torch.arange(len(clips.present), device=clips.present.device)
    return torch.cat([module.embed(clips.take(part)) for part in rows.split(_CLIPS_AT_ONCE)])

"""Scores of every person's clips given all other people, from one inverse."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Layout", "LeftOut", "left_out"]


class LeftOut(NamedTuple):
    """Scores of every person's clips, given all other people.

    Attributes
    ----------
    means : Tensor of shape (n_people, n_most_clips, n_classes)
        Conditional means; padded with anything.
    covariances : Tensor of shape (n_people, n_most_clips, n_most_clips)
        Conditional covariances, without the noise of labels.
    """

    means: Tensor
    covariances: Tensor


class Layout(NamedTuple):
    """Where a person's clips are.

    Attributes
    ----------
    rows : Tensor of shape (n_people, n_most_clips)
        Rows of each person's clips; 0 fills up.
    is_clip : Tensor of bool, same shape
        Where there is one.
    place : Tensor of shape (n_clips,)
        Place of each clip among its person's.
    """

    rows: Tensor
    is_clip: Tensor
    place: Tensor

    @classmethod
    def of(cls, people: NDArray[np.integer]) -> Layout:
        """From the codes of the people."""
        own = [np.flatnonzero(people == p) for p in range(people.max() + 1)]
        most = max(map(len, own))
        rows, place = np.zeros((len(own), most), dtype=np.int64), np.zeros(len(people), np.int64)
        for filled, clips in zip(rows, own, strict=True):
            filled[: len(clips)] = clips
            place[clips] = np.arange(len(clips))
        is_clip = np.arange(most) < np.array([len(clips) for clips in own])[:, None]
        return cls(*map(torch.from_numpy, (rows, is_clip, place)))


def left_out(gram: Tensor, targets: Tensor, layout: Layout, person_variance) -> LeftOut:
    """Condition every person's scores on all other people's labels, from one inverse.

    Parameters
    ----------
    gram : Tensor of shape (n_clips, n_clips)
        Covariance of the clips' scores without the level of a person.
    targets : Tensor of shape (n_clips, n_classes)
        +1 and -1.
    layout : Layout
        Which clips are whose.
    person_variance : float or Tensor of shape (n_clips, 1)
        Variance of a person's level.

    Returns
    -------
    LeftOut

    Notes
    -----
    With Q the inverse of the covariance of all labels and R their residuals, those of a person
    p given all others have the covariance (Q_pp)^-1 and the mean R_p - (Q_pp)^-1 (Q R)_p.
    """
    residual = targets - targets.mean(0)
    person = torch.empty(len(gram), dtype=torch.long)
    owner = torch.arange(len(layout.rows))[:, None].expand_as(layout.rows)
    person[layout.rows[layout.is_clip]] = owner[layout.is_clip]
    same = (person[:, None] == person).to(gram.dtype)
    identity = torch.eye(len(gram), dtype=gram.dtype)
    inverse = _Inverse.apply(gram + person_variance * same + identity)
    rows, is_clip = layout.rows, layout.is_clip
    own = inverse[rows[:, :, None], rows[:, None]]
    both = is_clip[:, :, None] & is_clip[:, None]
    padding = torch.eye(rows.shape[1], dtype=gram.dtype)
    covariance = torch.cholesky_inverse(torch.linalg.cholesky(torch.where(both, own, padding)))
    solved = (inverse @ residual)[rows] * is_clip[..., None]
    return LeftOut(residual[rows] - covariance @ solved, covariance - padding)


class _Inverse(torch.autograd.Function):
    """Inverse of a symmetric positive definite matrix: half the work of `torch.linalg.inv`."""

    @staticmethod
    def forward(context, matrix: Tensor) -> Tensor:
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(matrix))
        context.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        (inverse,) = context.saved_tensors
        return -inverse @ gradient @ inverse

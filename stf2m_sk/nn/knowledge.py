"""What a population says, summed up: all that is kept of its clips."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["MetaKnowledge", "gather_knowledge", "with_offset"]

_MOST_SHIFTS = 32  # directions in which people are remembered to differ


class MetaKnowledge(NamedTuple):
    """What the population says in embedding space; all that is kept of it.

    Attributes
    ----------
    precision : Tensor of shape (..., dim + 1, dim + 1)
        Sum over clips of weight times [z, 1] [z, 1]^T.
    evidence : Tensor of shape (..., dim + 1, n_classes)
        Sum over clips of weight times [z, 1] y^T, with y = 1 for the clip's class, else -1.
    prototypes : Tensor of shape (..., n_classes, dim)
        Weighted mean embedding of each class; 0 for a class without clips.
    known : Tensor of shape (..., n_classes)
        1 for a class that the population has, else 0.
    n_clips : Tensor of shape (...,)
        Number of clips behind it.
    contrasts : Tensor of shape (..., dim + 1, n_population_classes)
        How the classes of the population differ: without ``contrasts @ contrasts.mT`` the
        precision holds what clips of one class differ by, and no more.
    shifts : Tensor of shape (..., dim + 1, n_shifts)
        How its people differ: ``shifts @ shifts.mT`` is the part of that which is there because
        all clips of a person are shifted alike. Without people n_shifts is 0.
    """

    precision: Tensor
    evidence: Tensor
    prototypes: Tensor
    known: Tensor
    n_clips: Tensor
    contrasts: Tensor
    shifts: Tensor

    def without_differences(self) -> MetaKnowledge:
        """What is left to a ridge regression: nothing of how classes differ, or people."""
        return self._replace(
            contrasts=torch.zeros_like(self.contrasts), shifts=self.shifts[..., :0]
        )


def with_offset(embeddings: Tensor) -> Tensor:
    """Append a constant 1 to each embedding, so that the last weight is an offset."""
    return torch.cat([embeddings, torch.ones_like(embeddings[..., :1])], dim=-1)


def gather_knowledge(
    embeddings: Tensor, membership: Tensor, weights: Tensor, people: Tensor | None = None
) -> MetaKnowledge:
    """Sum a population up.

    Parameters
    ----------
    embeddings : Tensor of shape (n_clips, dim)
        Embeddings of the population's clips.
    membership : Tensor of shape (..., n_clips, n_classes) or (n_clips, n_classes)
        1 where the clip has the class, else 0.
    weights : Tensor of shape (..., n_clips)
        1 for a clip that counts, 0 for one that does not (of the person in question, say).
    people : Tensor of shape (n_clips, n_people), optional
        1 where the clip is of the person, else 0. By default nothing is known of people.

    Returns
    -------
    MetaKnowledge
        Classes count alike, however many clips they have: each clip's weight is divided by the
        number of clips of its class, and the weights sum to the number of clips. No gradient
        goes through the people's shifts, of which the 32 strongest directions are kept.

    Notes
    -----
    Ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.knowledge import gather_knowledge
    >>> embeddings = torch.tensor([[0.0], [2.0], [4.0], [6.0]])
    >>> classes, people = torch.eye(2).repeat(2, 1), torch.eye(2).repeat_interleave(2, dim=0)
    >>> knowledge = gather_knowledge(embeddings, classes, torch.ones(4), people)
    >>> knowledge.prototypes.flatten().tolist()
    [2.0, 4.0]
    >>> (knowledge.shifts[0] / 2**0.5).round(decimals=3).tolist()  # two clips a person
    [-2.0, 2.0]
    """
    dtype = embeddings.dtype
    membership = membership.to(dtype) * weights.to(dtype)[..., None]
    count = membership.sum(-2)
    known = (count > 0).to(dtype)
    n_clips = count.sum(-1)
    share = membership / count.clamp_min(1.0)[..., None, :]
    prototypes = share.transpose(-1, -2) @ embeddings
    n_known = known.sum(-1).clamp_min(1.0)
    balance = n_clips / n_known
    clip_weights = share.sum(-1) * balance[..., None]
    design = with_offset(embeddings)
    weighted = design.transpose(-1, -2) * clip_weights[..., None, :]
    targets = 2.0 * (membership > 0).to(dtype) - 1.0
    precision = weighted @ design
    # Exactly symmetric, which rounding would not leave it: nothing then depends on the triangle.
    precision = (precision + precision.mT) / 2.0
    mean = prototypes.sum(-2, keepdim=True) / n_known[..., None, None]
    apart = (prototypes - mean) * (known * balance.sqrt()[..., None])[..., None]
    contrasts = nn.functional.pad(apart.mT, (0, 0, 0, 1))
    evidence = weighted @ targets
    if people is None:
        shifts = precision[..., :0]
    else:
        own = people.to(dtype) * clip_weights[..., None]
        shifts = _people_shifts(embeddings.detach(), membership, prototypes.detach(), own)
    return MetaKnowledge(precision, evidence, prototypes, known, n_clips, contrasts, shifts)


def _people_shifts(embeddings, membership, prototypes, own) -> Tensor:
    """Mean difference of each person's clips from the prototypes, times the root of their weight.

    `own` holds the weight of each clip in the column of its person.
    """
    is_member = (membership > 0).to(own.dtype)
    expected = (own.mT @ is_member) @ prototypes
    total = own.sum(-2)[..., None]
    shifts = (own.mT @ embeddings - expected) / total.clamp_min(1e-30).sqrt()
    return nn.functional.pad(_strongest(shifts, _MOST_SHIFTS).mT, (0, 0, 0, 1))


def _strongest(rows: Tensor, n_most: int) -> Tensor:
    """At most so many rows, whose products rows.mT @ rows are the nearest to those of all."""
    if rows.shape[-2] <= n_most:
        return rows
    _, vectors = torch.linalg.eigh(rows @ rows.mT)  # in the order of their strength
    return vectors[..., -n_most:].mT @ rows

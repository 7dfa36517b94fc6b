"""What meta-training minimises."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn._layers import linear

__all__ = ["EpisodeAnswers", "EpisodeLoss"]

_SMOOTHING = 0.1


class EpisodeAnswers(NamedTuple):
    """What the network says in a batch of episodes.

    Attributes
    ----------
    logits : Tensor of shape (n_shots, n_episodes, n_queries, n_way)
        After each number of support clips; -inf for a way that an episode does not have.
    targets : Tensor of shape (n_episodes, n_queries)
        Way of each query clip; -1 for padding.
    learned : Tensor of shape (n_clips, embedding_dim)
        Learned part of the embeddings of all clips.
    codes : Tensor of shape (n_clips,)
        Their class codes.
    """

    logits: Tensor
    targets: Tensor
    learned: Tensor
    codes: Tensor

    def cross_entropy(self) -> Tensor:
        """Mean over queries and numbers of shots."""
        return F.cross_entropy(
            self.logits.flatten(0, -2),
            self.targets.expand(self.logits.shape[:-1]).flatten(),
            ignore_index=-1,
        )

    def accuracy(self) -> Tensor:
        """Share of right answers over queries and numbers of shots."""
        right = self.logits.argmax(-1) == self.targets
        real = (self.targets >= 0).expand_as(right)
        return right[real].float().mean()


class EpisodeLoss(nn.Module):
    """Cross-entropy of the episodes and of the population.

    Parameters
    ----------
    embedding_dim, n_classes : int
        Sizes of the head that tells the population's classes from the learned embedding.
    generator : torch.Generator
        Source of its initial weights.

    Notes
    -----
    The population's head is ours: few-shot episodes alone leave a small encoder with little
    to learn from.
    """

    def __init__(self, embedding_dim: int, n_classes: int, *, generator: torch.Generator) -> None:
        super().__init__()
        self.head = linear(embedding_dim, n_classes, generator=generator)
        with torch.no_grad():
            self.head.weight.mul_(embedding_dim**0.5)  # embeddings have length 1

    def forward(self, answers: EpisodeAnswers) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        answers : EpisodeAnswers
            Of a batch of episodes.

        Returns
        -------
        Tensor, scalar
            Sum of both parts.
        """
        population = F.cross_entropy(
            self.head(answers.learned), answers.codes, label_smoothing=_SMOOTHING
        )
        return answers.cross_entropy() + population

    @staticmethod
    def of_validation(answers: EpisodeAnswers) -> Tensor:
        """Loss by which epochs are compared: that of the episodes alone."""
        return answers.cross_entropy()

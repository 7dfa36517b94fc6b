"""Prototypical networks (Snell, Swersky, Zemel 2017, arXiv:1703.05175)."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from peers._base import BasePeer
from peers._deep import Encoder, OneCycle, Standardiser, embed, noisy
from peers._episodes import EpisodeSampler


class PrototypeNetwork(BasePeer):
    """A query clip belongs to the class whose mean embedding is nearest.

    Trained on episodes of one person, by the squared distances to the means of the support, over
    a learned temperature (the encoder's embeddings have a fixed length). Without a support the
    means are those of the population.

    Parameters
    ----------
    n_steps : int
        Steps of training, of `n_episodes` each.
    n_episodes : int
        Episodes of a step.
    learning_rate : float
        The largest.
    seed : int
        Source of everything random.
    """

    def __init__(
        self,
        *,
        n_steps: int = 600,
        n_episodes: int = 4,
        learning_rate: float = 2e-3,
        seed: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.n_episodes = n_episodes
        self.learning_rate = learning_rate
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Train on episodes."""
        self.classes, codes = np.unique(labels, return_inverse=True)
        self.standardise = Standardiser(signals)
        clips = self.standardise(signals)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.encoder = Encoder(self.standardise.shapes, self.generator)
        self.log_scale = torch.tensor(-2.0, requires_grad=True)
        trained = [*self.encoder.parameters(), self.log_scale]
        cycle = OneCycle(trained, self.n_steps, self.learning_rate)
        sampler = EpisodeSampler(codes, people, seed=self.seed)
        for _ in range(self.n_steps):
            cycle.step(self._loss(clips, sampler.draw(self.n_episodes)))
        embedded = embed(self.encoder, clips)
        self.prototypes = _means(embedded, codes, len(self.classes))
        return self

    def features(self, signals) -> np.ndarray:
        """Embeddings."""
        return embed(self.encoder, self.standardise(signals))

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class of the nearest prototype."""
        classes, prototypes = self.classes, self.prototypes
        if support is not None:
            classes, codes = np.unique(support_labels, return_inverse=True)
            prototypes = _means(support, codes, len(classes))
        return classes[((query[:, None] - prototypes) ** 2).sum(-1).argmin(1)]

    def _loss(self, clips, batch) -> torch.Tensor:
        rows = np.concatenate([batch.support, batch.query], axis=2)
        asked = noisy(clips.rows(rows.ravel()), self.generator)
        embedded = self.encoder(asked, self.generator).reshape(*rows.shape, -1)
        n_shots = batch.support.shape[2]
        prototypes = embedded[:, :, :n_shots].mean(2)
        query = embedded[:, :, n_shots:].flatten(1, 2)
        distances = torch.cdist(query, prototypes).square()
        n_episodes, n_ways, n_queries = batch.query.shape
        truth = torch.arange(n_ways).repeat_interleave(n_queries).repeat(n_episodes)
        return F.cross_entropy(-self.log_scale.exp() * distances.flatten(0, 1), truth)


def _means(embedded: np.ndarray, codes: np.ndarray, n_classes: int) -> np.ndarray:
    return np.stack([embedded[codes == code].mean(0) for code in range(n_classes)])

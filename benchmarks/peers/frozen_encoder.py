"""A network trained to classify the population; logistic regression on what it has learned."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from peers._base import WEIGHT, BasePeer, best_of, pool_weights
from peers._deep import (
    EMBEDDING_DIM,
    Encoder,
    OneCycle,
    Standardiser,
    balanced_weights,
    embed,
    noisy,
)
from peers.logistic_regression import regress
from stf2m_sk.nn._layers import linear


class FrozenEncoder(BasePeer):
    """Cross-entropy on the population; then a pooled regression on frozen embeddings.

    Parameters
    ----------
    n_epochs : int
        Passes over the population.
    least_steps : int
        More passes where a small population gives fewer steps.
    batch : int
        Clips of a step.
    learning_rate : float
        The largest.
    weight : float
        Of a support clip, for a population clip's 1.
    seed : int
        Source of everything random.
    """

    def __init__(
        self,
        *,
        n_epochs: int = 100,
        least_steps: int = 400,
        batch: int = 64,
        learning_rate: float = 2e-3,
        weight: float = WEIGHT,
        seed: int = 0,
    ) -> None:
        self.n_epochs = n_epochs
        self.least_steps = least_steps
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight = weight
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Train the encoder, then freeze it."""
        self.labels = np.asarray(labels)
        codes = np.unique(labels, return_inverse=True)[1]
        self.standardise = Standardiser(signals)
        clips = self.standardise(signals)
        self.encoder = self._train(clips, codes)
        embedded = embed(self.encoder, clips)
        self.scaler = StandardScaler().fit(embedded)
        self.population = self.scaler.transform(embedded)
        self.model = self._regress(self.population, self.labels)
        return self

    def features(self, signals) -> np.ndarray:
        """Scaled embeddings."""
        return self.scaler.transform(embed(self.encoder, self.standardise(signals)))

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The most probable class."""
        if support is None:
            return self.model.predict(query)
        model = self._regress(
            np.concatenate([self.population, support]),
            np.concatenate([self.labels, support_labels]),
            pool_weights(len(self.labels), len(support), self.weight),
        )
        return best_of(model.predict_proba(query), model.classes_, support_labels)

    def _regress(self, embedded, labels, weights=None):
        return regress(embedded, labels, weights, class_weight="balanced", C=0.1)

    def _train(self, clips, codes: np.ndarray) -> Encoder:
        generator = torch.Generator().manual_seed(self.seed)
        encoder = Encoder(self.standardise.shapes, generator)
        head = linear(EMBEDDING_DIM, codes.max() + 1, generator=generator)
        truth, balance = torch.as_tensor(codes), balanced_weights(codes)
        n_batches = max(1, round(len(codes) / self.batch))
        n_epochs = max(self.n_epochs, math.ceil(self.least_steps / n_batches))
        trained = [*encoder.parameters(), *head.parameters()]
        cycle = OneCycle(trained, n_epochs * n_batches, self.learning_rate)
        for _ in range(n_epochs):
            order = torch.randperm(len(codes), generator=generator)
            for rows in order.tensor_split(n_batches):
                scores = head(encoder(noisy(clips.rows(rows), generator), generator))
                cycle.step(F.cross_entropy(scores, truth[rows], balance))
        return encoder

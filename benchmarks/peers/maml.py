"""Model-agnostic meta-learning (Finn, Abbeel, Levine 2017, arXiv:1703.03400)."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from peers._base import BasePeer
from peers._deep import EMBEDDING_DIM, Clips, Encoder, OneCycle, Standardiser, noisy
from peers._episodes import EpisodeSampler

Weights = dict[str, Tensor]


class MAML(BasePeer):
    """Five gradient steps on the support, from weights that are learned for them; second order.

    All weights adapt, through the gradient of the inner steps. The last layer has a row for each
    class of the population and one for any other, which new classes share at the start (after Ye
    and Chao 2022, arXiv:2106.00182): half of the training episodes treat their classes as new.
    The other half are also scored before the first step, so that the initial weights answer
    without a support.

    Parameters
    ----------
    n_steps : int
        Steps of training, of `n_episodes` each.
    n_episodes : int
        Episodes of a step.
    n_inner : int
        Gradient steps on the support.
    inner_rate : float
        Their learning rate.
    learning_rate : float
        The largest of the outer steps.
    seed : int
        Source of everything random.
    """

    def __init__(
        self,
        *,
        n_steps: int = 120,
        n_episodes: int = 2,
        n_inner: int = 5,
        inner_rate: float = 0.1,
        learning_rate: float = 5e-3,
        seed: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.n_episodes = n_episodes
        self.n_inner = n_inner
        self.inner_rate = inner_rate
        self.learning_rate = learning_rate
        self.seed = seed

    def fit(self, signals, labels, people=None):
        """Meta-train."""
        self.classes, codes = np.unique(labels, return_inverse=True)
        self.standardise = Standardiser(signals)
        clips = self.standardise(signals)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.encoder = Encoder(self.standardise.shapes, self.generator)
        n_rows = len(self.classes) + 1  # the last is that of new classes
        self.table = torch.zeros(n_rows, EMBEDDING_DIM, requires_grad=True)
        cycle = OneCycle([*self.encoder.parameters(), self.table], self.n_steps, self.learning_rate)
        sampler = EpisodeSampler(codes, people, seed=self.seed)
        for step in range(self.n_steps):
            batch = sampler.draw(self.n_episodes)
            cycle.step(self._loss(clips, batch, known=step % 2 == 0))
        return self

    def features(self, signals) -> Clips:
        """Standardised clips: their embedding depends on the support."""
        return self.standardise(signals)

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class with the largest score after the inner steps."""
        if support is None:
            known = np.arange(len(self.classes))
            return self._best(self._initial(known), query, self.classes)
        ways, truth = np.unique(support_labels, return_inverse=True)
        weights = self._adapted(self._initial(self._codes(ways)), support, torch.as_tensor(truth))
        return self._best(weights, query, ways)

    def _codes(self, ways: np.ndarray) -> np.ndarray:
        places = np.searchsorted(self.classes, ways).clip(max=len(self.classes) - 1)
        return np.where(self.classes[places] == ways, places, len(self.classes))

    def _initial(self, codes: np.ndarray) -> Weights:
        return dict(self.encoder.named_parameters()) | {"head": self.table[codes]}

    @torch.no_grad()
    def _best(self, weights: Weights, query: Clips, ways: np.ndarray) -> np.ndarray:
        return ways[self._scores(weights, query).argmax(1).numpy()]

    def _scores(self, weights: Weights, clips: Clips) -> Tensor:
        encoder = {name: value for name, value in weights.items() if name != "head"}
        return functional_call(self.encoder, encoder, (clips,)) @ weights["head"].T

    def _misfit(self, weights: Weights, clips: Clips, truth: Tensor) -> Tensor:
        return F.cross_entropy(self._scores(weights, clips), truth)

    def _adapted(self, weights: Weights, support: Clips, truth: Tensor) -> Weights:
        for _ in range(self.n_inner):
            slopes = grad(self._misfit)(weights, support, truth)
            weights = {k: value - self.inner_rate * slopes[k] for k, value in weights.items()}
        return weights

    def _loss(self, clips: Clips, batch, *, known: bool) -> Tensor:
        shared = np.full_like(batch.ways, len(self.classes))
        heads = self.table[batch.ways if known else shared]

        def of_one(head: Tensor, support: Clips, s_truth: Tensor, query: Clips, q_truth: Tensor):
            weights = dict(self.encoder.named_parameters()) | {"head": head}
            after = self._misfit(self._adapted(weights, support, s_truth), query, q_truth)
            return after + self._misfit(weights, query, q_truth) if known else after

        support, s_truth = self._side(clips, batch.support)
        query, q_truth = self._side(clips, batch.query)
        with warnings.catch_warnings():
            # One sum in the encoder is looped over episodes; on a CPU that is as quick.
            warnings.filterwarnings("ignore", message="There is a performance drop")
            return vmap(of_one)(heads, support, s_truth, query, q_truth).mean()

    def _side(self, clips: Clips, rows: np.ndarray) -> tuple[Clips, Tensor]:
        n_episodes, n_ways, n_each = rows.shape
        some = noisy(clips.rows(rows.ravel()), self.generator)
        split = [
            tuple(part.unflatten(0, (n_episodes, -1)) for part in parts)
            for parts in (some.signals, some.frames)
        ]
        truth = torch.arange(n_ways).repeat_interleave(n_each).expand(n_episodes, -1)
        return Clips(*split, some.present.unflatten(0, (n_episodes, -1))), truth

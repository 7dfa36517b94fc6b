"""What peers have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator

WEIGHT = 50.0  # of a support clip, for a population clip's 1
KINDS = ("support", "population", "pooled")


class BasePeer(BaseEstimator):
    """Parameters by `get_params`, and what a peer can do unless it says otherwise."""

    name = ""
    zero_shot = True
    new_classes = True
    needs_order = False
    shares_fit = False  # whether `fit` and `features` are the same for all kinds


class KindOfPeer(BasePeer):
    """A peer in three kinds: see `peers`."""

    @property
    def zero_shot(self) -> bool:
        """Whether it answers without a support."""
        return self.kind != "support"

    @property
    def new_classes(self) -> bool:
        """Whether it answers with classes that the population lacks."""
        return self.kind != "population"


def pool_weights(n_population: int, n_support: int, weight: float) -> np.ndarray:
    """1 for the population's clips, then `weight` for those of the support."""
    return np.repeat([1.0, weight], [n_population, n_support])


def best_of(scores: np.ndarray, columns: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The label with the largest score, among those that are asked for."""
    asked = np.isin(columns, among)
    return columns[asked][scores[:, asked].argmax(axis=1)]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let code that only draws from global generators draw from this seed; put them back after.

    aeon's transformers, torch.nn's initial weights and dropout, and skorch's loaders are such.
    """
    numpy_state = np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002

"""Sizes of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["ModuleSizes"]


class ModuleSizes(NamedTuple):
    """Sizes of the network; plain numbers, so that they can be saved as JSON.

    Attributes
    ----------
    n_channels, n_timesteps : sequence of int
        Channels, and usual length in frames, of each modality.
    hidden_dim : int
        Width of the learned convolutions, a multiple of 4.
    embedding_dim : int
        Dimension of the learned embedding.
    n_blocks : int
        Temporal blocks of each modality.
    n_kernels : int
        Random kernels of all modalities together.
    kernel_dim : int
        Principal components kept of the random kernels' features, at least 2: most of those that
        see the course of a signal, the others of those that see its level too.
    n_rules : int
        Fuzzy rules.
    rule_dim : int
        Dimension in which the rules live, at most `kernel_dim`.
    consequent_dim : int
        Principal components kept of the rules' design matrix.
    dropout : float
        Share dropped in training.
    spatial, temporal : bool
        Whether convolutions mix channels, and neighbouring frames; see `ModalityEncoder` and
        `RandomKernels`.
    """

    n_channels: Sequence[int]
    n_timesteps: Sequence[int]
    hidden_dim: int
    embedding_dim: int
    n_blocks: int
    n_kernels: int
    kernel_dim: int
    n_rules: int
    rule_dim: int
    consequent_dim: int
    dropout: float
    spatial: bool = True
    temporal: bool = True

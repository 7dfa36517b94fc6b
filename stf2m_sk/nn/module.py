"""The network of ST-F2M: standardise, encode, add fuzzy semantics, read the support."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn._layers import linear
from stf2m_sk.nn.encoder import ModalityEncoder, fuse
from stf2m_sk.nn.kernels import RandomKernels
from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner
from stf2m_sk.nn.rules import FuzzyRules

__all__ = ["Clips", "ModuleSizes", "STF2MModule"]

_N_BIASES = 4
# What is trained fits the people it was trained on better than anybody else, and must be trusted
# less than what is not: learned, course, level, consequents, firing.
_RIDGES = (100.0, 1.0, 2.0, 100.0, 100.0)
_COURSE, _LEVEL = 1, 2  # the places of the kernels' parts among the blocks
_TRAINED = [0, 3, 4]
_LEVEL_SHARE = 0.3  # of the principal components
_LARGEST = 10.0  # standard deviations; what lies beyond is an artefact of the sensor
_CLIPS_FOR_COMPONENTS = 1000  # enough for principal components, and quick


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
        Dimension in which the rules live, and of what they add.
    dropout : float
        Share dropped in training.
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
    dropout: float


class Clips(NamedTuple):
    """Clips made ready for the encoder.

    Attributes
    ----------
    signals : tuple of Tensor (n_clips, n_channels, n_frames)
        Standardised; 0 where not measured.
    frames : tuple of Tensor (n_clips, n_frames)
        1 for a frame in which any channel is measured, else 0.
    present : Tensor of shape (n_clips, n_modalities)
        1 where a modality has a measured frame, else 0.
    kernels : Tensor of shape (n_clips, n_modalities, kernel_dim)
        What the random kernels say of each modality; 0 where it is absent.
    """

    signals: tuple[Tensor, ...]
    frames: tuple[Tensor, ...]
    present: Tensor
    kernels: Tensor

    def take(self, rows: Tensor) -> Clips:
        """Clips at the given rows."""
        return Clips(
            tuple(signal[rows] for signal in self.signals),
            tuple(frame[rows] for frame in self.frames),
            self.present[rows],
            self.kernels[rows],
        )


class STF2MModule(nn.Module):
    """Encoder, fuzzy rules and meta-recurrent learner, wired.

    A clip becomes the embedding z = [learned, course, level, consequents, firing]: learned
    spatial and temporal convolutions, principal components of random ones that see the course
    of a signal and of random ones that see its level too, and what the fuzzy rules add. The
    meta-recurrent learner (`learner`) answers from embeddings.

    Parameters
    ----------
    sizes : ModuleSizes
        Sizes of everything.
    generator : torch.Generator
        Source of all initial weights and random kernels.

    Attributes
    ----------
    block_sizes : list of int
        Sizes of the five parts of an embedding.
    embedding_size : int
        Their sum.

    Notes
    -----
    The four parts are those of the abstract of ST-F2M (arXiv 2412.13541). Random kernels beside
    the learned ones are ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.module import ModuleSizes, STF2MModule
    >>> sizes = ModuleSizes([3, 1], [240, 30], hidden_dim=16, embedding_dim=8, n_blocks=1,
    ...                     n_kernels=20, kernel_dim=8, n_rules=4, rule_dim=4, dropout=0.1)
    >>> generator = torch.Generator().manual_seed(0)
    >>> module = STF2MModule(sizes, generator=generator)
    >>> signals = [torch.randn(30, 3, 240, generator=generator), torch.zeros(30, 1, 30)]
    >>> module.calibrate(signals, generator=generator)
    >>> module.embed(module.prepare(signals)).shape
    torch.Size([30, 24])
    """

    def __init__(self, sizes: ModuleSizes, *, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        modalities = list(zip(sizes.n_channels, sizes.n_timesteps, strict=True))
        n_kernels = _share_out(sizes.n_kernels, len(modalities))
        self.encoders = nn.ModuleList(
            ModalityEncoder(
                n_channels,
                n_timesteps,
                hidden_dim=sizes.hidden_dim,
                embedding_dim=sizes.embedding_dim,
                n_blocks=sizes.n_blocks,
                dropout_share=sizes.dropout,
                generator=generator,
            )
            for n_channels, n_timesteps in modalities
        )
        self.kernels = nn.ModuleList(
            RandomKernels(*modality, n_kernels=n, n_biases=_N_BIASES, generator=generator)
            for modality, n in zip(modalities, n_kernels, strict=True)
        )
        n_features = sum(kernels.n_features for kernels in self.kernels)
        for i, n_channels in enumerate(sizes.n_channels):
            self.register_buffer(f"mean_{i}", torch.zeros(n_channels, 1))
            self.register_buffer(f"scale_{i}", torch.ones(n_channels, 1))
        self.register_buffer("kernel_mean", torch.zeros(n_features))
        self.register_buffer("components", torch.zeros(n_features, sizes.kernel_dim))
        n_inputs = sizes.embedding_dim + sizes.kernel_dim
        self.to_rules = linear(n_inputs, sizes.rule_dim, generator=generator, bias=False)
        self.rules = FuzzyRules(sizes.rule_dim, sizes.n_rules, sizes.rule_dim, generator=generator)
        n_level = max(1, round(_LEVEL_SHARE * sizes.kernel_dim))
        self.block_sizes = [
            sizes.embedding_dim,
            sizes.kernel_dim - n_level,
            n_level,
            sizes.rule_dim,
            sizes.n_rules,
        ]
        self.embedding_size = sum(self.block_sizes)
        self.learner = MetaRecurrentLearner(_RIDGES, generator=generator)
        self.register_buffer("relief", torch.ones(len(_RIDGES)))

    # ---- from recordings to clips that are ready ----

    def prepare(self, signals: Sequence[Tensor]) -> Clips:
        """Standardise, mask, and apply the random kernels.

        Parameters
        ----------
        signals : sequence of Tensor (n_clips, n_channels, n_timesteps)
            Recordings, NaN where not measured; any number of frames.

        Returns
        -------
        Clips
            Ready for `embed`.
        """
        standard, frames = self._standardise(signals)
        present = torch.stack([frame.amax(1) for frame in frames], dim=1)
        edges = [0]
        projected = []
        for kernels, signal, frame in zip(self.kernels, standard, frames, strict=True):
            rows = slice(edges[-1], edges[-1] + kernels.n_features)
            edges.append(rows.stop)
            features = kernels(signal, frame) - self.kernel_mean[rows]
            projected.append(features @ self.components[rows])
        return Clips(
            tuple(standard),
            tuple(frames),
            present,
            torch.stack(projected, dim=1) * present[..., None],
        )

    def _standardise(self, signals: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        standard, frames = [], []
        for i, signal in enumerate(signals):
            measured = ~torch.isnan(signal)
            scaled = (signal - getattr(self, f"mean_{i}")) / getattr(self, f"scale_{i}")
            scaled = scaled.clamp(-_LARGEST, _LARGEST)
            standard.append(torch.where(measured, scaled, 0.0))
            frames.append(measured.any(1).to(signal.dtype))
        return standard, frames

    # ---- from clips to embeddings ----

    def embed(
        self,
        clips: Clips,
        views: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Embeddings of clips.

        Parameters
        ----------
        clips : Clips
            From `prepare`.
        views : Tensor of shape (n_clips, n_modalities), optional
            1 for a view that is used, 0 for one that is left out. By default every view that is
            present is used.
        generator : torch.Generator, optional
            Source of dropout noise; None (default) means inference.

        Returns
        -------
        Tensor of shape (n_clips, embedding_size)
            Learned, course, level, consequent and firing part, side by side.
        """
        return self.embed_with_firing(clips, views, generator)[0]

    def kernel_parts(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Course and level part of the embeddings of clips; no gradient changes them."""
        course, level = clips.kernels.sum(1).split(self.block_sizes[1:3], dim=1)
        return course, level

    @torch.no_grad()
    def start_ridges(self, course: float, level: float) -> None:
        """Let the learner's ridges of the two parts of the random kernels start here.

        Small ones serve the population's own answer alone: they say that known classes are told
        apart by fine differences, which a few clips of somebody new, or of a class that nobody
        knows, cannot show.
        """
        for block, chosen in ((_COURSE, course), (_LEVEL, level)):
            ridge = max(chosen, _RIDGES[block])
            self.learner.log_ridge[block] = math.log(ridge)
            self.relief[block] = chosen / ridge

    def ridge(self, *, n_support: int) -> Tensor:
        """The learner's ridge (embedding_size + 1,) for a support of so many clips."""
        ridge = self.learner.ridge(self.block_sizes)
        if n_support:
            return ridge
        sizes = torch.tensor(self.block_sizes, device=self.relief.device)
        relief = self.relief.repeat_interleave(sizes, output_size=self.embedding_size)
        return ridge * torch.cat([relief, relief.new_ones(1)]).to(ridge)

    @torch.no_grad()
    def distrust_training(self, factor: float) -> None:
        """Multiply the learner's ridges of all that is trained."""
        self.learner.log_ridge[_TRAINED] += math.log(factor)

    def embed_with_firing(
        self,
        clips: Clips,
        views: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Embeddings as of `embed`, and the firing strengths (n_clips, n_rules) in them."""
        views = clips.present if views is None else views * clips.present
        parts = zip(self.encoders, clips.signals, clips.frames, strict=True)
        encoded = [encoder(signal, frame, generator) for encoder, signal, frame in parts]
        learned = fuse(torch.stack(encoded, dim=1), views)
        kernels = (clips.kernels * views[..., None]).sum(1)
        base = torch.cat([learned, kernels], dim=1)
        firing, consequents = self.rules(self.to_rules(base))
        consequents = F.layer_norm(consequents, consequents.shape[-1:])
        consequents = consequents / consequents.shape[-1] ** 0.5
        return torch.cat([base, consequents, firing], dim=1), firing

    def rule_inputs(self, clips: Clips) -> Tensor:
        """Points (n_clips, rule_dim) at which the rules fire."""
        return self.to_rules(self.embed(clips)[:, : sum(self.block_sizes[:3])])

    # ---- what is read off the training clips before any gradient ----

    @torch.no_grad()
    def calibrate(self, signals: Sequence[Tensor], *, generator: torch.Generator) -> None:
        """Set everything that the training clips decide without a label or a gradient.

        Means and scales of the channels, biases of the random kernels, principal components of
        their features.

        Parameters
        ----------
        signals : sequence of Tensor (n_clips, n_channels, n_timesteps)
            Training recordings, NaN where not measured.
        generator : torch.Generator
            Chooses the clips that are looked at where there are more than a thousand.
        """
        for i, signal in enumerate(signals):
            mean, scale = _moments(signal)
            getattr(self, f"mean_{i}").copy_(mean)
            getattr(self, f"scale_{i}").copy_(scale)
        n_clips = len(signals[0])
        rows = torch.randperm(n_clips, generator=generator)[:_CLIPS_FOR_COMPONENTS]
        rows = rows.to(signals[0].device)
        standard, frames = self._standardise([signal[rows] for signal in signals])
        features = []
        for kernels, signal, frame in zip(self.kernels, standard, frames, strict=True):
            has = frame.any(1)
            kernels.calibrate(signal[has][:100], frame[has][:100])
            features.append(torch.where(has[:, None], kernels(signal, frame), torch.nan))
        self._set_components(torch.cat(features, dim=1))
        self._aim_rules()

    def _set_components(self, features: Tensor) -> None:
        """Principal components of the standardised features, those of course and level apart.

        NaN where a clip lacks the modality: such a clip says nothing of those features, neither
        of their mean and spread nor, standing at the mean as in `prepare`, of the components.
        """
        mean = features.nanmean(0).nan_to_num()
        deviation = (features - mean).square().nanmean(0).nan_to_num().sqrt()
        # The added constant keeps features that hardly vary from being blown up.
        weight = 1.0 / (deviation + 1e-2)
        centred = ((features - mean) * weight).nan_to_num()
        self.kernel_mean.copy_(mean)
        self.components.zero_()
        sees_level = torch.cat([kernels.sees_level for kernels in self.kernels])
        n_course = self.block_sizes[1]
        for rows, columns in (
            (~sees_level, slice(0, n_course)),
            (sees_level, slice(n_course, None)),
        ):
            part = self.components[:, columns]
            directions = _principal_directions(centred[:, rows], part.shape[1])
            components = weight[rows, None] * directions
            # Half precision is exact enough for random features, and halves a saved model.
            rows = torch.nonzero(rows)[:, 0].to(part.device)
            part[rows, : directions.shape[1]] = components.half().to(components.dtype)

    def _aim_rules(self) -> None:
        """Let the rules start on the first principal components, where the clips spread most."""
        self.to_rules.weight.mul_(0.1)
        first = self.to_rules.weight[:, self.sizes.embedding_dim :]
        first.diagonal().add_(self.sizes.kernel_dim**0.5)


def _principal_directions(centred: Tensor, n_directions: int) -> Tensor:
    """Directions of largest spread, (n_features, at most n_directions).

    They are scaled so that the clips' projections have a mean length of 1.
    """
    _, _, directions = torch.linalg.svd(
        centred if len(centred) <= centred.shape[1] else _square_root(centred),
        full_matrices=False,
    )
    directions = directions[:n_directions].T
    length = (centred @ directions).norm(dim=1).mean()
    return directions / torch.where(length > 1e-6, length, 1.0)  # clips that are all alike


def _share_out(total: int, n_parts: int) -> list[int]:
    """Split a number of kernels over modalities as evenly as can be, at least one each."""
    edges = [round(i * total / n_parts) for i in range(n_parts + 1)]
    return [max(1, stop - start) for start, stop in pairwise(edges)]


def _moments(signal: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (n_channels, 1) over what is measured; 0 and 1 where nothing is.

    In float64, since sensors with a large offset and a small signal are common.
    """
    values = signal.to(torch.float64)
    measured = ~torch.isnan(values)
    count = measured.sum((0, 2)).clamp_min(1)[:, None]
    values = torch.where(measured, values, 0.0)
    mean = values.sum((0, 2))[:, None] / count
    deviation = torch.where(measured, values - mean, 0.0)
    scale = (deviation.square().sum((0, 2))[:, None] / count).sqrt()
    # A channel that never changes carries nothing; scale 1 keeps it at 0.
    constant = scale <= 1e-7 * mean.abs().clamp_min(1e-30)
    return mean.to(signal.dtype), torch.where(constant, 1.0, scale).to(signal.dtype)


def _square_root(tall: Tensor) -> Tensor:
    """A square matrix with the right singular vectors of a tall one."""
    return torch.linalg.qr(tall, mode="r").R

"""The network of ST-F2M: standardise, encode, add fuzzy semantics, read the support."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from stf2m_sk.nn.clips import Clips
from stf2m_sk.nn.components import Components
from stf2m_sk.nn.encoder import ModalityEncoder, fuse
from stf2m_sk.nn.kernels import RandomKernels
from stf2m_sk.nn.meta_rnn import Classes, MetaRecurrentLearner
from stf2m_sk.nn.rules import FuzzyRules, RuleBase
from stf2m_sk.nn.sizes import ModuleSizes

__all__ = ["STF2MModule"]

_N_BIASES, _MOST_MIXED, _TAPS = 4, 9, 9  # of the random kernels
# What is trained fits the people it was trained on better than anybody else, and must be trusted
# less than what is not: learned, course, level, rules.
_RIDGES = (100.0, 1.0, 2.0, 2.2)
_LEARNED, _COURSE, _LEVEL, _RULES = range(4)  # the places of the blocks
_RULES_SHARE = 0.3  # of what the rules say, for 1 of what the kernels say
_NO_TRUST = 1e9  # ridge of a part that is not listened to
_FIRING_WEIGHT = 0.1**0.5
_TEMPERATURE = 0.3  # soft rules: neighbours share what they say
_LEVEL_SHARE = 0.3  # of the principal components
_LARGEST = 10.0  # standard deviations; what lies beyond is an artefact of the sensor
_CLIPS_FOR_COMPONENTS = 1000  # enough for principal components, and quick


class STF2MModule(nn.Module):
    """Encoder, fuzzy rules and meta-recurrent learner, wired.

    A clip becomes the embedding z = [learned, course, level, rules]: learned spatial and temporal
    convolutions, principal components of random ones that see the course of a signal and of
    random ones that see its level too, and principal components of the fuzzy rules' design. The
    meta-recurrent learner (`learner`) answers from embeddings. `read` puts beside them what the
    components leave out: what is novel in a clip.

    Parameters
    ----------
    sizes : ModuleSizes
        Sizes of everything.
    generator : torch.Generator
        Source of all initial weights and random kernels.

    Attributes
    ----------
    block_sizes : list of int
        Sizes of the four parts of an embedding.
    embedding_size : int
        Their sum.
    novelty_sizes : list of int
        Sizes of what is novel in course, level and rules.

    Notes
    -----
    The four parts are those of the abstract of ST-F2M (arXiv 2412.13541). Random kernels beside
    the learned ones are ours, as is keeping what is novel.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.module import STF2MModule
    >>> from stf2m_sk.nn.sizes import ModuleSizes
    >>> sizes = ModuleSizes([3, 1], [240, 30], hidden_dim=16, embedding_dim=8, n_blocks=1,
    ...                     n_kernels=20, kernel_dim=8, n_rules=4, rule_dim=4, consequent_dim=6,
    ...                     dropout=0.1)
    >>> generator = torch.Generator().manual_seed(0)
    >>> module = STF2MModule(sizes, generator=generator)
    >>> signals = [torch.randn(30, 3, 240, generator=generator), torch.zeros(30, 1, 30)]
    >>> module.calibrate(signals, generator=generator)
    >>> module.embed(module.prepare(signals)).shape
    torch.Size([30, 22])
    >>> module.read(signals).shape
    torch.Size([30, 122])
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
                temporal=sizes.temporal,
                generator=generator,
            )
            for n_channels, n_timesteps in modalities
        )
        self.kernels = nn.ModuleList(
            RandomKernels(
                *modality,
                n_kernels=n,
                n_biases=_N_BIASES,
                most_mixed=_MOST_MIXED if sizes.spatial else 1,
                n_taps=_TAPS if sizes.temporal else 1,
                generator=generator,
            )
            for modality, n in zip(modalities, n_kernels, strict=True)
        )
        for i, n_channels in enumerate(sizes.n_channels):
            self.register_buffer(f"mean_{i}", torch.zeros(n_channels, 1))
            self.register_buffer(f"scale_{i}", torch.ones(n_channels, 1))
        n_level = max(1, round(_LEVEL_SHARE * sizes.kernel_dim))
        sees_level = torch.cat([kernels.sees_level for kernels in self.kernels])
        self.course = Components(int((~sees_level).sum()), sizes.kernel_dim - n_level)
        self.level = Components(int(sees_level.sum()), n_level)
        self.register_buffer("to_rules", torch.zeros(sizes.kernel_dim, sizes.rule_dim))
        self.rules = FuzzyRules(
            sizes.rule_dim, sizes.n_rules, temperature=_TEMPERATURE, generator=generator
        )
        self.consequents = Components(self.rules.n_design, sizes.consequent_dim)
        parts = (self.course, self.level, self.consequents)
        self.block_sizes = [sizes.embedding_dim, *(part.directions.shape[1] for part in parts)]
        self.embedding_size = sum(self.block_sizes)
        self.novelty_sizes = [len(part.mean) for part in parts]
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
        return self._prepare(signals)[0]

    def _prepare(self, signals: Sequence[Tensor]) -> tuple[Clips, list[Tensor]]:
        """Ready clips, and the standard features of the kernels of each kind."""
        standard, frames = self._standardise(signals)
        present = torch.stack([frame.amax(1) for frame in frames], dim=1)
        features = self._standard_features(standard, frames, present)
        projected = []
        for components, own in zip((self.course, self.level), features, strict=True):
            parts = zip(own, _slices(own), strict=True)
            each = [components.project(one, rows) for one, rows in parts]
            projected.append(torch.stack(each, dim=1))
        clips = Clips(tuple(standard), tuple(frames), present, torch.cat(projected, dim=2))
        return clips, [torch.cat(own, dim=1) for own in features]

    def _standard_features(self, standard, frames, present) -> list[list[Tensor]]:
        """Of each kind of kernel, what they see of each modality; 0 where it is absent."""
        features = []
        kinds = zip((self.course, self.level), self._kernel_features(standard, frames), strict=True)
        for components, own in kinds:
            parts = zip(own, _slices(own), present.unbind(1), strict=True)
            features.append(
                [components.standardise(one, rows) * has[:, None] for one, rows, has in parts]
            )
        return features

    def _standardise(self, signals: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        standard, frames = [], []
        for i, signal in enumerate(signals):
            measured = ~torch.isnan(signal)
            scaled = (signal - getattr(self, f"mean_{i}")) / getattr(self, f"scale_{i}")
            scaled = scaled.clamp(-_LARGEST, _LARGEST)
            standard.append(torch.where(measured, scaled, 0.0))
            frames.append(measured.any(1).to(signal.dtype))
        return standard, frames

    def _kernel_features(self, standard, frames) -> tuple[list[Tensor], list[Tensor]]:
        """Of each modality, what kernels see of the course and what of the level too."""
        course, level = [], []
        for kernels, signal, frame in zip(self.kernels, standard, frames, strict=True):
            features = kernels(signal, frame)
            sees_level = kernels.sees_level.to(features.device)
            course.append(features[:, ~sees_level])
            level.append(features[:, sees_level])
        return course, level

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
            Learned, course, level and rules' part, side by side.
        """
        return self.embed_with_design(clips, views, generator)[0]

    def embed_with_design(
        self,
        clips: Clips,
        views: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Embeddings as of `embed`, and the standard design (n_clips, n_design) of the rules."""
        views = clips.present if views is None else views * clips.present
        return self.assemble(self.encode(clips, views, generator), clips, views)

    def encode(
        self, clips: Clips, views: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The learned part (n_clips, embedding_dim) of the embeddings; arguments as of `embed`."""
        parts = zip(self.encoders, clips.signals, clips.frames, strict=True)
        encoded = [encoder(signal, frame, generator) for encoder, signal, frame in parts]
        return fuse(torch.stack(encoded, dim=1), views)

    def assemble(self, learned: Tensor, clips: Clips, views: Tensor) -> tuple[Tensor, Tensor]:
        """Put the other parts beside the learned one; results as of `embed_with_design`."""
        kernels = (clips.kernels * views[..., None]).sum(1)
        _, design = self.rules(kernels @ self.to_rules)
        design = self.consequents.standardise(design)
        embeddings = torch.cat([learned, kernels, self.consequents.project(design)], dim=1)
        return embeddings, design

    def read(self, signals: Sequence[Tensor]) -> Tensor:
        """Embeddings of recordings, and behind them what is novel.

        Parameters
        ----------
        signals : sequence of Tensor (n_clips, n_channels, n_timesteps)
            As for `prepare`.

        Returns
        -------
        Tensor of shape (n_clips, embedding_size + sum(novelty_sizes))
            As of `embed`; then what the components leave out of course, level and rules.
        """
        return self._with_novelty(*self._prepare(signals))

    def read_ready(self, clips: Clips) -> Tensor:
        """As `read`, of clips from `prepare`; the kernels are applied once more."""
        features = self._standard_features(clips.signals, clips.frames, clips.present)
        return self._with_novelty(clips, [torch.cat(own, dim=1) for own in features])

    def _with_novelty(self, clips: Clips, features: list[Tensor]) -> Tensor:
        embeddings, design = self.embed_with_design(clips)
        _, *blocks = embeddings.split(self.block_sizes, dim=1)
        parts = (self.course, self.level, self.consequents)
        novelty = [
            components.novelty(own, block)
            for components, own, block in zip(parts, [*features, design], blocks, strict=True)
        ]
        return torch.cat([embeddings, *novelty], dim=1)

    # ---- how far each part is trusted ----

    @torch.no_grad()
    def start_ridges(self, course: float, level: float) -> None:
        """Let the learner's ridges of the random kernels' parts start here, and the rules' follow.

        Small ones serve the population's own answer alone: they say that known classes are told
        apart by fine differences, which a few clips of somebody new, or of a class that nobody
        knows, cannot show.
        """
        for block, chosen in {_COURSE: course, _LEVEL: level}.items():
            held = max(chosen, _RIDGES[block])
            self.learner.log_ridge[block] = math.log(held)
            self.relief[block] = chosen / held
        self.share_with_rules(_RULES_SHARE)

    @torch.no_grad()
    def share_with_rules(self, share: float) -> None:
        """Let the rules say so much for 1 of what the random kernels say."""
        held = self.learner.log_ridge.exp()
        ridge = _ridge_of_rules(held, share)
        self.relief[_RULES] = _ridge_of_rules(held * self.relief, share) / ridge
        self.learner.log_ridge[_RULES] = ridge.log()

    def ridge(
        self,
        *,
        n_support: int,
        learner: MetaRecurrentLearner | None = None,
        novelty_sizes: Sequence[int] | None = None,
    ) -> Tensor:
        """The learner's ridge of what `read` gives, for a support of so many clips.

        Parameters
        ----------
        n_support : int
            Clips of the support.
        learner : MetaRecurrentLearner, optional
            Another one than the module's own.
        novelty_sizes : sequence of int, optional
            Sizes of what is novel, where they are not the module's own.

        Returns
        -------
        Tensor of shape (embedding_size + 1 + sum(novelty_sizes),)
            Of the embedding, the offset and what is novel.
        """
        learner = self.learner if learner is None else learner
        novelty_sizes = self.novelty_sizes if novelty_sizes is None else novelty_sizes
        relief = torch.ones_like(self.relief) if n_support else self.relief
        of_blocks = learner.ridge(self.block_sizes)
        sizes = torch.tensor(self.block_sizes, device=relief.device)
        familiar = relief.repeat_interleave(sizes, output_size=self.embedding_size)
        familiar = of_blocks * torch.cat([familiar, familiar.new_ones(1)])
        sizes = torch.tensor(novelty_sizes, device=relief.device)
        novel = (learner.log_ridge.exp() * relief)[1:].repeat_interleave(sizes)
        return torch.cat([familiar, novel])

    @torch.no_grad()
    def silence_learner(self) -> None:
        """Let the learner know of no person's shift: what it starts as is a ridge regression."""
        self.learner.shift_share.zero_()

    @torch.no_grad()
    def silence_rules(self) -> None:
        """Let what the rules say count for nothing."""
        self.learner.log_ridge[_RULES] = math.log(_NO_TRUST)

    @torch.no_grad()
    def silence_training(self) -> None:
        """Let what was trained, which sees all channels together, count for nothing."""
        self.learner.log_ridge[_LEARNED] = math.log(_NO_TRUST)

    @torch.no_grad()
    def distrust_training(self, factor: float) -> None:
        """Multiply the learner's ridge of all that is trained."""
        self.learner.log_ridge[_LEARNED] += math.log(factor)

    # ---- what is read off the training clips before any gradient ----

    def kernel_parts(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Course and level part of the embeddings of clips; no gradient changes them."""
        course, level = clips.kernels.sum(1).split(self.block_sizes[1:3], dim=1)
        return course, level

    def rules_part(self, clips: Clips) -> Tensor:
        """Rules' part of the embeddings of clips; no gradient changes it either."""
        _, design = self.rules(clips.kernels.sum(1) @ self.to_rules)
        return self.consequents.project(self.consequents.standardise(design))

    @torch.no_grad()
    def calibrate(self, signals: Sequence[Tensor], *, generator: torch.Generator) -> None:
        """Set what the training clips decide without a label or a gradient, but for the rules.

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
        has = [frame.any(1) for frame in frames]
        for kernels, signal, frame, own in zip(self.kernels, standard, frames, has, strict=True):
            kernels.calibrate(signal[own][:100], frame[own][:100])
        features = self._kernel_features(standard, frames)
        for components, of_modality in zip((self.course, self.level), features, strict=True):
            measured = [
                torch.where(own[:, None], one, torch.nan)
                for one, own in zip(of_modality, has, strict=True)
            ]
            features = torch.cat(measured, dim=1)
            components.calibrate(features, _even_weight(features))

    @torch.no_grad()
    def aim_rules(self, clips: Clips) -> Tensor:
        """Let the rules look where training clips spread most, as far as that is trusted.

        Parameters
        ----------
        clips : Clips
            Training clips.

        Returns
        -------
        Tensor of shape (n_clips, rule_dim)
            Where they are for the rules; their mean square length is 1.
        """
        trust = (-0.5 * self.learner.log_ridge[[_COURSE, _LEVEL]]).exp()
        sizes = torch.tensor(self.block_sizes[1:3], device=trust.device)
        trust = trust.repeat_interleave(sizes)
        trusted = clips.kernels.sum(1) * trust
        # Twice the precision, so that directions of no spread come out as 0.
        values, vectors = torch.linalg.eigh((trusted.mT @ trusted).double())
        order = values.argsort(descending=True)[: self.sizes.rule_dim]
        spread = values[order] > 1e-9 * values.max()
        directions = torch.where(spread, vectors[:, order], 0.0).to(trusted.dtype)
        length = (trusted @ directions).square().sum(1).mean().sqrt()
        directions = directions / torch.where(length > 1e-6, length, 1.0)
        self.to_rules.copy_(trust[:, None] * directions)
        return trusted @ directions

    @torch.no_grad()
    def set_rules(self, points: Tensor, centers: Tensor, widths: Tensor) -> None:
        """Set the antecedents, and the components of what the rules then say of training clips.

        Parameters
        ----------
        points : Tensor of shape (n_clips, rule_dim)
            From `aim_rules`.
        centers, widths : Tensor or array of shape (n_rules, rule_dim)
            A placement of the rules on the points.
        """
        self.rules.set_antecedents(centers, widths)
        _, design = self.rules(points)
        self.consequents.calibrate(design, self._design_weight())

    def _design_weight(self) -> Tensor:
        """The firing strength itself counts as much as one of ten directions would."""
        n_rules, n_features = self.rules.centers.shape
        weight = torch.ones(n_rules, n_features + 1, device=self.to_rules.device)
        weight[:, -1] = _FIRING_WEIGHT
        return weight.flatten()

    def rule_base(self, classes: Classes) -> RuleBase:
        """The rules with the consequents that were solved for: one output a class.

        Parameters
        ----------
        classes : Classes
            State of every class.

        Returns
        -------
        RuleBase
            What they add to the score of a class, but for a constant.
        """
        weights = classes.weights.cpu().double()
        familiar = weights[: self.embedding_size].split(self.block_sizes)[_RULES]
        novel = weights[-self.novelty_sizes[-1] :]
        directions = self.consequents.directions.cpu().double()
        coefficients = directions @ (familiar - directions.T @ novel) + novel
        return self.rules.as_arrays(coefficients * self.consequents.scale.cpu().double()[:, None])


def _ridge_of_rules(ridges: Tensor, share: float) -> Tensor:
    """So that the rules say a share of what the random kernels say."""
    return 1.0 / (share * (1.0 / ridges[_COURSE] + 1.0 / ridges[_LEVEL]))


def _slices(parts: Sequence[Tensor]) -> list[slice]:
    """Places of the columns of parts that stand side by side."""
    edges = [0, *accumulate(part.shape[1] for part in parts)]
    return [slice(*pair) for pair in pairwise(edges)]


def _even_weight(features: Tensor) -> Tensor:
    """Factors that let features spread alike; NaN is not looked at."""
    mean = features.nanmean(0).nan_to_num()
    deviation = (features - mean).square().nanmean(0).nan_to_num().sqrt()
    # The added constant keeps features that hardly vary from being blown up.
    return 1.0 / (deviation + 1e-2)


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

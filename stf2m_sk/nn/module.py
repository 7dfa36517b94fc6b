"""The network of ST-F2M: standardise, let the rules fire, put the networks' scores beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stf2m_sk.nn.encoder import NetworkEnsemble
from stf2m_sk.nn.features import BlockScaler
from stf2m_sk.nn.kernels import RampRules
from stf2m_sk.nn.patterns import PatternRules
from stf2m_sk.nn.sensors import SensorCheck
from stf2m_sk.nn.signals import Signals, Standardiser

__all__ = ["Block", "ModuleSizes", "STF2MModule"]

_RAMPS = 4  # rules of a kernel
_PROTOTYPES = 8  # rules of a group of patterns


class ModuleSizes(NamedTuple):
    """Sizes of the network; plain numbers, so that they can be saved as JSON.

    Attributes
    ----------
    n_channels, n_timesteps : sequence of int
        Channels, and usual length in frames, of each modality.
    n_kernels : int
        Random kernels of all modalities together, each with four ramp rules.
    n_patterns : int
        Pattern rules of all modalities together, in groups of eight.
    n_taps : int, default=9
        Taps of kernels and windows; 1 leaves the temporal part out.
    most_mixed : int, default=9
        Most channels that are mixed; 1 leaves the spatial part out.
    """

    n_channels: Sequence[int]
    n_timesteps: Sequence[int]
    n_kernels: int
    n_patterns: int
    n_taps: int = 9
    most_mixed: int = 9


class Block(NamedTuple):
    """Features with one weight.

    Attributes
    ----------
    kind : {"course", "level", "pattern", "network"}
        Ramp rules on the course of a signal, on its level too; pattern rules; networks.
    modality : int
        Place of the modality; -1 for the networks, which see all.
    size : int
        Features.
    """

    kind: str
    modality: int
    size: int


class STF2MModule(nn.Module):
    """From recordings to features: firing strengths of rules, then the networks' scores.

    Parameters
    ----------
    sizes : ModuleSizes
        Sizes of everything but the networks.
    generator : torch.Generator
        Source of random kernels and mixtures.

    Attributes
    ----------
    blocks : list of Block
        In the order of the features.
    n_rules : int
        Rules of all blocks but the networks'.
    columns : long Tensor of shape (n_rules,)
        Place of each rule among those of all modalities, ramps before patterns in each.
    ensemble : NetworkEnsemble or None
        The learned block; see `attach`.

    Notes
    -----
    Views, spatial and temporal convolutions and generalized fuzzy rules are parts that the
    abstract of ST-F2M (arXiv 2412.13541) names; their form is ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.module import ModuleSizes, STF2MModule
    >>> sizes = ModuleSizes([3, 1], [240, 30], n_kernels=20, n_patterns=0)
    >>> generator = torch.Generator().manual_seed(0)
    >>> module = STF2MModule(sizes, generator=generator)
    >>> recordings = [torch.randn(30, 3, 240, generator=generator), torch.zeros(30, 1, 30)]
    >>> module.standardiser.calibrate(recordings)
    >>> signals = module.standardiser(recordings)
    >>> module.calibrate_rules(signals)
    >>> module.scaler.calibrate(module.unscaled(signals))
    >>> module(recordings).shape
    torch.Size([30, 80])
    """

    def __init__(self, sizes: ModuleSizes, *, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        modalities = list(zip(sizes.n_channels, sizes.n_timesteps, strict=True))
        common = {
            "n_taps": sizes.n_taps,
            "most_mixed": sizes.most_mixed,
            "generator": generator,
        }
        n_groups = -(-sizes.n_patterns // _PROTOTYPES)
        self.standardiser = Standardiser(sizes.n_channels)
        self.sensors = SensorCheck(sizes.n_channels)
        self.ramps = nn.ModuleList(
            RampRules(*modality, n_kernels=n, n_ramps=_RAMPS, **common)
            for modality, n in zip(
                modalities, _shared_out(sizes.n_kernels, len(modalities)), strict=True
            )
        )
        self.patterns = nn.ModuleList(
            PatternRules(*modality, n_groups=n, n_prototypes=_PROTOTYPES, **common)
            for modality, n in zip(modalities, _shared_out(n_groups, len(modalities)), strict=True)
        )
        self.ensemble: NetworkEnsemble | None = None
        self._arrange(())

    def attach(self, ensemble: NetworkEnsemble, n_classes: int) -> None:
        """Add the scores of networks as the last block of features.

        Parameters
        ----------
        ensemble : NetworkEnsemble
            Trained.
        n_classes : int
            Scores of a clip.
        """
        self.ensemble = ensemble
        self._arrange((Block("network", -1, n_classes),))

    def _arrange(self, more: tuple[Block, ...]) -> None:
        blocks, columns, first = [], [], 0
        for i, (ramps, patterns) in enumerate(zip(self.ramps, self.patterns, strict=True)):
            places = torch.arange(first, first + ramps.n_rules)
            own = [places[~ramps.sees_level], places[ramps.sees_level]]
            first += ramps.n_rules
            own.append(torch.arange(first, first + patterns.n_rules))
            first += patterns.n_rules
            for kind, rows in zip(("course", "level", "pattern"), own, strict=True):
                if len(rows):
                    blocks.append(Block(kind, i, len(rows)))
                    columns.append(rows)
        self.n_rules = first
        self.blocks = [*blocks, *more]
        self.columns = torch.cat(columns)
        self.scaler = BlockScaler([block.size for block in self.blocks])

    # ---- from recordings to features ----

    def forward(self, recordings: Sequence[Tensor]) -> Tensor:
        """Features of clips.

        Parameters
        ----------
        recordings : sequence of Tensor (n_clips, n_channels, n_timesteps)
            NaN where not measured; any number of frames.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
            Scaled and weighted; 0 for a modality that is absent.
        """
        return self.features(self.standardiser(recordings))

    def features(self, signals: Signals, log_probabilities: Tensor | None = None) -> Tensor:
        """As `forward`, of standardised clips.

        Parameters
        ----------
        signals : Signals
            Standardised clips.
        log_probabilities : Tensor of shape (n_clips, n_classes), optional
            Taken in place of what the networks say: for clips that the networks were trained on.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
            Scaled and weighted.
        """
        return self.scaler(self.unscaled(signals, log_probabilities))

    @torch.no_grad()
    def unscaled(self, signals: Signals, log_probabilities: Tensor | None = None) -> Tensor:
        """As `features`, before they are scaled and weighted; NaN for a modality that is absent."""
        return self.with_scores(self.strengths(signals), signals, log_probabilities)

    @torch.no_grad()
    def with_scores(
        self, strengths: Tensor, signals: Signals, log_probabilities: Tensor | None = None
    ) -> Tensor:
        """As `unscaled`, where the strengths of `signals` are known."""
        if self.ensemble is None:
            return strengths
        if log_probabilities is None:
            log_probabilities = self.ensemble(signals)
        scores = log_probabilities - log_probabilities.mean(1, keepdim=True)
        return torch.cat([strengths, scores.to(strengths)], dim=1)

    @torch.no_grad()
    def strengths(self, signals: Signals) -> Tensor:
        """Firing strengths of all rules.

        Parameters
        ----------
        signals : Signals
            Standardised clips.

        Returns
        -------
        Tensor of shape (n_clips, n_rules)
            In the order of the blocks; NaN for a modality that is absent.
        """
        parts = []
        modalities = zip(self.ramps, self.patterns, signals.values, signals.frames, strict=True)
        for ramps, patterns, values, frames in modalities:
            own = [ramps(values, frames)]
            if patterns.n_rules:
                own.append(patterns(values, frames))
            parts.append(torch.cat(own, dim=1))
        return self.in_order(parts, signals.present)

    def in_order(self, strengths: Sequence[Tensor], present: Tensor) -> Tensor:
        """Strengths of all rules from those of each modality.

        Parameters
        ----------
        strengths : sequence of Tensor (n_clips, n_rules of the modality)
            Of ramps, then of patterns.
        present : Tensor of shape (n_clips, n_modalities)
            0 where a modality is absent.

        Returns
        -------
        Tensor of shape (n_clips, n_rules)
            As `strengths`.
        """
        parts = [
            own.masked_fill(known[:, None] == 0, torch.nan)
            for own, known in zip(strengths, present.T, strict=True)
        ]
        return torch.cat(parts, dim=1)[:, self.columns.to(present.device)]

    # ---- what is read off training clips ----

    def weigh(self, weights: Tensor) -> None:
        """Set the weights of the blocks of rules; the networks' scores keep the deviation 1.

        Parameters
        ----------
        weights : Tensor of shape (n_blocks_of_rules,)
            Positive.
        """
        more = [float(block.size) for block in self.blocks[len(weights) :]]
        self.scaler.weigh(torch.cat([weights, weights.new_tensor(more)]))

    def calibrate_rules(self, signals: Signals) -> None:
        """Set the ramps and the scales of windows; `PatternRules.place` sets the prototypes.

        Parameters
        ----------
        signals : Signals
            Standardised training clips; 200 are plenty.
        """
        modalities = zip(self.ramps, self.patterns, signals.values, signals.frames, strict=True)
        for ramps, patterns, values, frames in modalities:
            ramps.calibrate(values, frames)
            patterns.calibrate(values, frames)


def _shared_out(n: int, n_modalities: int) -> list[int]:
    """At least one for each modality, unless there is none at all."""
    edges = [round(i * n / n_modalities) for i in range(n_modalities + 1)]
    shares = [edges[i + 1] - edges[i] for i in range(n_modalities)]
    return [max(1, share) for share in shares] if n else shares

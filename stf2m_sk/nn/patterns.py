"""Pattern rules: "the window looks like this", with fuzzy c-means membership."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn.blocks import block_sums, clip_means, shared_by_windows, tap_offsets
from stf2m_sk.nn.kernels import dilations_of, random_mixtures, stride_of

__all__ = ["FUZZIFIER", "PatternGroup", "PatternRules", "membership"]

FUZZIFIER = 1.5  # of the memberships; `membership` says what follows from it
_TAPS = 9
_MOST_ROWS = 3  # mixtures that a window is made of
_POSITIONS = 64  # windows along a clip of the usual length
_LEAST_LENGTH = 0.1  # of the usual deviation in a window: flatter ones have no shape
_CLIPS_AT_ONCE, _FRAMES_AT_ONCE = 64, 2**16


class PatternGroup(NamedTuple):
    """Rules that share their windows.

    Attributes
    ----------
    dilation : int
        Frames between two taps of a window.
    is_difference : bool
        Whether windows are taken from the first difference of the signal, not the signal.
    is_shape : bool
        Whether a window has the mean of each row taken off and its length divided out.
    """

    dilation: int
    is_difference: bool
    is_shape: bool


class PatternRules(nn.Module):
    r"""Fuzzy rules whose antecedent is a spatio-temporal pattern in a short window.

    The rules of a group look at the same windows: a few mixtures of channels (spatial), a few
    taps at one dilation (temporal), of the signal or of its first difference, as it is or by
    shape alone. Of the window p around a frame, rule k of a group with prototypes c has the
    membership of fuzzy c-means,

    .. math::

        u_k = 1 \Big/ \sum_j \Big(\frac{|p - c_k|^2}{|p - c_j|^2}\Big)^{1 / (m - 1)},

    with fuzzifier m = 1.5. Its firing strength in a clip is the mean over measured frames.

    Parameters
    ----------
    n_channels : int
        Channels of the modality.
    n_timesteps : int
        Usual length of a clip, in frames; decides the dilations and the stride.
    n_groups : int
        Groups of rules; dilations and kinds of windows take turns.
    n_prototypes : int
        Rules of a group.
    n_taps : int, default=9
        Taps of a window, odd; 1 leaves the temporal part out.
    most_mixed : int, default=9
        Most channels that a row of a window mixes; 1 leaves the spatial part out.
    generator : torch.Generator
        Source of the mixtures.

    Attributes
    ----------
    n_rules : int
        ``n_groups * n_prototypes``; group by group.
    groups : list of PatternGroup
        What the windows of each group are.
    mixtures : Buffer of shape (n_groups, n_rows, n_channels)
        Channel weights of each row of a window; rows may be 0.
    prototypes : Buffer of shape (n_groups, n_prototypes, n_rows, n_taps)
        Centres, in the units of the group's windows; see `place`.
    difference_scale : Buffer of shape (n_channels, 1)
        Deviation of the first difference of each channel.
    window_scale : Buffer of shape (n_groups,)
        Usual deviation of the values in a window about the means of its rows.

    Notes
    -----
    ST-F2M (arXiv 2412.13541) asks for generalized fuzzy rules in its abstract; windows as
    antecedents are ours, the membership is that of Bezdek's fuzzy c-means.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.patterns import PatternRules
    >>> generator = torch.Generator().manual_seed(0)
    >>> rules = PatternRules(3, 60, n_groups=4, n_prototypes=2, generator=generator)
    >>> signal, frames = torch.randn(10, 3, 60, generator=generator), torch.ones(10, 60)
    >>> rules.calibrate(signal, frames)
    >>> for group, windows in enumerate(rules.windows(signal, frames)):
    ...     rules.place(group, windows[:2])
    >>> strengths = rules(signal, frames)
    >>> strengths.shape, strengths[:, :2].sum(1).allclose(torch.ones(10))
    (torch.Size([10, 8]), True)
    """

    def __init__(
        self,
        n_channels: int,
        n_timesteps: int,
        *,
        n_groups: int,
        n_prototypes: int,
        n_taps: int = _TAPS,
        most_mixed: int = 9,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.stride = stride_of(n_timesteps, _POSITIONS)
        self.groups = _groups(n_groups, dilations_of(n_timesteps, n_taps), n_taps)
        self.n_rules = n_groups * n_prototypes
        n_rows = min(n_channels, _MOST_ROWS)
        mixtures = random_mixtures(n_groups * n_rows, n_channels, most_mixed, generator)
        mixtures = F.normalize(mixtures, dim=1).unflatten(0, (n_groups, n_rows))
        used = torch.arange(n_groups)[:, None] % n_rows >= torch.arange(n_rows)
        self.register_buffer("mixtures", mixtures * used[..., None])
        self.register_buffer("prototypes", torch.zeros(n_groups, n_prototypes, n_rows, n_taps))
        self.register_buffer("difference_scale", torch.ones(n_channels, 1))
        self.register_buffer("window_scale", torch.ones(n_groups))

    @torch.no_grad()
    def forward(self, signal: Tensor, frames: Tensor) -> Tensor:
        """Firing strengths of clips.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised signal, 0 where not measured.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.

        Returns
        -------
        Tensor of shape (n_clips, n_rules)
            In [0, 1]; those of a group sum to 1, or are 0 for a clip without a measured frame
            at the positions that are read (every `stride`-th frame).
        """
        return torch.cat([self._strengths(*part) for part in _parts(signal, frames)])

    @torch.no_grad()
    def weighted(self, signal: Tensor, frames: Tensor, coefficients: Tensor) -> Tensor:
        """Weighted sums of the memberships at each position: strengths, taken apart in time.

        Parameters
        ----------
        signal, frames : Tensor
            As for `forward`.
        coefficients : Tensor of shape (n_rules, n_outputs)
            Weights of the rules.

        Returns
        -------
        Tensor of shape (n_clips, n_outputs, n_positions)
            Their sum over the positions is ``forward(signal, frames) @ coefficients``.
        """
        parts = _parts(signal, frames)
        return torch.cat([self._weighted(*part, coefficients) for part in parts])

    @torch.no_grad()
    def course(self, signal: Tensor, frames: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Firing strengths, and their weighted sums less those of clips that stay at their means.

        Parameters
        ----------
        signal, frames : Tensor
            As for `forward`.
        coefficients : Tensor of shape (n_rules, n_outputs)
            Weights of the rules.

        Returns
        -------
        strengths : Tensor of shape (n_clips, n_rules)
            As of `forward`.
        course : Tensor of shape (n_clips, n_outputs, n_blocks)
            What blocks of `stride` frames add to the weighted sums. What a window adds is shared
            out over its taps, in proportion to squared deviations from the clip's mean.
        """
        parts = [self._course(*part, coefficients) for part in _parts(signal, frames)]
        strengths, courses = zip(*parts, strict=True)
        return torch.cat(strengths), torch.cat(courses)

    @torch.no_grad()
    def calibrate(self, signal: Tensor, frames: Tensor) -> None:
        """Take the scales of differences and windows from training clips.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised training signal; 200 clips are plenty.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.
        """
        difference = _difference(signal, frames)
        count = (frames[:, 1:] * frames[:, :-1]).sum().clamp_min(1.0)
        scale = (difference.square().sum(dim=(0, 2)) / count).sqrt()[:, None]
        self.difference_scale.copy_(torch.where(scale > 1e-6, scale, 1.0))
        for group, every in enumerate(self._windows(signal, frames)):
            windows = every[frames[:, :: self.stride] > 0]
            if len(windows):
                spread = self._centred(windows).square().mean().sqrt()
                self.window_scale[group] = torch.where(spread > 1e-6, spread, 1.0)

    @torch.no_grad()
    def windows(self, signal: Tensor, frames: Tensor) -> Iterator[Tensor]:
        """Windows of each group around the measured frames.

        Parameters
        ----------
        signal, frames : Tensor
            As for `forward`.

        Yields
        ------
        Tensor of shape (n_windows, n_rows * n_taps)
            Row by row, as the prototypes of the group.
        """
        measured = frames[:, :: self.stride] > 0
        for group, every in enumerate(self._windows(signal, frames)):
            yield self._shaped(every[measured], group)

    @torch.no_grad()
    def place(self, group: int, centres: Tensor) -> None:
        """Set the prototypes of a group.

        Parameters
        ----------
        group : int
            Which group.
        centres : Tensor of shape (n_prototypes, n_rows * n_taps)
            As the windows of the group.
        """
        self.prototypes[group] = centres.view_as(self.prototypes[group])

    def _memberships(self, signal: Tensor, frames: Tensor) -> Iterator[Tensor]:
        """Memberships (n_clips, n_positions, n_prototypes) of each group, measured or not."""
        for group, windows in enumerate(self._windows(signal, frames)):
            yield self._membership(windows, group)

    def _membership(self, windows: Tensor, group: int) -> Tensor:
        shaped = self._shaped(windows.flatten(0, 1), group)
        own = membership(shaped, self.prototypes[group].flatten(1))
        return own.unflatten(0, windows.shape[:2])

    def _strengths(self, signal: Tensor, frames: Tensor) -> Tensor:
        share = self._share(frames)[:, None]
        each = self._memberships(signal, frames)
        return torch.cat([torch.bmm(share, own).squeeze(1) for own in each], dim=1)

    def _weighted(self, signal: Tensor, frames: Tensor, coefficients: Tensor) -> Tensor:
        share = self._share(frames)[:, None]
        coefficients = coefficients.unflatten(0, self.prototypes.shape[:2])
        each = zip(self._memberships(signal, frames), coefficients, strict=True)
        return sum((own @ weights).mT * share for own, weights in each)

    def _course(
        self, signal: Tensor, frames: Tensor, coefficients: Tensor
    ) -> tuple[Tensor, Tensor]:
        share = self._share(frames)[:, None]
        measured = (block_sums(frames, self.stride) > 0).to(signal)
        windows = self._windows(signal, frames), self._windows(clip_means(signal, frames), frames)
        each = coefficients.unflatten(0, self.prototypes.shape[:2])
        strengths, course = [], 0.0
        for group, (seen, still, weights) in enumerate(zip(*windows, each, strict=True)):
            found = self._membership(seen, group)
            strengths.append(torch.bmm(share, found).squeeze(1))
            added = found - self._membership(still, group)
            squares = (seen - still).square_().unflatten(-1, (-1, self.prototypes.shape[3])).sum(-2)
            offsets = tap_offsets(squares.shape[2], self.groups[group].dilation, self.stride)
            values = (added @ weights).mT * share
            course = course + shared_by_windows(values, squares, measured, offsets)
        return torch.cat(strengths, dim=1), course

    def _share(self, frames: Tensor) -> Tensor:
        """Weight of each position in the mean over those measured: (n_clips, n_positions)."""
        measured = frames[:, :: self.stride]
        return measured / measured.sum(1, keepdim=True).clamp_min(1.0)

    def _windows(self, signal: Tensor, frames: Tensor) -> Iterator[Tensor]:
        """All windows (n_clips, n_positions, n_rows * n_taps) of each group, as they are."""
        n_rows, n_taps = self.prototypes.shape[2:]
        reach = max((own.dilation for own in self.groups), default=0) * (n_taps // 2)
        difference = _difference(signal, frames) / self.difference_scale
        mixed = {
            is_difference: F.pad(self.mixtures.flatten(0, 1) @ source, (reach, reach))
            for is_difference, source in ((False, signal), (True, difference))
        }
        for group, own in enumerate(self.groups):
            rows = mixed[own.is_difference][:, group * n_rows : (group + 1) * n_rows]
            before = own.dilation * (n_taps // 2)
            rows = rows[:, :, reach - before : reach + before + signal.shape[2]]
            windows = rows.unfold(2, 2 * before + 1, self.stride)[..., :: own.dilation]
            yield windows.transpose(1, 2).flatten(2)

    def _shaped(self, windows: Tensor, group: int) -> Tensor:
        if not self.groups[group].is_shape:
            return windows
        centred = self._centred(windows)
        floor = (_LEAST_LENGTH * self.window_scale[group]).square() * windows.shape[-1]
        return centred / (centred.square().sum(-1, keepdim=True) + floor).sqrt()

    def _centred(self, windows: Tensor) -> Tensor:
        """Windows less the mean of each row; rows that are not used stay 0."""
        rows = windows.unflatten(-1, (-1, self.prototypes.shape[3]))
        return (rows - rows.mean(-1, keepdim=True)).flatten(-2)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        n_groups, n_prototypes = self.prototypes.shape[:2]
        return f"n_groups={n_groups}, n_prototypes={n_prototypes}, stride={self.stride}"


def membership(windows: Tensor, prototypes: Tensor) -> Tensor:
    """Memberships of fuzzy c-means with fuzzifier 1.5.

    Parameters
    ----------
    windows : Tensor of shape (n_windows, n_values)
        Windows.
    prototypes : Tensor of shape (n_prototypes, n_values)
        Centres.

    Returns
    -------
    Tensor of shape (n_windows, n_prototypes)
        Rows sum to 1.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.patterns import membership
    >>> membership(torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [3.0]])).round(decimals=4)
    tensor([[0.9412, 0.0588],
            [1.0000, 0.0000]])
    """
    squares = windows.square().sum(1, keepdim=True)
    lengths = prototypes.square().sum(1)
    distance = torch.addmm(lengths, windows, prototypes.T, alpha=-2.0).add_(squares)
    exponent = 1.0 / (FUZZIFIER - 1.0)  # of a squared distance: 2
    inverse = distance.clamp_min_(1e-6).pow_(exponent).reciprocal_()
    return inverse.div_(inverse.sum(1, keepdim=True))


def _parts(signal: Tensor, frames: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Clips that are computed together."""
    at_once = max(1, min(_CLIPS_AT_ONCE, _FRAMES_AT_ONCE // signal.shape[2]))
    return zip(signal.split(at_once), frames.split(at_once), strict=True)


def _difference(signal: Tensor, frames: Tensor) -> Tensor:
    """First difference, 0 where one of the two frames is not measured."""
    both = frames[:, 1:] * frames[:, :-1]
    return F.pad((signal[:, :, 1:] - signal[:, :, :-1]) * both[:, None], (1, 0))


def _groups(n_groups: int, dilations: list[int], n_taps: int) -> list[PatternGroup]:
    """Kinds of windows in turn; every kind starts at another dilation."""
    kinds = [(False, False), (False, True), (True, False), (True, True)]
    if n_taps == 1:  # a single value has neither a shape nor a neighbour
        kinds, dilations = kinds[:1], [1]
    groups = []
    for i in range(n_groups):
        turn, kind = divmod(i, len(kinds))
        groups.append(PatternGroup(dilations[(turn + kind) % len(dilations)], *kinds[kind]))
    return groups

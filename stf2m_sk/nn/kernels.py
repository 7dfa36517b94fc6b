"""Ramp rules: "the response of kernel k is above b", with random convolution kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stf2m_sk.nn.blocks import block_sums

__all__ = ["RampRules", "dilations_of", "random_mixtures", "stride_of"]

_GOLDEN = (math.sqrt(5) - 1) / 2
_LEVEL_SHARE = 0.3  # of the kernels respond to the level of a signal, not to its course alone
_POSITIONS = 256  # most positions along a clip of the usual length at which kernels are read
_RAMP_POSITIONS = 8  # a ramp spans so many positions' worth of the responses, on either side ...
_WIDEST_RAMP = 0.2  # ... but at most this share of them
_TAPS = 9
# Keep the working set in the cache, and memory flat in the number and the length of clips.
_CLIPS_AT_ONCE, _FRAMES_AT_ONCE = 32, 2**16


class RampRules(nn.Module):
    r"""Fuzzy rules with a ramp as membership: the response of a kernel lies above a threshold.

    Every kernel mixes a few channels with random weights (spatial) and convolves the mixture with
    random taps at one of a few dilations (temporal). A rule is a kernel and a ramp from a to b;
    its firing strength in a clip is the mean membership over the measured frames T:

    .. math::

        f_{kj} = \frac{1}{|T|} \sum_{t \in T}
                 \mathrm{clip}\Big(\frac{(w_k * x)_t - a_{kj}}{b_{kj} - a_{kj}},\ 0,\ 1\Big).

    The taps of most kernels sum to zero: they respond to the course of a signal. Those of about a
    third do not: they respond to its level too. Nothing is trained; ramps run between quantiles
    of the training clips' responses, so that they are narrow where responses are dense.

    Parameters
    ----------
    n_channels : int
        Channels of the modality.
    n_timesteps : int
        Usual length of a clip, in frames; decides the dilations and the stride.
    n_kernels : int
        Kernels, spread evenly over the dilations.
    n_ramps : int
        Ramps, hence rules, of a kernel.
    n_taps : int, default=9
        Taps of a kernel, odd; 1 leaves the temporal convolution out.
    most_mixed : int, default=9
        Most channels that a kernel mixes; 1 leaves the spatial convolution out.
    generator : torch.Generator
        Source of mixtures and taps.

    Attributes
    ----------
    n_rules : int
        ``n_kernels * n_ramps``; kernel by kernel.
    mixtures : Buffer of shape (n_kernels, n_channels)
        Channel weights.
    taps : Buffer of shape (n_kernels, n_taps)
        Taps; each row has norm 1.
    lower, width : Buffer of shape (n_kernels, n_ramps)
        Where a ramp begins, and how wide it is, in units of the response.
    sees_level : bool Tensor of shape (n_rules,)
        Whether the kernel of a rule responds to the level of a signal.

    Notes
    -----
    Dilated kernels with proportion-of-positive pooling are those of MiniRocket (Dempster,
    Schmidt, Webb, arXiv 2012.08791). Gaussian taps and mixtures, ramps between quantiles and
    masks are ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.kernels import RampRules
    >>> generator = torch.Generator().manual_seed(0)
    >>> rules = RampRules(3, 120, n_kernels=50, n_ramps=4, generator=generator)
    >>> signal, frames = torch.randn(10, 3, 120, generator=generator), torch.ones(10, 120)
    >>> rules.calibrate(signal, frames)
    >>> rules(signal, frames).shape
    torch.Size([10, 200])
    """

    def __init__(
        self,
        n_channels: int,
        n_timesteps: int,
        *,
        n_kernels: int,
        n_ramps: int,
        n_taps: int = _TAPS,
        most_mixed: int = 9,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.stride = stride_of(n_timesteps, _POSITIONS)
        self.dilations = _rows_of_dilations(dilations_of(n_timesteps, n_taps), n_kernels)
        self.n_rules = n_kernels * n_ramps
        self.register_buffer("taps", _taps(n_kernels, n_taps, generator))
        self.sees_level = _sees_level(n_kernels).repeat_interleave(n_ramps)
        mixtures = random_mixtures(n_kernels, n_channels, most_mixed, generator)
        self.register_buffer("mixtures", mixtures)
        self.register_buffer("lower", torch.zeros(n_kernels, n_ramps))
        self.register_buffer("width", torch.ones(n_kernels, n_ramps))

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
            In [0, 1]; all 0 for a clip without a measured frame at the positions that are read
            (every `stride`-th frame).
        """
        return torch.cat([self._strengths(*part) for part in self._parts(signal, frames)])

    @torch.no_grad()
    def in_blocks(
        self, signal: Tensor, frames: Tensor, n_together: int
    ) -> Iterator[tuple[int, slice, Tensor]]:
        """Sums of the memberships over blocks of positions: strengths, taken apart in time.

        Parameters
        ----------
        signal, frames : Tensor
            As for `forward`.
        n_together : int
            Positions in a block.

        Yields
        ------
        dilation : int
            One after the other.
        rows : slice
            The kernels of this dilation.
        sums : Tensor of shape (n_rows, n_ramps, n_clips, n_blocks)
            Over the measured positions of each block.
        """
        sums, each = [], iter(self.dilations)
        for rows, ramp, membership in self._memberships(signal, frames, self._scratch(signal)):
            sums.append(block_sums(membership, n_together).transpose(0, 1))
            if ramp + 1 == self.lower.shape[1]:
                yield next(each)[0], rows, torch.stack(sums, dim=1)
                sums = []

    @torch.no_grad()
    def calibrate(self, signal: Tensor, frames: Tensor) -> None:
        """Let ramps run between quantiles of the responses.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised training signal; 100 clips are plenty.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.
        """
        if not self.n_rules:
            return
        measured = frames[:, :: self.stride] > 0
        start = signal.new_zeros(len(signal), 1, measured.shape[1])
        each = self._respond(signal, start, self._scratch(signal))
        responses = torch.cat([own.transpose(0, 1)[:, measured] for _, own in each])
        if responses.shape[1] == 0:
            return
        n_kernels, n_ramps = self.lower.shape
        # Golden-ratio steps spread the quantiles of different kernels evenly over (0, 1).
        offsets = torch.arange(n_kernels, dtype=responses.dtype) * _GOLDEN % 1
        centres = (torch.arange(n_ramps)[None] + offsets[:, None]) / n_ramps
        half = min(_WIDEST_RAMP, _RAMP_POSITIONS / measured.shape[1])
        ordered = responses.sort(1).values
        lower, upper = (_quantiles(ordered, centres + side) for side in (-half, half))
        least = 1e-3 * responses.std(1, correction=0)[:, None] + 1e-6
        self.lower.copy_(lower)
        self.width.copy_(torch.maximum(upper - lower, least))

    def _parts(self, signal: Tensor, frames: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Clips that are computed together, with the scratch that all parts share."""
        at_once = max(1, min(_CLIPS_AT_ONCE, _FRAMES_AT_ONCE // signal.shape[2]))
        scratch = self._scratch(signal[:at_once])
        for part in zip(signal.split(at_once), frames.split(at_once), strict=True):
            yield *part, scratch

    def _scratch(self, signal: Tensor) -> Tensor:
        """Three arrays of one dilation, used again and again: fresh memory would cost more."""
        most = max(rows.stop - rows.start for _, rows in self.dilations)
        n_frames = -(-signal.shape[2] // self.stride) * self.stride
        return signal.new_empty(3, len(signal) * most * n_frames)

    def _respond(
        self, signal: Tensor, start: Tensor, scratch: Tensor
    ) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the kernels of each dilation, and their responses.

        Responses have the shape (n_clips, n_rows, n_positions), and `start`, of shape
        (n_clips, 1, n_positions), is added to them. One dilation after the other: all at once
        would not fit into a processor's cache. They lie in `scratch`: read them before the next.
        """
        taps = self.taps[:, :, None]
        phases = _phases(signal, self.stride)
        (n_clips, _, *times), flat = phases.shape, phases.flatten(2)
        for dilation, rows in self.dilations:
            mixtures = self.mixtures[rows].expand(n_clips, -1, -1)
            mixed = _part(scratch[0], n_clips, mixtures.shape[1], flat.shape[2])
            torch.bmm(mixtures, flat, out=mixed)
            total = _part(scratch[1], n_clips, mixtures.shape[1], times[1])
            yield rows, _convolve(mixed.unflatten(2, times), taps[rows], dilation, start, total)

    def _memberships(
        self, signal: Tensor, frames: Tensor, scratch: Tensor
    ) -> Iterator[tuple[slice, int, Tensor]]:
        """Rows of kernels, a ramp, and its memberships (n_clips, n_rows, n_positions).

        They are 0 where not measured, and lie in `scratch`: read them before the next.
        """
        # -inf lies below every ramp, so that plain sums leave unmeasured frames out.
        measured = frames[:, :: self.stride] > 0
        start = torch.where(measured, 0.0, -torch.inf)[:, None].to(signal.dtype)
        slope = 1.0 / self.width
        offset = -self.lower * slope
        for rows, responses in self._respond(signal, start, scratch):
            membership = _part(scratch[2], *responses.shape)
            for ramp in range(self.lower.shape[1]):
                # Two passes: torch's one pass over three arrays takes twice as long.
                torch.mul(responses, slope[rows, ramp, None], out=membership)
                membership.add_(offset[rows, ramp, None])
                yield rows, ramp, membership.clamp_(0.0, 1.0)

    def _strengths(self, signal: Tensor, frames: Tensor, scratch: Tensor) -> Tensor:
        strengths = signal.new_empty(len(signal), *self.lower.shape)
        for rows, ramp, membership in self._memberships(signal, frames, scratch):
            strengths[:, rows, ramp] = membership.sum(2)
        return (strengths / self._count(frames)).flatten(1)

    def _count(self, frames: Tensor) -> Tensor:
        """Measured positions of each clip, at least 1: (n_clips, 1, 1)."""
        return frames[:, :: self.stride].sum(1).clamp_min(1.0)[:, None, None]

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        n_kernels, n_ramps = self.lower.shape
        return f"n_kernels={n_kernels}, n_ramps={n_ramps}, stride={self.stride}"


def stride_of(n_timesteps: int, n_positions: int) -> int:
    """Frames between two positions at which a clip is read."""
    return max(1, round(n_timesteps / n_positions))


def dilations_of(n_timesteps: int, n_taps: int) -> list[int]:
    """Dilations from 1 until a kernel covers nine tenths of a clip, an octave or less apart."""
    longest = max(1.0, 0.9 * (n_timesteps - 1) / max(1, n_taps - 1))
    n_dilations = max(5, int(math.log2(longest)) + 1)
    exponents = torch.linspace(0, math.log2(longest), n_dilations, dtype=torch.float64)
    return sorted({int(2**exponent) for exponent in exponents.tolist()})


def random_mixtures(
    n_mixtures: int, n_channels: int, most_mixed: int, generator: torch.Generator
) -> Tensor:
    """Gaussian weights on a few random channels; fewer channels are likelier.

    Parameters
    ----------
    n_mixtures, n_channels : int
        Shape of the result.
    most_mixed : int
        Most channels of a mixture.
    generator : torch.Generator
        Source of the weights.

    Returns
    -------
    Tensor of shape (n_mixtures, n_channels)
        Weights; 0 for channels that are not mixed in.
    """
    most = min(n_channels, most_mixed)
    exponent = torch.rand(n_mixtures, 1, generator=generator) * math.log2(most + 1)
    n_mixed = (2**exponent).long().clamp(1, most)
    order = torch.rand(n_mixtures, n_channels, generator=generator).argsort(1).argsort(1)
    return torch.randn(n_mixtures, n_channels, generator=generator) * (order < n_mixed)


def _phases(signal: Tensor, stride: int) -> Tensor:
    """Every stride-th frame side by side: (n_clips, n_channels, stride, n_positions).

    Read in place, each of them would cost a line of the cache.
    """
    if stride == 1:
        return signal[:, :, None]
    whole = F.pad(signal, (0, -signal.shape[2] % stride))
    return whole.unflatten(2, (-1, stride)).transpose(2, 3).contiguous()


def _convolve(phases: Tensor, taps: Tensor, dilation: int, start: Tensor, total: Tensor) -> Tensor:
    """Start plus a depthwise convolution, written to `total`; beyond its ends a clip is 0.

    Each tap adds a shifted copy, as far as the shifted copy reaches: nothing is padded.
    """
    n_taps, (stride, n_positions) = taps.shape[1], phases.shape[2:]
    center = n_taps // 2
    torch.addcmul(start, phases[:, :, 0], taps[:, center], out=total)
    for tap in range(n_taps):
        shift, phase = divmod(dilation * (tap - center), stride)
        first, last = max(0, -shift), min(n_positions, n_positions - shift)
        if tap != center and first < last:
            shifted = phases[:, :, phase, first + shift : last + shift]
            total[:, :, first:last].addcmul_(shifted, taps[:, tap])
    return total


def _part(scratch: Tensor, *shape: int) -> Tensor:
    """The beginning of a flat array, in a shape."""
    return scratch[: math.prod(shape)].view(shape)


def _quantiles(ordered: Tensor, levels: Tensor) -> Tensor:
    """Values of sorted rows at levels in [0, 1]; beyond these, the least and the largest."""
    places = (levels * (ordered.shape[1] - 1)).round().long().clamp(0, ordered.shape[1] - 1)
    return ordered.gather(1, places.to(ordered.device))


def _rows_of_dilations(dilations: list[int], n_kernels: int) -> list[tuple[int, slice]]:
    """Dilations, each with the rows of its kernels."""
    dilations = dilations[: max(1, n_kernels)]
    edges = [round(i * n_kernels / len(dilations)) for i in range(len(dilations) + 1)]
    return [(d, slice(edges[i], edges[i + 1])) for i, d in enumerate(dilations)]


def _sees_level(n_kernels: int) -> Tensor:
    """Which kernels respond to the level: a share of them at every dilation."""
    quota = (torch.arange(n_kernels + 1, dtype=torch.float64) * _LEVEL_SHARE + 0.5).floor()
    return quota.diff() > 0


def _taps(n_kernels: int, n_taps: int, generator: torch.Generator) -> Tensor:
    """Gaussian taps of mean 0, to some of which a level as large as a tap is added."""
    if n_taps == 1:
        return torch.ones(n_kernels, 1)
    taps = torch.randn(n_kernels, n_taps, generator=generator)
    taps = taps - taps.mean(1, keepdim=True)
    taps = taps / taps.norm(dim=1, keepdim=True)
    level = torch.randn(n_kernels, 1, generator=generator) / math.sqrt(n_taps)
    taps = taps + torch.where(_sees_level(n_kernels)[:, None], level, 0.0)
    return taps / taps.norm(dim=1, keepdim=True)

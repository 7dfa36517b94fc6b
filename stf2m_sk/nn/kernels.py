"""Random convolution kernels: the part of the encoder that no gradient touches."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["RandomKernels"]

_GOLDEN = (math.sqrt(5) - 1) / 2
_LEVEL_SHARE = 0.3  # of the kernels feel the level of a signal too, and not its course alone
_POSITIONS = 128  # positions along a clip of the usual length at which the kernels are read
# Keep the working set in the cache, and memory flat in the number and the length of clips.
_CLIPS_AT_ONCE, _FRAMES_AT_ONCE = 32, 2**16


class RandomKernels(nn.Module):
    r"""Random dilated kernels over random channel mixtures, pooled by proportion above a bias.

    Every kernel mixes a few channels with random weights (spatial), convolves the mixture with
    nine random taps at one of up to five dilations (temporal), and says for what share of the
    clip the result lies above each of a few biases:

    .. math::

        f_{kj} = \frac{1}{|T|} \sum_{t \in T}
                 \mathrm{clip}\Big(\frac{(w_k * x)_t - b_{kj}}{s_k} + \frac12, 0, 1\Big),

    over the measured frames T. The ramp of width s in place of a step makes the features
    continuous in the signal. The taps of most kernels sum to zero: they see the course of a
    signal; those of about a third do not: they see its level too. Nothing here is trained: the
    biases are quantiles of the responses of the training clips, set by `calibrate`.

    Parameters
    ----------
    n_channels : int
        Channels of the modality.
    n_timesteps : int
        Usual length of a clip, in frames; decides the dilations and the stride.
    n_kernels : int
        Number of kernels, spread evenly over the dilations.
    n_biases : int
        Biases, hence features, of a kernel.
    most_mixed : int, default=9
        Most channels that a kernel mixes; with 1 there is no spatial convolution.
    n_taps : int, default=9
        Taps of a kernel, odd; with 1 there is no temporal convolution.
    generator : torch.Generator
        Source of mixtures and taps.

    Attributes
    ----------
    n_features : int
        ``n_kernels * n_biases``.
    mixtures : Buffer of shape (n_kernels, n_channels)
        Channel weights.
    taps : Buffer of shape (n_kernels, n_taps)
        Taps; each row has norm 1, and most have mean 0.
    biases : Buffer of shape (n_kernels, n_biases)
        Biases b in units of the ramp's width.
    ramps : Buffer of shape (n_kernels,)
        Widths s of the ramps.
    sees_level : bool Tensor of shape (n_features,)
        Whether a feature comes from a kernel that sees the level of a signal.

    Notes
    -----
    Dilated kernels with proportion-of-positive pooling are those of MiniRocket (Dempster,
    Schmidt, Webb, arXiv 2012.08791). Gaussian taps and mixtures, the ramp and the masks are
    ours.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.kernels import RandomKernels
    >>> generator = torch.Generator().manual_seed(0)
    >>> kernels = RandomKernels(3, 120, n_kernels=50, n_biases=4, generator=generator)
    >>> signal, frames = torch.randn(10, 3, 120, generator=generator), torch.ones(10, 120)
    >>> kernels.calibrate(signal, frames)
    >>> kernels(signal, frames).shape
    torch.Size([10, 200])
    """

    def __init__(
        self,
        n_channels: int,
        n_timesteps: int,
        *,
        n_kernels: int,
        n_biases: int,
        most_mixed: int = 9,
        n_taps: int = 9,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.stride = max(1, round(n_timesteps / _POSITIONS))
        self.dilations = _dilations(n_timesteps, n_kernels, n_taps)
        self.n_features = n_kernels * n_biases
        self.register_buffer("taps", _taps(n_kernels, n_taps, generator))
        self.sees_level = _sees_level(n_kernels).repeat_interleave(n_biases)
        mixtures = _mixtures(n_kernels, n_channels, most_mixed, generator)
        self.register_buffer("mixtures", mixtures)
        self.register_buffer("biases", torch.zeros(n_kernels, n_biases))
        self.register_buffer("ramps", torch.ones(n_kernels))

    @torch.no_grad()
    def forward(self, signal: Tensor, frames: Tensor) -> Tensor:
        """Features of clips.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised signal, 0 where not measured.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
            In [0, 1]; all 0 for a clip without a measured frame at the positions that are read
            (every `stride`-th frame).
        """
        at_once = max(1, min(_CLIPS_AT_ONCE, _FRAMES_AT_ONCE // signal.shape[2]))
        scratch = self._scratch(signal[:at_once])
        parts = zip(signal.split(at_once), frames.split(at_once), strict=True)
        return torch.cat([self._features(*part, scratch) for part in parts])

    @torch.no_grad()
    def calibrate(self, signal: Tensor, frames: Tensor) -> None:
        """Set the biases to quantiles, and the ramps to a share of the spread, of the responses.

        Parameters
        ----------
        signal : Tensor of shape (n_clips, n_channels, n_frames)
            Standardised training signal; 100 clips are plenty.
        frames : Tensor of shape (n_clips, n_frames)
            1 for a measured frame, 0 for one that is not.
        """
        self.ramps.fill_(1.0)
        measured = frames[:, :: self.stride] > 0
        start = signal.new_zeros(len(signal), 1, measured.shape[1])
        each = self._respond(signal, start, self._scratch(signal))
        responses = torch.cat([own.transpose(0, 1)[:, measured] for _, own in each])
        if responses.shape[1] == 0:
            return
        n_kernels, n_biases = self.biases.shape
        # Golden-ratio steps spread the quantiles of different kernels evenly over (0, 1).
        offsets = torch.arange(n_kernels, dtype=responses.dtype) * _GOLDEN % 1
        levels = (torch.arange(n_biases)[None] + offsets[:, None]) / n_biases
        ordered = responses.sort(1).values
        rows = (levels * (ordered.shape[1] - 1)).round().long().to(ordered.device)
        # Few frames give few steps to the proportion; a wider ramp then keeps it informative.
        softness = max(0.1, 1.0 / math.sqrt(measured.shape[1]))
        ramps = softness * responses.std(1, correction=0)
        self.ramps.copy_(torch.where(ramps > 1e-6, ramps, 1.0))
        self.biases.copy_(ordered.gather(1, rows) / self.ramps[:, None])

    def _scratch(self, signal: Tensor) -> Tensor:
        """Room for three arrays of one dilation, used again and again.

        Asking the system for fresh memory took five times as long as the sums that it was for.
        """
        most = max(rows.stop - rows.start for _, rows in self.dilations)
        n_frames = -(-signal.shape[2] // self.stride) * self.stride
        return signal.new_empty(3, len(signal) * most * n_frames)

    def _respond(
        self, signal: Tensor, start: Tensor, scratch: Tensor
    ) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the kernels of each dilation, and their responses, in units of the ramps.

        Responses have the shape (n_clips, n_rows, n_positions), and `start`, of shape
        (n_clips, 1, n_positions), is added to them. One dilation after the other: all at once
        would not fit into a processor's cache. They lie in `scratch`: read them before the next.
        """
        taps = (self.taps / self.ramps[:, None])[:, :, None]
        phases = _phases(signal, self.stride)
        (n_clips, _, *times), flat = phases.shape, phases.flatten(2)
        for dilation, rows in self.dilations:
            mixtures = self.mixtures[rows].expand(n_clips, -1, -1)
            mixed = _part(scratch[0], n_clips, mixtures.shape[1], flat.shape[2])
            torch.bmm(mixtures, flat, out=mixed)
            total = _part(scratch[1], n_clips, mixtures.shape[1], times[1])
            yield rows, _convolve(mixed.unflatten(2, times), taps[rows], dilation, start, total)

    def _features(self, signal: Tensor, frames: Tensor, scratch: Tensor) -> Tensor:
        frames = frames[:, :: self.stride]
        count = frames.sum(1).clamp_min(1.0)
        # What is -inf lies above no bias, so that plain sums leave unmeasured frames out.
        start = torch.where(frames > 0, 0.0, -torch.inf)[:, None].to(signal.dtype)
        features = signal.new_empty(len(signal), *self.biases.shape)
        for rows, responses in self._respond(signal, start, scratch):
            height = _part(scratch[2], *responses.shape)
            for bias, own in enumerate((self.biases[rows] - 0.5).unbind(1)):
                torch.sub(responses, own[:, None], out=height)
                features[:, rows, bias] = height.clamp_(0.0, 1.0).sum(2)
        return (features / count[:, None, None]).flatten(1)

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        n_kernels, n_biases = self.biases.shape
        return f"n_kernels={n_kernels}, n_biases={n_biases}, stride={self.stride}"


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


def _dilations(n_timesteps: int, n_kernels: int, n_taps: int) -> list[tuple[int, slice]]:
    """Dilations from 1 to the clip's length, each with the rows of its kernels."""
    longest = max(1.0, 0.9 * (n_timesteps - 1) / max(1, n_taps - 1))
    exponents = torch.linspace(0, math.log2(longest), 5)
    dilations = sorted({int(2**exponent) for exponent in exponents.tolist()})
    dilations = dilations[: max(1, n_kernels)]
    edges = [round(i * n_kernels / len(dilations)) for i in range(len(dilations) + 1)]
    return [(d, slice(edges[i], edges[i + 1])) for i, d in enumerate(dilations)]


def _sees_level(n_kernels: int) -> Tensor:
    """Which kernels see the level: a share of them at every dilation."""
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


def _mixtures(
    n_kernels: int, n_channels: int, most_mixed: int, generator: torch.Generator
) -> Tensor:
    """Gaussian weights on a few random channels of each kernel; fewer channels are likelier."""
    most = min(n_channels, most_mixed)
    exponent = torch.rand(n_kernels, 1, generator=generator) * math.log2(most + 1)
    n_mixed = (2**exponent).long().clamp(1, most)
    order = torch.rand(n_kernels, n_channels, generator=generator).argsort(1).argsort(1)
    return torch.randn(n_kernels, n_channels, generator=generator) * (order < n_mixed)

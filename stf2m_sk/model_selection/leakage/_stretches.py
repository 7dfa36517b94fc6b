"""Equal stretches of signal: windows that overlap, found without knowing when they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["overlapping_signals"]

_SHORTEST_SHARE = 0.1  # of a clip that must be equal
_SHORTEST = 8  # time steps that must be equal
_FEWEST_CHANGES = 8  # in the stretch, so that two flat lines are not the same recording
_LARGEST_CROWD = 10_000  # pairs of clips with one and the same stretch: it is no fingerprint

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_BASE = np.uint64(0x94D049BB133111EB)


def overlapping_signals(
    signals: Mapping[str, NDArray[np.floating]],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Pairs of clips of two sides of which one is the other, begun some time steps later.

    Stretches of a tenth of a clip (and at least 8 time steps) are looked up by their hash. Where
    one is found on both sides, the clips are laid over each other with that shift, and must be
    equal to the last bit wherever both are measured, in every modality whose rate allows the
    shift. A stretch must be measured throughout and change at every other time step or so; the
    overlap must change at least 8 times.

    Parameters
    ----------
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        Modalities; all last equally long.
    train, test : int array
        Rows of the two sides.

    Returns
    -------
    int array of shape (n_pairs, 2)
        Rows (train, test), each pair once, sorted. A shift of 0 is no overlap but a duplicate.

    Notes
    -----
    Source: ours; the rolling hash is that of Karp and Rabin (1987). Windows that were scaled or
    filtered one by one are not equal any more, and are not found.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._stretches import overlapping_signals
    >>> recording = np.random.default_rng(0).normal(size=60)
    >>> windows = {"eda": np.stack([recording[:40], recording[20:]])[:, np.newaxis]}
    >>> overlapping_signals(windows, np.array([0]), np.array([1]))
    array([[0, 1]])
    """
    found = [np.empty((0, 2), dtype=np.intp)]
    for signal in signals.values():
        for shift, pairs in _candidates(signal, train, test):
            delay = shift / signal.shape[2]
            found.append(pairs[_same_recording(signals, pairs, delay)])
    return np.unique(np.concatenate(found), axis=0)


def _candidates(
    signal: NDArray[np.floating], train: NDArray[np.intp], test: NDArray[np.intp]
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """By shift, the pairs that have a stretch in common with that shift."""
    n_timesteps = signal.shape[2]
    length = max(_SHORTEST, round(_SHORTEST_SHARE * n_timesteps))
    if n_timesteps <= length:
        return
    left, right = (_Stretches(signal[rows], length) for rows in (train, test))
    i, j = _equal_pairs(left.hashes, right.hashes)
    shift = left.starts[i] - right.starts[j]
    pairs = np.column_stack([shift, train[left.clips[i]], test[right.clips[j]]])
    pairs = np.unique(pairs[shift != 0], axis=0)
    for value in np.unique(pairs[:, 0]):
        yield int(value), pairs[pairs[:, 0] == value, 1:]


class _Stretches:
    """The stretches of some clips that are fingerprints: their hashes, clips and starts."""

    def __init__(self, signal: NDArray[np.floating], length: int) -> None:
        frames, measured = _frame_hashes(signal)
        n_starts = frames.shape[1] - length + 1
        hashes = np.zeros((len(frames), n_starts), dtype=np.uint64)
        for step in range(length):
            hashes = hashes * _BASE + frames[:, step : step + n_starts]
        changed = np.pad(frames[:, 1:] != frames[:, :-1], ((0, 0), (1, 0)))
        enough = _sliding_sum(changed[:, 1:], length - 1) >= min(_FEWEST_CHANGES, length // 2)
        whole = _sliding_sum(measured, length) == length
        self.clips, self.starts = np.nonzero(enough & whole)
        self.hashes = hashes[self.clips, self.starts]


def _frame_hashes(
    signal: NDArray[np.floating],
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A hash of the channels at each time step, and whether any of them is measured."""
    missing = np.isnan(signal)
    values = np.where(missing, np.nan, signal.astype(np.float64) + 0.0)  # -0 is 0
    bits = np.ascontiguousarray(values).view(np.uint64)
    mixed = np.zeros((len(bits), bits.shape[2]), dtype=np.uint64)
    for channel in range(bits.shape[1]):
        mixed = (mixed ^ bits[:, channel]) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
        mixed ^= mixed >> np.uint64(32)
    return mixed, ~missing.all(axis=1)


def _sliding_sum(values: NDArray[np.bool_], length: int) -> NDArray[np.intp]:
    total = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1, dtype=np.intp)
    return total[:, length:] - total[:, :-length]


def _equal_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Places (i, j) with left[i] == right[j], but for values that are all too common."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, left, side="left")
    count = np.searchsorted(ordered, left, side="right") - first
    _, place, times = np.unique(left, return_inverse=True, return_counts=True)
    count[times[place] * count > _LARGEST_CROWD] = 0
    i = np.repeat(np.arange(len(left)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[np.repeat(first, count) + within]


def _same_recording(
    signals: Mapping[str, NDArray[np.floating]], pairs: NDArray[np.intp], delay: float
) -> NDArray[np.bool_]:
    """Whether each pair is equal over the whole overlap, wherever both are measured.

    The delay of the second clip after the first is in clips; negative where it is the earlier.
    """
    if delay < 0:
        return _same_recording(signals, pairs[:, ::-1], -delay)
    same = np.ones(len(pairs), dtype=bool)
    changes = np.zeros(len(pairs), dtype=np.intp)
    for signal in signals.values():
        shift = delay * signal.shape[2]
        if abs(shift - round(shift)) > 1e-6 or round(shift) >= signal.shape[2]:
            continue  # the shift falls between two time steps of this modality
        earlier = signal[pairs[:, 0], :, round(shift) :]
        later = signal[pairs[:, 1], :, : earlier.shape[2]]
        both = ~(np.isnan(earlier) | np.isnan(later))
        same &= ~(both & (earlier != later)).any(axis=(1, 2))
        moved = (earlier[:, :, 1:] != earlier[:, :, :-1]) & both[:, :, 1:] & both[:, :, :-1]
        changes += moved.any(axis=1).sum(axis=1)
    return same & (changes >= _FEWEST_CHANGES)

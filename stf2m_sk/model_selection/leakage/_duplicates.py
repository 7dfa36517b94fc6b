"""Near-duplicate clips on the two sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

__all__ = [
    "FEWEST_VALUES",
    "LIKENESS",
    "LIKENESS_OF_TABLE",
    "count_independent",
    "flatten",
    "near_duplicates",
]

FEWEST_VALUES = 16
LIKENESS = 0.99
LIKENESS_OF_TABLE = 0.9999
_FALSE_ALARM = 0.01  # expected number of pairs that are as alike by chance
_MEDIAN_CHI2 = 0.455  # of one degree of freedom
_SAMPLE = 400
_BLOCK = 2048


def flatten(signals: Mapping[str, NDArray[np.floating]]) -> NDArray[np.float64]:
    """One row of comparable values for each clip.

    Of a modality with several time steps every channel is taken about its own mean in the clip,
    in units of the channel's deviation inside clips: where it lies tells the person and not the
    clip. A modality of one time step is taken about its mean over all clips, in units of its
    deviation over them.

    Parameters
    ----------
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        Modalities; NaN means not measured.

    Returns
    -------
    array of shape (n_clips, n_values)
        NaN where not measured, and in all of a clip that changes fewer than 16 times: two flat
        lines with one step are no duplicates.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._duplicates import flatten
    >>> flatten({"hr": np.array([[[60.0, 62.0] * 16], [[80.0, 78.0] * 16]])})[:, :4]
    array([[-1.,  1., -1.,  1.],
           [ 1., -1.,  1., -1.]])
    """
    columns, n_changes = [], 0
    for signal in signals.values():
        values = np.ma.masked_invalid(signal.astype(np.float64))
        values = values - values.mean(axis=2 if signal.shape[2] > 1 else 0, keepdims=True)
        spread = np.ma.sqrt((values**2).mean(axis=(0, 2), keepdims=True))
        values = values / np.ma.filled(np.ma.masked_equal(spread, 0), 1.0)
        columns.append(np.ma.filled(values, np.nan).reshape(len(signal), -1))
        n_changes = n_changes + _count_changes(signal)
    rows = np.concatenate(columns, axis=1)
    rows[n_changes < FEWEST_VALUES] = np.nan
    return rows


def count_independent(rows: NDArray[np.float64]) -> float:
    """How many independent values clips seem to have, by how much they correlate.

    Parameters
    ----------
    rows : array of shape (n_clips, n_values)
        See `flatten`. Up to 400 clips, evenly spread over the rows, are looked at.

    Returns
    -------
    float
        Above 1, and small for smooth signals.

    Notes
    -----
    Source: ours. For k independent values the median of :math:`r^2` is close to 0.455 / (k - 1).
    The median is hardly moved by a few duplicates.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._duplicates import count_independent
    >>> round(count_independent(np.random.default_rng(0).normal(size=(200, 50))))
    48
    """
    some = rows[np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.intp))]
    squares = _correlations(some, some)[np.triu_indices(len(some), 1)] ** 2
    squares = squares[~np.isnan(squares)]
    typical = np.median(squares) if len(squares) else 1.0
    return 1 + _MEDIAN_CHI2 / max(float(typical), 1e-9)


def _count_changes(signal: NDArray[np.floating]) -> NDArray[np.intp]:
    """How often each clip changes from one time step to the next; without time, its values."""
    if signal.shape[2] == 1:
        return (~np.isnan(signal)).sum(axis=(1, 2))
    before, after = signal[:, :, :-1], signal[:, :, 1:]
    return ((before != after) & ~np.isnan(before) & ~np.isnan(after)).sum(axis=(1, 2))


def near_duplicates(
    rows: NDArray[np.float64],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    *,
    threshold: float,
    n_independent: float,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of clips of two sides that correlate more than chance explains.

    Parameters
    ----------
    rows : array of shape (n_clips, n_values)
        See `flatten`. The correlation of two clips is over the values measured in both; fewer
        than 16 of them, or than half of the values of either clip, are no comparison.
    train, test : int array
        Rows of the two sides.
    threshold : float
        Correlation from which on clips are near-duplicates. It is raised where the signals are
        so smooth that unrelated clips would pass it: see Notes.
    n_independent : float
        See `count_independent`.

    Returns
    -------
    pairs : int array of shape (n_pairs, 2)
        Rows (train, test), sorted.
    correlations : array of shape (n_pairs,)

    Notes
    -----
    Source: ours. If unrelated clips have k independent values, :math:`r^2` follows Beta(1/2,
    (k - 1)/2). The threshold is raised to the correlation that 0.01 unrelated pairs of the two
    sides are expected to reach.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._duplicates import near_duplicates
    >>> clips = np.random.default_rng(0).normal(size=(4, 100))
    >>> clips[3] = clips[0] + 0.01
    >>> sides = np.array([0, 1]), np.array([2, 3])
    >>> near_duplicates(clips, *sides, threshold=0.99, n_independent=100)[0]
    array([[0, 3]])
    """
    threshold = max(threshold, _beyond_chance(n_independent, len(train) * len(test)))
    pairs, correlations = [np.empty((0, 2), np.intp)], [np.empty(0)]
    for left, right, correlation in _blocks(rows, train, test):
        i, j = np.nonzero(np.nan_to_num(correlation, nan=-1.0) >= threshold)
        pairs.append(np.column_stack([left[i], right[j]]))
        correlations.append(correlation[i, j])
    pairs, correlations = np.concatenate(pairs), np.concatenate(correlations)
    order = np.lexsort(pairs.T[::-1])
    return pairs[order], correlations[order]


def _beyond_chance(n_independent: float, n_pairs: int) -> float:
    """The correlation that 0.01 of so many pairs are expected to reach by chance."""
    tail = beta.isf(min(1.0, 2 * _FALSE_ALARM / n_pairs), 0.5, (n_independent - 1) / 2)
    return float(min(np.sqrt(tail), 1 - 1e-9))  # identical clips reach 1 but for rounding


def _blocks(
    rows: NDArray[np.float64], train: NDArray[np.intp], test: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]]:
    for i in range(0, len(train), _BLOCK):
        for j in range(0, len(test), _BLOCK):
            left, right = train[i : i + _BLOCK], test[j : j + _BLOCK]
            yield left, right, _correlations(rows[left], rows[right])


def _correlations(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of all pairs over what both measure; NaN where that is too little."""
    a_known, b_known = ~np.isnan(left), ~np.isnan(right)
    a, b = np.where(a_known, left, 0.0), np.where(b_known, right, 0.0)
    if a_known.all() and b_known.all():
        n = np.full((len(a), len(b)), a.shape[1])
        a_sum, b_sum = a.sum(1)[:, np.newaxis], b.sum(1)[np.newaxis]
        a_square, b_square = (a**2).sum(1)[:, np.newaxis], (b**2).sum(1)[np.newaxis]
    else:
        a_mask, b_mask = a_known.astype(np.float64), b_known.astype(np.float64)
        n = a_mask @ b_mask.T
        a_sum, b_sum = a @ b_mask.T, a_mask @ b.T
        a_square, b_square = a**2 @ b_mask.T, a_mask @ (b**2).T
    fewest = np.maximum(a_known.sum(1)[:, np.newaxis], b_known.sum(1)[np.newaxis]) / 2
    n_safe = np.maximum(n, 1)
    a_spread, b_spread = a_square - a_sum**2 / n_safe, b_square - b_sum**2 / n_safe
    flat = (a_spread <= 1e-9 * n_safe) | (b_spread <= 1e-9 * n_safe)
    spread = np.sqrt(np.where(flat, 1.0, a_spread * b_spread))
    correlation = np.clip((a @ b.T - a_sum * b_sum / n_safe) / spread, -1, 1)
    return np.where(flat | (n < np.maximum(fewest, FEWEST_VALUES)), np.nan, correlation)

"""The threshold by which a share of new people's clips is covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["covering_threshold"]

_HALVINGS = 30
_ROUNDING = 1e-9


def covering_threshold(scores: Sequence[NDArray[np.floating]], level: float) -> float:
    """Value that a share of a new person's scores does not exceed, on average over people.

    Parameters
    ----------
    scores : sequence of array (n_clips of a person,)
        Of at least two people, none of them empty; may be infinite.
    level : float
        The share, at most n / (n + 1) with n people.

    Returns
    -------
    float
        A quantile of all scores, in which every person counts alike.

    Notes
    -----
    The quantile at `level` itself is the pooled one of Dunn, Wasserman, Ramdas (JASA 2022), which
    covers too little with few people. That at level (n + 1) / n, of Lee, Barber, Willett (arXiv
    2306.06342), covers enough whatever the distribution, and far too much where a person's clips
    differ. The smallest between the two is taken by which each person, left out in turn, is
    covered by the others to the level, on average over the people. Source of this choice: ours.

    Examples
    --------
    >>> from stf2m_sk.inspection._coverage import covering_threshold
    >>> covering_threshold([[0.1, 0.2], [0.3, 0.4], [0.1, 0.9]], 0.5)
    0.2
    """
    n_people = len(scores)
    values = np.unique(np.concatenate(scores))
    # Share of each person's scores that a value covers, (n_people, n_values).
    shares = np.stack([np.searchsorted(np.sort(s), values, side="right") / len(s) for s in scores])
    others = (shares.sum(axis=0) - shares) / (n_people - 1)

    def left_out(pooled: float) -> float:
        """Coverage of each person by the others' quantile, mean over the people."""
        places = [_place(row, pooled) for row in others]
        return float(shares[np.arange(n_people), places].mean())

    low, high = level, min(1.0, level * (n_people + 1) / n_people)
    if left_out(low) >= level - _ROUNDING:
        high = low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if left_out(middle) >= level - _ROUNDING:
            high = middle
        else:
            low = middle
    return float(values[_place(shares.mean(axis=0), high)])


def _place(shares: NDArray[np.floating], level: float) -> int:
    """First place at which the shares reach a level."""
    return min(int(np.searchsorted(shares, level - _ROUNDING)), len(shares) - 1)

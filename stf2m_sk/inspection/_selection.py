"""Choose the rules that tell emotions apart best, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["forward_selection"]

_LEFT_OF_PERSON = 0.5  # of the mean over each person's clips
_LEAST_NEW = 0.05  # share of a rule's variance that the rules before it leave


def forward_selection(
    strengths: NDArray[np.float64], y: NDArray, groups: NDArray, k: int
) -> list[int]:
    """Columns in the order in which they explain labels best.

    Parameters
    ----------
    strengths : array of shape (n_clips, n_rules)
        Standardised firing strengths.
    y : array of shape (n_clips,)
        Labels.
    groups : array of shape (n_clips,)
        People.
    k : int
        Most columns.

    Returns
    -------
    list of int
        At most k; fewer where no column holds anything new.

    Notes
    -----
    Forward selection by orthogonal least squares (Chen, Billings, Luo, 1989) on labels of +1 and
    -1, all emotions alike. Half of each person's mean is taken off strengths and labels: the level
    of a person counts for less than what changes within a person, as with a random intercept.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.inspection._selection import forward_selection
    >>> strengths = np.random.default_rng(0).normal(size=(60, 5))
    >>> y = np.where(strengths[:, 3] > 0, "joy", "calm")
    >>> forward_selection(strengths, y, np.arange(60) % 3, 1)
    [3]
    """
    labels, sizes = np.unique(y, return_inverse=True)[1], np.unique(y, return_counts=True)[1]
    targets = 2.0 * np.eye(len(sizes))[labels] - 1.0
    root = np.sqrt(1.0 / sizes[labels])[:, None]
    left = root * _less_of_people(np.concatenate([strengths, targets], axis=1), groups)
    constant = root / np.linalg.norm(root)
    left -= constant @ (constant.T @ left)
    left, residual = left[:, : strengths.shape[1]], left[:, strengths.shape[1] :]
    least = _LEAST_NEW * (left**2).sum(axis=0) + 1e-12
    chosen: list[int] = []
    for _ in range(min(k, strengths.shape[1])):
        squares = (left**2).sum(axis=0)
        gains = ((left.T @ residual) ** 2).sum(axis=1) / np.where(squares > least, squares, np.inf)
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        unit = left[:, [best]] / np.sqrt(squares[best])
        left = left - unit @ (unit.T @ left)
        residual = residual - unit @ (unit.T @ residual)
    return chosen


def _less_of_people(values: NDArray[np.float64], groups: NDArray) -> NDArray[np.float64]:
    people, of_clip, n_clips = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), values.shape[1]))
    np.add.at(sums, of_clip, values)
    return values - (1.0 - _LEFT_OF_PERSON) * (sums / n_clips[:, None])[of_clip]

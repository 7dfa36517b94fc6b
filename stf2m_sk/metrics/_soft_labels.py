"""Metrics for clips on whose emotion several annotators differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk.metrics._probabilities import read_shares

__all__ = ["soft_label_agreement", "soft_label_cross_entropy"]


def soft_label_agreement(y_soft: ArrayLike, y_prob: ArrayLike) -> float:
    """Probability that the prediction agrees with an annotator drawn at random.

    The prediction is the most probable class. Where all annotators agree this is the accuracy.

    Parameters
    ----------
    y_soft : array-like of shape (n_clips, n_classes)
        How many annotators, or which share of them, gave the clip each label.
    y_prob : array-like of shape (n_clips, n_classes)
        Probabilities, columns in the same order; rows sum to 1.

    Returns
    -------
    float
        0 to 1. No prediction can reach more than the mean over the clips of the largest share.

    Raises
    ------
    ValueError
        If the shapes differ, or a row is negative, not finite, all 0 or no distribution.

    References
    ----------
    Uma, Fornaciari, Hovy, Paun, Plank, Poesio: Learning from Disagreement: A Survey. Journal of
    Artificial Intelligence Research 72, 2021; the annotator drawn at random is ours.

    Examples
    --------
    Three annotators heard fear and one surprise; the prediction is fear.

    >>> from stf2m_sk.metrics import soft_label_agreement
    >>> soft_label_agreement([[3, 1]], [[0.6, 0.4]])
    0.75
    """
    shares, probabilities = _read(y_soft, y_prob)
    return float(shares[np.arange(len(shares)), probabilities.argmax(axis=1)].mean())


def soft_label_cross_entropy(y_soft: ArrayLike, y_prob: ArrayLike) -> float:
    """Expected log loss against an annotator drawn at random, in nats.

    It is least where the probabilities are the shares of the annotators, and linear in these
    shares: a few annotators estimate without bias what many would give.

    Parameters
    ----------
    y_soft, y_prob : array-like of shape (n_clips, n_classes)
        As in `soft_label_agreement`. Probabilities below the machine epsilon of float64 count as
        that, as in scikit-learn's `log_loss`.

    Returns
    -------
    float
        At least the mean entropy of the rows of `y_soft`; lower is better.

    Raises
    ------
    ValueError
        As `soft_label_agreement`.

    References
    ----------
    Peterson, Battleday, Griffiths, Russakovsky: Human Uncertainty Makes Classification More
    Robust. ICCV 2019.

    Examples
    --------
    >>> from stf2m_sk.metrics import soft_label_cross_entropy
    >>> round(soft_label_cross_entropy([[1, 1]], [[0.5, 0.5]]), 4)
    0.6931
    """
    shares, probabilities = _read(y_soft, y_prob)
    safe = np.maximum(probabilities, np.finfo(np.float64).eps)
    return float(-(shares * np.log(safe)).sum(axis=1).mean())


def _read(y_soft: ArrayLike, y_prob: ArrayLike) -> tuple[NDArray, NDArray]:
    shares = read_shares(y_soft, "y_soft", rounding=np.inf)
    probabilities = read_shares(y_prob, "y_prob")
    if shares.shape != probabilities.shape:
        raise ValueError(
            f"y_soft has the shape {shares.shape} and y_prob {probabilities.shape}; expected the "
            "same clips and the same classes in both"
        )
    return shares, probabilities

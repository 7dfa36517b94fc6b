"""How strongly the rules fire: the rule equations in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax


def log_firing(
    U: ArrayLike, centers: ArrayLike, widths: ArrayLike, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Unnormalised log-firing of Gaussian rules.

    For rule r and a clip u with d features, of which the set P is measured::

        z_r = -temperature / sqrt(d) * 1/2 * d / |P| * sum_{j in P} ((u_j - m_rj) / s_rj)^2

    With nothing missing, ``d / |P|`` is 1. A clip with nothing measured has z_r = 0 for all rules.

    Parameters
    ----------
    U : array-like of shape (n_clips, n_features)
        Feature vectors; NaN means not measured.
    centers, widths : array-like of shape (n_rules, n_features)
        Centres m and widths s > 0, in the units of `U`.
    temperature : float, default=1.0
        Factor of the logits: larger makes the rules more exclusive.

    Returns
    -------
    ndarray of shape (n_clips, n_rules), float64
        Log-firing, at most 0.

    Raises
    ------
    ValueError
        If the shapes do not belong together, a width is not positive, or a clip is infinite or
        so far from a rule that the squared distance overflows.

    Notes
    -----
    Division by d would be HTSK (Cui, Wu, Xu, arXiv 2102.04271), which flattens the rules;
    no division lets one rule take all. The square root between them is ours.

    Examples
    --------
    >>> from stf2m_sk.fuzzy import log_firing
    >>> log_firing([[0.0, 0.0, 0.0, 4.0]], [[0.0] * 4, [2.0] * 4], [[1.0] * 4, [2.0] * 4])
    array([[-4., -1.]])
    """
    U, centers, widths = (np.asarray(a, dtype=np.float64) for a in (U, centers, widths))
    if U.ndim != 2 or centers.shape != widths.shape or centers.shape[1:] != U.shape[1:]:
        raise ValueError(
            f"U has shape {U.shape}, centers {centers.shape} and widths {widths.shape}; expected "
            "(n_clips, n_features) and twice (n_rules, n_features)."
        )
    if not np.all(widths > 0):
        raise ValueError(f"Widths must be positive; the smallest given is {widths.min()}.")
    measured = ~np.isnan(U)
    n_features = U.shape[1]
    # Rule by rule: no array of n_clips x n_rules x n_features, and no cancellation.
    distance = np.empty((len(U), len(centers)))
    with np.errstate(over="ignore"):
        for rule, (center, width) in enumerate(zip(centers, widths, strict=True)):
            deviation = np.where(measured, (U - center) / width, 0.0)
            distance[:, rule] = np.einsum("ij,ij->i", deviation, deviation)
    if not np.isfinite(distance).all():
        far = np.flatnonzero(~np.isfinite(distance).all(axis=1))
        raise ValueError(
            f"{len(far)} clip(s), the first in row {far[0]}, are infinite or too far from the "
            "rules for float64. Check their units."
        )
    rescale = n_features / np.maximum(measured.sum(axis=1, keepdims=True), 1)
    return -temperature / np.sqrt(n_features) * 0.5 * rescale * distance


def firing_strengths(
    U: ArrayLike, centers: ArrayLike, widths: ArrayLike, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Normalised firing strengths: the softmax of `log_firing` over the rules.

    Parameters
    ----------
    U : array-like of shape (n_clips, n_features)
        Feature vectors; NaN means not measured.
    centers, widths : array-like of shape (n_rules, n_features)
        Centres and widths > 0, in the units of `U`.
    temperature : float, default=1.0
        Factor of the logits: larger makes the rules more exclusive.

    Returns
    -------
    ndarray of shape (n_clips, n_rules), float64
        Rows sum to one; a clip with nothing measured fires all rules equally.

    Raises
    ------
    ValueError
        As `log_firing`.

    Examples
    --------
    >>> from stf2m_sk.fuzzy import firing_strengths
    >>> firing_strengths([[0.5], [float("nan")]], [[0.0], [1.0]], [[1.0], [1.0]])
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return softmax(log_firing(U, centers, widths, temperature), axis=1)

"""Where the rules lie: fuzzy c-means that cannot collapse in silence."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.special import softmax
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from stf2m_sk._validation import local_generator

_STARTS = 10  # start centres tried; the best objective is kept
_START_ITERATIONS = 5  # of c-means, before the best start is taken to convergence
_AUTO_MOST_RULES = 8
_AUTO_CLIPS_PER_RULE = 5
_CLOSEST_CENTERS = 0.05  # of the data's spread; sound placements measured 0.07 and more
_LEAST_STRUCTURE = 0.05  # of the way of the partition coefficient from 1 / n_rules to 1
_WIDTH_FLOOR = 0.05  # of a feature's standard deviation
_POOLED_CLIPS = 2.0  # weight of the pooled variance in a rule's own, counted in clips

PLACEMENT_CONSTRAINTS = {
    "n_rules": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "fuzzifier": [Interval(Real, 1, None, closed="neither"), StrOptions({"auto"})],
    "initialisation": [StrOptions({"c-means", "k-means", "random"})],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "random_state": ["random_state"],
}


@dataclass(frozen=True, eq=False)
class RulePlacement:
    """Antecedents of a set of fuzzy rules, in the units of the data they were placed on.

    Parameters
    ----------
    centers : float64 array of shape (n_rules, n_features)
        Centre of every rule.
    widths : float64 array of shape (n_rules, n_features)
        Gaussian width (standard deviation) of every rule in each feature; all are above 0.
    partition_coefficient : float
        Mean over clips of the summed squared memberships: 1 / n_rules (no structure) to 1.
    initialisation : {"c-means", "k-means", "random"}
        What placed the centres in the end.
    n_iter : int
        Iterations of the clustering, from its best start; 0 for "random".

    See Also
    --------
    place_rules : Makes one.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.fuzzy import place_rules
    >>> X = np.repeat([[0.0, 1.0], [4.0, 9.0]], 20, axis=0)
    >>> X += np.random.default_rng(0).normal(0, 0.1, X.shape)
    >>> placement = place_rules(X, 2, random_state=0)
    >>> placement.centers.shape
    (2, 2)
    """

    centers: NDArray[np.float64]
    widths: NDArray[np.float64]
    partition_coefficient: float
    initialisation: str
    n_iter: int

    def __repr__(self) -> str:
        n_rules, n_features = self.centers.shape
        return (
            f"RulePlacement({n_rules} rules of {n_features} features by {self.initialisation}, "
            f"{self.n_iter} iterations, partition coefficient {self.partition_coefficient:.3g})"
        )


class Clusters(NamedTuple):
    """Centres of rows of data, and how they were found."""

    centers: NDArray[np.float64]
    initialisation: str  # "k-means" where c-means collapsed
    n_iter: int
    collapsed: str | None  # how, with the figures


class _Standardised(NamedTuple):
    Z: NDArray[np.float64]
    measured: NDArray[np.bool_]
    location: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]


def _standardise(X: NDArray[np.float64]) -> _Standardised:
    """Scale features to unit spread; missing values, and constant features, become 0."""
    measured = ~np.isnan(X)
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = StandardScaler().fit(X)
    absent = ~measured.any(axis=0)
    too_large = ~absent & ~np.isfinite(scaler.var_)
    if too_large.any():
        raise ValueError(
            f"The variance of feature(s) {np.flatnonzero(too_large).tolist()} of X overflows "
            "float64. Rescale X to smaller units."
        )
    # The scaler sets the scale of a (numerically) constant feature to 1; an empty one is NaN.
    constant = scaler.scale_ != np.sqrt(scaler.var_)
    location = np.where(absent, 0.0, scaler.mean_)
    scale = np.where(constant, 1.0, scaler.scale_)
    Z = np.where(measured & ~constant, (X - location) / scale, 0.0)
    return _Standardised(Z, measured, location, scale, constant)


def _resolve_n_rules(n_rules: int | str, n_clips: int, n_distinct: int) -> int:
    if n_rules == "auto":
        wanted = max(2, n_distinct // _AUTO_CLIPS_PER_RULE)
        return min(_AUTO_MOST_RULES, wanted, n_distinct)
    if n_rules > n_distinct:
        raise ValueError(
            f"n_rules={n_rules}, but X holds only {n_distinct} distinct clips (in {n_clips} "
            f"rows); every rule needs a clip of its own. Give n_rules <= {n_distinct}, "
            "n_rules='auto', or more clips."
        )
    return int(n_rules)


def safe_fuzzifier(n_clips: int, n_features: int) -> float:
    """Fuzzifier m with which c-means does not draw all centres into one point."""
    q = min(n_clips - 1, n_features - 1)
    return q / (q - 2) if q >= 3 else 2.0


def _memberships(Z: NDArray, centers: NDArray, fuzzifier: float) -> NDArray[np.float64]:
    """C-means memberships, (n_clips, n_rules): distance^(-2 / (m - 1)), rows summing to one."""
    distance = np.maximum(cdist(Z, centers), np.finfo(np.float64).eps)
    return softmax(-2.0 / (fuzzifier - 1.0) * np.log(distance), axis=1)


def _c_means(Z, n_rules, fuzzifier, max_iter, tol, generator, n_starts) -> tuple[NDArray, int]:
    """Return the centres, and the iterations from the best of several short starts."""
    from skfuzzy.cluster import cmeans  # slow to import, and needed at fit only

    def run(memberships, longest):
        # An extreme fuzzifier underflows to 0 / 0 here; the collapse check sees the outcome.
        with np.errstate(all="ignore"):
            centers, after, _, _, objective, n_iter, _ = cmeans(
                Z.T, n_rules, fuzzifier, tol * np.sqrt(len(Z)), longest, init=memberships
            )
        return centers, after, objective[-1], n_iter

    best_objective, best = np.inf, None
    for _ in range(n_starts):
        seeds, _ = kmeans_plusplus(Z, n_rules, random_state=generator)
        start = _memberships(Z, seeds, fuzzifier).T
        _, after, objective, _ = run(start, min(max_iter, _START_ITERATIONS))
        if best is None or objective < best_objective:
            best_objective, best = np.nan_to_num(objective, nan=np.inf), after
    centers, _, _, n_iter = run(best, max_iter)
    return centers, n_iter


def _collapse_message(Z: NDArray, centers: NDArray, fuzzifier: float) -> str | None:
    """Say how a c-means placement collapsed, with the figures; None if it did not."""
    n_rules = len(centers)
    if n_rules == 1:
        return None
    spread = np.sqrt(np.square(Z).sum(axis=1).mean())
    closest = pdist(centers).min() / spread
    coefficient = np.square(_memberships(Z, centers, fuzzifier)).sum(axis=1).mean()
    structure = (coefficient - 1 / n_rules) / (1 - 1 / n_rules)
    if closest >= _CLOSEST_CENTERS and structure >= _LEAST_STRUCTURE:  # False for NaN
        return None
    return (
        f"Fuzzy c-means collapsed (fuzzifier {fuzzifier:.3g}): the closest two of {n_rules} "
        f"centres are {closest:.2g} of the data's spread apart (at least {_CLOSEST_CENTERS} "
        f"expected) and the partition coefficient is {coefficient:.3g} (1 / n_rules = "
        f"{1 / n_rules:.3g} means no structure). The rules are placed by k-means instead. Ask "
        "for fewer rules or a smaller fuzzifier, or set initialisation='k-means' to choose it."
    )


def _k_means(Z, n_rules, max_iter, tol, generator, n_starts) -> tuple[NDArray, int]:
    model = KMeans(n_rules, n_init=n_starts, max_iter=max_iter, tol=tol, random_state=generator)
    model.fit(Z)
    return model.cluster_centers_, model.n_iter_


def _widths(Z, measured, centers, weights) -> NDArray[np.float64]:
    """Weighted deviation per rule and feature, drawn to the pooled one when members are few."""
    present = measured.astype(np.float64)
    mass = weights.T @ present
    squares = weights.T @ (present * Z**2) - 2 * centers * (weights.T @ (present * Z))
    squares = np.maximum(squares + centers**2 * mass, 0.0)
    total = mass.sum(axis=0)
    pooled = np.divide(squares.sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    variance = (squares + _POOLED_CLIPS * pooled) / (mass + _POOLED_CLIPS)
    return np.maximum(np.sqrt(variance), _WIDTH_FLOOR)


def cluster(
    Z: NDArray[np.float64],
    n_centers: int,
    fuzzifier: float,
    initialisation: str,
    max_iter: int,
    tol: float,
    generator: np.random.RandomState,
    n_starts: int = _STARTS,
) -> Clusters:
    """Find centres by c-means that cannot collapse in silence, by k-means, or at random.

    Parameters
    ----------
    Z : array of shape (n_rows, n_features)
        Data in comparable units, without NaN; at least `n_centers` distinct rows.
    n_centers : int
        Number of centres.
    fuzzifier : float
        Exponent m of c-means.
    initialisation : {"c-means", "k-means", "random"}
        How; "random" takes distinct rows.
    max_iter, tol
        As of `place_rules`.
    generator : numpy.random.RandomState
        Source of the starts.
    n_starts : int, default=10
        Starts of which the best is kept.

    Returns
    -------
    Clusters
        Where c-means collapsed, centres are those of k-means.
    """
    collapsed = None
    if initialisation == "c-means":
        centers, n_iter = _c_means(Z, n_centers, fuzzifier, max_iter, tol, generator, n_starts)
        collapsed = _collapse_message(Z, centers, fuzzifier)
        if collapsed is None:
            return Clusters(centers, initialisation, int(n_iter), None)
    if initialisation == "random":
        distinct = np.unique(Z, axis=0, return_index=True)[1]
        return Clusters(Z[generator.permutation(distinct)[:n_centers]], initialisation, 0, None)
    centers, n_iter = _k_means(Z, n_centers, max_iter, tol, generator, n_starts)
    return Clusters(centers, "k-means", int(n_iter), collapsed)


@validate_params({"X": ["array-like"], **PLACEMENT_CONSTRAINTS}, prefer_skip_nested_validation=True)
def place_rules(
    X: ArrayLike,
    n_rules: int | Literal["auto"] = "auto",
    *,
    fuzzifier: float | Literal["auto"] = "auto",
    initialisation: Literal["c-means", "k-means", "random"] = "c-means",
    max_iter: int = 100,
    tol: float = 1e-4,
    random_state: int | np.random.RandomState | None = None,
) -> RulePlacement:
    """Place the antecedents of fuzzy rules on data.

    The clustering sees standardised features, so that no unit dominates; centres and widths
    are returned in the units of `X`. The width of a rule in a feature is the standard deviation
    about its centre, weighted by membership**fuzzifier for c-means and by hard assignment to
    the nearest centre otherwise. The pooled variance of all rules counts as two further clips
    of every rule (so rules with few members do not become needles), and no width falls below
    0.05 of the feature's standard deviation.

    Missing values (NaN) stand at their feature's mean while the centres are placed, and are
    left out of the widths. A feature that is constant or never measured cannot tell rules
    apart: it gets width 1, and the centre of all rules is its value (0 if never measured).

    Parameters
    ----------
    X : array-like of shape (n_clips, n_features)
        Feature vectors; NaN means not measured.
    n_rules : int or "auto", default="auto"
        Number of rules, at least 1 and at most the number of distinct clips. "auto" takes one
        rule per five distinct clips, at least 2 and at most 8 (and 1 for a single clip).
    fuzzifier : float > 1 or "auto", default="auto"
        Exponent m of fuzzy c-means. "auto" is q / (q - 2) with q = min(n_clips - 1,
        n_features - 1) where q >= 3, else 2: it falls towards 1 as the dimension grows, where
        the usual m = 2 pulls all centres into one point.
    initialisation : {"c-means", "k-means", "random"}, default="c-means"
        How centres are found. Both clusterings keep the best of ten k-means++ starts (c-means
        judges them after 5 iterations). "random" takes distinct clips as centres, without
        clustering.
    max_iter : int, default=100
        Most iterations of the clustering; the placement is usable also where it stops there.
    tol : float, default=1e-4
        C-means stops when memberships change by less than this per clip (root of the summed
        squares over rules, root mean square over clips); for k-means, its relative tolerance.
    random_state : int, RandomState instance or None, default=None
        Decides the start centres. None draws fresh entropy; NumPy's global generator is left
        as found.

    Returns
    -------
    RulePlacement
        Centres, widths, partition coefficient, what placed the rules, and the iterations.

    Raises
    ------
    ValueError
        If `X` holds infinite values, a feature's variance overflows, `n_rules` exceeds the
        number of distinct clips, or a parameter is out of its range.

    Warns
    -----
    UserWarning
        If c-means collapsed (two centres closer than 0.05 of the data's spread, or a partition
        coefficient within 5 % of 1 / n_rules): the rules are then placed by k-means.

    Notes
    -----
    Fuzzy c-means is scikit-fuzzy's, started from a partition of our own, since its `seed`
    would reseed NumPy's global generator. The choice of m, the collapse check and the widths
    are ours; the abstract of ST-F2M (arXiv 2412.13541) asks for generalized fuzzy rules only.

    Examples
    --------
    >>> from stf2m_sk.fuzzy import place_rules
    >>> placement = place_rules([[0.0], [0.2], [9.8], [10.0]], 2, random_state=0)
    >>> sorted(placement.centers.ravel().round(1).tolist())
    [0.1, 9.9]
    >>> placement.initialisation
    'c-means'
    """
    X = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X")
    Z, measured, location, scale, constant = _standardise(X)
    n_rules = _resolve_n_rules(n_rules, len(Z), len(np.unique(Z, axis=0)))
    fuzzifier = safe_fuzzifier(*Z.shape) if fuzzifier == "auto" else float(fuzzifier)
    generator = local_generator(random_state)

    clusters = cluster(Z, n_rules, fuzzifier, initialisation, max_iter, tol, generator)
    if clusters.collapsed:
        warnings.warn(clusters.collapsed, UserWarning, stacklevel=3)
    centers, initialisation = clusters.centers, clusters.initialisation

    memberships = _memberships(Z, centers, fuzzifier)
    if initialisation == "c-means":
        weights = memberships**fuzzifier
    else:
        weights = np.eye(n_rules)[memberships.argmax(axis=1)]
    widths = np.where(constant, 1.0, _widths(Z, measured, centers, weights))
    return RulePlacement(
        centers=centers * scale + location,
        widths=widths * scale,
        partition_coefficient=float(np.square(memberships).sum(axis=1).mean()),
        initialisation=initialisation,
        n_iter=clusters.n_iter,
    )

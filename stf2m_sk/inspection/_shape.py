"""What a course looks like: a rise, a fall, a peak, a dip, a rhythm, a burst or a level."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["Shape", "shape_of"]

Kind = Literal["level", "rise", "fall", "peak", "dip", "rhythm", "burst"]

_POINTS = 65  # of a course, once it is brought to one length
_EDGES = 33  # where ramps and triangles may begin, turn and end
_CYCLES = np.arange(1.5, 16.1, 0.25)  # of a rhythm within the course
_SIMPLER = 0.05  # share of the variance for which the simpler shape is preferred
_LEAST_FIT = 0.5  # share of the variance that a shape explains, or it is a burst
_CORRELATED = 4.0  # points of a signal of which the noise counts once
_MOST_MISSING = 0.5  # of a window of which the length is read
_POINTS_A_CYCLE = 2.5


class Shape(NamedTuple):
    """A course in a few numbers.

    Attributes
    ----------
    kind : {"level", "rise", "fall", "peak", "dip", "rhythm", "burst"}
        What it looks like.
    size : float
        Height of a rise, fall, peak or dip; from trough to crest of a rhythm or burst; distance
        of a level from the usual one, with its sign. In the units of the course.
    length : float
        How long it takes, in the units of time; of a level or rhythm the whole course.
    rate : float
        Cycles of a rhythm per unit of time; NaN of all others.
    is_whole : bool
        Whether a rise, fall, peak or dip begins and ends within the course.
    fit : float
        Share of the course's variance that the shape explains.
    """

    kind: Kind
    size: float
    length: float
    rate: float
    is_whole: bool
    fit: float


def shape_of(
    course: NDArray[np.float64],
    windows: NDArray[np.float64],
    step: float,
    usual: float | None = None,
) -> Shape:
    """Name the shape of a course.

    Parameters
    ----------
    course : array of shape (n_points,)
        Values at equal distances in time.
    windows : array of shape (n_windows, n_points)
        What the course is the mean of; NaN where not measured. Ramps and triangles that lie at
        different places in them look too long in the mean: how long they are is read off them.
    step : float
        Distance of two values in time.
    usual : float, default=None
        Level of the signal at other times. A course that lies farther from it than it moves is a
        level. None: the level does not matter.

    Returns
    -------
    Shape
        A ramp between two plateaus is a rise or a fall, a triangle between two plateaus of one
        height a peak or a dip, a wave of one and a half to sixteen cycles a rhythm. The one that
        fits best is taken; what none explains by half is a burst.

    Notes
    -----
    Source: ours, a rule of thumb.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.inspection._shape import shape_of
    >>> course = np.interp(np.arange(0, 20, 0.25), [5, 13], [1.0, 1.3])
    >>> shape = shape_of(course, course[None], 0.25)
    >>> shape.kind, round(shape.size, 1), round(shape.length)
    ('rise', 0.3, 8)
    """
    n = len(course)
    duration = (n - 1) * step
    level = 0.0 if usual is None else float(np.mean(course)) - usual
    spread = float(np.ptp(course))
    if n < 3 or spread <= 1e-9 * (abs(level) + abs(float(np.mean(course)))):
        return Shape("level", level, duration, np.nan, True, 1.0)
    shape = _best(_even(course[None])[0], duration, n)
    if shape.kind in _BANKS:
        windows = windows[np.isnan(windows).mean(axis=1) <= _MOST_MISSING]
        levels = np.nanmean(windows - course, axis=1, keepdims=True)
        filled = np.where(np.isnan(windows), course + levels, windows)
        shape = _refined(shape, _even(filled), duration) if len(windows) else shape
    if abs(level) > shape.size:
        return Shape("level", level, duration, np.nan, True, shape.fit)
    return shape


def _best(even: NDArray[np.float64], duration: float, n: int) -> Shape:
    total = float(even @ even)
    ramp, ramp_fit, ramp_size = _matched(even, _ramps(), total)
    triangle, triangle_fit, triangle_size = _matched(even, _triangles(), total)
    cycles, wave_fit, crest = _wave(even, total, n / _POINTS_A_CYCLE)
    fits = [ramp_fit + 2 * _SIMPLER, triangle_fit + _SIMPLER, wave_fit]
    best = int(np.argmax(fits))
    fit = (ramp_fit, triangle_fit, wave_fit)[best]
    if fit < _LEAST_FIT:
        return Shape("burst", float(np.ptp(even)), duration, np.nan, True, fit)
    if best == 2:
        return Shape("rhythm", crest, duration, cycles / duration, True, fit)
    first, last = (ramp, triangle)[best][[0, -1]]
    size = (ramp_size, triangle_size)[best]
    kinds = (("fall", "rise"), ("dip", "peak"))[best]
    length = duration * (last - first) / (_EDGES - 1)
    is_whole = first > 0 and last < _EDGES - 1
    return Shape(kinds[size > 0], abs(size), length, np.nan, bool(is_whole), fit)


def _refined(shape: Shape, even: NDArray[np.float64], duration: float) -> Shape:
    """The length of a ramp or triangle, wherever it lies in each window.

    The likelihood of a length is that of Gaussian noise about a shape of this length at any
    place, all places alike, and of any size with the sign of the course.
    """
    bank, sign = _BANKS[shape.kind]
    edges, unit, norms = bank()
    products = (sign * (even @ unit.T)).clip(0.0)
    total = (even**2).sum(axis=1)
    lengths = edges[:, -1] - edges[:, 0]
    noise = (total.sum() - (products**2).max(axis=1).sum()) / even.size * _CORRELATED
    exponents = (products**2 - total[:, None]) / (2.0 * max(noise, 1e-12 * total.sum()))
    likely = {
        length: float(logsumexp(exponents[:, lengths == length], axis=1).sum())
        - len(even) * np.log((lengths == length).sum())
        for length in np.unique(lengths).tolist()
    }
    best = max(likely, key=likely.get)
    own = np.flatnonzero(lengths == best)
    place = own[products[:, own].argmax(axis=1)]
    size = float(np.median(products[np.arange(len(even)), place] / norms[place]))
    return shape._replace(size=size, length=duration * best / (_EDGES - 1))


def _even(courses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Courses brought to one length, less their means."""
    n = courses.shape[1]
    places = np.linspace(0, n - 1, _POINTS)
    even = np.stack([np.interp(places, np.arange(n), course) for course in courses])
    return even - even.mean(axis=1, keepdims=True)


def _matched(even, bank, total) -> tuple[NDArray, float, float]:
    """Edges, fit and size of the best of a bank of shapes of height 1."""
    edges, unit, heights = bank
    products = unit @ even
    best = int(np.abs(products).argmax())
    return edges[best], float(products[best] ** 2) / total, float(products[best] / heights[best])


@lru_cache(maxsize=1)
def _ramps() -> tuple[NDArray, NDArray, NDArray]:
    first, last = np.triu_indices(_EDGES, 1)
    edges = np.stack([first, last], axis=1)
    return _bank(edges, np.array([0.0, 1.0]))


@lru_cache(maxsize=1)
def _triangles() -> tuple[NDArray, NDArray, NDArray]:
    half = np.arange(0, _EDGES, 2)
    first, top, last = (own.ravel() for own in np.meshgrid(half, half, half, indexing="ij"))
    # One side at most three times as long as the other, or it is a ramp cut off.
    left, right = top - first, last - top
    is_own = (left > 0) & (right > 0) & (left <= 3 * right) & (right <= 3 * left)
    edges = np.stack([first, top, last], axis=1)[is_own]
    return _bank(edges, np.array([0.0, 1.0, 0.0]))


def _bank(edges: NDArray, heights: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Edges, shapes less their mean with norm 1, and these norms."""
    at = np.linspace(0, _EDGES - 1, _POINTS)
    shapes = np.array([np.interp(at, own, heights) for own in edges])
    shapes -= shapes.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(shapes, axis=1)
    return edges, shapes / norms[:, None], norms


def _wave(even, total, most_cycles) -> tuple[float, float, float]:
    """Cycles, fit, and height from trough to crest of the best wave under an envelope."""
    best = (np.nan, 0.0, 0.0)
    for cycles, bases in zip(_CYCLES, _waves(), strict=True):
        for basis in bases if cycles <= most_cycles else ():
            fitted = basis @ (basis.T @ even)
            fit = float(fitted @ fitted) / total
            if fit > best[1]:
                best = (float(cycles), fit, float(np.ptp(fitted)))
    return best


@lru_cache(maxsize=1)
def _waves() -> list[list[NDArray]]:
    """Orthonormal bases of waves: even throughout, and swelling towards the middle."""
    at = np.linspace(-0.5, 0.5, _POINTS)
    envelopes = [np.ones(_POINTS), np.cos(np.pi * at) ** 2]
    waves = []
    for cycles in _CYCLES:
        pair = np.stack([np.cos(2 * np.pi * cycles * at), np.sin(2 * np.pi * cycles * at)], axis=1)
        shaped = [pair * own[:, None] for own in envelopes]
        waves.append([np.linalg.qr(own - own.mean(axis=0))[0] for own in shaped])
    return waves


_BANKS = {
    "rise": (_ramps, 1.0),
    "fall": (_ramps, -1.0),
    "peak": (_triangles, 1.0),
    "dip": (_triangles, -1.0),
}

"""Samples with time stamps, put on a regular grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError

__all__ = ["regular_grid"]

_WRONG = 0.01  # share of samples or grid times without a partner, or with two, that is accepted
_SNAP = 0.1  # of a step, over the whole recording: so little a rounded rate may move a sample
_ORDINARY = (0.5, 1.5)  # of the median step: steps that are neither repeats nor gaps


def regular_grid(
    times: NDArray[np.float64], place: Callable[[int], str], rate: float | None = None
) -> tuple[float, NDArray[np.intp]]:
    """Rate of a regular grid, and the sample that belongs to each of its times.

    Parameters
    ----------
    times : array of shape (n_samples,)
        When the samples were measured, in seconds.
    place : callable
        From the number of a sample to the place that an error names.
    rate : float, default=None
        Nominal rate in Hz; the measured one may differ by one in a hundred. None estimates it:
        one over the mean of the steps that are near to the median step. It is rounded to whole
        Hz (or whole seconds a sample) where that moves no sample by a tenth of a step.

    Returns
    -------
    rate : float
        Samples a second. The grid begins at the first time.
    samples : array of shape (n_times,)
        Number of the sample nearest to each time of the grid, within half a step; -1 if none.

    Raises
    ------
    RecordingError
        If a time is repeated or runs backwards, or if more than one in a hundred samples or grid
        times have no partner, or two: the steps are too irregular, or the given rate does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings._regular import regular_grid
    >>> regular_grid(np.array([5.0, 5.26, 5.5, 6.25]), "sample {}".format)
    (4.0, array([ 0,  1,  2, -1, -1,  3]))
    """
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0))
        what = "is repeated" if steps[row] == 0 else "runs backwards"
        raise RecordingError(
            f"{place(row + 1)}: time {what}: {times[row + 1]:.12g} s after {times[row]:.12g} s"
        )
    if len(times) == 1:
        if rate is None:
            raise RecordingError(f"{place(0)}: one row has no rate; give rate=")
        return float(rate), np.zeros(1, dtype=np.intp)
    fitted = _fitted_rate(steps)
    used = _snapped(fitted, float(times[-1] - times[0])) if rate is None else float(rate)
    samples, wrong, row = _partners(times, steps, used, place)
    if wrong > _WRONG:
        given = "" if rate is None else f"the given rate does not fit, they have {fitted:g} Hz; "
        raise RecordingError(
            f"{place(row)}: the times do not fit a regular grid of {used:g} Hz ({wrong:.0%} of the "
            f"samples or grid times have no partner within half a step, or two): {given}give the "
            "nominal rate with rate=, or resample"
        )
    return used, samples


def _fitted_rate(steps: NDArray[np.float64]) -> float:
    median = np.sort(steps)[(len(steps) - 1) // 2]  # one of the steps, not between two
    ordinary = steps[(steps > _ORDINARY[0] * median) & (steps < _ORDINARY[1] * median)]
    return float(len(ordinary) / ordinary.sum())


def _snapped(rate: float, span: float) -> float:
    whole = float(round(rate)) if rate >= 1 else 1 / round(1 / rate)
    return whole if abs(rate - whole) * span < _SNAP else rate


def _partners(
    times: NDArray, steps: NDArray, rate: float, place: Callable[[int], str]
) -> tuple[NDArray[np.intp], float, int]:
    """Samples of the grid's times, the share of misfits, and the first sample near to one."""
    n_times = int(np.round((times[-1] - times[0]) * rate)) + 1
    if n_times > 100 * len(times) + 1_000_000:
        row = int(np.argmax(steps))
        raise RecordingError(f"{place(row + 1)}: time jumps by {steps[row]:g} s")
    grid = times[0] + np.arange(n_times) / rate
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    before = after - 1
    nearest = np.where(times[after] - grid < grid - times[before], after, before)
    is_near = np.abs(times[nearest] - grid) * rate <= 0.5 + 1e-6
    uses = np.bincount(nearest[is_near], minlength=len(times))
    is_hole = ~is_near & (steps[before] * rate < _ORDINARY[1])  # not in a gap
    wrong = (uses != 1).mean() + is_hole.mean()
    row = int(np.argmax(uses != 1)) if (uses != 1).any() else int(before[np.argmax(is_hole)])
    return np.where(is_near, nearest, -1), float(wrong), row

"""What a signal does where a rule fires: the mean of its windows, in the units of the signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.kernels import RampRules
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.patterns import PatternRules
from stf2m_sk.nn.signals import Signals

__all__ = ["Antecedent", "Course", "antecedents", "mean_course"]

_POINTS = 32  # of a course, on either side of its middle
_MARGIN = 4  # windows are shifted by at most this part of their reach
_ROUNDS = 3  # of alignment


class Antecedent(NamedTuple):
    """What a rule looks at.

    Attributes
    ----------
    modality : int
        Place of the modality.
    mixtures : float64 array of shape (n_rows, n_channels)
        Channel weights of the rows of its window, for standardised signals.
    reach : int
        Frames from the centre of its window to either end.
    sees_level : bool
        Whether the level of the signal counts, not its course alone.
    activity : callable
        From clips' numbers to how much the rule fires around each of their frames,
        (n_clips, n_frames): the response of a kernel, or the membership in a pattern.
    """

    modality: int
    mixtures: NDArray[np.float64]
    reach: int
    sees_level: bool
    activity: Callable[[NDArray[np.intp]], NDArray[np.float64]]


def antecedents(module: STF2MModule, signals: Signals) -> list[Antecedent]:
    """What each rule looks at, in the order of the features.

    Parameters
    ----------
    module : STF2MModule
        Its rules.
    signals : Signals
        Standardised clips.

    Returns
    -------
    list of Antecedent
    """
    in_columns: list[Antecedent] = []
    modalities = zip(module.ramps, module.patterns, signals.values, signals.frames, strict=True)
    for i, (ramps, patterns, values, frames) in enumerate(modalities):
        in_columns += _of_ramps(i, ramps, values)
        in_columns += _of_patterns(i, patterns, values, frames)
    return [in_columns[column] for column in module.columns.tolist()]


def _of_ramps(modality: int, rules: RampRules, values: Tensor) -> Iterator[Antecedent]:
    n_ramps = rules.lower.shape[1]
    for dilation, rows in rules.dilations:
        for kernel in range(rows.start, rows.stop):
            mixture, taps = rules.mixtures[kernel], rules.taps[kernel]
            own = Antecedent(
                modality=modality,
                mixtures=mixture[None].double().cpu().numpy(),
                reach=dilation * (len(taps) // 2),
                sees_level=bool(rules.sees_level[kernel * n_ramps]),
                activity=partial(_response, values, mixture, taps, dilation),
            )
            yield from (own for _ in range(n_ramps))


def _of_patterns(
    modality: int, rules: PatternRules, values: Tensor, frames: Tensor
) -> Iterator[Antecedent]:
    if not rules.n_rules:
        return
    n_taps = rules.prototypes.shape[3]
    each = torch.eye(rules.n_rules, dtype=values.dtype, device=values.device)
    memberships = rules.weighted(values, frames, each).cpu().numpy()
    for rule in range(rules.n_rules):
        group = rule // rules.prototypes.shape[1]
        mixtures = rules.mixtures[group].double().cpu().numpy()
        kind = rules.groups[group]
        yield Antecedent(
            modality=modality,
            mixtures=mixtures[mixtures.any(axis=1)],
            reach=kind.dilation * (n_taps // 2),
            sees_level=not (kind.is_difference or kind.is_shape),
            activity=partial(_at_frames, memberships[:, rule], rules.stride, values.shape[2]),
        )


def _response(values, mixture, taps, dilation, clips) -> NDArray[np.float64]:
    mixed = (mixture @ values[clips])[:, None]
    pad = dilation * (len(taps) // 2)
    response = F.conv1d(F.pad(mixed, (pad, pad)), taps[None, None], dilation=dilation)
    return response[:, 0].double().cpu().numpy()


def _at_frames(memberships, stride, n_frames, clips) -> NDArray[np.float64]:
    return memberships[clips].repeat(stride, axis=1)[:, :n_frames]


class Course(NamedTuple):
    """The mean of a signal around the frames where a rule fires most.

    Attributes
    ----------
    values : float64 array of shape (n_points,)
        In the units of the signal.
    windows : float64 array of shape (n_windows, n_points)
        What it is the mean of, but for the level of each window; NaN where not measured.
    step : int
        Frames between two points.
    weights : float64 array of shape (n_channels,)
        Of the channels in their units; absolute values sum to 1 and the largest is positive.
    usual : float
        Mean of the same mixture over all clips.
    """

    values: NDArray[np.float64]
    windows: NDArray[np.float64]
    step: int
    weights: NDArray[np.float64]
    usual: float


def mean_course(
    own: Antecedent,
    clips: NDArray[np.intp],
    is_inverted: bool,
    recording: NDArray[np.floating],
    scale: NDArray[np.float64],
    reach: int,
) -> Course:
    """Mean of the windows around the frames in which a rule fires most, one a clip.

    Parameters
    ----------
    own : Antecedent
        Of the rule.
    clips : int array of shape (n_windows,)
        Clips that are looked at, one window in each; the modality is present in all.
    is_inverted : bool
        Whether it is said to fire where the kernel's response lies below the threshold.
    recording : array of shape (n_clips, n_channels, n_frames)
        The modality, in its units.
    scale : array of shape (n_channels,)
        Deviations by which it is standardised.
    reach : int
        Frames from the centre of a window to either end.

    Returns
    -------
    Course

    Notes
    -----
    A kernel is a filter, and the weights of a filter do not show what it responds to (Haufe et
    al., NeuroImage 2014); the mean of the windows that it picks does. They are then shifted
    against each other until they fit their mean best (Woody, Med. Biol. Eng. 1967).
    """
    per_unit = own.mixtures / scale
    largest = np.abs(per_unit).argmax(axis=1)
    sizes = np.abs(per_unit).sum(axis=1)
    rows = per_unit * (np.sign(per_unit[np.arange(len(per_unit)), largest]) / sizes)[:, None]
    activity = own.activity(clips) * (-1.0 if is_inverted else 1.0)
    measured = ~np.isnan(recording[clips]).all(axis=1)
    centres = np.where(measured, activity, -np.inf).argmax(axis=1)
    step = max(1, reach // _POINTS)
    margin = reach // (_MARGIN * step)
    found = []
    for row in rows:
        mixed = np.tensordot(recording[clips], row, axes=(1, 0))
        found.append(_aligned(_windows(mixed, centres, reach // step + margin, step), margin))
    moved = [np.ptp(course) * size for (course, _), size in zip(found, sizes, strict=True)]
    best = int(np.argmax(moved))
    usual = float(np.nanmean(recording, axis=(0, 2)) @ rows[best])
    return Course(*found[best], step, rows[best], usual)


def _windows(signal, centres, reach, step) -> NDArray[np.float64]:
    """Windows (n_clips, 2 * reach + 1) around frames; each point is the mean of `step` frames."""
    places = np.arange(-reach * step - step // 2, (reach + 1) * step - step // 2)
    places = centres[:, None] + places
    inside = (places >= 0) & (places < signal.shape[1])
    values = np.take_along_axis(signal, places.clip(0, signal.shape[1] - 1), axis=1)
    values = np.where(inside, values, np.nan).reshape(len(signal), -1, step)
    known = ~np.isnan(values)
    count = known.sum(axis=2)
    total = np.where(known, values, 0.0).sum(axis=2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _aligned(windows, margin) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of windows, each shifted by up to `margin` to where it fits the mean best, and these.

    Windows that reach beyond their clip differ in level from others: the mean is that of a sum
    of a level of each window and a course that all share.
    """
    cut = sliding_window_view(windows, windows.shape[1] - 2 * margin, axis=1)
    rows, shifts = np.arange(len(cut)), np.full(len(cut), margin)
    course = _shared(cut[rows, shifts])
    for _ in range(_ROUNDS if margin else 0):
        own = course - np.nanmean(course)
        shifts = np.nansum(cut * own, axis=2).argmax(axis=1)
        course = _shared(cut[rows, shifts])
    known = ~np.isnan(course)
    return course[known], cut[rows, shifts][:, known]


def _shared(windows) -> NDArray[np.float64]:
    """Course that windows share; NaN where less than half of them are known."""
    known = ~np.isnan(windows)
    filled = np.where(known, windows, 0.0)
    count, n_known = known.sum(axis=0), np.maximum(known.sum(axis=1), 1)
    course, levels = np.zeros(windows.shape[1]), np.zeros(len(windows))
    for _ in range(_ROUNDS):
        levels = (filled - known * course).sum(axis=1) / n_known
        course = (filled - known * levels[:, None]).sum(axis=0) / np.maximum(count, 1)
    enough = count >= max(1, len(windows) / 2)
    return np.where(enough, course + levels.mean(), np.nan)

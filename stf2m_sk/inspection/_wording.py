"""What a rule looks for, in seconds and units, and in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._shape import Shape, shape_of
from stf2m_sk.inspection._windows import Antecedent, Course, mean_course
from stf2m_sk.views import Modality

__all__ = ["Wording", "wording_of"]

_MOST_WINDOWS = 100  # one a clip, of the clips in which a rule fires most
_WIDER = 2  # than the window of a rule is what is looked at first
_GROWS = 1.25  # a shape that grows so much in a window twice as wide is not yet seen whole
_FOLLOWS = 0.75  # share of the variance of a firing that the mean level of clips explains
_NEGLIGIBLE = 0.1  # weight of a channel that is not named

_VERBS = {
    "rise": "{where} rises by {size} within {length}",
    "fall": "{where} falls by {size} within {length}",
    "peak": "{where} has a peak of {size} within {length}",
    "dip": "{where} has a dip of {size} within {length}",
    "rhythm": "{where} swings by {size} {rate}",
    "burst": "{where} has a burst of {size} within {length}",
    "level": "{where} is {side}, about {size}",
}


class Wording(NamedTuple):
    """What a rule looks for.

    Attributes
    ----------
    modality : str
        Name of the modality.
    channels : str
        Channels with their mixture, such as "0.7 x - 0.3 y".
    shape : Shape
        In seconds and units; the size of a level is the level itself.
    words : str
        In words.
    """

    modality: str
    channels: str
    shape: Shape
    words: str


def wording_of(
    own: Antecedent,
    strengths: NDArray[np.float64],
    is_predicted: NDArray[np.bool_],
    is_inverted: bool,
    recording: NDArray[np.floating],
    scale: NDArray[np.float64],
    modality: Modality,
    unit: str,
) -> Wording:
    """Look at what the signal does where a rule fires, and name it.

    Parameters
    ----------
    own : Antecedent
        Of the rule.
    strengths : array of shape (n_clips,)
        How much it fires in each clip; NaN where the modality is absent.
    is_predicted : bool array of shape (n_clips,)
        Clips of the emotion that the rule weighs most for: what it fires at there is looked at.
    is_inverted, recording, scale
        As for `mean_course`.
    modality : Modality
        What the recording is.
    unit : str
        Of its values; empty where unknown.

    Returns
    -------
    Wording
    """
    clips = _most(strengths, is_predicted)
    look = partial(mean_course, own, clips, is_inverted, recording, scale)
    course, shape = _whole(own, look, recording.shape[2] // 2, 1.0 / (modality.rate or 1.0))
    if shape.kind == "level" or _follows_level(strengths, recording, course.weights):
        shape = shape._replace(kind="level", size=float(course.values.mean()), rate=np.nan)
    channels, where = _channels(modality, course.weights)
    return Wording(modality.name, channels, shape, _words(where, shape, course, modality, unit))


def _most(strengths: NDArray[np.float64], is_predicted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Clips of an emotion in which a rule fires most; of all clips where it fires in none."""
    fires = np.nan_to_num(strengths)
    if (fires[is_predicted] > 0).any():
        fires = fires * is_predicted
    order = np.argsort(-fires, kind="stable")[:_MOST_WINDOWS]
    return order[fires[order] > 0]


def _whole(
    own: Antecedent, look: Callable[[int], Course], most: int, seconds: float
) -> tuple[Course, Shape]:
    """The shape in a window that is doubled, up to the clip, for as long as more of it is seen."""
    reach, found = max(1, min(_WIDER * own.reach, most)), None
    while found is None or reach <= most:
        course = look(reach)
        usual = course.usual if own.sees_level else None
        shape = shape_of(course.values, course.windows, course.step * seconds, usual)
        if found is None or not found[1].is_whole or _is_more(shape, found[1]):
            found = course, shape
        reach *= 2
    return found


def _is_more(wider: Shape, shape: Shape) -> bool:
    return wider.kind == shape.kind and wider.size > _GROWS * shape.size


def _follows_level(strengths, recording, weights) -> bool:
    """Whether a rule fires as the mean level of clips has it, whatever they do in time."""
    mixed = np.tensordot(recording[~np.isnan(strengths)], weights, axes=(1, 0))
    strengths = strengths[~np.isnan(strengths)]
    known = ~np.isnan(mixed).all(axis=1)
    levels, strengths = np.nanmean(mixed[known], axis=1), strengths[known]
    strengths = strengths - strengths.mean() if len(strengths) else strengths
    total = strengths @ strengths
    if len(levels) < 4 or np.ptp(levels) == 0 or total == 0:
        return False
    curve = np.vander((levels - levels.mean()) / levels.std(), 3)
    residual = strengths - curve @ np.linalg.lstsq(curve, strengths, rcond=None)[0]
    return 1.0 - residual @ residual / total > _FOLLOWS


def _channels(modality: Modality, weights: NDArray[np.float64]) -> tuple[str, str]:
    """The mixture of channels, and the modality with them."""
    names = modality.channel_names or tuple(f"channel {i}" for i in range(modality.n_channels))
    named = np.flatnonzero(np.abs(weights) >= _NEGLIGIBLE)
    if len(named) == 1:
        channels = names[named[0]]
    else:
        order = named[np.argsort(-np.abs(weights[named]), kind="stable")]
        terms = [f"{'-+'[int(weights[i] > 0)]} {abs(weights[i]):.2g} {names[i]}" for i in order]
        channels = " ".join(terms).removeprefix("+ ")
    is_all = modality.n_channels == 1
    return channels, modality.name if is_all else f"{modality.name} ({channels})"


def _words(where, shape: Shape, course: Course, modality: Modality, unit: str) -> str:
    is_timed = modality.rate is not None
    rate = f"at {shape.rate:.2g} Hz" if is_timed else f"every {1 / shape.rate:.2g} frames"
    return _VERBS[shape.kind].format(
        where=where,
        size=f"{shape.size:.3g} {unit}".rstrip(),
        length=f"{shape.length:.2g} {'s' if is_timed else 'frames'}",
        rate=rate,
        side="high" if shape.size > course.usual else "low",
    )

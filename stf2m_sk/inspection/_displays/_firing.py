"""Where in clips a pattern rule fires, and the windows there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from stf2m_sk.fitted import FittedModel
from stf2m_sk.fuzzy import Pattern, describe_patterns
from stf2m_sk.inspection._explain import rule_names
from stf2m_sk.nn.patterns import FUZZIFIER
from stf2m_sk.views import Views

__all__ = ["Fired", "fire", "windows_that_fire"]


class Fired(NamedTuple):
    """What a pattern rule makes of clips.

    Attributes
    ----------
    pattern : Pattern
        The rule, in the units of the recording.
    strength : float64 array of shape (n_clips,)
        Mean membership; NaN where nothing of the modality is measured.
    membership : float64 array of shape (n_clips, n_positions)
        Around every stride-th frame; 0 where that is not measured.
    windows : float64 array of shape (n_clips, n_positions, n_rows, n_taps)
        In the units of the pattern; NaN where not measured, or beyond the ends of the clip.
    """

    pattern: Pattern
    strength: NDArray[np.float64]
    membership: NDArray[np.float64]
    windows: NDArray[np.float64]


def fire(model: FittedModel, views: Views, rule: str) -> Fired:
    """Let a rule look at clips.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    views : Views
        Clips, with the modalities of the model.
    rule : str
        Name of the rule.

    Returns
    -------
    Fired

    Raises
    ------
    ValueError
        If there is no such pattern rule.
    """
    names = {str(name): name for name in rule_names(model)}
    if rule not in names or names[rule].kind != "pattern":
        others = [name for name, own in names.items() if own.kind == "pattern"]
        raise ValueError(
            f"rule must be a pattern rule, which has a prototype to draw, got {rule!r}; "
            + (f"there are {others[0]!r} to {others[-1]!r}" if others else "there is none")
        )
    modality, _, number = names[rule]
    place = model.schema.names.index(modality)
    described = describe_patterns(model.module.patterns, model.module.standardiser, model.schema)
    pattern = [own for own in described if own.modality == modality][number]
    share, membership = _memberships(model, views, place, number)
    strength = np.where(membership.any(axis=1), share.sum(axis=1), np.nan)
    mean = getattr(model.module.standardiser, f"mean_{place}").double().cpu().numpy()
    stride = model.module.patterns[place].stride
    return Fired(pattern, strength, membership, _windows(pattern, views, mean, stride))


def windows_that_fire(
    fired: Fired, n_windows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Spread about the prototype, and the windows that fire a rule most.

    Parameters
    ----------
    fired : Fired
        Of `fire`.
    n_windows : int
        How many, one a clip; windows with gaps only where all have some.

    Returns
    -------
    spread : float64 array of shape (n_rows, n_taps)
        Deviation from the prototype, weighted by membership.
    windows : float64 array of shape (n_windows, n_rows, n_taps)
        The most firing first.
    clips : int array of shape (n_windows,)
        Their clips.
    """
    is_there = ~np.isnan(fired.windows)
    powers = is_there * fired.membership[:, :, None, None] ** FUZZIFIER
    squares = np.square(np.nan_to_num(fired.windows) - fired.pattern.prototype)
    total = np.maximum(powers.sum(axis=(0, 1)), np.finfo(float).tiny)
    spread = np.sqrt((powers * squares).sum(axis=(0, 1)) / total)
    measured = is_there.mean(axis=(2, 3))
    weights = np.where(measured == measured.max(), fired.membership, 0.0)
    best = weights.argmax(axis=1)
    most = weights[np.arange(len(weights)), best]
    clips = np.argsort(-most, kind="stable")[:n_windows]
    clips = clips[most[clips] > 0]
    return spread, fired.windows[clips, best[clips]], clips


def _memberships(model: FittedModel, views: Views, place: int, number: int):
    """Membership of a rule at each position, as shares of a clip and as they are."""
    shares, memberships = [], []
    for module, signals in model.standardised(views):
        rules, frames = module.patterns[place], signals.frames[place]
        one = torch.zeros(rules.n_rules, 1).to(frames)
        one[number] = 1.0
        share = rules.weighted(signals.values[place], frames, one)[:, 0].double().cpu()
        n_measured = frames[:, :: rules.stride].sum(1, keepdim=True).double().cpu()
        shares.append(share.numpy())
        memberships.append((share * n_measured).numpy())
    return np.concatenate(shares), np.concatenate(memberships)


def _windows(
    pattern: Pattern, views: Views, mean: NDArray[np.float64], stride: int
) -> NDArray[np.float64]:
    """Windows of a pattern around every stride-th frame, as the rule takes them.

    What is not measured counts as the mean of the training clips, and is NaN in the end.
    """
    signal = np.asarray(views[pattern.modality], dtype=np.float64)
    is_gone = np.isnan(signal)
    mixed = pattern.weights @ np.where(is_gone, mean, signal)
    # A channel that a row does not look at need not be measured.
    is_gone = np.any(is_gone[:, None] & (pattern.weights != 0)[:, :, None], axis=2)
    outside = pattern.weights @ mean
    if pattern.is_difference:
        mixed = np.diff(mixed, axis=2, prepend=mixed[:, :, :1])
        is_gone[:, :, 1:] |= is_gone[:, :, :-1].copy()
        is_gone[:, :, 0] = True
        mixed, outside = np.where(is_gone, 0.0, mixed), np.zeros_like(outside)
    taps = np.rint(pattern.lags * (views.schema[pattern.modality].rate or 1.0)).astype(int)
    places = np.arange(0, mixed.shape[2], stride)[:, None] + taps
    is_inside = (places >= 0) & (places < mixed.shape[2])
    places = places.clip(0, mixed.shape[2] - 1)
    windows = np.where(is_inside, mixed[:, :, places], outside[:, :, None]).transpose(0, 2, 1, 3)
    if pattern.is_shape:
        windows = _to_shape(windows, pattern)
    is_gone = (is_gone[:, :, places] | ~is_inside).transpose(0, 2, 1, 3)
    return np.where(is_gone, np.nan, windows)


def _to_shape(windows: NDArray[np.float64], pattern: Pattern) -> NDArray[np.float64]:
    """Each row less its mean, and the whole as long as the prototype."""
    windows = windows - windows.mean(axis=3, keepdims=True)
    unit = pattern.deviations[:, None]
    length = np.linalg.norm(windows / unit, axis=(2, 3), keepdims=True)
    usual = np.linalg.norm(pattern.prototype / unit)
    return windows * (usual / np.maximum(length, np.finfo(float).tiny))

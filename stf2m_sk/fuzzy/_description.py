"""What pattern rules look like: their prototypes in the units of the signal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.nn.patterns import PatternRules
from stf2m_sk.nn.signals import Standardiser
from stf2m_sk.views import Modality

__all__ = ["Pattern", "describe_patterns"]


@dataclass(frozen=True, eq=False)
class Pattern:
    """A pattern rule, in the units of the recording: all that is needed to draw it.

    The rule fires where the mixed signal around a frame looks like the prototype: in row r and
    tap k the sum over channels c of ``weights[r, c] * x[c]``, taken ``lags[k]`` after the frame,
    is compared with ``prototype[r, k]`` in units of ``deviations[r]``.

    Parameters
    ----------
    modality : str
        Name of the modality.
    channel_names : tuple of str
        Channels of the modality; "0", "1" and so on where names are unknown.
    group : int
        Rules of a modality with the same number share their windows, and their memberships sum
        to 1.
    weights : array of shape (n_rows, n_channels)
        Channel weights of each row of the window, for signals in their units. Their absolute
        values sum to 1 and the largest of them is positive: a row that is one channel has the
        units of that channel.
    lags : array of shape (n_taps,)
        Where the taps of the window are, 0 at its centre.
    lag_unit : {"s", "frames"}
        Seconds, or frames where the sampling rate is unknown.
    is_difference : bool
        Whether windows hold the change from one frame to the next, not the signal itself.
    is_shape : bool
        Whether windows are compared by shape: each row less its mean, whatever the size of the
        window. The prototype is then drawn for a window of usual size.
    prototype : array of shape (n_rows, n_taps)
        In the units of the rows; of a difference, per frame.
    deviations : array of shape (n_rows,)
        Units of a row by which distances are measured.

    See Also
    --------
    describe_patterns : Makes those of a classifier or transformer.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.fuzzy import Pattern
    >>> Pattern(
    ...     modality="acc", channel_names=("x", "y"), group=0, weights=np.array([[1.0, 0.0]]),
    ...     lags=np.array([-0.5, 0.0, 0.5]), lag_unit="s", is_difference=False, is_shape=False,
    ...     prototype=np.array([[0.0, 1.0, 0.0]]), deviations=np.array([1.0]),
    ... )
    Pattern(level of acc (x), -0.5 to 0.5 s)
    """

    modality: str
    channel_names: tuple[str, ...]
    group: int
    weights: NDArray[np.float64]
    lags: NDArray[np.float64]
    lag_unit: str
    is_difference: bool
    is_shape: bool
    prototype: NDArray[np.float64]
    deviations: NDArray[np.float64]

    def __repr__(self) -> str:
        return f"Pattern({self})"

    def __str__(self) -> str:
        """Return the rule in words, without its prototype."""
        kind = "change" if self.is_difference else "level"
        shown = [i for i in range(len(self.channel_names)) if self.weights[:, i].any()]
        channels = ", ".join(self.channel_names[i] for i in shown)
        window = f"{self.lags[0]:g} to {self.lags[-1]:g} {self.lag_unit}"
        form = "shape of the " if self.is_shape else ""
        return f"{form}{kind} of {self.modality} ({channels}), {window}"


def describe_patterns(
    rules: Iterable[PatternRules], standardiser: Standardiser, modalities: Iterable[Modality]
) -> list[Pattern]:
    """Describe pattern rules in the units of the recording.

    Parameters
    ----------
    rules : iterable of PatternRules
        Placed; one a modality.
    standardiser : Standardiser
        Which scaled the signals that the rules see.
    modalities : iterable of Modality
        What the modalities are, such as a `ViewSchema`.

    Returns
    -------
    list of Pattern
        In the order of the rules: modality by modality, group by group.

    Examples
    --------
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.fuzzy import FuzzyPatternTransformer, describe_patterns
    >>> views = make_emotion_views(n_people=2, random_state=0).views.select("skin")
    >>> fitted = FuzzyPatternTransformer(8, random_state=0).fit(views)
    >>> module = fitted.module_
    >>> found = describe_patterns(module.patterns, module.standardiser, fitted.schema_)
    >>> len(found), str(found[0])
    (8, 'level of skin (0), -1 to 1 s')
    """
    described = []
    for i, (own, modality) in enumerate(zip(rules, modalities, strict=True)):
        mean = _array(getattr(standardiser, f"mean_{i}"))[:, 0]
        scale = _array(getattr(standardiser, f"scale_{i}"))[:, 0]
        for group in range(len(own.groups)):
            described += _described(own, group, modality, mean, scale)
    return described


def _described(rules, group, modality, mean, scale) -> list[Pattern]:
    kind = rules.groups[group]
    mixture = _array(rules.mixtures[group])
    used = mixture.any(axis=1)
    # A row is `per_unit * x` but for a constant, with the signal x in its units.
    per_unit = mixture[used] / scale
    if kind.is_difference:
        per_unit = per_unit / _array(rules.difference_scale)[:, 0]
    largest = np.abs(per_unit).argmax(axis=1)[:, None]
    sign = np.sign(np.take_along_axis(per_unit, largest, axis=1))
    size = sign * np.abs(per_unit).sum(axis=1, keepdims=True)
    prototypes = _array(rules.prototypes[group])[:, used]
    n_values = rules.prototypes[0, 0].numel()
    if kind.is_shape:
        prototypes = prototypes * float(rules.window_scale[group]) * n_values**0.5
    elif not kind.is_difference:
        prototypes = prototypes + (per_unit @ mean)[:, None]
    n_taps = prototypes.shape[2]
    rate = 1.0 if modality.rate is None else modality.rate
    names = modality.channel_names or tuple(map(str, range(modality.n_channels)))
    return [
        Pattern(
            modality=modality.name,
            channel_names=names,
            group=group,
            weights=per_unit / size,
            lags=(np.arange(n_taps) - n_taps // 2) * kind.dilation / rate,
            lag_unit="frames" if modality.rate is None else "s",
            is_difference=kind.is_difference,
            is_shape=kind.is_shape,
            prototype=prototype / size,
            deviations=1.0 / np.abs(size[:, 0]),
        )
        for prototype in prototypes
    ]


def _array(values) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()

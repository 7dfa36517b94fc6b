"""Scalers fitted on more than the training side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

__all__ = ["SCALINGS", "as_scaler_saw", "rescale", "same_statistics", "scalings_of"]

_PRECISION = 1e-4  # to which float32 arithmetic leaves mean 0 and deviation 1

Rows = NDArray[np.intp]
Signals = Mapping[str, NDArray[np.floating]]


def _standard(block: NDArray, axes: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    masked = np.ma.masked_invalid(block)
    return masked.mean(axis=axes, keepdims=True), masked.std(axis=axes, keepdims=True)


def _range(block: NDArray, axes: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    masked = np.ma.masked_invalid(block)
    low = masked.min(axis=axes, keepdims=True)
    return low, masked.max(axis=axes, keepdims=True) - low


_TO_RANGE = "scaled to 0..1"
_STATISTICS: dict[str, Callable] = {"standardised": _standard, _TO_RANGE: _range}
_AXES = {"each column": (0,), "each channel": (0, 2)}

SCALINGS = tuple((how, over) for over in _AXES for how in _STATISTICS)
"""The scalings that are recognised: what was done, and to what."""


def scalings_of(signals: Signals, rows: Rows) -> list[tuple[str, str]]:
    """The scalings that some clips look as if they had been fitted to them.

    Parameters
    ----------
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        As the classifier gets them.
    rows : int array
        Clips that a scaler may have seen.

    Returns
    -------
    list of tuples of two str
        Of `SCALINGS`: every column (or channel) has mean 0 and deviation 1, or minimum 0 and
        maximum 1, to 1e-4. Constant columns do not count, nor do columns of 0 and 1 as scaled.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._scaling import scalings_of
    >>> x = np.random.default_rng(0).normal(5, 2, size=(20, 3, 1))
    >>> signals = {"features": (x - x.mean(axis=0)) / x.std(axis=0)}
    >>> scalings_of(signals, np.arange(20))[0], scalings_of(signals, np.arange(15))
    (('standardised', 'each column'), [])
    """
    return [scaling for scaling in SCALINGS if _looks_scaled(signals, rows, *scaling)]


def _looks_scaled(signals: Signals, rows: Rows, how: str, over: str) -> bool:
    n_scaled = 0
    for signal in signals.values():
        block = signal[rows].astype(np.float64)
        centre, width = _STATISTICS[how](block, _AXES[over])
        centre, width = np.ma.filled(centre, 0.0), np.ma.filled(width, 0.0)
        varies = width > _PRECISION
        if how == _TO_RANGE:  # columns of 0 and 1 are flags
            varies &= ((block != 0) & (block != 1) & ~np.isnan(block)).any(
                _AXES[over], keepdims=True
            )
        n = len(rows) * (signal.shape[2] if over == "each channel" else 1)
        sample_width = np.sqrt((n - 1) / n)  # where the deviation was taken with n - 1
        off = np.minimum(np.abs(width - 1), np.abs(width - sample_width))
        if (np.abs(centre[varies]) > _PRECISION).any() or (off[varies] > _PRECISION).any():
            return False
        n_scaled += int(varies.sum())
    return n_scaled > 0


def rescale(signals: Signals, train: Rows, scaling: tuple[str, str]) -> dict[str, NDArray]:
    """The signals as the same scaling, fitted to the training side only, would have left them.

    Parameters
    ----------
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        Scaled with the statistics of too many clips.
    train : int array
        Rows to scale by.
    scaling : tuple of two str
        One of `SCALINGS`.

    Returns
    -------
    dict of str to array
        In the dtype of `signals`. Scaling twice is scaling once: what the first did cancels out.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection.leakage._scaling import SCALINGS, rescale
    >>> rescale({"hr": np.array([[[1.0]], [[3.0]], [[8.0]]])}, np.array([0, 1]), SCALINGS[0])
    {'hr': array([[[-1.]],
    <BLANKLINE>
           [[ 1.]],
    <BLANKLINE>
           [[ 6.]]])}
    """
    how, over = scaling
    rescaled = {}
    for name, signal in signals.items():
        centre, width = _STATISTICS[how](signal[train].astype(np.float64), _AXES[over])
        centre, width = np.ma.filled(centre, 0.0), np.ma.filled(width, 0.0)
        values = (signal - centre) / np.where(width > _PRECISION, width, 1.0)
        rescaled[name] = values.astype(signal.dtype)
    return rescaled


def as_scaler_saw(X: Any, signals: Signals, scaler: Any) -> Any:
    """X in the form in which a fitted scaler takes it.

    Parameters
    ----------
    X : Views, dict, list or array
        As given to `leakage_report`.
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        The same by modality.
    scaler : fitted transformer
        If it tells of as many features as the flat form of the clips has, that is given; if it
        tells nothing, X as it is.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it was fitted to another number of features.
    """
    n_features = getattr(scaler, "n_features_in_", None)
    if n_features is None or (getattr(X, "ndim", None) == 2 and X.shape[1] == n_features):
        return X
    flat = np.concatenate([s.reshape(len(s), -1) for s in signals.values()], axis=1)
    if flat.shape[1] == n_features:
        return flat
    raise ValueError(
        f"scaler was fitted to {n_features} features, but a clip of X has {flat.shape[1]} values; "
        "give the X (before scaling) that it was fitted to"
    )


def same_statistics(scaler: Any, X: Any, y: Any) -> bool:
    """Whether a fitted scaler has the statistics that it would learn from X.

    Parameters
    ----------
    scaler : fitted transformer
        Cloned and fitted to X; the numeric attributes that end in an underscore are compared,
        but for counts of clips and of features.
    X : array or Views
        Clips.
    y : array or None
        Labels, for transformers that want them.

    Returns
    -------
    bool

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from stf2m_sk.model_selection.leakage._scaling import same_statistics
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> scaler = StandardScaler().fit(X)
    >>> same_statistics(scaler, X, None), same_statistics(scaler, X[:2], None)
    (True, False)
    """
    given, learned = _statistics(scaler), _statistics(clone(scaler).fit(X, y))
    if not given:
        raise ValueError(
            f"scaler={scaler!r} has no fitted statistics to compare; give a fitted transformer "
            "such as StandardScaler, not a Pipeline"
        )
    return given.keys() == learned.keys() and all(
        value.shape == learned[name].shape
        and np.allclose(value, learned[name], rtol=1e-6, atol=1e-9, equal_nan=True)
        for name, value in given.items()
    )


def _statistics(scaler: Any) -> dict[str, NDArray]:
    fitted = {
        name: np.asarray(value)
        for name, value in vars(scaler).items()
        if name.endswith("_") and not name.startswith(("_", "n_"))
    }
    return {name: value for name, value in fitted.items() if value.dtype.kind in "fiu"}

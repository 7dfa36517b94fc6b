"""Views in the forms that estimators of other packages take: flat, panel and table."""

import math
import operator
from collections import Counter
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.views._arrays import clip_blocks
from stf2m_sk.views._schema import Modality, ViewSchema

if TYPE_CHECKING:
    import pandas as pd

    from stf2m_sk.views._container import Views

_STATISTICS = ("mean", "std", "min", "max", "slope")
_ROUNDING = 1e-9  # of a frame: rates are often computed (1000 / 3)


def to_flat(views: "Views") -> NDArray[np.floating]:
    """Return one row of values for each clip; ``as_views(flat, schema)`` is the way back.

    Returns
    -------
    ndarray of shape (n_clips, n_flat)
        A copy. The modalities stand side by side in order, each with its channels one
        after the other.

    Examples
    --------
    >>> from stf2m_sk.views import Views
    >>> Views({"acc": [[[1, 2], [3, 4]]], "hr": [[[61]]]}).to_flat()
    array([[ 1.,  2.,  3.,  4., 61.]])
    """
    blocks = [views[m.name].reshape(views.n_clips, m.n_flat) for m in views.schema]
    return np.concatenate(blocks, axis=1)


def to_panel(
    views: "Views",
    *,
    rate: float | None = None,
    n_timesteps: int | None = None,
    fill: Literal["mean"] | None = "mean",
) -> NDArray[np.floating]:
    """Return one array of all channels with a common sampling rate, as aeon takes it.

    Each modality holds its last frame until the next one: nothing is filtered or interpolated.
    Each clip is converted by itself, so that no clip influences another.

    Parameters
    ----------
    rate : float, default=None
        Sampling rate of the panel in Hz, if all modalities have known rates. None is the rate
        of the fastest modality.
    n_timesteps : int, default=None
        Length of the panel instead of `rate`: time steps at equal distances over the duration
        of the longest modality. Useful where lengths differ between `fit` and `predict`.
    fill : {"mean", None}, default="mean"
        What stands where nothing was measured. "mean" is the mean of the measured frames of
        the same channel in the same clip, and 0 if there are none. None leaves NaN, which most
        classifiers of aeon refuse.

    Returns
    -------
    ndarray of shape (n_clips, n_channels of all modalities, n_timesteps)
        A copy in the dtype of the views, channels in their order.

    Raises
    ------
    TypeError
        If called on something else than Views, or `n_timesteps` is not an int.
    ValueError
        If `rate` and `n_timesteps` are both given, not positive or infinite, `rate` is given
        although a modality has an unknown rate, or `fill` is another one.

    Notes
    -----
    If all rates are known, a modality is not measured after its end, and NaN behind the end of
    clips changes no time step before it: the panel is longer. If any rate is unknown, all
    modalities are taken to last equally long: step t of T holds the frame ``floor(t * T_m / T)``
    of the T_m frames of a modality, and T is the length of the longest one.

    For a lower rate, use `stf2m_sk.preprocessing.ViewResampler` first: it filters what would
    alias. Source: ours.

    Examples
    --------
    >>> from stf2m_sk.views import Views
    >>> nan = float("nan")
    >>> views = Views({"eda": [[[1, 2, nan, 6]]], "hr": [[[61, 60]]]}, rates={"eda": 4, "hr": 2})
    >>> views.to_panel()
    array([[[ 1.,  2.,  3.,  6.],
            [61., 61., 60., 60.]]])

    As a step in front of a classifier of aeon, for example ``make_pipeline(to_panel,
    MiniRocketClassifier())``:

    >>> from sklearn.preprocessing import FunctionTransformer
    >>> to_panel = FunctionTransformer(Views.to_panel, kw_args={"n_timesteps": 10})
    >>> to_panel.fit_transform(views).shape
    (1, 2, 10)
    """
    _check_views(views, "to_panel")
    if fill not in ("mean", None):
        raise ValueError(f"fill must be 'mean' or None, given {fill!r}")
    rate, length = _clock(views.schema, rate, n_timesteps)
    n_channels = sum(modality.n_channels for modality in views.schema)
    panel = np.full((views.n_clips, n_channels, length), np.nan, dtype=views.dtype)
    start = 0
    for modality, own_rate in zip(views.schema, _rates(views.schema), strict=True):
        array, block = views[modality.name], panel[:, start : start + modality.n_channels]
        frames = np.floor(np.arange(length) * own_rate / rate + _ROUNDING).astype(np.intp)
        frames = frames[frames < modality.n_timesteps]
        block[:, :, : len(frames)] = array[:, :, frames]
        if fill == "mean":
            _fill_with_mean(block, array)
        start += modality.n_channels
    return panel


def to_table(views: "Views") -> "pd.DataFrame":
    """Return the mean, std, min, max and slope of each channel, as a data frame.

    Each clip is summarised by itself, over its measured frames.

    Returns
    -------
    pandas.DataFrame of shape (n_clips, 5 * n_channels of all modalities)
        In float64. Columns are named by modality, channel (its number if names are unknown) and
        statistic: ``acc_x_mean``, ``eda_0_slope``. A channel without measured frames is NaN.

    Raises
    ------
    ImportError
        If pandas is not installed.
    TypeError
        If called on something else than Views.
    ValueError
        If two columns would have the same name.

    Notes
    -----
    std divides by the number of measured frames. slope is that of the least-squares line, per
    second if the rate is known, otherwise per time step; it is 0 for a single frame. NaN behind
    the end of clips changes nothing, up to rounding. Source: ours.

    Examples
    --------
    >>> from stf2m_sk.views import Views
    >>> views = Views({"hr": [[[61, 63, float("nan")]], [[70, 69, 68]]]}, rates={"hr": 1})
    >>> views.to_table()
       hr_0_mean  hr_0_std  hr_0_min  hr_0_max  hr_0_slope
    0       62.0  1.000000      61.0      63.0         2.0
    1       69.0  0.816497      68.0      70.0        -1.0

    Any classifier of scikit-learn that takes NaN:

    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> table = FunctionTransformer(Views.to_table)
    >>> make_pipeline(table, HistGradientBoostingClassifier()).fit(views, [0, 1]).predict(views)
    array([0, 0])
    """
    _check_views(views, "to_table")
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("Views.to_table needs pandas: pip install pandas") from error
    names = _column_names(views.schema)
    parts = [_statistics(views[modality.name], modality.rate) for modality in views.schema]
    values = np.concatenate(parts, axis=1).reshape(len(views), len(names))
    return pd.DataFrame(values, columns=names)


def _check_views(views: Any, method: str) -> None:
    # FunctionTransformer(Views.to_panel) calls the function with any X.
    if not isinstance(getattr(views, "schema", None), ViewSchema):
        raise TypeError(
            f"{method} takes Views, given {type(views).__name__}; stf2m_sk.views.as_views "
            "converts arrays, dicts and data frames"
        )


def _rates(schema: ViewSchema) -> list[float]:
    """Frames per second of each modality, or per clip if any rate is unknown."""
    known = [modality.rate for modality in schema if modality.rate is not None]
    return known if len(known) == len(schema) else [float(m.n_timesteps) for m in schema]


def _clock(schema: ViewSchema, rate: float | None, length: int | None) -> tuple[float, int]:
    """Rate and number of time steps of the panel."""
    rates = _rates(schema)
    duration = max(m.n_timesteps / own for m, own in zip(schema, rates, strict=True))
    if length is not None:
        if rate is not None:
            raise ValueError(f"give rate or n_timesteps, not both: {rate!r} and {length!r}")
        length = _positive_int(length)
        return length / duration, length
    rate = max(rates) if rate is None else _positive_rate(rate, schema)
    return rate, max(1, round(duration * rate))


def _positive_int(length: Any) -> int:
    if isinstance(length, bool) or not hasattr(length, "__index__"):
        raise TypeError(f"n_timesteps must be an int, given {length!r}")
    if length < 1:
        raise ValueError(f"n_timesteps must be at least 1, given {length}")
    return operator.index(length)


def _positive_rate(rate: Any, schema: ViewSchema) -> float:
    if not isinstance(rate, Real) or isinstance(rate, bool) or not 0 < rate < math.inf:
        raise ValueError(f"rate must be positive and finite (Hz), given {rate!r}")
    unknown = [modality.name for modality in schema if modality.rate is None]
    if unknown:
        raise ValueError(f"rate needs the rates of all modalities; unknown: {unknown}")
    return float(rate)


def _fill_with_mean(block: NDArray, array: NDArray) -> None:
    missing = np.isnan(block)
    if missing.any():
        means = np.concatenate([_centred(_float64(part))[0] for part in clip_blocks(array)])
        np.copyto(block, np.nan_to_num(means)[:, :, None], casting="same_kind", where=missing)


def _float64(values: NDArray) -> NDArray[np.float64]:
    # The order in memory decides how a sum is rounded.
    return np.ascontiguousarray(values, dtype=np.float64)


def _centred(values: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Means over the measured frames, and values less the mean, 0 where not measured."""
    measured = ~np.isnan(values)
    lowest = np.fmin.reduce(values, axis=2)[:, :, None]
    above = np.where(measured, values - lowest, 0.0)  # constants are 0 without rounding
    mean = above.sum(axis=2, keepdims=True) / _count(measured)
    return (lowest + mean)[:, :, 0], np.where(measured, above - mean, 0.0)


def _count(measured: NDArray[np.bool_]) -> NDArray[np.float64]:
    count = measured.sum(axis=2, keepdims=True)
    return np.where(count > 0, count, np.nan)


def _statistics(array: NDArray, rate: float | None) -> NDArray[np.float64]:
    """Statistics of each channel, (n_clips, n_channels, n_statistics)."""
    times = np.arange(array.shape[2]) / (rate or 1.0)
    return np.concatenate([_block_statistics(_float64(b), times) for b in clip_blocks(array)])


def _block_statistics(values: NDArray[np.float64], times: NDArray) -> NDArray[np.float64]:
    measured = ~np.isnan(values)
    count = _count(measured)
    mean, deviation = _centred(values)
    std = np.sqrt((deviation**2).sum(axis=2) / count[:, :, 0])
    low, high = np.fmin.reduce(values, axis=2), np.fmax.reduce(values, axis=2)
    return np.stack([mean, std, low, high, _slope(deviation, measured, times)], axis=2)


def _slope(deviation: NDArray, measured: NDArray, times: NDArray) -> NDArray[np.float64]:
    """Least-squares slopes: 0 for a single measured frame, NaN for none."""
    count = _count(measured)
    mean = np.where(measured, times, 0.0).sum(axis=2, keepdims=True) / count
    centred = np.where(measured, times - mean, 0.0)
    spread = (centred**2).sum(axis=2)
    return (centred * deviation).sum(axis=2) / np.where(spread > 0, spread, count[:, :, 0])


def _column_names(schema: ViewSchema) -> list[str]:
    names = [
        f"{modality.name}_{channel}_{statistic}"
        for modality in schema
        for channel in _channels(modality)
        for statistic in _STATISTICS
    ]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"two columns would be named {twice[0]!r}; rename a modality or channel")
    return names


def _channels(modality: Modality) -> tuple[str, ...]:
    return modality.channel_names or tuple(map(str, range(modality.n_channels)))

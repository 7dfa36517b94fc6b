"""From Views back to the form in which X came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.views import Views, ViewSchema


def names_in(X: Any, views: Views) -> tuple[str, ...]:
    """Names of the modalities that X itself has, in its order.

    Views that were brought to a schema have them all; only Views and mappings can lack some.
    """
    if isinstance(X, Views):
        return X.names
    return tuple(X) if isinstance(X, Mapping) else views.names


def is_table(X: Any) -> bool:
    """Tell whether X, which `as_views` has read, is two-dimensional."""
    if isinstance(X, Views | Mapping) or _is_list_of_modalities(X):
        return False
    return (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) == 2


def in_the_form_of(X: Any, views: Views) -> Any:
    """Return `views` in the form that X has: Views, dict, list, tuple, or an array.

    In a 3-D array the channels of all modalities stand one after the other; a modality shorter
    than the longest ends in NaN. A 2-D array is the flat form.
    """
    if isinstance(X, Views):
        return views
    if isinstance(X, Mapping):
        return views.to_dict()
    if _is_list_of_modalities(X):
        return type(X)(views.to_dict().values())
    return views.to_flat() if is_table(X) else _stacked_channels(views)


def with_arrays(
    views: Views, arrays: dict[str, NDArray], rates: Mapping[str, float | None] | None = None
) -> Views:
    """Views of new arrays with the channel names of `views`, and with its rates by default."""
    schema = views.schema
    return Views(
        arrays,
        rates={m.name: m.rate for m in schema} if rates is None else rates,
        channel_names={m.name: m.channel_names for m in schema},
    )


def finite_cast(values: NDArray[np.float64], dtype: np.dtype, name: str) -> NDArray[np.floating]:
    """Return the results for the modality `name` as `dtype`; ValueError if one is too large."""
    with np.errstate(over="ignore"):
        converted = values.astype(dtype, copy=False)
    if np.isinf(converted).any():
        raise ValueError(
            f"modality {name!r}: a result is too large for {dtype}; give X in a larger unit"
        )
    return converted


def flat_names(schema: ViewSchema) -> NDArray[np.object_]:
    """Names of the columns of the flat form, ``<modality>_<channel>_<time step>``."""
    names = [
        f"{modality.name}_{channel}_{step}"
        for modality in schema
        for channel in modality.channel_names or range(modality.n_channels)
        for step in range(modality.n_timesteps)
    ]
    return np.asarray(names, dtype=object)


def _is_list_of_modalities(X: Any) -> bool:
    # As in as_views: any other list is read as rows.
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(isinstance(array, np.ndarray) and array.ndim == 3 for array in X)
    )


def _stacked_channels(views: Views) -> NDArray[np.floating]:
    longest = max(modality.n_timesteps for modality in views.schema)
    n_channels = sum(modality.n_channels for modality in views.schema)
    stacked = np.full((views.n_clips, n_channels, longest), np.nan, dtype=views.dtype)
    start = 0
    for modality in views.schema:
        stop = start + modality.n_channels
        stacked[:, start:stop, : modality.n_timesteps] = views[modality.name]
        start = stop
    return stacked

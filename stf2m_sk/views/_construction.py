"""Arrays and schema of new Views, checked together."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk.views._arrays import check_not_infinite, check_some_clips, real_array
from stf2m_sk.views._schema import Modality, ViewSchema

_ONE_CLIP = "; if it is one clip, give it a first axis: array[None]"


def checked_modalities(
    modalities: Mapping[str, ArrayLike],
    rates: Mapping[str, float | None] | None,
    channel_names: Mapping[str, Any] | None,
) -> tuple[dict[str, NDArray[np.floating]], ViewSchema]:
    """Return the arrays by name, of one dtype, and their schema.

    Raises
    ------
    TypeError, ValueError
        If they do not make Views; the docstring of `Views` says when.
    """
    arrays = _clips_by_modality(modalities)
    rates = _by_modality(rates, "rates", arrays)
    channel_names = _by_modality(channel_names, "channel_names", arrays)
    schema = ViewSchema(
        Modality(name, *array.shape[1:], rates.get(name), channel_names.get(name))
        for name, array in arrays.items()
    )
    for name, array in arrays.items():
        check_some_clips(array.shape, f"modality {name!r}")
        check_not_infinite(array, name)
    return dict(zip(schema.names, arrays.values(), strict=True)), schema


def _clips_by_modality(modalities: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.floating]]:
    if not isinstance(modalities, Mapping):
        raise TypeError(
            "modalities must be a mapping of name to array, "
            f"given {type(modalities).__name__}; as_views reads other forms"
        )
    if not modalities:
        raise ValueError("expected at least one modality, given an empty mapping")
    arrays = {}
    for name, values in modalities.items():
        label = f"modality {name!r}"
        array = real_array(values, label)
        if array.ndim != 3:
            raise ValueError(
                f"{label}: expected an array of shape (n_clips, n_channels, n_timesteps), "
                f"given the shape {array.shape}{_ONE_CLIP if array.ndim == 2 else ''}"
            )
        arrays[name] = array
    if len({len(array) for array in arrays.values()}) > 1:
        counts = ", ".join(f"{name!r} {len(array)}" for name, array in arrays.items())
        raise ValueError(f"all modalities must have the same number of clips, given {counts}")
    common = np.result_type(*(array.dtype for array in arrays.values()))
    return {name: array.astype(common, copy=False) for name, array in arrays.items()}


def _by_modality(values: Mapping | None, what: str, arrays: Mapping) -> Mapping:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{what} must be a mapping by modality or None, given {type(values).__name__}"
        )
    unknown = [name for name in values if name not in arrays]
    if unknown:
        raise ValueError(f"{what} mention {unknown}, but the modalities are {list(arrays)}")
    return values

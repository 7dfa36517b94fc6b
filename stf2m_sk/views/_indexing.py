"""Which clips a key selects."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NO_COLUMNS = (
    "Views are indexed by clip, or by the name of one modality; use .select(*names) for "
    "several modalities, np.asarray(views) for columns of the flat form"
)


def clip_key(key: Any, n_clips: int) -> slice | NDArray:
    """Return the slice or the one-dimensional index array that selects the clips of `key`.

    Parameters
    ----------
    key : int, slice, Ellipsis, boolean mask, sequence of int, or a tuple of one and Ellipsis
        What was written between the brackets. The tuple is the form in which scikit-learn
        takes rows, ``X[key, ...]``.
    n_clips : int
        Number of clips there are.

    Raises
    ------
    IndexError
        If an index is out of range, or a mask or an index array has the wrong shape.
    TypeError
        If the key is of another type or asks for columns.
    """
    if isinstance(key, tuple):
        key = _first_axis(key)
    if key is Ellipsis:
        return slice(None)
    if isinstance(key, slice):
        return key
    indices = np.asarray(key)
    if indices.size == 0 and not isinstance(key, np.ndarray):
        indices = indices.astype(np.intp)  # NumPy reads [] as float64
    if indices.dtype.kind in "iu":
        return _integer_key(indices, n_clips)
    if indices.dtype.kind == "b" and indices.ndim > 0:
        return _mask_key(indices, n_clips)
    raise TypeError(f"{_NO_COLUMNS}; given {key!r}")


def _first_axis(key: tuple) -> Any:
    if len(key) == 1:
        return key[0]
    if len(key) == 2:
        rest = key[1]
        if rest is Ellipsis or (isinstance(rest, slice) and rest == slice(None)):
            return key[0]
    raise TypeError(f"{_NO_COLUMNS}; given {key!r}")


def _integer_key(indices: NDArray, n_clips: int) -> slice | NDArray:
    if indices.ndim > 1:
        raise IndexError(
            f"clips are indexed by one-dimensional arrays, given the shape {indices.shape}"
        )
    outside = indices[(indices < -n_clips) | (indices >= n_clips)]
    if outside.size:
        raise IndexError(f"clip {outside.flat[0]} is out of range for {n_clips} clips")
    if indices.ndim == 1:
        return indices
    start = int(indices) % n_clips
    return slice(start, start + 1)


def _mask_key(mask: NDArray, n_clips: int) -> NDArray:
    if mask.shape != (n_clips,):
        raise IndexError(f"a mask of shape {mask.shape} does not fit {n_clips} clips")
    return mask

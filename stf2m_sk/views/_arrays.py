"""Real floating-point arrays from what a caller gives, without a copy where none is needed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

_VALUES_AT_ONCE = 2**20  # when values are only looked at


def plain_array(values: ArrayLike, label: str) -> NDArray:
    """Return `values` as a plain array; masked entries become NaN, which means not measured.

    Raises
    ------
    TypeError
        If `values` is sparse.
    ValueError
        If `values` is ragged. `label` says in the message whose values they are.
    """
    if issparse(values):
        raise TypeError(
            f"Sparse data was passed for {label}, but dense data is required. "
            "Use '.toarray()' to convert to a dense numpy array."
        )
    if isinstance(values, np.ma.MaskedArray):
        return values.astype(_float_dtype(values.dtype, label)).filled(np.nan)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{label}: cannot be read as a regular array ({error}); "
            "pad shorter clips with NaN to one length"
        ) from error


def real_array(values: ArrayLike, label: str) -> NDArray[np.floating]:
    """Return `values` as float32 or float64 in native byte order.

    Values keep their precision: float16, bool and integers of at most 16 bits fit float32,
    everything else becomes float64.

    Raises
    ------
    TypeError
        If `values` is sparse.
    ValueError
        If `values` is ragged or not real numbers.
    """
    array = plain_array(values, label)
    with np.errstate(over="ignore"):  # a longdouble too large turns infinite, an error later
        return array.astype(_float_dtype(array.dtype, label), copy=False)


def check_not_infinite(array: NDArray[np.floating], name: str) -> None:
    """Raise a ValueError that says where in the modality `name` the first infinite value is."""
    n_before = 0
    for part in clip_blocks(array):
        infinite = np.isinf(part)
        if infinite.any():
            clip, channel, step = np.argwhere(infinite)[0]
            raise ValueError(
                f"modality {name!r}, clip {n_before + clip}, channel {channel}, time step {step}: "
                f"infinite value ({part[clip, channel, step]}); use NaN for what was not measured"
            )
        n_before += len(part)


def any_measured(array: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether a clip has any value that is not NaN, (n_clips,)."""
    return np.concatenate([~np.isnan(part).all(axis=(1, 2)) for part in clip_blocks(array)])


def clip_blocks(array: NDArray) -> Iterator[NDArray]:
    """Blocks of clips, at least one, so that masks and copies of all values are never needed."""
    n_clips = max(1, _VALUES_AT_ONCE // max(1, array[:1].size))
    return (array[start : start + n_clips] for start in range(0, max(1, len(array)), n_clips))


def check_some_clips(shape: tuple[int, ...], owner: str) -> None:
    """Raise a ValueError in scikit-learn's words if there is no clip along the first axis."""
    if shape[0] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required. "
            f"{owner} has no clips."
        )


def cast(array: NDArray[np.floating], dtype: np.dtype, name: str) -> NDArray[np.floating]:
    """Return the values of the modality `name` as `dtype`; ValueError if one is too large."""
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if np.isinf(converted).any():
        raise ValueError(f"modality {name!r} holds values too large for {dtype}; scale them first")
    return converted


def stack_padded(blocks: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    """Join blocks (n_clips, n_channels, n_timesteps) along the clips, shorter ones end in NaN."""
    shape = (sum(map(len, blocks)), blocks[0].shape[1], max(block.shape[2] for block in blocks))
    stacked = np.full(shape, np.nan, dtype=np.result_type(*blocks))
    start = 0
    for block in blocks:
        stacked[start : start + len(block), :, : block.shape[2]] = block
        start += len(block)
    return stacked


def _float_dtype(dtype: np.dtype, label: str) -> np.dtype:
    if dtype.kind == "c":
        raise ValueError(f"{label}: Complex data not supported, given dtype {dtype}")
    if dtype.kind not in "fiub":
        raise ValueError(f"{label}: expected real numbers, given dtype {dtype}")
    widest_in_float32 = 4 if dtype.kind == "f" else 2
    return np.dtype(np.float32 if dtype.itemsize <= widest_in_float32 else np.float64)

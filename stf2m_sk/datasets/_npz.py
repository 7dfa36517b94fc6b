"""Reading a user's own recording from one .npz file."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stf2m_sk.datasets._dataset import Dataset
from stf2m_sk.views import Views


def load_npz(path: str | os.PathLike[str]) -> Dataset:
    """Load your own recording from one ``.npz`` file.

    Save the arrays with `numpy.savez_compressed`, under these names:

    ========================= ========================================== ========================
    name                      shape                                      meaning
    ========================= ========================================== ========================
    any                       ``(n_clips, n_channels, n_timesteps)``     a modality; NaN = not
                                                                         measured
    ``y``                     ``(n_clips,)``                             the labels
    ``groups``                ``(n_clips,)``, optional                   the person in each clip
    ``length``                ``(n_clips,)`` of int, optional            frames of each clip that
                                                                         exist, from the start;
                                                                         those behind become NaN
    ``length_<modality>``     ``(n_clips,)`` of int, optional            the same for one modality
    ``rate_<modality>``       ``()``, optional                           sampling rate in Hz
    ``channels_<modality>``   ``(n_channels,)`` of str, optional         names of the channels
    any other                 ``(n_clips,)``                             kept in ``metadata``
    ========================= ========================================== ========================

    Modalities may differ in their number of channels and time steps. ``length`` then needs the
    form for one modality, since frames of different rates cannot share one number.

    Parameters
    ----------
    path : str or path-like
        The file. It is read with ``allow_pickle=False``: reading it runs no code.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        views : Views of n_clips
            The modalities in the order of the file, with rates and channel names where given.
        target : ndarray of shape (n_clips,)
            ``y`` as stored.
        target_names : ndarray
            The different labels in ``y``, sorted.
        groups : ndarray of shape (n_clips,) or None
            ``groups`` as stored; None if the file has none.
        metadata : dict of str to ndarray of shape (n_clips,)
            The other 1-D arrays.

    Raises
    ------
    FileNotFoundError
        If there is no file at `path`.
    ValueError
        If the file is not an ``.npz`` of plain arrays, has no modality or no ``y``, holds an
        array that has no place in the layout, or arrays that do not fit each other, or an
        infinite value.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from stf2m_sk.datasets import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "mine.npz")
    ...     np.savez_compressed(
    ...         path,
    ...         eda=np.zeros((3, 1, 4)),
    ...         rate_eda=2.0,
    ...         length=[4, 4, 2],
    ...         y=["calm", "calm", "joy"],
    ...         groups=["ann", "bob", "bob"],
    ...         age=[31, 45, 45],
    ...     )
    ...     mine = load_npz(path)
    >>> mine.views["eda"][2, 0]
    array([ 0.,  0., nan, nan])
    >>> mine.target_names.tolist(), mine.metadata["age"].tolist()
    (['calm', 'joy'], [31, 45, 45])
    """
    path = Path(path)
    arrays = _read_arrays(path)
    try:
        return _arrange(arrays)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


# What a zip file or an array in it that was cut or overwritten makes its readers raise.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, tokenize.TokenError, SyntaxError)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}; expected an .npz written by numpy.savez")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file; write it with numpy.savez_compressed")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: _read_array(path, file, name) for name in file.files}
    except _DAMAGED as error:
        raise ValueError(f"{path} is damaged: {error}. Write it again.") from error


def _read_array(path: Path, file: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        array = file[name]
    except ValueError as error:
        raise ValueError(
            f"{path}: array {name!r} cannot be read ({error}). Pickled objects are refused, "
            "because reading them can run code; store plain numbers or strings"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path} is a zip file, but {name!r} in it is not an array")
    return array


def _arrange(arrays: dict[str, np.ndarray]) -> Dataset:
    rest = dict(arrays)
    modalities = {name: rest.pop(name) for name, array in arrays.items() if array.ndim == 3}
    if not modalities:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ValueError(
            f"no modality: expected an array (n_clips, n_channels, n_timesteps), given {shapes}"
        )
    if "y" not in rest:
        raise ValueError(f"no labels: expected a 1-D array named 'y', given {sorted(arrays)}")
    rates = _pop_by_modality(rest, "rate", modalities, ndim=0)
    channel_names = _pop_by_modality(rest, "channels", modalities, ndim=1)
    _check_shapes(rest, modalities)
    modalities = _cut(modalities, _pop_lengths(rest, modalities))
    views = Views(modalities, rates=rates, channel_names=channel_names)
    target, groups = rest.pop("y"), rest.pop("groups", None)
    return Dataset(
        views=views,
        target=target,
        target_names=np.unique(target),
        groups=groups,
        metadata=rest,
    )


def _pop_by_modality(
    rest: dict[str, np.ndarray], role: str, modalities: Iterable[str], *, ndim: int
) -> dict[str, Any]:
    """Take ``<role>_<modality>`` out of `rest`, as Python values by modality."""
    found = {}
    for modality in modalities:
        name = f"{role}_{modality}"
        if name not in rest:
            continue
        if rest[name].ndim != ndim:
            raise ValueError(f"{name!r} must have {ndim} axes, given shape {rest[name].shape}")
        found[modality] = rest.pop(name).tolist()
    return found


def _check_shapes(rest: dict[str, np.ndarray], modalities: dict[str, np.ndarray]) -> None:
    for name, array in rest.items():
        if array.ndim != 1:
            raise ValueError(
                f"array {name!r} of shape {array.shape} has no place in the layout: a modality "
                f"(here {list(modalities)}) is 3-D, rate_<modality> a scalar, all else 1-D"
            )
    first = next(iter(modalities))
    n_clips = len(modalities[first])
    for name, array in (modalities | rest).items():
        if len(array) != n_clips:
            raise ValueError(
                f"{name!r} has {len(array)} entries, but modality {first!r} has {n_clips} clips; "
                "expected one entry for each clip"
            )


def _pop_lengths(
    rest: dict[str, np.ndarray], modalities: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Take the lengths out of `rest`, by modality; only those that have one."""
    own = {name: rest.pop(f"length_{name}") for name in modalities if f"length_{name}" in rest}
    if "length" not in rest:
        return own
    n_timesteps = {name: a.shape[2] for name, a in modalities.items() if name not in own}
    if len(set(n_timesteps.values())) > 1:
        raise ValueError(
            f"'length' counts frames, but the modalities have different numbers of time steps "
            f"({n_timesteps}); give length_<modality> for each"
        )
    return dict.fromkeys(n_timesteps, rest.pop("length")) | own


def _cut(
    modalities: dict[str, np.ndarray], lengths: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Set the frames past a clip's length to NaN."""
    cut = dict(modalities)
    for name, length in lengths.items():
        n_timesteps = modalities[name].shape[2]
        if length.dtype.kind not in "iu":
            raise ValueError(f"lengths must be integers, given {length.dtype} for {name!r}")
        outside = np.flatnonzero((length < 0) | (length > n_timesteps))
        if len(outside):
            raise ValueError(
                f"lengths for {name!r} must lie in 0 to {n_timesteps} (its time steps), given "
                f"{length[outside[0]]} for clip {outside[0]}"
            )
        exists = np.arange(n_timesteps) < length[:, np.newaxis, np.newaxis]
        # np.float16 is the narrowest type with a NaN: it widens integers and leaves floats alone.
        cut[name] = np.where(exists, modalities[name], np.float16(np.nan))
    return cut

"""What all readers share: checks of a path, errors with a place, values that stay in a file."""

from __future__ import annotations

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from stf2m_sk.recordings._errors import RecordingError, RecordingWarning

__all__ = [
    "FileValues",
    "as_recording_error",
    "existing_file",
    "unique_names",
    "warn_of_recording",
    "warn_unless_line_ends",
]


def existing_file(path: str | PathLike) -> Path:
    """The path of a file that is there and not empty.

    Parameters
    ----------
    path : path-like
        Path of a file.

    Returns
    -------
    Path

    Raises
    ------
    RecordingError
        If there is no such file, if it is a folder, or if it is empty.

    Examples
    --------
    >>> from stf2m_sk.recordings._files import existing_file
    >>> existing_file("nowhere.wav")
    Traceback (most recent call last):
    ...
    stf2m_sk.recordings._errors.RecordingError: nowhere.wav: there is no such file
    """
    path = Path(path)
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file")
    if not path.is_file():
        raise RecordingError(f"{path}: a file was expected, this is a folder")
    if path.stat().st_size == 0:
        raise RecordingError(f"{path}: the file is empty")
    return path


@contextmanager
def as_recording_error(
    place: object, *kinds: type[BaseException], hint: str = ""
) -> Iterator[None]:
    """Turn a library's errors about a damaged file into a `RecordingError` with the place.

    Parameters
    ----------
    place : object
        What the message begins with: path, and where in it.
    *kinds : exception types
        What the library raises on damaged files.
    hint : str, default=""
        What the user can do.

    Raises
    ------
    RecordingError
        Instead of one of the kinds, which becomes its cause.
    """
    try:
        yield
    except RecordingError:
        raise
    except kinds as error:
        told = str(error) or type(error).__name__
        raise RecordingError(f"{place}: cannot be read ({told}){hint}") from error


def warn_of_recording(message: str) -> None:
    """Warn with a `RecordingWarning` that points to the first caller outside of this package."""
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("stf2m_sk."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, RecordingWarning, stacklevel=level)


def warn_unless_line_ends(path: Path) -> None:
    """Warn if a text file does not end with a line break: its last row may be cut short."""
    with path.open("rb") as file:
        file.seek(-1, 2)
        last = file.read(1)
    if last not in b"\r\n":
        warn_of_recording(
            f"{path}: the last row does not end with a line break; if the file was cut short, "
            "that row is wrong"
        )


def unique_names(names: Sequence[str]) -> list[str]:
    """Names without repetition: the second "EMG" becomes "EMG 2".

    Examples
    --------
    >>> from stf2m_sk.recordings._files import unique_names
    >>> unique_names(["EMG", "ECG", "EMG"])
    ['EMG', 'ECG', 'EMG 2']
    """
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in unique:
            number += 1
            candidate = f"{name} {number}"
        unique.append(candidate)
    return unique


class FileValues(ABC):
    """Values that stay in a file until a slice of time is taken.

    Nothing stays open between two slices, so that such values can be pickled and sent to other
    processes.

    Parameters
    ----------
    path : Path
        File with the values.
    shape : tuple of int
        Time is last.
    dtype : dtype
        Of the slices.

    Notes
    -----
    A subclass says how samples are read, in `_read`.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @abstractmethod
    def _read(self, first: int, last: int) -> NDArray:
        """Samples first to last - 1, where 0 <= first < last <= n_samples."""

    def __getitem__(self, key: tuple) -> NDArray:
        """Values at ``[..., first:last]``, as a NumPy array."""
        match key:
            case (e, slice(step=None | 1)) if e is Ellipsis:
                first, last, _ = key[1].indices(self.shape[-1])
            case _:
                raise TypeError(
                    f"values in a file are read as values[..., first:last], got the key {key!r}"
                )
        if last <= first:
            return np.empty((*self.shape[:-1], 0), dtype=self.dtype)
        return self._read(first, last)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray:
        """All values: the whole file is read."""
        if copy is False:
            raise ValueError("values in a file cannot become an array without a copy")
        return np.asarray(self[..., :], dtype=dtype)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"{type(self).__name__}({size} of {self.dtype} in {self.path})"

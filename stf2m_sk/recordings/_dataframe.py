"""Signals from the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._clock import seconds_of
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import warn_of_recording
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._regular import regular_grid
from stf2m_sk.recordings._signal import Signal

__all__ = ["Columns", "from_dataframe"]


def from_dataframe(
    frame: pd.DataFrame,
    *,
    time: str | None = None,
    rate: float | None = None,
    start: float = 0.0,
    columns: Sequence[str] | None = None,
    signals: Mapping[str, Sequence[str]] | None = None,
    unit: str | Mapping[str, str] = "",
    person: str = "",
    name: str = "",
) -> Recording:
    """Make a recording of the columns of a DataFrame.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        A row for each moment. Empty cells are NaN: not measured.
    time : str, default=None
        Column with the times of the rows: seconds, or dates and times with a UTC offset, which
        become seconds since 1970. None means that rows follow each other at `rate`.
    rate : float, default=None
        Rows a second. Beside a time column, the nominal rate, of which the measured one may
        differ by one in a hundred; None takes one over the mean step, leaving out gaps.
    start : float, default=0.0
        Time of the first row in seconds, where there is no time column.
    columns : sequence of str, default=None
        Columns to use, each a signal of its own. None: all with numbers but the time column.
    signals : mapping of str to sequence of str, default=None
        Columns of each signal, by the signal's name, such as ``{"acc": ["x", "y", "z"]}``;
        instead of `columns`.
    unit : str or mapping of str to str, default=""
        Unit of all signals, or of each by name.
    person : str, default=""
        Who was recorded.
    name : str, default=""
        Name of the recording.

    Returns
    -------
    Recording
        Values in float64. Each time of the regular grid has the nearest row within half a step;
        in gaps, values are NaN.

    Raises
    ------
    RecordingError
        If a column is missing, a cell is no number or infinite, times are missing, repeated, run
        backwards, do not fit a regular grid, or do not fit the given rate. Row and column are
        named; rows are counted from 0.
    ValueError
        If neither time nor rate is given, or both columns and signals are.

    Warns
    -----
    RecordingWarning
        If columns of text are left out, because neither columns nor signals is given.

    Examples
    --------
    >>> import pandas as pd
    >>> from stf2m_sk.recordings import from_dataframe
    >>> frame = pd.DataFrame({"t": [10, 10.5, 11.5], "eda": [0.1, 0.2, 0.4]})
    >>> recording = from_dataframe(frame, time="t", unit={"eda": "uS"})
    >>> recording["eda"]
    Signal(1x4 @ 2 Hz, 10 s to 12 s, uS)
    >>> recording["eda"].values
    array([[0.1, 0.2, nan, 0.4]])
    """
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"frame must be a pandas DataFrame, got {type(frame).__name__}")
    groups = Columns(time, rate, start, columns, signals, unit)
    return groups.recording(frame, "frame", lambda row: f"frame, row {row}", person, name)


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean; the fields are arguments of `from_dataframe`."""

    time: str | None
    rate: float | None
    start: float
    columns: Sequence[str] | None
    signals: Mapping[str, Sequence[str]] | None
    unit: str | Mapping[str, str]

    def __post_init__(self) -> None:
        if self.time is None and self.rate is None:
            raise ValueError("give time= (the column with times) or rate= (rows a second)")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be a positive number of Hz, got {self.rate}")
        if self.columns is not None and self.signals is not None:
            raise ValueError("give columns= or signals=, not both")

    def recording(
        self,
        frame: pd.DataFrame,
        source: str,
        place: Callable[[int], str],
        person: str,
        name: str,
    ) -> Recording:
        """The recording that a table holds.

        Parameters
        ----------
        frame : DataFrame of shape (n_rows, n_columns)
        source : str
            What an error calls the table.
        place : callable
            From the number of a row to what an error calls it.
        person, name : str
            Of the recording.

        Returns
        -------
        Recording
        """
        _check_table(frame, source)
        if self.time is not None:
            _column(frame, self.time, source)
        groups = self._groups(frame, source)
        values = {
            key: np.stack([_numbers(frame, column, source, place) for column in group])
            for key, group in groups.items()
        }
        rate, start = self.rate, self.start
        if self.time is not None:
            rate, start, rows = self._grid(frame, source, place)
            values = {key: np.where(rows >= 0, v[:, rows], np.nan) for key, v in values.items()}
        signals = {
            key: Signal(array, rate, start, self._unit_of(key), [str(c) for c in groups[key]])
            for key, array in values.items()
        }
        return Recording(signals, None, person, name)

    def _groups(self, frame: pd.DataFrame, source: str) -> dict[str, Sequence[str]]:
        if self.signals is not None:
            groups = dict(self.signals)
        else:
            columns = self.columns
            if columns is None:
                others = [column for column in frame.columns if column != self.time]
                columns = _with_numbers(frame[others], source)
            groups = {str(column): [column] for column in columns}
        if not groups or not all(len(group) for group in groups.values()):
            raise RecordingError(f"{source}: a signal needs at least one column with numbers")
        unknown = [] if isinstance(self.unit, str) else sorted(set(self.unit) - set(groups))
        if unknown:
            raise ValueError(f"unit names no signal: {unknown}; signals are {sorted(groups)}")
        return groups

    def _grid(
        self, frame: pd.DataFrame, source: str, place: Callable[[int], str]
    ) -> tuple[float, float, NDArray[np.intp]]:
        def cell(row: int) -> str:
            return f"{place(row)}, column {self.time!r}"

        times = seconds_of(_column(frame, self.time, source), cell)
        rate, rows = regular_grid(times, cell, self.rate)
        return rate, float(times[0]), rows

    def _unit_of(self, name: str) -> str:
        return self.unit if isinstance(self.unit, str) else self.unit.get(name, "")


def _check_table(frame: pd.DataFrame, source: str) -> None:
    if not len(frame):
        raise RecordingError(f"{source}: holds no rows")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise RecordingError(f"{source}: more than one column is named {twice!r}")


def _column(frame: pd.DataFrame, name: str, source: str) -> pd.Series:
    if name not in frame:
        raise RecordingError(
            f"{source}: no column named {name!r}; its columns are "
            f"{', '.join(map(repr, frame.columns))} (if that is one name, the separator is no "
            "comma: read the file with pandas and use from_dataframe)"
        )
    return frame[name]


def _with_numbers(frame: pd.DataFrame, source: str) -> list:
    """Columns with at least one number; a warning tells of the others."""
    kept = [
        name
        for name, column in frame.items()
        if column.isna().all() or not np.isnan(_as_numbers(column)).all()
    ]
    text = [str(name) for name in frame.columns if name not in kept]
    if text and kept:
        warn_of_recording(f"{source}: columns without numbers are left out: {', '.join(text)}")
    return kept


def _numbers(
    frame: pd.DataFrame, name: str, source: str, place: Callable[[int], str]
) -> NDArray[np.float64]:
    column = _column(frame, name, source)
    numbers = _as_numbers(column)
    wrong = (np.isnan(numbers) & column.notna().to_numpy()) | np.isinf(numbers)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RecordingError(
            f"{place(row)}, column {name!r}: expected a finite number or an empty cell, got "
            f"{column.iloc[row]!r}"
        )
    return numbers


def _as_numbers(column: pd.Series) -> NDArray[np.float64]:
    """The numbers of a column, NaN for all else."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not (pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column)):
        return np.full(len(column), np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)

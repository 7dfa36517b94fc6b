"""CSV files as they come from a spreadsheet: what is wrong with them is said in its words."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stf2m_sk.recordings import Recording, RecordingError, read_annotations, read_csv

__all__ = ["CsvLayout", "columns_of", "read_csv_recording", "read_labels"]

_TIME = "time"
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class CsvLayout(NamedTuple):
    """How CSV recordings are read.

    Attributes
    ----------
    time : str or None
        Column with the times. None where there are none.
    rate : float or None
        Rows a second; None where times tell it.
    """

    time: str | None = _TIME
    rate: float | None = None

    @classmethod
    def of(cls, time: str | None, rate: float | None) -> CsvLayout:
        """What --time and --rate mean: without both, a column called time."""
        return cls(_TIME if time is None and rate is None else time, rate)


def columns_of(path: Path) -> list[str]:
    """Names in the first row of a CSV file; none if it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return [cell.strip() for cell in next(csv.reader(file), [])]
    except csv.Error:
        return []


def read_csv_recording(path: Path, *, layout: CsvLayout) -> Recording:
    """Read a CSV recording.

    Parameters
    ----------
    path : Path
        A row for each moment; every column of numbers is a signal.
    layout : CsvLayout
        Where the times are.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        As `stf2m_sk.recordings.read_csv`; if there is no column of times, with the options that
        say where they are.
    """
    columns = _checked_columns(path)
    if columns and layout.time is not None and layout.time not in columns:
        raise RecordingError(
            f"{path}, row 1: no column named {layout.time!r}, only {', '.join(columns)}; name the "
            "column of times with --time COLUMN, or give the rows a second with --rate HZ"
        )
    return read_csv(path, time=layout.time, rate=layout.rate)


def read_labels(path: Path) -> pd.DataFrame:
    """Read a table of labels.

    Parameters
    ----------
    path : Path
        As of `stf2m_sk.recordings.read_annotations`.

    Returns
    -------
    DataFrame

    Raises
    ------
    RecordingError
        As `stf2m_sk.recordings.read_annotations`; if it holds no row.
    """
    if path.is_file():
        _checked_columns(path)
    table = read_annotations(path)
    if not len(table):
        raise RecordingError(f"{path}: holds no labels, only names of columns")
    return table


def _checked_columns(path: Path) -> list[str]:
    """Names of the columns of a table whose separator is the comma."""
    columns = columns_of(path)
    if len(columns) == 1:
        for separator, name in _OTHER_SEPARATORS.items():
            if separator in columns[0]:
                raise RecordingError(
                    f"{path}, row 1: the columns are separated by {name}; save the table as CSV "
                    "with commas, and with points in numbers"
                )
    if columns and not all(columns):
        raise RecordingError(
            f"{path}, row 1: a column has no name, given {','.join(columns)!r}; name every column "
            "or delete those without a name"
        )
    return columns

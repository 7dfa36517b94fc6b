"""Signals and annotations from CSV files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from stf2m_sk.recordings._clock import seconds_of
from stf2m_sk.recordings._dataframe import Columns
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import as_recording_error, existing_file, warn_unless_line_ends
from stf2m_sk.recordings._recording import Recording

__all__ = ["read_annotations", "read_csv"]

_TEXT = ("label", "person", "recording")  # names such as "01" stay what they are
_DAMAGED_CSV = (csv.Error, UnicodeDecodeError, pd.errors.ParserError, OverflowError)


def read_csv(
    path: str | PathLike,
    *,
    time: str | None = None,
    rate: float | None = None,
    start: float = 0.0,
    columns: Sequence[str] | None = None,
    signals: Mapping[str, Sequence[str]] | None = None,
    unit: str | Mapping[str, str] = "",
    person: str = "",
) -> Recording:
    r"""Read a recording from a CSV file with column names in its first row.

    Parameters
    ----------
    path : path-like
        Text in UTF-8, cells separated by commas. Empty cells, NA and NaN are not measured. For
        other layouts, read the file with pandas and use `from_dataframe`.
    time, rate, start, columns, signals, unit, person : as for `from_dataframe`
        Which columns are which signals, and when.

    Returns
    -------
    Recording
        As from `from_dataframe`; its name is the stem of the path.

    Raises
    ------
    RecordingError
        As for `from_dataframe`, and if the file is missing, empty, no UTF-8, has no column names,
        or has rows of different length. Path, row and column are named; row 1 is the first line.
    ValueError
        If neither time nor rate is given, or both columns and signals are.

    Warns
    -----
    RecordingWarning
        If the file does not end with a line break, so that its last row may be cut short, or if
        columns of text are left out.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from stf2m_sk.recordings import read_csv
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "walk.csv")
    ...     _ = path.write_text("x,y,z\n1,2,3\n4,5,6\n")
    ...     recording = read_csv(path, rate=32, signals={"acc": ["x", "y", "z"]}, unit="g")
    >>> recording.name, recording["acc"]
    ('walk', Signal(3x2 @ 32 Hz, 0 s to 0.0625 s, g))
    """
    groups = Columns(time, rate, start, columns, signals, unit)
    path = existing_file(path)
    frame = _checked_csv(path)
    return groups.recording(
        frame, str(path), lambda row: f"{path}, row {row + 2}", person, path.stem
    )


def read_annotations(path: str | PathLike) -> pd.DataFrame:
    r"""Read a table of annotations: who felt what, from when to when.

    Parameters
    ----------
    path : path-like
        CSV file with the columns `start`, `end` and `label`, and any others. Times are seconds,
        or dates and times with a UTC offset.

    Returns
    -------
    DataFrame
        Rows as in the file. `start` and `end` are seconds (since 1970 in UTC for dates); `label`,
        `person` and `recording` text. Other columns are numbers if all of their filled cells are,
        else text.

    Raises
    ------
    RecordingError
        If the file is missing, empty or no UTF-8, a column is missing, rows differ in length, a
        label is empty, a time is unreadable, or an end lies before its start. Path and row are
        named; row 1 is the first line.

    Warns
    -----
    RecordingWarning
        If the file does not end with a line break: its last row may be cut short.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from stf2m_sk.recordings import read_annotations
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     _ = path.write_text("start,end,label,valence\n0,60,calm,6\n60,90.5,joy,8\n")
    ...     print(read_annotations(path))
       start   end label  valence
    0    0.0  60.0  calm        6
    1   60.0  90.5   joy        8
    """
    path = existing_file(path)
    # Text keeps its "NA" and "None".
    frame = _checked_csv(path, dtype=str, keep_default_na=False)
    missing = [column for column in ("start", "end", "label") if column not in frame]
    if missing:
        raise RecordingError(
            f"{path}, row 1: no column named {', '.join(missing)}; its columns are "
            f"{', '.join(frame.columns)}"
        )
    for column in frame.columns:
        frame[column] = frame[column].str.strip()
    for column in ("start", "end"):
        frame[column] = seconds_of(frame[column], lambda row, c=column: _cell(path, row, c))
    for row, (start, end, label) in enumerate(
        zip(frame.start, frame.end, frame.label, strict=True)
    ):
        if end < start:
            raise RecordingError(
                f"{path}, row {row + 2}: end {end:.12g} lies before start {start:.12g}"
            )
        if not label:
            raise RecordingError(f"{_cell(path, row, 'label')}: the label is empty")
    for column in frame.columns.difference(["start", "end", *_TEXT]):
        frame[column] = _numbers_if_all_are(frame[column])
    return frame


def _cell(path: Path, row: int, column: str) -> str:
    return f"{path}, row {row + 2}, column {column!r}"


def _numbers_if_all_are(column: pd.Series) -> pd.Series:
    filled = column != ""
    numbers = pd.to_numeric(column.where(filled), errors="coerce")
    return numbers if filled.any() and numbers.notna().equals(filled) else column


def _checked_csv(path: Path, **how: object) -> pd.DataFrame:
    """The table of a CSV file whose rows are all as long as the first, which names the columns."""
    warn_unless_line_ends(path)
    with as_recording_error(path, *_DAMAGED_CSV):
        frame = pd.read_csv(
            path,
            encoding="utf-8-sig",
            nrows=_check_rows(path),
            skip_blank_lines=False,
            index_col=False,
            float_precision="round_trip",  # numbers to the last bit
            low_memory=False,
            **how,
        )
    return frame.rename(columns=str.strip)


def _check_rows(path: Path) -> int:
    """Number of rows below the first, without blank lines at the end."""
    n_rows = blank = 0
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        header = next(reader, [])
        _check_header(path, header)
        for number, row in enumerate(reader, 2):
            if not row:
                blank = blank or number
                continue
            if blank:
                raise RecordingError(f"{path}, row {blank}: the row is empty")
            if len(row) != len(header):
                raise RecordingError(
                    f"{path}, row {number}: expected {len(header)} cells, as in row 1, "
                    f"got {len(row)}"
                )
            n_rows += 1
    return n_rows


def _check_header(path: Path, header: list[str]) -> None:
    names = [cell.strip() for cell in header]
    if not names or not all(names):
        raise RecordingError(
            f"{path}, row 1: expected a name for each column, got {','.join(header)!r} "
            "(pandas: to_csv(index=False))"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecordingError(f"{path}, row 1: more than one column is named {twice!r}")
    if any(_is_number(name) for name in names):
        raise RecordingError(
            f"{path}, row 1: expected names of columns, got numbers: {','.join(header)!r}"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True

"""Times as people write them, as seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError

__all__ = ["seconds_of"]

_TOO_LATE = 1e11  # seconds: the year 5138, or a time in milliseconds
_EXPECTED = "expected seconds, or a date and time with its UTC offset (2022-02-07T09:39:00+00:00)"


def seconds_of(column: pd.Series, place: Callable[[int], str]) -> NDArray[np.float64]:
    """Seconds from a column of times.

    Parameters
    ----------
    column : Series of shape (n_rows,)
        Numbers of seconds, or dates and times with a UTC offset; not both.
    place : callable
        From the number of a row to the place that an error names.

    Returns
    -------
    array of shape (n_rows,)
        Numbers as they are; dates and times as seconds since 1970 in UTC, to the microsecond.

    Raises
    ------
    RecordingError
        If a time is missing, unreadable, without UTC offset, of another kind than the first, or
        so large that it must be in milliseconds.

    Examples
    --------
    >>> import pandas as pd
    >>> from stf2m_sk.recordings._clock import seconds_of
    >>> times = pd.Series(["1970-01-01T00:00:30Z", "1970-01-01T01:01:00.5+01:00"])
    >>> seconds_of(times, "row {}".format)
    array([30. , 60.5])
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        seconds = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        seconds = _from_cells(column, place)
    wrong = ~np.isfinite(seconds) | (np.abs(seconds) >= _TOO_LATE)
    if wrong.any():
        row = int(np.argmax(wrong))
        if np.isfinite(seconds[row]):
            raise RecordingError(
                f"{place(row)}: the time {seconds[row]:g} is too large for seconds; divide "
                "milliseconds by 1000"
            )
        raise RecordingError(f"{place(row)}: the time is missing; {_EXPECTED}")
    return seconds


def _from_cells(column: pd.Series, place: Callable[[int], str]) -> NDArray[np.float64]:
    seconds = np.empty(len(column))
    dates = False
    for row, cell in enumerate(column):
        seconds[row], is_date = _from_cell(cell, lambda row=row: place(row))
        if row == 0:
            dates = is_date
        elif dates != is_date:
            raise RecordingError(
                f"{place(row)}: the time {cell!r} is {'a date' if is_date else 'a number'}, those "
                f"before are {'dates' if dates else 'numbers'}"
            )
    return seconds


def _from_cell(cell: object, place: Callable[[], str]) -> tuple[float, bool]:
    """Seconds of one cell, and whether it is a date."""
    if pd.isna(cell) or not str(cell).strip():
        raise RecordingError(f"{place()}: the time is missing; {_EXPECTED}")
    text = str(cell).strip()
    try:
        return float(text), False
    except ValueError:
        pass  # no number; may be a date
    try:
        date = datetime.fromisoformat(text)
    except ValueError as error:
        raise RecordingError(f"{place()}: unreadable time {text!r}; {_EXPECTED}") from error
    if date.tzinfo is None:
        raise RecordingError(f"{place()}: the time {text!r} has no UTC offset; {_EXPECTED}")
    return date.timestamp(), True

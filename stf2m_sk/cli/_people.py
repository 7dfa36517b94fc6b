"""Whose recording it is, and which have labels, as the table of labels says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stf2m_sk.recordings import RecordingError

__all__ = ["Matched", "match", "person_of"]


class Matched(NamedTuple):
    """Recordings and labels that belong together.

    Attributes
    ----------
    people : dict of str to str
        Person of each recording that has labels, by its name.
    without_labels : list of str
        Names of the other recordings.
    without_recording : list of str
        Recordings or people in the table of which there is no recording.
    """

    people: dict[str, str]
    without_labels: list[str]
    without_recording: list[str]


def match(names: Iterable[str], table: pd.DataFrame, path: Path) -> Matched:
    """Bring recordings and labels together.

    Parameters
    ----------
    names : iterable of str
        Of the recordings.
    table : DataFrame
        Labels. They belong to the recordings in the column `recording`, without it to those
        whose name is in the column `person`, without both to all.
    path : Path
        Of the table, for messages.

    Returns
    -------
    Matched

    Raises
    ------
    RecordingError
        If no recording has labels, or one belongs to several people.
    """
    names = list(names)
    column = _column(table)
    if column is None:
        return Matched({name: name for name in names}, [], [])
    labelled = list(dict.fromkeys(table[column]))
    people = {name: person_of(name, table, path) for name in names if name in labelled}
    if not people:
        raise RecordingError(
            f"{path}: its column {column!r} names {_some(labelled)}, but the recordings are "
            f"{_some(names)}; expected the names of the files without their suffix"
        )
    return Matched(
        people,
        [name for name in names if name not in labelled],
        [name for name in labelled if name not in names],
    )


def person_of(name: str, table: pd.DataFrame, path: Path) -> str:
    """The person in a recording: as the table says, else the name of the recording.

    Raises
    ------
    RecordingError
        If the table names several people for it.
    """
    if _column(table) != "recording" or "person" not in table:
        return name
    people = list(dict.fromkeys(table.loc[table["recording"] == name, "person"]))
    if len(people) > 1:
        raise RecordingError(
            f"{path}: recording {name!r} has labels of {', '.join(people)}; expected one person "
            "for each recording"
        )
    return people[0] if people else name


def _column(table: pd.DataFrame) -> str | None:
    return next((column for column in ("recording", "person") if column in table), None)


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

"""What is given to `cut`: recordings that can be cut together, and whose annotations are whose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stf2m_sk.recordings._display import not_numeric
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._labels import checked_annotations
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._windows import n_window_samples

__all__ = ["check_numbers", "checked_recordings", "common_signals", "own_tables"]

_SAME_RATE = 1e-6  # relative


def checked_recordings(recordings: object) -> list[Recording]:
    """Recordings as a list, each with its own person and name.

    Raises
    ------
    TypeError
        If one is no Recording.
    RecordingError
        If there is none, or two cannot be told apart.
    """
    recordings = [recordings] if isinstance(recordings, Recording) else list(recordings)
    for i, recording in enumerate(recordings):
        if not isinstance(recording, Recording):
            raise TypeError(f"recordings[{i}] must be a Recording, got {type(recording).__name__}")
    if not recordings:
        raise RecordingError("no recording is given; expected at least one")
    names = [(recording.person, recording.name) for recording in recordings]
    for name in names:
        if names.count(name) > 1:
            raise RecordingError(
                f"{names.count(name)} recordings have person {name[0]!r} and name {name[1]!r}; "
                "give each its own name, so that clips can be told apart"
            )
    return recordings


def check_numbers(**numbers: float) -> None:
    """Refuse what is not finite or negative (but `lag`), and a `min_measured` above 1.

    Raises
    ------
    ValueError
        With the name of the parameter.
    """
    for name, value in numbers.items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not is_number or not np.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")
        if name != "lag" and value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    if numbers["min_measured"] > 1:
        raise ValueError(f"min_measured is a share of 0 to 1, got {numbers['min_measured']}")


def common_signals(recordings: list[Recording], window: float) -> dict[str, Signal]:
    """The signals of all recordings by name, the first of each that names its channels.

    Raises
    ------
    RecordingError
        If one is not of numbers, is too slow for the window, or differs between recordings in
        rate or channels.
    """
    common: dict[str, tuple[Signal, Recording]] = {}
    for recording in recordings:
        for name, signal in recording.signals.items():
            if not signal.is_numeric:
                raise RecordingError(not_numeric(recording.title, name, signal))
            n_window_samples(name, signal.rate, window)
            if name in common:
                _check_alike(name, common[name], (signal, recording))
            if name not in common or (signal.channels and not common[name][0].channels):
                common[name] = signal, recording
    return {name: signal for name, (signal, _) in common.items()}


def _check_alike(name: str, one: tuple[Signal, Recording], two: tuple[Signal, Recording]) -> None:
    (first, its), (second, other) = one, two
    where = f"signal {name!r} of {its.title} and of {other.title} differ in"
    if abs(first.rate - second.rate) > _SAME_RATE * first.rate:
        raise RecordingError(
            f"{where} rate: {first.rate:.9g} and {second.rate:.9g} Hz. Bring both to one: "
            f"recording.resample({name!r}, rate)"
        )
    if first.n_channels != second.n_channels:
        raise RecordingError(
            f"{where} channels: {first.n_channels} and {second.n_channels}; leave the signal out "
            "with select, or bring both to the same channels with with_signals"
        )
    if first.channels and second.channels and first.channels != second.channels:
        raise RecordingError(f"{where} channel names: {first.channels} and {second.channels}")


def own_tables(
    recordings: list[Recording], annotations: pd.DataFrame | None
) -> list[pd.DataFrame | None]:
    """The annotations of each recording; None where it has none.

    Raises
    ------
    RecordingError
        If the table is no table of annotations, or none of its rows is of a recording.
    """
    if annotations is None:
        return [recording.annotations for recording in recordings]
    table = checked_annotations(annotations, "annotations")
    columns = [column for column in ("recording", "person") if column in table.columns]
    own = [_own_rows(table, columns, recording) for recording in recordings]
    if not any(map(len, own)):
        given = {column: sorted(set(table[column].astype(str)))[:8] for column in columns}
        names = [(recording.name, recording.person) for recording in recordings[:8]]
        raise RecordingError(
            f"no annotation is of a given recording: annotations have {given}, the recordings "
            f"(name, person) {names}"
        )
    return [rows if len(rows) else None for rows in own]


def _own_rows(table: pd.DataFrame, columns: list[str], recording: Recording) -> pd.DataFrame:
    if columns == ["person"] and not recording.person:
        raise RecordingError(
            f"annotations are of people (column 'person'), but {recording.title} has no person"
        )
    own = np.ones(len(table), dtype=bool)
    for column in columns:
        wanted = recording.name if column == "recording" else recording.person
        if wanted or column == "recording":
            own &= (table[column].astype(str) == wanted).to_numpy()
    return table[own]

"""Sessions as an Empatica E4 exports them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import as_recording_error, existing_file, warn_of_recording
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

__all__ = ["read_e4"]

# What the watch measures: rate, unit and channels are those of the device.
_SENSORS = {
    "ACC": (32, "1/64 g", ("x", "y", "z")),
    "BVP": (64, "", ("bvp",)),
    "EDA": (4, "uS", ("eda",)),
    "HR": (1, "bpm", ("hr",)),
    "TEMP": (4, "degC", ("temp",)),
}
_IBI_RATE = 4
_SECONDS = (1_000_000_000, 4_000_000_000)  # since 1970: from 2001 to 2096
_START_TOLERANCE = 60  # heart rate starts 10 s after the others
_END_TOLERANCE = 30  # seconds between the ends of two signals; up to 6 in real sessions
_BEAT_TOLERANCE = 1 / 32  # beats are given in steps of 1/64 s
_DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, or a compression that zipfile does not know
    ValueError,
)


def read_e4(path: str | PathLike, *, person: str | None = None, tags: bool = False) -> Recording:
    r"""Read a session as the Empatica E4 exports it.

    Parameters
    ----------
    path : path-like
        The exported zip, or the folder that it was unpacked to. Files may lie in a subfolder.
    person : str, default=None
        Who was recorded; None is the stem of the path, such as "S01".
    tags : bool, default=False
        Whether presses of the button (tags.csv) become annotations, with label "tag" and of no
        duration. They are no emotions, and so are left out unless asked for.

    Returns
    -------
    Recording
        Signals "acc" (x, y, z; the exported numbers, 1/64 g), "bvp" (arbitrary unit), "eda" (uS),
        "hr" (bpm) and "temp" (degC) as float32 at the device's rates, 32, 64, 4, 1 and 4 Hz.
        "ibi" is the duration in seconds of the interval between two beats, at 4 Hz: NaN where no
        such interval covers the sample, and everywhere if IBI.csv is empty or missing. Times
        are seconds since 1970 in UTC.

    Raises
    ------
    RecordingError
        If the zip is damaged, or a file in it is empty, lacks a header row, holds anything but
        numbers, has another number of columns or rate than the watch, or starts at another time
        than the others. The message names path, file and row.

    Warns
    -----
    RecordingWarning
        If a sensor is missing, if a file does not end with a line break, or if the signals end
        at different times: the export may be incomplete.

    Notes
    -----
    An E4 file begins with a row for the time of the first sample and one for the rate. IBI.csv
    holds the time of each beat since the start, and the seconds since the beat before.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import warnings
    >>> from stf2m_sk.recordings import read_e4
    >>> with TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # the other sensors are missing
    ...     session = Path(folder, "S01")
    ...     session.mkdir()
    ...     _ = Path(session, "EDA.csv").write_text("1644226061.0\n4.0\n0.1\n0.2\n")
    ...     recording = read_e4(session)
    >>> recording.person, recording["eda"]
    ('S01', Signal(1x2 @ 4 Hz, 1644226061 s to 1644226061.5 s, uS))
    """
    path = Path(path)
    members = _folder(path) if path.is_dir() else _unzipped(existing_file(path))
    if not set(members) & set(_SENSORS):
        raise RecordingError(
            f"{path}: holds none of {', '.join(f'{name}.csv' for name in _SENSORS)}; "
            "give the zip that E4 connect exports, or the folder it was unpacked to"
        )
    missing = [f"{name}.csv" for name in _SENSORS if name not in members]
    if missing:
        warn_of_recording(f"{path}: {', '.join(missing)} missing; its signals are left out")
    signals = {
        name.lower(): _sensor(members[name], f"{path}, {name}.csv", *expected)
        for name, expected in _SENSORS.items()
        if name in members
    }
    _check_times(path, signals)
    signals["ibi"] = _intervals(members.get("IBI", b""), f"{path}, IBI.csv", signals)
    pressed = _tags(members.get("TAGS", b""), f"{path}, tags.csv") if tags else None
    return Recording(signals, pressed, path.stem if person is None else person, path.stem)


def _unzipped(path: Path) -> dict[str, bytes]:
    found: dict[str, str] = {}
    with as_recording_error(path, *_DAMAGED_ZIP), zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _add_member(found, path, name)
        contents = {}
        for stem, name in found.items():
            with as_recording_error(f"{path}, {name}", *_DAMAGED_ZIP):
                contents[stem] = archive.read(name)
    return contents


def _folder(path: Path) -> dict[str, bytes]:
    found: dict[str, str] = {}
    for file in sorted(path.rglob("*")):
        if file.is_file():
            _add_member(found, path, file.relative_to(path).as_posix())
    return {stem: (path / name).read_bytes() for stem, name in found.items()}


def _add_member(found: dict[str, str], path: Path, name: str) -> None:
    """Note a file of the export; other files, such as those of macOS, are left alone."""
    file = PurePosixPath(name)
    stem = file.stem.upper()
    if file.suffix.lower() != ".csv" or stem not in {*_SENSORS, "IBI", "TAGS"}:
        return
    if stem in found:
        raise RecordingError(
            f"{path}: holds both {found[stem]} and {name}; give one session at a time"
        )
    found[stem] = name


def _sensor(content: bytes, place: str, rate: int, unit: str, channels: tuple[str, ...]) -> Signal:
    table = _numbers(content, place, len(channels))
    start = _start(table[0], place)
    if len(table) < 2 or np.any(table[1] != rate):
        given = "nothing" if len(table) < 2 else f"{table[1][0]:g}"
        raise RecordingError(
            f"{place}, row 2: expected the rate of the sensor, {rate} Hz, got {given}; is a "
            "header row missing? Read files that are not as exported with read_csv"
        )
    if len(table) < 3:
        raise RecordingError(f"{place}: holds no samples after the two header rows")
    values = np.ascontiguousarray(table[2:].T, dtype=np.float32)
    return Signal(values, rate, start, unit, channels)


def _start(header: NDArray, place: str) -> float:
    start = float(header[0])
    if not _SECONDS[0] <= start < _SECONDS[1] or np.any(header != start):
        raise RecordingError(
            f"{place}, row 1: expected the time of the first sample in seconds since 1970, the "
            f"same in each column, got {', '.join(f'{value:g}' for value in header)}; is a header "
            "row missing?"
        )
    return start


def _numbers(content: bytes, place: str, n_columns: int, first_row: int = 1) -> NDArray:
    """Rows of numbers, of shape (n_rows, n_columns) in float64."""
    if not content.strip():
        raise RecordingError(f"{place}: the file is empty")
    if not content.endswith(b"\n"):
        warn_of_recording(
            f"{place}: the last row does not end with a line break; if the file was cut short, "
            "that row is wrong"
        )
    with as_recording_error(place, UnicodeDecodeError):
        lines = content.decode("ascii").removesuffix("\n").split("\n")
    try:
        # loadtxt leaves out blank lines: a sample would be lost, and all later ones move.
        table = np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        table = None
    if table is None or table.shape != (len(lines), n_columns) or not np.isfinite(table).all():
        raise _first_bad_row(lines, place, n_columns, first_row)
    return table


def _first_bad_row(lines: list[str], place: str, n_columns: int, first_row: int) -> RecordingError:
    for row, line in enumerate(lines, first_row):
        cells = line.strip().split(",")
        expected = f"{n_columns} number{'s' * (n_columns > 1)}"
        if len(cells) != n_columns or not all(_is_number(cell) for cell in cells):
            return RecordingError(f"{place}, row {row}: expected {expected}, got {line.strip()!r}")
    return RecordingError(f"{place}: expected rows of {expected}")


def _is_number(cell: str) -> bool:
    try:
        return "_" not in cell and bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _check_times(path: Path, signals: dict[str, Signal]) -> None:
    """Signals of one session start and end together."""
    first = min(signals.items(), key=lambda item: item[1].start)
    last = max(signals.items(), key=lambda item: item[1].start)
    if last[1].start - first[1].start > _START_TOLERANCE:
        raise RecordingError(
            f"{path}, {last[0].upper()}.csv, row 1: starts {last[1].start - first[1].start:g} s "
            f"after {first[0].upper()}.csv; signals of a session start within "
            f"{_START_TOLERANCE} s"
        )
    stop = max(signal.stop for signal in signals.values())
    early = [
        f"{name.upper()}.csv ({stop - signal.stop:.0f} s early)"
        for name, signal in signals.items()
        if stop - signal.stop > _END_TOLERANCE
    ]
    if early:
        warn_of_recording(f"{path}: {', '.join(early)} ends before the others; cut short?")


def _intervals(content: bytes, place: str, signals: dict[str, Signal]) -> Signal:
    """Beat-to-beat intervals as a signal over the whole session."""
    start = min(signal.start for signal in signals.values())
    stop = max(signal.stop for signal in signals.values())
    seconds = np.arange(int(np.ceil((stop - start) * _IBI_RATE))) / _IBI_RATE
    values = np.full(seconds.shape, np.nan, dtype=np.float32)
    if content.strip():
        beats, durations = _beats(content, place, start, stop)
        following = np.searchsorted(beats, seconds)  # the first beat at or after the sample
        inside = following < len(beats)
        following = following[inside]
        covered = seconds[inside] > beats[following] - durations[following]
        values[: len(following)] = np.where(covered, durations[following], np.nan)
    return Signal(values[None], _IBI_RATE, start, "s", ("ibi",))


def _beats(content: bytes, place: str, start: float, stop: float) -> tuple[NDArray, NDArray]:
    """Times of the beats since `start`, and the intervals that end there."""
    header, _, rows = content.partition(b"\n")
    cells = header.decode("ascii", "replace").split(",")
    if len(cells) != 2 or not _is_number(cells[0]) or cells[1].strip() != "IBI":
        raise RecordingError(
            f"{place}, row 1: expected the start in seconds since 1970 and 'IBI', "
            f"got {header.decode('ascii', 'replace').strip()!r}"
        )
    begun = _start(np.array([float(cells[0])]), place)
    if abs(begun - start) > _START_TOLERANCE:
        raise RecordingError(
            f"{place}, row 1: starts at {begun:.12g} s, the other signals at {start:.12g} s"
        )
    if not rows.strip():
        return np.empty(0), np.empty(0)
    table = _numbers(rows, place, 2, first_row=2)
    beats, durations = table[:, 0] + (begun - start), table[:, 1]
    before = np.concatenate([[-np.inf], beats[:-1]])
    wrong = (
        (durations <= 0)
        | (beats - durations < before - _BEAT_TOLERANCE)
        | (beats > stop - start + _START_TOLERANCE)
    )
    if wrong.any():
        row = int(np.argmax(wrong))
        raise RecordingError(
            f"{place}, row {row + 2}: expected the time of a later beat within the session and "
            f"the seconds since the beat before, got {table[row, 0]:g}, {table[row, 1]:g}"
        )
    return beats, durations


def _tags(content: bytes, place: str) -> pd.DataFrame:
    times = _numbers(content, place, 1)[:, 0] if content.strip() else np.empty(0)
    for row, time in enumerate(times, 1):
        if not _SECONDS[0] <= time < _SECONDS[1]:
            raise RecordingError(
                f"{place}, row {row}: expected a time in seconds since 1970, got {time:g}"
            )
    return pd.DataFrame({"start": times, "end": times, "label": "tag"})

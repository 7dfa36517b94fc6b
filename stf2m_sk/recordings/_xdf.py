"""XDF files, as the LabRecorder of the Lab Streaming Layer writes them."""

from __future__ import annotations

import gzip
import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

import numpy as np
import pandas as pd

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import (
    as_recording_error,
    existing_file,
    unique_names,
    warn_of_recording,
)
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._regular import regular_grid
from stf2m_sk.recordings._signal import Signal

__all__ = ["read_xdf"]

_RATE_TOLERANCE = 1e-3  # of the nominal rate
_DAMAGED = (
    OSError,
    EOFError,
    ParseError,
    struct.error,
    zlib.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def read_xdf(path: str | PathLike, *, markers: str | None = None, person: str = "") -> Recording:
    """Read an XDF file: all streams with a constant rate, on one clock.

    Parameters
    ----------
    path : path-like
        The file, .xdf or compressed (.xdfz, .xdf.gz).
    markers : str, default=None
        Name of a stream of text whose markers become annotations: each lasts up to the next, the
        last up to the end of the signals.
    person : str, default=""
        Who was recorded.

    Returns
    -------
    Recording
        A signal for each stream with a constant rate, by the stream's name. Clocks of the devices
        are brought together by the offsets in the file, and jitter is removed (`pyxdf`). The
        clock begins with the first sample of any signal. A signal has the nominal rate where the
        measured one is within one in a thousand, else the measured; NaN where samples were lost.
        All values are in memory.

    Raises
    ------
    RecordingError
        If the file is missing, empty, damaged or cut short, has no stream with a constant rate,
        no stream named `markers`, or samples whose times fit no constant rate.
    ImportError
        If pyxdf is not installed: extra [physio].

    Warns
    -----
    RecordingWarning
        Naming streams that are left out, since they have no constant rate or no samples; streams
        whose measured rate is not the nominal one; and streams without a footer, whose recording
        was not closed.

    Notes
    -----
    Source of the format: https://github.com/sccn/xdf/wiki/Specifications.

    Examples
    --------
    >>> from stf2m_sk.recordings import read_xdf  # doctest: +SKIP
    >>> read_xdf("lab.xdf", markers="task").annotations  # doctest: +SKIP
    """
    path = existing_file(path)
    with (
        as_recording_error(path, OSError, EOFError, struct.error, zlib.error),
        _opened(path) as file,
    ):
        _check_chunks(path, file)
    with as_recording_error(path, *_DAMAGED):
        with _reports(path):
            streams, _ = require("pyxdf", "physio").load_xdf(str(path))
        streams = [_Stream(path, stream) for stream in streams]
    regular = [s for s in streams if s.rate > 0 and s.is_numeric and len(s.times)]
    chosen = [s for s in streams if s.name == markers and not s.is_numeric]
    if markers is not None and len(chosen) != 1:
        raise RecordingError(
            f"{path}: expected one stream of text named {markers!r}; streams are "
            f"{', '.join(repr(s.name) for s in streams)}"
        )
    left_out = [s.name for s in streams if s not in regular and s not in chosen]
    if not regular:
        raise RecordingError(f"{path}: no stream has a constant rate and samples: {left_out}")
    if left_out:
        warn_of_recording(
            f"{path}: left out are the streams {', '.join(left_out)}, without a constant rate or "
            "samples; markers= makes annotations of a stream of text"
        )
    origin = min(stream.times[0] for stream in regular)
    names = unique_names([stream.name for stream in regular])
    signals = {name: stream.signal(origin) for name, stream in zip(names, regular, strict=True)}
    stop = max(signal.stop for signal in signals.values())
    annotations = chosen[0].annotations(origin, stop) if chosen else None
    return Recording(signals, annotations, person, path.stem.removesuffix(".xdf"))


class _Stream:
    """A stream as pyxdf gives it."""

    def __init__(self, path: Path, stream: dict) -> None:
        info = stream["info"]
        self.path = path
        self.name = info["name"][0] or f"stream {info['stream_id']}"
        self.rate = float(info["nominal_srate"][0])
        self.measured_rate = float(info["effective_srate"] or 0)
        self.is_numeric = info["channel_format"][0] != "string"
        self.times = np.asarray(stream["time_stamps"], dtype=np.float64)
        self.values = stream["time_series"]
        self.labels, self.unit = _described(info)
        promised = (stream.get("footer") or {}).get("info", {}).get("sample_count")
        if promised is None:
            warn_of_recording(
                f"{path}: stream {self.name!r} has no footer: its recording was not closed, and "
                "samples may be missing at its end"
            )
        elif int(promised[0]) != len(self.times):
            raise RecordingError(
                f"{path}: stream {self.name!r} holds {len(self.times)} samples, its footer "
                f"promises {promised[0]}"
            )

    def signal(self, origin: float) -> Signal:
        rate: float | None = self.rate
        if self.measured_rate and abs(self.measured_rate / self.rate - 1) > _RATE_TOLERANCE:
            warn_of_recording(
                f"{self.path}: stream {self.name!r} promises {self.rate:g} Hz and has "
                f"{self.measured_rate:g} Hz, which is used"
            )
            rate = None
        rate, rows = regular_grid(
            self.times, lambda row: f"{self.path}, stream {self.name!r}, sample {row}", rate
        )
        values = np.asarray(self.values).T
        values = np.where(rows >= 0, values[:, rows], np.nan)
        channels = self.labels if len(self.labels) == len(values) else ()
        return Signal(values, rate, float(self.times[0] - origin), self.unit, channels)

    def annotations(self, origin: float, stop: float) -> pd.DataFrame:
        starts = self.times - origin
        labels = [str(sample[0]).strip() for sample in self.values]
        ends = np.append(starts[1:], max(stop, starts[-1])) if len(starts) else starts
        return pd.DataFrame({"start": starts, "end": ends, "label": labels})


def _described(info: dict) -> tuple[list[str], str]:
    """Labels of the channels, and their unit if it is the same for all."""
    try:
        channels = info["desc"][0]["channels"][0]["channel"]
        labels = [str(channel["label"][0]) for channel in channels]
    except (IndexError, KeyError, TypeError):
        return [], ""  # the description is free to hold anything
    units = {str(channel.get("unit", [""])[0] or "") for channel in channels}
    return labels, units.pop() if len(units) == 1 else ""


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    packed = path.suffix == ".xdfz" or path.suffixes[-2:] == [".xdf", ".gz"]
    with (gzip.open if packed else open)(path, "rb") as file:
        yield file


def _check_chunks(path: Path, file: BinaryIO) -> None:
    """Chunks must end with the file: pyxdf repeats old values where bytes are missing."""
    if file.read(4) != b"XDF:":
        raise RecordingError(f"{path}: expected an XDF file, which begins with 'XDF:'")
    position, size = 4, file.seek(0, 2)
    while position < size:
        file.seek(position)
        width = file.read(1)[0]
        if width not in (1, 4, 8):
            raise RecordingError(f"{path}: has no chunk at byte {position}; the file is damaged")
        length = int.from_bytes(file.read(width), "little")
        position += 1 + width + length
    if position != size:
        raise RecordingError(
            f"{path}: its last chunk ends {position - size} bytes after the file; it is cut short"
        )


@contextmanager
def _reports(path: Path) -> Iterator[None]:
    """Turn the errors that pyxdf logs into one that is raised: it skips damaged chunks."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append
    logger = logging.getLogger("pyxdf.pyxdf")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if records:
        raise RecordingError(f"{path}: {records[0].getMessage()}")

"""Records of PhysioNet's WFDB format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._channels import grouped_channels, start_of
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import FileValues, as_recording_error, existing_file
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

if TYPE_CHECKING:
    import wfdb

__all__ = ["WfdbValues", "read_wfdb"]

# What wfdb raises on headers and data that it cannot use.
_DAMAGED = (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError)


def read_wfdb(
    path: str | PathLike,
    *,
    signals: Mapping[str, Sequence[str]] | None = None,
    tz: str | None = None,
    person: str = "",
) -> Recording:
    """Read a WFDB record, as PhysioNet publishes them; each signal keeps its rate.

    Parameters
    ----------
    path : path-like
        Header of the record, with or without ".hea". The data lie beside it.
    signals : mapping of str to sequence of str, default=None
        Names of the channels of each signal, by its name, such as ``{"ecg": ["I", "II"]}``. None
        makes each channel a signal of its own.
    tz : str, default=None
        Time zone in which it was recorded, such as "Europe/Dublin": times are then seconds since
        1970 in UTC. The file does not say it; None counts from the start of the recording.
    person : str, default=""
        Who was recorded.

    Returns
    -------
    Recording
        Physical values in float64, NaN where the record marks them as invalid, read from the file
        when a slice is taken. The name is that of the record. Annotation files (.atr) are not
        read: they mark beats, not emotions.

    Raises
    ------
    RecordingError
        If header or data are missing, empty, damaged or cut short, the record has several
        segments, or has not the channels asked for.
    ValueError
        If there is no such time zone, or it is given though the header has no date.
    ImportError
        If wfdb is not installed: extra [physio].

    Notes
    -----
    `wfdb.rdsamp` averages fast channels down to the rate of a frame; this reads all samples.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import wfdb
    >>> from stf2m_sk.recordings import read_wfdb
    >>> with TemporaryDirectory() as folder:
    ...     wfdb.wrsamp("s1", fs=4, units=["uS"], sig_name=["EDA"], fmt=["16"],
    ...                 p_signal=np.linspace(0, 1, 40)[:, None], write_dir=folder)
    ...     print(read_wfdb(Path(folder, "s1"))["EDA"])
    Signal(1x40 @ 4 Hz, 0 s to 10 s, uS)
    """
    path = Path(path)
    header_file = existing_file(
        path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")
    )
    header = _header(header_file)
    start = start_of(_recorded(header), tz)
    labels = [str(name) for name in header.sig_name]
    rates = [float(header.fs * n) for n in header.samps_per_frame]
    made = {}
    for name, group in grouped_channels(header_file, labels, rates, signals).items():
        n_samples = header.sig_len * header.samps_per_frame[group[0]]
        values = WfdbValues(header_file, group, n_samples, header.samps_per_frame[group[0]])
        values[..., n_samples - 1 :]  # the end is there
        channels = [labels[channel] for channel in group]
        made[name] = Signal(values, rates[group[0]], start, header.units[group[0]] or "", channels)
    return Recording(made, None, person, header_file.stem)


class WfdbValues(FileValues):
    """Channels of a WFDB record, of shape (n_channels, n_samples) in float64.

    Parameters
    ----------
    path : Path
        Header of the record.
    channels : list of int
        Numbers of channels with one rate.
    n_samples : int
        Samples of each.
    per_frame : int
        Samples of each in a frame of the record.
    """

    def __init__(self, path: Path, channels: list[int], n_samples: int, per_frame: int) -> None:
        super().__init__(path, (len(channels), n_samples), np.float64)
        self._channels, self._per_frame = channels, per_frame

    def _read(self, first: int, last: int) -> NDArray[np.float64]:
        frame, end = first // self._per_frame, -(-last // self._per_frame)
        with as_recording_error(self.path, *_DAMAGED):
            record = require("wfdb", "physio").rdrecord(
                str(self.path.with_suffix("")),
                sampfrom=frame,
                sampto=end,
                channels=self._channels,
                smooth_frames=False,
            )
            values = np.stack(record.e_p_signal)
        if values.shape[1] != (end - frame) * self._per_frame:
            raise RecordingError(
                f"{self.path}: expected {(end - frame) * self._per_frame} samples, got "
                f"{values.shape[1]}; is the data file cut short or changed?"
            )
        skipped = first - frame * self._per_frame
        return values[:, skipped : skipped + last - first]


def _header(path: Path) -> wfdb.Record:
    with as_recording_error(path, *_DAMAGED):
        header = require("wfdb", "physio").rdheader(str(path.with_suffix("")))
    if getattr(header, "n_seg", None):
        raise RecordingError(f"{path}: records of several segments are not read; give one segment")
    _check_record_line(path, header)
    return header


def _check_record_line(path: Path, header: wfdb.Record) -> None:
    """Numbers must be there and be understood; wfdb takes 250 Hz for a rate that it is not."""
    with as_recording_error(path, UnicodeDecodeError):
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
    line = next((cells for cells in lines if cells and not cells[0].startswith("#")), [])
    try:
        written = int(line[1]), float(re.split("[/(]", line[2])[0]), int(line[3])
    except (IndexError, ValueError):
        written = None
    if written != (header.n_sig, header.fs, header.sig_len) or min(written) <= 0:
        raise RecordingError(
            f"{path}: expected name, number of channels, rate and number of samples in the first "
            f"line, got {' '.join(line)!r}"
        )


def _recorded(header: wfdb.Record) -> datetime | None:
    if header.base_date is None or header.base_time is None:
        return None
    return datetime.combine(header.base_date, header.base_time)

"""EDF, EDF+, BDF and BDF+ files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._channels import grouped_channels, start_of
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import FileValues, as_recording_error, existing_file
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

if TYPE_CHECKING:
    import pyedflib

__all__ = ["EdfValues", "read_edf"]


def read_edf(
    path: str | PathLike,
    *,
    signals: Mapping[str, Sequence[str]] | None = None,
    tz: str | None = None,
    person: str = "",
) -> Recording:
    """Read an EDF, EDF+, BDF or BDF+ file; each signal keeps its rate.

    Parameters
    ----------
    path : path-like
        The file.
    signals : mapping of str to sequence of str, default=None
        Labels of each signal, by its name, such as ``{"eeg": ["C3", "C4"]}``. None makes each
        channel a signal of its own, named by its label.
    tz : str, default=None
        Time zone in which it was recorded, such as "Europe/Dublin": times are then seconds since
        1970 in UTC. The file does not say it; None counts from the start of the recording.
    person : str, default=""
        Who was recorded.

    Returns
    -------
    Recording
        Physical values in float64, read from the file when a slice is taken. Annotations with a
        text (EDF+) are its annotations: the text is the label, and those without a duration end
        where they start. The name is the stem of the path.

    Raises
    ------
    RecordingError
        If the file is missing, empty, damaged, cut short or discontinuous (EDF+D), holds no
        channel, or has not the labels asked for.
    ValueError
        If there is no such time zone.
    ImportError
        If pyedflib is not installed: extra [physio].

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import pyedflib
    >>> from stf2m_sk.recordings import read_edf
    >>> header = dict(label="EDA", dimension="uS", sample_frequency=4, physical_min=0,
    ...               physical_max=20, digital_min=-32768, digital_max=32767, transducer="",
    ...               prefilter="")
    >>> with TemporaryDirectory() as folder:
    ...     path = str(Path(folder, "night.edf"))
    ...     with pyedflib.EdfWriter(path, 1) as file:
    ...         file.setSignalHeaders([header])
    ...         file.writeSamples([np.linspace(0, 20, 40)])
    ...     print(read_edf(path)["EDA"])
    Signal(1x40 @ 4 Hz, 0 s to 10 s, uS)
    """
    path = existing_file(path)
    with _opened(path, annotations=True) as file:
        headers = file.getSignalHeaders()
        n_samples = file.getNSamples()
        start = start_of(file.getStartdatetime(), tz)
        annotations = _annotations(file, start)
    labels = [header["label"].strip() for header in headers]
    rates = [float(header["sample_frequency"]) for header in headers]
    if not labels or not n_samples.min():
        raise RecordingError(f"{path}: holds no samples")
    made = {
        name: Signal(
            EdfValues(path, group, int(n_samples[group[0]])),
            rates[group[0]],
            start,
            headers[group[0]]["dimension"].strip(),
            [labels[channel] for channel in group],
        )
        for name, group in grouped_channels(path, labels, rates, signals).items()
    }
    return Recording(made, annotations, person, path.stem)


class EdfValues(FileValues):
    """Channels of an EDF file, of shape (n_channels, n_samples) in float64.

    Parameters
    ----------
    path : Path
        The file.
    channels : list of int
        Numbers of channels with one rate.
    n_samples : int
        Samples of each.
    """

    def __init__(self, path: Path, channels: list[int], n_samples: int) -> None:
        super().__init__(path, (len(channels), n_samples), np.float64)
        self._channels = channels

    def _read(self, first: int, last: int) -> NDArray[np.float64]:
        with _opened(self.path, annotations=False) as file:
            if file.getNSamples()[self._channels[0]] != self.shape[1]:
                raise RecordingError(f"{self.path}: the file was changed since it was opened")
            return np.stack([file.readSignal(c, first, last - first) for c in self._channels])


@contextmanager
def _opened(path: Path, annotations: bool) -> Iterator[pyedflib.EdfReader]:
    pyedflib = require("pyedflib", "physio")
    mode = pyedflib.READ_ANNOTATIONS if annotations else pyedflib.DO_NOT_READ_ANNOTATIONS
    with (
        as_recording_error(path, OSError, UnicodeDecodeError),
        pyedflib.EdfReader(str(path), mode, pyedflib.CHECK_FILE_SIZE) as file,
    ):
        yield file


def _annotations(file: pyedflib.EdfReader, start: float) -> pd.DataFrame | None:
    onsets, durations, texts = file.readAnnotations()
    rows = [
        (start + onset, start + onset + max(duration, 0), text.strip())
        for onset, duration, text in zip(onsets, durations, texts, strict=True)
        if text.strip()
    ]
    return pd.DataFrame(rows, columns=["start", "end", "label"]) if rows else None

"""Sound files: WAV, FLAC, OGG and others that libsndfile knows."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._complete import check_complete
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import FileValues, as_recording_error, existing_file
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

__all__ = ["AudioValues", "read_wav"]

_NOT_IN_SLICES = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_BLOCK = 2**20  # samples decoded at a time


def read_wav(path: str | PathLike, *, person: str = "") -> Recording:
    """Read a sound file: WAV, FLAC, OGG, and others that libsndfile knows.

    Parameters
    ----------
    path : path-like
        File with sound.
    person : str, default=""
        Who is heard.

    Returns
    -------
    Recording
        Signal "audio" of shape (n_channels, n_samples), float32 in [-1, 1], from 0 s on. Samples
        stay in the file until a slice is taken. Only those of OGG and MP3 are decoded at once (4
        bytes each). The name is the stem of the path.

    Raises
    ------
    RecordingError
        If the file is missing, empty, no sound file, or ends before its header or last page says.
    ImportError
        If soundfile is not installed: extra [audio].

    Warns
    -----
    RecordingWarning
        If a WAV file does not say how long it is, so that nobody can tell whether it is whole.

    Notes
    -----
    Formats without checksums, such as WAV and MP3, cannot tell that a value inside was changed. A
    damaged block of FLAC raises `RecordingError` when it is read, one of OGG at once. OGG is not
    read in slices because libsndfile finds wrong samples there after a jump (its issue 885).

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from stf2m_sk.recordings import read_wav
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "hello.wav")
    ...     soundfile.write(path, np.linspace(-0.5, 0.5, 8000), 16_000)
    ...     audio = read_wav(path)["audio"]
    ...     print(audio, audio.values[..., :2])
    Signal(1x8000 @ 16000 Hz, 0 s to 0.5 s) [[-0.5        -0.49987793]]
    """
    soundfile = require("soundfile", "audio")
    path = existing_file(path)
    check_complete(path)
    with as_recording_error(path, soundfile.SoundFileError, ValueError, OSError):
        info = soundfile.info(path)
    if not info.frames:
        raise RecordingError(f"{path}: holds no samples")
    values = AudioValues(path, (info.channels, info.frames), np.float32)
    if info.subtype in _NOT_IN_SLICES:
        values = _all_values(path, info.frames)
    else:
        values[..., info.frames - 1 :]  # the end can be read
    return Recording({"audio": Signal(values, info.samplerate)}, None, person, path.stem)


class AudioValues(FileValues):
    """Samples of a sound file, of shape (n_channels, n_samples) in float32."""

    def _read(self, first: int, last: int) -> NDArray[np.float32]:
        soundfile = require("soundfile", "audio")
        with (
            as_recording_error(self.path, soundfile.SoundFileError, ValueError, OSError),
            soundfile.SoundFile(self.path) as file,
        ):
            file.seek(first)
            values = file.read(last - first, dtype="float32", always_2d=True).T
        if values.shape != (self.shape[0], last - first):
            raise RecordingError(
                f"{self.path}: expected {last - first} samples of {self.shape[0]} channels from "
                f"sample {first} on, got {values.shape[::-1]}; is the file cut short or changed?"
            )
        return values


def _all_values(path: Path, n_samples: int) -> NDArray[np.float32]:
    """All samples, block by block: the number in a damaged header may be immense."""
    soundfile = require("soundfile", "audio")
    with (
        as_recording_error(path, soundfile.SoundFileError, ValueError, OSError),
        soundfile.SoundFile(path) as file,
    ):
        # Not file.blocks(), which believes the header.
        blocks = [file.read(_BLOCK, dtype="float32", always_2d=True).T]
        while blocks[-1].size:
            blocks.append(file.read(_BLOCK, dtype="float32", always_2d=True).T)
    found = sum(block.shape[1] for block in blocks)
    if found != n_samples:
        raise RecordingError(
            f"{path}: its header promises {n_samples} samples, {found} are there; the file is cut "
            "short or damaged"
        )
    return np.concatenate(blocks, axis=1)

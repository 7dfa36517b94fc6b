"""From files to recordings: by the suffix, files of one stem together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial, reduce
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from stf2m_sk.cli._csv_files import CsvLayout, columns_of, read_csv_recording
from stf2m_sk.recordings import (
    Recording,
    RecordingError,
    read_e4,
    read_edf,
    read_subtitles,
    read_video,
    read_wav,
    read_wfdb,
    read_xdf,
)

__all__ = ["Found", "find", "has_media_clock", "parts_of", "read"]

_SOUND = dict.fromkeys((".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"), read_wav)
_VIDEO = dict.fromkeys((".mp4", ".mov", ".m4v", ".m4a", ".mkv", ".webm", ".avi"), read_video)
_SUBTITLES = dict.fromkeys((".srt", ".vtt"), read_subtitles)
_READERS: dict[str, Callable[..., Recording]] = {
    ".zip": read_e4,
    **_SOUND,
    **_VIDEO,
    **_SUBTITLES,
    **dict.fromkeys((".edf", ".bdf"), read_edf),
    ".hea": read_wfdb,
    **dict.fromkeys((".xdf", ".xdfz", ".xdf.gz"), read_xdf),
}
_CSV = ".csv"
_E4_FILES = {"acc.csv", "bvp.csv", "eda.csv", "hr.csv", "temp.csv"}


class Found(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    recordings : dict of str to list of Path
        The files of each recording, by their stem.
    left_alone : list of str
        Names of the other files and why they are no recordings.
    """

    recordings: dict[str, list[Path]]
    left_alone: list[str]


def find(folder: Path, *, labels: Path) -> Found:
    """Look for recordings in a folder.

    Parameters
    ----------
    folder : Path
        Its files, and subfolders with an unpacked E4 export. Hidden ones are not looked at.
    labels : Path
        The table of labels, which may lie in the folder and is no recording.

    Returns
    -------
    Found
        In the order of the names.

    Raises
    ------
    RecordingError
        If there is no such folder, it holds no recording, or it is itself one.
    """
    if not folder.is_dir():
        raise RecordingError(f"{folder}: there is no such folder")
    if _is_e4_folder(folder):
        raise RecordingError(
            f"{folder}: is one E4 session; give the folder that the sessions' zips or folders are "
            "in"
        )
    recordings: dict[str, list[Path]] = {}
    left_alone = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.resolve() == labels.resolve():
            continue
        why = _why_not(path)
        if why:
            left_alone.append(f"{path.name} ({why})")
        elif why is None:
            recordings.setdefault(_split(path)[0], []).append(path)
    if not recordings:
        raise RecordingError(
            f"{folder}: holds no recording"
            + (f", only {', '.join(left_alone)}" if left_alone else "")
        )
    return Found(recordings, left_alone)


def parts_of(path: Path) -> tuple[str, list[Path]]:
    """The name of one recording, and its files: that which is given, and those of the same stem.

    Parameters
    ----------
    path : Path
        A file, or the folder of an E4 session.

    Returns
    -------
    name : str
    paths : list of Path
        The given one first.

    Raises
    ------
    RecordingError
        If there is nothing, or it is no recording.
    """
    if not path.exists():
        raise RecordingError(f"{path}: there is no such file or folder")
    why = _why_not(path)
    if why is not None:
        raise RecordingError(f"{path}: is no recording ({why or 'a part of a WFDB record'})")
    name = _split(path)[0]
    others = [
        other
        for other in sorted(path.absolute().parent.iterdir())
        if not other.samefile(path) and _split(other)[0] == name and _why_not(other) is None
    ]
    return name, [path, *(path.parent / other.name for other in others)]


def read(
    name: str,
    paths: Sequence[Path],
    layout: CsvLayout,
    *,
    person: str,
    wanted: Collection[str] | None = None,
) -> Recording:
    """Read the files of one recording.

    Parameters
    ----------
    name : str
        Of the recording.
    paths : sequence of Path
        Its files, which are on one clock.
    layout : CsvLayout
        How CSV files are read.
    person : str
        Who was recorded.
    wanted : collection of str, default=None
        Signals to keep; files without one are left out. None: all.

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError
        If a file cannot be read, or there is no signal that is wanted.
    """
    read_all = {path: _reader(path, layout)(path) for path in paths}
    chosen = {path: _chosen(part, wanted) for path, part in read_all.items()}
    parts = [read_all[path].select(*names) for path, names in chosen.items() if names]
    if not parts:
        held = [signal for part in read_all.values() for signal in part.signals]
        raise RecordingError(
            f"{', '.join(map(str, paths))}: holds {', '.join(held)}, but the model was trained on "
            f"{', '.join(wanted)}"
        )
    parts = [replace(part, name=name, person=person) for part in parts]
    return reduce(Recording.join, parts)


def has_media_clock(paths: Sequence[Path]) -> bool:
    """Whether times count from the start of a sound or video file, as a player counts them."""
    return any(_split(path)[1] in _SOUND | _VIDEO | _SUBTITLES for path in paths)


def _chosen(part: Recording, wanted: Collection[str] | None) -> list[str]:
    return [name for name in part.signals if wanted is None or name in wanted]


def _reader(path: Path, layout: CsvLayout) -> Callable[[Path], Recording]:
    if path.is_dir():
        return read_e4
    suffix = _split(path)[1]
    return partial(read_csv_recording, layout=layout) if suffix == _CSV else _READERS[suffix]


def _why_not(path: Path) -> str | None:
    """Why a file is no recording; None if it is one, "" if it is known to be part of one."""
    if path.is_dir():
        return None if _is_e4_folder(path) else "a folder that is no E4 session"
    stem, suffix = _split(path)
    if suffix == _CSV:
        stretches = {"start", "end"} <= set(columns_of(path))
        return "a table of times from start to end" if stretches else None
    if suffix in _SUBTITLES:
        return "a timeline that was predicted" if _is_timeline(path) else None
    if suffix in _READERS:
        return None
    if path.with_name(f"{stem}.hea").is_file():
        return ""
    return "not a kind of file that is read"


def _is_e4_folder(path: Path) -> bool:
    return any(child.name.lower() in _E4_FILES for child in path.iterdir())


def _is_timeline(path: Path) -> bool:
    """Whether every cue is as `Timeline` writes it: "joy 87 %". Those are no words of a person."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    texts = [after for line, after in pairwise(lines) if "-->" in line]
    return bool(texts) and all(_is_prediction(text) for text in texts)


def _is_prediction(text: str) -> bool:
    words = text.split()
    return len(words) > 2 and words[-1] == "%" and words[-2].isdecimal()


def _split(path: Path) -> tuple[str, str]:
    """The name of a recording and its suffix; a compressed XDF file has two."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return path.name, ""
    if path.name.lower().endswith(".xdf.gz"):
        suffix = ".xdf.gz"
    return path.name[: len(path.name) - len(suffix)], suffix

"""Subtitles: SRT and WebVTT, as the words said in each second."""

from __future__ import annotations

import html
import math
import re
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import (
    as_recording_error,
    existing_file,
    warn_of_recording,
    warn_unless_line_ends,
)
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

__all__ = ["read_subtitles"]

_TIME = r"(?:(\d{1,3}):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")  # cue settings may follow
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]*>|\{\\[^{}]*\}")  # HTML, times of karaoke, {\an8}
_NO_CUE = ("NOTE", "STYLE", "REGION")
_EXAMPLE = "such as 00:01:02.500 --> 00:01:04.000"


class _Cue(NamedTuple):
    start: float
    end: float
    words: list[str]


def read_subtitles(
    path: str | PathLike, *, person: str = "", encoding: str = "utf-8-sig"
) -> Recording:
    r"""Read subtitles, SRT or WebVTT, as the words said in each second.

    Parameters
    ----------
    path : path-like
        File with subtitles. It is WebVTT if it begins with "WEBVTT".
    person : str, default=""
        Who speaks.
    encoding : str, default="utf-8-sig"
        Of the text. Old SRT files are often in "cp1252".

    Returns
    -------
    Recording
        Signal "text" at 1 Hz from 0 s to the end of the last cue: an object array of shape
        (1, n_seconds) with the words of each second, and "" where nothing is said. The words
        of a cue are spread evenly over its time. Tags and cue settings are left out.

    Raises
    ------
    RecordingError
        If the file is missing, empty, of another encoding or holds no cue, a time is malformed,
        a cue ends before it starts, or starts before the one above. Path and line are named.

    Warns
    -----
    RecordingWarning
        If the file does not end with a line break, or its last cue has no words: it may be cut
        short.

    Notes
    -----
    Ours: neither format tells when within a cue a word is said.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from stf2m_sk.recordings import read_subtitles
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "talk.vtt")
    ...     _ = path.write_text("WEBVTT\n\n00:01.000 --> 00:03.000\n<i>all</i> is so well\n")
    ...     read_subtitles(path)["text"].values
    array([['', 'all is', 'so well']], dtype=object)
    """
    path = existing_file(path)
    warn_unless_line_ends(path)
    with (
        as_recording_error(path, UnicodeError, hint="; give its encoding="),
        path.open(encoding=encoding) as file,
    ):
        lines = [line.rstrip("\n") for line in file]
    cues = _cues(path, lines)
    if not cues:
        raise RecordingError(f"{path}: holds no cue; a cue begins with its times, {_EXAMPLE}")
    if not cues[-1].words:
        warn_of_recording(f"{path}: the last cue has no words; the file may be cut short")
    return Recording({"text": Signal(_by_second(cues), 1)}, None, person, path.stem)


def _cues(path: Path, lines: list[str]) -> list[_Cue]:
    is_vtt = bool(lines) and lines[0].split(maxsplit=1)[:1] == ["WEBVTT"]
    if path.suffix.lower() == ".vtt" and not is_vtt:
        raise RecordingError(f"{path}, line 1: expected 'WEBVTT', got {lines[0]!r}")
    cues: list[_Cue] = []
    for first, block in _blocks(lines):
        if is_vtt and (first == 1 or block[0].split(maxsplit=1)[0] in _NO_CUE):
            continue
        number, cue = _cue(path, first, block)
        if cues and cue.start < cues[-1].start:
            raise RecordingError(
                f"{path}, line {number}: the cue starts at {cue.start:g} s, before the one above "
                f"({cues[-1].start:g} s)"
            )
        cues.append(cue)
    return cues


def _blocks(lines: list[str]) -> list[tuple[int, list[str]]]:
    """Number of the first line, and lines, of what blank lines separate."""
    blocks: list[tuple[int, list[str]]] = []
    follows = False
    for number, line in enumerate(lines, 1):
        if line.strip():
            if not follows:
                blocks.append((number, []))
            blocks[-1][1].append(line)
        follows = bool(line.strip())
    return blocks


def _cue(path: Path, first: int, block: list[str]) -> tuple[int, _Cue]:
    """The line with the times of a cue, and the cue."""
    # The times are the first line of the block, or the second, below a number or name.
    named = "-->" not in block[0] and (block[0].strip().isdigit() or "-->" in "".join(block[1:2]))
    place = 1 if named and len(block) > 1 else 0
    number = first + place
    found = _TIMES.fullmatch(block[place])
    if not found:
        raise RecordingError(
            f"{path}, line {number}: expected the times of a cue, {_EXAMPLE}, got {block[place]!r}"
        )
    start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
    if end < start:
        raise RecordingError(
            f"{path}, line {number}: the cue ends at {end:g} s, before {start:g} s"
        )
    for below, line in enumerate(block[place + 1 :], number + 1):
        if "-->" in line:
            raise RecordingError(
                f"{path}, line {below}: times within the text of a cue; a blank line is missing"
            )
    text = html.unescape(_TAG.sub("", " ".join(block[place + 1 :])))
    return number, _Cue(start, end, text.split())


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds) + float(f"0.{fraction}")


def _by_second(cues: list[_Cue]) -> NDArray[np.object_]:
    n_seconds = max(1, math.ceil(max(cue.end for cue in cues)))
    said: list[list[tuple[float, str]]] = [[] for _ in range(n_seconds)]
    for cue in cues:
        for place, word in enumerate(cue.words):
            time = cue.start + (place + 0.5) / len(cue.words) * (cue.end - cue.start)
            said[min(int(time), n_seconds - 1)].append((time, word))
    text = np.empty((1, n_seconds), dtype=object)
    for second, words in enumerate(said):
        words.sort(key=lambda pair: pair[0])  # overlapping cues: words by time
        text[0, second] = " ".join(word for _, word in words)
    return text

"""Stretches of time with a text, as WebVTT, SRT and ELAN files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

__all__ = ["Cue", "elan", "srt", "webvtt"]

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_MIME_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".wav": "audio/x-wav",
}


class Cue(NamedTuple):
    """A stretch of time with a text.

    Attributes
    ----------
    start, end : float
        In seconds from the start of the medium.
    text : str
        What is shown.
    """

    start: float
    end: float
    text: str


def webvtt(cues: Sequence[Cue]) -> str:
    """The text of a WebVTT file.

    Parameters
    ----------
    cues : sequence of Cue
        In the order of time. What lies before 0 is cut off.

    Returns
    -------
    str

    Examples
    --------
    >>> from stf2m_sk.recordings._subtitle_export import Cue, webvtt
    >>> print(webvtt([Cue(0, 61.5, "joy & awe")]))
    WEBVTT
    <BLANKLINE>
    1
    00:00:00.000 --> 00:01:01.500
    joy &amp; awe
    <BLANKLINE>
    """
    blocks = [
        f"{i}\n{_clock(start, '.')} --> {_clock(end, '.')}\n{escape(text, quote=False)}\n"
        for i, (start, end, text) in enumerate(_in_milliseconds(cues), start=1)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def srt(cues: Sequence[Cue]) -> str:
    """The text of an SRT file.

    Parameters
    ----------
    cues : sequence of Cue
        In the order of time. What lies before 0 is cut off.

    Returns
    -------
    str
        SRT has no escapes: angle brackets, which players take for tags, become round ones.

    Examples
    --------
    >>> from stf2m_sk.recordings._subtitle_export import Cue, srt
    >>> print(srt([Cue(1, 2, "joy <3")]))
    1
    00:00:01,000 --> 00:00:02,000
    joy (3
    <BLANKLINE>
    """
    brackets = str.maketrans("<>", "()")
    blocks = [
        f"{i}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text.translate(brackets)}\n"
        for i, (start, end, text) in enumerate(_in_milliseconds(cues), start=1)
    ]
    return "\n".join(blocks)


def elan(tiers: Mapping[str, Sequence[Cue]], media: str = "", date: str = "") -> str:
    """The text of an ELAN file (EAF 3.0).

    Parameters
    ----------
    tiers : mapping of str to sequence of Cue
        By name of the tier; cues of a tier do not overlap. What lies before 0 is cut off.
    media : str, default=""
        Path or URL of the video or sound that the times belong to.
    date : str, default=""
        ISO 8601 date and time of the file; empty for 1970, so that equal timelines give equal
        files.

    Returns
    -------
    str
        XML.
    """
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "stf2m_sk",
            "DATE": date or "1970-01-01T00:00:00+00:00",
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": _XSI,
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media:
        ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", _media(media))
    whole = {name: _in_milliseconds(cues) for name, cues in tiers.items()}
    slots = _add_time_slots(root, whole)
    for name, cues in whole.items():
        tier = ElementTree.SubElement(root, "TIER", TIER_ID=name, LINGUISTIC_TYPE_REF="emotion")
        for i, (_, _, text) in enumerate(cues):
            _add_annotation(
                tier, text, f"a{slots[name, i, 0][2:]}", slots[name, i, 0], slots[name, i, 1]
            )
    ElementTree.SubElement(
        root,
        "LINGUISTIC_TYPE",
        LINGUISTIC_TYPE_ID="emotion",
        TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
    )
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _add_time_slots(
    root: ElementTree.Element, tiers: Mapping[str, Sequence[tuple[int, int, str]]]
) -> dict[tuple[str, int, int], str]:
    """Slots in the order of time, as ELAN keeps them; by tier, place in it, and end (0 or 1)."""
    order = ElementTree.SubElement(root, "TIME_ORDER")
    times = sorted(
        (cue[end], name, i, end)
        for name, cues in tiers.items()
        for i, cue in enumerate(cues)
        for end in (0, 1)
    )
    slots = {}
    for n, (time, *place) in enumerate(times, start=1):
        slots[tuple(place)] = f"ts{n}"
        ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{n}", TIME_VALUE=str(time))
    return slots


def _add_annotation(tier: ElementTree.Element, text: str, name: str, first: str, last: str) -> None:
    holder = ElementTree.SubElement(tier, "ANNOTATION")
    annotation = ElementTree.SubElement(
        holder,
        "ALIGNABLE_ANNOTATION",
        ANNOTATION_ID=name,
        TIME_SLOT_REF1=first,
        TIME_SLOT_REF2=last,
    )
    ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = text


def _media(media: str) -> dict[str, str]:
    """A file is named twice: where it is, and beside the EAF file, where ELAN looks next."""
    mime_type = _MIME_TYPES.get(PurePath(media).suffix.lower(), "unknown")
    if "://" in media:
        return {"MEDIA_URL": media, "MIME_TYPE": mime_type}
    return {
        "MEDIA_URL": Path(media).absolute().as_uri(),
        "RELATIVE_MEDIA_URL": f"./{quote(PurePath(media).name)}",
        "MIME_TYPE": mime_type,
    }


def _in_milliseconds(cues: Sequence[Cue]) -> list[tuple[int, int, str]]:
    """Whole milliseconds from 0 on, and texts of one line that XML and players take."""
    whole = [
        (max(0, round(1000 * cue.start)), round(1000 * cue.end), _one_line(cue.text))
        for cue in cues
    ]
    return [cue for cue in whole if cue[1] > cue[0]]


def _one_line(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.replace("-->", "->").split()) or "?"


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}"

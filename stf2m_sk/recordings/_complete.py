"""Whether a media file holds all bytes that its headers promise.

Libraries that decode take what is left of a file that was cut short, without a word.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import warn_of_recording

__all__ = ["check_complete"]

_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # what programs write that do not know the length in advance
_PLAIN_NUMBERS = (1, 3, 0xFFFE)  # of WAV: integers, floats, either
_LAST_PAGE = 0x04  # flag of an Ogg page
_OGG_PAGE = struct.Struct("<4sBBqIIIB")  # of which the checksum is bytes 22 to 25
_MATROSKA, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_NEEDED = {  # what describes a track, by the box that holds it
    b"trak": (b"tkhd", b"mdia"),
    b"mdia": (b"mdhd", b"hdlr", b"minf"),
    b"minf": (b"stbl",),
    b"stbl": (b"stsd",),
}
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def check_complete(path: Path) -> None:
    """Refuse a file that ends before its headers say.

    Parameters
    ----------
    path : Path
        WAV, RF64, AVI, AIFF, W64, Ogg, MP4, MOV, Matroska or WebM. Other formats, such as MP3 and
        MPEG-TS, do not say how long they are, and pass.

    Raises
    ------
    RecordingError
        If bytes are missing, a page of Ogg or the description of a track of MP4 is damaged, or a
        WAV header contradicts itself.

    Warns
    -----
    RecordingWarning
        If a WAV file does not say how long it is, or holds something after its samples that is
        no chunk.

    Notes
    -----
    Sources: the formats' specifications (RIFF; EA IFF 85; RFC 3533 for Ogg; ISO 14496-12 for
    boxes; RFC 8794 for EBML).
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind = file.read(24)
        if kind[:4] in (b"RIFF", b"RF64") and kind[8:12] == b"WAVE":
            _check_wave(path, file, size)
        elif kind[:4] == b"RIFF":  # AVI
            _check_size(path, 8 + int.from_bytes(kind[4:8], "little"), size)
        elif kind[:4] == b"FORM":  # AIFF
            _check_size(path, 8 + int.from_bytes(kind[4:8], "big"), size)
        elif kind[:4] == b"riff":  # W64
            _check_size(path, int.from_bytes(kind[16:], "little"), size)
        elif kind[:4] == b"OggS":
            _check_ogg(path, file, size)
        elif kind[:4] == _MATROSKA:
            _check_matroska(path, file, size)
        elif kind[4:8] in _FIRST_BOXES:
            _check_boxes(path, file, size)


def _check_size(path: Path, promised: int, there: int) -> None:
    if there < promised:
        raise RecordingError(
            f"{path}: its header promises {promised} bytes, {there} are there; the file is cut "
            "short or damaged"
        )


def _check_wave(path: Path, file: BinaryIO, size: int) -> None:
    long_data, block, position, found = None, 1, 12, False
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        there = size - position - 8
        if name == b"ds64":
            long_data = int.from_bytes(file.read(16)[8:], "little")
        elif name == b"fmt ":
            block = _checked_block(path, file.read(16))
        elif name == b"data":
            found = True
            if length == _UNKNOWN_SIZE[1] and long_data:
                length = long_data
            elif length in _UNKNOWN_SIZE and there:
                warn_of_recording(
                    f"{path}: its header does not say how long it is; it may be cut short"
                )
                return
            _check_size(path, length, there)
            if length % block:
                raise RecordingError(
                    f"{path}: its header promises {length} bytes of samples, which have {block} "
                    "bytes each; it is damaged"
                )
        elif found and length > there:
            break
        position += 8 + length + length % 2
    if not found:
        raise RecordingError(f"{path}: holds no samples (no data chunk); is the file cut short?")
    if position < size:
        warn_of_recording(
            f"{path}: something unknown follows its samples, at byte {position}; the header may "
            "promise too few samples"
        )


def _checked_block(path: Path, fmt: bytes) -> int:
    """Bytes of a sample of all channels, where samples are plain numbers; else 1."""
    kind, channels, rate, bytes_a_second, block, bits = struct.unpack("<HHIIHH", fmt.ljust(16))
    if kind not in _PLAIN_NUMBERS:
        return 1
    if not block or block != channels * ((bits + 7) // 8) or bytes_a_second != rate * block:
        raise RecordingError(
            f"{path}: its header contradicts itself: {channels} channels of {bits} bits at {rate} "
            f"Hz, but {block} bytes a sample and {bytes_a_second} a second; it is damaged"
        )
    return block


def _check_ogg(path: Path, file: BinaryIO, size: int) -> None:
    """All pages must be whole and the last one say that it is; decoders skip what is damaged."""
    position, flags = 0, 0
    while position < size:
        file.seek(position)
        header = file.read(_OGG_PAGE.size).ljust(_OGG_PAGE.size, b"\0")
        name, _, flags, _, _, _, checksum, n_segments = _OGG_PAGE.unpack(header)
        segments = file.read(n_segments)
        page = header + segments + file.read(sum(segments))
        if name != b"OggS" or _ogg_checksum(page) != checksum:
            raise RecordingError(f"{path}: the page at byte {position} is damaged or cut short")
        position += len(page)
    if not flags & _LAST_PAGE:
        raise RecordingError(f"{path}: its last page is missing; the file is cut short")


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 of a page, in which the checksum's own bytes count as zero."""
    table, remainder = _crc_table(), 0
    for byte in page[:22] + bytes(4) + page[26:]:
        remainder = (remainder << 8 & 0xFFFFFFFF) ^ table[remainder >> 24 ^ byte]
    return remainder


@cache
def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        remainder = byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x104C11DB7 if remainder & 0x80000000 else 0)
        table.append(remainder)
    return table


def _check_matroska(path: Path, file: BinaryIO, size: int) -> None:
    """The segment, which holds everything but a short header, says how long it is."""
    file.seek(4)
    length = _ebml_size(file)
    position = file.tell() + (length or 0)
    file.seek(position)
    if length is None or file.read(4) != _SEGMENT:
        raise RecordingError(f"{path}: has no segment after its header; the file is damaged")
    length = _ebml_size(file)
    if length is not None:  # a stream that was written as it came has none
        _check_size(path, file.tell() + length, size)


def _ebml_size(file: BinaryIO) -> int | None:
    """A size whose number of bytes is told by the leading zero bits; None if it is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    n_bytes = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(n_bytes - 1), "big") - (1 << 7 * n_bytes)
    return None if number == (1 << 7 * n_bytes) - 1 else number


def _check_boxes(path: Path, file: BinaryIO, size: int) -> None:
    for position, name, length in _boxes(path, file, 0, size):
        _check_size(path, position + length, size)
        if name == b"moov":
            _check_tracks(path, file, position + 8, position + length)


def _check_tracks(path: Path, file: BinaryIO, start: int, end: int) -> None:
    """Boxes that describe the tracks must fill the box around them; decoders drop the others."""
    for position, name, length in _boxes(path, file, start, end):
        if position + length > end or not all(_is_printable(byte) for byte in name):
            raise RecordingError(f"{path}: the box at byte {position} is damaged")
        if name in _NEEDED:
            _check_tracks(path, file, position + 8, position + length)
            inside = [box for _, box, _ in _boxes(path, file, position + 8, position + length)]
            if missing := [box.decode() for box in _NEEDED[name] if box not in inside]:
                raise RecordingError(
                    f"{path}: the box at byte {position} lacks {', '.join(missing)}; it is damaged"
                )


def _boxes(path: Path, file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes, int]]:
    """Position, name and length of each box."""
    position = start
    while position < end:
        file.seek(position)
        header = file.read(min(16, end - position))
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:  # written behind the name, with eight bytes
            length = int.from_bytes(header[8:], "big")
        if length == 0 or (start == 0 and not name.isalnum()):
            return  # a box up to the end, or bytes that are none
        if length < 8:
            raise RecordingError(f"{path}: has no box at byte {position}; the file is damaged")
        yield position, name, length
        position += length


def _is_printable(byte: int) -> bool:
    return 0x20 <= byte < 0x7F or byte == 0xA9  # names of QuickTime may begin with ©

import struct

import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._complete import check_complete


def riff(data, *, promised=None, rate=8000, block=2, extra=b""):
    """A WAV file of one channel of 16 bits, written by hand."""
    fmt = struct.pack("<HHIIHH", 1, 1, rate, 16_000, block, 16)
    length = len(data) if promised is None else promised
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", length) + data
    return b"RIFF" + struct.pack("<I", len(body + extra)) + body + extra


def box(name, content):
    return struct.pack(">I", 8 + len(content)) + name + content


WAV = riff(bytes(100))
MP4 = box(b"ftyp", b"isom") + box(b"mdat", bytes(50)) + box(b"moov", bytes(30))
LONG_MP4 = struct.pack(">I4sQ", 1, b"mdat", 66) + bytes(50) + box(b"moov", bytes(30))
MATROSKA = b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67\x40\x32" + bytes(50)
AIFF = b"FORM" + struct.pack(">I", 60) + bytes(60)
W64 = b"riff" + bytes(12) + struct.pack("<Q", 80) + bytes(56)
AVI = b"RIFF" + struct.pack("<I", 60) + b"AVI " + bytes(56)
RF64 = (
    b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 1000, 100, 50, 0) + b"data"
    b"\xff\xff\xff\xff" + bytes(100)
)
# An Ogg page with one segment: RFC 3533; its checksum was worked out bit by bit below.
PAGE = b"OggS\0\x06" + bytes(8) + b"\1\0\0\0" + bytes(4)


def ogg_checksum(page):
    """Division of polynomials over bits, most significant first."""
    bits = int.from_bytes(page, "big") << 32
    for place in range(bits.bit_length() - 1, 31, -1):
        if bits >> place & 1:
            bits ^= 0x104C11DB7 << place - 32
    return struct.pack("<I", bits)


OGG = PAGE + ogg_checksum(PAGE + bytes(4) + b"\1\3abc") + b"\1\3abc"
WHOLE = {
    "wav": WAV,
    "rf64": RF64,
    "mp4": MP4,
    "long mp4": LONG_MP4,
    "matroska": MATROSKA,
    "aiff": AIFF,
    "w64": W64,
    "avi": AVI,
    "ogg": OGG,
}


@pytest.fixture
def check(tmp_path):
    def check(content):
        path = tmp_path / "a.file"
        path.write_bytes(content)
        check_complete(path)

    return check


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_whole_files_pass(check, content, recwarn):
    check(content)
    assert not recwarn.list


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_files_that_lack_their_last_byte_do_not(check, content):
    with pytest.raises(RecordingError, match=r"a\.file: .*(cut short|promises)"):
        check(content[:-1])


@pytest.mark.parametrize("content", [b"ID3 of an MP3", b"\x47 of a stream", b"x"])
def test_formats_that_do_not_say_their_length_pass(check, content):
    check(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            riff(bytes(100), rate=8001),
            "its header contradicts itself: 1 channels of 16 bits at 8001",
        ),
        (riff(bytes(100), block=4), "its header contradicts itself"),
        (riff(bytes(100), promised=99), "promises 99 bytes of samples, which have 2 bytes each"),
        (riff(b"")[:36], "holds no samples .no data chunk"),
        (OGG.replace(b"abc", b"abd"), "the page at byte 0 is damaged or cut short"),
        (OGG + OGG[:20], "the page at byte 31 is damaged or cut short"),
        (
            MP4[:-38] + struct.pack(">I", 3) + MP4[-34:],
            "has no box at byte 70; the file is damaged",
        ),
        (MATROSKA.replace(b"\x53\x80", b"\x54\x80"), "has no segment after its header"),
    ],
)
def test_damage_is_told(check, content, message):
    with pytest.raises(RecordingError, match=message):
        check(content)


def test_an_ogg_file_must_have_its_last_page(check):
    first = PAGE.replace(b"\x06", b"\x02")
    with pytest.raises(RecordingError, match="its last page is missing; the file is cut short"):
        check(first + ogg_checksum(first + bytes(4) + b"\1\3abc") + b"\1\3abc")


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_a_wave_file_of_unknown_length_is_told(check, length):
    with pytest.warns(RecordingWarning, match="does not say how long it is"):
        check(riff(bytes(100), promised=length))


@pytest.mark.parametrize("promised", [90, 98])
def test_a_wave_file_that_promises_too_little_is_told(check, promised):
    with pytest.warns(RecordingWarning, match="something unknown follows its samples, at byte"):
        check(riff(b"\xff" * 100, promised=promised))


def test_chunks_behind_the_samples_are_fine(check, recwarn):
    check(riff(bytes(100), extra=b"LIST" + struct.pack("<I", 4) + b"INFO"))
    assert not recwarn.list


@pytest.mark.parametrize("extra", [b"", bytes(20), b"\0\0\0\xff\1\2\3\4 trailing bytes"])
def test_bytes_behind_the_boxes_are_left_alone(check, extra):
    check(MP4 + extra)


def test_a_matroska_stream_without_a_length_passes(check):
    check(MATROSKA.replace(b"\x40\x32", b"\xff")[:-20])

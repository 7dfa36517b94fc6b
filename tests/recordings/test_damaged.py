"""Damaged files: an error with the path, a documented warning, or the values as they were.

Formats that carry checksums or lengths are damaged anywhere. Where a changed digit cannot be told
from another measurement (CSV, WAV and MP4 have no checksums), the damage is to the structure.
"""

import io
import struct
import warnings
import zipfile
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import Recording, RecordingError, RecordingWarning
from stf2m_sk.recordings._audio import read_wav
from stf2m_sk.recordings._csv import read_annotations, read_csv
from stf2m_sk.recordings._e4 import read_e4
from stf2m_sk.recordings._edf import read_edf
from stf2m_sk.recordings._subtitles import read_subtitles
from stf2m_sk.recordings._video import read_video
from stf2m_sk.recordings._wfdb import read_wfdb
from stf2m_sk.recordings._xdf import read_xdf

START = 1644226061


# What is damaged -----------------------------------------------------------------------------


@cache
def e4_members():
    rng = np.random.default_rng(0)

    def sensor(rate, n, columns=1, start=START):
        header = [", ".join([f"{value:.6f}"] * columns) for value in (start, rate)]
        rows = [",".join(f"{x:.4f}" for x in row) for row in rng.uniform(0, 60, (n, columns))]
        return "\n".join([*header, *rows, ""])

    return {
        "ACC.csv": sensor(32, 640, 3),
        "BVP.csv": sensor(64, 1280),
        "EDA.csv": sensor(4, 80),
        "HR.csv": sensor(1, 10, start=START + 10),
        "TEMP.csv": sensor(4, 80),
        "IBI.csv": f"{START}.000000, IBI\n"
        + "".join(f"{i:.6f},{0.75:.6f}\n" for i in range(1, 20)),
        "tags.csv": f"{START + 5}\n",
    }


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


@cache
def sound(form):
    soundfile = pytest.importorskip("soundfile", reason="extra [audio] is not installed")
    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (20_000, 2))
    soundfile.write(file, noise, 16_000, format=form)
    return file.getvalue()


@cache
def video(container, options=()):
    av = pytest.importorskip("av", reason="extra [video] is not installed")
    with TemporaryDirectory() as folder:
        path = Path(folder, f"a.{container}")
        write_video(av, path, dict(options))
        return path.read_bytes()


def write_video(av, path, options):
    with av.open(str(path), "w", options=options) as target:
        stream = target.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "yuv420p"
        track = target.add_stream("aac", rate=16_000, layout="mono")
        for number in range(20):
            image = np.full((32, 48, 3), 10 * number, dtype=np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(stream.encode(None))
        for first in range(0, 32_000, 1024):
            tone = np.sin(np.arange(first, first + 1024) / 9, dtype=np.float32)[None] / 2
            block = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            block.sample_rate, block.pts = 16_000, first
            target.mux(track.encode(block))
        target.mux(track.encode(None))


@cache
def edf():
    pyedflib = pytest.importorskip("pyedflib", reason="extra [physio] is not installed")
    how = {"dimension": "uS", "sample_frequency": 4, "transducer": "", "prefilter": ""}
    how |= {"digital_min": -32768, "digital_max": 32767, "physical_min": 0, "physical_max": 20}
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.edf")
        with pyedflib.EdfWriter(str(path), 1) as file:
            file.setSignalHeaders([{"label": "EDA", **how}])
            file.writeSamples([np.linspace(0, 20, 80)])
        return path.read_bytes()


def table(rows=40):
    return "time,x,eda\n" + "".join(f"{100 + i / 4:.3f},{i % 7},{i / 9:.5f}\n" for i in range(rows))


ANNOTATIONS = "person,start,end,label\n" + "".join(
    f"S01,2022-02-07T09:{i:02}:00+00:00,2022-02-07T09:{i + 1:02}:00+00:00,{label}\n"
    for i, label in enumerate(["calm", "stroop", "relax", "interview"] * 3)
)
SRT = "".join(
    f"{i + 1}\n00:00:{2 * i:02},000 --> 00:00:{2 * i + 2:02},000\nso it goes {i}\n\n"
    for i in range(9)
)
VTT = "WEBVTT\n\n" + SRT.replace(",000", ".000")

# Name of the file, what makes its content, and how it is read.
KINDS = {
    "E4": ("S01.zip", lambda: zipped(e4_members()), read_e4),
    "CSV": ("a.csv", lambda: table().encode(), partial(read_csv, time="time")),
    "annotations": ("labels.csv", ANNOTATIONS.encode, read_annotations),
    "SRT": ("a.srt", SRT.encode, read_subtitles),
    "WebVTT": ("a.vtt", VTT.encode, read_subtitles),
    "WAV": ("a.wav", lambda: sound("WAV"), read_wav),
    "FLAC": ("a.flac", lambda: sound("FLAC"), read_wav),
    "OGG": ("a.ogg", lambda: sound("OGG"), read_wav),
    "AIFF": ("a.aiff", lambda: sound("AIFF"), read_wav),
    "MP4": ("a.mp4", lambda: video("mp4"), read_video),
    "fast MP4": ("a.mp4", lambda: video("mp4", (("movflags", "faststart"),)), read_video),
    "Matroska": ("a.mkv", lambda: video("mkv"), read_video),
    "EDF": ("a.edf", edf, read_edf),
}


# What may come of it -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """What a reader makes of the file before it is damaged."""

    @cache
    def healthy(kind):
        name, content, read = KINDS[kind]
        path = tmp_path_factory.mktemp("healthy") / name
        path.write_bytes(content())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return held(read(path))

    return healthy


def held(read):
    """All that was read, as arrays by name."""
    if isinstance(read, pd.DataFrame):
        return {name: (0.0, 1.0, column.to_numpy()) for name, column in read.items()}
    assert isinstance(read, Recording)
    return {
        name: (signal.start, signal.rate, np.asarray(signal.values[..., :]))
        for name, signal in read.signals.items()
    }


def is_part(found, truth, *, whole):
    """Whether nothing found differs from the truth; text may end earlier, at the end of a row."""
    if found.keys() != truth.keys():
        return False
    for name, (start, rate, values) in found.items():
        _, _, expected = truth[name]
        n = values.shape[-1]
        if (start, rate) != truth[name][:2] or (whole and n != expected.shape[-1]):
            return False
        expected = expected[..., :n]
        same = values == expected
        if values.dtype.kind == "f":
            same |= np.isnan(values) & np.isnan(expected)
        if values.shape != expected.shape or not same.all():
            return False
    return True


def outcome(kind, path, content, truth):
    """ "error", "warning" or "harmless"; fails on everything else."""
    path.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = held(KINDS[kind][2](path))
        except RecordingError as error:
            assert str(path) in str(error)
            assert_closed(path)
            return "error"
    assert_closed(path)
    if caught:
        assert all(warning.category is RecordingWarning for warning in caught)
        assert str(path) in str(caught[0].message)
        return "warning"
    is_text = kind in ("CSV", "annotations", "SRT", "WebVTT")
    assert is_part(found, truth, whole=not is_text), "wrong values without a word"
    return "harmless"


def assert_closed(path):
    folder = Path("/proc/self/fd")
    if folder.exists():
        for descriptor in folder.iterdir():
            try:
                assert descriptor.readlink() != path
            except FileNotFoundError:
                continue  # the descriptor of this listing


# Damages -------------------------------------------------------------------------------------

CUTS = {
    "E4": 30,
    "CSV": 30,
    "annotations": 20,
    "SRT": 20,
    "WebVTT": 20,
    "WAV": 25,
    "FLAC": 10,
    "OGG": 10,
    "AIFF": 10,
    "MP4": 25,
    "fast MP4": 25,
    "Matroska": 15,
    "EDF": 15,
}


@pytest.mark.parametrize(
    ("kind", "share"),
    [(kind, place / n) for kind, n in CUTS.items() for place in range(n)],
)
def test_cut_short(tmp_path, healthy, kind, share):
    name, content, _ = KINDS[kind]
    truth = healthy(kind)
    whole = content()
    result = outcome(kind, tmp_path / name, whole[: int(share * len(whole))], truth)
    if kind not in ("CSV", "annotations", "SRT", "WebVTT"):
        assert result == "error"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_by_one_byte(tmp_path, healthy, kind):
    name, content, _ = KINDS[kind]
    assert outcome(kind, tmp_path / name, content()[:-1], healthy(kind)) != "harmless" or (
        kind in ("SRT", "WebVTT")  # the last byte is one of two line breaks
    )


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        (kind, (place + 0.5) / n)
        for kind, n in {"E4": 40, "FLAC": 20, "OGG": 20}.items()
        for place in range(n)
    ],
)
def test_a_byte_is_turned_where_checksums_are(tmp_path, healthy, kind, share):
    name, content, _ = KINDS[kind]
    truth, damaged = healthy(kind), bytearray(content())
    damaged[int(share * len(damaged))] ^= 0xFF
    outcome(kind, tmp_path / name, bytes(damaged), truth)


@pytest.mark.parametrize("place", [*range(20), *range(22, 44)])  # 20: integers or floats
def test_a_byte_of_a_wave_header_is_turned(tmp_path, healthy, place):
    name, content, _ = KINDS["WAV"]
    truth, damaged = healthy("WAV"), bytearray(content())
    damaged[place] ^= 0xFF
    outcome("WAV", tmp_path / name, bytes(damaged), truth)


BOXES = [
    "ftyp",
    "moov",
    "trak",
    "mdia",
    "minf",
    "stbl",
    "stsd",
    "stts",
    "stsz",
    "stsc",
    "stco",
    "mdhd",
]


@pytest.mark.parametrize("kind", ["MP4", "fast MP4"])
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("damage", ["name", "size", "empty"])
def test_a_box_of_a_video_is_damaged(tmp_path, healthy, kind, box, damage):
    name, content, _ = KINDS[kind]
    truth, damaged = healthy(kind), bytearray(content())
    place = damaged.index(box.encode())
    if damage == "name":
        damaged[place : place + 4] = b"\xffBAD"
    elif damage == "size":
        damaged[place - 4 : place] = struct.pack(">I", 2**31 + 5)
    else:
        damaged[place - 4 : place] = struct.pack(">I", 8)
    outcome(kind, tmp_path / name, bytes(damaged), truth)


def rows_of(text):
    return text.split("\n")[:-1]


def text_of(rows):
    return "\n".join([*rows, ""])


ROWS = {
    "first header row is missing": lambda rows: rows[1:],
    "second header row is missing": lambda rows: [rows[0], *rows[2:]],
    "both header rows are missing": lambda rows: rows[2:],
    "header rows alone": lambda rows: rows[:2],
    "empty": lambda rows: [],
    "header rows are swapped": lambda rows: [rows[1], rows[0], *rows[2:]],
    "rate of zero": lambda rows: [rows[0], rows[1].replace(rows[1].split(",")[0], "0"), *rows[2:]],
    "negative rate": lambda rows: [rows[0], "-" + rows[1], *rows[2:]],
    "rate of another sensor": lambda rows: [rows[0], "128", *rows[2:]],
    "time in milliseconds": lambda rows: [rows[0].replace(".", "000."), *rows[1:]],
    "time of another day": lambda rows: [rows[0].replace("1644", "1645"), *rows[1:]],
    "letter in a number": lambda rows: [*rows[:5], "O" + rows[5][1:], *rows[6:]],
    "empty row": lambda rows: [*rows[:5], "", *rows[5:]],
    "column too many": lambda rows: [*rows[:5], rows[5] + ",1", *rows[6:]],
    "semicolons and decimal commas": lambda rows: [
        row.replace(",", ";").replace(".", ",") for row in rows
    ],
    "not a number": lambda rows: [*rows[:5], "nan", *rows[6:]],
    "two rows in one": lambda rows: [*rows[:5], rows[5] + rows[6], *rows[7:]],
}


@pytest.mark.parametrize("member", ["ACC.csv", "BVP.csv", "EDA.csv", "HR.csv", "TEMP.csv"])
@pytest.mark.parametrize("damage", ROWS)
def test_a_file_of_an_e4_session_is_damaged(tmp_path, healthy, member, damage):
    truth = healthy("E4")
    rows = ROWS[damage](rows_of(e4_members()[member]))
    members = {**e4_members(), member: text_of(rows) if rows else ""}
    assert outcome("E4", tmp_path / "S01.zip", zipped(members), truth) == "error"


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[1:],
        lambda rows: [rows[0], *rows[:0:-1]],
        lambda rows: [rows[0], *[row.replace(",", ";") for row in rows[1:]]],
        lambda rows: [rows[0], *[",".join(row.split(",")[::-1]) for row in rows[1:]]],
        lambda rows: [rows[0].replace("1644", "1645"), *rows[1:]],
        lambda rows: [*rows[:3], rows[3].replace("0.75", "-0.75"), *rows[4:]],
        lambda rows: [*rows[:3], rows[3].split(",")[0], *rows[4:]],
    ],
    ids=["no header", "reversed", "semicolons", "swapped", "other day", "negative", "half a row"],
)
def test_intervals_of_an_e4_session_are_damaged(tmp_path, healthy, damage):
    members = {**e4_members(), "IBI.csv": text_of(damage(rows_of(e4_members()["IBI.csv"])))}
    assert outcome("E4", tmp_path / "S01.zip", zipped(members), healthy("E4")) == "error"


def swapped(rows, first, second):
    """Cells of two columns change places, the names stay."""
    cells = [row.split(",") for row in rows]
    for row in cells[1:]:
        row[first], row[second] = row[second], row[first]
    return [",".join(row) for row in cells]


CSV_DAMAGES = {
    "no names": lambda rows: rows[1:],
    "name twice": lambda rows: ["time,x,x", *rows[1:]],
    "name too few": lambda rows: ["time,x", *rows[1:]],
    "no time": lambda rows: ["clock,x,eda", *rows[1:]],
    "empty": lambda rows: [],
    "names alone": lambda rows: rows[:1],
    "backwards": lambda rows: [rows[0], *rows[:0:-1]],
    "two rows swapped": lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]],
    "row twice": lambda rows: [*rows[:6], rows[5], *rows[6:]],
    "time swapped with x": lambda rows: swapped(rows, 0, 1),
    "row too short": lambda rows: [*rows[:5], rows[5].rsplit(",", 1)[0], *rows[6:]],
    "row too long": lambda rows: [*rows[:5], rows[5] + ",1", *rows[6:]],
    "empty row": lambda rows: [*rows[:5], "", *rows[5:]],
    "text": lambda rows: [*rows[:5], rows[5] + "x", *rows[6:]],
    "infinite": lambda rows: [*rows[:5], rows[5].rsplit(",", 1)[0] + ",inf", *rows[6:]],
    "missing time": lambda rows: [*rows[:5], "," + rows[5].split(",", 1)[1], *rows[6:]],
    "time is text": lambda rows: [*rows[:5], "soon," + rows[5].split(",", 1)[1], *rows[6:]],
    "open quote": lambda rows: [*rows[:5], '"' + rows[5], *rows[6:]],
    "semicolons": lambda rows: [row.replace(",", ";") for row in rows],
    "decimal commas": lambda rows: [row.replace(".", ",") for row in rows],
    "milliseconds": lambda rows: [rows[0], *["1" + "0" * 9 + row for row in rows[1:]]],
    "irregular": lambda rows: [*rows[:3], *rows[3:20:3], *rows[20:24], *rows[24::7]],
    "date without offset": lambda rows: [
        rows[0],
        *[f"2022-02-07T09:39:{i:02},1,2" for i in range(20)],
    ],
    "numbers, then dates": lambda rows: [*rows, "2022-02-07T09:39:00Z,1,2"],
}


@pytest.mark.parametrize("damage", CSV_DAMAGES)
def test_a_table_is_damaged(tmp_path, healthy, damage):
    rows = CSV_DAMAGES[damage](rows_of(table()))
    content = text_of(rows) if rows else ""
    result = outcome("CSV", tmp_path / "a.csv", content.encode(), healthy("CSV"))
    assert result == "error"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("e", "é").encode("latin-1"),
        lambda text: text.encode()[::-1],
    ],
    ids=["UTF-16", "Latin-1", "reversed"],
)
@pytest.mark.parametrize("kind", ["CSV", "annotations", "SRT", "WebVTT"])
def test_text_of_another_encoding(tmp_path, healthy, kind, encode):
    name, content, _ = KINDS[kind]
    damaged = encode(content().decode())
    assert outcome(kind, tmp_path / name, damaged, healthy(kind)) == "error"


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[1:],
        lambda rows: rows[:1] * 2,
        lambda rows: [rows[0].replace("label", "emotion"), *rows[1:]],
        lambda rows: [rows[0].replace("end", "start"), *rows[1:]],
        lambda rows: swapped(rows, 1, 2),
        lambda rows: swapped(rows, 2, 3),
        lambda rows: [rows[0], *[row.replace("+00:00", "") for row in rows[1:]]],
        lambda rows: [*rows[:4], rows[4].replace("+00:00", "", 1), *rows[5:]],
        lambda rows: [*rows[:4], rows[4].replace("2022-02-07", "2022-02-30", 1), *rows[5:]],
        lambda rows: [*rows[:4], rows[4].rsplit(",", 1)[0] + ",", *rows[5:]],
        lambda rows: [*rows[:4], rows[4].rsplit(",", 1)[0], *rows[5:]],
        lambda rows: [*rows[:4], "", *rows[4:]],
        lambda rows: [*rows, "S01,1644226740,1644226800,calm"],
        lambda rows: [row.replace(",", ";") for row in rows],
        lambda rows: [row.replace(",", "\t") for row in rows],
        lambda rows: [],
    ],
)
def test_annotations_are_damaged(tmp_path, healthy, damage):
    rows = damage(rows_of(ANNOTATIONS))
    content = text_of(rows).encode() if rows else b""
    assert (
        outcome("annotations", tmp_path / "labels.csv", content, healthy("annotations")) == "error"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("00:00:04", "00:00:99"),
        ("00:00:04", "00:77:04"),
        ("00:00:04", "00:0O:04"),
        ("00:00:04", "-0:00:04"),
        (" --> ", " -> "),
        (" --> ", " "),
        ("00:00:06", "00:00:03"),
        ("00:00:08", "00:00:01"),
        ("so it goes 3\n\n", "so it goes 3\n"),
        ("so it goes 3", "so it\n\ngoes 3"),
        ("00:00:04", ""),
    ],
)
@pytest.mark.parametrize("kind", ["SRT", "WebVTT"])
def test_subtitles_are_damaged(tmp_path, healthy, kind, old, new):
    name, content, _ = KINDS[kind]
    damaged = content().decode().replace(old, new, 1).encode()
    assert outcome(kind, tmp_path / name, damaged, healthy(kind)) == "error"


READERS = {
    "e4": read_e4,
    "csv": partial(read_csv, rate=1),
    "annotations": read_annotations,
    "wav": read_wav,
    "video": read_video,
    "subtitles": read_subtitles,
    "edf": read_edf,
    "wfdb": read_wfdb,
    "xdf": read_xdf,
}


@pytest.mark.filterwarnings("ignore::stf2m_sk.recordings.RecordingWarning")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", [b"", b"\n", bytes(300), bytes(range(256)), b"hello\n"])
def test_no_reader_takes_what_is_no_such_file(tmp_path, reader, content):
    path = tmp_path / "a.hea"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"a\.hea"):
        READERS[reader](path)
    assert_closed(path)


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_takes_a_file_that_is_not_there(tmp_path, reader):
    with pytest.raises(RecordingError, match=r"none\.hea: there is no such file"):
        READERS[reader](tmp_path / "none.hea")

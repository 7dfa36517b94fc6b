import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._e4 import read_e4

START = 1644226061
SHARED = Path(__file__).parents[2].parent / "shared/data"
REAL = SHARED / "raw/empatica_e4"


def sensor(rate, rows, start=START, columns=1):
    header = [", ".join([f"{value:.6f}"] * columns) for value in (start, rate)]
    return "\n".join([*header, *rows, ""])


@pytest.fixture
def session():
    """Four seconds of an E4, by the names of its files; heart rate starts later, as it does."""
    return {
        "ACC.csv": sensor(32, [f"{i},{-i},{64 - i}" for i in range(128)], columns=3),
        "BVP.csv": f"{START}\r\n64\r\n" + "".join(f"{i / 7:.2f}\r\n" for i in range(256)),
        "EDA.csv": sensor(4, [f"{i / 100:.6f}" for i in range(16)]),
        "HR.csv": sensor(1, ["83.00", "83.50"], START + 2),
        "TEMP.csv": sensor(4, ["28.39"] * 16),
        "IBI.csv": f"{START}.000000, IBI\n1.000000,0.500000\n2.500000,0.750000\n",
        "tags.csv": f"{START + 1}.5\r\n{START + 3}\r\n",
        "info.txt": ".csv files in this archive are in the following format:\n",
    }


@pytest.fixture
def packed(tmp_path):
    def packed(files, name="S07.zip", folder=""):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in files.items():
                archive.writestr(folder + member, content)
        return path

    return packed


def test_signals_have_the_values_rates_times_and_units_of_the_export(packed, session):
    recording = read_e4(packed(session))
    assert (recording.name, recording.person, recording.annotations) == ("S07", "S07", None)
    assert list(recording.signals) == ["acc", "bvp", "eda", "hr", "temp", "ibi"]
    expected = {
        "acc": (32, START, "1/64 g", ("x", "y", "z")),
        "bvp": (64, START, "", ("bvp",)),
        "eda": (4, START, "uS", ("eda",)),
        "hr": (1, START + 2, "bpm", ("hr",)),
        "temp": (4, START, "degC", ("temp",)),
        "ibi": (4, START, "s", ("ibi",)),
    }
    for name, signal in recording.signals.items():
        assert (signal.rate, signal.start, signal.unit, signal.channels) == expected[name]
        assert signal.values.dtype == np.float32
    numbers = np.arange(128)
    np.testing.assert_array_equal(recording["acc"].values, [numbers, -numbers, 64 - numbers])
    bvp = np.array([f"{i / 7:.2f}" for i in range(256)], dtype=np.float32)
    np.testing.assert_array_equal(recording["bvp"].values, bvp[None])
    np.testing.assert_array_equal(recording["hr"].values, [[83, 83.5]])


def test_a_beat_interval_covers_the_samples_up_to_its_beat(packed, session):
    ibi = read_e4(packed(session))["ibi"]
    # By hand: (0.5, 1.0] s and (1.75, 2.5] s of 16 samples at 4 Hz.
    expected = np.full(16, np.nan)
    expected[[3, 4]], expected[[8, 9, 10]] = 0.5, 0.75
    np.testing.assert_array_equal(ibi.values, expected[None])


@pytest.mark.parametrize("content", [None, "", f"{START}.0, IBI\n"])
def test_intervals_may_be_empty_or_missing(packed, session, content):
    del session["IBI.csv"]
    if content is not None:
        session["IBI.csv"] = content
    ibi = read_e4(packed(session))["ibi"]
    assert ibi.values.shape == (1, 16)
    assert np.isnan(ibi.values).all()


def test_folders_and_subfolders_read_the_same(packed, session, tmp_path):
    plain = read_e4(packed(session))
    session["__MACOSX/._EDA.csv"] = "junk of macOS"
    nested = packed(session, "nested.zip", folder="export/S07/")
    with zipfile.ZipFile(nested) as archive:
        archive.extractall(tmp_path / "unpacked")
    for other in (nested, tmp_path / "unpacked"):
        read = read_e4(other, person="P1")
        assert (read.name, read.person) == (other.stem, "P1")
        for name, signal in plain.signals.items():
            np.testing.assert_array_equal(read[name].values, signal.values)


def test_tags_are_annotations_only_on_request(packed, session):
    tags = read_e4(packed(session), tags=True).annotations
    assert tags["start"].tolist() == tags["end"].tolist() == [START + 1.5, START + 3]
    assert tags["label"].tolist() == ["tag", "tag"]
    session["tags.csv"] = ""
    assert len(read_e4(packed(session), tags=True).annotations) == 0
    session["tags.csv"] = "12.5\n"
    with pytest.raises(RecordingError, match=r"tags\.csv, row 1: expected a time in seconds"):
        read_e4(packed(session), tags=True)


HEADER = f"{START}.000000\n4.000000\n"


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("EDA.csv", "", r"EDA\.csv: the file is empty"),
        ("EDA.csv", HEADER, r"EDA\.csv: holds no samples after the two header rows"),
        ("EDA.csv", f"{START}\n", r"EDA\.csv, row 2: .* got nothing; is a header row missing"),
        ("EDA.csv", "4.0\n0.1\n0.2\n", r"EDA\.csv, row 1: expected the time of the first sample"),
        (
            "EDA.csv",
            f"{START}\n0.1\n0.2\n",
            r"EDA\.csv, row 2: expected the rate .* 4 Hz, got 0\.1",
        ),
        ("EDA.csv", f"{START}\n0\n0.2\n", r"EDA\.csv, row 2: expected the rate .* 4 Hz, got 0"),
        ("EDA.csv", f"{START}\n-4\n0.2\n", r"EDA\.csv, row 2: expected the rate .* 4 Hz, got -4"),
        ("EDA.csv", f"{START}000\n4\n0.2\n", r"EDA\.csv, row 1: expected the time .* since 1970"),
        ("EDA.csv", HEADER + "0.1\nx\n", r"EDA\.csv, row 4: expected 1 number, got 'x'"),
        ("EDA.csv", HEADER + "0.1\n\n0.2\n", r"EDA\.csv, row 4: expected 1 number, got ''"),
        ("EDA.csv", HEADER + "0.1\nnan\n", r"EDA\.csv, row 4: expected 1 number, got 'nan'"),
        ("EDA.csv", HEADER + "0.1,0.2\n", r"EDA\.csv, row 3: expected 1 number, got '0\.1,0\.2'"),
        ("EDA.csv", b"\xff\xfe1\n", r"EDA\.csv: cannot be read .*ascii"),
        ("EDA.csv", sensor(4, ["1"], START + 90), r"EDA\.csv, row 1: starts 90 s after ACC\.csv"),
        ("ACC.csv", sensor(32, ["1,2"], columns=3), r"ACC\.csv, row 3: expected 3 numbers"),
        ("ACC.csv", sensor(32, ["1"]), r"ACC\.csv, row 1: expected 3 numbers"),
        ("IBI.csv", "1.0,0.5\n", r"IBI\.csv, row 1: expected the start .* 'IBI', got '1\.0,0\.5'"),
        ("IBI.csv", f"{START}, IBI\n1,0.5\n0.9,0.2\n", r"IBI\.csv, row 3: expected .* later beat"),
        ("IBI.csv", f"{START}, IBI\n1,-0.5\n", r"IBI\.csv, row 2: expected the time of a later"),
        ("IBI.csv", f"{START}, IBI\n900,0.5\n", r"IBI\.csv, row 2: expected .* within the session"),
        ("IBI.csv", f"{START}, IBI\n1;0.5\n", r"IBI\.csv, row 2: expected 2 numbers"),
        ("IBI.csv", f"{START + 99}, IBI\n1,0.5\n", r"IBI\.csv, row 1: starts at 1644226160 s"),
    ],
)
def test_damaged_files_name_path_member_and_row(packed, session, member, content, message):
    session[member] = content
    with pytest.raises(RecordingError, match=rf"S07\.zip, {message}"):
        read_e4(packed(session))


def test_what_is_no_session_is_refused(packed, session, tmp_path):
    with pytest.raises(RecordingError, match=r"S07\.zip: holds none of ACC\.csv, BVP\.csv"):
        read_e4(packed({"info.txt": "x"}))
    with pytest.raises(RecordingError, match=r"a\.zip: holds both EDA\.csv and S08/EDA\.csv"):
        read_e4(packed({**session, "S08/EDA.csv": session["EDA.csv"]}, "a.zip"))
    no_zip = tmp_path / "no.zip"
    no_zip.write_text("hello")
    with pytest.raises(RecordingError, match=r"no\.zip: cannot be read \(File is not a zip file"):
        read_e4(no_zip)
    with pytest.raises(RecordingError, match=r"none\.zip: there is no such file"):
        read_e4(tmp_path / "none.zip")


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [
        ("HR.csv", None, r"S07\.zip: HR\.csv missing"),
        ("EDA.csv", HEADER + "0.1\n0.2", r"EDA\.csv: the last row does not end with a line"),
        (
            "EDA.csv",
            sensor(4, ["0.1"] * 400),
            r"ACC\.csv \(96 s early\), .* ends before the others",
        ),
    ],
)
def test_signs_of_an_incomplete_export_are_told(packed, session, member, content, message):
    if content is None:
        del session[member]
    else:
        session[member] = content
    with pytest.warns(RecordingWarning, match=message):
        read_e4(packed(session))


@pytest.mark.skipif(not REAL.exists(), reason="the real E4 sessions (../shared) are not here")
class TestRealSessions:
    @pytest.mark.parametrize("person", ["S01", "S02", "S12"])
    def test_windows_of_the_published_benchmark_are_found_value_for_value(self, person):
        recording = read_e4(REAL / f"{person}.zip")
        with np.load(SHARED / "stress_predict.npz") as arrays:
            rows = arrays["groups"] == person
            clips = {name: arrays[name][rows] for name in ("acc", "eda", "hr", "temp", "bvp")}
        table = pd.read_csv(REAL / "annotations.csv").query("person == @person")
        times = [
            start + 30 * number
            for start, end in zip(table["start"], table["end"], strict=True)
            for start, end in [(pd.Timestamp(start).timestamp(), pd.Timestamp(end).timestamp())]
            for start in [start + 20]
            for number in range(int((end - 20 - start) // 30))
        ]
        for name, expected in clips.items():
            signal = recording[name]
            found = {
                signal.read(signal.index(time), signal.index(time) + int(30 * signal.rate))
                .astype(expected.dtype)
                .tobytes()
                for time in times
            }
            assert all(clip.tobytes() in found for clip in expected)

    def test_numbers_are_those_that_pandas_reads(self):
        recording = read_e4(REAL / "S05.zip")
        with zipfile.ZipFile(REAL / "S05.zip") as archive, archive.open("BVP.csv") as file:
            column = pd.read_csv(file, header=None, float_precision="round_trip")[0]
        np.testing.assert_array_equal(recording["bvp"].values[0], column[2:].astype(np.float32))

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._csv import read_annotations, read_csv
from stf2m_sk.recordings._dataframe import from_dataframe

TABLE = "t,x,eda\n0.0,1,0.1\n0.5,2,\n1.0,3,0.3\n"
LABELS = (
    "person,start,end,label,valence\n"
    "01,2022-02-07T09:39:00+00:00,2022-02-07T09:43:00Z,calm,6\n"
    "NA,2022-02-07T10:39:00+01:00,2022-02-07T09:44:00Z,None,\n"
)


@pytest.fixture
def write(tmp_path):
    def write(text, name="walk.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


def test_reads_the_same_as_the_frame(write):
    path = write(TABLE)
    read = read_csv(path, time="t", unit={"eda": "uS"}, person="S01")
    made = from_dataframe(pd.read_csv(path), time="t", unit={"eda": "uS"})
    assert (read.name, read.person) == ("walk", "S01")
    for name in ("x", "eda"):
        np.testing.assert_array_equal(read[name].values, made[name].values)
        assert repr(read[name]) == repr(made[name])
    np.testing.assert_array_equal(read["eda"].values, [[0.1, np.nan, 0.3]])


@pytest.mark.parametrize(
    "text",
    [
        TABLE.replace("\n", "\r\n"),
        "\ufeff" + TABLE,
        TABLE + "\n\n",
        TABLE.replace("eda", " eda "),
        TABLE.replace("2,\n", "2,NA\n"),
        TABLE.replace("t,x", '"t","x"'),
    ],
)
def test_what_programs_write_differently_reads_the_same(write, text):
    plain, other = read_csv(write(TABLE), time="t"), read_csv(write(text, "b.csv"), time="t")
    assert list(plain.signals) == list(other.signals)
    np.testing.assert_array_equal(plain["eda"].values, other["eda"].values)


@given(
    arrays(np.float64, (7, 2), elements=st.floats(allow_nan=False, allow_infinity=False)),
)
def test_numbers_survive_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    pd.DataFrame(values, columns=["x", "y"]).to_csv(path, index=False)
    read = read_csv(path, rate=2, signals={"xy": ["x", "y"]})
    np.testing.assert_array_equal(read["xy"].values, values.T)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("t,x,eda\n", "holds no rows"),
        ("0.0,1,0.1\n0.5,2,0.2\n", "row 1: expected names of columns, got numbers"),
        ("t,x,x\n0,1,2\n1,1,2\n", "row 1: more than one column is named 'x'"),
        (",x\n0,1\n1,2\n", r"row 1: expected a name for each column.*index=False"),
        ("t,x\n0,1\n1,2,3\n", "row 3: expected 2 cells, as in row 1, got 3"),
        ("t,x\n0,1\n1\n", "row 3: expected 2 cells, as in row 1, got 1"),
        ("t,x\n0,1\n\n1,2\n", "row 3: the row is empty"),
        ("t,x\n0,1\n1,b\n", "row 3, column 'x': expected a finite number .* got 'b'"),
        ("t,x\n0,1\n1,1e999\n", "row 3, column 'x': expected a finite number"),
        ("t,x\n1,1\n0,2\n", "row 3, column 't': time runs backwards"),
        ("t,x\n0,1\n1,2\n1,3\n", "row 4, column 't': time is repeated"),
        ("t;x\n0;1\n1;2\n", "no column named 't'; its columns are 't;x' .*separator is no comma"),
        ('t,x\n0,"1\n1,2\n', "cannot be read"),
    ],
)
def test_damaged_files_name_path_and_row(write, text, message):
    with pytest.raises(RecordingError, match=rf"walk\.csv.*{message}"):
        read_csv(write(text), time="t")


def test_other_encodings_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("t,größe\n0,1\n".encode("latin-1"))
    with pytest.raises(RecordingError, match=r"a\.csv: cannot be read .*utf-8"):
        read_csv(path, time="t")


def test_a_last_row_without_line_break_is_told(write):
    with pytest.warns(RecordingWarning, match=r"walk\.csv: the last row does not end"):
        read_csv(write(TABLE[:-1]), time="t")


def test_arguments_are_checked_before_the_file_is_read(tmp_path):
    with pytest.raises(ValueError, match=r"give time= .* or rate="):
        read_csv(tmp_path / "none.csv")


class TestAnnotations:
    def test_times_become_seconds_and_text_stays_text(self, write):
        table = read_annotations(write(LABELS))
        begun = 1644226740.0  # 2022-02-07 09:39 UTC
        assert table["start"].tolist() == [begun, begun]
        assert table["end"].tolist() == [begun + 240, begun + 300]
        assert table["label"].tolist() == ["calm", "None"]
        assert table["person"].tolist() == ["01", "NA"]
        np.testing.assert_array_equal(table["valence"], [6, np.nan])

    def test_seconds_and_labels_of_digits_stay_as_written(self, write):
        table = read_annotations(write("label,end,start,note\n03, 1.5 ,0,a\n 4,3,1.5,7\n"))
        assert table[["start", "end"]].to_numpy().tolist() == [[0, 1.5], [1.5, 3]]
        assert table["label"].tolist() == ["03", "4"]
        assert table["note"].tolist() == ["a", "7"]

    def test_names_of_recordings_stay_as_written(self, write):
        table = read_annotations(write("recording,start,end,label\n01,0,1,a\n,1,2,b\n"))
        assert table["recording"].tolist() == ["01", ""]

    def test_those_of_the_e4_sessions_are_read(self, shared):
        path = shared / "data/raw/empatica_e4/annotations.csv"
        table = read_annotations(path)
        expected = pd.read_csv(path)
        assert table["label"].tolist() == expected["label"].tolist()
        utc = pd.to_datetime(expected["start"]).astype("int64") / 1e9
        scale = round(np.log10(1.6e9 / utc[0]))  # pandas chooses its own unit
        np.testing.assert_allclose(table["start"], utc * 10.0**scale, rtol=0, atol=1e-6)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the file is empty"),
            ("start,end\n0,1\n", "row 1: no column named label; its columns are start, end"),
            ("start,stop,label\n0,1,a\n", "row 1: no column named end"),
            ("start,end,label\n0,1,a\n2,1,b\n", "row 3: end 1 lies before start 2"),
            ("start,end,label\n0,soon,a\n", "row 2, column 'end': unreadable time 'soon'"),
            ("start,end,label\n0,,a\n", "row 2, column 'end': the time is missing"),
            ("start,end,label\n0,1,\n", "row 2, column 'label': the label is empty"),
            ("start,end,label\n0,1\n", "row 2: expected 3 cells, as in row 1, got 2"),
            (
                "start,end,label\n2022-02-07T09:39:00,2022-02-07T09:40:00,a\n",
                "row 2, column 'start': .* has no UTC offset",
            ),
            (
                "start,end,label\n0,1,a\n2022-02-07T09:39:00Z,2022-02-07T09:40:00Z,b\n",
                "row 3, column 'start': the time .* is a date, those before are numbers",
            ),
        ],
    )
    def test_damaged_tables_name_path_and_row(self, write, text, message):
        with pytest.raises(RecordingError, match=rf"labels\.csv.*{message}"):
            read_annotations(write(text, "labels.csv"))

    def test_a_label_that_may_be_cut_short_is_told(self, write):
        with pytest.warns(RecordingWarning, match="the last row does not end with a line break"):
            read_annotations(write("start,end,label\n0,1,stroo"))


@pytest.fixture
def shared():
    from pathlib import Path

    path = Path(__file__).parents[2].parent / "shared"
    if not (path / "data/raw/empatica_e4").exists():
        pytest.skip("the real E4 sessions (../shared/data/raw/empatica_e4) are not here")
    return path

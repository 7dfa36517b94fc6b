import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._dataframe import from_dataframe


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "t": [10.0, 10.25, 10.5, 11.0],
            "x": [1, 2, 3, 4],
            "y": [5.0, np.nan, 7.0, 8.0],
            "eda": [0.1, 0.2, 0.3, 0.4],
        }
    )


def test_each_column_is_a_signal_on_the_grid_of_the_time_column(frame):
    recording = from_dataframe(frame, time="t", person="S01", name="visit")
    assert list(recording.signals) == ["x", "y", "eda"]
    assert (recording.person, recording.name, recording.annotations) == ("S01", "visit", None)
    assert recording["x"].rate == 4
    assert recording["x"].start == 10
    np.testing.assert_array_equal(recording["x"].values, [[1, 2, 3, np.nan, 4]])
    np.testing.assert_array_equal(recording["y"].values, [[5, np.nan, 7, np.nan, 8]])
    assert recording["x"].values.dtype == np.float64
    assert recording["x"].channels == ("x",)


def test_columns_are_grouped_and_get_their_units(frame):
    recording = from_dataframe(
        frame, rate=32, start=5, signals={"acc": ["y", "x"], "eda": ["eda"]}, unit={"acc": "g"}
    )
    np.testing.assert_array_equal(recording["acc"].values, [[5, np.nan, 7, 8], [1, 2, 3, 4]])
    assert recording["acc"].channels == ("y", "x")
    assert (recording["acc"].unit, recording["eda"].unit) == ("g", "")
    assert (recording["eda"].rate, recording["eda"].start) == (32, 5)


def test_columns_are_chosen_and_share_one_unit(frame):
    recording = from_dataframe(frame, rate=1, columns=["eda"], unit="uS")
    assert list(recording.signals) == ["eda"]
    assert recording["eda"].unit == "uS"


def test_the_nominal_rate_is_taken_beside_times(frame):
    times = np.round(np.arange(400) / 60, 2)  # 60 Hz in hundredths: steps of .01 and .02
    recording = from_dataframe(pd.DataFrame({"t": times, "x": times}), time="t", rate=60)
    assert recording["x"].rate == 60
    np.testing.assert_array_equal(recording["x"].values[0], times)


def test_dates_with_an_offset_become_seconds_since_1970(frame):
    frame["t"] = pd.to_datetime(["2022-02-07T09:39:00+01:00"] * 4) + pd.to_timedelta(
        [0, 1, 2, 3], unit="s"
    )
    assert from_dataframe(frame, time="t", columns=["x"])["x"].start == 1644223140


def test_columns_of_text_are_left_out_with_a_warning(frame):
    frame["who"] = "S01"
    frame["ok"] = True
    with pytest.warns(RecordingWarning, match="frame: columns without numbers .* out: who, ok"):
        recording = from_dataframe(frame, rate=1, start=0)
    assert list(recording.signals) == ["t", "x", "y", "eda"]


def test_a_column_without_any_cell_is_a_signal_that_was_not_measured(frame):
    frame["temp"] = np.nan
    assert np.isnan(from_dataframe(frame, rate=1)["temp"].values).all()


def test_integers_with_gaps_of_pandas_are_numbers(frame):
    frame["x"] = pd.array([1, None, 3, 4], dtype="Int64")
    np.testing.assert_array_equal(from_dataframe(frame, rate=1)["x"].values, [[1, np.nan, 3, 4]])


def test_the_frame_is_left_as_it_was(frame):
    before = frame.copy()
    recording = from_dataframe(frame, time="t")
    recording["x"].values[:] = 0
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("x", "much", "frame, row 2, column 'x': expected a finite number .* got 'much'"),
        ("x", np.inf, "frame, row 2, column 'x': expected a finite number .* got inf"),
        ("t", 10.25, "frame, row 2, column 't': time is repeated"),
        ("t", 9.0, "frame, row 2, column 't': time runs backwards"),
        ("t", np.nan, "frame, row 2, column 't': the time is missing"),
        ("t", "later", "frame, row 2, column 't': unreadable time 'later'"),
    ],
)
def test_wrong_cells_name_row_and_column(frame, column, cell, message):
    frame[column] = frame[column].astype(object)
    frame.loc[2, column] = cell
    with pytest.raises(RecordingError, match=message):
        from_dataframe(frame, time="t")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time": "time"}, "no column named 'time'; its columns are 't', 'x', 'y', 'eda'"),
        ({"rate": 1, "columns": ["hr"]}, "no column named 'hr'"),
        ({"rate": 1, "signals": {"acc": []}}, "a signal needs at least one column"),
        ({"rate": 1, "columns": []}, "a signal needs at least one column"),
        ({"time": "t", "rate": 50}, "given rate does not fit"),
    ],
)
def test_what_the_frame_has_not_is_an_error_about_the_frame(frame, arguments, message):
    with pytest.raises(RecordingError, match=message):
        from_dataframe(frame, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give time= .* or rate="),
        ({"rate": 1, "columns": ["x"], "signals": {"x": ["x"]}}, "columns= or signals=, not both"),
        ({"rate": 1, "unit": {"hr": "bpm"}}, r"unit names no signal: \['hr'\]"),
        ({"rate": 0}, "rate must be a positive number"),
        ({"rate": 1, "start": np.nan}, "start must be a finite number"),
    ],
)
def test_arguments_that_contradict_are_refused(frame, arguments, message):
    with pytest.raises(ValueError, match=message):
        from_dataframe(frame, **arguments)


def test_a_frame_needs_rows_and_columns_of_one_name(frame):
    with pytest.raises(RecordingError, match="frame: holds no rows"):
        from_dataframe(frame[:0], rate=1)
    with pytest.raises(RecordingError, match="more than one column is named 'x'"):
        from_dataframe(frame[["x", "x"]], rate=1)
    with pytest.raises(TypeError, match="must be a pandas DataFrame, got dict"):
        from_dataframe({"x": [1]}, rate=1)
    with pytest.raises(RecordingError, match="at least one column with numbers"):
        from_dataframe(pd.DataFrame({"who": ["S01"]}), rate=1)

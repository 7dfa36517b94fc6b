from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._clock import seconds_of


def read(cells):
    return seconds_of(pd.Series(cells), "row {}".format)


def test_numbers_are_seconds_as_they_are():
    np.testing.assert_array_equal(read([1.5, 2, -3]), [1.5, 2, -3])
    np.testing.assert_array_equal(read(["1.5", " 2 ", "3e2"]), [1.5, 2, 300])


def test_dates_are_seconds_since_1970_in_utc():
    dates = ["2022-02-07T09:39:00+00:00", "2022-02-07 10:39:01.25+01:00", "2022-02-07T09:39:02Z"]
    first = (datetime(2022, 2, 7, 9, 39) - datetime(1970, 1, 1)).total_seconds()
    np.testing.assert_array_equal(read(dates), first + np.array([0, 1.25, 2]))


def test_dates_of_pandas_are_read_too():
    dates = pd.Series(pd.to_datetime(["2022-02-07T09:39:00+00:00"]))
    np.testing.assert_array_equal(seconds_of(dates, str), read(["2022-02-07T09:39:00Z"]))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1), timezones=st.timezones()))
def test_any_date_with_an_offset_is_read_to_the_microsecond(date):
    expected = (date.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert abs(read([date.isoformat()])[0] - expected) < 1e-6


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([1.0, None, 3.0], "row 1: the time is missing"),
        ([1.0, np.inf], "row 1: the time is missing"),
        (["2022-02-07T09:39:00Z", ""], "row 1: the time is missing"),
        (["1", "soon"], "row 1: unreadable time 'soon'"),
        (["2022-02-07T09:39:00"], "row 0: the time '2022-02-07T09:39:00' has no UTC offset"),
        (["2022-02-07T09:39:00Z", "12.5"], "row 1: the time '12.5' is a number, those before"),
        (["12.5", "2022-02-07T09:39:00Z"], "row 1: the time '.*' is a date, those before"),
        ([1644226061000, 1644226062000], "row 0: the time 1.64423e.12 is too large for seconds"),
        ([True, False], "unreadable time 'True'"),
    ],
)
def test_wrong_times_name_their_row(cells, message):
    with pytest.raises(RecordingError, match=message):
        read(cells)


def test_naive_dates_of_pandas_are_refused():
    with pytest.raises(RecordingError, match="has no UTC offset"):
        seconds_of(pd.Series(pd.to_datetime(["2022-02-07T09:39:00"])), "row {}".format)

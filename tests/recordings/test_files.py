import pickle

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._files import (
    FileValues,
    as_recording_error,
    existing_file,
    unique_names,
    warn_unless_line_ends,
)


class Counting(FileValues):
    """Values that are their own number, and that note what was read."""

    def __init__(self, path, n_samples):
        super().__init__(path, (1, n_samples), np.float64)
        self.read = []

    def _read(self, first, last):
        self.read.append((first, last))
        return np.arange(first, last, dtype=np.float64)[None]


def test_a_path_must_be_a_file_that_is_not_empty(tmp_path):
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(RecordingError, match=r"empty\.wav: the file is empty"):
        existing_file(empty)
    with pytest.raises(RecordingError, match=r"none\.wav: there is no such file"):
        existing_file(tmp_path / "none.wav")
    with pytest.raises(RecordingError, match="a file was expected, this is a folder"):
        existing_file(tmp_path)
    empty.write_bytes(b"x")
    assert existing_file(str(empty)) == empty


def test_errors_of_a_library_get_the_place_and_stay_as_cause():
    with (
        pytest.raises(RecordingError, match=r"a\.wav: cannot be read \(bad\); do this") as caught,
        as_recording_error("a.wav", OSError, hint="; do this"),
    ):
        raise OSError("bad")
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(KeyError), as_recording_error("a.wav", OSError):
        raise KeyError("another kind stays what it is")
    with pytest.raises(RecordingError, match=r"^as it was$"), as_recording_error("a", ValueError):
        raise RecordingError("as it was")


@pytest.mark.parametrize("content", [b"1\n", b"1\r\n", b"1\r"])
def test_a_line_break_at_the_end_is_no_reason_to_warn(tmp_path, content, recwarn):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    warn_unless_line_ends(path)
    assert not recwarn.list


def test_a_missing_line_break_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"1\n2")
    with pytest.warns(
        RecordingWarning, match=r"a\.csv: the last row does not end with a line"
    ) as told:
        warn_unless_line_ends(path)
    assert told[0].filename == __file__  # points to the caller


def test_names_become_unique_even_beside_numbered_ones():
    assert unique_names(["a", "a 2", "a", "a"]) == ["a", "a 2", "a 3", "a 4"]


class TestFileValues:
    def test_slices_read_what_is_asked_for_and_no_more(self, tmp_path):
        values = Counting(tmp_path, 10)
        np.testing.assert_array_equal(values[..., 2:5], [[2, 3, 4]])
        np.testing.assert_array_equal(values[..., -2:], [[8, 9]])
        assert values[..., 7:3].shape == values[..., 20:30].shape == (1, 0)
        assert values.read == [(2, 5), (8, 10)]

    def test_become_an_array_as_a_whole(self, tmp_path):
        np.testing.assert_array_equal(np.asarray(Counting(tmp_path, 4)), [[0, 1, 2, 3]])
        assert np.asarray(Counting(tmp_path, 4), dtype=np.float32).dtype == np.float32
        with pytest.raises(ValueError, match="without a copy"):
            np.asarray(Counting(tmp_path, 4), copy=False)

    @pytest.mark.parametrize(
        "key", [0, slice(0, 2), (0, slice(0, 2)), (..., 3), (..., slice(0, 4, 2))]
    )
    def test_refuse_other_keys(self, tmp_path, key):
        with pytest.raises(TypeError, match=r"read as values\[\.\.\., first:last\]"):
            Counting(tmp_path, 4)[key]

    def test_say_what_they_are(self, tmp_path):
        values = Counting(tmp_path, 4)
        assert repr(values) == f"Counting(1x4 of float64 in {tmp_path})"
        assert values.ndim == 2
        assert pickle.loads(pickle.dumps(values)).shape == (1, 4)

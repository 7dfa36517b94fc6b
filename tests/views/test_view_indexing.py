"""Keys that Views refuse, and what they say instead."""

import re

import numpy as np
import pytest

from stf2m_sk.views import Views

ADVICE = (
    "Views are indexed by clip, or by the name of one modality; use .select(*names) for "
    "several modalities, np.asarray(views) for columns of the flat form; given "
)


@pytest.fixture
def views():
    return Views({"eda": np.arange(8.0).reshape(4, 1, 2), "hr": np.ones((4, 1, 3))})


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), 1),
        (slice(None), [0, 1]),
        (0, 1),
        (0, slice(1, None)),
        (0, "eda"),
        (..., 0),
        (0, ..., ...),
        (),
        ["eda", "hr"],
        np.array(["eda"]),
        None,
        True,
        np.True_,
        np.array(True),
        1.0,
        [0.0, 1.0],
        np.array([]),
    ],
)
def test_columns_and_other_types_are_refused_with_advice(views, key):
    with pytest.raises(TypeError, match=f"^{re.escape(ADVICE + repr(key))}$"):
        views[key]


def test_index_arrays_have_one_dimension(views):
    message = "clips are indexed by one-dimensional arrays, given the shape (2, 1)"
    with pytest.raises(IndexError, match=f"^{re.escape(message)}$"):
        views[np.array([[0], [1]])]


def test_masks_have_one_dimension(views):
    message = "a mask of shape (4, 1) does not fit 4 clips"
    with pytest.raises(IndexError, match=f"^{re.escape(message)}$"):
        views[np.ones((4, 1), bool)]


def test_slices_share_memory_and_index_arrays_do_not(views):
    assert np.shares_memory(views[1:3]["eda"], views["eda"])
    assert np.shares_memory(views[2]["eda"], views["eda"])
    assert not np.shares_memory(views[[1, 2]]["eda"], views["eda"])


def test_a_slice_may_be_empty_and_remains_usable(views):
    empty = views[4:]
    assert (len(empty), empty.shape, np.asarray(empty).shape) == (0, (0, 5), (0, 5))
    assert empty.present.shape == (0, 2)
    with pytest.raises(IndexError, match=r"^clip 0 is out of range for 0 clips$"):
        empty[0]

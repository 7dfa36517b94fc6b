"""check_clips: what was planted is found, where it was planted, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from stf2m_sk import Views, check_clips
from stf2m_sk.datasets import make_emotion_views


@pytest.fixture
def clean():
    """12 clips of noise in two modalities, two emotions of each of three people."""
    generator = np.random.default_rng(0)
    return {
        "X": {
            "eda": generator.normal(size=(12, 2, 60)),
            "hr": generator.normal(70, 5, size=(12, 1, 20)),
        },
        "y": ["calm", "tense"] * 6,
        "groups": np.repeat(["ann", "bob", "cy"], 4),
    }


def rows(table):
    """Without the advice."""
    return [tuple(row) for row in table.drop(columns="expectation").itertuples(index=False)]


class TestNothing:
    def test_is_found_in_clean_clips(self, clean):
        found = check_clips(**clean)
        assert rows(found) == []
        assert found.columns.tolist() == ["finding", "modality", "clips", "first", "expectation"]

    def test_is_found_in_generated_clips(self):
        data = make_emotion_views(n_people=4, random_state=0)
        assert rows(check_clips(data.views, data.target, data.groups)) == []

    def test_is_changed(self, clean):
        before = clean["X"]["eda"].copy()
        check_clips(**clean)
        np.testing.assert_array_equal(clean["X"]["eda"], before)

    @pytest.mark.parametrize("X", [np.zeros((3, 4)), [[1.0, 2.0], [3.0, 4.0]]])
    def test_is_refused_that_fit_reads(self, X):
        assert isinstance(check_clips(X), pd.DataFrame)


def spike(X):
    X["eda"][[5, 2], 1, 7] = 1e4, -2e4


def constant(X):
    X["eda"][:, 1] = 0.25


def flat(X):
    X["eda"][[3, 8], 0] = 0.25


def flat_where_measured(X):
    X["eda"][3, 0, :30], X["eda"][3, 0, 30:] = 0.25, np.nan


def saturated(X):
    np.clip(X["eda"][:, 0], -1, 1, out=X["eda"][:, 0])
    X["eda"][4, 0, 10:30] = 1.0


def never_measured(X):
    X["hr"][:] = np.nan


def channel_never_measured(X):
    X["eda"][:, 1] = np.nan


def nothing_measured(X):
    X["eda"][[6, 9]] = X["hr"][[6, 9]] = np.nan


def too_large(X):
    X["hr"][7, 0, 3] = 1e39


def copies(X):
    for array in X.values():
        array[[4, 11]] = array[2]


def both_channels(X):
    X["eda"][3, :] = 0.25
    X["eda"][8, 1] = 0.5


class TestClips:
    @pytest.mark.parametrize(
        ("plant", "expected"),
        [
            (constant, [("channel 1: one value in all clips", "eda", 12, 0)]),
            (flat, [("channel 0: flat line", "eda", 2, 3)]),
            (flat_where_measured, [("channel 0: flat line", "eda", 1, 3)]),
            (both_channels, [("channels 0, 1: flat line", "eda", 2, 3)]),
            (saturated, [("channel 0: runs at the largest or smallest value", "eda", 1, 4)]),
            (never_measured, [("never measured", "hr", 12, 0)]),
            (channel_never_measured, [("channel 1: never measured", "eda", 12, 0)]),
            (nothing_measured, [("nothing is measured", "", 2, 6)]),
            (copies, [("the same as an earlier clip", "", 2, 4)]),
        ],
    )
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_have_what_was_planted(self, clean, plant, expected, dtype):
        X = clean["X"]
        plant(X)
        views = Views(X).astype(dtype)
        assert rows(check_clips(views)) == expected

    def test_spikes(self, clean):
        spike(clean["X"])
        finding, *place = rows(check_clips(clean["X"]))[0]
        assert finding.startswith("channel 1: spikes of -20000, where values usually are -0.")
        assert place == ["eda", 2, 2]

    def test_too_large_for_float32(self, clean):
        too_large(clean["X"])
        found = check_clips(clean["X"])
        assert rows(found)[0] == ("channel 0: values too large for float32", "hr", 1, 7)
        assert rows(found)[1][0].startswith("channel 0: spikes of 1e+39")

    def test_of_two_labels_that_are_alike(self, clean):
        for array in clean["X"].values():
            array[[3, 11]] = array[2]
        found = rows(check_clips(clean["X"], clean["y"]))
        assert found == [
            ("the same as an earlier clip", "", 2, 3),
            ("the same as an earlier clip of another label", "", 2, 3),
        ]

    def test_that_count_or_switch_are_not_flat(self):
        steps = np.random.default_rng(0).integers(0, 2, size=(20, 1, 12)).astype(float)
        steps[3] = 1.0
        assert rows(check_clips(steps)) == []

    def test_of_many_channels_take_one_row(self):
        X = np.random.default_rng(0).normal(size=(5, 9, 40))
        X[2] = 1.0
        assert rows(check_clips(X)) == [
            ("channels 0, 1, 2, 3, 4 and 4 more: flat line", "signal", 1, 2)
        ]


class TestLabels:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({5: "awe"}, [("emotions with one clip: 'awe'", "", 1, 5)]),
            (
                {5: "Tense", 7: " tense", 9: "Tense", 1: " tense"},
                [("labels typed in two ways: ' tense', 'Tense', 'tense'", "", 6, 1)],
            ),
            ({5: None, 6: np.nan, 8: pd.NA}, [("no labels", "", 3, 5)]),
            ({5: 1, 7: 1}, [("labels of mixed types: numbers, str", "", 2, 5)]),
            ({5: True, 7: True}, [("labels of mixed types: str, truth values", "", 2, 5)]),
        ],
    )
    @pytest.mark.parametrize("form", [list, "objects", pd.Series])
    def test_have_what_was_planted(self, clean, changes, expected, form):
        y = clean["y"]
        for row, label in changes.items():
            y[row] = label
        y = np.array([*y, None], dtype=object)[:-1] if form == "objects" else form(y)
        assert rows(check_clips(clean["X"], y)) == expected

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (["calm"] * 11, "y has 11 entries for 12 clips"),
            ([["calm", "tense"]] * 12, r"y holds \['calm', 'tense'\]; expected one value"),
            (np.zeros((12, 2)), r"y holds \[0.0, 0.0\]; expected one value"),
            ("calm", "y has 4 entries"),
        ],
    )
    def test_that_are_none_for_each_clip_are_refused(self, clean, y, message):
        with pytest.raises(ValueError, match=message):
            check_clips(clean["X"], y)


class TestPeople:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({5: "dee"}, [("people with one clip: 'dee'", "", 1, 5)]),
            ({5: "dee", 7: "dee"}, [("people with one emotion: 'bob', 'dee'", "", 4, 4)]),
            ({5: None, 6: None}, [("no people", "", 2, 5)]),
            ({4: 1, 5: 1}, [("people of mixed types: numbers, str", "", 2, 4)]),
        ],
    )
    def test_have_what_was_planted(self, clean, changes, expected):
        groups = clean["groups"].tolist()
        for row, person in changes.items():
            groups[row] = person
        assert rows(check_clips(clean["X"], clean["y"], groups)) == expected

    def test_need_no_labels(self, clean):
        assert rows(check_clips(clean["X"], groups=clean["groups"])) == []

"""Annotations on the clock, and the label of a window."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._labels import is_missing, label_array, label_rule, lay_out, quadrant

ALWAYS = (-1e12, 1e12)


def table(*rows):
    return pd.DataFrame(rows, columns=["start", "end", "label"])


def laid(rows, trim=0.0, lag=0.0, span=ALWAYS):
    return lay_out(rows, "annotations", trim=trim, lag=lag, span=span)


class TestLayout:
    def test_touching_rows_make_a_run_and_gaps_part_it(self):
        rows = table((10, 20, "b"), (0, 10, "a"), (25, 30, "a"))
        assert laid(rows).runs.tolist() == [[0, 20], [25, 30]]

    def test_a_millisecond_of_rounding_is_no_gap_and_no_overlap(self):
        rows = table((0, 9.999, "a"), (10, 20.001, "b"), (20, 30, "c"))
        assert laid(rows).runs.tolist() == [[0, 30]]

    def test_trim_cuts_each_stretch_of_a_label(self):
        rows = table((0, 10, "a"), (10, 20, "a"), (20, 23, "b"), (23, 40, "c"))
        assert laid(rows, trim=2).runs.tolist() == [[2, 18], [25, 38]]

    def test_lag_moves_annotations_back(self):
        layout = laid(table((10, 20, "a"), (20, 30, "b")), lag=3)
        assert layout.runs.tolist() == [[7, 27]]
        assert layout.within(16, 18)[["start", "end", "label"]].to_numpy().tolist() == [
            [16, 17, "a"],
            [17, 18, "b"],
        ]

    def test_rows_without_label_or_length_or_outside_do_not_count(self):
        rows = table((0, 10, None), (10, 20, "a"), (20, 30, ""), (15, 15, "tag"), (90, 95, "b"))
        assert laid(rows, span=(0, 50)).runs.tolist() == [[10, 20]]

    def test_rows_keep_their_other_columns(self):
        rows = table((0, 10, "a")).assign(trial=[7])
        assert laid(rows).within(2, 4)["trial"].tolist() == [7]

    @pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
    def test_overlap_names_both_rows_in_any_order(self, order):
        rows = table((0, 100, "calm"), (90, 120, "joy"), (130, 140, "awe")).iloc[order]
        message = (
            r"annotations of S01: row 0 \(calm, 0 s to 100 s\) and row 1 \(joy, 90 s to 120 s\) "
            r"overlap by 10 s; 1 pair"
        )
        with pytest.raises(RecordingError, match=message):
            lay_out(rows, "annotations of S01", trim=0, lag=0, span=ALWAYS)

    def test_a_row_inside_another_overlaps(self):
        with pytest.raises(RecordingError, match="overlap"):
            laid(table((0, 100, "calm"), (20, 30, "joy"), (40, 50, "joy")))


LENGTHS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from("abc")), min_size=1, max_size=8)


def timeline(parts):
    """Rows that touch, and their label at every tenth of a second."""
    rows, ticks, begin = [], [], 0
    for length, label in parts:
        rows.append((begin / 10, (begin + length) / 10, label))
        ticks += [label] * length
        begin += length
    return table(*rows), ticks


class TestRules:
    @given(parts=LENGTHS, data=st.data())
    @settings(max_examples=100, deadline=None)
    def test_majority_and_midpoint_are_what_counting_says(self, parts, data):
        rows, ticks = timeline(parts)
        first = data.draw(st.integers(0, len(ticks) - 1))
        n = data.draw(st.integers(1, len(ticks) - first))
        inside = laid(rows).within(first / 10, (first + n) / 10)
        window = ticks[first : first + n]
        most = max(window.count(label) for label in window)
        expected = next(label for label in window if window.count(label) == most)
        assert label_rule("majority", rows, "x")(inside) == expected
        if n % 2:  # of an even number of ticks the middle is between two
            assert label_rule("midpoint", rows, "x")(inside) == window[n // 2]
        assert inside["start"].min() == pytest.approx(first / 10)
        assert (inside["end"] - inside["start"]).sum() == pytest.approx(n / 10)

    def test_a_tie_goes_to_the_earlier_label_whatever_the_rounding(self):
        rows = table((0.2, 0.3, "a"), (0.3, 0.4, "b"))
        assert 0.4 - 0.3 > 0.3 - 0.2
        assert label_rule("majority", rows, "x")(laid(rows).within(0.2, 0.4)) == "a"

    def test_quadrants_by_mean_over_time(self):
        rows = pd.DataFrame(
            {"start": [0, 1], "end": [1, 4], "valence": [9, -2], "arousal": [-1.0, 0.5]}
        )
        rule = label_rule("quadrant", rows, "x")
        assert rule(rows) == "high valence, high arousal"  # 0.75 and 0.125
        assert rule(rows.iloc[:1]) == "high valence, low arousal"
        assert rule(rows.iloc[1:]) == "low valence, high arousal"
        assert quadrant(1, 1)(rows) == "low valence, low arousal"

    def test_quadrants_leave_missing_ratings_out(self):
        rows = pd.DataFrame(
            {"start": [0, 1], "end": [1, 2], "valence": [1, np.nan], "arousal": [np.nan, np.nan]}
        )
        assert quadrant()(rows) is None
        assert quadrant()(rows.assign(arousal=[np.nan, 2])) == "high valence, high arousal"

    def test_a_scale_without_negative_ratings_needs_a_midpoint(self):
        rows = pd.DataFrame({"start": [0], "end": [1], "valence": [1.0], "arousal": [9.0]})
        with pytest.raises(RecordingError, match=r"no valence is below 0, .* 1 to 1.*quadrant\("):
            label_rule("quadrant", rows, "annotations")

    def test_refusals(self):
        with pytest.raises(ValueError, match=r"label must be one of .*'majority'.* got 'median'"):
            label_rule("median", table((0, 1, "a")), "x")
        with pytest.raises(RecordingError, match=r"S01 have no column 'label'.* given \['start'\]"):
            label_rule("majority", pd.DataFrame({"start": [1]}), "annotations of S01")
        with pytest.raises(RecordingError, match="no column 'valence', which label='quadrant'"):
            label_rule("quadrant", table((0, 1, "a")), "x")


def test_missing_labels():
    assert all(map(is_missing, [None, np.nan, "", pd.NA, float("nan")]))
    assert not any(map(is_missing, ["joy", 0, 1.0, False]))


def test_label_arrays_keep_text_and_numbers_apart():
    assert label_array(["a", "b"]).dtype.kind == "U"
    assert label_array([1, 2]).dtype.kind == "i"
    with pytest.raises(RecordingError, match="all text or all numbers, given 'a' and 1"):
        label_array(["a", 1])

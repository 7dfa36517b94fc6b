"""A recording: what it refuses, and its parts, joins and times."""

import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import Recording, RecordingError, Signal


def eda(n=40, **more):
    return Signal(np.arange(float(n))[None], rate=4, **more)


def phases(*rows):
    return pd.DataFrame(rows, columns=["start", "end", "label"])


class TestConstruction:
    def test_times_span_all_signals_that_have_samples(self):
        empty = Signal(np.empty((1, 0)), rate=1, start=-100)
        recording = Recording({"eda": eda(start=3), "hr": Signal(np.zeros((1, 2)), 1), "x": empty})
        assert (recording.start, recording.stop, recording.duration) == (0.0, 13.0, 13.0)

    def test_the_signals_given_later_are_not_changed(self):
        signals = {"eda": eda()}
        recording = Recording(signals)
        signals["hr"] = eda()
        assert list(recording.signals) == ["eda"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"signals": {}}, "has no signal; expected at least one"),
            ({"signals": [1]}, "must be a mapping of name to Signal, given list"),
            ({"signals": {1: eda()}}, "signals are named by str, given 1"),
            ({"signals": {"eda": np.zeros((1, 3))}}, r"'eda' must be a Signal, given ndarray"),
            ({"signals": {"eda": eda()}, "person": 3}, "person of a recording must be a str"),
            ({"signals": {"eda": eda()}, "annotations": [1]}, "must be a DataFrame .* given list"),
            (
                {"signals": {"eda": eda()}, "annotations": pd.DataFrame({"start": [0]})},
                r"no column 'end': expected start, end and label, given \['start'\]",
            ),
            (
                {"signals": {"eda": eda()}, "annotations": phases(("2022-02-07", "x", "joy"))},
                r"'start' must be numbers of seconds, .*'2022-02-07'.*read_annotations",
            ),
            (
                {"signals": {"eda": eda()}, "annotations": phases((0, 1, "a"), (7, 5, "joy"))},
                r"row 1 \(joy, 7 s to 5 s\) has an end before its start; 1 row",
            ),
            (
                {"signals": {"eda": eda()}, "annotations": phases((0, np.nan, "joy"))},
                r"row 0 \(joy, 0 s to nan s\) has a start or end that is not a finite number",
            ),
        ],
    )
    def test_refusals(self, arguments, message):
        with pytest.raises(RecordingError, match=message):
            Recording(**arguments)

    def test_messages_name_the_recording(self):
        with pytest.raises(
            RecordingError, match=r"^annotations of recording 'day 1' of S01: row 0"
        ):
            Recording({"eda": eda()}, phases((2, 1, "joy")), "S01", "day 1")


class TestParts:
    def test_slice_clips_signals_and_annotations(self):
        recording = Recording(
            {"eda": eda(), "hr": Signal(np.arange(3.0)[None], rate=1)},
            phases((0, 4, "calm"), (4, 9, "tense"), (9, 10, "calm")),
        )
        part = recording.slice(5, 7)
        assert part["eda"].values.tolist() == [[20.0, 21, 22, 23, 24, 25, 26, 27]]
        assert part["hr"].n_samples == 0
        assert part.annotations.to_dict("list") == {"start": [5], "end": [7], "label": ["tense"]}
        assert recording.annotations["start"].tolist() == [0, 4, 9]

    def test_slice_of_a_slice_is_the_slice(self):
        recording = Recording({"eda": eda(start=1.1), "hr": Signal(np.arange(9.0)[None], 1, 0.5)})
        once, twice = recording.slice(2.3, 5.6), recording.slice(2, 6).slice(2.3, 5.6)
        for name in ("eda", "hr"):
            assert once[name].values.tolist() == twice[name].values.tolist()
            assert once[name].start == pytest.approx(twice[name].start)

    def test_slice_outside_is_an_error(self):
        with pytest.raises(RecordingError, match="no sample from 20 s to 30 s; it goes from 0 s"):
            Recording({"eda": eda()}).slice(20, 30)

    def test_select_keeps_order_and_all_else(self):
        recording = Recording({"eda": eda(), "hr": eda()}, phases((0, 1, "joy")), "S01", "x")
        part = recording.select("hr")
        assert list(part.signals) == ["hr"]
        assert (part.person, part.name, len(part.annotations)) == ("S01", "x", 1)
        with pytest.raises(KeyError, match="no signal 'acc'"):
            recording.select("acc")


class TestJoin:
    def test_signals_and_annotations_of_both(self):
        watch = Recording({"eda": eda()}, phases((0, 1, "calm")), person="S01", name="watch")
        video = Recording({"face": eda(start=2)}, phases((2, 3, "joy")), name="video")
        both = watch.join(video)
        assert list(both.signals) == ["eda", "face"]
        assert both.annotations["label"].tolist() == ["calm", "joy"]
        assert (both.person, both.name, both.stop) == ("S01", "watch", 12.0)

    def test_without_annotations(self):
        assert Recording({"a": eda()}).join(Recording({"b": eda()})).annotations is None

    @pytest.mark.parametrize(
        ("other", "message"),
        [
            (Recording({"eda": eda()}), r"both have signals \['eda'\]"),
            (Recording({"hr": eda()}, person="S02"), "are of different people"),
            (Recording({"hr": eda(start=1.6e9)}), "do not overlap; expected one clock"),
        ],
    )
    def test_refusals(self, other, message):
        with pytest.raises(RecordingError, match=message):
            Recording({"eda": eda()}, person="S01").join(other)

"""A timeline: its labels, episodes, smoothing and files."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings._timeline import Timeline

CLASSES = np.array(["awe", "calm", "joy"])


def timeline(columns, window=10.0, step=10.0, start=0.0, missing=(), sure=0.8, **more):
    """Windows whose most probable class is given by its first letter."""
    probabilities = np.full((len(columns), 3), (1 - sure) / 2)
    probabilities[np.arange(len(columns)), ["acj".index(c) for c in columns]] = sure
    probabilities[list(missing)] = np.nan
    starts = start + step * np.arange(len(columns))
    return Timeline(starts, starts + window, probabilities, CLASSES, origin=start, **more)


LETTERS = st.text(alphabet="acj", min_size=1, max_size=30)


class TestLabels:
    def test_the_most_probable_and_none_where_nothing_is_measured(self):
        line = timeline("acj", missing=[1])
        assert line.labels.tolist() == ["awe", None, "joy"]
        np.testing.assert_array_equal(line.certainty, [0.8, np.nan, 0.8])
        assert len(line) == 3

    def test_repr(self):
        line = timeline("acj", missing=[1], start=100, name="day 1", person="S01")
        assert repr(line) == (
            "Timeline(day 1 of S01: 3 windows, 100 s to 130 s, 1 not measured; awe, calm, joy)"
        )


class TestSpans:
    @given(
        n=st.integers(1, 40),
        window=st.floats(0.5, 60),
        step=st.floats(0.1, 120),
        start=st.sampled_from([0.0, 1.6e9]),
    )
    @settings(max_examples=100, deadline=None)
    def test_windows_share_the_time_out(self, n, window, step, start):
        line = timeline("a" * n, window, step, start)
        spans = line.spans()
        assert spans[0, 0] == line.start[0] and spans[-1, 1] == line.end[-1]
        assert (spans[:, 0] >= line.start - 1e-6).all() and (spans[:, 1] <= line.end + 1e-6).all()
        assert (spans[1:, 0] >= spans[:-1, 1] - 1e-6).all()
        total = window + (n - 1) * min(step, window)
        assert np.diff(spans).sum() == pytest.approx(total, abs=1e-5 * n)

    def test_by_hand(self):
        assert timeline("aaa", window=10, step=4).spans().tolist() == [[0, 7], [7, 11], [11, 18]]
        assert timeline("aa", window=10, step=30).spans().tolist() == [[0, 10], [30, 40]]


class TestEpisodes:
    def test_by_hand(self):
        found = timeline("aacjjj", start=100).episodes()
        assert found.to_numpy().tolist() == [
            [100, 120, "awe", pytest.approx(0.8)],
            [120, 130, "calm", pytest.approx(0.8)],
            [130, 160, "joy", pytest.approx(0.8)],
        ]
        assert list(found.columns) == ["start", "end", "emotion", "certainty"]
        assert timeline("aacjjj").episodes(15)["emotion"].tolist() == ["awe", "joy"]

    def test_unmeasured_time_parts_episodes(self):
        found = timeline("aaaa", missing=[1]).episodes()
        assert found[["start", "end"]].to_numpy().tolist() == [[0, 10], [20, 40]]

    def test_gaps_between_windows_part_episodes(self):
        found = timeline("aa", window=10, step=20).episodes()
        assert found[["start", "end"]].to_numpy().tolist() == [[0, 10], [20, 30]]
        assert len(timeline("aa", window=10, step=10.5, start=1.6e9).episodes()) == 2
        assert len(timeline("a" * 99, window=0.7, step=0.7, start=1.6e9 + 0.1).episodes()) == 1

    def test_nothing_measured_is_no_episode(self):
        found = timeline("a", missing=[0]).episodes()
        assert len(found) == 0 and found["start"].dtype == np.float64

    @given(letters=LETTERS, missing=st.sets(st.integers(0, 29)), step=st.integers(1, 10))
    @settings(max_examples=50, deadline=None)
    def test_each_moment_has_the_label_of_its_window(self, letters, missing, step):
        line = timeline(letters, step=step, missing=[i for i in missing if i < len(letters)])
        episodes = line.episodes()
        for (start, end), label in zip(line.spans(), line.labels, strict=True):
            middle = (start + end) / 2
            inside = episodes[(episodes["start"] <= middle) & (episodes["end"] >= middle)]
            assert inside["emotion"].tolist() == ([] if label is None else [label])
        same = episodes["emotion"].to_numpy()[1:] == episodes["emotion"].to_numpy()[:-1]
        apart = episodes["start"].to_numpy()[1:] > episodes["end"].to_numpy()[:-1]
        assert (~same | apart).all()  # episodes are as long as can be


class TestSmoothing:
    @given(
        letters=LETTERS,
        missing=st.sets(st.integers(0, 29)),
        seconds=st.integers(0, 100),
        causal=st.booleans(),
        start=st.sampled_from([0.0, 1_644_226_061.0]),
    )
    @settings(max_examples=100, deadline=None)
    def test_it_is_the_mean_of_the_windows_near(self, letters, missing, seconds, causal, start):
        missing = [i for i in missing if i < len(letters)]
        line = timeline(letters, step=5.0, start=start, missing=missing, causal=causal)
        found = line.smoothed(seconds).probabilities
        for i in range(len(line)):
            apart = 5.0 * (i - np.arange(len(line)))
            near = (apart >= 0) & (apart < max(seconds, 1)) if causal else (
                np.abs(apart) <= seconds / 2
            )  # fmt: skip
            near &= ~np.isnan(line.probabilities[:, 0])
            if i in missing:
                assert np.isnan(found[i]).all()
            else:
                expected = line.probabilities[near].mean(axis=0)
                np.testing.assert_allclose(found[i], expected, rtol=1e-9)

    def test_nothing_is_smoothed_by_zero_seconds(self):
        line = timeline("acj")
        np.testing.assert_allclose(line.smoothed(0).probabilities, line.probabilities, rtol=1e-12)

    @pytest.mark.parametrize("seconds", [-1, np.nan, np.inf])
    def test_refusals(self, seconds):
        with pytest.raises(ValueError, match="seconds must be 0 or a positive number"):
            timeline("acj").smoothed(seconds)


class TestFiles:
    def test_the_table(self, tmp_path):
        line = timeline("aj", start=1.6e9, missing=[1])
        frame = line.to_frame()
        assert list(frame.columns) == [
            *("start", "end", "emotion", "certainty"),
            *("p_awe", "p_calm", "p_joy"),
        ]
        text = line.to_csv(tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text(encoding="utf-8") == text
        again = pd.read_csv(io.StringIO(text))
        assert again["start"].tolist() == [1.6e9, 1.6e9 + 10]
        assert again["emotion"].tolist()[0] == "awe" and again["p_joy"].isna().tolist()[1]

    def test_subtitles_begin_with_the_recording(self, tmp_path):
        line = timeline("aajj", start=1.6e9)
        text = line.to_webvtt(tmp_path / "out.vtt")
        assert text == (
            "WEBVTT\n\n1\n00:00:00.000 --> 00:00:20.000\nawe 80 %\n\n"
            "2\n00:00:20.000 --> 00:00:40.000\njoy 80 %\n"
        )
        assert (tmp_path / "out.vtt").read_bytes() == text.encode()
        assert "00:00:00,000 --> 00:00:20,000\nawe 80 %" in line.to_srt(tmp_path / "out.srt")

    def test_another_origin(self):
        line = timeline("aajj", start=1.6e9)
        assert "00:00:05.000 --> 00:00:25.000" in line.to_webvtt(origin=1.6e9 - 5)
        late = line.to_srt(origin=1.6e9 + 5)  # the film began later than the recording
        assert late.startswith("1\n00:00:00,000 --> 00:00:15,000\nawe")

    def test_elan(self, tmp_path):
        text = timeline("aajj").to_elan(tmp_path / "out.eaf", min_duration=15)
        assert text.count("<ANNOTATION>") == 4
        assert "<ANNOTATION_VALUE>awe</ANNOTATION_VALUE>" in text
        assert "<ANNOTATION_VALUE>0.80</ANNOTATION_VALUE>" in text
        assert (tmp_path / "out.eaf").read_text(encoding="utf-8") == text

    def test_labels_that_are_numbers(self):
        line = Timeline(
            np.array([0.0]), np.array([5.0]), np.array([[0.25, 0.75]]), np.array([1, 2])
        )
        assert line.episodes()["emotion"].tolist() == [2]
        assert "2 75 %" in line.to_webvtt()

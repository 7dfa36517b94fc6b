"""What public objects say of themselves: short, true, and as a table in a notebook."""

import numpy as np
import pytest

import stf2m_sk
from stf2m_sk import PersonalisedClassifier
from stf2m_sk.datasets import load_npz, load_stress, make_emotion_views
from stf2m_sk.fuzzy import Pattern, RulePlacement
from stf2m_sk.inspection import PredictionSets, ShortRules, TimelineExplanation, explain
from stf2m_sk.model_selection import FewShotProtocol
from stf2m_sk.recordings import Recording, Signal, StreamPredictor, Timeline

LONGEST = 400


def timeline(n_windows=3):
    start = 10.0 * np.arange(n_windows)
    joy = np.arange(n_windows) % 2 == 1  # calm and joy in turn: each window is an episode
    probabilities = np.where(joy[:, None], [0.2, 0.8], [0.9, 0.1])
    return Timeline(start, start + 10, probabilities, np.array(["calm", "joy"]), person="<ann>")


class TestDataset:
    def test_is_the_bundled_recording_in_a_few_lines(self):
        shown = repr(load_stress())
        assert len(shown) < LONGEST
        assert [line.split()[0] for line in shown.splitlines()[1:]] == [*load_stress()]
        assert "1375 clips: acc, eda, temp, spo2, hr" in shown
        assert "1375 labels, 20 different: S01, S02, S03, S04, ..." in shown
        assert "int64 array of shape (1375,)" in shown

    def test_shows_the_same_in_html(self):
        html = load_stress()._repr_html_()
        assert html.count("<tr>") == 1 + len(load_stress())
        assert "1375 clips: acc, eda, temp, spo2, hr" in html

    def test_is_a_bunch_all_the_same(self):
        data = make_emotion_views(n_people=2, random_state=0)
        assert data["views"] is data.views
        data.more = None
        assert repr(data).splitlines()[-1].split() == ["more", "None"]

    def test_names_and_text_are_escaped_and_cut(self, tmp_path):
        path = tmp_path / "mine.npz"
        labels = np.array(["<b>" + "x" * 200, "calm"])
        np.savez(path, eda=np.zeros((2, 1, 4)), y=labels, age=[31, 45])
        data = load_npz(path)
        assert max(map(len, repr(data).splitlines())) < 100
        assert "<b>" not in data._repr_html_() and "&lt;b&gt;" in data._repr_html_()
        assert "dict of age" in repr(data)

    def test_without_entries_is_still_shown(self):
        data = type(load_stress())()
        assert repr(data) == "Dataset:"


class TestTimeline:
    def test_html_has_a_row_for_each_episode(self):
        html = timeline()._repr_html_()
        assert html.count("<tr>") == 1 + 3
        assert "<td>0 s</td><td>10 s</td><td>calm</td><td>90 %</td>" in html
        assert "Timeline of &lt;ann&gt;: 3 windows in 3 episodes<" in html

    def test_html_of_a_long_one_is_cut(self):
        html = timeline(50)._repr_html_()
        assert html.count("<tr>") == 1 + 20
        assert "50 windows in 50 episodes, the first 20" in html

    def test_explanation_names_its_modalities(self):
        none = np.zeros((3, 2))
        explained = TimelineExplanation(timeline(), ("eda",), none[:, :, None], none, none, none)
        assert repr(explained) == f"TimelineExplanation({timeline()!r}; eda)"

    def test_explanation_shows_mean_contributions(self):
        none = np.zeros((3, 2))
        of_eda = np.array([[1.0, 0.0], [2.0, 0.0], [6.0, -3.0]])[:, :, None]
        explained = TimelineExplanation(timeline(), ("eda",), of_eda, none, none, none)
        html = explained._repr_html_()
        assert "Mean contributions over 3 windows" in html
        assert [row.strip() for row in html.splitlines() if "<td>" in row][::4] == [
            "<td>3.0</td>",
            "<td>-1.0</td>",
        ]


class TestRules:
    def test_placement_counts_rules_and_features(self):
        placement = RulePlacement(np.zeros((4, 300)), np.ones((4, 300)), 0.512345, "k-means", 7)
        assert repr(placement) == (
            "RulePlacement(4 rules of 300 features by k-means, 7 iterations, "
            "partition coefficient 0.512)"
        )

    def test_pattern_is_in_words(self):
        lags = np.arange(9) - 4.0
        row = np.zeros((1, 9))
        pattern = Pattern("hr", ("0",), 2, np.ones((1, 1)), lags, "s", True, True, row, np.ones(1))
        assert repr(pattern) == f"Pattern({pattern})"
        assert "shape of the change of hr" in repr(pattern)


def test_stream_says_what_it_waits_for(people, quick):
    classifier = quick().fit(people.views, people.target, groups=people.groups)
    stream = StreamPredictor(classifier, window=8, step=2)
    assert repr(stream) == (
        "StreamPredictor(8 s windows, one every 2 s: skin 1x32 @ 4 Hz, pulse 1x8 @ 1 Hz; "
        "0 windows answered)"
    )


@pytest.fixture
def shown(fitted, people):
    """Objects of every kind that people look at, by name."""
    wave = Signal(np.zeros((1, 400)), rate=4)
    return {
        "views": people.views,
        "schema": people.views.schema,
        "protocol": FewShotProtocol(times=np.arange(9)),
        "classifier": fitted,
        "person": PersonalisedClassifier(fitted).fit(people.new_views, people.new_target),
        "explanation": explain(fitted, people.new_views),
        "sets": PredictionSets(fitted),
        "short": ShortRules(fitted),
        "recording": Recording({f"signal {i}": wave for i in range(4)}),
        "findings": stf2m_sk.check_clips(people.views, people.target, people.groups),
    }


def test_what_people_look_at_is_short(shown):
    for name, value in shown.items():
        assert len(repr(value)) < LONGEST, name
        assert " at 0x" not in repr(value), name


def test_what_people_look_at_is_a_table_in_a_notebook(shown):
    for name in shown:
        assert "<table" in shown[name]._repr_html_() or "<div" in shown[name]._repr_html_(), name

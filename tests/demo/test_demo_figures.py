"""The figures: written, legible, and saying what the numbers say."""

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from stf2m_sk.demo.figures import Timeline, draw_accuracy, draw_timeline
from stf2m_sk.demo.report import Interval

NAMES = ["STF2M", "STF2M + unlabelled", "random forest", "nearest in time", "majority"]
BLUE, ORANGE = "#0072b2", "#d55e00"


@pytest.fixture
def drawn(monkeypatch):
    """Keep the figure that is saved, and save it all the same."""
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (kept.append(self), save(self, *a, **k))
    )
    return kept


@pytest.fixture
def results():
    """Five lines that end so close together that their labels must be moved apart."""
    table = {}
    for i, name in enumerate(NAMES):
        for k in (0, 1, 2, 4):
            if k or name != "nearest in time":
                mean = 0.6 + 0.05 * k - 0.004 * i
                table[name, k] = Interval(mean, mean - 0.1, mean + 0.1, 5)
    table["STF2M + unlabelled", 0] = Interval(0.68, 0.58, 0.78, 5)
    return table


@pytest.fixture
def timeline():
    true = np.array(["b", "b", "b", "a", "a", "a"])
    right = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.6])
    of_a = np.where(true == "a", right, 1 - right)
    return Timeline(
        person="P7",
        shots=1,
        classes=np.array(["a", "b"]),
        probabilities=np.stack([of_a, 1 - of_a], axis=1),
        true=true,
        is_support=np.array([1, 0, 0, 1, 0, 0], dtype=bool),
        is_query=np.array([0, 0, 1, 0, 0, 1], dtype=bool),
        clip="clip of 30 s",
    )


def texts(figure):
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for axes in figure.axes
        for text in [*axes.texts, axes._left_title]
    ]


class TestAccuracy:
    def test_is_written(self, results, tmp_path):
        draw_accuracy(results, NAMES, tmp_path / "accuracy.png")
        image = imread(tmp_path / "accuracy.png")
        assert image.shape[1] > 1200
        assert image.std() > 0.05

    def test_title_is_computed(self, results, tmp_path, drawn):
        draw_accuracy(results, NAMES, tmp_path / "accuracy.png")
        title = drawn[0].axes[0].get_title(loc="left")
        assert title == (
            "New people: 60 % with no clip, 68 % with unlabelled clips,\n"
            "80 % with 4 labelled clips per class"
        )

    def test_lines_show_the_means_and_intervals(self, results, tmp_path, drawn):
        draw_accuracy(results, NAMES, tmp_path / "accuracy.png")
        axes = drawn[0].axes[0]
        for name, line, bars in zip(NAMES, axes.lines, axes.collections, strict=True):
            shots = [k for k in (0, 1, 2, 4) if (name, k) in results]
            np.testing.assert_allclose(line.get_xdata(), shots, atol=0.11)
            np.testing.assert_allclose(line.get_ydata(), [results[name, k].mean for k in shots])
            ends = [segment[:, 1] for segment in bars.get_segments()]
            np.testing.assert_allclose(ends, [results[name, k][1:3] for k in shots])

    def test_no_text_lies_on_another(self, results, tmp_path, drawn):
        draw_accuracy(results, NAMES, tmp_path / "accuracy.png")
        boxes = texts(drawn[0])
        for name in NAMES:
            assert any(text.startswith(name) for text, _ in boxes)
        for i, (_, box) in enumerate(boxes):
            assert box.x0 >= 0
            assert box.x1 <= drawn[0].bbox.width
            assert not any(box.overlaps(other) for _, other in boxes[i + 1 :])


class TestTimeline:
    def test_is_right(self, timeline):
        assert timeline.is_right.tolist() == [True, True, False, True, False, True]

    def test_is_written(self, timeline, tmp_path):
        draw_timeline(timeline, tmp_path / "timeline.png")
        image = imread(tmp_path / "timeline.png")
        assert image.shape[1] > 1200
        assert image.std() > 0.05

    def test_title_counts_scored_clips(self, timeline, tmp_path, drawn):
        draw_timeline(timeline, tmp_path / "timeline.png")
        title = drawn[0].axes[0].get_title(loc="left")
        assert title == "Person P7: 1 of 2 clips read right after 1 labelled clips per class"

    def test_rows_stand_in_the_order_of_appearance(self, timeline, tmp_path, drawn):
        draw_timeline(timeline, tmp_path / "timeline.png")
        assert [axes.texts[-1].get_text() for axes in drawn[0].axes][1] == "a"
        assert "b" in [text.get_text() for text in drawn[0].axes[0].texts]

    def test_bars_are_the_probabilities_coloured_by_the_truth(self, timeline, tmp_path, drawn):
        draw_timeline(timeline, tmp_path / "timeline.png")
        for axes, label, column in zip(drawn[0].axes, "ba", (1, 0), strict=True):
            bars = {
                round(bar.get_x() + bar.get_width() / 2): bar
                for container in axes.containers
                for bar in container
            }
            heights = [bars[i].get_height() for i in range(1, 7)]
            np.testing.assert_allclose(heights, timeline.probabilities[:, column])
            expected = [BLUE if true == label else ORANGE for true in timeline.true]
            assert [to_hex(bars[i].get_facecolor()) for i in range(1, 7)] == expected
            pale = [bars[i].get_alpha() < 1 for i in range(1, 7)]
            assert pale == (~timeline.is_query).tolist()

    def test_support_clips_are_marked_in_their_row(self, timeline, tmp_path, drawn):
        draw_timeline(timeline, tmp_path / "timeline.png")
        marked = [axes.lines[0].get_xdata().tolist() for axes in drawn[0].axes]
        assert marked == [[1], [4]]

    def test_global_look_is_left_as_found(self, timeline, tmp_path):
        # The backend is left out: to look it up is to choose it.
        before = {name: rcParams[name] for name in rcParams if name != "backend"}
        draw_timeline(timeline, tmp_path / "timeline.png")
        assert {name: rcParams[name] for name in before} == before

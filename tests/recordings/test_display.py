"""How recordings and timelines show themselves."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from stf2m_sk.recordings import Recording, RecordingError, Signal
from stf2m_sk.recordings._timeline import Timeline

matplotlib.use("Agg")
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def recording(**more):
    wave = np.sin(np.arange(100_000) / 50)[None]
    wave[0, 500] = 40.0  # one sample that thinning must not lose
    signals = {
        "acc": Signal(np.arange(30.0).reshape(3, 10), rate=1, unit="g", channels=["x", "y", "z"]),
        "bvp": Signal(wave, rate=10_000),
        "words": Signal(np.array([["a", None]], dtype=object), rate=1),
    }
    return Recording(signals, **more)


PHASES = pd.DataFrame({"start": [0, 4], "end": [4, 8], "label": ["calm", "<joy>"]})


class TestText:
    def test_repr_is_one_line(self):
        assert repr(recording(annotations=PHASES, person="S01", name="day 1")) == (
            "Recording('day 1' of S01, 0 s to 10 s, 2 annotations: acc 3x10 @ 1 Hz, "
            "bvp 1x100000 @ 10000 Hz, words 1x2 @ 1 Hz)"
        )
        assert repr(recording(person="S01", name="S01")).startswith("Recording('S01', 0 s")

    def test_html_is_escaped(self):
        html = recording(person="<b>", name="a & b")._repr_html_()
        assert "a &amp; b, &lt;b&gt;, not annotated" in html
        assert "<td>acc</td><td>3x10</td><td>1 Hz</td>" in html and "<td>x, y, z</td>" in html
        assert "<b>" not in html


class TestPlotOfARecording:
    def test_rows_bands_and_labels(self):
        rows = recording(annotations=PHASES, name="day 1").plot()
        assert [row.get_ylabel() for row in rows] == ["acc (g)", "bvp"]
        assert len(rows[0].lines) == 3
        spans = sorted(tuple(p.get_extents().transformed(rows[0].transData.inverted()).intervalx)
                       for p in rows[0].patches)  # fmt: skip
        assert np.allclose(spans, [(0, 4), (4, 8)])
        assert [t.get_text() for t in rows[0].get_legend().get_texts()] == ["calm", "<joy>"]

    def test_long_signals_are_thinned_and_keep_extremes(self):
        line = recording().plot(signals=["bvp"])[0].lines[0]
        assert len(line.get_xdata()) <= 2100
        assert line.get_ydata().max() == 40.0
        at = line.get_xdata()[line.get_ydata().argmax()]
        assert at == pytest.approx(0.05, abs=0.01)

    def test_thinning_keeps_gaps(self):
        values = np.zeros((1, 50_000))
        values[0, 20_000:30_000] = np.nan
        line = Recording({"x": Signal(values, rate=1)}).plot()[0].lines[0]
        gap = line.get_xdata()[np.isnan(line.get_ydata())]
        assert gap.min() == pytest.approx(20_000, abs=60)
        assert gap.max() == pytest.approx(30_000, abs=60)

    def test_many_channels_are_rows_of_grey_levels(self):
        rng = np.random.default_rng(0)
        values = rng.normal([[10.0**i] for i in range(9)], 1e-3, (9, 50_000))
        values[2, :25_000] += 5.0  # the first half of one channel is high
        values[3, 25_000:] = np.nan
        values[4] = np.nan
        row = Recording({"mel": Signal(values, rate=10, start=3)}).plot()[0]
        (image,) = row.images
        assert not len(row.lines)
        assert image.get_extent() == [0, 5000, 0, 9] and image.origin == "lower"
        drawn = np.ma.filled(image.get_array(), np.nan)
        assert drawn.shape == (9, 1000)
        parts = values.reshape(9, 1000, 50).mean(axis=2)
        low, high = np.percentile(parts[2], [2, 98])
        np.testing.assert_allclose(drawn[2], (parts[2] - low) / (high - low), atol=1e-6)
        assert drawn[2, :500].min() > 0.9 and drawn[2, 500:].max() < 0.1
        assert np.isnan(drawn[3, 500:]).all() and not np.isnan(drawn[3, :500]).any()
        assert np.isnan(drawn[4]).all()

    def test_draws_into_given_axes(self):
        axes = plt.subplots(2)[1]
        assert recording().plot(ax=axes)[1] is axes[1]
        with pytest.raises(ValueError, match="ax must be 2 Axes, one for each signal"):
            recording().plot(ax=axes[0])

    def test_refusals(self):
        with pytest.raises(RecordingError, match=r"signal 'words' .* expected numbers"):
            recording().plot(signals=["words"])
        with pytest.raises(RecordingError, match="no signal of numbers to draw"):
            recording().select("words").plot()


class TestPlotOfATimeline:
    def timeline(self, missing=()):
        probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        probabilities[list(missing)] = np.nan
        start = 1000.0 + np.arange(0.0, 30.0, 10.0)
        return Timeline(start, start + 10, probabilities, np.array(["calm", "joy"]), origin=1000.0)

    @staticmethod
    def areas(axes):
        """Colour, left, right, foot and height of what is filled."""
        found = []
        for collection in axes.collections:
            colour = matplotlib.colors.to_hex(collection.get_facecolor()[0])
            for path in collection.get_paths():
                low, high = path.get_extents().get_points()
                found.append((colour, low[0], high[0], low[1], high[1] - low[1]))
        return found

    def test_probability_is_dark_where_annotated_and_light_elsewhere(self):
        # Annotated: calm to 20 s, then joy, which has the lower row.
        table = pd.DataFrame({"start": [1000, 1020], "end": [1020, 1030], "label": ["calm", "joy"]})
        axes = self.timeline().plot(table)
        found = {area[:4] for area in self.areas(axes)}
        dark, light, shade = "#0072b2", "#e69f00", "#d5dce3"
        assert found == {
            (shade, 0.0, 20.0, 1.0),
            (dark, 0.0, 20.0, 1.0),
            (light, 20.0, 30.0, 1.0),
            (shade, 20.0, 30.0, 0.0),
            (light, 0.0, 20.0, 0.0),
            (dark, 20.0, 30.0, 0.0),
        }
        heights = {area[:4]: area[4] for area in self.areas(axes)}
        row = heights[shade, 0.0, 20.0, 1.0]
        assert heights[dark, 0.0, 20.0, 1.0] == pytest.approx(0.9 * row)
        assert heights[dark, 20.0, 30.0, 0.0] == pytest.approx(0.8 * row)
        assert [text.get_text() for text in axes.get_yticklabels()] == ["joy", "calm"]
        assert axes.get_xlabel() == "seconds from the start of the recording"

    def test_unmeasured_time_is_hatched_and_has_no_probability(self):
        axes = self.timeline(missing=[1]).plot()
        assert [patch.get_hatch() for patch in axes.patches] == ["xxx"]
        blue = {area[1:3] for area in self.areas(axes) if area[0] == "#0072b2"}
        assert blue == {(0.0, 10.0), (20.0, 30.0)}

    def test_minutes_for_long_ones_and_given_axes(self):
        start = np.arange(0.0, 1200.0, 30.0)
        long = Timeline(start, start + 30, np.full((40, 2), 0.5), np.array(["calm", "joy"]))
        axes = plt.subplots()[1]
        assert long.plot(ax=axes) is axes
        assert axes.get_xlabel().startswith("minutes") and axes.get_xlim() == (0.0, 20.0)

    def test_annotations_without_labels_are_refused(self):
        with pytest.raises(RecordingError, match="no column 'label'"):
            self.timeline().plot(pd.DataFrame({"start": [0], "end": [1]}))

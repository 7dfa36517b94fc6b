"""Findings of `Recording.check`: planted faults are found, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import Recording, Signal
from stf2m_sk.views import Views


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def healthy(**changed):
    signals = {
        "acc": Signal(60 * noise(3, 6400), rate=32, unit="1/64 g"),
        "eda": Signal(2 + noise(1, 800), rate=4, unit="uS"),
        "hr": Signal(75 + noise(1, 200), rate=1, unit="bpm"),
    }
    return Recording(signals | changed)


def places(table):
    return table[["signal", "place"]].to_numpy().tolist()


def test_nothing_is_found_in_a_healthy_recording():
    found = healthy().check()
    assert list(found.columns) == ["signal", "place", "finding", "expectation"]
    assert len(found) == 0


def test_swapped_axes():
    found = healthy(acc=Signal(noise(6400, 3), rate=32)).check()
    swapped = found[found["place"] == "shape"]
    assert swapped["signal"].tolist() == ["acc"]
    assert swapped["finding"].item() == "6400 channels of 3 samples"
    assert "are the axes swapped?" in swapped["expectation"].item()


def test_named_channels_may_be_more_than_the_samples():
    names = [f"word {i}" for i in range(35)]
    short = Recording({"text": Signal(noise(35, 23), rate=1, channels=names)})
    assert len(short.check()) == 0


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        (np.full((1, 800), np.nan), "nothing is measured"),
        (np.full((1, 800), 0.25), "all values are 0.25"),
    ],
)
def test_signals_without_a_change(values, finding):
    found = healthy(eda=Signal(values, rate=4, unit="uS")).check()
    assert places(found) == [["eda", "all channels"]]
    assert found["finding"].item() == finding


def test_one_dead_channel_of_several():
    values = 60 * noise(3, 6400)
    values[1] = 7.0
    found = healthy(acc=Signal(values, rate=32, unit="g", channels=["x", "y", "z"])).check()
    assert places(found) == [["acc", "channel y"]]
    assert found["finding"].item() == "all 6400 values are 7"


class TestSaturation:
    @pytest.mark.parametrize(("value", "kind"), [(-9.0, "smallest"), (30.0, "largest")])
    def test_a_long_run_at_an_end_of_the_range(self, value, kind):
        values = 2 + noise(1, 800)
        values[0, 100:180] = value
        found = healthy(eda=Signal(values, rate=4, unit="uS", start=50)).check()
        assert places(found) == [["eda", "channel 0"]]
        assert found["finding"].item() == f"{value:g}, its {kind} value, for 20 s from 75 s"

    def test_a_run_across_pieces_is_one(self):
        values = noise(1, 3_000_000).astype(np.float32)
        values[0, 900_000:1_300_000] = 9.0
        found = Recording({"audio": Signal(values, rate=16_000, unit="V")}).check()
        assert found["finding"].tolist() == ["9, its largest value, for 25 s from 56.25 s"]

    def test_short_runs_and_runs_inside_the_range_are_usual(self):
        values = 2 + noise(1, 800)
        values[0, 100:130] = values.max()  # less than a twentieth
        values[0, 300:500] = 2.0
        assert len(healthy(eda=Signal(values, rate=4, unit="uS")).check()) == 0

    def test_half_a_second_of_digital_silence_is_usual(self):
        energy = noise(1, 120)
        energy[0, 20:50] = -100.0
        assert len(Recording({"energy": Signal(energy, rate=40, unit="dB")}).check()) == 0

    def test_zeros_are_usual_where_nothing_is_counted(self):
        counts = np.zeros((8, 400))
        counts[:7, ::50] = 1  # seven words that are sometimes said, one that never is
        assert len(healthy(words=Signal(counts, rate=2)).check()) == 0
        off = np.zeros((1, 800))
        off[0, 300:] = 2 + noise(500) ** 2
        found = healthy(eda=Signal(off, rate=4, unit="uS")).check()
        assert found["finding"].tolist() == ["0, its smallest value, for 75 s from 0 s"]


class TestRate:
    def test_the_rate_that_would_fit_is_named(self):
        found = healthy(acc=Signal(60 * noise(3, 6400), rate=64, unit="1/64 g")).check()
        assert places(found) == [["acc", "rate"]]
        assert found["finding"].item() == "lasts 100 s at 64 Hz"
        assert found["expectation"].item().endswith("as the other signals last: 32 Hz?")

    def test_words_may_end_before_the_video_does(self):
        assert len(healthy(text=Signal(noise(4, 150), rate=1)).check()) == 0

    def test_signals_that_end_a_little_apart_are_usual(self):
        assert len(healthy(eda=Signal(2 + noise(1, 780), rate=4, unit="uS")).check()) == 0

    def test_of_two_signals_neither_is_blamed(self):
        pair = {"a": Signal(noise(1, 100), rate=1), "b": Signal(noise(1, 100), rate=2)}
        assert len(Recording(pair).check()) == 0


def test_annotations_on_another_clock():
    table = pd.DataFrame({"start": [10, 1.6e9], "end": [20, 1.6e9 + 60], "label": ["a", "b"]})
    recording = Recording(healthy().signals, table)
    found = recording.check()
    assert places(found) == [["", "annotations"]]
    assert found["finding"].item().startswith("1 of 2 annotations lie outside of the recording")


class TestLevels:
    @pytest.mark.parametrize("factor", [1000.0, 0.001])
    @pytest.mark.parametrize("name", ["acc", "eda", "hr"])
    def test_another_unit_is_found_against_training_clips(self, factor, name):
        levels = pd.DataFrame(
            {
                "signal": ["acc"] * 3 + ["eda"] * 2 + ["hr"],
                "channel": [0, 1, 2, 0, 0, 0],
                "level": [60, 60, 60, 0.5, 8, 75],
            }
        )
        recording = healthy()
        assert len(recording.check(Bunch(levels=levels))) == 0
        signal = recording[name]
        changed = Signal(signal.values * factor, signal.rate, unit=signal.unit)
        found = healthy(**{name: changed}).check(levels)
        assert found["signal"].tolist() == [name]
        assert "in training: another unit?" in found["expectation"].item()

    def test_one_loud_channel_is_no_unit(self):
        levels = pd.DataFrame({"signal": "acc", "channel": [0, 1, 2], "level": 60.0})
        values = 60 * noise(3, 6400)
        values[0] *= 1000
        assert len(healthy(acc=Signal(values, rate=32)).check(levels)) == 0

    def test_against_the_scaling_of_a_classifier(self):
        clips = Views({"eda": 2 + noise(40, 1, 40), "acc": 60 * noise(40, 3, 320)})
        clf = STF2MClassifier(n_networks=0, n_kernels=4, n_patterns=0, random_state=0)
        clf.fit(clips, ["a", "b"] * 20)
        assert len(healthy().check(clf)) == 0
        found = healthy(eda=Signal(0.002 + noise(1, 800) / 1000, rate=4, unit="mS")).check(clf)
        assert found["finding"].str.startswith("root mean square").tolist() == [True]
        expected = np.sqrt(np.mean(clips["eda"] ** 2))
        assert f"about {expected:.3g}, as in training" in found["expectation"].item()

    def test_other_references_are_refused(self):
        with pytest.raises(TypeError, match=r"reference must be what `cut` returned.* given list"):
            healthy().check([1])

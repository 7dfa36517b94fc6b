"""Cutting recordings into clips: laws, layouts, labels, refusals, and a real data set."""

import warnings
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import Recording, RecordingError, RecordingWarning, Signal
from stf2m_sk.recordings._cut import cut
from stf2m_sk.recordings._labels import quadrant

UTC = 1_644_226_061.0
SHARED = Path(__file__).parents[3] / "shared" / "data"


def ramp(n, rate=4, start=0.0, **more):
    """A signal whose values are the places of its samples; they change, so no check complains."""
    return Signal(np.arange(float(n))[None], rate=rate, start=start, **more)


def phases(*rows, **columns):
    return pd.DataFrame(rows, columns=["start", "end", "label"]).assign(**columns)


@pytest.fixture(autouse=True)
def _silent():
    """A warning that a test does not ask for fails it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordingWarning)
        yield


class TestLaws:
    @given(
        rate=st.sampled_from(["1", "2.5", "3.7", "4", "25", "29.97", "32", "64", "100.003"]),
        signal_start=st.integers(-200, 200),
        n=st.integers(1, 400),
        window=st.integers(64, 640),
        step=st.integers(200, 900),
        gap=st.tuples(st.integers(0, 400), st.integers(0, 200)),
        in_utc=st.booleans(),
    )
    @settings(max_examples=60, deadline=None)
    def test_windows_hold_the_samples_of_their_times_and_lead_back(
        self, rate, signal_start, n, window, step, gap, in_utc
    ):
        # Times are 64ths of a second, exact in binary; the expectation is exact arithmetic.
        zero, exact = int(UTC) * in_utc, Fraction(rate)
        values = np.arange(float(n))[None]
        values[0, gap[0] : sum(gap)] = np.nan
        beside = Signal(np.arange(200.0)[None], rate=4, start=zero)
        recording = Recording(
            {
                "x": Signal(values, rate=float(rate), start=zero + signal_start / 64),
                "beside": beside,
            }
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clips = cut(recording, window=window / 64, step=step / 64, label=None, min_measured=0)
        first = min(signal_start, 0)
        for (start, end), found in zip(clips.times, clips.views["x"], strict=True):
            place = Fraction(start - zero) * 64
            assert place.denominator == 1 and (place - first) % step == 0
            assert end - start == window / 64
            begin = ceil((place - signal_start) / 64 * exact)
            samples = np.arange(begin, begin + round(window / 64 * float(rate)))
            known = (samples >= 0) & (samples < n)
            expected = np.where(known, values[0, samples.clip(0, n - 1)], np.nan)
            np.testing.assert_array_equal(found[0], expected.astype(np.float32))
        start, end = clips.times[-1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = cut(recording, phases((start, end, "a")), window=end - start, min_measured=0)
        assert again.times.tolist() == [[start, end]]
        assert again.views.equals(clips.views[-1])

    @given(
        lengths=st.lists(st.integers(1, 120), min_size=1, max_size=6),
        gaps=st.lists(st.integers(0, 30), min_size=6, max_size=6),
        window=st.integers(2, 40),
        step=st.integers(1, 40),
        trim=st.integers(0, 10),
    )
    @settings(max_examples=60, deadline=None)
    def test_clips_of_trimmed_phases_are_all_that_fit(self, lengths, gaps, window, step, trim):
        rows, begin = [], 0
        for i, (length, gap) in enumerate(zip(lengths, gaps, strict=False)):
            begin += gap
            rows.append((begin, begin + length, "ab"[i % 2]))
            begin += length
        expected = []
        for start, end, label in rows:
            place = start + trim
            while trim and place + window <= end - trim:
                expected.append((place, place + window, label))
                place += step
        recording = Recording({"x": ramp(4 * begin + 4)}, phases(*rows))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if trim and not expected:
                with pytest.raises(RecordingError, match=r"no clip of .* is left"):
                    cut(recording, window=window, step=step, trim=trim)
                return
            if trim:
                clips = cut(recording, window=window, step=step, trim=trim)
                found = [(*t, label) for t, label in zip(clips.times, clips.target, strict=True)]
                assert found == expected


class TestLayout:
    def test_windows_over_touching_phases_take_the_majority(self):
        recording = Recording({"x": ramp(160)}, phases((0, 14, "a"), (14, 40, "b")))
        clips = cut(recording, window=10)
        assert clips.times[:, 0].tolist() == [0, 10, 20, 30]
        assert clips.target.tolist() == ["a", "b", "b", "b"]
        assert cut(recording, window=10, label="midpoint").target.tolist() == ["a", "b", "b", "b"]
        assert cut(recording, window=10, trim=1).target.tolist() == ["a", "b", "b"]

    def test_without_annotations_the_whole_recording(self):
        clips = cut(Recording({"x": ramp(100)}, person="S01"), window=10)
        assert clips.times[:, 0].tolist() == [0, 10]
        assert clips.target is None and clips.target_names is None
        assert clips.n_dropped == {"not measured": 0}

    def test_label_none_ignores_annotations(self):
        recording = Recording({"x": ramp(100)}, phases((5, 15, "a")))
        assert cut(recording, window=10, label=None).times[:, 0].tolist() == [0, 10]
        with pytest.raises(ValueError, match="label=None asks for clips without labels"):
            cut(recording, phases((5, 15, "a")), window=10, label=None)

    def test_a_recording_shorter_than_the_window_is_one_clip(self):
        clips = cut(Recording({"x": ramp(28)}), window=10)
        assert clips.times.tolist() == [[0, 10]]
        assert np.isnan(clips.views["x"][0, 0]).sum() == 12

    def test_lag_moves_labels_back(self):
        recording = Recording({"x": ramp(160)}, phases((10, 20, "a"), (20, 30, "b")))
        clips = cut(recording, window=10, lag=3)
        assert clips.times[:, 0].tolist() == [7, 17]
        assert clips.target.tolist() == ["a", "b"]

    def test_rows_in_any_order_give_clips_in_time(self):
        recording = Recording({"x": ramp(160)}, phases((20, 30, "b"), (0, 10, "a")))
        clips = cut(recording, window=10)
        assert clips.target.tolist() == ["a", "b"]
        assert clips.n_dropped["not annotated"] == 2

    def test_a_callable_sees_the_clipped_rows(self):
        seen = []

        def rule(rows):
            seen.append(rows[["start", "end", "rating"]].to_numpy().tolist())
            return None if len(seen) == 2 else len(rows)

        table = phases((0, 4, "a"), (4, 30, "b"), rating=[1, 2])
        clips = cut(Recording({"x": ramp(120)}, table), window=10, label=rule)
        assert seen == [[[0, 4, 1], [4, 10, 2]], [[10, 20, 2]], [[20, 30, 2]]]
        assert clips.target.tolist() == [2, 1]
        assert clips.n_dropped["no label"] == 1

    def test_quadrants(self):
        ratings = pd.DataFrame(
            {
                "start": np.arange(20.0),
                "end": np.arange(1.0, 21.0),
                "valence": np.repeat([-1, 1], 10),
                "arousal": np.repeat([2, -2], 10),
            }
        )
        recording = Recording({"x": ramp(80)}, ratings)
        expected = ["low valence, high arousal", "high valence, low arousal"]
        assert cut(recording, window=10, label="quadrant").target.tolist() == expected
        moved = ratings.assign(valence=ratings["valence"] + 5, arousal=ratings["arousal"] + 5)
        clips = cut(recording, moved, window=10, label=quadrant(5, 5))
        assert clips.target.tolist() == expected


class TestBunch:
    def test_what_it_holds(self):
        eda = Signal(np.arange(80.0)[None], rate=4, unit="uS", channels=["left"])
        one = Recording({"eda": eda}, phases((0, 20, "a")), person="S01", name="day 1")
        two = Recording({"eda": ramp(80), "hr": ramp(20, 1)}, phases((0, 20, "b")), name="S02")
        clips = cut([one, two], window=10)
        assert (
            repr(clips.views)
            == "Views(4 clips: eda 1x40 @ 4 Hz, hr 1x10 @ 1 Hz; 10.0 % not measured)"
        )
        assert clips.views.schema["eda"].channel_names == ("left",)
        assert clips.views.dtype == np.float32
        assert np.isnan(clips.views["hr"][:2]).all() and not np.isnan(clips.views["hr"][2:]).any()
        assert clips.groups.tolist() == ["S01", "S01", "S02", "S02"]
        assert clips.contexts.tolist() == ["day 1", "day 1", "S02", "S02"]
        assert clips.target_names.tolist() == ["a", "b"]
        assert list(clips.index.columns) == [
            "recording",
            "person",
            "start",
            "end",
            "measured",
            "label",
        ]
        assert clips.index["measured"].tolist() == [1, 1, 1, 1]
        level = clips.levels.set_index(["recording", "signal"])["level"]
        assert level["day 1", "eda"] == pytest.approx(np.sqrt(np.mean(np.arange(80.0) ** 2)))

    def test_values_are_read_window_by_window(self):
        class Lazy:
            shape, dtype, most = (1, 10_000_000), np.dtype(np.float32), 0

            def __getitem__(self, key):
                start, stop, _ = key[-1].indices(self.shape[1])
                Lazy.most = max(Lazy.most, stop - start)
                return np.arange(start, stop, dtype=np.float32)[None] % 1000

        recording = Recording({"x": Signal(Lazy(), rate=100)})
        clips = cut(recording, window=10, step=1_000)
        assert Lazy.most <= 2**20
        assert clips.views["x"].shape == (100, 1, 1000)


class TestMeasured:
    def test_clips_with_little_are_left_out_and_counted(self):
        eda, hr = ramp(160), ramp(40, rate=1)
        eda.values[0, 40:100] = np.nan  # the second clip, and half of the third
        hr.values[0, 10:15] = np.nan  # half of the second
        recording = Recording({"eda": eda, "hr": hr}, phases((0, 40, "a")))
        with pytest.warns(RecordingWarning, match=r"1 window\(s\) are left out: less than 50%"):
            clips = cut(recording, window=10)
        assert clips.times[:, 0].tolist() == [0, 20, 30]
        assert clips.index["measured"].tolist() == [1, 0.75, 1]
        assert clips.n_dropped["not measured"] == 1
        with pytest.warns(RecordingWarning, match=r"2 window\(s\) are left out: less than 100%"):
            assert len(cut(recording, window=10, min_measured=1).target) == 2
        assert len(cut(recording, window=10, min_measured=0.25).target) == 4

    def test_nothing_measured_is_always_left_out(self):
        eda = ramp(80)
        eda.values[0, :40] = np.nan
        with pytest.warns(RecordingWarning, match="1 window"):
            clips = cut(Recording({"eda": eda}), window=10, min_measured=0)
        assert clips.times[:, 0].tolist() == [10]

    def test_signals_that_a_recording_lacks_do_not_count(self):
        one = Recording({"eda": ramp(40)}, name="one")
        two = Recording({"hr": ramp(10, rate=1)}, name="two")
        assert cut([one, two], window=10, min_measured=1).index["measured"].tolist() == [1, 1]


class TestAnnotationsOfWhom:
    TABLE = phases((0, 10, "a"), (0, 10, "b"), (10, 20, "c"), person=["S01", "S02", "S01"])

    def recordings(self):
        return [Recording({"x": ramp(80)}, person=f"S0{i}", name=f"day {i}") for i in (1, 2)]

    def test_by_person(self):
        clips = cut(self.recordings(), self.TABLE, window=10)
        assert list(zip(clips.groups, clips.target, strict=True)) == [
            ("S01", "a"),
            ("S01", "c"),
            ("S02", "b"),
        ]

    def test_by_recording(self):
        table = self.TABLE.rename(columns={"person": "recording"})
        table["recording"] = ["day 2", "day 1", "day 2"]
        assert cut(self.recordings(), table, window=10).target.tolist() == ["b", "a", "c"]

    def test_by_both(self):
        table = self.TABLE.assign(recording=["day 1", "day 2", "day 2"])
        assert cut(self.recordings(), table, window=10).target.tolist() == ["a", "b"]

    def test_for_all(self):
        table = phases((0, 10, "a"), (10, 20, "b"))
        assert cut(self.recordings(), table, window=10).target.tolist() == ["a", "b", "a", "b"]

    def test_numbers_as_names(self):
        recording = Recording({"x": ramp(40)}, person="7")
        assert cut(recording, phases((0, 10, "a"), person=[7]), window=10).target.tolist() == ["a"]

    def test_recordings_without_any_are_named(self):
        with pytest.warns(RecordingWarning, match="1 of 2 recordings .*: recording 'day 2' of S02"):
            clips = cut(self.recordings(), self.TABLE.iloc[[0]], window=10)
        assert clips.groups.tolist() == ["S01"]

    def test_of_nobody_here_is_an_error(self):
        table = phases((0, 10, "a"), person=["S9"])
        with pytest.raises(RecordingError, match=r"no annotation is of a given .*'S9'.*'S01'"):
            cut(self.recordings(), table, window=10)

    def test_people_without_a_person_is_an_error(self):
        with pytest.raises(RecordingError, match=r"are of people .* the recording has no person"):
            cut(Recording({"x": ramp(80)}), self.TABLE, window=10)


class TestWarnings:
    def test_findings_name_the_recording(self):
        table = phases((0, 20, "a"))
        flat = Signal(np.ones((1, 80)), rate=4)
        recording = Recording({"x": ramp(80), "flat": flat}, table, name="day 1")
        message = "recording 'day 1': signal 'flat', all channels: all values are 1; expected"
        with pytest.warns(RecordingWarning, match=message) as caught:
            cut(recording, window=10)
        assert caught[0].filename == __file__

    def test_a_unit_off_from_the_other_recordings(self):
        signals = [np.random.default_rng(i).normal(size=(1, 80)) for i in range(3)]
        signals[1] *= 1000
        recordings = [
            Recording({"x": Signal(v, rate=4)}, name=f"{i}") for i, v in enumerate(signals)
        ]
        with pytest.warns(RecordingWarning, match="recording '1': .* root mean square") as caught:
            cut(recordings, window=10)
        assert len(caught) == 1

    def test_many_recordings_give_one_warning(self):
        flat = Signal(np.ones((1, 80)), rate=4)
        recordings = [Recording({"x": ramp(80), "flat": flat}, name=f"{i}") for i in range(8)]
        with pytest.warns(RecordingWarning, match=r"recording '0': [^$]*3 more record") as caught:
            cut(recordings, window=10)
        assert len(caught) == 1

    def test_different_units(self):
        recordings = [
            Recording({"x": Signal(np.arange(80.0)[None], rate=4, unit=unit)}, name=unit)
            for unit in ("uS", "mS")
        ]
        with pytest.warns(RecordingWarning, match="'x' has different units: 'uS' in .*, 'mS' in"):
            cut(recordings, window=10)

    def test_stretches_shorter_than_the_window(self):
        recording = Recording({"x": ramp(160)}, phases((0, 5, "a"), (8, 20, "b"), (22, 25, "a")))
        with pytest.warns(RecordingWarning, match="2 of 3 annotated stretches are shorter"):
            assert cut(recording, window=10).target.tolist() == ["b"]

    def test_swapped_axes_are_said_before_nothing_is_left(self):
        swapped = Recording({"x": Signal(np.zeros((4000, 3)), rate=4)}, phases((0, 40, "a")))
        with (
            pytest.warns(RecordingWarning, match=r"4000 channels of 3 samples; .* axes swapped"),
            pytest.raises(RecordingError, match="no clip of 10 s is left"),
        ):
            cut(swapped, window=10)


class TestRefusals:
    @pytest.mark.parametrize(
        ("recordings", "message"),
        [
            ([], "no recording is given"),
            (
                Recording({"v": Signal(np.zeros((2, 2, 3, 9), np.uint8), 1)}, name="film"),
                r"recording 'film': signal 'v' has values of shape \(2, 2, 3, 9\) .*extract",
            ),
            (
                Recording({"w": Signal(np.array([["a"] * 9], dtype=object), 1)}),
                "signal 'w' has values .*dtype object; expected numbers",
            ),
            (
                [Recording({"x": ramp(80, rate=r)}, name=f"{r}") for r in (4, 5)],
                r"'x' of recording '4' and of recording '5' differ in rate: 4 and 5 Hz.*resample",
            ),
            (
                [Recording({"x": Signal(np.zeros((c, 9)), 1)}, name=f"{c}") for c in (1, 2)],
                "differ in channels: 1 and 2",
            ),
            (
                [Recording({"x": Signal(np.zeros((1, 9)), 1, channels=[c])}, name=c) for c in "ab"],
                r"differ in channel names: \('a',\) and \('b',\)",
            ),
            (
                [Recording({"x": ramp(80)}, person="S01")] * 2,
                "2 recordings have person 'S01' and name ''; give each its own name",
            ),
            (
                Recording({"x": ramp(80)}, phases((0, 9, "a"), (5, 20, "b"))),
                r"row 0 \(a, 0 s to 9 s\) and row 1 \(b, 5 s to 20 s\) overlap by 4 s",
            ),
            (
                Recording({"x": ramp(80)}, phases((900, 930, "a"))),
                "no clip of 5 s is left: .* on the clock of the recordings",
            ),
            (
                Recording({"x": ramp(80)}, phases((0, 5, "a"), (5, 10, 1))),
                "labels must be all text or all numbers",
            ),
        ],
    )
    def test_of_recordings(self, recordings, message):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(RecordingError, match=message):
                cut(recordings, window=5)

    def test_of_other_things(self):
        with pytest.raises(TypeError, match=r"recordings\[0\] must be a Recording, got str"):
            cut(["S01.zip"], window=5)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"window": -1}, "window must be a positive number"),
            ({"window": 5, "trim": -1}, "trim must not be negative, got -1"),
            ({"window": 5, "lag": np.nan}, "lag must be a finite number, got nan"),
            ({"window": 5, "min_measured": 2}, "min_measured is a share of 0 to 1, got 2"),
            ({"window": 5, "label": "mode"}, "label must be one of"),
        ],
    )
    def test_of_numbers(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            cut(Recording({"x": ramp(80)}, phases((0, 20, "a"))), **arguments)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no real recordings at {SHARED}")
def test_real_sessions_give_the_windows_that_were_cut_before():
    """S01 and S02 of Stress-Predict; all twelve do (the note says), but take their time."""
    from stf2m_sk.recordings._csv import read_annotations
    from stf2m_sk.recordings._e4 import read_e4

    folder = SHARED / "raw" / "empatica_e4"
    names = ["acc", "bvp", "eda", "hr", "temp"]
    sessions = [read_e4(folder / f"{person}.zip").select(*names) for person in ("S01", "S02")]
    table = read_annotations(folder / "annotations.csv")
    with pytest.warns(RecordingWarning, match="left out: less than 100%"):
        clips = cut(sessions, table, window=30, trim=20, min_measured=1)
    with np.load(SHARED / "stress_predict.npz") as file:
        known = {name: file[name] for name in (*names, "y", "groups", "segment")}
    for person in ("S01", "S02"):
        rows, own = np.flatnonzero(known["groups"] == person), clips.groups == person
        begin = table[table["person"] == person]["start"].to_numpy()[known["segment"][rows]]
        rows = rows[np.argsort(begin, kind="stable")]  # the file is in the order of the protocol
        assert known["y"][rows].tolist() == clips.target[own].tolist()
        for name in names:
            np.testing.assert_array_equal(clips.views[name][own], known[name][rows])

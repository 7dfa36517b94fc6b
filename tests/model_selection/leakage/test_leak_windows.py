"""Clean splits of generated and real data pass; overlapping windows are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from stf2m_sk.demo.peers import summary_statistics
from stf2m_sk.model_selection import leakage_report

OVERLAP = "overlapping windows"
SCALER = "scaler fitted on all data"


def overlaps(signals, train, test):
    """Rows (of the two sides) that a report names for overlapping windows."""
    report = leakage_report(signals, splits=[(train, test)])
    found = [leak for leak in report.leaks if leak.check == OVERLAP]
    return [(leak.train_rows.tolist(), leak.test_rows.tolist()) for leak in found]


def planted(half):
    """Pairs (train, test) of windows that overlap, from the times alone."""
    train, test = half.split
    apart = np.abs(np.subtract.outer(half.times[train], half.times[test]))
    i, j = np.nonzero((apart < 30) & np.equal.outer(half.groups[train], half.groups[test]))
    return np.unique(np.column_stack([train[i], test[j]]), axis=0)


class TestCleanSplitsPass:
    def test_generated(self, generated):
        splits = GroupKFold(5).split(generated.views, generated.target, generated.groups)
        report = leakage_report(generated.views, splits=splits, groups=generated.groups)
        assert report.clean
        assert report.found == ()
        assert report.passed == (
            *("same rows", OVERLAP, "shared people", "near-duplicate clips"),
            SCALER,
        )
        assert report.not_checked == {"shared contexts": "needs `contexts`"}

    def test_real_people(self, stress):
        report = leakage_report(
            stress.views, splits=[stress.by_person], groups=stress.groups, contexts=stress.groups
        )
        assert report.clean
        assert not report.not_checked

    def test_real_halves_in_time(self, stress):
        report = leakage_report(
            stress.views,
            splits=[stress.by_time],
            groups=stress.groups,
            protocol="same-person",
            times=30.0 * np.arange(len(stress.target)),
        )
        assert report.clean

    @pytest.mark.parametrize("name", ["acc", "eda", "temp", "spo2", "hr"])
    def test_single_modalities_however_coarse(self, stress, name):
        views = stress.views.select(name)
        for split in (stress.by_person, stress.by_time):
            assert leakage_report(views, splits=[split]).clean

    def test_real_tables(self, stress):
        table = summary_statistics(stress.views)
        for split in (stress.by_person, stress.by_time):
            assert leakage_report(table, splits=[split]).clean

    def test_scaled_by_the_training_side(self, stress):
        table = summary_statistics(stress.views)
        scaler = StandardScaler().fit(table[stress.by_person[0]])
        assert leakage_report(table, splits=[stress.by_person], scaler=scaler).clean
        assert leakage_report(scaler.transform(table), splits=[stress.by_person]).clean

    def test_no_alarm_for_chance(self):
        # Smooth, short, unrelated clips: many pairs correlate above 0.95.
        generator = np.random.default_rng(0)
        clips = np.cumsum(generator.normal(size=(400, 1, 20)), axis=2)
        sides = np.arange(200), np.arange(200, 400)
        assert (np.corrcoef(clips[:, 0])[:200, 200:] > 0.95).sum() > 20
        assert leakage_report(clips, splits=[sides], threshold=0.95).clean


class TestOverlappingWindows:
    def test_all_and_only_those_planted_are_found(self, half_overlapping):
        half = half_overlapping
        pairs = planted(half)
        assert len(pairs) > 900
        found = overlaps(half.views, *half.split)
        assert found == [tuple(np.unique(rows).tolist() for rows in pairs.T)]

    def test_by_times(self, half_overlapping):
        half = half_overlapping
        # Noise of its own in every window: only the times tell.
        noise = np.random.default_rng(0).normal(size=(len(half.times), 1, 20))
        for duration in (30, np.full(len(half.times), 30.0)):
            report = leakage_report(
                noise,
                splits=[half.split],
                protocol="same-person",
                groups=half.groups,
                times=half.times,
                duration=duration,
            )
            assert report.found == (OVERLAP,)
            np.testing.assert_array_equal(
                report.leaks[0].train_rows, np.unique(planted(half)[:, 0])
            )
            np.testing.assert_array_equal(report.leaks[0].test_rows, np.unique(planted(half)[:, 1]))

    def test_quantified(self, half_overlapping):
        half = half_overlapping
        table = np.nan_to_num(summary_statistics(half.views))
        table = (table - table[half.split[0]].mean(0)) / (table[half.split[0]].std(0) + 1e-9)
        report = leakage_report(
            table,
            half.target,
            splits=[half.split],
            protocol="same-person",
            groups=half.groups,
            times=half.times,
            duration=30.0,
            estimator=KNeighborsClassifier(1),
            random_state=0,
        )
        leak = report.leaks[0]
        assert leak.score > leak.score_random > leak.score_without + 0.03
        assert report.fall(OVERLAP) == leak.score_random - leak.score_without

    def test_the_duration_comes_from_the_rates(self, half_overlapping):
        half = half_overlapping
        more = {"groups": half.groups, "protocol": "same-person", "times": half.times}
        views = half.views.select("hr")
        known = leakage_report(views, splits=[half.split], **more)
        asked = leakage_report(views, splits=[half.split], **more, duration=30)
        assert known.leaks[0].train_rows.tolist() == asked.leaks[0].train_rows.tolist()

    def test_windows_that_touch_do_not_overlap(self):
        X = np.random.default_rng(0).normal(size=(4, 1, 30))
        times = 0.1 * np.arange(4)
        report = leakage_report(X, splits=[([0, 2], [1, 3])], times=times, duration=0.1)
        assert OVERLAP in report.passed

    def test_the_same_time_of_other_people_is_no_overlap(self):
        X = np.random.default_rng(0).normal(size=(2, 1, 30))
        split = [([0], [1])]
        one = leakage_report(X, splits=split, times=[0, 0], duration=9)
        two = leakage_report(X, splits=split, times=[0, 0], duration=9, groups=["ann", "bob"])
        assert one.found == (OVERLAP,)
        assert two.clean

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 36), st.booleans(), st.booleans())
    def test_any_shift_either_way_with_gaps(self, seed, shift, swap, float32):
        generator = np.random.default_rng(seed)
        recording = generator.normal(size=(2, 90))
        recording[:, 44:47] = np.nan
        recording[1] = np.nan if seed % 2 else recording[1]
        recording = recording.astype(np.float32 if float32 else np.float64)
        windows = np.stack(
            [recording[:, :50], recording[:, shift : shift + 50], -recording[:, :50]]
        )
        rows = [np.array([1]), np.array([0])] if swap else [np.array([0]), np.array([1])]
        rows[1] = np.append(rows[1], 2)
        assert overlaps({"eda": windows}, *rows) == [([int(swap)], [int(not swap)])]

    def test_other_rates_must_agree(self):
        generator = np.random.default_rng(0)
        acc, hr = generator.normal(size=(1, 120)), generator.normal(size=(1, 30))
        signals = {
            "acc": np.stack([acc[:, :80], acc[:, 40:]]),
            "hr": np.stack([hr[:, :20], hr[:, 10:]]),
        }
        assert overlaps(signals, [0], [1]) == [([0], [1])]
        signals["hr"][1, 0, 3] += 1  # the heart of another person
        assert overlaps(signals, [0], [1]) == []

    def test_flat_lines_are_no_fingerprint(self):
        flat = np.full((4, 1, 50), 33.5)
        flat[:, :, 20] = 34.0
        assert overlaps({"temp": flat}, [0, 1], [2, 3]) == []

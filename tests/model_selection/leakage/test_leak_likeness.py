"""Shared contexts, shared people and near-duplicate clips."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import Bunch

from stf2m_sk.demo.peers import summary_statistics
from stf2m_sk.metrics import METRICS
from stf2m_sk.model_selection import leakage_report
from stf2m_sk.views import Views


class TestSharedContexts:
    @pytest.fixture
    def statements(self):
        """Clips that carry their statement; the statement tells the label, nothing else does."""
        generator = np.random.default_rng(0)
        statement = np.repeat(np.arange(40), 6)
        target = np.repeat(generator.permutation(np.repeat(["calm", "joy"], 20)), 6)
        X = generator.normal(size=(40, 1, 30))[statement] + generator.normal(size=(240, 1, 30))
        test = np.zeros(240, dtype=bool)
        test[:60] = True  # statements 0 to 9 ...
        test[60:120:2] = True  # ... and half of the clips of 10 to 19
        return Bunch(
            X=X[:, 0],
            target=target,
            statement=statement,
            split=(np.flatnonzero(~test), np.flatnonzero(test)),
        )

    def test_found_and_quantified(self, statements):
        train, test = statements.split
        report = leakage_report(
            statements.X,
            statements.target,
            splits=[statements.split],
            contexts=statements.statement,
            estimator=KNeighborsClassifier(1),
            random_state=0,
        )
        assert report.found == ("shared contexts",)
        (leak,) = report.leaks
        shared = (statements.statement >= 10) & (statements.statement < 20)
        assert leak.train_rows.tolist() == train[shared[train]].tolist()
        assert leak.test_rows.tolist() == test[shared[test]].tolist()
        assert leak.what == "10, 11, 12, 13, 14, ...: 10 of 20 context(s)"
        assert leak.score > 0.65  # a third of the clips are known, the others guessed
        assert leak.fall > 0.1
        left = np.setdiff1d(train, leak.train_rows)
        alone = KNeighborsClassifier(1).fit(statements.X[left], statements.target[left])
        by_hand = METRICS["balanced_accuracy"](
            statements.target[test], alone.predict_proba(statements.X[test]), alone.classes_
        )
        assert leak.score_without == by_hand

    def test_disjoint_statements_pass(self, statements):
        later = statements.statement >= 20
        split = np.flatnonzero(later), np.flatnonzero(~later)
        report = leakage_report(statements.X, splits=[split], contexts=statements.statement)
        assert report.clean

    def test_real(self, stress):
        # Each kind of stress is one segment: halves in time share it, and nothing is left.
        contexts = np.char.add(stress.groups, stress.segment.astype(str))
        report = leakage_report(
            summary_statistics(stress.views.select("hr")),
            stress.target,
            splits=[stress.by_time],
            protocol="same-person",
            contexts=contexts,
            estimator=KNeighborsClassifier(),
        )
        (leak,) = report.leaks
        assert leak.check == "shared contexts"
        assert "too few to fit" in leak.note
        assert np.isnan(report.fall("shared contexts"))
        assert "too few to fit" in str(report)


class TestSharedPeople:
    def test_found(self, generated):
        new = generated.groups == "person_3"
        train = np.append(np.flatnonzero(~new), np.flatnonzero(new)[:3])
        report = leakage_report(
            generated.views, splits=[(train, np.flatnonzero(new)[3:])], groups=generated.groups
        )
        assert report.found == ("shared people",)
        assert report.leaks[0].train_rows.tolist() == np.flatnonzero(new)[:3].tolist()
        assert "'person_3': 1 of 1 people; if that is meant" in report.leaks[0].what

    def test_meant(self, generated):
        split = np.arange(0, 240, 2), np.arange(1, 240, 2)
        report = leakage_report(
            generated.views, splits=[split], groups=generated.groups, protocol="same-person"
        )
        assert report.clean
        assert report.not_checked["shared people"] == "the protocol is 'same-person'"

    def test_real_worth(self, stress):
        table = summary_statistics(stress.views)
        train, test = stress.by_person
        table = (table - table[train].mean(0)) / table[train].std(0)
        known = np.append(train, test[::3])
        report = leakage_report(
            table,
            stress.target,
            splits=[(known, np.setdiff1d(test, known))],
            groups=stress.groups,
            estimator=KNeighborsClassifier(3),
            random_state=0,
        )
        assert report.found == ("shared people",)
        assert report.fall("shared people") > 0.1


class TestNearDuplicates:
    def test_found(self, generated):
        arrays = {name: signal.copy() for name, signal in generated.views.to_dict().items()}
        generator = np.random.default_rng(0)
        train, test = np.arange(0, 120), np.arange(120, 240)
        for signal in arrays.values():  # louder, elsewhere, and with some noise of its own
            noise = generator.normal(size=signal[:5].shape).astype(np.float32)
            signal[120:125] = 1.5 * signal[:5] + 3 + 0.03 * noise
        report = leakage_report(Views(arrays), splits=[(train, test)])
        assert report.found == ("near-duplicate clips",)
        assert report.leaks[0].train_rows.tolist() == [0, 1, 2, 3, 4]
        assert report.leaks[0].test_rows.tolist() == [120, 121, 122, 123, 124]
        assert "5 training clip(s) correlate 0.99" in report.leaks[0].what

    def test_real_and_worth(self, stress):
        train, test = stress.by_person
        doubled = Views.concatenate([stress.views, stress.views[test[::2]]])
        target = np.append(stress.target, stress.target[test[::2]])
        train = np.append(train, np.arange(len(stress.target), len(target)))
        table = summary_statistics(doubled)
        table = (table - table[train].mean(0)) / table[train].std(0)
        for X in (doubled, table):
            report = leakage_report(X, splits=[(train, test)])
            assert report.found == ("near-duplicate clips",)
            np.testing.assert_array_equal(report.leaks[0].test_rows, test[::2])
        worth = leakage_report(
            table,
            target,
            splits=[(train, test)],
            estimator=KNeighborsClassifier(1),
            random_state=0,
        )
        assert worth.fall("near-duplicate clips") > 0.2

    def test_correlation_leaves_out_what_is_missing(self):
        generator = np.random.default_rng(0)
        clips = generator.normal(size=(6, 1, 80))
        clips[3:] += 5 * clips[:3]
        clips[generator.uniform(size=clips.shape) < 0.2] = np.nan
        report = leakage_report(clips, splits=[(np.arange(3), np.arange(3, 6))], threshold=0.9)
        assert report.found == ("near-duplicate clips",)
        assert report.leaks[0].train_rows.tolist() == [0, 1, 2]
        assert report.leaks[0].test_rows.tolist() == [3, 4, 5]
        expected = []
        for one, other in zip(clips[:3, 0], clips[3:, 0], strict=True):
            both = ~np.isnan(one + other)
            expected.append(np.corrcoef(one[both], other[both])[0, 1])
        assert f"correlate {min(expected):.4f} or more with" in report.leaks[0].what

    def test_too_little_in_common_is_no_comparison(self):
        clips = np.tile(np.random.default_rng(0).normal(size=80), (2, 1))[:, np.newaxis]
        split = [([0], [1])]
        assert leakage_report(clips, splits=split).found == ("near-duplicate clips",)
        clips[0, :, :45] = np.nan  # of 80 values of the other clip 35 are left
        assert leakage_report(clips, splits=split).clean

    def test_all_and_only_those_planted_among_many(self):
        # More clips than are compared at a time.
        clips = np.random.default_rng(0).normal(size=(6000, 1, 40))
        copied = np.array([2999, 3, 0, 2100, 1])
        clips[5000:5005] = clips[copied]
        report = leakage_report(clips, splits=[(np.arange(3000), np.arange(3000, 6000))])
        assert report.leaks[0].train_rows.tolist() == sorted(copied)
        assert report.leaks[0].test_rows.tolist() == [5000, 5001, 5002, 5003, 5004]
        assert report.leaks[0].what.endswith("such as 0 with 5002")

    def test_the_same_row_on_both_sides(self, generated):
        report = leakage_report(generated.views, splits=[(np.arange(11), np.arange(10, 20))])
        assert report.found == ("same rows",)
        assert report.leaks[0].train_rows.tolist() == [10]

    def test_small_tables_are_not_checked(self):
        report = leakage_report(np.ones((4, 3)), splits=[([0, 1], [2, 3])])
        assert report.not_checked["near-duplicate clips"] == "needs clips of at least 16 values"
        assert report.clean

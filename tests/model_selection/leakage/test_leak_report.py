"""What leaks are worth, and what the report says of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier

from stf2m_sk.demo.peers import summary_statistics
from stf2m_sk.metrics import METRICS
from stf2m_sk.model_selection import leakage_report


class _AlwaysTheSame(KNeighborsClassifier):
    def __init__(self, seen=None):
        super().__init__(n_neighbors=1)
        self.seen = seen

    def __sklearn_clone__(self):
        return _AlwaysTheSame(self.seen)

    def fit(self, X, y):
        if self.seen is not None:
            self.seen.append(y.tolist())
        return super().fit(np.zeros((2, 1)), ["calm", "joy"])

    def predict_proba(self, X):
        return np.tile([0.6, 0.4], (len(X), 1))


class TestWorth:
    def test_is_zero_where_the_leak_tells_nothing(self):
        # Duplicates of clips without information on the label, at many seeds.
        falls = []
        for seed in range(30):
            generator = np.random.default_rng(seed)
            X, y = generator.normal(size=(80, 20)), generator.choice(["calm", "joy"], size=80)
            report = leakage_report(
                X,
                y,
                splits=[(np.arange(60), np.arange(40, 80))],
                estimator=_AlwaysTheSame(),
                random_state=seed,
            )
            falls.append(report.fall("same rows"))
        assert falls == [0.0] * 30

    def test_as_many_of_each_class_go_at_random(self):
        seen = []
        X, y = np.random.default_rng(0).normal(size=(40, 20)), np.repeat(["calm", "joy"], 20)
        split = np.arange(40), np.append(np.arange(6), 20)  # 6 calm leak, and 1 joy
        leakage_report(
            X, y, splits=[split], estimator=_AlwaysTheSame(seen), n_random=4, random_state=0
        )
        counts = [(labels.count("calm"), labels.count("joy")) for labels in seen]
        assert counts == [(20, 20)] + [(14, 19)] * 5

    def test_seeded(self, generated):
        table = np.nan_to_num(summary_statistics(generated.views))
        split = np.arange(200), np.arange(150, 240)

        def score(seed):
            report = leakage_report(
                table,
                generated.target,
                splits=[split],
                estimator=KNeighborsClassifier(1),
                random_state=seed,
            )
            return report.leaks[0].score_random

        assert score(0) == score(0) == score(np.random.RandomState(0)) != score(1)

    def test_a_fitted_few_shot_classifier_adapts(self, fitted, people):
        n = len(people.new_target)
        split = np.arange(n - 2), np.arange(n - 4, n)
        report = leakage_report(
            people.new_views,
            people.new_target,
            splits=[split],
            protocol="same-person",
            estimator=fitted,
            n_random=2,
            random_state=0,
        )
        adapted = fitted.adapt(people.new_views[split[0]], people.new_target[split[0]])
        expected = METRICS["balanced_accuracy"](
            people.new_target[split[1]],
            adapted.predict_proba(people.new_views[split[1]]),
            adapted.classes_,
        )
        assert report.leaks[0].score == expected
        assert np.isfinite(report.fall("same rows"))

    def test_what_cannot_be_fitted_is_said(self):
        X, y = np.random.default_rng(0).normal(size=(12, 20)), np.tile(["calm", "joy"], 6)
        report = leakage_report(
            X,
            y,
            splits=[(np.arange(8), np.arange(2, 12))],
            estimator=KNeighborsClassifier(4),
        )
        assert "what is left cannot be fitted: " in report.leaks[0].note
        assert not np.isnan(report.leaks[0].score)


class TestReport:
    @pytest.fixture
    def report(self, generated):
        table = np.nan_to_num(summary_statistics(generated.views))
        splits = [(np.arange(i, i + 60), np.arange(i + 50, i + 90)) for i in range(0, 150, 30)]
        return leakage_report(
            table,
            generated.target,
            splits=splits,
            groups=generated.groups,
            estimator=KNeighborsClassifier(1),
            random_state=0,
        )

    def test_text(self, report):
        text = str(report)
        assert repr(report) == text
        assert text.startswith("Leakage found in 5 of 5 split(s).\n  found: same rows, in 5 of 5")
        assert "    and 2 more, see to_frame()" in text
        assert "balanced_accuracy: " in text
        assert " without random ones; it is worth +0." in text
        assert "  not checked: shared contexts (needs `contexts`)" in text

    def test_frame(self, report):
        frame = report.to_frame()
        assert len(frame) == len(report.leaks) == 10
        assert set(frame["check"]) == {"same rows", "shared people"}
        fall = frame.loc[frame["check"] == "same rows", "fall"].mean()
        assert report.fall("same rows") == pytest.approx(fall)
        np.testing.assert_array_equal(frame["train_rows"][0], np.arange(50, 60))

    def test_frame_of_a_clean_report(self, generated):
        frame = leakage_report(generated.views, splits=[([0], [1])]).to_frame()
        assert len(frame) == 0
        assert "fall" in frame

    def test_html(self, report):
        html = report._repr_html_()
        assert html.count("<tr") == 11
        assert "&#x27;person_" in html

    def test_html_is_escaped(self):
        X = np.random.default_rng(0).normal(size=(4, 3))
        report = leakage_report(X, splits=[([0, 1], [2, 3])], contexts=["<b>"] * 4)
        assert "<b>" not in report._repr_html_()
        assert "&lt;b&gt;" in report._repr_html_()

    def test_fall_of_what_was_not_found(self, report):
        with pytest.raises(ValueError, match="'scaler' found nothing; found: \\['same rows'"):
            report.fall("scaler")


class TestRefusals:
    X, y = np.random.default_rng(0).normal(size=(6, 1, 20)), np.tile(["calm", "joy"], 3)

    @pytest.mark.parametrize(
        ("more", "error", "message"),
        [
            ({"splits": GroupKFold(2)}, TypeError, r"splits=cv.split\(X, y, groups\)"),
            ({"splits": 3}, TypeError, r"splits is 3; expected pairs"),
            ({"splits": [3]}, TypeError, r"a split is 3; expected a pair"),
            ({"splits": [([0], [1], [2])]}, TypeError, r"expected a pair \(train, test\)"),
            ({"splits": []}, ValueError, "splits is empty"),
            ({"splits": [([0], [])]}, ValueError, r"a side is \[\]; expected rows from 0 to 5"),
            ({"splits": [([0.5], [1])]}, ValueError, r"a side is \[0.5\]; expected rows"),
            ({"splits": [([0], [6])]}, ValueError, r"a side is \[6\]; expected rows from 0 to 5"),
            ({"splits": [([-1], [0])]}, ValueError, r"a side is \[-1\]; expected rows"),
            ({"protocol": "new"}, ValueError, "protocol='new', .*; expected one of .'new-person'"),
            ({"threshold": 0.0}, ValueError, r"threshold=0.0, n_random=5; expected above 0 to 1"),
            (
                {"n_random": 0},
                ValueError,
                r"threshold=None, n_random=0; expected .* at least 1 draw",
            ),
            ({"groups": ["ann"]}, ValueError, r"groups has the shape \(1,\)"),
            ({"contexts": [None] * 6}, ValueError, "contexts holds NaN or None at 6 place"),
            ({"times": np.arange(6)}, ValueError, "`times` are given without `duration`"),
            ({"duration": 3}, ValueError, "`duration` is given without `times`"),
            ({"times": np.arange(6), "duration": 0}, ValueError, "finite and above 0, in seconds"),
            ({"estimator": LogisticRegression()}, ValueError, "`estimator` is given without `y`"),
            (
                {"estimator": LogisticRegression(), "y": y, "scoring": "log_loss"},
                ValueError,
                "scoring='log_loss'; expected one of .*balanced_accuracy",
            ),
        ],
    )
    def test_what_was_given_and_what_to_do(self, more, error, message):
        with pytest.raises(error, match=message):
            leakage_report(self.X, **{"splits": [([0, 1, 2], [3, 4, 5])], **more})


class TestLaws:
    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 10**6))
    def test_the_order_of_clips_does_not_matter(self, seed):
        generator = np.random.default_rng(seed)
        recording = generator.normal(size=(1, 600))
        starts = generator.permutation(56)[:20] * 10
        X = np.stack([recording[:, s : s + 40] for s in starts])
        people = generator.choice(["ann", "bob", "cy"], size=20)
        order = generator.permutation(20)
        place = np.argsort(order)
        one = leakage_report(X, splits=[(np.arange(12), np.arange(12, 20))], groups=people)
        other = leakage_report(X[order], splits=[(place[:12], place[12:])], groups=people[order])
        assert one.found == other.found
        for a, b in zip(one.leaks, other.leaks, strict=True):
            assert a.train_rows.tolist() == sorted(order[b.train_rows].tolist())
            assert a.test_rows.tolist() == sorted(order[b.test_rows].tolist())

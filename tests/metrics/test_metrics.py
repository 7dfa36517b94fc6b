"""The metrics against scikit-learn, SciPy and cases worked out by hand."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import entr
from sklearn import metrics as sk

from stf2m_sk.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    expected_calibration_error,
    soft_label_agreement,
    soft_label_cross_entropy,
)

CLASSES = np.array(["anger", "calm", "fear", "joy"])


def predictions(seed, n=40, classes=CLASSES):
    generator = np.random.default_rng(seed)
    y_true = generator.choice(classes, size=n)
    return y_true, generator.dirichlet(np.ones(len(classes)), size=n)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("seed", range(5))
    def test_all(self, seed):
        y_true, y_prob = predictions(seed)
        y_pred = CLASSES[y_prob.argmax(axis=1)]
        expected = {
            "accuracy": sk.accuracy_score(y_true, y_pred),
            "balanced_accuracy": sk.balanced_accuracy_score(y_true, y_pred),
            "f1_macro": sk.f1_score(y_true, y_pred, average="macro"),
            "log_loss": sk.log_loss(y_true, y_prob),
            "top_2_accuracy": sk.top_k_accuracy_score(y_true, y_prob, k=2, labels=CLASSES),
        }
        for name, value in expected.items():
            assert METRICS[name](y_true, y_prob, CLASSES) == pytest.approx(value, abs=1e-12), name

    def test_a_query_that_lacks_classes(self):
        y_true, y_prob = predictions(0)
        keep = np.isin(y_true, ["calm", "joy"])
        y_true, y_prob = y_true[keep], y_prob[keep]
        y_pred = CLASSES[y_prob.argmax(axis=1)]
        assert not np.isin(y_pred, y_true).all()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # y_pred contains classes not in y_true
            balanced = sk.balanced_accuracy_score(y_true, y_pred)
        assert METRICS["balanced_accuracy"](y_true, y_prob, CLASSES) == pytest.approx(balanced)
        log_loss = sk.log_loss(y_true, y_prob, labels=CLASSES)
        assert METRICS["log_loss"](y_true, y_prob, CLASSES) == pytest.approx(log_loss)
        # Only calm and joy are asked for: predictions that name others cost recall.
        f1 = sk.f1_score(y_true, y_pred, labels=["calm", "joy"], average=None).mean()
        assert METRICS["f1_macro"](y_true, y_prob, CLASSES) == pytest.approx(f1)
        top_2 = sk.top_k_accuracy_score(y_true, y_prob, k=2, labels=CLASSES)
        assert METRICS["top_2_accuracy"](y_true, y_prob, CLASSES) == top_2

    def test_float32_probabilities(self):
        y_true, y_prob = predictions(1)
        for name, metric in METRICS.items():
            single = metric(y_true, y_prob.astype(np.float32), CLASSES)
            assert single == pytest.approx(metric(y_true, y_prob, CLASSES), abs=1e-5), name


class TestLabelsThatTheClassifierLacks:
    y_true = ("joy", "surprise")
    y_prob = ((0.1, 0.9), (0.5, 0.5))
    classes = ("calm", "joy")

    def test_the_prediction_is_wrong(self):
        assert METRICS["accuracy"](self.y_true, self.y_prob, self.classes) == 0.5
        assert METRICS["balanced_accuracy"](self.y_true, self.y_prob, self.classes) == 0.5

    def test_and_never_second(self):
        assert METRICS["top_2_accuracy"](self.y_true, self.y_prob, self.classes) == 0.5
        y_prob = [[1.0, 0.0, 0.0]]
        assert METRICS["top_2_accuracy"](["surprise"], y_prob, ["calm", "fear", "joy"]) == 0.0

    def test_its_log_loss_is_large_and_finite(self):
        loss = METRICS["log_loss"](["surprise"], [[1.0, 0.0]], self.classes)
        assert loss == pytest.approx(-np.log(np.finfo(float).eps), rel=1e-3)


class TestFewClasses:
    def test_top_2_of_two_is_always_right(self):
        y_true, y_prob = predictions(0, classes=CLASSES[:2])
        assert METRICS["top_2_accuracy"](y_true, y_prob, CLASSES[:2]) == 1.0

    def test_one(self):
        values = {name: m(["joy"], [[1.0]], ["joy"]) for name, m in METRICS.items()}
        assert values == {name: float(name not in LOWER_IS_BETTER) for name in METRICS}


class TestCalibrationError:
    def test_by_hand(self):
        # Confidences .9 .9 .6 .6, right in 1 of 2 and 2 of 2: (2 * .4 + 2 * .4) / 4.
        y_prob = [[0.9, 0.1], [0.1, 0.9], [0.6, 0.4], [0.4, 0.6]]
        error = expected_calibration_error([0, 0, 0, 1], y_prob, classes=[0, 1])
        assert error == pytest.approx(0.4)

    def test_bins_are_closed_on_the_right(self):
        # .5 belongs to (.25, .5] and .6 to (.5, .75], so that their errors do not cancel.
        y_prob = [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]]
        error = expected_calibration_error([0, 1], y_prob, classes=[0, 1, 2], n_bins=4)
        assert error == pytest.approx((0.5 + 0.6) / 2)
        together = expected_calibration_error([0, 1], y_prob, classes=[0, 1, 2], n_bins=1)
        assert together == pytest.approx(0.1 / 2)

    @pytest.mark.parametrize("n_bins", [1, 7, 15])
    def test_against_a_loop(self, n_bins):
        y_true, y_prob = predictions(3, n=200)
        confidence, right = y_prob.max(axis=1), CLASSES[y_prob.argmax(axis=1)] == y_true
        expected = 0.0
        for low, high in zip(
            np.arange(n_bins) / n_bins, np.arange(1, n_bins + 1) / n_bins, strict=True
        ):
            inside = (confidence > low) & (confidence <= high)
            if inside.any():
                gap = abs(right[inside].mean() - confidence[inside].mean())
                expected += inside.mean() * gap
        error = expected_calibration_error(y_true, y_prob, classes=CLASSES, n_bins=n_bins)
        assert error == pytest.approx(expected, abs=1e-12)

    def test_predictions_drawn_from_their_probabilities_are_calibrated(self):
        generator = np.random.default_rng(0)
        y_prob = generator.dirichlet(np.ones(3), size=50_000)
        drawn = (generator.uniform(size=(50_000, 1)) > y_prob.cumsum(axis=1)).sum(axis=1)
        assert expected_calibration_error(drawn, y_prob, classes=[0, 1, 2]) < 0.02

    @pytest.mark.parametrize("n_bins", [0, -3])
    def test_too_few_bins(self, n_bins):
        with pytest.raises(ValueError, match="expected a whole number of at least 1"):
            expected_calibration_error([0], [[1.0, 0.0]], classes=[0, 1], n_bins=n_bins)

    @pytest.mark.parametrize("n_bins", [2.5, True, "15"])
    def test_bins_are_counted(self, n_bins):
        with pytest.raises(ValueError, match="expected a whole number"):
            expected_calibration_error([0], [[1.0, 0.0]], classes=[0, 1], n_bins=n_bins)


class TestSoftLabels:
    def test_with_one_annotator_they_are_the_plain_metrics(self):
        y_true, y_prob = predictions(0)
        y_soft = (y_true[:, None] == CLASSES).astype(float)
        accuracy = METRICS["accuracy"](y_true, y_prob, CLASSES)
        assert soft_label_agreement(y_soft, y_prob) == pytest.approx(accuracy)
        log_loss = sk.log_loss(y_true, y_prob)
        assert soft_label_cross_entropy(y_soft, y_prob) == pytest.approx(log_loss)

    def test_they_are_means_over_the_annotators(self):
        generator = np.random.default_rng(0)
        votes, y_prob = generator.choice(CLASSES, size=(5, 40)), predictions(0)[1]
        counts = (votes[:, :, None] == CLASSES).sum(axis=0)
        accuracy = np.mean([METRICS["accuracy"](vote, y_prob, CLASSES) for vote in votes])
        log_loss = np.mean([sk.log_loss(vote, y_prob, labels=CLASSES) for vote in votes])
        assert soft_label_agreement(counts, y_prob) == pytest.approx(accuracy)
        assert soft_label_cross_entropy(counts, y_prob) == pytest.approx(log_loss)

    def test_cross_entropy_is_least_at_the_shares(self):
        generator = np.random.default_rng(0)
        soft, other = generator.dirichlet(np.ones(4), size=(2, 30))
        least = soft_label_cross_entropy(soft, soft)
        assert least == pytest.approx(entr(soft).sum(axis=1).mean())
        assert soft_label_cross_entropy(soft, other) > least

    def test_cross_entropy_is_finite(self):
        assert np.isfinite(soft_label_cross_entropy([[1, 0]], [[0.0, 1.0]]))

    def test_shapes(self):
        with pytest.raises(ValueError, match=r"y_soft has the shape \(1, 3\) and y_prob \(1, 2\)"):
            soft_label_agreement([[1, 1, 1]], [[0.5, 0.5]])

    @pytest.mark.parametrize("row", [[0, 0], [-1, 2]])
    def test_no_shares(self, row):
        with pytest.raises(
            ValueError, match=r"y_soft of 1 clip\(s\) are no distribution.*clip 1.*not all 0"
        ):
            soft_label_cross_entropy([[1, 1], row], [[0.5, 0.5], [0.5, 0.5]])

    def test_no_distribution(self):
        with pytest.raises(ValueError, match=r"y_prob of 1 clip\(s\) are no distribution"):
            soft_label_agreement([[1, 1]], [[0.7, 0.7]])


class TestRefusals:
    @pytest.mark.parametrize("name", METRICS)
    def test_text_and_numbers(self, name):
        with pytest.raises(TypeError, match="hold text and numbers"):
            METRICS[name](["joy"], [[0.5, 0.5]], [0, 1])

    @pytest.mark.parametrize("row", [[0.7, 0.7], [1.2, -0.2], [0.0, 0.0]])
    def test_no_distribution(self, row):
        with pytest.raises(ValueError, match=r"the first is clip 0 with .*expected values"):
            METRICS["log_loss"](["joy"], [row], ["calm", "joy"])

    def test_not_finite(self):
        with pytest.raises(ValueError, match="the probabilities contains NaN"):
            METRICS["accuracy"](["joy"], [[np.nan, 1.0]], ["calm", "joy"])

    def test_shape(self):
        with pytest.raises(
            ValueError, match=r"shape \(1, 2\); expected a row for each of 2 labels"
        ):
            METRICS["accuracy"](["joy", "joy"], [[0.5, 0.5]], ["calm", "joy"])

    def test_a_class_twice(self):
        with pytest.raises(ValueError, match="holds a label twice"):
            METRICS["accuracy"](["joy"], [[0.5, 0.5]], ["joy", "joy"])

    def test_nothing(self):
        with pytest.raises(ValueError, match="y_true is empty"):
            METRICS["accuracy"]([], np.empty((0, 2)), ["calm", "joy"])

    def test_the_mapping_cannot_be_changed(self):
        with pytest.raises(TypeError, match="does not support item assignment"):
            METRICS["mine"] = None

    def test_lower_is_better_names_metrics(self):
        assert set(METRICS) >= LOWER_IS_BETTER


class TestLaws:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 30))
    def test_order_and_names_do_not_matter(self, seed, n_classes, n):
        generator = np.random.default_rng(seed)
        classes = np.arange(n_classes)
        y_true, y_prob = generator.integers(n_classes, size=n), None
        y_prob = generator.dirichlet(np.ones(n_classes), size=n)
        rows, columns = generator.permutation(n), generator.permutation(n_classes)
        names = generator.permutation([f"emotion {i}" for i in range(n_classes)])
        for name, metric in METRICS.items():
            value = metric(y_true, y_prob, classes)
            assert value >= 0 and (value <= 1 or name == "log_loss")
            shuffled = metric(y_true[rows], y_prob[rows][:, columns], classes[columns])
            renamed = metric(names[y_true], y_prob, names)
            assert shuffled == pytest.approx(value, abs=1e-12)
            assert renamed == pytest.approx(value, abs=1e-12)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6))
    def test_certain_and_right_is_best(self, seed):
        y_true = predictions(seed)[0]
        certain = (y_true[:, None] == CLASSES).astype(float)
        for name, metric in METRICS.items():
            best = 0.0 if name in LOWER_IS_BETTER else 1.0
            assert metric(y_true, certain, CLASSES) == pytest.approx(best, abs=1e-12)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6))
    def test_agreement_is_at_most_that_of_the_majority(self, seed):
        soft, y_prob = np.random.default_rng(seed).dirichlet(np.ones(4), size=(2, 10))
        agreement = soft_label_agreement(soft, y_prob)
        assert soft.min(axis=1).mean() <= agreement <= soft.max(axis=1).mean() + 1e-12

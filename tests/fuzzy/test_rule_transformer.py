"""Rules over feature vectors, against loops, scikit-fuzzy, scikit-learn and planted truth."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk.fuzzy import FuzzyRuleTransformer, firing_strengths, log_firing, place_rules

NAN = float("nan")
laws = settings(deadline=None, max_examples=50)  # first calls are slow on a busy machine


def loop_log_firing(U, centers, widths, temperature=1.0):
    """Evaluate the rule equation term by term."""
    n_features = U.shape[1]
    z = np.zeros((len(U), len(centers)))
    for i, u in enumerate(U):
        for r in range(len(centers)):
            terms = [
                ((u[j] - centers[r, j]) / widths[r, j]) ** 2
                for j in range(n_features)
                if not np.isnan(u[j])
            ]
            if terms:
                total = sum(terms) * n_features / len(terms)
                z[i, r] = -temperature / n_features**0.5 * 0.5 * total
    return z


def loop_firing(U, centers, widths, temperature=1.0):
    w = []
    for row in loop_log_firing(U, centers, widths, temperature):
        powers = [np.exp(value - max(row)) for value in row]
        w.append([power / sum(powers) for power in powers])
    return np.array(w)


def planted(n_rules, n_features, separation, per_rule=60, seed=0):
    """Gaussian clusters of unit width around known centres, clips in random order."""
    rng = np.random.default_rng(seed)
    centers = separation * rng.normal(size=(n_rules, n_features))
    labels = rng.permutation(np.repeat(np.arange(n_rules), per_rule))
    return centers[labels] + rng.normal(size=(len(labels), n_features)), centers, labels


def matched(found, truth):
    """Order of the found centres that lies nearest to the true ones."""
    return linear_sum_assignment(cdist(truth, found))[1]


@st.composite
def rule_cases(draw):
    """Clips with missing values, centres, widths and a temperature."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_clips, n_rules, n_features = (draw(st.integers(1, top)) for top in (6, 5, 9))
    U = rng.normal(size=(n_clips, n_features))
    U[rng.random(U.shape) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = NAN
    centers = rng.normal(size=(n_rules, n_features))
    widths = np.exp(rng.normal(size=centers.shape))
    return U, centers, widths, draw(st.sampled_from([0.3, 1.0, 4.0]))


class TestFiring:
    @laws
    @given(rule_cases())
    def test_equals_term_by_term_evaluation(self, case):
        np.testing.assert_allclose(log_firing(*case), loop_log_firing(*case), rtol=1e-12)
        np.testing.assert_allclose(firing_strengths(*case), loop_firing(*case), rtol=1e-10)

    @laws
    @given(rule_cases())
    def test_sums_to_one(self, case):
        firing = firing_strengths(*case)
        assert (firing >= 0).all()
        np.testing.assert_allclose(firing.sum(axis=1), 1.0, rtol=1e-12)

    @laws
    @given(rule_cases(), st.integers(0, 2**32 - 1))
    def test_permutations(self, case, seed):
        U, centers, widths, temperature = case
        rng = np.random.default_rng(seed)
        rows, rules, features = (rng.permutation(k) for k in (len(U), *centers.shape))
        permuted = firing_strengths(
            U[np.ix_(rows, features)],
            centers[np.ix_(rules, features)],
            widths[np.ix_(rules, features)],
            temperature,
        )
        expected = firing_strengths(*case)[np.ix_(rows, rules)]
        np.testing.assert_allclose(permuted, expected, rtol=1e-10)

    @laws
    @given(rule_cases(), st.integers(1, 4))
    def test_missing_features_equal_the_rest_under_the_mean_rule(self, case, n_missing):
        U, centers, widths, temperature = case
        present = centers.shape[1]
        U = np.hstack([np.nan_to_num(U), np.full((len(U), n_missing), NAN)])
        rng = np.random.default_rng(0)
        more = rng.normal(size=(2, len(centers), n_missing))
        centers, widths = np.hstack([centers, more[0]]), np.hstack([widths, np.exp(more[1])])
        # z = -tau * sqrt(d) / 2 * mean of the squares: only sqrt(d) sees the missing ones.
        rest = log_firing(U[:, :present], centers[:, :present], widths[:, :present], temperature)
        expected = rest * np.sqrt((present + n_missing) / present)
        np.testing.assert_allclose(log_firing(U, centers, widths, temperature), expected)

    @laws
    @given(rule_cases(), st.integers(0, 2**32 - 1))
    def test_units_do_not_matter(self, case, seed):
        U, centers, widths, temperature = case
        rng = np.random.default_rng(seed)
        scale, shift = np.exp(3 * rng.normal(size=U.shape[1])), rng.normal(size=U.shape[1])
        rescaled = firing_strengths(
            U * scale + shift, centers * scale + shift, widths * scale, temperature
        )
        np.testing.assert_allclose(rescaled, firing_strengths(*case), rtol=1e-4, atol=1e-9)

    def test_nothing_measured_fires_all_rules_equally(self):
        rng = np.random.default_rng(0)
        firing = firing_strengths(np.full((2, 3), NAN), rng.normal(size=(4, 3)), np.ones((4, 3)))
        np.testing.assert_array_equal(firing, 0.25)

    def test_rejects_shapes_that_do_not_belong_together(self):
        with pytest.raises(ValueError, match=r"U has shape \(2, 3\), centers \(4, 2\)"):
            log_firing(np.zeros((2, 3)), np.zeros((4, 2)), np.ones((4, 2)))
        with pytest.raises(ValueError, match=r"widths \(1, 3\); expected \(n_clips, n_features\)"):
            log_firing(np.zeros((2, 3)), np.zeros((4, 3)), np.ones((1, 3)))
        with pytest.raises(ValueError, match=r"U has shape \(3,\)"):
            log_firing(np.zeros(3), np.zeros((4, 3)), np.ones((4, 3)))

    @pytest.mark.parametrize("width", [0.0, -1.0, NAN])
    def test_rejects_widths_that_are_not_positive(self, width):
        with pytest.raises(ValueError, match="Widths must be positive; the smallest given is"):
            firing_strengths([[0.0]], [[0.0]], [[width]])

    @pytest.mark.parametrize("value", [np.inf, 1e200])
    def test_rejects_what_overflows(self, value):
        with pytest.raises(ValueError, match=r"1 clip\(s\), the first in row 1, are infinite or"):
            firing_strengths([[0.0], [value]], [[0.0], [1.0]], [[1.0], [1.0]])


class TestPlacement:
    @pytest.mark.parametrize("n_features", [16, 32, 64])
    def test_finds_planted_clusters_where_fuzzifier_2_collapses(self, n_features):
        X, truth, _ = planted(12, n_features, separation=1.5)
        with pytest.warns(UserWarning, match=r"Fuzzy c-means collapsed \(fuzzifier 2\)"):
            assert place_rules(X, 12, fuzzifier=2, random_state=0).initialisation == "k-means"
        placement = place_rules(X, 12, random_state=0)  # a warning would be an error here
        assert placement.initialisation == "c-means"
        error = placement.centers[matched(placement.centers, truth)] - truth
        # The mean of 60 clips of unit deviation is known to 0.13 per coordinate.
        assert np.sqrt((error**2).mean()) < 0.2
        assert np.abs(placement.widths - 1).mean() < 0.1

    @pytest.mark.parametrize("initialisation", ["c-means", "k-means"])
    def test_widths_recover_planted_deviations(self, initialisation):
        rng = np.random.default_rng(3)
        truth, deviations = np.array([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]]), [[1, 0.5, 2], [2, 1, 1]]
        X = np.vstack(
            [rng.normal(c, s, size=(300, 3)) for c, s in zip(truth, deviations, strict=True)]
        )
        placement = place_rules(X, 2, initialisation=initialisation, fuzzifier=1.2, random_state=0)
        order = matched(placement.centers, truth)
        np.testing.assert_allclose(placement.widths[order], deviations, rtol=0.15)

    def test_centers_are_a_fixed_point_of_scikit_fuzzy(self):
        from skfuzzy.cluster import cmeans, cmeans_predict

        X, _, _ = planted(4, 3, separation=3, seed=1)
        placement = place_rules(X, 4, random_state=0, tol=1e-10, max_iter=1000)
        Z, C = ((a - X.mean(axis=0)) / X.std(axis=0) for a in (X, placement.centers))
        start = np.full((4, len(Z)), 0.25)
        memberships, *_, coefficient = cmeans_predict(Z.T, C, 2.0, 1e-9, 5, init=start)
        assert placement.partition_coefficient == pytest.approx(coefficient, rel=1e-12)
        again = cmeans(Z.T, 4, 2.0, 1e-9, 1, init=memberships)[0]
        np.testing.assert_allclose(again, C, atol=1e-8)

    def test_c_means_widths_are_the_fuzzy_deviation_with_two_pooled_clips(self):
        X, _, _ = planted(3, 4, separation=2, seed=2)
        placement = place_rules(X, 3, fuzzifier=1.7, random_state=0)
        scale = X.std(axis=0)
        distance = cdist(X / scale, placement.centers / scale)
        power = distance ** (-2 / 0.7)
        weights = (power / power.sum(axis=1, keepdims=True)) ** 1.7
        squares = np.array([weights[:, r] @ (X - placement.centers[r]) ** 2 for r in range(3)])
        mass = weights.sum(axis=0)[:, None]
        pooled = squares.sum(axis=0) / mass.sum()
        expected = np.sqrt((squares + 2 * pooled) / (mass + 2))
        np.testing.assert_allclose(placement.widths, expected, rtol=1e-9)

    def test_k_means_widths_by_hand(self):
        # Members 0, 1, 2, 3 (sum of squares 5) and 10 (0): pooled variance 5 / 5 = 1.
        X = [[0.0], [1.0], [2.0], [3.0], [10.0]]
        placement = place_rules(X, 2, initialisation="k-means", random_state=0)
        order = np.argsort(placement.centers.ravel())
        np.testing.assert_allclose(placement.centers.ravel()[order], [1.5, 10.0])
        expected = np.sqrt([(5 + 2 * 1) / (4 + 2), (0 + 2 * 1) / (1 + 2)])
        np.testing.assert_allclose(placement.widths.ravel()[order], expected)

    def test_rules_of_one_clip_each_get_the_smallest_width(self):
        X = np.random.default_rng(0).normal(size=(5, 3)) * [1, 10, 100]
        placement = place_rules(X, 5, initialisation="k-means", random_state=0)
        np.testing.assert_allclose(placement.widths, np.tile(0.05 * X.std(axis=0), (5, 1)))

    def test_missing_values_stand_at_the_mean_for_centres_and_are_left_out_of_widths(self):
        rng, labels = np.random.default_rng(1), np.repeat([0, 1], 60)
        X = 20.0 * labels[:, None] + rng.normal(size=(120, 3))
        X[rng.random(X.shape) < 0.1] = NAN
        placement = place_rules(X, 2, initialisation="k-means", random_state=0)
        filled = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
        centers = np.array([filled[labels == r].mean(axis=0) for r in range(2)])
        order = matched(placement.centers, centers)
        np.testing.assert_allclose(placement.centers[order], centers)
        squares = np.array([np.nansum((X[labels == r] - centers[r]) ** 2, axis=0) for r in (0, 1)])
        count = np.array([(~np.isnan(X[labels == r])).sum(axis=0) for r in (0, 1)])
        pooled = squares.sum(axis=0) / count.sum(axis=0)
        expected = np.sqrt((squares + 2 * pooled) / (count + 2))
        np.testing.assert_allclose(placement.widths[order], expected)

    @pytest.mark.parametrize("initialisation", ["c-means", "k-means", "random"])
    def test_constant_and_empty_features(self, initialisation):
        X, _, _ = planted(2, 3, separation=5)
        X = np.column_stack([X, np.full(len(X), 7.3), np.full(len(X), NAN)])
        placement = place_rules(X, 2, initialisation=initialisation, random_state=0)
        np.testing.assert_allclose(placement.centers[:, 3:], [[7.3, 0.0]] * 2)
        np.testing.assert_array_equal(placement.widths[:, 3:], 1.0)
        assert np.isfinite(placement.centers).all()

    def test_random_takes_distinct_clips(self):
        X = np.repeat(np.random.default_rng(0).normal(size=(6, 2)), 5, axis=0)
        placement = place_rules(X, 6, initialisation="random", random_state=0)
        np.testing.assert_allclose(np.unique(placement.centers, axis=0), np.unique(X, axis=0))
        assert placement.n_iter == 0

    @settings(deadline=None, max_examples=15)
    @given(st.integers(0, 2**16))
    def test_follows_units_exactly_and_row_order_up_to_rule_order(self, seed):
        X, _, _ = planted(3, 4, separation=6, per_rule=15, seed=seed)
        scale, rng = 2.0 ** np.array([-8, 3, 0, 12]), np.random.default_rng(seed)
        one, other = place_rules(X, 3, random_state=0), place_rules(X * scale, 3, random_state=0)
        np.testing.assert_allclose(other.centers, one.centers * scale, rtol=1e-9)
        np.testing.assert_allclose(other.widths, one.widths * scale, rtol=1e-9)
        shuffled = place_rules(rng.permutation(X), 3, random_state=0)
        order = matched(shuffled.centers / X.std(axis=0), one.centers / X.std(axis=0))
        np.testing.assert_allclose(shuffled.centers[order], one.centers, atol=0.05)

    @pytest.mark.parametrize(
        ("n_clips", "n_features", "fuzzifier"),
        [(50, 1, 2), (50, 3, 2), (50, 4, 3), (50, 5, 2), (50, 17, 16 / 14), (9, 60, 8 / 6)],
    )
    def test_automatic_fuzzifier(self, n_clips, n_features, fuzzifier):
        X = planted(2, n_features, 4, per_rule=25)[0][:n_clips]
        automatic = place_rules(X, 2, random_state=0)
        given_ = place_rules(X, 2, fuzzifier=fuzzifier, random_state=0)
        np.testing.assert_array_equal(automatic.widths, given_.widths)
        assert automatic.partition_coefficient == given_.partition_coefficient
        larger = place_rules(X, 2, fuzzifier=fuzzifier + 0.2, random_state=0)
        assert larger.partition_coefficient < given_.partition_coefficient

    @pytest.mark.parametrize(
        ("n_distinct", "n_rules"), [(1, 1), (2, 2), (9, 2), (15, 3), (39, 7), (40, 8), (300, 8)]
    )
    def test_automatic_number_of_rules_counts_distinct_clips(self, n_distinct, n_rules):
        X = np.repeat(np.random.default_rng(0).normal(size=(n_distinct, 2)), 2, axis=0)
        placement = place_rules(X, initialisation="k-means", random_state=0)
        assert placement.centers.shape == placement.widths.shape == (n_rules, 2)
        assert (placement.widths > 0).all()

    def test_one_rule_is_mean_and_deviation(self):
        X = np.random.default_rng(0).normal(3, 2, size=(30, 4))
        placement = place_rules(X, 1, random_state=0)
        np.testing.assert_allclose(placement.centers, X.mean(axis=0, keepdims=True))
        np.testing.assert_allclose(placement.widths, X.std(axis=0, keepdims=True))
        assert placement.partition_coefficient == 1.0


class TestCollapse:
    def test_structureless_data_warns_with_figures_and_uses_k_means(self):
        X = np.random.default_rng(0).normal(size=(400, 5))
        pattern = (
            r"Fuzzy c-means collapsed \(fuzzifier 2\): the closest two of 8 centres are \S+ of the "
            r"data's spread apart \(at least 0\.05 expected\) and the partition coefficient is "
            r"0\.12\d* \(1 / n_rules = 0\.125 means no structure\)\. The rules are placed by k"
        )
        with pytest.warns(UserWarning, match=pattern):
            rules = FuzzyRuleTransformer(n_rules=8, random_state=0).fit(X)
        assert rules.initialisation_ == "k-means"
        # Every centre is the mean of the clips nearest to it, as good as scikit-learn's own.
        Z, C = ((a - X.mean(axis=0)) / X.std(axis=0) for a in (X, rules.centers_))
        nearest = cdist(Z, C).argmin(axis=1)
        means = np.array([Z[nearest == r].mean(axis=0) for r in range(8)])
        np.testing.assert_allclose(means, C, atol=0.05)
        best = KMeans(8, n_init=10, random_state=1).fit(Z).inertia_
        assert cdist(Z, C).min(axis=1) @ cdist(Z, C).min(axis=1) < 1.05 * best

    def test_centres_in_one_place_are_a_collapse_though_the_partition_is_crisp(self):
        X, _, _ = planted(4, 8, separation=6)  # 8 rules share 4 clusters
        with pytest.warns(UserWarning, match=r"8 centres are \S+e-\d+ of .* coefficient is 0\.43"):
            place_rules(X, 8, fuzzifier=2, random_state=0)

    def test_a_flat_partition_is_a_collapse_though_centres_are_apart(self):
        X, _, _ = planted(4, 3, separation=6)
        with pytest.warns(UserWarning, match=r"4 centres are 0\.29 of .* coefficient is 0\.26"):
            place_rules(X, 4, fuzzifier=10, random_state=0)

    def test_fuzzifier_that_underflows_is_a_collapse(self):
        X, _, _ = planted(4, 3, separation=3)
        with pytest.warns(UserWarning, match=r"collapsed \(fuzzifier 1e\+04\)"):
            placement = place_rules(X, 4, fuzzifier=1e4, random_state=0)
        assert np.isfinite(placement.centers).all() and np.isfinite(placement.widths).all()

    def test_fuzzifier_next_to_one_is_hard_clustering(self):
        X, truth, labels = planted(4, 16, separation=6)
        placement = place_rules(X, 4, fuzzifier=1 + 1e-9, random_state=0)
        means = np.array([X[labels == r].mean(axis=0) for r in range(4)])
        np.testing.assert_allclose(placement.centers[matched(placement.centers, truth)], means)


class TestRandomness:
    @pytest.mark.parametrize("initialisation", ["c-means", "k-means", "random"])
    def test_seed_decides_and_global_generator_is_left(self, initialisation):
        X, _, _ = planted(6, 3, separation=1)
        before = np.random.get_state()  # noqa: NPY002
        for seed in (None, 0):
            place_rules(X, 6, initialisation=initialisation, random_state=seed)
        after = np.random.get_state()  # noqa: NPY002
        np.testing.assert_array_equal(before[1], after[1])
        assert before[2:] == after[2:]
        runs = [place_rules(X, 6, initialisation=initialisation, random_state=5) for _ in "ab"]
        np.testing.assert_array_equal(runs[0].centers, runs[1].centers)
        np.testing.assert_array_equal(runs[0].widths, runs[1].widths)

    def test_another_seed_draws_other_centres(self):
        X = np.random.default_rng(0).normal(size=(50, 3))
        drawn = [place_rules(X, 3, initialisation="random", random_state=s).centers for s in (0, 1)]
        assert not np.array_equal(*drawn)

    def test_scikit_fuzzy_is_imported_only_by_fit(self):
        code = "import sys, stf2m_sk.fuzzy; assert not any('skfuzzy' in m for m in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestTransformer:
    @pytest.mark.filterwarnings("ignore:Fuzzy c-means collapsed:UserWarning")  # some data is noise
    def test_scikit_learn_checks(self):
        rows = check_estimator(FuzzyRuleTransformer(), on_fail=None, on_skip=None)
        assert [row["check_name"] for row in rows if row["status"] in ("failed", "xfail")] == []
        assert sum(row["status"] == "passed" for row in rows) > 40

    @pytest.mark.parametrize("output", ["firing", "consequent", "both"])
    def test_columns_equal_term_by_term_evaluation(self, output):
        X, _, _ = planted(3, 4, separation=2)
        X[::7, 1], X[5] = NAN, NAN
        rules = FuzzyRuleTransformer(n_rules=3, output=output, temperature=0.7, random_state=0)
        columns = rules.fit_transform(X)
        firing = loop_firing(X, rules.centers_, rules.widths_, 0.7)
        consequent = []
        for w, u in zip(firing, np.nan_to_num(X), strict=True):
            consequent.append([w[r] * f for r in range(3) for f in (1.0, *u)])
        expected = {"firing": firing, "consequent": consequent}
        expected["both"] = np.hstack([firing, consequent])
        np.testing.assert_allclose(columns, expected[output], rtol=1e-9)
        assert columns.shape[1] == len(rules.get_feature_names_out())

    def test_names_and_pandas_output(self):
        X = pd.DataFrame(planted(2, 2, separation=4)[0], columns=["pulse", "skin"])
        rules = FuzzyRuleTransformer(n_rules=2, random_state=0).set_output(transform="pandas")
        frame = rules.fit_transform(X)
        assert frame.columns.tolist() == [
            *("rule0_firing", "rule1_firing"),
            *("rule0_bias", "rule0_pulse", "rule0_skin"),
            *("rule1_bias", "rule1_pulse", "rule1_skin"),
        ]
        assert rules.feature_names_in_.tolist() == ["pulse", "skin"]
        np.testing.assert_allclose(frame["rule1_skin"], frame["rule1_firing"] * X["skin"])

    def test_float32_stays_and_agrees_with_float64(self):
        X = planted(3, 5, separation=2)[0].astype(np.float32)
        rules = FuzzyRuleTransformer(n_rules=3, random_state=0).fit(X)
        single, double = rules.transform(X), rules.transform(X.astype(np.float64))
        assert (single.dtype, double.dtype) == (np.float32, np.float64)
        assert rules.centers_.dtype == rules.widths_.dtype == np.float64
        np.testing.assert_array_equal(single, double.astype(np.float32))

    def test_fitted_attributes_are_the_placement(self):
        X, _, _ = planted(3, 5, separation=2)
        rules = FuzzyRuleTransformer(n_rules=3, random_state=0).fit(X)
        placement = place_rules(X, 3, random_state=0)
        np.testing.assert_array_equal(rules.centers_, placement.centers)
        np.testing.assert_array_equal(rules.widths_, placement.widths)
        assert rules.n_rules_ == 3
        assert rules.partition_coefficient_ == placement.partition_coefficient
        assert (rules.initialisation_, rules.n_iter_) == ("c-means", placement.n_iter)
        assert rules.n_iter_ >= 1

    def test_linear_model_on_rules_solves_what_is_not_linear(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(400, 2))
        y = X[:, 0] * X[:, 1] > 0
        rules = FuzzyRuleTransformer(n_rules=6, random_state=0)
        model = make_pipeline(rules, RidgeClassifier(alpha=1e-3)).fit(X[:200], y[:200])
        assert model.score(X[200:], y[200:]) > 0.85
        assert RidgeClassifier().fit(X[:200], y[:200]).score(X[200:], y[200:]) < 0.7

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *[("n_rules", 0), ("n_rules", 2.0), ("n_rules", "all"), ("output", "rules")],
            *[("fuzzifier", 1.0), ("fuzzifier", "two"), ("temperature", 0.0)],
            *[("temperature", np.inf), ("initialisation", "fuzzy"), ("max_iter", 0)],
            *[("tol", -1e-3), ("random_state", "seed")],
        ],
    )
    def test_rejects_parameters(self, name, value):
        rules = FuzzyRuleTransformer(**{name: value})
        assert clone(rules).get_params()[name] == value
        with pytest.raises(ValueError, match=f"The '{name}' parameter of FuzzyRuleTransformer"):
            rules.fit(np.eye(6))
        assert not hasattr(rules, "centers_")

    def test_rejects_more_rules_than_distinct_clips(self):
        X = np.repeat(np.eye(3), 4, axis=0)
        message = (
            r"n_rules=5, but X holds only 3 distinct clips \(in 12 rows\); every rule needs a clip "
            r"of its own\. Give n_rules <= 3, n_rules='auto', or more clips\."
        )
        with pytest.raises(ValueError, match=message):
            FuzzyRuleTransformer(n_rules=5).fit(X)

    def test_rejects_data(self):
        rules = FuzzyRuleTransformer(n_rules=2, random_state=0)
        with pytest.raises(NotFittedError, match="FuzzyRuleTransformer instance is not fitted yet"):
            rules.transform(np.eye(4))
        with pytest.raises(NotFittedError, match="FuzzyRuleTransformer instance is not fitted yet"):
            rules.get_feature_names_out()
        with pytest.raises(ValueError, match="Input X contains infinity"):
            rules.fit([[0.0], [np.inf]])
        with pytest.raises(ValueError, match=r"feature\(s\) \[1\] of X overflows float64"):
            rules.fit([[0.0, 1e300], [1.0, -1e300], [2.0, 0.0]])
        rules.fit(np.random.default_rng(0).normal(size=(10, 4)))
        with pytest.raises(ValueError, match="X has 3 features, but FuzzyRuleTransformer is exp"):
            rules.transform(np.eye(3))
        with pytest.raises(ValueError, match="Input X contains infinity"):
            rules.transform(np.full((1, 4), -np.inf))

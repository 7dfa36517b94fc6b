"""Switches that leave a part out: the answer then knows nothing of what the part alone sees."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import stf2m_sk
from stf2m_sk import STF2MClassifier, personalisation
from stf2m_sk.nn.module import STF2MModule

SWITCHES = {"spatial": False, "temporal": False, "rules": False, "meta_rnn": False}


def both(classifier, arrays):
    """The population's answer, and that of somebody whose clips were read."""
    return classifier, classifier.adapt(arrays.X[::3], arrays.y[::3])


def in_one_order(X):
    """The frames of all clips in the same other order."""
    return X[:, :, np.random.default_rng(0).permutation(X.shape[2])]


def frames_together(X):
    """The frames of every clip in an order of their own, channels staying together."""
    source = np.random.default_rng(0)
    return np.stack([clip[:, source.permutation(X.shape[2])] for clip in X])


class TestTemporal:
    @pytest.mark.parametrize("reorder", [in_one_order, frames_together])
    @pytest.mark.parametrize("temporal", [False, True])
    def test_the_order_of_frames_is_seen_by_it_alone(self, quick, arrays, temporal, reorder):
        fitted = quick(temporal=temporal).fit(arrays.X, arrays.y)
        for classifier in both(fitted, arrays):
            answer = classifier.decision_function(arrays.X)
            difference = np.abs(classifier.decision_function(reorder(arrays.X)) - answer).max()
            assert difference > 1e-2 if temporal else difference < 1e-8

    @pytest.mark.parametrize("temporal", [False, True])
    def test_finds_when_something_happens(self, temporal):
        source = np.random.default_rng(5)
        X, tense = source.normal(size=(96, 2, 40)), np.tile([False, True], 48)
        X[tense, :, :12] += 1.5
        X[~tense, :, -12:] += 1.5
        assert (score(X, tense, temporal=temporal) > 0.75) == temporal


class TestSpatial:
    @pytest.mark.parametrize("spatial", [False, True])
    def test_channels_are_seen_together_by_it_alone(self, quick, spatial):
        source = np.random.default_rng(0)
        X, y = source.normal(size=(24, 4, 12)), np.repeat(["calm", "tense"], 12)
        fitted = quick(spatial=spatial, n_kernels=40).fit(X, y)
        module = fitted.net_.module_
        n_mixed = (module.kernels[0].mixtures != 0).sum(1)
        assert (n_mixed.max() > 1) == spatial
        # What is learned sees them all.
        assert (module.learner.log_ridge[0].exp() < 1e8) == spatial

    @pytest.mark.parametrize("spatial", [False, True])
    def test_finds_how_channels_go_together(self, spatial):
        source = np.random.default_rng(5)
        X, tense = source.normal(size=(96, 2, 40)), np.tile([False, True], 48)
        common = 1.5 * source.normal(size=(96, 40))
        X[:, 0] += common
        X[:, 1] += np.where(tense[:, None], common, -common)
        assert (score(X, tense, spatial=spatial) > 0.75) == spatial


def score(X, y, **switch):
    small = {"n_rules": 4, "embedding_dim": 16, "hidden_dim": 8, "n_kernels": 60, "max_epochs": 1}
    episodes = {"n_way": 2, "n_support": 2, "n_query": 2, "random_state": 0}
    classifier = STF2MClassifier(**small, **episodes, **switch)
    return classifier.fit(X[:64], y[:64]).score(X[64:], y[64:])


class TestRules:
    @pytest.mark.parametrize("rules", [False, True])
    def test_the_answer_depends_on_where_they_are_only_with_them(self, quick, people, rules):
        fitted = quick(rules=rules).fit(people.views, people.target, groups=people.groups)
        for classifier in (fitted, fitted.adapt(people.new_views[:4], people.new_target[:4])):
            answer = classifier.decision_function(people.new_views)
            moved = copy.copy(classifier)
            moved.net_ = copy.deepcopy(classifier.net_)
            placed = moved.net_.module_.rules
            placed.set_antecedents(placed.centers.flip(1) + 0.3, 2 * placed.log_widths.exp())
            change = np.abs(moved.decision_function(people.new_views) - answer).max()
            assert change > 1e-3 if rules else change < 1e-4, change

    def test_without_them_consequents_are_next_to_nothing(self, quick, arrays):
        sizes = []
        for rules in (False, True):
            base = quick(rules=rules).fit(arrays.X, arrays.y).rules_
            sizes.append(np.abs(base.consequent_weight).max())
        assert sizes[0] < 1e-6 < 1e-2 < sizes[1]

    def test_are_placed_as_asked(self, quick, people):
        centers = [
            quick(rule_placement=placement).fit(people.views, people.target).rules_.centers
            for placement in ("c-means", "k-means", "random")
        ]
        assert (centers[2] != centers[0]).any()
        assert (centers[2] != centers[1]).any()


class TestMetaRnn:
    @pytest.mark.parametrize("validation_fraction", [0.0, 0.4])
    def test_without_it_nothing_is_learned(self, quick, people, validation_fraction):
        learned = quick(validation_fraction=validation_fraction, max_epochs=2)
        fixed = quick(validation_fraction=validation_fraction, max_epochs=2, meta_rnn=False)
        states = []
        for classifier in (learned, fixed):
            classifier.fit(people.views, people.target, groups=people.groups)
            states.append(classifier.net_.module_.learner.state_dict())
        sizes = fixed.net_.module_.sizes
        fresh = STF2MModule(sizes, generator=torch.Generator()).learner.state_dict()
        but = ("cell.", "log_ridge", "shift_share")  # where the gate is 0 the cell has no say
        for name in fresh:
            assert name.startswith(but) or torch.equal(states[1][name], fresh[name]), name
        assert states[1]["shift_share"] == 0
        assert not torch.equal(states[0]["log_scale"], fresh["log_scale"])

    def test_the_answer_is_then_a_ridge_regression(self, quick, people):
        """A ridge regression on population and support, in NumPy."""
        fitted = quick(meta_rnn=False).fit(people.views, people.target, groups=people.groups)
        adapted = fitted.adapt(people.new_views[:5], people.new_target[:5], classes=fitted.classes_)
        module, population = adapted.net_.module_, adapted._population
        clips, labels = adapted.support_
        n_familiar = module.embedding_size
        assert (adapted._state.shift == 0).all()
        design = np.c_[clips[:, :n_familiar], np.ones(5), clips[:, n_familiar:]]
        n_novel = clips.shape[1] - n_familiar
        ridge = module.ridge(n_support=5).detach().double().numpy()
        prior = np.pad(population.precision.numpy(), (0, n_novel)) + np.diag(ridge)
        evidence = np.pad(population.evidence.numpy(), ((0, n_novel), (0, 0)))
        weight = np.exp(module.learner.log_support_weight.item())
        targets = np.where(labels[:, None] == adapted.classes_, 1.0, -1.0)
        weights = np.linalg.solve(
            prior + weight * design.T @ design, evidence + weight * design.T @ targets
        )
        assert_allclose(adapted._state.weights, weights, rtol=1e-6, atol=1e-8)


class TestAll:
    def test_without_any_part_there_is_still_an_answer_that_can_be_saved(
        self, quick, people, tmp_path
    ):
        fitted = quick(**SWITCHES, rule_placement="random")
        fitted.fit(people.views, people.target, groups=people.groups)
        adapted = fitted.adapt(people.new_views, people.new_target)
        adapted.save(tmp_path / "model")
        loaded = stf2m_sk.load(tmp_path / "model")
        answer = adapted.predict_proba(people.views)
        assert np.isfinite(answer).all()
        assert_array_equal(loaded.predict_proba(people.views), answer)
        assert loaded.get_params() | {"random_state": 0} == adapted.get_params()
        assert not loaded.net_.module_.sizes.spatial and not loaded.net_.module_.sizes.temporal

    @pytest.mark.parametrize("name", [*SWITCHES, "rule_placement"])
    def test_what_is_no_switch_is_refused(self, quick, arrays, name):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of STF2MClassifier must be"):
            quick(**{name: "perhaps"}).fit(arrays.X, arrays.y)


class TestChunks:
    @pytest.mark.parametrize("at_once", [1, 7, 36])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_answer_is_that_of_all_clips_at_once(
        self, lasting, people, monkeypatch, at_once, dtype
    ):
        adapted = lasting.adapt(people.new_views, people.new_target)
        views = people.views.astype(dtype)
        expected = [c.decision_function(views) for c in (lasting, adapted)]
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", at_once)
        for classifier, answer in zip((lasting, adapted), expected, strict=True):
            chunked = classifier.decision_function(views)
            assert chunked.dtype == dtype
            assert_allclose(chunked, answer, atol=1e-10 if dtype == np.float64 else 1e-3)
        assert_allclose(
            lasting.adapt(people.new_views, people.new_target).support_.embeddings,
            adapted.support_.embeddings,
            atol=1e-10,
        )

    def test_embeddings_are_not_held_for_all_clips(self, lasting, people, monkeypatch):
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", 4)
        rows = []
        read = STF2MModule.read

        def spy(module, signals):
            rows.append(len(signals[0]))
            return read(module, signals)

        monkeypatch.setattr(STF2MModule, "read", spy)
        assert lasting.predict_proba(people.views).shape == (len(people.views), 3)
        assert max(rows) == 4 and sum(rows) == len(people.views)

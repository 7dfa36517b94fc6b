"""Meta-training from end to end, on generated people."""

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.nn.population import condition
from stf2m_sk.nn.recurrence import answer, start
from stf2m_sk.training import meta_train as tested
from stf2m_sk.training.meta_train import TrainingPlan, meta_train
from stf2m_sk.training.network_fitting import NetworkPlan
from stf2m_sk.training.numbers import START

PLAN = TrainingPlan(n_kernels=24, n_patterns=32, networks=None)
WITH_NETWORKS = PLAN.__class__(
    n_kernels=8, n_patterns=0, networks=NetworkPlan(n_networks=2, max_epochs=2, hidden_dim=4)
)


class Data:
    """Clips of five people in two modalities, with what is missing."""

    def __init__(self):
        made = make_emotion_views(
            n_people=6,
            n_clips_per_emotion=4,
            n_emotions=3,
            spatial=3,
            temporal=3,
            person_shift=0.3,
            missing=0.1,
            random_state=0,
        )
        views = made.views.select("motion", "pulse").astype(np.float32)
        shown = views.present.any(axis=1)
        _, codes = np.unique(made.target, return_inverse=True)
        _, people = np.unique(made.groups, return_inverse=True)
        known = shown & (people < 5)
        self.recordings = [np.ascontiguousarray(views[known][name]) for name in views.names]
        self.codes, self.people = codes[known], people[known]
        new = shown & (people == 5)
        self.new = [torch.from_numpy(np.array(views[new][name])) for name in views.names]
        self.new_codes = codes[new]

    def __iter__(self):
        return iter((self.recordings, self.codes, self.people))


@pytest.fixture(scope="module")
def data():
    return Data()


@pytest.fixture(scope="module")
def trained(data):
    return train(data)


def train(data, plan=PLAN, seed=0):
    return meta_train(*data, plan, np.random.RandomState(seed))


def replaced(plan, **changed):
    return plan.__class__(**{**vars(plan), **changed})


def zero_shot(trained, recordings, n_classes=3):
    directions = trained.population.directions
    state = start(
        condition(trained.population), directions, trained.numbers, torch.arange(n_classes)
    )
    return answer(state, trained.module(recordings).double())[0].numpy()


def all_of(trained):
    tensors = {**trained.module.state_dict(), **trained.population._asdict()}
    return {name: value.numpy().tobytes() for name, value in tensors.items()} | {
        "numbers": trained.numbers
    }


class TestPopulation:
    def test_equals_explicit_matrices(self, trained, data):
        X = trained.module([torch.from_numpy(own) for own in data.recordings]).double().numpy()
        Z = X @ trained.population.directions.numpy()
        n, labels = len(Z), np.eye(3)[data.codes]
        same = data.people[:, None] == data.people
        average = same / same.sum(1)
        noisy = np.eye(n) + trained.numbers.person_variance * same
        expected = {
            "within": Z.T @ (np.eye(n) - average) @ Z,
            "between": Z.T @ average @ np.linalg.inv(noisy) @ average @ Z,
            "within_labels": Z.T @ (np.eye(n) - average) @ labels,
            "counts": labels.T @ np.linalg.inv(noisy) @ labels,
            "shares": labels.mean(0),
        }
        for name, values in expected.items():
            found = getattr(trained.population, name).numpy()
            np.testing.assert_allclose(found, values, atol=1e-4 * np.abs(values).max())

    def test_directions_are_orthonormal_and_hold_all_that_clips_show(self, trained, data):
        directions = trained.population.directions.numpy()
        identity = np.eye(directions.shape[1])
        np.testing.assert_allclose(directions.T @ directions, identity, atol=1e-5)
        X = trained.module([torch.from_numpy(own) for own in data.recordings]).double().numpy()
        np.testing.assert_allclose(X @ directions @ directions.T, X, atol=1e-4)

    def test_is_in_float64(self, trained):
        assert {part.dtype for part in trained.population} == {torch.float64}

    def test_block_weights_are_the_scale_of_the_features(self, trained, data):
        X = trained.module([torch.from_numpy(own) for own in data.recordings])
        scaler = trained.module.scaler
        for weight, own in zip(scaler.weights, X.split(scaler.sizes, dim=1), strict=True):
            assert own.square().sum(1).mean() <= 1.001 * weight
            assert own.square().sum(1).mean() > 0.3 * weight


class TestLearning:
    def test_a_new_person_is_recognised_better_than_by_chance(self, trained, data):
        hits = zero_shot(trained, data.new).argmax(1) == data.new_codes
        assert hits.mean() > 0.6

    def test_numbers_and_weights_are_learned(self, trained):
        assert trained.numbers != START
        assert len(set(trained.module.scaler.weights.tolist())) == len(trained.module.blocks)

    def test_or_left_at_their_start(self, data):
        plain = train(data, replaced(PLAN, learns_numbers=False))
        assert plain.numbers == START
        weights = plain.module.scaler.weights
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / len(weights)))

    def test_an_emotion_that_one_person_alone_shows(self, data):
        kept = (data.codes < 2) | (data.people == 0)
        recordings = [own[kept] for own in data.recordings]
        trained = meta_train(
            recordings, data.codes[kept], data.people[kept], PLAN, np.random.RandomState(0)
        )
        assert np.isfinite(zero_shot(trained, data.new)).all()

    def test_a_person_with_one_emotion(self, data):
        kept = (data.people > 0) | (data.codes == 1)
        recordings = [own[kept] for own in data.recordings]
        trained = meta_train(
            recordings, data.codes[kept], data.people[kept], PLAN, np.random.RandomState(0)
        )
        assert np.isfinite(zero_shot(trained, data.new)).all()

    @pytest.mark.parametrize("people", [None, "one"])
    def test_without_people(self, data, people):
        people = None if people is None else np.zeros(len(data.codes), int)
        trained = meta_train(data.recordings, data.codes, people, PLAN, np.random.RandomState(0))
        hits = zero_shot(trained, data.new).argmax(1) == data.new_codes
        assert hits.mean() > 0.4
        assert np.allclose(trained.numbers, START) == (people is not None)

    def test_two_clips(self, data):
        recordings = [np.nan_to_num(own[:2]) for own in data.recordings]
        trained = meta_train(
            recordings, np.array([0, 1]), np.array([0, 1]), PLAN, np.random.RandomState(0)
        )
        assert np.isfinite(zero_shot(trained, data.new, 2)).all()

    def test_clips_that_are_all_the_same(self):
        recordings = [np.ones((8, 2, 5), np.float32)]
        codes, people = np.tile([0, 1], 4), np.repeat([0, 1], 4)
        trained = meta_train(recordings, codes, people, PLAN, np.random.RandomState(0))
        scores = zero_shot(trained, [torch.ones(1, 2, 5)], 2)
        np.testing.assert_allclose(scores, 0, atol=1e-6)


class TestViewDropout:
    def test_changes_the_numbers_and_nothing_of_the_rules(self, trained, data):
        dropped = train(data, replaced(PLAN, view_dropout=0.5))
        assert dropped.numbers != trained.numbers
        for name, value in trained.module.ramps.state_dict().items():
            assert torch.equal(dropped.module.ramps.state_dict()[name], value)

    def test_leaves_every_clip_one_view(self, trained):
        blocks = trained.module.blocks
        shown = tested._views_shown(blocks, 2000, 0.9, np.random.RandomState(0))[..., 0].numpy()
        modality = np.array([block.modality for block in blocks])
        of_views = np.stack([shown[:, modality == i].all(1) for i in (0, 1)], axis=1)
        assert of_views.any(1).all()
        assert of_views.mean() < 0.6
        for i in (0, 1):  # all blocks of a view together
            assert (shown[:, modality == i].std(axis=1) == 0).all()


class TestThinning:
    def test_few_clips_are_all_kept(self):
        assert tested._thinned(np.array([0, 1, 0]), 3).tolist() == [0, 1, 2]

    @pytest.mark.parametrize(("n_people", "n_clips"), [(4, 500), (500, 4), (2, 3000), (3000, 1)])
    def test_many_are_thinned_evenly(self, n_people, n_clips):
        people = np.random.default_rng(0).permutation(np.repeat(np.arange(n_people), n_clips))
        rows = tested._thinned(people, 200)
        assert len(rows) <= 200
        assert len(rows) > 150
        assert (np.diff(rows) > 0).all()
        _, counts = np.unique(people[rows], return_counts=True)
        assert counts.max() - counts.min() <= 1
        assert counts.min() >= min(4, n_clips)

    def test_a_population_larger_than_what_is_taken_at_once(self, data, monkeypatch):
        monkeypatch.setattr(tested, "_CLIPS_AT_ONCE", 7)
        monkeypatch.setattr(tested, "_NUMBER_CLIPS", 40)
        monkeypatch.setattr(tested, "_DIRECTION_CLIPS", 30)
        thinned = train(data)
        assert thinned.population.shares.numpy() == pytest.approx(
            np.bincount(data.codes) / len(data.codes)
        )
        hits = zero_shot(thinned, data.new).argmax(1) == data.new_codes
        assert hits.mean() > 0.5


@pytest.fixture(scope="module")
def fitted(data):
    """What was trained, and what the networks said of clips they had not seen."""
    kept = []
    original = tested.train_networks

    def remembering(*args, **hooks):
        kept.append(original(*args, **hooks))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tested, "train_networks", remembering)
        return train(data, WITH_NETWORKS), kept[0]


class TestNetworks:
    def test_are_the_last_block(self, fitted):
        trained, cross_fitted = fitted
        assert trained.module.blocks[-1] == ("network", -1, 3)
        assert len(trained.module.ensemble.networks) == 2
        assert trained.history == cross_fitted.history
        assert [len(epochs) for epochs in trained.history] == [2, 2]

    def test_are_scaled_by_what_they_say_of_clips_they_have_not_seen(self, fitted, data):
        trained, cross_fitted = fitted
        given = cross_fitted.log_probabilities
        given = given - given.mean(1, keepdim=True)
        scaler = trained.module.scaler
        torch.testing.assert_close(scaler.mean[-3:], given.mean(0))
        torch.testing.assert_close(1.0 / scaler.scale[-3:] / 3**0.5, given.std(0, correction=0))
        signals = trained.module.standardiser([torch.from_numpy(own) for own in data.recordings])
        with torch.no_grad():
            seen = trained.module.unscaled(signals)[:, -3:]
        assert (seen.mean(0) - given.mean(0)).abs().max() > 1e-3

    def test_are_no_directions_of_the_population(self, fitted):
        trained, _ = fitted
        assert len(trained.population.directions) == trained.module.n_rules

    def test_their_gain_and_noise_are_learned(self, fitted, trained):
        learned = fitted[0].numbers
        assert learned.network_gain != START.network_gain
        assert learned.network_noise != START.network_noise
        assert trained.numbers.network_gain == START.network_gain

    def test_are_in_evaluation_mode(self, fitted):
        assert not any(part.training for part in fitted[0].module.modules())

    def test_without_people(self, data):
        trained = meta_train(
            data.recordings, data.codes, None, WITH_NETWORKS, np.random.RandomState(0)
        )
        assert np.isfinite(zero_shot(trained, data.new)).all()


class TestRandomness:
    @pytest.mark.parametrize("plan", [PLAN, WITH_NETWORKS], ids=["rules", "networks"])
    def test_the_seed_decides_to_the_last_bit(self, data, plan):
        one, again, other = (all_of(train(data, plan, seed)) for seed in (1, 1, 2))
        assert one == again
        assert one != other

    @pytest.mark.parametrize("plan", [PLAN, WITH_NETWORKS], ids=["rules", "networks"])
    def test_global_generators_are_left_as_found(self, data, plan):
        before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        train(data, plan)
        np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[1])

    def test_the_recordings_are_left_alone(self):
        data = Data()
        before = [own.copy() for own in data.recordings]
        train(data)
        for one, other in zip(data.recordings, before, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_device_is_where_the_module_is(data, trained):
    assert trained.module.scaler.mean.device == torch.device("cpu")
    by_index = train(data, replaced(PLAN, device="cpu:0"))
    assert all_of(by_index) == all_of(trained)


@pytest.mark.parametrize("initialisation", ["k-means", "random"])
def test_prototypes_are_found_in_other_ways(data, trained, initialisation):
    other = train(data, replaced(PLAN, initialisation=initialisation))
    one = parameters_to_vector(trained.module.patterns.buffers())
    assert (parameters_to_vector(other.module.patterns.buffers()) != one).any()
    assert torch.equal(other.module.ramps[0].taps, trained.module.ramps[0].taps)

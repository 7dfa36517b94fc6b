"""Cross-fitted networks: who is seen by whom, randomness, callbacks and interruptions."""

import dataclasses
import random
import re

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from stf2m_sk.nn.signals import Standardiser
from stf2m_sk.training import network_fitting, networks
from stf2m_sk.training.network_fitting import NetworkPlan
from stf2m_sk.training.networks import fine_tune, train_networks

PLAN = NetworkPlan(
    n_networks=2, hidden_dim=4, max_epochs=2, learning_rate=0.02, batch_size=16, patience=5
)


def plan(**changes):
    return dataclasses.replace(PLAN, **changes)


def state(seed=0):
    return np.random.RandomState(seed)


def make_population(n_people=6, n_clips=4, n_classes=3, *, own=False, seed=0):
    """The class is how fast the first modality moves; with `own`, in an order of each person."""
    source = np.random.default_rng(seed)
    people = np.repeat(np.arange(n_people), n_clips * n_classes)
    codes = np.tile(np.arange(n_classes), n_people * n_clips)
    shown = codes.copy()
    if own:
        orders = np.stack([source.permutation(n_classes) for _ in range(n_people)])
        shown = orders[people, codes]
    time = np.arange(16) + source.uniform(0, 6, size=(len(codes), 1))
    moving = np.sin((0.3 + 0.9 * shown[:, None]) * time)
    first = np.stack([moving, -moving], axis=1) + 0.1 * source.normal(size=(len(codes), 2, 16))
    second = source.normal(size=(len(codes), 1, 5))
    first[1, :, 12:] = np.nan
    second[2] = np.nan
    recordings = [torch.tensor(x, dtype=torch.float32) for x in (first, second)]
    standardiser = Standardiser([2, 1])
    standardiser.calibrate(recordings)
    return standardiser(recordings), codes, people


def accuracy(log_probabilities, codes):
    return float(np.mean(log_probabilities.argmax(1).numpy() == codes))


@pytest.fixture(scope="module")
def trained():
    signals, codes, people = make_population()
    return train_networks(signals, codes, people, 3, plan(n_networks=3), state())


class TestOutput:
    def test_ensemble_and_history(self, trained):
        ensemble, log_probabilities, history = trained
        assert len(ensemble.networks) == len(history) == 3
        assert not any(module.training for module in ensemble.modules())
        assert log_probabilities.shape == (72, 3) and log_probabilities.dtype == torch.float32
        assert not log_probabilities.requires_grad
        torch.testing.assert_close(log_probabilities.exp().sum(1), torch.ones(72))
        for epochs in history:
            assert [row["epoch"] for row in epochs] == [1, 2]
            assert all(set(row) == {"epoch", "train_loss", "dur"} for row in epochs)

    def test_every_clip_is_answered_by_one_network(self, trained):
        signals, _, people = make_population()
        with torch.no_grad():
            each = torch.stack([n(signals).log_softmax(1) for n in trained.ensemble.networks])
        same = torch.isclose(each, trained.log_probabilities, atol=1e-5).all(2).numpy()
        assert (same.sum(0) == 1).all()
        fold = same.argmax(0)
        for person in np.unique(people):
            assert len(np.unique(fold[people == person])) == 1
        assert np.bincount(fold).tolist() == [24, 24, 24]

    def test_validation_figures_where_people_are_held_out(self):
        signals, codes, people = make_population(
            n_people=network_fitting._FEWEST_PEOPLE * 2, n_clips=1
        )
        history = train_networks(signals, codes, people, 3, PLAN, state()).history
        for row in (row for epochs in history for row in epochs):
            assert set(row) == {"epoch", "train_loss", "valid_loss", "valid_acc", "dur"}
            assert 0 <= row["valid_acc"] <= 1

    @pytest.mark.parametrize("with_people", [True, False])
    def test_learns(self, with_people):
        signals, codes, people = make_population()
        fitted = train_networks(
            signals,
            codes,
            people if with_people else None,
            3,
            plan(max_epochs=14, hidden_dim=8, patience=100),
            state(),
        )
        assert accuracy(fitted.log_probabilities, codes) > 0.7


def test_what_only_the_person_shows_is_not_learned_from_that_person():
    # Each person shows the classes in an order of their own, and each order occurs.
    signals, codes, people = make_population(n_people=12, n_clips=4, own=True, seed=1)
    eager = plan(max_epochs=12, hidden_dim=12, patience=100)
    fitted = train_networks(signals, codes, people, 3, eager, state())
    assert accuracy(fitted.log_probabilities, codes) < 0.5
    # Clips of one person, dealt as if they were of nobody, show it.
    own = torch.from_numpy(np.flatnonzero(people < 1))
    signals, codes = signals.take(own.repeat(3)), np.tile(codes[own], 3)
    in_sample = train_networks(signals, codes, None, 3, eager, state())
    assert accuracy(in_sample.log_probabilities, codes) > 0.7


class TestFolds:
    def test_a_network_is_trained_on_none_of_its_people(self, monkeypatch):
        signals, codes, people = make_population(n_people=7)
        calls = []
        train, answer = networks.fit_network, networks._answer

        def note_training(signals, targets, codes, people, seen, *rest):
            calls.append(set(people[seen]))
            return train(signals, targets, codes, people, seen, *rest)

        def note_answers(network, signals, rows):
            assert calls[-1].isdisjoint(people[rows]) and calls[-1] | set(people[rows]) == set(
                people
            )
            return answer(network, signals, rows)

        monkeypatch.setattr(networks, "fit_network", note_training)
        monkeypatch.setattr(networks, "_answer", note_answers)
        train_networks(signals, codes, people, 3, plan(max_epochs=1, n_networks=3), state())
        assert len(calls) == 3

    def test_people_of_a_rare_class_are_spread_over_the_folds(self):
        codes, people = np.tile([0, 1], 30), np.repeat(np.arange(30), 2)
        codes[[1, 11, 21]] = 2
        for seed in range(10):
            folds = networks._deal(codes, people, 3, state(seed))
            assert sorted(folds[codes == 2]) == [0, 1, 2]
            assert np.bincount(folds).tolist() == [20, 20, 20]

    def test_clips_without_people_are_stratified(self):
        codes = np.repeat([0, 1, 2], [9, 3, 6])
        folds = networks._deal(codes, None, 3, state())
        for code, count in enumerate([3, 1, 2]):
            assert np.bincount(folds[codes == code]).tolist() == [count] * 3

    def test_validation_people_are_no_training_people(self):
        codes, people = np.tile([0, 1], 300), np.repeat(np.arange(30), 20)
        rows, held = network_fitting._hold_out(codes, people, np.arange(20, 600), state())
        assert sorted([*rows, *held]) == list(range(20, 600))
        assert set(people[rows]).isdisjoint(people[held])
        assert len(set(people[held])) == 3
        rows, held = network_fitting._hold_out(codes, None, np.arange(600), state())
        assert sorted([*rows, *held]) == list(range(600))
        assert np.bincount(codes[held]).tolist() == [30, 30]

    def test_few_people_are_all_trained_on(self):
        people = np.arange(network_fitting._FEWEST_PEOPLE - 1)
        for known in (people, None):
            rows, held = network_fitting._hold_out(np.zeros_like(people), known, people, state())
            assert len(rows) == len(people) and not len(held)

    @pytest.mark.parametrize(("n_people", "n_networks"), [(2, 2), (1, 3), (4, 3)])
    def test_fewer_people_than_networks(self, n_people, n_networks):
        signals, codes, people = make_population(n_people=n_people)
        fitted = train_networks(
            signals, codes, people, 3, plan(n_networks=3, max_epochs=1), state()
        )
        assert len(fitted.ensemble.networks) == n_networks
        assert torch.isfinite(fitted.log_probabilities).all()

    def test_a_class_of_one_person_only(self):
        signals, codes, people = make_population(n_people=4)
        keep = np.flatnonzero((codes != 2) | (people == 0))
        fitted = train_networks(
            signals.take(torch.from_numpy(keep)), codes[keep], people[keep], 4, PLAN, state()
        )
        assert fitted.log_probabilities.shape == (len(keep), 4)
        assert torch.isfinite(fitted.log_probabilities).all()

    @pytest.mark.parametrize("n_clips", [2, 3, 5])
    def test_few_clips(self, n_clips):
        signals, codes, _ = make_population()
        few = signals.take(torch.arange(n_clips))
        fitted = train_networks(few, codes[:n_clips], None, 3, plan(n_networks=3), state())
        assert len(fitted.ensemble.networks) == min(3, n_clips)
        assert torch.isfinite(fitted.log_probabilities).all()

    @pytest.mark.parametrize("max_epochs", range(1, 6))
    def test_few_steps(self, max_epochs):
        signals, codes, _ = make_population(n_people=1)
        fitted = train_networks(signals, codes, None, 3, plan(max_epochs=max_epochs), state())
        assert [len(epochs) for epochs in fitted.history] == [max_epochs] * 2


class TestBatches:
    @pytest.mark.parametrize("n_clips", [1, 17, 72])
    def test_an_epoch_takes_every_clip_once_in_batches_of_one_size(self, n_clips):
        signals, _, _ = make_population()
        noise = torch.Generator().manual_seed(0)
        targets = torch.arange(72.0)[:, None]
        rows = np.arange(72)[-n_clips:]
        batches = network_fitting._TrainBatches(signals, targets, rows, 16, noise)
        sizes = [len(drawn) for _, drawn in batches]
        assert sum(sizes) == n_clips and max(sizes) - min(sizes) <= 1 and max(sizes) <= 16
        assert len(batches) == len(sizes)

    def test_of_many_clips_an_epoch_draws_some(self, monkeypatch):
        monkeypatch.setattr(network_fitting, "_MOST_CLIPS", 20)
        monkeypatch.setattr(
            network_fitting, "mixup", lambda clips, targets, noise: (clips, targets)
        )
        signals, _, _ = make_population()
        noise = torch.Generator().manual_seed(0)
        targets = torch.arange(72.0)[:, None]
        batches = network_fitting._TrainBatches(signals, targets, np.arange(72), 16, noise)
        first, second = ({int(x) for _, drawn in batches for x in drawn} for _ in range(2))
        assert len(first) == len(second) == 20 and first != second


class TestRefusals:
    @pytest.mark.parametrize("n_networks", [1, 0])
    def test_one_network(self, n_networks):
        with pytest.raises(ValueError, match=r"n_networks must be at least 2.*has not seen it"):
            train_networks(*make_population(), 3, plan(n_networks=n_networks), state())

    def test_one_clip(self):
        signals, codes, people = make_population()
        with pytest.raises(ValueError, match="at least two clips, got 1"):
            train_networks(signals.take(torch.tensor([0])), codes[:1], people[:1], 3, PLAN, state())

    def test_codes_beyond_the_classes(self):
        with pytest.raises(ValueError, match="class codes must be in 0 to 1"):
            train_networks(*make_population(), 2, PLAN, state())

    def test_people_of_other_clips(self):
        signals, codes, people = make_population()
        with pytest.raises(ValueError, match="71 codes of people for 72 clips"):
            train_networks(signals, codes, people[1:], 3, PLAN, state())

    def test_nothing_to_fine_tune_on(self, trained):
        signals, codes, _ = make_population()
        with pytest.raises(ValueError, match="got 0 codes and 0 clips"):
            fine_tune(trained.ensemble, signals.take(torch.arange(0)), codes[:0], PLAN, state())


class TestRandomness:
    def test_seeds_reproduce_to_the_bit_and_leave_global_generators(self):
        population = make_population(n_people=6, n_clips=2)
        before = (
            torch.get_rng_state(),
            np.random.get_state()[1].copy(),  # noqa: NPY002
            random.getstate(),
        )
        first, again, other = (
            train_networks(*population, 3, PLAN, state(seed)) for seed in (0, 0, 1)
        )
        assert torch.equal(torch.get_rng_state(), before[0])
        np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
        assert random.getstate() == before[2]
        assert torch.equal(first.log_probabilities, again.log_probabilities)
        weights, same = first.ensemble.state_dict(), again.ensemble.state_dict()
        assert all(torch.equal(weights[name], same[name]) for name in weights)
        assert not torch.equal(first.log_probabilities, other.log_probabilities)


class Watch(Callback):
    def __init__(self):
        self.started = self.ended = 0
        self.losses = []

    def on_train_begin(self, net, **kwargs):
        self.started += 1

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1]["train_loss"])

    def on_train_end(self, net, **kwargs):
        self.ended += 1


class TestCallbacks:
    def test_own_callbacks_are_called_for_each_network(self):
        watches = Watch(), Watch()
        given = plan(callbacks=[watches[0], ("mine", watches[1])])
        train_networks(*make_population(), 3, given, state())
        for watch in watches:
            assert (watch.started, watch.ended, len(watch.losses)) == (2, 2, 4)

    def test_an_own_callback_may_stop_each_network(self):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise KeyboardInterrupt

        given = plan(callbacks=[Stop()], max_epochs=9)
        fitted = train_networks(*make_population(), 3, given, state())
        assert [len(epochs) for epochs in fitted.history] == [1, 1]

    @pytest.mark.parametrize("hook", ["on_batch_begin", "on_batch_end", "on_train_begin"])
    def test_an_interruption_is_passed_on(self, hook):
        def interrupt(net, **kwargs):
            raise KeyboardInterrupt

        watch, interrupter = Watch(), Callback()
        setattr(interrupter, hook, interrupt)
        with pytest.raises(KeyboardInterrupt):
            given = plan(callbacks=[watch, interrupter])
            train_networks(*make_population(), 3, given, state())
        assert watch.started == 1 and watch.losses == []
        assert watch.ended == (0 if hook == "on_train_begin" else 1)

    def test_an_interruption_of_the_computation_is_passed_on(self, monkeypatch):
        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(network_fitting.EmotionNetwork, "forward", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_networks(*make_population(), 3, PLAN, state())

    def test_the_weights_of_the_best_epoch_are_kept(self, monkeypatch):
        seen = []

        class Spoil(Callback):
            def on_epoch_begin(self, net, **kwargs):
                if len(net.history) == 2:
                    seen.append(net.module_.head.bias.detach().clone())
                    with torch.no_grad():
                        net.module_.head.bias += torch.tensor([50.0, 0.0, 0.0])

        given = plan(callbacks=[Spoil()], max_epochs=9, patience=2)
        population = make_population(n_people=network_fitting._FEWEST_PEOPLE * 2, n_clips=1)
        fitted = train_networks(*population, 3, given, state())
        for network, before, epochs in zip(
            fitted.ensemble.networks, seen, fitted.history, strict=True
        ):
            assert torch.equal(network.head.bias, before)
            assert len(epochs) == 3  # stopped after two epochs without a higher accuracy

    def test_says_nothing(self, capsys):
        train_networks(*make_population(), 3, PLAN, state())
        said = capsys.readouterr()
        assert said.out == said.err == ""

    def test_reports_each_epoch(self):
        said = []
        train_networks(
            *make_population(),
            3,
            PLAN,
            state(),
            report=lambda share, text: said.append((share, text)),
        )
        assert [share for share, _ in said] == [0.25, 0.5, 0.75, 1.0]
        assert re.fullmatch(r"network 2 of 2, loss \d\.\d{3}", said[-1][1])


def test_bfloat16_trains_as_well():
    population = make_population()
    rough = train_networks(*population, 3, plan(precision="bf16"), state()).log_probabilities
    exact = train_networks(*population, 3, PLAN, state()).log_probabilities
    assert torch.isfinite(rough).all() and rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, atol=0.3, rtol=0)


class TestFineTuning:
    def test_learns_a_person_and_leaves_the_ensemble_alone(self):
        signals, codes, people = make_population(n_people=7)
        fitted = train_networks(
            *(
                part[: 6 * 12] if part is not signals else signals.take(torch.arange(72))
                for part in (signals, codes, people)
            ),
            3,
            plan(max_epochs=10),
            state(),
        )
        before = {name: value.clone() for name, value in fitted.ensemble.state_dict().items()}
        own, answers = signals.take(torch.arange(72, 84)), (codes[72:] + 1) % 3
        generous = plan(max_epochs=10, learning_rate=0.3)
        tuned = fine_tune(fitted.ensemble, own, answers, generous, state())
        again = fine_tune(fitted.ensemble, own, answers, generous, state())
        after = fitted.ensemble.state_dict()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert not any(module.training for module in tuned.modules())
        index = torch.from_numpy(answers)
        with torch.no_grad():
            assert torch.equal(tuned(own), again(own))
            gain = (tuned(own) - fitted.ensemble(own))[torch.arange(12), index]
        assert gain.mean() > 0.1

    def test_one_clip_is_enough(self, trained):
        signals, codes, _ = make_population()
        tuned = fine_tune(
            trained.ensemble, signals.take(torch.tensor([4])), codes[4:5], PLAN, state()
        )
        with torch.no_grad():
            assert torch.isfinite(tuned(signals)).all()

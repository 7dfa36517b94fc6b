"""Meta-training from arrays to a fitted net, on a small planted population."""

import copy
import dataclasses
import inspect
import pickle
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from stf2m_sk.nn.knowledge import gather_knowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import meta_train as meta_train_file
from stf2m_sk.training import net as net_file
from stf2m_sk.training.answers import EpisodeTensors, answer_episodes, population_of
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.loss import EpisodeAnswers, EpisodeLoss
from stf2m_sk.training.meta_train import meta_train
from stf2m_sk.training.net import EpisodicNet


def train(population, sizes, plan, *, with_people=True, random_state=0, **changes):
    """Meta-train; structureless rule inputs may be warned of, which is not asked about here."""
    groups = population.groups if with_people else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return meta_train(
            population.signals,
            population.codes,
            groups,
            sizes,
            dataclasses.replace(plan, **changes),
            np.random.RandomState(random_state),
        )


def answer(net, people):
    """Answers to episodes of people whom the net has not seen."""
    with torch.no_grad():
        clips = net.module_.prepare([torch.from_numpy(signal) for signal in people.signals])
        dataset = TrainingClips(clips, people.codes, people.groups, 3)
        sampler = EpisodeSampler(
            people.codes,
            people.groups,
            n_modalities=2,
            n_way=3,
            n_support=2,
            n_query=2,
            n_episodes=20,
            view_dropout=0.0,
            unknown_share=0.0,
            generator=np.random.default_rng(0),
        )
        batch = EpisodeTensors.of(sampler.draw(), "cpu")
        embeddings, rows = embed_all(net.module_, clips), torch.arange(len(dataset))
        population = population_of(batch, dataset, rows, embeddings)
        learner, blocks = net.module_.learner, net.module_.block_sizes
        logits = answer_episodes(learner, blocks, batch, embeddings[batch.rows], population)
        return EpisodeAnswers(logits, batch.targets(), None, None)


class Watch(Callback):
    """Keeps the weights and the validation loss of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.started = True
        self.weights, self.losses = [], []

    def on_epoch_end(self, net, **kwargs):
        self.weights.append(copy.deepcopy(net.module_.state_dict()))
        self.losses.append(net.history[-1].get("valid_loss"))

    def on_train_end(self, net, **kwargs):
        self.ended = True


def plant_losses(monkeypatch, losses):
    """Let the epochs have these validation losses."""
    left = iter(losses)
    monkeypatch.setattr(
        EpisodeLoss, "of_validation", lambda self, answers: torch.tensor(next(left))
    )


@pytest.fixture(scope="module")
def trained(plant, sizes, plan):
    """A net trained with people held out, the population's knowledge, and what was seen."""
    watch = Watch()
    return *train(plant(), sizes, plan, callbacks=[watch]), watch


def same(one, other, *, but=()):
    return all(
        torch.equal(value, other[name]) for name, value in one.items() if not name.startswith(but)
    )


class TestLearning:
    def test_an_easy_problem_is_learned(self, plant, sizes, plan, monkeypatch):
        monkeypatch.setattr(meta_train_file, "_BATCHES_PER_EPOCH", 10)
        sizes = sizes._replace(hidden_dim=16, embedding_dim=16, dropout=0.0)
        population, new_people = plant(n_people=16), plant(n_people=4, seed=1)
        ratios, gains = [], []
        for seed in range(
            5
        ):  # one start says little: the loss ratio of single ones differs by half
            net, _ = train(population, sizes, plan, max_epochs=10, random_state=seed)
            untrained, _ = train(
                population, sizes, plan, max_epochs=1, learning_rate=1e-9, random_state=seed
            )
            before, after = (answer(made, new_people) for made in (untrained, net))
            ratios.append(float(after.cross_entropy() / before.cross_entropy()))
            gains.append(float(after.accuracy() - before.accuracy()))
        assert np.mean(ratios) < 0.6
        assert np.mean(gains) > 0.1

    def test_gives_the_knowledge_of_the_whole_population(self, plant, trained):
        population, (net, knowledge, _) = plant(), trained
        module = net.module_
        assert not module.training
        with torch.no_grad():
            embeddings = module.embed(
                module.prepare([torch.from_numpy(s) for s in population.signals])
            )
        people = torch.eye(6)[population.groups]
        expected = gather_knowledge(
            embeddings, torch.eye(3)[population.codes], torch.ones(72), people
        )
        assert knowledge.n_clips == 72
        assert knowledge.known.tolist() == [1, 1, 1]
        for part, expected_part in zip(knowledge, expected, strict=True):
            torch.testing.assert_close(part, expected_part, rtol=1e-4, atol=1e-3)

    def test_all_kinds_of_weights_are_trained(self, plant, sizes, plan):
        population, watch = plant(), Watch()
        net, _ = train(population, sizes, plan, callbacks=[watch], validation_fraction=0.0)
        first, last = watch.weights[0], net.module_.state_dict()
        for part in ("encoders.0", "encoders.1", "learner"):
            assert not same(
                {name: value for name, value in first.items() if name.startswith(part)}, last
            ), part
        untrained = ("kernels.", "mean_", "scale_", "course", "level", "to_rules", "rules")
        for part in (*untrained, "consequents"):
            buffers = {name: value for name, value in first.items() if name.startswith(part)}
            assert buffers and same(buffers, last)

    def test_the_learner_learns_after_the_encoder(self, plant, sizes, plan, trained):
        def of_learner(weights):
            return {name: value for name, value in weights.items() if name.startswith("learner.")}

        net, _, watch = trained
        assert same(of_learner(watch.weights[0]), watch.weights[1])
        assert not same(of_learner(watch.weights[1]), net.module_.state_dict())
        assert all(parameter.requires_grad for parameter in net.module_.parameters())

    def test_only_weight_matrices_decay(self, trained):
        net = trained[0]
        decays = {
            id(parameter): group["weight_decay"]
            for group in net.optimizer_.param_groups
            for parameter in group["params"]
        }
        for name, parameter in [
            *net.module_.named_parameters(),
            *net.criterion_.named_parameters(),
        ]:
            free = name.startswith("learner.") or "bias" in name or "norm" in name
            assert (decays[id(parameter)] == 0) == free, name
        assert len(decays) == len(list(net.module_.parameters())) + 2

    def test_calibrates_on_those_not_held_out(self, plant, sizes, plan, monkeypatch):
        chosen = []
        hold_out = meta_train_file.hold_out

        def spy(*args):
            chosen.append(hold_out(*args))
            return chosen[0]

        monkeypatch.setattr(meta_train_file, "hold_out", spy)
        population = plant()
        net, _ = train(population, sizes, plan)
        (held_out,) = chosen
        assert held_out.any()
        for i, signal in enumerate(population.signals):
            values = signal[~held_out].astype(np.float64)
            mean = getattr(net.module_, f"mean_{i}")[:, 0]
            np.testing.assert_allclose(mean, np.nanmean(values, axis=(0, 2)), rtol=1e-5, atol=1e-6)

    def test_rules_start_where_the_clips_are(self, plant, sizes, plan, monkeypatch):
        seen = []
        fit = EpisodicNet.partial_fit

        def spy(net, dataset, *args, **kwargs):
            points = dataset.clips.kernels.sum(1) @ net.module.to_rules
            seen.append((points.numpy(), net.module.rules.centers.numpy().copy()))
            return fit(net, dataset, *args, **kwargs)

        monkeypatch.setattr(EpisodicNet, "partial_fit", spy)
        train(plant(), sizes, plan)
        ((points, centers),) = seen
        assert (centers >= points.min(0)).all() and (centers <= points.max(0)).all()
        nearest = ((points[:, None] - centers) ** 2).sum(-1).argmin(1)
        assert len(set(nearest)) > 1

    def test_rules_are_placed_as_asked_on_those_not_held_out(self, plant, sizes, plan, monkeypatch):
        calls = []
        place_rules = meta_train_file.place_rules

        def spy(points, n_rules, **how):
            calls.append((len(points), how["initialisation"]))
            return place_rules(points, n_rules, **how)

        monkeypatch.setattr(meta_train_file, "place_rules", spy)
        centers = {}
        for placement in ("c-means", "k-means", "random"):
            net, _ = train(plant(), sizes, plan, rule_placement=placement)
            centers[placement] = net.module_.rules.centers
        # Of six people one is held out.
        assert calls == [(60, "c-means"), (60, "k-means"), (60, "random")]
        assert not torch.equal(centers["c-means"], centers["random"])
        assert not torch.equal(centers["k-means"], centers["random"])

    def test_more_rules_than_different_clips(self, plant, sizes, plan):
        population = plant(n_people=1, n_clips=2)
        net, _ = train(population, sizes._replace(n_rules=9), plan, max_epochs=1)
        assert all(value.isfinite().all() for value in net.module_.state_dict().values())


class TestAblation:
    @pytest.mark.parametrize("validation_fraction", [0.0, 0.2])
    def test_without_meta_rnn_a_ridge_regression_is_left(
        self, plant, sizes, plan, validation_fraction
    ):
        net, knowledge = train(
            plant(), sizes, plan, meta_rnn=False, validation_fraction=validation_fraction
        )
        # Anew, from another seed: what is drawn in a fresh learner has no say in its answer.
        fresh = STF2MModule(sizes, generator=torch.Generator().manual_seed(9)).learner
        learner = net.module_.learner
        drawn = ("cell.", "gate.", "log_ridge", "shift_share")
        assert same(fresh.state_dict(), learner.state_dict(), but=drawn)
        assert (learner.gate.weight == 0).all() and (learner.gate.bias == 0).all()
        assert learner.shift_share == 0
        assert (knowledge.contrasts == 0).all() and knowledge.shifts.shape[-1] == 0

    def test_without_meta_rnn_nothing_of_the_learner_but_ridges_moves(
        self, plant, sizes, plan, monkeypatch
    ):
        starts = []
        fit = EpisodicNet.partial_fit

        def spy(net, dataset, *args, **kwargs):
            starts.append(copy.deepcopy(net.module.learner.state_dict()))
            return fit(net, dataset, *args, **kwargs)

        monkeypatch.setattr(EpisodicNet, "partial_fit", spy)
        net, _ = train(plant(), sizes, plan, meta_rnn=False)
        state = net.module_.learner.state_dict()
        assert same(starts[0], state, but=("log_ridge",))
        assert torch.equal(starts[0]["log_ridge"][1:], state["log_ridge"][1:])

    def test_without_rules_they_are_not_trusted(self, plant, sizes, plan):
        trusting, silent = (
            train(plant(), sizes, plan, rules=rules)[0].module_.learner.log_ridge.exp()[-1]
            for rules in (True, False)
        )
        assert trusting < 100
        assert silent > 1e8


class TestLearnersTraining:
    @pytest.mark.parametrize("with_people", [True, False])
    def test_halves_are_of_different_people_and_in_order(
        self, plant, sizes, plan, monkeypatch, with_people
    ):
        seen = []
        monkeypatch.setattr(
            meta_train_file, "train_learner", lambda module, dataset, halves: seen.append(halves)
        )
        population = plant()
        train(population, sizes, plan, with_people=with_people)
        ((first, second),) = seen
        assert len(first) == len(second) == meta_train_file._LEARNER_BATCHES
        sides = [{*np.concatenate([batch.clips for batch in half])} for half in (first, second)]
        assert not sides[0] & sides[1]
        if with_people:
            people = [set(population.groups[list(side)]) for side in sides]
            assert not people[0] & people[1]
        for batch in (*first, *second):
            for support, query in zip(batch.support, batch.query, strict=True):
                for one, other in zip(support, query, strict=True):
                    one, other = one[one >= 0], other[other >= 0]
                    if len(one) and len(other):
                        assert one.max() < other.min() or other.max() < one.min()

    def test_is_left_out_where_halves_form_no_episode(self, plant, sizes, plan, monkeypatch):
        monkeypatch.setattr(meta_train_file, "train_learner", None)
        net, _ = train(plant(n_people=1), sizes, plan)
        assert net.module_.learner.log_scale[0] == torch.tensor(5.0).log()

    def test_is_left_out_without_meta_rnn(self, plant, sizes, plan, monkeypatch):
        monkeypatch.setattr(meta_train_file, "train_learner", None)
        train(plant(), sizes, plan, meta_rnn=False)


class TestTrustInRules:
    def test_their_share_is_that_of_least_error(self, plant, sizes, plan, monkeypatch):
        seen = {}

        def choose(kernels, rules, membership, groups, random_state):
            seen.update(kernels=kernels, rules=rules, membership=membership)
            return 0.7

        monkeypatch.setattr(meta_train_file, "choose_rules_share", choose)
        net, _ = train(plant(), sizes, plan)
        ridges = net.module_.learner.log_ridge.exp()
        # Their ridge lets them say 0.7 of what the kernels say, with a support and without.
        for relief in (torch.ones(4), net.module_.relief):
            course, level, rules = (ridges * relief)[1:]
            torch.testing.assert_close(1 / rules, 0.7 * (1 / course + 1 / level))
        assert seen["membership"].shape == (72, 3)
        module = net.module_
        with torch.no_grad():
            clips = module.prepare([torch.from_numpy(s) for s in plant().signals])
            embeddings = module.embed(clips)
        _, course, level, rules = embeddings.split(module.block_sizes, dim=1)
        of_course, of_level = (ridges * module.relief)[1:3]
        scaled = torch.cat([course / of_course**0.5, level / of_level**0.5], dim=1)
        torch.testing.assert_close(seen["kernels"], scaled, rtol=1e-3, atol=1e-4)
        scaled = rules * (1 / of_course + 1 / of_level) ** 0.5
        torch.testing.assert_close(seen["rules"], scaled, rtol=1e-3, atol=1e-4)


class TestBestEpoch:
    def test_its_weights_are_kept(self, plant, sizes, plan, monkeypatch):
        plant_losses(monkeypatch, [3.0, 1.0, 2.0, 2.5])
        watch = Watch()
        net, _ = train(plant(), sizes, plan, max_epochs=4, callbacks=[watch])
        assert watch.losses == [3.0, 1.0, 2.0, 2.5]
        # The learner is trained afterwards, without epochs.
        kept = net.module_.state_dict()
        assert same(kept, watch.weights[1], but=("learner.",))
        assert not same(kept, watch.weights[3], but=("learner.",))

    def test_stops_when_patience_ends(self, plant, sizes, plan, monkeypatch):
        plant_losses(monkeypatch, [3.0, 1.0, *[2.0] * 10])
        watch = Watch()
        net, _ = train(plant(), sizes, plan, max_epochs=9, patience=3, callbacks=[watch])
        assert len(net.history) == 2 + 3
        assert same(net.module_.state_dict(), watch.weights[1], but=("learner.",))

    def test_nobody_held_out(self, plant, sizes, plan):
        watch = Watch()
        net, _ = train(plant(n_people=4), sizes, plan, callbacks=[watch], patience=1)
        assert watch.losses == [None, None]
        assert len(net.history) == 2
        state = net.module_.state_dict()
        assert same(state, watch.weights[-1], but=("learner.",))
        # Nobody could tell how far to trust what was trained: it is trusted less.
        grown = (state["learner.log_ridge"] - watch.weights[-1]["learner.log_ridge"]).exp()
        torch.testing.assert_close(grown, torch.tensor([10.0, 1.0, 1.0, 1.0]))

    def test_history_has_the_figures_of_every_epoch(self, trained):
        assert [row["epoch"] for row in trained[0].history] == [1, 2]
        for row in trained[0].history:
            assert row["train_loss"] > 0 and row["valid_loss"] > 0 and 0 <= row["valid_acc"] <= 1


class TestEpisodesOfTraining:
    @pytest.mark.parametrize("with_people", [True, False])
    def test_training_and_validation_draw_from_different_clips(
        self, plant, sizes, plan, monkeypatch, with_people
    ):
        batches = {True: [], False: []}
        infer = EpisodicNet.infer

        def spy(net, batch, **kwargs):
            batches[net.module_.training].append(batch)
            return infer(net, batch, **kwargs)

        monkeypatch.setattr(EpisodicNet, "infer", spy)
        population = plant()
        train(population, sizes, plan, with_people=with_people, validation_fraction=0.4)
        assert len(batches[True]) == 4 and len(batches[False]) == 2
        rows = {
            training: {*np.concatenate([b.clips for b in batches[training]])}
            for training in batches
        }
        assert not rows[True] & rows[False]
        if with_people:
            people = {key: set(population.groups[list(rows[key])]) for key in rows}
            assert not people[True] & people[False]
        # The episodes by which epochs are compared are the same for all, with all views.
        first, second = batches[False]
        assert (first.query == second.query).all()
        assert first.query_views.all() and first.support_views.all()
        assert not all(batch.query_views.all() for batch in batches[True])
        assert not np.array_equal(batches[True][0].query, batches[True][2].query)

    def test_no_episode_knows_its_own_person(self, plant, sizes, plan, monkeypatch):
        calls = []
        population_of = net_file.population_of

        def spy(batch, dataset, rows, embeddings):
            knowledge = population_of(batch, dataset, rows, embeddings)
            calls.append((batch, dataset, rows, knowledge))
            return knowledge

        monkeypatch.setattr(net_file, "population_of", spy)
        population = plant()
        train(population, sizes, plan)
        assert len(calls) == 2 * (2 + 1)
        for batch, _, rows, knowledge in calls:
            assert rows.tolist() == list(range(72))
            for i, person in enumerate(batch.people.tolist()):
                unknown = batch.ways[i][batch.unknown[i]].numpy()
                counts = (population.groups != person) & ~np.isin(population.codes, unknown)
                assert knowledge.n_clips[i] == counts.sum()
                assert (knowledge.known[i] == 0).tolist() == batch.unknown[i].tolist()

    def test_a_large_population_is_remembered_in_part(self, plant, sizes, plan, monkeypatch):
        monkeypatch.setattr(net_file, "_MOST_REMEMBERED", 20)
        watch = Watch()
        _, knowledge = train(plant(), sizes, plan, callbacks=[watch])
        assert knowledge.n_clips == 72
        assert all(np.isfinite(watch.losses))


class TestRandomness:
    @pytest.mark.parametrize("with_people", [True, False])
    def test_the_random_state_decides_everything(self, plant, sizes, plan, with_people):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        weights, knowledge = [], []
        for random_state in (1, 1, 2):
            net, known = train(
                plant(), sizes, plan, with_people=with_people, random_state=random_state
            )
            weights.append(net.module_.state_dict())
            knowledge.append(known)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
        assert same(weights[0], weights[1])
        assert all(torch.equal(*parts) for parts in zip(*knowledge[:2], strict=True))
        for name in ("encoders.0.spatial.weight", "rules.centers", "kernels.0.taps"):
            assert not torch.equal(weights[0][name], weights[2][name])

    def test_inputs_are_not_changed(self, plant, sizes, plan):
        population, untouched = plant(), plant()
        train(population, sizes, plan)
        for signal, expected in zip(population.signals, untouched.signals, strict=True):
            np.testing.assert_array_equal(signal, expected)
        np.testing.assert_array_equal(population.codes, untouched.codes)
        np.testing.assert_array_equal(population.groups, untouched.groups)


class TestCallbacks:
    def test_own_callbacks_are_called(self, plant, sizes, plan):
        plain, named = Watch(), Watch()
        train(plant(), sizes, plan, callbacks=[plain, ("mine", named)])
        for watch in (plain, named):
            assert watch.started and watch.ended and len(watch.losses) == 2

    def test_an_own_callback_may_stop_the_training(self, plant, sizes, plan):
        class Stop(Callback):
            def on_epoch_end(self, net, **kwargs):
                raise KeyboardInterrupt

        net, knowledge = train(plant(), sizes, plan, max_epochs=9, callbacks=[Stop()])
        assert len(net.history) == 1
        assert knowledge.n_clips == 72

    def test_says_nothing(self, plant, sizes, plan, capsys):
        train(plant(), sizes, plan)
        said = capsys.readouterr()
        assert said.out == said.err == ""


def test_the_net_keeps_no_training_clips(trained):
    net = trained[0]
    seen, waiting = set(), [net]
    n_checked = 0
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, type)) or inspect.ismodule(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, (torch.Tensor, np.ndarray)):
            n_checked += 1
            assert 72 not in thing.shape
        elif isinstance(thing, dict):
            waiting += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, set, frozenset)):
            waiting += list(thing)
        elif hasattr(thing, "__dict__"):
            waiting += list(vars(thing).values())
    assert n_checked > 20
    assert isinstance(net.module_, STF2MModule)


def test_the_net_can_be_pickled(trained):
    net = trained[0]
    again = pickle.loads(pickle.dumps(net))
    assert same(again.module_.state_dict(), net.module_.state_dict())
    assert again.history == net.history

"""The net whose batches are episodes, against an evaluation episode by episode."""

import math

import numpy as np
import pytest
import torch

from stf2m_sk.nn.knowledge import gather_knowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import meta_train
from stf2m_sk.training import net as net_file
from stf2m_sk.training.answers import SHOTS
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.loss import EpisodeLoss
from stf2m_sk.training.net import EpisodeBatches, EpisodicNet, fitted_net


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Setting:
    """A calibrated network, its clips and its episodes, ready to train."""

    def __init__(self, population, sizes, *, with_people=True, n_way=3, **net_parameters):
        source = generator()
        self.signals = [torch.from_numpy(signal) for signal in population.signals]
        self.codes = population.codes
        self.groups = population.groups if with_people else None
        self.module = STF2MModule(sizes, generator=source)
        self.module.calibrate(self.signals, generator=source)
        with torch.no_grad():
            self.module.learner.gate.weight.normal_(generator=source)
        clips = self.module.prepare(self.signals)
        meta_train._start_rules(self.module, clips, "k-means", np.random.RandomState(0))
        self.dataset = TrainingClips(clips, self.codes, self.groups, 3)
        self.sampler = EpisodeSampler(
            self.codes,
            self.groups,
            n_modalities=2,
            n_way=n_way,
            n_support=3,
            n_query=2,
            n_episodes=4,
            view_dropout=0.5,
            unknown_share=0.5,
            generator=np.random.default_rng(0),
        )
        batches = EpisodeBatches(self.sampler, 2)
        parameters = {
            "train_batches": batches,
            "valid_batches": list(batches),
            "noise": generator(1),
            "optimizer": torch.optim.Adam,
            "max_epochs": 1,
            "verbose": 0,
            **net_parameters,
        }
        criterion = EpisodeLoss(sizes.embedding_dim, 3, generator=source)
        self.net = EpisodicNet(self.module, criterion, **parameters).initialize()

    def ready(self):
        """The net as it is between two epochs."""
        self.net.get_iterator(self.dataset)
        self.net._remember()
        self.module.eval()
        return self.net


@pytest.fixture
def setting(plant, sizes):
    """Function that makes a `Setting`."""

    def make(**changes):
        return Setting(plant(), sizes, **changes)

    return make


def embed(setting, row, views):
    """Embed one recording with some of its views."""
    kept = [
        view and not s[row].isnan().all() for view, s in zip(views, setting.signals, strict=True)
    ]
    if not any(kept):  # what is left is used rather than nothing
        kept = [True] * len(kept)
    signals = [
        signal[[row]] if keep else torch.full_like(signal[[row]], torch.nan)
        for keep, signal in zip(kept, setting.signals, strict=True)
    ]
    return setting.module.embed(setting.module.prepare(signals))[0]


def embed_batch(setting, batch):
    """Embeddings of the batch by (table, place), and of each row where it comes first."""
    embeddings, first = {}, {}
    for i, slot, k in np.ndindex(batch.support.shape):
        row = batch.support[i, slot, k]
        if row >= 0:
            z = embed(setting, row, batch.support_views[i, slot])
            embeddings["support", i, slot, k] = z
            first.setdefault(row, z)
    for i, slot, k in np.ndindex(batch.query.shape):
        row = batch.query[i, slot, k]
        if row >= 0:
            z = embed(setting, row, batch.query_views[i, slot, k])
            embeddings["query", i, slot, k] = z
            first.setdefault(row, z)
    return embeddings, first


def loop_logits(setting, batch, remembered):
    """Logits by (shot, episode, slot, place), one episode and one number of shots at a time."""
    embeddings, first = embed_batch(setting, batch)
    population = {row: first.get(row, embed(setting, row, [True, True])) for row in remembered}
    learner, logits = setting.module.learner, {}
    for i in range(len(batch.ways)):
        in_episode = {*batch.support[i].ravel(), *batch.query[i].ravel()}
        own = in_episode
        if setting.groups is not None:
            own = set(np.flatnonzero(setting.groups == batch.people[i]))
        hidden = batch.ways[i][batch.unknown[i]]
        rows = [row for row in remembered if row not in own and setting.codes[row] not in hidden]
        knowledge = gather_knowledge(
            torch.stack([population[row] for row in rows]),
            torch.eye(3)[setting.codes[rows]],
            torch.ones(len(rows)),
            None if setting.groups is None else torch.eye(6)[setting.groups[rows]],
        )
        ways = torch.from_numpy(batch.ways[i])
        knowledge = knowledge._replace(
            evidence=knowledge.evidence[:, ways],
            prototypes=knowledge.prototypes[ways],
            known=knowledge.known[ways],
        )
        for shot, n_shots in enumerate(SHOTS):
            places = [
                (slot, k)
                for slot, k in np.ndindex(batch.support.shape[1:])
                if k < n_shots and batch.support[i, slot, k] >= 0
            ]
            support = [embeddings["support", i, slot, k] for slot, k in places]
            empty = torch.zeros(0, setting.module.embedding_size)
            slots = torch.tensor([slot for slot, _ in places], dtype=torch.long)
            classes = learner(
                knowledge,
                learner.ridge(setting.module.block_sizes),
                torch.stack(support) if support else empty,
                torch.eye(len(ways))[slots],
                torch.ones(len(places)),
            )
            for slot, k in np.ndindex(batch.query.shape[1:]):
                if batch.query[i, slot, k] >= 0:
                    z = embeddings["query", i, slot, k]
                    logits[shot, i, slot, k] = classes.logits(z[None])[0]
    return logits


def assert_answers(setting, batch, remembered):
    with torch.no_grad():
        answers = setting.net.infer(batch)
        expected = loop_logits(setting, batch, remembered)
    assert len(expected) == (answers.targets >= 0).sum() * len(SHOTS)
    for (shot, i, slot, k), logits in expected.items():
        place = slot * batch.query.shape[2] + k
        torch.testing.assert_close(answers.logits[shot, i, place], logits, rtol=1e-2, atol=1e-2)
        assert answers.targets[i, place] == slot


class TestInfer:
    @pytest.mark.parametrize("with_people", [True, False])
    def test_equals_an_evaluation_episode_by_episode(self, setting, with_people):
        made = setting(with_people=with_people)
        made.ready()
        assert_answers(made, made.sampler.draw(), range(72))

    def test_some_clips_stand_for_a_large_population(self, setting, monkeypatch):
        monkeypatch.setattr(net_file, "_MOST_REMEMBERED", 40)
        made = setting()
        before = torch.get_rng_state()
        remembered = made.ready().remembered_rows_.tolist()
        assert torch.equal(torch.get_rng_state(), before)
        assert len(set(remembered)) == len(remembered) == len(made.net.memory_) == 40
        assert_answers(made, made.sampler.draw(), remembered)
        made.net._remember()
        assert made.net.remembered_rows_.tolist() != remembered

    def test_carries_what_the_loss_needs(self, setting):
        made = setting()
        batch = made.sampler.draw()
        answers = made.ready().infer(batch)
        assert answers.codes.tolist() == made.codes[batch.clips].tolist()
        embeddings, _ = embed_batch(made, batch)
        learned = torch.stack(list(embeddings.values()))[:, : made.module.block_sizes[0]]
        torch.testing.assert_close(answers.learned, learned, rtol=0, atol=1e-4)

    def test_the_batch_is_in_the_population_with_its_gradients(self, setting, monkeypatch):
        made, seen = setting(), []
        net = made.ready()
        net.module_.train()
        population_of = net_file.population_of

        def spy(batch, dataset, rows, embeddings):
            seen.append(embeddings)
            return population_of(batch, dataset, rows, embeddings)

        monkeypatch.setattr(net_file, "population_of", spy)
        before, batch = net.memory_.clone(), made.sampler.draw()
        net.infer(batch)
        (seen,) = seen
        # of a fixed direction, since the squares of an embedding of length 1 have none
        weight = torch.arange(seen.shape[1], dtype=seen.dtype)
        mixing = made.module.encoders[0].spatial.weight
        (gradient,) = torch.autograd.grad((seen @ weight).sum(), [mixing])
        assert (gradient != 0).any()
        in_batch = np.isin(np.arange(72), batch.clips)
        assert torch.equal(seen[~in_batch], before[~in_batch])
        assert (seen[in_batch] != before[in_batch]).any(1).all()
        # It is remembered as it was last seen, without its graph.
        assert torch.equal(net.memory_, seen)
        assert not net.memory_.requires_grad

    def test_noise_in_training_only(self, setting):
        made = setting()
        net, batch = made.ready(), made.sampler.draw()

        def logits(seed):
            net._remember()
            net.noise = generator(seed)
            net.module_.train(seed > 0)
            return net.infer(batch).logits

        before = torch.get_rng_state()
        assert torch.equal(logits(0), logits(-1))
        assert torch.equal(logits(1), logits(1))
        assert not torch.equal(logits(1), logits(2))
        assert not torch.equal(logits(1), logits(0))
        assert torch.equal(torch.get_rng_state(), before)

    def test_clips_are_augmented_in_training_only(self, setting, monkeypatch):
        made = setting()
        net, batch = made.ready(), made.sampler.draw()

        def silence(clips, noise):
            assert noise is net.noise
            return clips._replace(signals=tuple(0 * signal for signal in clips.signals))

        def learned(training, change):
            monkeypatch.setattr(net_file, "augment", change)
            net.noise = generator(1)
            net.module_.train(training)
            return net.infer(batch).learned

        def nothing(clips, noise):
            return clips

        assert torch.equal(learned(False, nothing), learned(False, silence))
        assert not torch.equal(learned(True, nothing), learned(True, silence))
        # What is left is dropout.
        assert not torch.equal(learned(True, nothing), learned(False, nothing))

    def test_a_view_that_is_not_there_is_not_used_alone(self, setting):
        made = setting()
        net = made.ready()
        # The second modality of clip 2 was not measured.
        batch = made.sampler.draw()
        while 2 not in batch.query:
            batch = made.sampler.draw()
        at = tuple(np.argwhere(batch.query == 2)[0])
        answers = []
        for views in ([False, True], [True, False], [True, True]):
            batch.query_views[at] = views
            net._remember()
            answers.append(net.infer(batch).logits)
        assert torch.equal(answers[0], answers[1])
        assert torch.equal(answers[1], answers[2])


class TestTraining:
    def test_history(self, setting):
        made = setting(max_epochs=2)
        net = made.net.fit(made.dataset)
        assert [row["epoch"] for row in net.history] == [1, 2]
        for row in net.history:
            assert len(row["batches"]) >= 2
            figures = [batch["valid_acc"] for batch in row["batches"] if "valid_acc" in batch]
            assert len(figures) == 2 and all(0 <= figure <= 1 for figure in figures)
            assert math.isfinite(row["train_loss"]) and math.isfinite(row["valid_loss"])

    def test_validation_sees_the_population_as_it_is_embedded_now(self, setting, monkeypatch):
        made, seen = setting(), []
        validation_step = EpisodicNet.validation_step

        def spy(net, batch, **kwargs):
            if not seen:
                expected = embed_all(net.module_, net.clips_.clips)
                seen.append((net.memory_.clone(), expected))
            return validation_step(net, batch, **kwargs)

        monkeypatch.setattr(EpisodicNet, "validation_step", spy)
        made.net.fit(made.dataset)
        ((memory, expected),) = seen
        torch.testing.assert_close(memory, expected, rtol=0, atol=1e-5)

    def test_without_validation(self, setting):
        made = setting(valid_batches=None)
        net = made.net.fit(made.dataset)
        assert len(net.history) == 1
        assert all("valid_loss" not in batch for batch in net.history[0]["batches"])

    def test_losses_of_training_and_validation(self, setting):
        made = setting()
        net = made.ready()
        answers = net.infer(made.sampler.draw())
        assert net.get_loss(answers, None, training=True) == net.criterion_(answers)
        assert net.get_loss(answers, None, training=False) == answers.cross_entropy()

    def test_batches_are_drawn_anew_each_time(self, setting):
        batches = EpisodeBatches(setting().sampler, 3)
        first, again = list(batches), list(batches)
        assert len(first) == len(again) == 3
        assert not np.array_equal(first[0][0].support, again[0][0].support)
        assert all(batch.ways is ways for batch, ways in first)

    def test_release_leaves_no_training_clips(self, setting):
        made = setting()
        net = made.net.fit(made.dataset)
        weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        assert net.release() is net
        assert not any(value is made.dataset for value in vars(net).values())
        for name in ("clips_", "memory_", "remembered_rows_"):
            assert not hasattr(net, name)
        assert net.train_batches is net.valid_batches is net.noise is None
        assert len(net.history) == 1
        assert all(
            torch.equal(value, weights[name]) for name, value in net.module_.state_dict().items()
        )


class TestFittedNet:
    def test_round_trip(self, setting):
        made = setting(max_epochs=2)
        trained = made.net.fit(made.dataset).release()
        rows = [
            {key: value for key, value in row.items() if key != "batches"}
            for row in trained.history
        ]
        before = torch.get_rng_state()
        net = fitted_net(made.module.train(), rows, "cpu")
        assert torch.equal(torch.get_rng_state(), before)
        assert isinstance(net, EpisodicNet)
        assert net.module_ is made.module
        assert not net.module_.training
        assert [{**row, "batches": []} for row in rows] == list(net.history)
        assert net.history[:, "epoch"] == [1, 2]
        assert "batches" not in rows[0]

"""The learner's own training, on people who check each other."""

import copy

import numpy as np
import pytest
import torch

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import learner as learner_file
from stf2m_sk.training import meta_train
from stf2m_sk.training.answers import SHOTS, EpisodeTensors, population_of, sides
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.learner import train_learner


@pytest.fixture
def ready(plant, sizes):
    """Function that gives a network, its clips, and episodes of two halves of the people."""

    def make():
        population = plant()
        source = torch.Generator().manual_seed(0)
        module = STF2MModule(sizes, generator=source)
        signals = [torch.from_numpy(signal) for signal in population.signals]
        module.calibrate(signals, generator=source)
        clips = module.prepare(signals)
        meta_train._start_rules(module, clips, "k-means", np.random.RandomState(0))
        dataset = TrainingClips(clips, population.codes, population.groups, 3)
        halves = []
        for odd in (0, 1):
            sampler = EpisodeSampler(
                population.codes,
                population.groups,
                among=np.flatnonzero(population.groups % 2 == odd),
                n_modalities=2,
                n_way=3,
                n_support=2,
                n_query=2,
                n_episodes=2,
                view_dropout=0.0,
                unknown_share=0.3,
                generator=np.random.default_rng(odd),
            )
            halves.append(list(sampler.batches(3)))
        return module, dataset, halves

    return make


def every_job(module, dataset, halves):
    return [job for half in halves for job in learner_file._jobs(module, dataset, half)]


def loss_of(module, learner, jobs):
    """Mean cross-entropy over the places that hold a query, a loop over all of them."""
    losses = []
    for job in jobs:
        log_chances = learner_file._answer(module, learner, job).log_softmax(-1)
        targets = job.batch.targets()
        for at in np.ndindex(*log_chances.shape[:-1]):
            if targets[at[1:]] >= 0:
                losses.append(-log_chances[at][targets[at[1:]]])
    return torch.stack(losses).mean()


class TestAnswer:
    def test_equals_all_that_is_read_of_the_clips(self, ready):
        """Fewer columns of what is novel, and the same answer."""
        module, dataset, halves = ready()
        module.double()
        dataset.clips = type(dataset.clips)(
            tuple(signal.double() for signal in dataset.clips.signals),
            tuple(frame.double() for frame in dataset.clips.frames),
            dataset.clips.present.double(),
            dataset.clips.kernels.double(),
        )
        dataset.membership = dataset.membership.double()
        with torch.no_grad():
            module.learner.gate.weight.fill_(0.3)
            every, rows = embed_all(module, dataset.clips), torch.arange(len(dataset))
            read = module.read_ready(dataset.clips)
            every[:, :8] = read[:, :8] = 0.0  # the learned part
            for given, job in zip(halves[0], every_job(module, dataset, halves[:1]), strict=True):
                batch = EpisodeTensors.of(given, "cpu")
                support, query = sides(batch, read[batch.rows])
                classes = module.learner(
                    population_of(batch, dataset, rows, every),
                    module.ridge(n_support=1),
                    support,
                    batch.support_membership(support.dtype),
                    batch.support_weights(SHOTS, support.dtype),
                )
                logits = learner_file._answer(module, module.learner, job)
                there = (batch.ways >= 0)[:, None].expand_as(logits[0])
                expected = classes.logits(query)
                for got, wanted in zip(logits, expected, strict=True):
                    torch.testing.assert_close(got[there], wanted[there])

    def test_nothing_that_was_trained_is_shown(self, ready):
        module, dataset, halves = ready()
        before = every_job(module, dataset, halves)
        with torch.no_grad():
            for parameter in module.encoders.parameters():
                parameter.add_(1.0)
        for one, other in zip(before, every_job(module, dataset, halves), strict=True):
            assert torch.equal(one.support, other.support)
            assert torch.equal(one.query, other.query)
            assert torch.equal(one.knowledge.precision, other.knowledge.precision)


class TestTraining:
    def test_lowers_the_loss_and_changes_the_learner_only(self, ready, monkeypatch):
        monkeypatch.setattr(learner_file, "_is_clear", lambda gains: True)
        module, dataset, halves = ready()
        # A poor start: the learner trusts nobody and is sure of everything.
        with torch.no_grad():
            module.learner.log_support_weight.fill_(-3.0)
            module.learner.log_scale[0] = 4.0
        before = {name: value.clone() for name, value in module.state_dict().items()}
        jobs = every_job(module, dataset, halves)
        start = loss_of(module, module.learner, jobs)
        train_learner(module, dataset, halves)
        assert loss_of(module, module.learner, jobs) < 0.7 * start
        changed = {
            name
            for name, value in module.state_dict().items()
            if not torch.equal(value, before[name])
        }
        assert changed and all(name.startswith("learner.") for name in changed)
        assert not module.training
        assert all(parameter.grad is None for parameter in module.parameters())

    def test_first_step_goes_down_the_gradient_of_the_first_episodes(self, ready, monkeypatch):
        monkeypatch.setattr(learner_file, "_STEPS", 1)
        module, dataset, halves = ready()
        with torch.no_grad():
            module.learner.gate.weight.fill_(0.3)
        jobs = every_job(module, dataset, halves)
        parameters = list(module.learner.parameters())
        gradients = torch.autograd.grad(
            loss_of(module, module.learner, jobs[:1]), parameters, allow_unused=True
        )
        trained = learner_file._trained(module, jobs)
        for start, now, gradient in zip(parameters, trained.parameters(), gradients, strict=True):
            clear = gradient.abs() > 1e-4
            assert ((now - start)[clear].sign() == -gradient[clear].sign()).all()

    def test_stays_near_its_start_where_the_pull_is_strong(self, ready, monkeypatch):
        monkeypatch.setattr(learner_file, "_STEPS", 20)
        module, dataset, halves = ready()
        jobs, moves = every_job(module, dataset, halves), []
        for pull in (0.0, 10.0):
            monkeypatch.setattr(learner_file, "_PULL", pull)
            trained = learner_file._trained(module, jobs)
            pairs = zip(trained.parameters(), module.learner.parameters(), strict=True)
            moves.append(sum((now - start).square().sum().item() for now, start in pairs))
        assert moves[1] < 0.2 * moves[0]

    def test_is_repeatable_and_draws_nothing(self, ready, monkeypatch):
        monkeypatch.setattr(learner_file, "_STEPS", 5)
        monkeypatch.setattr(learner_file, "_is_clear", lambda gains: True)
        before = torch.get_rng_state()
        states = []
        for _ in range(2):
            module, dataset, halves = ready()
            train_learner(module, dataset, halves)
            states.append(module.learner.state_dict())
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


class TestWhetherItIsKept:
    def test_where_others_do_not_gain_only_the_scale_is_learned(self, ready, monkeypatch):
        monkeypatch.setattr(learner_file, "_STEPS", 3)
        monkeypatch.setattr(learner_file, "_is_clear", lambda gains: False)
        module, dataset, halves = ready()
        before = copy.deepcopy(module.learner.state_dict())
        train_learner(module, dataset, halves)
        changed = {
            n for n, v in module.learner.state_dict().items() if not torch.equal(v, before[n])
        }
        assert changed == {"log_scale"}

    def test_each_half_is_checked_by_the_other(self, ready, monkeypatch):
        trained_on, checked, jobs_of = [], [], learner_file._jobs
        sides_of = {}

        def jobs(module, dataset, batches):
            made = jobs_of(module, dataset, batches)
            sides_of.update((id(job.support), len(trained_on) + len(sides_of) // 3) for job in made)
            kept.extend(made)
            return made

        kept = []
        monkeypatch.setattr(learner_file, "_jobs", jobs)
        monkeypatch.setattr(
            learner_file,
            "_trained",
            lambda module, jobs: (
                trained_on.append({sides_of[id(j.support)] for j in jobs}) or module.learner
            ),
        )
        monkeypatch.setattr(
            learner_file,
            "_gains",
            lambda module, learner, job: (
                checked.append((len(trained_on), sides_of[id(job.support)])) or torch.zeros(2)
            ),
        )
        train_learner(*ready())
        assert trained_on == [{0}, {1}]
        assert checked == [(1, 1)] * 3 + [(2, 0)] * 3

    def test_gains_are_those_of_answers_with_support(self, ready, monkeypatch):
        module, dataset, halves = ready()
        job = every_job(module, dataset, halves)[0]
        targets = job.batch.targets()
        other = copy.deepcopy(module.learner)
        right = {0: targets.clone(), 1: targets.clone()}
        wrong = torch.where(targets >= 0, (targets + 1) % 3, targets)

        def answer(module, learner, job):
            # The other learner is right after some support, its start without support only.
            said = torch.stack([right[0] if s else wrong for s in SHOTS])
            if learner is module.learner:
                said = torch.stack([wrong if s else right[1] for s in SHOTS])
            return torch.nn.functional.one_hot(said.clamp_min(0), 3).float()

        monkeypatch.setattr(learner_file, "_answer", answer)
        assert learner_file._gains(module, other, job).tolist() == [1.0, 1.0]
        assert learner_file._gains(module, module.learner, job).tolist() == [0.0, 0.0]

    @pytest.mark.parametrize(
        ("gains", "clear"),
        [
            ([0.04, 0.04, 0.04, 0.04], True),
            ([0.02, 0.02, 0.02, 0.02], False),  # clear, and too little
            ([0.5, -0.42, 0.5, -0.42], False),  # 0.04 on average, and no more than chance
            ([-0.1, -0.1, -0.1, -0.1], False),
        ],
    )
    def test_a_clear_gain(self, gains, clear):
        assert learner_file._is_clear(torch.tensor(gains)) is clear

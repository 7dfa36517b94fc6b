"""The learner's own training, on people held out."""

import numpy as np
import pytest
import torch

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import learner as learner_file
from stf2m_sk.training import meta_train
from stf2m_sk.training.answers import EpisodeTensors, answer_episodes, population_of
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.learner import train_learner
from stf2m_sk.training.loss import EpisodeAnswers


@pytest.fixture
def ready(plant, sizes):
    """Function that gives a network, its clips, and episodes of two people; the same each time."""

    def make():
        population = plant()
        source = torch.Generator().manual_seed(0)
        module = STF2MModule(sizes, generator=source)
        signals = [torch.from_numpy(signal) for signal in population.signals]
        module.calibrate(signals, generator=source)
        clips = module.prepare(signals)
        meta_train._start_rules(module, clips, "k-means", np.random.RandomState(0))
        dataset = TrainingClips(clips, population.codes, population.groups, 3)
        sampler = EpisodeSampler(
            population.codes,
            population.groups,
            among=np.flatnonzero(population.groups >= 4),
            n_modalities=2,
            n_way=3,
            n_support=2,
            n_query=2,
            n_episodes=2,
            view_dropout=0.0,
            unknown_share=0.3,
            generator=np.random.default_rng(0),
        )
        return module, dataset, list(sampler.batches(3))

    return make


def loss_of(module, dataset, batches):
    """Mean cross-entropy of the episodes."""
    embeddings, rows = embed_all(module, dataset.clips), torch.arange(len(dataset))
    losses = []
    for batch in (EpisodeTensors.of(batch, "cpu") for batch in batches):
        population = population_of(batch, dataset, rows, embeddings)
        logits = answer_episodes(
            module.learner, module.block_sizes, batch, embeddings[batch.rows], population
        )
        losses.append(EpisodeAnswers(logits, batch.targets(), None, None).cross_entropy())
    return torch.stack(losses).mean()


def test_lowers_the_loss_and_changes_the_learner_only(ready):
    module, dataset, batches = ready()
    # A poor start: the learner trusts nobody and is sure of everything.
    with torch.no_grad():
        module.learner.log_support_weight.fill_(-3.0)
        module.learner.log_scale[0] = 4.0
    before = {name: value.clone() for name, value in module.state_dict().items()}
    start = loss_of(module, dataset, batches)
    train_learner(module, dataset, batches)
    assert loss_of(module, dataset, batches) < 0.7 * start
    changed = {
        name for name, value in module.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed and all(name.startswith("learner.") for name in changed)
    assert not module.training


def test_first_step_goes_down_the_gradient_of_the_first_batch(ready, monkeypatch):
    monkeypatch.setattr(learner_file, "_STEPS", 1)
    module, dataset, batches = ready()
    with torch.no_grad():
        module.learner.gate.weight.fill_(0.3)
    parameters = list(module.learner.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    gradients = torch.autograd.grad(loss_of(module, dataset, batches[:1]), parameters)
    train_learner(module, dataset, batches)
    for start, now, gradient in zip(before, parameters, gradients, strict=True):
        clear = gradient.abs() > 1e-4
        assert ((now - start)[clear].sign() == -gradient[clear].sign()).all()


def test_stays_near_its_start_where_the_pull_is_strong(ready, monkeypatch):
    monkeypatch.setattr(learner_file, "_STEPS", 20)
    moves = []
    for pull in (0.0, 10.0):
        monkeypatch.setattr(learner_file, "_PULL", pull)
        module, dataset, batches = ready()
        starts = [parameter.detach().clone() for parameter in module.learner.parameters()]
        train_learner(module, dataset, batches)
        pairs = zip(module.learner.parameters(), starts, strict=True)
        moves.append(sum((now - start).square().sum().item() for now, start in pairs))
    assert moves[1] < 0.2 * moves[0]


def test_is_repeatable_and_draws_nothing(ready, monkeypatch):
    monkeypatch.setattr(learner_file, "_STEPS", 5)
    before = torch.get_rng_state()
    states = []
    for _ in range(2):
        module, dataset, batches = ready()
        train_learner(module, dataset, batches)
        states.append(module.learner.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("best", [1, 10, 100])
def test_what_was_trained_is_trusted_as_people_held_out_say(ready, monkeypatch, best):
    module, _, _ = ready()
    before = module.learner.log_ridge.detach().clone()

    def loss(module, batch, population, embeddings):
        factor = torch.exp(module.learner.log_ridge[0] - before[0]).item()
        return abs(np.log(factor / best)) + batch

    monkeypatch.setattr(learner_file, "_loss", loss)
    learner_file._choose_distrust(module, [0.0, 1.0], [None, None], None)
    changed = torch.exp(module.learner.log_ridge - before).detach()
    torch.testing.assert_close(changed, torch.tensor([float(best), 1.0, 1.0, 1.0]))

"""How far what was trained is trusted."""

import numpy as np
import pytest
import torch

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training import distrust as distrust_file
from stf2m_sk.training.clips import TrainingClips
from stf2m_sk.training.distrust import choose_distrust
from stf2m_sk.training.episodes import EpisodeSampler


@pytest.fixture
def ready(plant, sizes):
    """A network, its clips, and episodes of two people."""
    population, source = plant(), torch.Generator().manual_seed(0)
    module = STF2MModule(sizes, generator=source)
    signals = [torch.from_numpy(signal) for signal in population.signals]
    module.calibrate(signals, generator=source)
    dataset = TrainingClips(module.prepare(signals), population.codes, population.groups, 3)
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
    return module, dataset, list(sampler.batches(2))


@pytest.mark.parametrize("best", [0.01, 0.1, 1, 10, 100])
def test_is_that_of_least_loss(ready, monkeypatch, best):
    module, dataset, batches = ready
    before = module.learner.log_ridge.detach().clone()

    def loss(module, batch, population, embeddings):
        factor = torch.exp(module.learner.log_ridge[0] - before[0]).item()
        return abs(np.log(factor / best)) + len(batch.ways)

    monkeypatch.setattr(distrust_file, "_loss", loss)
    choose_distrust(module, dataset, batches)
    changed = torch.exp(module.learner.log_ridge - before).detach()
    torch.testing.assert_close(changed, torch.tensor([float(best), 1.0, 1.0, 1.0]))
    assert not module.training


def test_what_means_nothing_is_not_trusted(ready):
    module, dataset, batches = ready
    noise = torch.Generator().manual_seed(1)

    def embed(clips, views, generator=None):
        return torch.randn(len(views), 8, generator=noise)

    module.encode = embed
    choose_distrust(module, dataset, batches)
    assert module.learner.log_ridge[0].exp() >= 100.0


def test_nothing_else_changes(ready):
    module, dataset, batches = ready
    before = {name: value.clone() for name, value in module.state_dict().items()}
    drawn = torch.get_rng_state()
    choose_distrust(module, dataset, batches)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]) or name == "learner.log_ridge"
    assert torch.equal(module.learner.log_ridge[1:], before["learner.log_ridge"][1:])
    assert torch.equal(torch.get_rng_state(), drawn)

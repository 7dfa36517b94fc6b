"""How far to trust a person over the population: learned on people held out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training.answers import EpisodeTensors, answer_episodes, population_of
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeBatch

__all__ = ["train_learner"]

_DISTRUSTS = (1.0, 10.0, 100.0)  # factors of the ridges of what was trained
_STEPS = 60
_LEARNING_RATE = 0.02
_PULL = 0.1  # towards the start: a few held-out people say little about a hundred numbers


def train_learner(
    module: STF2MModule, dataset: TrainingClips, batches: Sequence[EpisodeBatch]
) -> None:
    """Train the meta-recurrent learner alone, on episodes of people the encoder has not seen.

    On the people that the encoder was trained on its embeddings look better than they are for
    anybody else; a learner trained there trusts them too much. On held-out people it learns
    what each part of an embedding, the population and a support clip are really worth.

    Parameters
    ----------
    module : STF2MModule
        Network with a trained encoder; only its learner is changed, in place.
    dataset : TrainingClips
        All clips; an episode's population is all other people's.
    batches : sequence of EpisodeBatch
        Episodes of the people held out.

    Notes
    -----
    Ours.
    """
    module.eval()
    device = dataset.codes.device
    rows = torch.arange(len(dataset), device=device)
    embeddings = embed_all(module, dataset.clips)
    episodes = [EpisodeTensors.of(batch, device) for batch in batches]
    populations = [population_of(batch, dataset, rows, embeddings) for batch in episodes]
    _choose_distrust(module, episodes, populations, embeddings)
    parameters = list(module.learner.parameters())
    starts = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.Adam(parameters, lr=_LEARNING_RATE)
    for step in range(_STEPS):
        i = step % len(episodes)
        loss = _loss(module, episodes[i], populations[i], embeddings)
        pairs = zip(parameters, starts, strict=True)
        pull = sum((now - start).square().sum() for now, start in pairs)
        optimizer.zero_grad()
        (loss + _PULL * pull).backward()
        optimizer.step()


@torch.no_grad()
def _choose_distrust(module, episodes, populations, embeddings) -> None:
    """Set the ridges of what was trained to what serves the people held out best."""
    pairs = list(zip(episodes, populations, strict=True))
    losses, last = {}, 1.0
    for factor in _DISTRUSTS:
        module.distrust_training(factor / last)
        losses[factor] = sum(float(_loss(module, *pair, embeddings)) for pair in pairs)
        last = factor
    module.distrust_training(min(losses, key=losses.get) / last)


def _loss(module, batch, population, embeddings):
    logits = answer_episodes(
        module.learner, module.block_sizes, batch, embeddings[batch.rows], population
    )
    targets = batch.targets().expand(logits.shape[:-1])
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=-1)

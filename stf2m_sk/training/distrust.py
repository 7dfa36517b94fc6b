"""How far what was trained is to be trusted: chosen on people held out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training.answers import EpisodeTensors, answer_episodes, population_of
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeBatch

__all__ = ["choose_distrust"]

_DISTRUSTS = (
    1.0,
    0.01,
    0.1,
    10.0,
    100.0,
)  # factors of the ridge of what was trained; the first of equals


@torch.no_grad()
def choose_distrust(
    module: STF2MModule, dataset: TrainingClips, batches: Sequence[EpisodeBatch]
) -> None:
    """Set the ridge of what was trained to what serves the people held out best.

    On the people that the encoder was trained on its embeddings look better than they are for
    anybody else; only others can tell what they are worth.

    Parameters
    ----------
    module : STF2MModule
        Network with a trained encoder; only the ridge of the learned part is changed, in place.
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

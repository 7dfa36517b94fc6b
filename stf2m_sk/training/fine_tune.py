"""A few gradient steps towards the clips at hand, from a network that was meta-trained before."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training.answers import (
    EpisodeTensors,
    answer_episodes,
    knowledge_of_ways,
    usable_views,
)
from stf2m_sk.training.augmentation import augment
from stf2m_sk.training.clips import TrainingClips
from stf2m_sk.training.episodes import EpisodeSampler
from stf2m_sk.training.meta_train import TrainingPlan

__all__ = ["fine_tune"]

_BATCHES_PER_EPOCH = 4
_EPISODES_PER_BATCH = 4
_WEIGHT_DECAY = 0.05
_SPEED = 0.1  # of meta-training: the population was summed up with the weights as they were


def fine_tune(
    module: STF2MModule,
    knowledge: MetaKnowledge,
    signals: Sequence[NDArray[np.float32]],
    codes: NDArray[np.integer],
    groups: NDArray[np.integer] | None,
    plan: TrainingPlan,
    random_state: np.random.RandomState,
) -> tuple[STF2MModule, list[dict]]:
    """Train a copy of a network on episodes of new clips.

    An episode starts from the population's knowledge, which stays as it is, reads its support
    and is asked its queries: the learned convolutions learn to make just this work. Random
    kernels, rules and the meta-recurrent learner stay as meta-training left them.

    Parameters
    ----------
    module : STF2MModule
        Meta-trained network; not changed.
    knowledge : MetaKnowledge
        What the population says of the classes of `codes`, in their order.
    signals : sequence of float32 array (n_clips, n_channels, n_timesteps)
        One array a modality, NaN where not measured.
    codes : int array of shape (n_clips,)
        Class codes.
    groups : int array of shape (n_clips,) or None
        Codes of the people; an episode is inside one of them.
    plan : TrainingPlan
        How to train; `max_epochs` epochs of four batches, at a tenth of `learning_rate`.
    random_state : numpy.random.RandomState
        Source of all randomness.

    Returns
    -------
    module : STF2MModule
        A trained copy, on the device of the plan.
    history : list of dict
        `epoch`, `train_loss` and `dur` (seconds) of each epoch.

    Raises
    ------
    ValueError
        If no person has two clips of each of two classes.

    Notes
    -----
    Ours.
    """
    seeds = random_state.randint(np.iinfo(np.int32).max, size=2)
    sampler = EpisodeSampler(
        codes,
        groups,
        n_modalities=len(signals),
        n_way=plan.n_way,
        n_support=plan.n_support,
        n_query=plan.n_query,
        n_episodes=_EPISODES_PER_BATCH,
        view_dropout=plan.view_dropout,
        unknown_share=0.0,
        generator=np.random.default_rng(int(seeds[0])),
    )
    noise = torch.Generator(device=plan.device).manual_seed(int(seeds[1]))
    module = copy.deepcopy(module).to(plan.device)
    knowledge = MetaKnowledge(*(part.to(plan.device, torch.float32) for part in knowledge))
    with torch.no_grad():
        clips = module.prepare([torch.tensor(s, device=plan.device) for s in signals])
    dataset = TrainingClips(clips, codes, groups, len(knowledge.known))
    parameters = [p for name, p in module.named_parameters() if not name.startswith("learner.")]
    optimizer = torch.optim.AdamW(
        parameters, lr=_SPEED * plan.learning_rate, weight_decay=_WEIGHT_DECAY
    )
    history = []
    for epoch in range(plan.max_epochs):
        start, losses = time.perf_counter(), []
        for batch in sampler.batches(_BATCHES_PER_EPOCH):
            loss = _loss(module, dataset, EpisodeTensors.of(batch, plan.device), knowledge, noise)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        seconds = time.perf_counter() - start
        history.append({"epoch": epoch + 1, "train_loss": float(np.mean(losses)), "dur": seconds})
    return module.eval(), history


def _loss(module, dataset, batch, knowledge, noise):
    clips = dataset.clips.take(batch.rows)
    views = usable_views(batch.views, clips.present)
    embeddings = module.embed(augment(clips, noise), views, noise)
    logits = answer_episodes(
        module.learner,
        module.block_sizes,
        batch,
        embeddings,
        knowledge_of_ways(knowledge, batch.ways),
    )
    targets = batch.targets().expand(logits.shape[:-1])
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=-1)

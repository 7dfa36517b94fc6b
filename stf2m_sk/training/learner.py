"""How far to trust a person over the population: learned on people, believed if others agree."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.training.answers import SHOTS, EpisodeTensors, population_of, sides
from stf2m_sk.training.clips import TrainingClips, embed_all
from stf2m_sk.training.episodes import EpisodeBatch

__all__ = ["train_learner"]

_SCALE_STEPS = 24
_SCALE_RATE = 0.1
_STEPS = 80
_LEARNING_RATE = 0.02
_PULL = 0.03  # towards the start: a few people say little about a hundred numbers
_LEAST_GAIN = 0.03  # of accuracy; what a few people gain by less than that, others may lose
_ERRORS_CLEAR = 2.0  # standard errors by which the gain must be clear of 0


class _Job(NamedTuple):
    """Episodes, ready to be answered over and over."""

    batch: EpisodeTensors
    knowledge: MetaKnowledge
    support: Tensor
    query: Tensor
    novelty_sizes: list[int]


def train_learner(
    module: STF2MModule, dataset: TrainingClips, halves: Sequence[Sequence[EpisodeBatch]]
) -> None:
    """Train the meta-recurrent learner alone, and keep that if other people gain by it.

    What the encoder has learned looks better on the people that it was trained on than on
    anybody else, so it is not shown: random kernels and rules, which saw no label, are. What is
    novel in a clip is shown too, as it will be. The learner is trained on one half of the people
    and compared on the other with how it started, and the other way round; if the answers after
    some support gain clearly, it is trained on all of them. If not it stays the closed form that
    it starts as. How sure the answers are (the scale of the logits) is learned in any case.

    Parameters
    ----------
    module : STF2MModule
        Network with a trained encoder; only its learner is changed, in place.
    dataset : TrainingClips
        All clips; an episode's population is all other people's.
    halves : two sequences of EpisodeBatch
        Episodes of one half of the people (without people, of the clips) and of the other.

    Notes
    -----
    Ours.
    """
    module.eval()
    halves = [_jobs(module, dataset, batches) for batches in halves]
    every = [job for pair in zip(*halves, strict=True) for job in pair]
    _descend(module, module.learner, [module.learner.log_scale], every, _SCALE_STEPS, _SCALE_RATE)
    gains = []
    for known, new in (halves, halves[::-1]):
        learner = _trained(module, known)
        gains += [_gains(module, learner, job) for job in new]
    if _is_clear(torch.cat(gains)):
        module.learner.load_state_dict(_trained(module, every).state_dict())


@torch.no_grad()
def _jobs(module, dataset, batches) -> list[_Job]:
    device = dataset.codes.device
    rows = torch.arange(len(dataset), device=device)
    embeddings = _without_learned(module, embed_all(module, dataset.clips))
    jobs = []
    for batch in (EpisodeTensors.of(batch, device) for batch in batches):
        clips = _without_learned(module, module.read_ready(dataset.clips.take(batch.rows)))
        knowledge = population_of(batch, dataset, rows, embeddings)
        jobs.append(_Job(batch, knowledge, *_compact(*sides(batch, clips), module.novelty_sizes)))
    return jobs


def _without_learned(module, embeddings: Tensor) -> Tensor:
    n_learned = module.block_sizes[0]
    return F.pad(embeddings[:, n_learned:], (n_learned, 0))


def _compact(support, query, novelty_sizes) -> tuple[Tensor, Tensor, list[int]]:
    """The same inner products of what is novel in an episode's clips, in as few columns."""
    clips = torch.cat([support, query], dim=1)
    familiar, *novel = clips.split([clips.shape[2] - sum(novelty_sizes), *novelty_sizes], dim=2)
    novel = [torch.linalg.qr(block.mT, mode="r").R.mT for block in novel]
    clips = torch.cat([familiar, *novel], dim=2)
    support, query = clips.split([support.shape[1], query.shape[1]], dim=1)
    return support, query, [block.shape[2] for block in novel]


def _answer(module: STF2MModule, learner: MetaRecurrentLearner, job: _Job) -> Tensor:
    ridge = module.ridge(n_support=1, learner=learner, novelty_sizes=job.novelty_sizes)
    dtype = job.support.dtype
    classes = learner(
        job.knowledge,
        ridge,
        job.support,
        job.batch.support_membership(dtype),
        job.batch.support_weights(SHOTS, dtype),
    )
    return classes.logits(job.query).masked_fill((job.batch.ways < 0)[:, None], -torch.inf)


def _trained(module: STF2MModule, jobs: list[_Job]) -> MetaRecurrentLearner:
    """A copy of the learner, trained."""
    learner = copy.deepcopy(module.learner)
    _descend(module, learner, list(learner.parameters()), jobs, _STEPS, _LEARNING_RATE)
    return learner


def _descend(module, learner, parameters, jobs, n_steps, rate) -> None:
    starts = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for step in range(n_steps):
        job = jobs[step % len(jobs)]
        logits = _answer(module, learner, job)
        targets = job.batch.targets().expand(logits.shape[:-1])
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=-1)
        pairs = zip(parameters, starts, strict=True)
        pull = sum((now - start).square().sum() for now, start in pairs)
        gradients = torch.autograd.grad(loss + _PULL * pull, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
    for parameter in parameters:
        parameter.grad = None


@torch.no_grad()
def _gains(module, learner, job: _Job) -> Tensor:
    """Accuracy with support that the learner has over how it started: (n_episodes,)."""
    targets = job.batch.targets()
    real = targets >= 0
    shares = []
    for one in (learner, module.learner):
        right = (_answer(module, one, job).argmax(-1) == targets) & real
        with_support = torch.tensor(SHOTS, device=right.device) > 0
        shares.append(right[with_support].float().mean(0).sum(-1) / real.sum(-1))
    return shares[0] - shares[1]


def _is_clear(gains: Tensor) -> bool:
    error = gains.std() / len(gains) ** 0.5
    return bool(gains.mean() > max(_LEAST_GAIN, _ERRORS_CLEAR * error))

"""The model's numbers, learned on episodes of people who are left out of the population."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.population import Numbers, shift_known, with_shift_known
from stf2m_sk.nn.readout import logits, read_networks
from stf2m_sk.nn.recurrence import solve_support
from stf2m_sk.training.episodes import Episodes
from stf2m_sk.training.left_out import Layout, LeftOut, left_out

__all__ = ["START", "learn_numbers"]

START = Numbers(
    person_variance=0.5,
    support_precision=16.0,
    shift_clips=10.0,
    temperature=3.0,
    variance_factor=1.0,
    network_gain=0.3,
    network_noise=0.5,
)
_START_WEIGHT = 1.0  # of all blocks together
_STEPS = 15  # of L-BFGS
_FARTHEST = 10.0  # from the start, in log units: keeps the matrices well conditioned
_PULL_OF_BLOCKS = 1e-3  # of block weights towards their mean, per squared log unit
_PULL = 3e-4  # of the numbers towards their start
_FEWEST_JUDGES = 4  # people; of fewer no half can judge the other
_LEARNED = ("person_variance", "support_precision", "temperature", "variance_factor")
_OF_PROBABILITIES = ("temperature", "variance_factor")
_OF_NETWORKS = ("network_gain", "network_noise")
_SHIFT_CLIPS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def learn_numbers(
    grams: Tensor,
    shares: Tensor,
    people: NDArray[np.integer],
    episodes: list[Episodes],
    in_order: list[Episodes],
    scores: Tensor | None = None,
) -> tuple[Tensor, Numbers]:
    """Block weights and numbers by which people who are left out are best recognised.

    Parameters
    ----------
    grams : Tensor of shape (n_blocks, n_clips, n_clips)
        Products of the clips' standardised features, block by block; float64.
    shares : Tensor of shape (n_clips, n_classes)
        Shares of the classes in each clip, one-hot for a label; float64.
    people : int array of shape (n_clips,)
        Codes of the people, 0 to n_people - 1.
    episodes : list of Episodes
        Of several numbers of shots; the population of each is everybody else.
    in_order : list of Episodes
        The same, queries after supports: as people are met after `adapt`.
    scores : Tensor of shape (n_clips, n_classes), optional
        What networks say of clips that they have not seen.

    Returns
    -------
    Tensor of shape (n_blocks,)
        Block weights.
    Numbers
        Of the model. Where there is no episode, or one person only, all are at their start.

    Notes
    -----
    Minimises the cross-entropy of the episodes' queries, classes counted alike, by L-BFGS. The
    posterior of every person given all others is read off one inverse (`left_out`). The share
    of an unlabelled person's shift is then chosen from a few values. Temperature and variance
    factor are chosen once more, with the networks' gain and noise, on the episodes in order and
    cross-fitted over halves of the people. Ours.
    """
    problem = _Problem.of(grams, shares, people, episodes)
    if not episodes or people.max() == 0:
        return problem.unpacked(problem.start)
    weights, numbers = problem.solved()
    numbers = numbers._replace(shift_clips=problem.shift_clips(weights, numbers))
    halves = problem.halves(weights, numbers)
    if scores is not None:
        names = (*_OF_PROBABILITIES, *_OF_NETWORKS)
        numbers = problem.calibrated(names, numbers, halves, problem.tasks, scores)
    later = [_Task.of(own, problem.layout, shares) for own in in_order]
    return weights, problem.calibrated(_OF_PROBABILITIES, numbers, halves, later, scores)


class _Problem(NamedTuple):
    """Clips and episodes from which the numbers are learned."""

    grams: Tensor
    shares: Tensor
    people: NDArray[np.integer]
    episodes: list[Episodes]
    targets: Tensor
    layout: Layout
    tasks: list[_Task]

    @classmethod
    def of(cls, grams, shares, people, episodes) -> _Problem:
        layout = Layout.of(people)
        tasks = [_Task.of(own, layout, shares) for own in episodes]
        return cls(grams, shares, people, episodes, 2.0 * shares - 1.0, layout, tasks)

    @property
    def start(self) -> Tensor:
        """Logarithms of block weights and learned numbers before anything is learned."""
        blocks = [math.log(_START_WEIGHT / len(self.grams))] * len(self.grams)
        learned = [math.log(getattr(START, name)) for name in _LEARNED]
        return torch.tensor([*blocks, *learned], dtype=torch.float64)

    def unpacked(self, values: Tensor) -> tuple[Tensor, Numbers]:
        """Block weights and numbers; Tensors while they are learned, floats after."""
        positive = values.exp()
        learned = positive[len(self.grams) :]
        learned = learned.unbind() if values.requires_grad else learned.tolist()
        named = dict(zip(_LEARNED, learned, strict=True))
        return positive[: len(self.grams)], START._replace(**named)

    def solved(self) -> tuple[Tensor, Numbers]:
        """Block weights and numbers with the least cross-entropy."""
        start = self.start

        def loss(values: Tensor) -> Tensor:
            weights, numbers = self.unpacked(values)
            scores = self.scores(weights, numbers)
            losses = [task.loss(scores, self.targets, self.layout, numbers) for task in self.tasks]
            return sum(losses) / len(losses) + _pull(values, start, len(self.grams))

        return self.unpacked(_minimised(loss, start))

    def scores(self, weights: Tensor, numbers: Numbers) -> LeftOut:
        """Of everybody's clips, given all others."""
        gram = torch.einsum("b,bij->ij", weights, self.grams)
        return left_out(gram, self.targets, self.layout, numbers.person_variance)

    def centred_scores(self, weights: Tensor, numbers: Numbers) -> LeftOut:
        """As `scores`, with every person's shift known from all of their clips."""
        gram = torch.einsum("b,bij->ij", weights, self.grams)
        people = torch.from_numpy(self.people)
        size = people.bincount().to(gram.dtype)[:, None]
        known = shift_known(size, numbers)

        def centred(rows: Tensor) -> Tensor:
            sums = rows.new_zeros(len(size), rows.shape[1]).index_add(0, people, rows)
            return rows - (known / size * sums)[people]

        level = with_shift_known(numbers, known[people]).person_variance
        return left_out(centred(centred(gram).T), self.targets, self.layout, level)

    def shift_clips(self, weights: Tensor, numbers: Numbers) -> float:
        """How many clips had best show half of an unlabelled person's shift."""
        losses = []
        for shift_clips in _SHIFT_CLIPS:
            trial = numbers._replace(shift_clips=shift_clips)
            scores = self.centred_scores(weights, trial)
            each = [task.loss(scores, self.targets, self.layout, trial) for task in self.tasks]
            losses.append(float(sum(each)))
        return _SHIFT_CLIPS[int(np.argmin(losses))]

    def calibrated(
        self,
        names: Sequence[str],
        numbers: Numbers,
        halves: list[_Half],
        tasks: list[_Task],
        scores: Tensor | None,
    ) -> Numbers:
        """Numbers by which probabilities are right for new people.

        Chosen on scores of people by whom the block weights were not chosen. All queries count
        alike, since probabilities are to be right for clips as they occur.
        """
        shown = [seen for half in halves for seen in self._judged(half, numbers, tasks, scores)]
        start = torch.tensor([getattr(numbers, name) for name in names], dtype=torch.float64).log()

        def loss(values: Tensor) -> Tensor:
            own = numbers._replace(**dict(zip(names, values.exp(), strict=True)))
            each = [
                -task.log_probabilities(*read, own)[task.weight > 0].mean() for task, *read in shown
            ]
            return sum(each) / len(each) + _PULL * (values - start).square().sum()

        found = _minimised(loss, start).exp().tolist()
        return numbers._replace(**dict(zip(names, found, strict=True)))

    def _judged(self, half, numbers, tasks, scores):
        """Tasks with means, variances and networks' scores, without and with the shift known."""
        tasks = [task.of_people(half.judges) for task in tasks]
        weights = half.weights
        numbers = half.numbers._replace(shift_clips=numbers.shift_clips)
        people = torch.from_numpy(self.people)
        size = people.bincount().to(weights.dtype)
        for is_known, given in (
            (0.0, self.scores(weights, numbers)),
            (1.0, self.centred_scores(weights, numbers)),
        ):
            own = None
            if scores is not None:
                mean = torch.zeros(len(size), scores.shape[1], dtype=scores.dtype)
                mean = mean.index_add(0, people, scores) / size[:, None]
                known = is_known * shift_known(size, numbers)[:, None]
                own = scores - (known * mean)[people]
            for task in tasks:
                read = task.conditioned(given, self.targets, self.layout, numbers)
                rows = self.layout.rows[task.person[:, None], task.query]
                yield task, *read, None if own is None else own[rows]

    def halves(self, weights: Tensor, numbers: Numbers) -> list[_Half]:
        """Each half of the people as judges of what the other half chooses.

        Where people are too few, all of them judge the weights and numbers that are given.
        """
        people = np.unique(self.episodes[0].person)
        if len(people) < _FEWEST_JUDGES:
            return [_Half(people, weights, numbers)]
        first, second = people[::2], people[1::2]
        return [
            _Half(second, *self._of_people(first).solved()),
            _Half(first, *self._of_people(second).solved()),
        ]

    def _of_people(self, kept: NDArray[np.integer]) -> _Problem:
        """The same problem, of some of the people."""
        rows = np.flatnonzero(np.isin(self.people, kept))
        place = np.full(len(self.people) + 1, -1)
        place[rows] = np.arange(len(rows))  # and -1 stays -1
        episodes = []
        for own in self.episodes:
            chosen = np.isin(own.person, kept)
            episodes.append(
                own._replace(
                    person=np.searchsorted(kept, own.person[chosen]),
                    support=place[own.support[chosen]],
                    query=place[own.query[chosen]],
                )
            )
        grams = self.grams[:, rows][:, :, rows]
        people = np.searchsorted(kept, self.people[rows])
        shares = self.shares[rows]
        return _Problem.of(grams, shares[:, shares.sum(0) > 0], people, episodes)


class _Half(NamedTuple):
    """Some people, and weights and numbers that others chose."""

    judges: NDArray[np.integer]
    weights: Tensor
    numbers: Numbers


class _Task(NamedTuple):
    """Episodes of one number of shots, as places among their person's clips."""

    person: Tensor
    support: Tensor
    is_support: Tensor
    query: Tensor
    among: Tensor  # (n_episodes, n_classes): classes that may be answered
    shares: Tensor  # (n_episodes, n_query, n_classes): of those, in each query clip
    weight: Tensor  # (n_episodes, n_query): classes of an episode count alike

    @classmethod
    def of(cls, episodes: Episodes, layout: Layout, shares: Tensor) -> _Task:
        query = torch.from_numpy(episodes.query)
        support = torch.from_numpy(episodes.support)
        own = shares[query.clamp_min(0)]
        shown = F.one_hot(own.argmax(2), own.shape[2]).double() * (query >= 0)[..., None]
        size = shown.sum(1, keepdim=True)
        weight = (shown / size.clamp_min(1.0)).sum(2)
        among = size.squeeze(1) > 0 if episodes.shots else torch.ones_like(size.squeeze(1)) > 0
        own = own * among[:, None]
        return cls(
            torch.from_numpy(episodes.person),
            layout.place[support.clamp_min(0)],
            support >= 0,
            layout.place[query.clamp_min(0)],
            among,
            own / own.sum(2, keepdim=True).clamp_min(1e-9),
            weight / weight.sum(1, keepdim=True),
        )

    def of_people(self, people: NDArray[np.integer]) -> _Task:
        """The episodes of some people."""
        chosen = torch.isin(self.person, torch.from_numpy(people))
        return _Task(*(part[chosen] for part in self))

    def loss(self, scores: LeftOut, targets: Tensor, layout: Layout, numbers: Numbers) -> Tensor:
        """Cross-entropy of the queries after their support, classes counted alike."""
        means, variances = self.conditioned(scores, targets, layout, numbers)
        own = self.log_probabilities(means, variances, None, numbers)
        return -(torch.where(self.weight > 0, own, 0.0) * self.weight).sum(1).mean()

    def log_probabilities(
        self, means: Tensor, variances: Tensor, scores: Tensor | None, numbers: Numbers
    ) -> Tensor:
        """Of each query's own class, or the mean over its shares, (n_episodes, n_query)."""
        variances = variances[..., None]
        if scores is not None:
            means, variances = read_networks(means, variances, scores, numbers)
        scaled = logits(means, variances, numbers.temperature, numbers.variance_factor)
        scaled = scaled.masked_fill(~self.among[:, None], -torch.inf)
        logs = torch.log_softmax(scaled, dim=2).masked_fill(~self.among[:, None], 0.0)
        return (logs * self.shares).sum(2)

    def conditioned(self, scores, targets, layout, numbers) -> tuple[Tensor, Tensor]:
        """Means and variances of the queries' scores after their support."""
        means, covariances = scores.means[self.person], scores.covariances[self.person]
        each = torch.arange(len(self.person))[:, None]
        mean = means[each, self.query]
        variance = covariances[each, self.query, self.query]
        if not self.support.shape[1]:
            return mean, variance
        is_support = self.is_support.to(mean.dtype)
        inner = covariances[each[..., None], self.support[:, :, None], self.support[:, None]]
        inner = inner * is_support[:, :, None] * is_support[:, None]
        cross = covariances[each[..., None], self.support[:, :, None], self.query[:, None]]
        cross = cross * is_support[..., None]
        labels = targets[layout.rows[self.person[:, None], self.support]]
        residual = (labels - means[each, self.support]) * is_support[..., None]
        dual, factor = solve_support(inner, residual, numbers.support_precision)
        gained = torch.linalg.solve_triangular(factor, cross, upper=False)
        return mean + cross.mT @ dual, variance - gained.square().sum(1)


def _pull(values: Tensor, start: Tensor, n_blocks: int) -> Tensor:
    blocks, numbers = values[:n_blocks], (values - start)[n_blocks:]
    apart = (blocks - blocks.mean()).square().sum()
    return _PULL_OF_BLOCKS * apart + _PULL * numbers.square().sum()


def _minimised(loss, start: Tensor) -> Tensor:
    def value_and_gradient(point: NDArray) -> tuple[float, NDArray]:
        values = torch.from_numpy(point.copy()).requires_grad_()
        value = loss(values)
        (gradient,) = torch.autograd.grad(value, values)
        return value.item(), gradient.numpy()

    found = minimize(
        value_and_gradient,
        start.numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(value - _FARTHEST, value + _FARTHEST) for value in start.tolist()],
        options={"maxiter": _STEPS},
    )
    return torch.from_numpy(found.x)

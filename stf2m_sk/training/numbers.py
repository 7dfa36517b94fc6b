"""The model's numbers, learned on episodes of people who are left out of the population."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from stf2m_sk.nn.recurrence import Numbers, logits, shift_known, solve_support
from stf2m_sk.training.episodes import Episodes

__all__ = ["START", "LeftOut", "learn_numbers", "left_out"]

START = Numbers(
    person_variance=0.5,
    support_precision=16.0,
    shift_clips=10.0,
    temperature=3.0,
    variance_factor=1.0,
)
_START_WEIGHT = 1.0  # of all blocks together
_STEPS = 15  # of L-BFGS
_FARTHEST = 10.0  # from the start, in log units: keeps the matrices well conditioned
_PULL = 1e-3  # towards the start, per squared log unit: without episodes nothing moves
_SHIFT_CLIPS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


class LeftOut(NamedTuple):
    """Scores of every person's clips, given all other people.

    Attributes
    ----------
    means : Tensor of shape (n_people, n_most_clips, n_classes)
        Conditional means; padded with anything.
    covariances : Tensor of shape (n_people, n_most_clips, n_most_clips)
        Conditional covariances, without the noise of labels.
    """

    means: Tensor
    covariances: Tensor


class _Layout(NamedTuple):
    """Where a person's clips are.

    Attributes
    ----------
    rows : Tensor of shape (n_people, n_most_clips)
        Rows of each person's clips; 0 fills up.
    is_clip : Tensor of bool, same shape
        Where there is one.
    place : Tensor of shape (n_clips,)
        Place of each clip among its person's.
    """

    rows: Tensor
    is_clip: Tensor
    place: Tensor

    @classmethod
    def of(cls, people: NDArray[np.integer]) -> _Layout:
        own = [np.flatnonzero(people == p) for p in range(people.max() + 1)]
        most = max(map(len, own))
        rows, place = np.zeros((len(own), most), dtype=np.int64), np.zeros(len(people), np.int64)
        for filled, clips in zip(rows, own, strict=True):
            filled[: len(clips)] = clips
            place[clips] = np.arange(len(clips))
        is_clip = np.arange(most) < np.array([len(clips) for clips in own])[:, None]
        return cls(*map(torch.from_numpy, (rows, is_clip, place)))


def learn_numbers(
    grams: Tensor,
    codes: NDArray[np.integer],
    people: NDArray[np.integer],
    episodes: list[Episodes],
) -> tuple[Tensor, Numbers]:
    """Block weights and numbers by which people who are left out are best recognised.

    Parameters
    ----------
    grams : Tensor of shape (n_blocks, n_clips, n_clips)
        Products of the clips' standardised features, block by block; float64.
    codes : int array of shape (n_clips,)
        Class codes.
    people : int array of shape (n_clips,)
        Codes of the people, 0 to n_people - 1.
    episodes : list of Episodes
        Of several numbers of shots; the population of each is everybody else.

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
    of an unlabelled person's shift comes last, chosen from a few values. Ours.
    """
    n_blocks = len(grams)
    start = _start(n_blocks)
    if not episodes or people.max() == 0:
        return _unpacked(start, n_blocks)
    layout = _Layout.of(people)
    targets = 2.0 * F.one_hot(torch.from_numpy(codes)).double() - 1.0
    tasks = [_Task.of(own, layout, codes) for own in episodes]

    def loss(values: Tensor) -> Tensor:
        weights, numbers = _unpacked(values, n_blocks)
        gram = torch.einsum("b,bij->ij", weights, grams)
        given_others = left_out(gram, targets, layout, numbers.person_variance)
        losses = [task.loss(given_others, targets, layout, numbers) for task in tasks]
        return sum(losses) / len(losses) + _PULL * (values - start).square().sum()

    values = _minimised(loss, start)
    weights, numbers = _unpacked(values, n_blocks)
    gram = torch.einsum("b,bij->ij", weights, grams)
    return weights, _with_shift(gram, targets, layout, tasks, numbers)


def left_out(gram: Tensor, targets: Tensor, layout: _Layout, person_variance) -> LeftOut:
    """Condition every person's scores on all other people's labels, from one inverse.

    Parameters
    ----------
    gram : Tensor of shape (n_clips, n_clips)
        Covariance of the clips' scores without the level of a person.
    targets : Tensor of shape (n_clips, n_classes)
        +1 and -1.
    layout : _Layout
        Which clips are whose.
    person_variance : float or Tensor
        Variance of a person's level.

    Returns
    -------
    LeftOut

    Notes
    -----
    With Q the inverse of the covariance of all labels and R their residuals, those of a person
    p given all others have the covariance (Q_pp)^-1 and the mean R_p - (Q_pp)^-1 (Q R)_p.
    """
    residual = targets - targets.mean(0)
    person = torch.empty(len(gram), dtype=torch.long)
    owner = torch.arange(len(layout.rows))[:, None].expand_as(layout.rows)
    person[layout.rows[layout.is_clip]] = owner[layout.is_clip]
    same = (person[:, None] == person).to(gram.dtype)
    identity = torch.eye(len(gram), dtype=gram.dtype)
    inverse = torch.linalg.inv(gram + person_variance * same + identity)
    rows, is_clip = layout.rows, layout.is_clip
    own = inverse[rows[:, :, None], rows[:, None]]
    both = is_clip[:, :, None] & is_clip[:, None]
    padding = torch.eye(rows.shape[1], dtype=gram.dtype)
    covariance = torch.cholesky_inverse(torch.linalg.cholesky(torch.where(both, own, padding)))
    solved = (inverse @ residual)[rows] * is_clip[..., None]
    return LeftOut(residual[rows] - covariance @ solved, covariance - padding)


class _Task(NamedTuple):
    """Episodes of one number of shots, as places among their person's clips."""

    person: Tensor
    support: Tensor
    is_support: Tensor
    query: Tensor
    among: Tensor  # (n_episodes, n_classes): classes that may be answered
    label: Tensor  # (n_episodes, n_query)
    weight: Tensor  # (n_episodes, n_query): classes of an episode count alike

    @classmethod
    def of(cls, episodes: Episodes, layout: _Layout, codes: NDArray[np.integer]) -> _Task:
        query = torch.from_numpy(episodes.query)
        support = torch.from_numpy(episodes.support)
        label = torch.from_numpy(codes)[query.clamp_min(0)]
        shown = F.one_hot(label).double() * (query >= 0)[..., None]
        size = shown.sum(1, keepdim=True)
        weight = (shown / size.clamp_min(1.0)).sum(2)
        among = size.squeeze(1) > 0 if episodes.shots else torch.ones_like(size.squeeze(1)) > 0
        return cls(
            torch.from_numpy(episodes.person),
            layout.place[support.clamp_min(0)],
            support >= 0,
            layout.place[query.clamp_min(0)],
            among,
            label,
            weight / weight.sum(1, keepdim=True),
        )

    def loss(self, scores: LeftOut, targets: Tensor, layout: _Layout, numbers: Numbers) -> Tensor:
        """Cross-entropy of the queries after their support."""
        means, variances = self._conditioned(scores, targets, layout, numbers)
        scaled = logits(
            means, variances[..., None], numbers.temperature, numbers.variance_factor
        ).masked_fill(~self.among[:, None], -torch.inf)
        log_probability = torch.log_softmax(scaled, dim=2)
        own = log_probability.gather(2, self.label[..., None]).squeeze(2)
        return -(torch.where(self.weight > 0, own, 0.0) * self.weight).sum(1).mean()

    def _conditioned(self, scores, targets, layout, numbers) -> tuple[Tensor, Tensor]:
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


def _with_shift(gram, targets, layout, tasks, numbers: Numbers) -> Numbers:
    """Choose how many clips show half of an unlabelled person's shift."""
    sizes = layout.is_clip.sum(1)
    average = torch.zeros_like(gram)
    for rows, is_clip in zip(layout.rows, layout.is_clip, strict=True):
        own = rows[is_clip]
        average[own[:, None], own] = 1.0 / len(own)
    size = torch.zeros(len(gram), dtype=gram.dtype)
    size[layout.rows[layout.is_clip]] = sizes.repeat_interleave(sizes).to(gram.dtype)
    identity = torch.eye(len(gram), dtype=gram.dtype)
    losses = []
    for shift_clips in _SHIFT_CLIPS:
        trial = numbers._replace(shift_clips=shift_clips)
        centring = identity - shift_known(size, trial)[:, None] * average
        shifted = centring @ gram @ centring.T
        scores = left_out(shifted, targets, layout, numbers.person_variance)
        losses.append(sum(float(task.loss(scores, targets, layout, trial)) for task in tasks))
    return numbers._replace(shift_clips=_SHIFT_CLIPS[int(np.argmin(losses))])


def _start(n_blocks: int) -> Tensor:
    blocks = [math.log(_START_WEIGHT / n_blocks)] * n_blocks
    learned = [math.log(getattr(START, name)) for name in _LEARNED]
    return torch.tensor([*blocks, *learned], dtype=torch.float64)


_LEARNED = ("person_variance", "support_precision", "temperature", "variance_factor")


def _unpacked(values: Tensor, n_blocks: int) -> tuple[Tensor, Numbers]:
    """Block weights and numbers; numbers are Tensors while they are learned, floats after."""
    positive = values.exp()
    learned = positive[n_blocks:].unbind() if values.requires_grad else positive[n_blocks:].tolist()
    return positive[:n_blocks], START._replace(**dict(zip(_LEARNED, learned, strict=True)))


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

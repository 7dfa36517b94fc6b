"""The meta-recurrent learner: from general meta-knowledge and a few clips to an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from stf2m_sk.nn._layers import linear
from stf2m_sk.nn._solve import solve_positive
from stf2m_sk.nn.knowledge import MetaKnowledge, with_offset

__all__ = ["Classes", "MetaRecurrentLearner"]

_STEPS = 3
_MEMORY = 8
_INPUTS = 6
_CLIPS_OF_ONE_UNIT = 500.0  # population size at which a support clip has its learned weight
_MOST_SHOTS = 4.0  # clips of a class in training
_SHIFT_CLIPS = 4.0  # support clips that count as much as the belief that there is no shift


class Classes(NamedTuple):
    """The state of every class after the support was read.

    Attributes
    ----------
    weights : Tensor of shape (..., dim + 1 + n_novel, n_classes)
        Class weights: of the embedding, the offset, and of what is novel.
    shift : Tensor of shape (..., dim)
        What is subtracted from a query clip: the shift of this person from the population.
    log_scale : Tensor of shape (...,)
        Logarithm of the factor from scores to logits.
    """

    weights: Tensor
    shift: Tensor
    log_scale: Tensor

    def logits(self, query: Tensor) -> Tensor:
        """Logits (..., n_clips, n_classes) of query embeddings (..., n_clips, dim + n_novel)."""
        return _design(query, self.shift) @ self.weights * self.log_scale.exp()[..., None, None]


def _design(embeddings: Tensor, shift: Tensor) -> Tensor:
    """Shifted embeddings, 1, and what is novel: (..., n_clips, dim + 1 + n_novel)."""
    dim = shift.shape[-1]
    familiar = with_offset(embeddings[..., :dim] - shift[..., None, :])
    return torch.cat([familiar, embeddings[..., dim:].expand(*familiar.shape[:-1], -1)], dim=-1)


class MetaRecurrentLearner(nn.Module):
    r"""A recurrent cell with one state per class, its weights shared over classes.

    The state of class c is a weight vector :math:`w_c` and a memory :math:`h_c`. It starts from
    meta-knowledge, the population's own solution

    .. math::

        w_c^0 = P^{-1} e_c, \qquad P = \Lambda + A,

    where A and e_c are the population's precision and evidence (`MetaKnowledge`) and
    :math:`\Lambda` is a learned ridge; for an unknown emotion e_c is the evidence of a class
    that no clip of the population has, and A is without what the population's classes differ by
    (`MetaKnowledge.contrasts`): directions that tell known emotions apart are the likeliest to
    tell a new one apart, and must not be held back for their spread. Each of three steps reads
    the whole support
    :math:`(z_i, y_i)`:

    .. math::

        r_{ic} &= y_{ic} - w_c \cdot z_i, \\
        h_c &\leftarrow \mathrm{GRU}(\text{evidence about } c, h_c), \\
        w_c &\leftarrow w_c + g_t(h_c) \Big(P + \omega \sum_i z_i z_i^T\Big)^{-1}
                \omega \sum_i r_{ic} z_i .

    With :math:`g = 1` the first step is exact: it gives the ridge regression on population and
    weighted support together. Every later step with :math:`g > 0` moves on from there towards
    what the support alone says (iterated regularisation), so the learned gate decides for each
    class how far this person is trusted over the population, from how wrong the population was
    about this person. Sums over clips and weights shared over classes make the answer
    independent of the order of clips and classes.

    Behind its dim columns an embedding may have more, that hold what no clip of the population
    shows (*novel*). Of these the population says nothing: their part of P is the ridge alone and
    their weights start from 0. The support then speaks for itself, which is how an emotion is
    told apart that differs from all others in directions of its own.

    The query is modulated by the person's shift: the support's mean difference from the
    population's prototypes of the same emotions, of which a share n / (n + 4) is believed. As far
    as the shift is known it is no longer in doubt: the same share of what the population's people
    differ by (`MetaKnowledge.shifts`) is taken out of A.

    Parameters
    ----------
    ridges : sequence of float
        Ridge at the start of each block of the embedding.
    generator : torch.Generator
        Source of the initial weights.

    Notes
    -----
    That a recurrent network carries general meta-knowledge is from the abstract of ST-F2M
    (arXiv 2412.13541); the cell is ours. It is a recurrent learned optimiser (Ravi and
    Larochelle, ICLR 2017) with a closed-form preconditioner (Bertinetto et al.,
    arXiv 1805.08136).

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.knowledge import gather_knowledge
    >>> from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner
    >>> generator = torch.Generator().manual_seed(0)
    >>> population = torch.randn(60, 5, generator=generator)
    >>> membership = torch.eye(3).repeat(20, 1)
    >>> knowledge = gather_knowledge(population, membership, torch.ones(60))
    >>> learner = MetaRecurrentLearner([1.0], generator=generator)
    >>> ridge = learner.ridge([5])
    >>> support, labels = population[:6], membership[:6]
    >>> classes = learner(knowledge, ridge, support, labels, torch.ones(6))
    >>> classes.logits(population).shape
    torch.Size([60, 3])
    """

    def __init__(self, ridges: Sequence[float], *, generator: torch.Generator) -> None:
        super().__init__()
        self.log_ridge = nn.Parameter(torch.tensor(ridges).log())
        self.log_support_weight = nn.Parameter(torch.tensor(math.log(25.0)))
        self.unknown_evidence = nn.Parameter(torch.tensor(-1.0))
        self.shift_share = nn.Parameter(torch.tensor(1.0))
        self.log_scale = nn.Parameter(torch.tensor([math.log(5.0), 0.0]))
        self.cell = nn.utils.skip_init(nn.GRUCell, _INPUTS, _MEMORY)
        self.gate = linear(_MEMORY, 1, generator=generator)
        self.step_sizes = nn.Parameter(torch.tensor([1.0] + [0.0] * (_STEPS - 1)))
        with torch.no_grad():
            for parameter in self.cell.parameters():
                parameter.uniform_(-(_MEMORY**-0.5), _MEMORY**-0.5, generator=generator)
            self.gate.weight.zero_()  # starts as the exact step and nothing after it

    def ridge(self, block_sizes: list[int]) -> Tensor:
        """Diagonal of the ridge for an embedding of blocks of these sizes, then the offset's."""
        sizes = torch.tensor(block_sizes, device=self.log_ridge.device)
        ridge = self.log_ridge.exp().repeat_interleave(sizes)
        return torch.cat([ridge, ridge.new_tensor([1e-3])])

    def forward(
        self,
        knowledge: MetaKnowledge,
        ridge: Tensor,
        support: Tensor,
        membership: Tensor,
        weights: Tensor,
    ) -> Classes:
        """Read a support.

        Parameters
        ----------
        knowledge : MetaKnowledge
            Of the population; leading dimensions are episodes.
        ridge : Tensor of shape (dim + 1 + n_novel,)
            From `ridge`; n_novel may be 0.
        support : Tensor of shape (..., n_support, dim + n_novel)
            Embeddings of the support; n_support may be 0.
        membership : Tensor of shape (..., n_support, n_classes)
            1 where the clip has the class, else 0.
        weights : Tensor of shape (..., n_support)
            1 for a clip, 0 for padding.

        Returns
        -------
        Classes
            State of every class.
        """
        dim = knowledge.prototypes.shape[-1]
        comparable = weights * (membership @ knowledge.known[..., None]).squeeze(-1)
        certainty = _certainty(comparable)
        shift = self._shift(knowledge, support[..., :dim], membership, comparable)
        # A clip of weight 0 becomes a row of zeros, which adds nothing to any sum.
        design = _design(support, shift) * weights[..., None]
        targets = (2.0 * membership - 1.0) * weights[..., None]
        known = knowledge.known
        state, *reaches = self._start(knowledge, ridge, design.mT, certainty)
        resistances = [self._resistance(design, reach, knowledge.n_clips) for reach in reaches]
        memory = None
        for step_size in self.step_sizes:
            residual = targets - design @ state
            inputs = _class_evidence(residual, membership, weights, known)
            memory = self._remember(inputs, memory)
            gate = step_size + 0.5 * torch.tanh(self.gate(memory)).squeeze(-1)
            moves = [
                reach @ torch.cholesky_solve(residual, resistance)
                for reach, resistance in zip(reaches, resistances, strict=True)
            ]
            state = state + gate[..., None, :] * _by_known(known, *moves)
        n_own = (membership * weights[..., None]).sum(-2)
        n_supported = (n_own > 0).sum(-1).clamp_min(1)
        # More clips than training has seen are no reason to be surer than it has learned to be.
        shots = torch.log1p((weights.sum(-1) / n_supported).clamp_max(_MOST_SHOTS))
        return Classes(state, shift, self.log_scale[0] + self.log_scale[1] * shots)

    def _start(self, knowledge, ridge, supports, certainty) -> list[Tensor]:
        """The population's own solution, and P^-1 times the columns of the supports.

        The latter for known classes and, where there are any, for unknown ones.
        """
        n_familiar = knowledge.precision.shape[-1]
        precision = knowledge.precision + torch.diag(ridge[:n_familiar])
        familiar, novel = supports[..., :n_familiar, :], supports[..., n_familiar:, :]
        evidence = self._evidence(knowledge)
        shifts, contrasts = knowledge.shifts, knowledge.contrasts
        together = [evidence, shifts, contrasts]
        solved, reach = _solve_at_once(precision, torch.cat(together, dim=-1), familiar)
        start, *solved = solved.split([part.shape[-1] for part in together], dim=-1)
        # What is known of this person's shift is no longer in doubt.
        root = certainty.sqrt()[..., None, None]
        shifts, of_shifts = root * shifts, root * solved[0]
        without = _Without(shifts, of_shifts)
        state, reaches = without(start), [without(reach)]
        if not bool(knowledge.known.all()):
            contrasts = contrasts.expand(*shifts.shape[:-1], -1)
            of_contrasts = solved[1].expand(*shifts.shape[:-1], -1)
            without = _Without(
                torch.cat([shifts, contrasts], dim=-1), torch.cat([of_shifts, of_contrasts], dim=-1)
            )
            state = _by_known(knowledge.known, state, without(start))
            reaches.append(without(reach))
        nothing = state.new_zeros(*state.shape[:-2], novel.shape[-2], state.shape[-1])
        novel_reach = novel / ridge[n_familiar:, None]
        reaches = [torch.cat([reach, novel_reach], dim=-2) for reach in reaches]
        return [torch.cat([state, nothing], dim=-2), *reaches]

    def _resistance(self, design, reach, n_clips) -> Tensor:
        """Factor of what a step solves: (P + w Z'Z)^-1 w Z' = R (I / w + Z R)^-1, R = P^-1 Z'.

        The system is as large as the support, not as the embedding.
        """
        inverse_weight = 1.0 / self._support_weight(n_clips)
        identity = torch.eye(design.shape[-2], dtype=design.dtype, device=design.device)
        return torch.linalg.cholesky(design @ reach + inverse_weight[..., None, None] * identity)

    def _support_weight(self, n_clips: Tensor) -> Tensor:
        # A person's clip must not drown in a large population: what limits the population's
        # word about a new person is how people differ, not how many clips it was taken from.
        return self.log_support_weight.exp() * (n_clips / _CLIPS_OF_ONE_UNIT).clamp_min(1.0)

    def _evidence(self, knowledge: MetaKnowledge) -> Tensor:
        known = knowledge.known[..., None, :]
        no_clip_has_it = self.unknown_evidence * knowledge.precision[..., :, -1:]
        return known * knowledge.evidence + (1.0 - known) * no_clip_has_it

    def _shift(self, knowledge, support, membership, comparable):
        difference = support - membership @ knowledge.prototypes
        mean = (difference * comparable[..., None]).sum(-2) / comparable.sum(-1).clamp_min(1.0)[
            ..., None
        ]
        return self.shift_share * _certainty(comparable)[..., None] * mean

    def _remember(self, inputs: Tensor, memory: Tensor | None) -> Tensor:
        before = None if memory is None else memory.reshape(-1, _MEMORY)
        after = self.cell(inputs.reshape(-1, _INPUTS), before)
        return after.reshape(*inputs.shape[:-1], _MEMORY)


def _by_known(known: Tensor, if_known: Tensor, if_not: Tensor | None = None) -> Tensor:
    """Columns of classes that the population has from the first, others from the second."""
    return if_known if if_not is None else torch.where(known[..., None, :] > 0, if_known, if_not)


class _Without:
    """From P^-1 X to (P - G G^T)^-1 X, with the columns G and P^-1 G (Woodbury's identity)."""

    def __init__(self, columns: Tensor, of_columns: Tensor) -> None:
        identity = torch.eye(columns.shape[-1], dtype=columns.dtype, device=columns.device)
        inner = identity - columns.mT @ of_columns
        self.columns = columns
        self.spread = solve_positive(inner, of_columns.mT).mT

    def __call__(self, solved: Tensor) -> Tensor:
        return solved + self.spread @ (self.columns.mT @ solved)


def _certainty(comparable: Tensor) -> Tensor:
    """How far a person's shift is known from clips of known classes: 0 from none, towards 1."""
    n_clips = comparable.sum(-1)
    return n_clips / (n_clips + _SHIFT_CLIPS)


def _solve_at_once(matrix: Tensor, evidence: Tensor, supports: Tensor) -> tuple[Tensor, Tensor]:
    """Solve for the population and for every support that it serves with one factorisation."""
    n_more = supports.dim() - matrix.dim()
    leading, trailing = tuple(range(n_more)), tuple(range(-n_more, 0))
    more, n_columns = supports.shape[:n_more], supports.shape[-1]
    columns = supports.movedim(leading, trailing).flatten(matrix.dim() - 1)
    solved = solve_positive(matrix, torch.cat([evidence, columns], dim=-1))
    state, reach = solved.split([evidence.shape[-1], columns.shape[-1]], dim=-1)
    return state, reach.unflatten(-1, (n_columns, *more)).movedim(trailing, leading)


def _class_evidence(residual, membership, weights, known):
    """What a class's memory reads: how much support there is and how wrong the state is on it."""
    own = membership * weights[..., None]
    other = (1.0 - membership) * weights[..., None]
    n_own, n_other = own.sum(-2), other.sum(-2)
    inputs = [
        torch.log1p(n_own),
        torch.log1p(n_own + n_other),
        known.expand_as(n_own),
        (residual * own).sum(-2) / n_own.clamp_min(1.0),
        (residual * other).sum(-2) / n_other.clamp_min(1.0),
        residual.square().sum(-2) / (n_own + n_other).clamp_min(1.0),
    ]
    return torch.stack(inputs, dim=-1)

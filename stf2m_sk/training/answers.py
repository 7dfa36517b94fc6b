"""Episodes as tensors, the population that each may know, and the learner's answers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge
from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner
from stf2m_sk.training.clips import TrainingClips
from stf2m_sk.training.episodes import EpisodeBatch

__all__ = [
    "SHOTS",
    "EpisodeTensors",
    "answer_episodes",
    "knowledge_of_ways",
    "population_of",
    "sides",
    "usable_views",
]

SHOTS = (0, 1, 2, 4)  # numbers of support clips per class after which an episode is answered


class EpisodeTensors(NamedTuple):
    """An `EpisodeBatch` on the device, in the shapes that the network asks for.

    Attributes
    ----------
    ways, support, query, people, unknown : Tensor
        As in `EpisodeBatch`.
    has_support, has_query : bool Tensor
        Where `support` and `query` hold a clip.
    views : bool Tensor of shape (n_clips, n_modalities)
        Views of the clips in `rows` that are used.
    """

    ways: Tensor
    support: Tensor
    query: Tensor
    people: Tensor
    unknown: Tensor
    has_support: Tensor
    has_query: Tensor
    views: Tensor

    @classmethod
    def of(cls, batch: EpisodeBatch, device: torch.device | str) -> EpisodeTensors:
        """Bring a batch to a device."""
        ways, support, query, people, unknown, support_views, query_views = (
            torch.as_tensor(array, device=device) for array in batch
        )
        has_support, has_query = support >= 0, query >= 0
        of_clips = support_views[:, :, None].expand(*support.shape, -1)[has_support]
        views = torch.cat([of_clips, query_views[has_query]])
        return cls(ways, support, query, people, unknown, has_support, has_query, views)

    @property
    def rows(self) -> Tensor:
        """Rows of all clips, support first."""
        return torch.cat([self.support[self.has_support], self.query[self.has_query]])

    def support_membership(self, dtype: torch.dtype) -> Tensor:
        """Way of each support place, one-hot: (n_way * n_support, n_way)."""
        _, n_way, n_support = self.support.shape
        slots = torch.eye(n_way, dtype=dtype, device=self.support.device)
        return slots.repeat_interleave(n_support, dim=0)

    def support_weights(self, shots, dtype: torch.dtype) -> Tensor:
        """1 for the support clips of each number of shots: (n_shots, n_episodes, places)."""
        rank = torch.arange(self.support.shape[2], device=self.support.device)
        used = torch.stack([(rank < k) & self.has_support for k in shots])
        return used.flatten(2).to(dtype)

    def targets(self) -> Tensor:
        """Way of each query place, -1 where there is no clip: (n_episodes, places)."""
        slots = torch.arange(self.query.shape[1], device=self.query.device)[None, :, None]
        return torch.where(self.has_query, slots, -1).flatten(1)

    def unknown_classes(self, n_classes: int) -> Tensor:
        """True for the classes that an episode's population must not know."""
        flags = torch.zeros(
            len(self.ways), n_classes + 1, dtype=torch.bool, device=self.ways.device
        )
        flags.scatter_(1, self.ways % (n_classes + 1), self.unknown)
        return flags[:, :n_classes]


def answer_episodes(
    learner: MetaRecurrentLearner,
    block_sizes: list[int],
    batch: EpisodeTensors,
    embeddings: Tensor,
    knowledge: MetaKnowledge,
) -> Tensor:
    """Logits of all queries after each number of shots.

    Parameters
    ----------
    learner : MetaRecurrentLearner
        Reads the support.
    block_sizes : list of int
        Parts of an embedding.
    batch : EpisodeTensors
        Episodes.
    embeddings : Tensor of shape (n_clips, dim)
        Of the clips in ``batch.rows``.
    knowledge : MetaKnowledge
        Each episode's population, from `population_of`.

    Returns
    -------
    Tensor of shape (n_shots, n_episodes, n_queries, n_way)
        -inf for a way that an episode does not have.
    """
    support, query = sides(batch, embeddings)
    classes = learner(
        knowledge,
        learner.ridge(block_sizes),
        support,
        batch.support_membership(support.dtype),
        batch.support_weights(SHOTS, support.dtype),
    )
    return classes.logits(query).masked_fill((batch.ways < 0)[:, None], -torch.inf)


def sides(batch: EpisodeTensors, embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Support and query, (n_episodes, places, dim), of embeddings of the clips in ``batch.rows``.

    0 where there is no clip.
    """
    n_support = int(batch.has_support.sum())
    support = _scatter(embeddings[:n_support], batch.has_support).flatten(1, 2)
    query = _scatter(embeddings[n_support:], batch.has_query).flatten(1, 2)
    return support, query


def population_of(
    batch: EpisodeTensors, dataset: TrainingClips, rows: Tensor, embeddings: Tensor
) -> MetaKnowledge:
    """What each episode's population says: everybody else, of the classes it may know.

    Parameters
    ----------
    batch : EpisodeTensors
        Episodes.
    dataset : TrainingClips
        All clips.
    rows : Tensor of shape (n_population,)
        Rows of the clips that stand for the population.
    embeddings : Tensor of shape (n_population, dim)
        Their embeddings.

    Returns
    -------
    MetaKnowledge
        Leading dimension n_episodes; classes are the ways of each episode.
    """
    membership = dataset.membership[rows]
    hidden = batch.unknown_classes(membership.shape[1]).to(membership.dtype) @ membership.T
    weights = _outside(batch, dataset, rows).to(embeddings.dtype) * (1.0 - hidden)
    knowledge = gather_knowledge(embeddings, membership, weights, dataset.people(rows))
    return _select_ways(knowledge, batch.ways)


def knowledge_of_ways(knowledge: MetaKnowledge, ways: Tensor) -> MetaKnowledge:
    """One population for all episodes.

    Parameters
    ----------
    knowledge : MetaKnowledge
        Of all classes, without leading dimensions.
    ways : Tensor of shape (n_episodes, n_way)
        Class codes of each episode, -1 for a way that it does not have.

    Returns
    -------
    MetaKnowledge
        Leading dimension n_episodes; classes are the ways of each episode.
    """
    n_episodes = len(ways)
    repeated = (part.expand(n_episodes, *part.shape) for part in knowledge)
    return _select_ways(MetaKnowledge(*repeated), ways)


def usable_views(views: Tensor, present: Tensor) -> Tensor:
    """Drop the views drawn; where that would leave a clip nothing, keep what it has."""
    kept = views.to(present.dtype) * present
    return torch.where(kept.sum(1, keepdim=True) > 0, kept, present)


def _outside(batch: EpisodeTensors, dataset: TrainingClips, rows: Tensor) -> Tensor:
    """For each episode, which rows are not of its person; without people, not in it."""
    if dataset.groups is not None:
        return dataset.groups[rows] != batch.people[:, None]
    n_places = len(dataset) + 1
    inside = torch.zeros(len(batch.ways), n_places, dtype=torch.bool, device=rows.device)
    episode_rows = torch.cat([batch.support.flatten(1), batch.query.flatten(1)], dim=1)
    inside.scatter_(1, episode_rows % n_places, True)  # -1 falls into the last place
    return ~inside[:, rows]


def _scatter(values: Tensor, places: Tensor) -> Tensor:
    """Put rows into the True places, zeros elsewhere."""
    table = values.new_zeros(*places.shape, values.shape[-1])
    return table.masked_scatter(places[..., None], values)


def _select_ways(knowledge: MetaKnowledge, ways: Tensor) -> MetaKnowledge:
    """Keep the classes of each episode; a way that is not there reads class 0, and is masked."""
    ways = ways.clamp_min(0)
    n_rows, dim = knowledge.evidence.shape[-2], knowledge.prototypes.shape[-1]
    return knowledge._replace(
        evidence=knowledge.evidence.gather(-1, ways[:, None].expand(-1, n_rows, -1)),
        prototypes=knowledge.prototypes.gather(-2, ways[..., None].expand(-1, -1, dim)),
        known=knowledge.known.gather(-1, ways),
    )

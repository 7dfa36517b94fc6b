"""Episodes: small few-shot tasks, drawn as index arrays into the training clips."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["EpisodeBatch", "EpisodeSampler"]

_EMPTY = -1


class EpisodeBatch(NamedTuple):
    """Several episodes of one shape; -1 fills places without a class or a clip.

    Attributes
    ----------
    ways : int array of shape (n_episodes, n_way)
        Class codes of each episode.
    support : int array of shape (n_episodes, n_way, n_support)
        Rows of the support clips, class by class. The first k clips of every class are the
        k-shot support.
    query : int array of shape (n_episodes, n_way, n_query)
        Rows of the query clips.
    people : int array of shape (n_episodes,)
        Code of the person; -1 without groups.
    unknown : bool array of shape (n_episodes, n_way)
        Classes that the population must not know in this episode.
    support_views : bool array of shape (n_episodes, n_way, n_modalities)
        Views of each emotion that are used in the support.
    query_views : bool array of shape (n_episodes, n_way, n_query, n_modalities)
        Views of each query clip that are used.
    """

    ways: NDArray[np.int64]
    support: NDArray[np.int64]
    query: NDArray[np.int64]
    people: NDArray[np.int64]
    unknown: NDArray[np.bool_]
    support_views: NDArray[np.bool_]
    query_views: NDArray[np.bool_]

    @property
    def clips(self) -> NDArray[np.int64]:
        """All rows of the batch, support first, each clip of an episode once."""
        rows = np.concatenate([self.support.ravel(), self.query.ravel()])
        return rows[rows != _EMPTY]


class EpisodeSampler:
    """Draw batches of episodes from labelled clips.

    An episode draws `n_way` emotions and, of each, up to `n_support` support and `n_query` query
    clips, all of one person where `groups` are given. A person's class with fewer clips gives
    at most half of them to the support; one with a single clip is left out of that person's
    episodes. In a share of the episodes support and query come from the two ends of the recording
    order, as in a real calibration, which comes before what is to be recognised.

    A random non-empty subset of the modalities (the views of the emotion) forms the support of
    each emotion. The views of each query clip are drawn on their own: drawn by emotion they
    would give the label away.

    Parameters
    ----------
    codes : int array of shape (n_clips,)
        Class code of each clip.
    groups : int array of shape (n_clips,), optional
        Person of each clip. By default all clips count as one person's.
    among : int array, optional
        Rows to draw from. By default all.
    n_modalities : int
        Number of modalities.
    n_way : int
        Emotions of an episode; fewer where a person has fewer.
    n_support : int
        Most support clips of an emotion.
    n_query : int
        Most query clips of an emotion.
    n_episodes : int
        Episodes of a batch. With groups they are of different people while these last.
    view_dropout : float
        Probability in [0, 1) with which a view is left out.
    unknown_share : float
        Share of the episodes in which about half of the emotions are unknown to the population.
    ordered_share : float, default=0.5
        Share of the episodes in which support and query come from the two ends.
    generator : numpy.random.Generator
        Source of all randomness.

    Raises
    ------
    ValueError
        If no person has two clips of each of two classes.

    Warns
    -----
    UserWarning
        Where a class or a person can be in no episode.

    Notes
    -----
    That random views of one emotion form a meta-training task is from the abstract of ST-F2M
    (arXiv 2412.13541); the rest is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.training.episodes import EpisodeSampler
    >>> sampler = EpisodeSampler(
    ...     np.repeat([0, 1, 2], 6), None, n_modalities=2, n_way=2, n_support=1, n_query=2,
    ...     n_episodes=3, view_dropout=0.0, unknown_share=0.0,
    ...     generator=np.random.default_rng(0))
    >>> sampler.draw().query.shape
    (3, 2, 2)
    """

    def __init__(
        self,
        codes: NDArray[np.integer],
        groups: NDArray[np.integer] | None,
        *,
        among: NDArray[np.integer] | None = None,
        n_modalities: int,
        n_way: int,
        n_support: int,
        n_query: int,
        n_episodes: int,
        view_dropout: float,
        unknown_share: float,
        ordered_share: float = 0.5,
        generator: np.random.Generator,
    ) -> None:
        people = np.zeros(len(codes), dtype=np.int64) if groups is None else groups
        among = np.arange(len(codes)) if among is None else among
        with_people = groups is not None
        rows = among[_usable_rows(codes[among], people[among], said_by_person=with_people)]
        self.people = np.unique(people[rows])
        # Clips of one person lie together, so that an episode's clips are a slice.
        self.rows = rows[np.argsort(people[rows], kind="stable")]
        self.codes = np.asarray(codes)[self.rows]
        self.starts = np.searchsorted(people[self.rows], self.people)
        self.stops = np.searchsorted(people[self.rows], self.people, side="right")
        self.with_people = with_people
        self.n_modalities = n_modalities
        self.n_way = min(n_way, len(np.unique(self.codes)))
        self.n_support = n_support
        self.n_query = n_query
        self.n_episodes = n_episodes
        self.view_dropout = view_dropout
        self.unknown_share = unknown_share
        self.ordered_share = ordered_share
        self.generator = generator

    def draw(self) -> EpisodeBatch:
        """Draw one batch."""
        people = self._people()
        episode, local = self._clips_of(people)
        codes = self.codes[local]
        slot, ways = self._choose_ways(episode, codes)
        chosen = slot != _EMPTY
        episode, slot, local = episode[chosen], slot[chosen], local[chosen]
        support, query = self._split(episode, slot, local)
        unknown_episode = self.generator.random(len(people)) < self.unknown_share
        unknown = unknown_episode[:, None] & (self.generator.random(ways.shape) < 0.5)
        return EpisodeBatch(
            ways,
            support,
            query,
            self.people[people] if self.with_people else np.full(len(people), _EMPTY),
            unknown,
            self._views(*ways.shape),
            self._views(*query.shape),
        )

    def batches(self, n_batches: int) -> Iterator[EpisodeBatch]:
        """Draw a number of batches, one after the other."""
        for _ in range(n_batches):
            yield self.draw()

    def _people(self) -> NDArray[np.int64]:
        """Indices of the people of the episodes, different ones while they last."""
        rounds = -(-self.n_episodes // len(self.people))
        order = [self.generator.permutation(len(self.people)) for _ in range(rounds)]
        return np.concatenate(order)[: self.n_episodes]

    def _clips_of(self, people):
        """Episode and local row of every clip of the episodes' people."""
        lengths = self.stops[people] - self.starts[people]
        episode = np.repeat(np.arange(len(people)), lengths)
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return episode, self.starts[people][episode] + within

    def _choose_ways(self, episode, codes):
        """Slot of each clip's class in its episode (-1: not drawn), and the classes drawn."""
        n_classes = self.codes.max() + 1
        has = np.zeros((self.n_episodes, n_classes), dtype=bool)
        has[episode, codes] = True
        keys = np.where(has, self.generator.random(has.shape), np.inf)
        drawn = np.argsort(keys, axis=1)[:, : self.n_way]
        there = np.take_along_axis(has, drawn, axis=1)
        ways = np.where(there, drawn, _EMPTY)
        slot_of = np.full(has.shape, _EMPTY)
        at = np.nonzero(there)
        slot_of[at[0], ways[at]] = at[1]
        return slot_of[episode, codes], ways

    def _split(self, episode, slot, local):
        """Support and query rows, placed by episode, slot and rank."""
        cell = episode * self.n_way + slot
        by_time = np.lexsort((local, cell))
        cell, local = cell[by_time], local[by_time]
        count = np.bincount(cell, minlength=self.n_episodes * self.n_way)
        in_time = np.arange(len(cell)) - (np.cumsum(count) - count)[cell]
        half = count // 2
        # Recording order, forwards or backwards, or none.
        ordered = self.generator.random(self.n_episodes) < self.ordered_share
        direction = ordered * self.generator.choice([-1, 1], self.n_episodes)
        direction = direction[cell // self.n_way]
        place = np.where(direction > 0, in_time, count[cell] - 1 - in_time)
        far = np.where(direction == 0, False, place >= half[cell])
        order = np.lexsort((self.generator.random(len(cell)), far, cell))
        cell, local = cell[order], local[order]
        rank = in_time  # positions within a cell are the same numbers after the reordering
        n_support = np.minimum(half, self.n_support)[cell]
        support = self._place(cell, rank, local, rank < n_support, self.n_support)
        # Query clips are taken from the end, the far side.
        from_end = count[cell] - 1 - rank
        is_query = (rank >= n_support) & (from_end < self.n_query)
        # In an ordered episode nothing of the support's own side is asked.
        is_query &= far[order] | (direction == 0)
        query = self._place(cell, from_end, local, is_query, self.n_query)
        return support, query

    def _place(self, cell, rank, local, chosen, size):
        table = np.full((self.n_episodes * self.n_way, size), _EMPTY)
        table[cell[chosen], rank[chosen]] = self.rows[local[chosen]]
        return table.reshape(self.n_episodes, self.n_way, size)

    def _views(self, *shape: int) -> NDArray[np.bool_]:
        """Random non-empty subsets of the modalities."""
        kept = self.generator.random((*shape, self.n_modalities)) >= self.view_dropout
        always = self.generator.integers(self.n_modalities, size=shape)
        np.put_along_axis(kept, always[..., None], True, axis=-1)
        return kept


def _usable_rows(codes, people, *, said_by_person: bool) -> NDArray[np.int64]:
    """Rows of clips that can be in an episode: two of the class, two such classes, a person."""
    codes, people = np.asarray(codes), np.asarray(people)
    cell = people.astype(np.int64) * (codes.max() + 1) + codes
    _, inverse, count = np.unique(cell, return_inverse=True, return_counts=True)
    usable = count[inverse] >= 2
    pairs = np.unique(np.stack([people[usable], codes[usable]]), axis=1)
    several, n_classes = np.unique(pairs[0], return_counts=True)
    usable &= np.isin(people, several[n_classes >= 2])
    if not usable.any():
        who = "no person has" if said_by_person else "there are not"
        raise ValueError(
            f"An episode needs 2 clips (1 support, 1 query) of each of 2 classes, but {who} "
            f"that many: the largest count is {count.max()} clip(s) of one class. Give more "
            "clips, or leave out `groups` if they split the clips too finely."
        )
    left_out = len(np.unique(people)) - len(np.unique(people[usable]))
    if left_out:
        warnings.warn(
            f"{left_out} of {len(np.unique(people))} people have no 2 clips of 2 classes: they "
            "are part of the population, but no episodes are drawn from them.",
            UserWarning,
            stacklevel=2,
        )
    classes_left_out = np.setdiff1d(codes, codes[usable])
    if len(classes_left_out):
        warnings.warn(
            f"{len(classes_left_out)} of {len(np.unique(codes))} classes have no 2 clips of one "
            "person: the population knows them, but no episodes are drawn from them.",
            UserWarning,
            stacklevel=2,
        )
    return np.flatnonzero(usable)

"""Training episodes for the peers that learn from episodes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_SHOTS = (1, 2, 4)


class Batch(NamedTuple):
    """Episodes of one size; rows of the population.

    Attributes
    ----------
    support : int array of shape (n_episodes, n_ways, n_shots)
        Labelled clips.
    query : int array of shape (n_episodes, n_ways, n_queries)
        Clips to answer.
    ways : int array of shape (n_episodes, n_ways)
        Codes of the classes.
    """

    support: np.ndarray
    query: np.ndarray
    ways: np.ndarray


class EpisodeSampler:
    """Draws episodes within one person, or from all clips where people are not known.

    Parameters
    ----------
    codes : int array of shape (n_clips,)
        Classes.
    people : array of shape (n_clips,) or None
        People.
    n_ways : int
        Most classes of an episode; fewer where half of the people have fewer.
    n_queries : int
        Query clips of each class.
    seed : int
        Source of the draws.
    """

    def __init__(
        self, codes: np.ndarray, people: np.ndarray | None, *, n_ways=8, n_queries=4, seed: int
    ) -> None:
        people = np.zeros(len(codes), int) if people is None else people
        owned = [_by_class(codes, np.flatnonzero(people == one)) for one in np.unique(people)]
        counts = sorted(map(len, owned))
        self.n_ways = min(n_ways, counts[len(counts) // 2])
        self.owned = [own for own in owned if len(own) >= self.n_ways]
        self.n_queries = n_queries
        self.rng = np.random.default_rng(seed)

    def draw(self, n_episodes: int) -> Batch:
        """Episodes with 1, 2 or 4 shots, the same number in all of them."""
        n_shots = int(self.rng.choice(_SHOTS))
        drawn = [self._draw_one(n_shots) for _ in range(n_episodes)]
        return Batch(*(np.stack(part) for part in zip(*drawn, strict=True)))

    def _draw_one(self, n_shots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        own = self.owned[self.rng.integers(len(self.owned))]
        ways = self.rng.permutation(list(own))[: self.n_ways]
        support, query = [], []
        for way in ways:
            rows = self.rng.permutation(own[way])
            cut = min(n_shots, len(rows) // 2)
            # Sizes must be alike: where clips are too few some count twice.
            support.append(np.resize(rows[:cut], n_shots))
            query.append(np.resize(rows[cut:], self.n_queries))
        return np.stack(support), np.stack(query), ways


def _by_class(codes: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    found = {int(code): rows[codes[rows] == code] for code in np.unique(codes[rows])}
    return {code: own for code, own in found.items() if len(own) > 1}

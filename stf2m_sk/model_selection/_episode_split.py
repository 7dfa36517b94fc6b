"""Support and query rows of many episodes, in scikit-learn's protocol."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import BaseCrossValidator

from stf2m_sk.model_selection._episodes import Episode, draw_nested
from stf2m_sk.model_selection._protocol import FewShotProtocol, beside, read_for

__all__ = ["EpisodeSplit"]


class EpisodeSplit(BaseCrossValidator):
    """Few-shot episodes as pairs of rows: (support, query).

    Parameters
    ----------
    protocol : FewShotProtocol
        How episodes are drawn, with one number of shots of at least 1. Its number of draws does
        not count here.
    n_episodes : int, default=100
        Number of episodes. With groups an episode is inside one person, and people take turns,
        in random order.

    Notes
    -----
    With metadata routing ``groups``, ``contexts`` and ``times`` are requested by default. That an
    episode is one object with its rows visible is the habit of easyfsl.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import EpisodeSplit, FewShotProtocol
    >>> y = np.tile(["calm", "joy"], 8)
    >>> statement = np.repeat([1, 2, 3, 4], 4)
    >>> protocol = FewShotProtocol(shots=1, queries=2, contexts=statement, random_state=0)
    >>> for support, query in EpisodeSplit(protocol, n_episodes=2).split(y, y):
    ...     print(y[support], set(statement[support]) & set(statement[query]))
    ['calm' 'joy'] set()
    ['calm' 'joy'] set()
    """

    __metadata_request__split: ClassVar[dict] = {"groups": True, "contexts": True, "times": True}

    def __init__(self, protocol: FewShotProtocol, *, n_episodes: int = 100) -> None:
        if protocol.shots[0] < 1 or len(protocol.shots) > 1:
            raise ValueError(
                f"shots={protocol.shots}, but EpisodeSplit takes one number of at least 1."
            )
        if not isinstance(n_episodes, int | np.integer) or n_episodes < 1:
            raise ValueError(f"n_episodes={n_episodes!r}; it must be a whole number of at least 1.")
        self.protocol = protocol
        self.n_episodes = n_episodes

    def split(self, X, y, groups=None, *, contexts=None, times=None):
        """Support and query rows of each episode.

        Parameters
        ----------
        X, y, groups, contexts, times : array-like
            As in `episodes`, which raises the same errors.

        Yields
        ------
        support, query : ndarray of shape (n_rows,)
        """
        for episode in self.episodes(X, y, groups, contexts=contexts, times=times):
            yield episode.support, episode.query

    def episodes(
        self, X, y: ArrayLike, groups: ArrayLike | None = None, *, contexts=None, times=None
    ) -> list[Episode]:
        """The episodes as objects, with their person and their classes.

        Parameters
        ----------
        X : Views, mapping or array-like of n_clips, or None
            Only its length is looked at.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People.
        contexts, times : array-like of shape (n_clips,), default=None
            Where the protocol has none.

        Returns
        -------
        list of Episode
            In random order of people, who take turns.

        Raises
        ------
        ValueError
            If clips are too few, with the class, the person and the counts.
        """
        protocol = beside(self.protocol, contexts=contexts, times=times)
        clips = read_for(protocol, X, y, groups)
        generator = np.random.default_rng(protocol.seed)
        people = clips.rows_of_people(np.arange(len(clips.labels)))
        waiting = [people[i] for i in generator.permutation(len(people))]
        episodes: list[Episode] = []
        while waiting and len(episodes) < self.n_episodes:
            person, rows = waiting.pop(0)
            drawn = draw_nested(clips, rows, protocol, person, len(episodes), generator)
            episodes += drawn
            waiting += [(person, rows)] * len(drawn)
        if not episodes:
            raise ValueError("no episode can be drawn: nobody has two classes on both sides.")
        return episodes

    def get_n_splits(self, X=None, y=None, groups=None, **metadata) -> int:
        """Number of episodes.

        Parameters
        ----------
        X, y, groups, **metadata : object
            Ignored; scikit-learn's tools pass them.

        Returns
        -------
        int
            Of all pairs that `split` gives.
        """
        return self.n_episodes

"""Support and query rows of many episodes, in scikit-learn's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from stf2m_sk.model_selection._clips import Clips, read_clips, seed_from
from stf2m_sk.model_selection._episodes import Episode, Request, draw_nested

__all__ = ["EpisodeSplit"]


class EpisodeSplit(BaseCrossValidator):
    """Few-shot episodes: support and query rows that share no context.

    Parameters
    ----------
    n_way : int, default=None
        Classes of an episode; None for all that the person has.
    n_shot : int, default=1
        Support clips per class.
    n_query : int, default=None
        Query clips per class; None for all on the query side.
    n_episodes : int, default=100
        Number of episodes. With groups, people take turns, in random order.
    gap : int, float or None, default=1
        Where no contexts are given, each class's clips are cut in the order of recording: the
        first half may be support and the rest query, but for this many clips between them that
        are dropped. With ``times``, a query clip begins at least this much (in the unit of
        ``times``) after the last clip of its class's support side. None declares that clips
        were recorded independently and their order means nothing: they are shared out at
        random.
    on_few : {"raise", "shrink"}, default="raise"
        What happens where a person has too few clips. "shrink" makes the episode smaller: a
        class gives as many clips as it has, a class that is not on both sides is left out, and
        a person with fewer than two such classes is passed over.
    random_state : int, RandomState instance or None, default=None
        Decides the episodes. With an int every call gives the same.

    See Also
    --------
    few_shot_score : Meta-train, adapt and score in one go.
    NewPersonSplit : Folds of people.

    Notes
    -----
    With contexts (trial, stimulus, statement or session ids) whole contexts are dealt to one
    side or the other, within each person. With groups an episode is inside one person. With
    metadata routing ``groups``, ``contexts`` and ``times`` are requested by default.

    That an episode is one object with its rows visible is the habit of easyfsl; the two sides
    that share no context are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import EpisodeSplit
    >>> y = np.tile(["calm", "joy"], 8)
    >>> statement = np.repeat([1, 2, 3, 4], 4)
    >>> episodes = EpisodeSplit(n_shot=1, n_query=2, n_episodes=3, random_state=0)
    >>> for support, query in episodes.split(y, y, contexts=statement):
    ...     print(y[support], set(statement[support]) & set(statement[query]))
    ['calm' 'joy'] set()
    ['calm' 'joy'] set()
    ['calm' 'joy'] set()
    """

    __metadata_request__split: ClassVar[dict] = {"groups": True, "contexts": True, "times": True}

    def __init__(
        self,
        *,
        n_way=None,
        n_shot=1,
        n_query=None,
        n_episodes=100,
        gap=1,
        on_few="raise",
        random_state=None,
    ):
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.n_episodes = n_episodes
        self.gap = gap
        self.on_few = on_few
        self.random_state = random_state

    def split(
        self,
        X,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Support and query rows of each episode.

        Parameters
        ----------
        X : Views, mapping or array-like of n_clips, or None
            Only its length is looked at.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People.
        contexts : array-like of shape (n_clips,), default=None
            What support and query shall never share.
        times : array-like of shape (n_clips,), default=None
            When each clip begins; by default the order of the rows is that of recording.

        Yields
        ------
        support, query : int arrays
            Rows, class by class.

        Raises
        ------
        ValueError
            If clips are too few, with the class, the person and the counts.
        """
        for episode in self.episodes(X, y, groups, contexts=contexts, times=times):
            yield episode.support, episode.query

    def episodes(
        self,
        X,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> list[Episode]:
        """The same episodes as objects, with their person and their classes.

        Parameters
        ----------
        X, y, groups, contexts, times
            As in `split`.

        Returns
        -------
        list of Episode
        """
        clips = read_clips(X, y, groups, contexts, times)
        request = self._request(has_times=times is not None)
        generator = np.random.default_rng(seed_from(self.random_state))
        episodes = self._take_turns(clips, request, generator)
        if not episodes:
            raise ValueError(
                "no episode can be drawn: nobody has clips of two classes on both the support and "
                "the query side. Give more clips, other contexts or a smaller gap."
            )
        return episodes

    def get_n_splits(self, X=None, y=None, groups=None, *, contexts=None, times=None) -> int:
        """Number of episodes; the arguments are ignored."""
        return self.n_episodes

    def _request(self, *, has_times: bool) -> Request:
        for name in ("n_shot", "n_episodes"):
            if not isinstance(getattr(self, name), int | np.integer) or getattr(self, name) < 1:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}, but it must be a whole number of at least 1."
                )
        request = Request((self.n_shot,), self.n_way, self.n_query, self.gap, self.on_few)
        return request.check(has_times=has_times)

    def _take_turns(self, clips: Clips, request: Request, generator) -> list[Episode]:
        people = clips.rows_of_people(np.arange(len(clips.labels)))
        waiting = [people[i] for i in generator.permutation(len(people))]
        episodes: list[Episode] = []
        while waiting and len(episodes) < self.n_episodes:
            served = []
            for person, rows in waiting:
                if len(episodes) == self.n_episodes:
                    break
                drawn = draw_nested(
                    clips, rows, request, person=person, draw=len(episodes), generator=generator
                )
                episodes += drawn
                served += [(person, rows)] * len(drawn)
            waiting = served
        return episodes

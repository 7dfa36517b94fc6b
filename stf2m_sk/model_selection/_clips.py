"""What is known of the clips beside their signals, checked once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from stf2m_sk._validation import check_labels
from stf2m_sk.model_selection._forms import count_clips

__all__ = ["Clips", "check_per_clip", "named", "plain", "read_clips", "seed_from"]


class Clips(NamedTuple):
    """Labels and origin of clips.

    Attributes
    ----------
    labels : array of shape (n_clips,)
        Emotions.
    people : array of shape (n_clips,) or None
        Who was recorded; None counts all clips as one person's.
    contexts : array of shape (n_clips,) or None
        Trial, stimulus, statement or session.
    times : float array of shape (n_clips,) or None
        When each clip begins, in any one unit.
    """

    labels: NDArray
    people: NDArray | None
    contexts: NDArray | None
    times: NDArray[np.float64] | None

    def rows_of_people(self, rows: NDArray[np.intp]) -> list[tuple[Any, NDArray[np.intp]]]:
        """Each person among `rows`, sorted, and their rows; one person None without people."""
        if self.people is None:
            return [(None, rows)]
        own = self.people[rows]
        return [(person, rows[own == person]) for person in np.unique(own)]

    def in_order(self, gap: float | None) -> Clips:
        """The same, with the order of the rows for times where that order means something.

        That is where sides are cut in time and no times are given. For what is handed to
        classifiers that take ``times``, such as a control.
        """
        if self.times is not None or self.contexts is not None or gap is None:
            return self
        return self._replace(times=np.arange(len(self.labels), dtype=np.float64))


def read_clips(
    X: Any,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    contexts: ArrayLike | None = None,
    times: ArrayLike | None = None,
) -> Clips:
    """Check that there is one entry of everything for each clip.

    Parameters
    ----------
    X : Views, mapping, list or array-like, or None
        Only its number of clips is looked at.
    y, groups, contexts, times : array-like of shape (n_clips,)
        See `Clips`. All but y may be None.

    Returns
    -------
    Clips

    Raises
    ------
    ValueError
        If a length differs from that of X, an entry is missing or a time is no finite number.
    """
    labels = check_labels(y, None if X is None else count_clips(X))
    n_clips = len(labels)
    if times is not None:
        times = check_per_clip(times, n_clips, "times").astype(np.float64)
        if not np.isfinite(times).all():
            raise ValueError(
                f"times holds an infinite value at clip {np.flatnonzero(~np.isfinite(times))[0]}; "
                "give the time at which each clip begins."
            )
    return Clips(
        labels,
        None if groups is None else check_per_clip(groups, n_clips, "groups"),
        None if contexts is None else check_per_clip(contexts, n_clips, "contexts"),
        times,
    )


def seed_from(random_state: int | np.random.RandomState | None) -> int:
    """A seed for local generators; the global generators are not touched.

    Parameters
    ----------
    random_state : int, RandomState or None
        An int is its own seed, a RandomState gives one, None takes the system's entropy.

    Returns
    -------
    int
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    state = check_random_state(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(state.randint(np.iinfo(np.int32).max))
    return int(random_state)


def plain(label: Any) -> Any:
    """A label as Python's own type, for messages and tables."""
    return label.item() if isinstance(label, np.generic) else label


def named(person: Any) -> str:
    """How messages call a person."""
    return "all clips (no groups given)" if person is None else f"person {plain(person)!r}"


def check_per_clip(values: ArrayLike, n_clips: int, name: str) -> NDArray:
    """One entry for each clip, none of them missing.

    Parameters
    ----------
    values : array-like of shape (n_clips,) or (n_clips, 1)
        What is to be checked.
    n_clips : int
        Number of clips.
    name : str
        What the messages call it.

    Returns
    -------
    array of shape (n_clips,)

    Raises
    ------
    ValueError
        If the shape is another one, or an entry is NaN or None.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection._clips import check_per_clip
    >>> check_per_clip(["kids", "dogs"], 2, "contexts").tolist()
    ['kids', 'dogs']
    """
    array = np.asarray(values)
    if array.shape == (n_clips, 1):
        array = array[:, 0]
    if array.shape != (n_clips,):
        raise ValueError(
            f"{name} has the shape {array.shape}; expected one entry for each clip, ({n_clips},)"
        )
    missing = [i for i, value in enumerate(array.tolist()) if value is None or value != value]
    if missing:
        raise ValueError(
            f"{name} holds NaN or None at {len(missing)} place(s), the first at clip "
            f"{missing[0]}; give every clip an entry, or leave such clips out"
        )
    return array

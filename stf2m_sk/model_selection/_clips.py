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
    """Labels of clips, and their person, context and time where these are known."""

    labels: NDArray
    groups: NDArray | None
    contexts: NDArray | None
    times: NDArray[np.float64] | None

    def rows_of_people(self, rows: NDArray[np.intp]) -> list[tuple[Any, NDArray[np.intp]]]:
        """Each person among `rows`, sorted, and their rows; one person None without groups."""
        if self.groups is None:
            return [(None, rows)]
        own = self.groups[rows]
        return [(person, rows[own == person]) for person in np.unique(own)]

    def metadata(self, rows: NDArray[np.intp]) -> dict[str, NDArray]:
        """Groups, contexts and times of some clips, where they are known."""
        known = {name: getattr(self, name) for name in ("groups", "contexts", "times")}
        return {name: column[rows] for name, column in known.items() if column is not None}

    def in_order(self, gap: float | None) -> Clips:
        """The same, with the order of the rows for times where sides are cut by that order."""
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
    """Check that there is one entry of everything for each clip; else ValueError."""
    labels = check_labels(y, None if X is None else count_clips(X))
    n_clips = len(labels)
    if times is not None:
        times = check_per_clip(times, n_clips, "times").astype(np.float64)
        if not np.isfinite(times).all():
            first = np.flatnonzero(~np.isfinite(times))[0]
            raise ValueError(f"times holds an infinite value at clip {first}; give when it begins.")
    groups = None if groups is None else check_per_clip(groups, n_clips, "groups")
    contexts = None if contexts is None else check_per_clip(contexts, n_clips, "contexts")
    return Clips(labels, groups, contexts, times)


def seed_from(random_state: int | np.random.RandomState | None) -> int:
    """A seed for local generators; None takes the system's entropy."""
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
    """One entry for each clip, none of them NaN or None; else ValueError."""
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

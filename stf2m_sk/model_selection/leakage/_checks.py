"""The checks of `leakage_report` that name rows: each from a split to a leak, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.model_selection.leakage._duplicates import (
    FEWEST_VALUES,
    LIKENESS,
    LIKENESS_OF_TABLE,
    near_duplicates,
)
from stf2m_sk.model_selection.leakage._result import Leak
from stf2m_sk.model_selection.leakage._stretches import overlapping_signals

__all__ = ["ROW_CHECKS", "Clips", "Split", "why_not_checked"]

Rows = NDArray[np.intp]
_NAMED = 5  # contexts or people that a message lists


class Split(NamedTuple):
    """The two sides of a split, as sorted rows, and its place among those given."""

    place: int
    train: Rows
    test: Rows


class Clips(NamedTuple):
    """All that is known of the clips, checked.

    Attributes
    ----------
    signals : mapping of str to array of shape (n_clips, n_channels, n_timesteps)
        Modalities.
    rows : array of shape (n_clips, n_values)
        See `flatten`.
    n_independent : float
        See `count_independent`.
    people, contexts : array of shape (n_clips,) or None
        Who was recorded, and at what.
    start, end : array of shape (n_clips,) or None
        Seconds in the person's recording.
    is_new_person : bool
        Whether the protocol keeps people apart.
    threshold : float or None
        Correlation of near-duplicates.
    """

    signals: Mapping[str, NDArray[np.floating]]
    rows: NDArray[np.float64]
    n_independent: float
    people: NDArray | None
    contexts: NDArray | None
    start: NDArray[np.float64] | None
    end: NDArray[np.float64] | None
    is_new_person: bool
    threshold: float | None

    @property
    def has_time(self) -> bool:
        """Whether clips have more than one time step in any modality."""
        return any(signal.shape[2] > 1 for signal in self.signals.values())


def why_not_checked(clips: Clips) -> dict[str, str]:
    """The checks that cannot be made of these clips, and what they need."""
    reasons = {}
    if not clips.has_time and clips.start is None:
        reasons["overlapping windows"] = "needs `times`, or clips of more than one time step"
    if clips.contexts is None:
        reasons["shared contexts"] = "needs `contexts`"
    if not clips.is_new_person:
        reasons["shared people"] = "the protocol is 'same-person'"
    elif clips.people is None:
        reasons["shared people"] = "needs `groups`"
    if clips.rows.shape[1] < FEWEST_VALUES:
        reasons["near-duplicate clips"] = f"needs clips of at least {FEWEST_VALUES} values"
    return reasons


def _same_rows(clips: Clips, split: Split) -> Leak | None:
    rows = np.intersect1d(split.train, split.test)
    return _leak("same rows", split, rows, rows, f"{len(rows)} row(s) are on both sides")


def _overlapping_windows(clips: Clips, split: Split) -> Leak | None:
    pairs = overlapping_signals(clips.signals, split.train, split.test)
    if clips.start is not None:
        pairs = np.unique(np.concatenate([pairs, _overlapping_times(clips, split)]), axis=0)
    return _leak_of_pairs("overlapping windows", split, pairs, "overlap in time with")


def _overlapping_times(clips: Clips, split: Split) -> NDArray[np.intp]:
    recordings = np.zeros(len(clips.start)) if clips.people is None else clips.people
    pairs = [np.empty((0, 2), dtype=np.intp)]
    for recording in np.intersect1d(recordings[split.train], recordings[split.test]):
        train = split.train[recordings[split.train] == recording]
        test = split.test[recordings[split.test] == recording]
        last_start = np.maximum.outer(clips.start[train], clips.start[test])
        first_end = np.minimum.outer(clips.end[train], clips.end[test])
        shortest = (clips.end - clips.start).min()
        i, j = np.nonzero(first_end - last_start > 1e-6 * shortest)  # windows may touch
        different = train[i] != test[j]
        pairs.append(np.column_stack([train[i], test[j]])[different])
    return np.concatenate(pairs)


def _shared_contexts(clips: Clips, split: Split) -> Leak | None:
    return _shared("shared contexts", clips.contexts, split, "context(s)")


def _shared_people(clips: Clips, split: Split) -> Leak | None:
    advice = "people; if that is meant, the protocol is 'same-person'"
    return _shared("shared people", clips.people, split, advice)


def _shared(check: str, values: NDArray, split: Split, what: str) -> Leak | None:
    shared = np.intersect1d(values[split.train], values[split.test])
    train = split.train[np.isin(values[split.train], shared)]
    test = split.test[np.isin(values[split.test], shared)]
    named = ", ".join(repr(value) for value in shared[:_NAMED].tolist())
    more = ", ..." if len(shared) > _NAMED else ""
    n_test = len(np.unique(values[split.test]))
    return _leak(check, split, train, test, f"{named}{more}: {len(shared)} of {n_test} {what}")


def _near_duplicates(clips: Clips, split: Split) -> Leak | None:
    threshold = clips.threshold
    if threshold is None:
        threshold = LIKENESS if clips.has_time else LIKENESS_OF_TABLE
    pairs, correlations = near_duplicates(
        clips.rows,
        split.train,
        split.test,
        threshold=threshold,
        n_independent=clips.n_independent,
    )
    different = pairs[:, 0] != pairs[:, 1]
    least = correlations[different].min(initial=1.0)
    verb = f"correlate {least:.4f} or more with"
    return _leak_of_pairs("near-duplicate clips", split, pairs[different], verb)


def _leak_of_pairs(check: str, split: Split, pairs: NDArray, verb: str) -> Leak | None:
    train, test = np.unique(pairs[:, 0]), np.unique(pairs[:, 1])
    what = f"{len(train)} training clip(s) {verb} {len(test)} test clip(s)"
    if len(pairs):
        what += f", such as {pairs[0, 0]} with {pairs[0, 1]}"
    return _leak(check, split, train, test, what)


def _leak(check: str, split: Split, train: Rows, test: Rows, what: str) -> Leak | None:
    return Leak(check, split.place, train, test, what) if len(train) else None


ROW_CHECKS: Mapping[str, Callable[[Clips, Split], Leak | None]] = {
    "same rows": _same_rows,
    "overlapping windows": _overlapping_windows,
    "shared contexts": _shared_contexts,
    "shared people": _shared_people,
    "near-duplicate clips": _near_duplicates,
}

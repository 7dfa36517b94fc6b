"""Recordings, and the episodes in which classifiers are compared on them.

Four protocols, each for a `split`: "test", or "dev" for choosing settings, where the same is done
inside the people (classes) that "test" trains on.

new-person
    40 % of the people are tested, always the same; the others are the population. Support and
    query of an episode are of one person and share no statement (or song); where clips have no
    such context each class is cut in the middle of the recording, with one clip dropped between.
fine-grained
    The same with emotion and intensity together as the label.
new-class
    40 % of the classes (and of the people, where known) are tested; the population has never seen
    them. Episodes are of up to five classes.
plain
    The archive's own split into train and test, without a support.

A draw decides the sides once and asks the same query after each number of shots. Seeds move the
draws, never the people and classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

SHARE_TESTED = 0.4
WAYS, QUERIES = 5, 15  # of an episode of new classes; queries for each class
SPLITS = ("test", "dev")
# What else a file may hold beside its modalities.
_META = {"y", "groups", "length", "intensity", "statement", "repetition", "segment", "song_id"}
_META |= {"song_no", "split", "score", "valence", "arousal", "condition", "window", "video"}
_META |= {"start", "stress"}
_CONTEXTS = ("statement", "song_id", "video")


class Recording(NamedTuple):
    """Clips with labels.

    Attributes
    ----------
    signals : dict of float32 array of shape (n_clips, n_channels, n_frames)
        Modalities. NaN where not measured and past a clip's end.
    labels : array of str of shape (n_clips,)
        Classes.
    people : array of shape (n_clips,) or None
        Who was recorded.
    meta : dict of array of shape (n_clips, ...)
        All else.
    """

    signals: dict[str, np.ndarray]
    labels: np.ndarray
    people: np.ndarray | None
    meta: dict[str, np.ndarray]

    def rows(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Signals of some clips."""
        return {name: signal[rows] for name, signal in self.signals.items()}

    def people_of(self, rows: np.ndarray) -> np.ndarray | None:
        """People of some clips."""
        return None if self.people is None else self.people[rows]

    @property
    def context(self) -> np.ndarray | None:
        """What was said (heard, seen) in each clip, which support and query must not share."""
        return next((self.meta[name] for name in _CONTEXTS if name in self.meta), None)

    @property
    def in_order(self) -> bool:
        """Whether the clips of a person are in the order of recording."""
        return self.context is None and self.people is not None


class Episode(NamedTuple):
    """A few labelled clips, and clips to answer.

    Attributes
    ----------
    unit : str
        Whose scores are averaged before anything else: the person, or the seed.
    shots : int
        Most support clips for each class; 0 asks for the population's answer.
    support, query : int array
        Rows of the recording.
    """

    unit: str
    shots: int
    support: np.ndarray
    query: np.ndarray


class Task(NamedTuple):
    """A population, and the episodes in which it is used.

    Attributes
    ----------
    train : int array
        Rows of the population.
    episodes : list of Episode
        All seeds share the train rows.
    """

    train: np.ndarray
    episodes: list[Episode]


class Protocol(NamedTuple):
    """How episodes are drawn, and how many by default."""

    draw: callable
    shots: tuple[int, ...]
    draws: int


def read_recording(path: Path, *, fine_grained: bool = False) -> Recording:
    """Read an .npz; with `fine_grained` the label is emotion / intensity."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    meta = {name: array for name, array in arrays.items() if name in _META}
    signals = {n: array.astype(np.float32) for n, array in arrays.items() if n not in _META}
    if "length" in meta:
        for signal in signals.values():
            past = np.arange(signal.shape[2]) >= meta["length"][:, None]
            signal[np.broadcast_to(past[:, None], signal.shape)] = np.nan
    labels = meta["y"].astype(str)
    if fine_grained:
        labels = np.array([f"{a}/{b}" for a, b in zip(labels, meta["intensity"], strict=True)])
    return Recording(signals, labels, meta.get("groups"), meta)


def read_bundled() -> Recording:
    """The package's own sample, in the same form."""
    from stf2m_sk.datasets import load_stress

    stress = load_stress()
    meta = {"segment": stress.segment}
    return Recording(stress.views.to_dict(), stress.target.astype(str), stress.groups, meta)


def make_task(
    recording: Recording, protocol: str, *, seed: int, shots=None, draws=None, split: str = "test"
) -> Task:
    """Population and episodes of a protocol."""
    assert split in SPLITS, split
    made = PROTOCOLS[protocol]
    shots = made.shots if shots is None else shots
    return made.draw(recording, seed, shots, made.draws if draws is None else draws, split)


def tested_and_sealed(values: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """People (classes) that are tested, and those that are tested by "test", in a fixed order."""
    order = np.random.default_rng(2024).permutation(np.unique(values))
    sealed, rest = _cut(order)
    return (sealed if split == "test" else _cut(rest)[0]), sealed


def _cut(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = max(2, round(SHARE_TESTED * len(order)))
    return order[:n], order[n:]


def _not_tested(values: np.ndarray, split: str) -> np.ndarray:
    return ~np.isin(values, np.concatenate(tested_and_sealed(values, split)))


def _sides(recording: Recording, rows: np.ndarray, rng: np.random.Generator) -> dict:
    """Support side (in random order) and query side of each class, without a common context."""
    context, sides = recording.context, {}
    if context is not None:
        values = rng.permutation(np.unique(context[rows]))
        given = values[: len(values) // 2]
    for label in np.unique(recording.labels[rows]):
        own = rows[recording.labels[rows] == label]
        if context is None:
            support, query = own[: len(own) // 2], own[len(own) // 2 + 1 :]
        else:
            on = np.isin(context[own], given)
            support, query = own[on], own[~on]
        if len(support) and len(query):
            sides[label] = rng.permutation(support), query
    return sides


def _episodes(unit: str, shots, sides: dict, queries: int | None = None) -> list[Episode]:
    query = np.concatenate([query[:queries] for _, query in sides.values()])
    return [
        Episode(unit, k, np.concatenate([side[:k] for side, _ in sides.values()]), query)
        for k in shots
    ]


def _new_person(recording: Recording, seed: int, shots, draws: int, split: str) -> Task:
    train = np.flatnonzero(_not_tested(recording.people, split))
    rng, episodes = np.random.default_rng(seed), []
    for person in tested_and_sealed(recording.people, split)[0]:
        rows = np.flatnonzero(recording.people == person)
        for _ in range(draws):
            sides = _sides(recording, rows, rng)
            if len(sides) > 1:
                episodes += _episodes(str(person), shots, sides)
    return Task(train, episodes)


def _new_class(recording: Recording, seed: int, shots, draws: int, split: str) -> Task:
    labels, people = recording.labels, recording.people
    keep = _not_tested(labels, split)
    if people is not None:
        keep &= _not_tested(people, split)
        tested = tested_and_sealed(people, split)[0]
    rng, episodes = np.random.default_rng(seed), []
    for draw in range(draws):
        ways = rng.permutation(tested_and_sealed(labels, split)[0])[:WAYS]
        if people is None:
            unit, sides = f"seed {seed}", _halves(labels, ways, rng)
        else:
            person = tested[draw % len(tested)]
            rows = np.flatnonzero((people == person) & np.isin(labels, ways))
            unit, sides = str(person), _sides(recording, rows, rng)
        if len(sides) > 1:
            episodes += _episodes(unit, [k for k in shots if k], sides, QUERIES)
    return Task(np.flatnonzero(keep), episodes)


def _halves(labels: np.ndarray, ways: np.ndarray, rng: np.random.Generator) -> dict:
    mixed = {label: rng.permutation(np.flatnonzero(labels == label)) for label in ways}
    return {label: (own[: len(own) // 2], own[len(own) // 2 :]) for label, own in mixed.items()}


def _plain(recording: Recording, seed: int, shots, draws: int, split: str) -> Task:
    train = np.char.upper(recording.meta["split"].astype(str)) == "TRAIN"
    nothing = np.array([], dtype=int)
    episode = Episode(f"seed {seed}", 0, nothing, np.flatnonzero(~train))
    return Task(np.flatnonzero(train), [episode])


PROTOCOLS = {
    "new-person": Protocol(_new_person, (0, 1, 2, 4), 4),
    "fine-grained": Protocol(_new_person, (0, 1, 2), 4),
    "new-class": Protocol(_new_class, (1, 4), 60),
    "plain": Protocol(_plain, (0,), 1),
}

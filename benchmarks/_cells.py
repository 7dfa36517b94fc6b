"""Cells of a benchmark: a recording, a protocol, its folds, and the scores of a model on them.

Folds and episodes are those of `stf2m_sk.model_selection`; nothing is drawn here.

new-person
    `NewPersonSplit`, five folds: everybody is a new person once. Unit: the person.
fine-grained
    The same with emotion and intensity together as the label.
new-class
    `NovelClassSplit`, two folds, each seed deals the classes anew; episodes of up to 5 classes.
    Unit: the seed. Where people are known `NewPersonNovelClassSplit`; unit: the person.
plain
    The archive's own split, without a support. Unit: the seed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _report import BALANCED
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.datasets import load_npz, load_stress
from stf2m_sk.model_selection import (
    NewPersonNovelClassSplit,
    NewPersonSplit,
    NovelClassSplit,
    few_shot_score,
)
from stf2m_sk.views import Views

FOLDS = 5
WAYS, QUERIES = 5, 15  # of an episode of new classes; query clips of each class
SHOTS = {"new-person": (0, 1, 2, 4), "fine-grained": (0, 1, 2), "new-class": (1, 4), "plain": (0,)}
DRAWS = {"new-person": 2, "fine-grained": 2, "new-class": 4, "plain": 1}  # of a person and fold
DRAWS_WITHOUT_PEOPLE = 30  # of a fold
BINS = 15  # of calibration
_CONTEXTS = ("statement", "song_id")  # what support and query must not share


class Recording(NamedTuple):
    """Clips with labels.

    Attributes
    ----------
    views : Views
        Clips.
    y : array of shape (n_clips,)
        Labels.
    groups, contexts : array of shape (n_clips,) or None
        People; statements or songs.
    is_train : bool array or None
        The archive's own split.
    """

    views: Views
    y: np.ndarray
    groups: np.ndarray | None = None
    contexts: np.ndarray | None = None
    is_train: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> tuple[Views, np.ndarray, np.ndarray | None]:
        """Views, labels and people of some clips."""
        return self.views[rows], self.y[rows], None if self.groups is None else self.groups[rows]

    def without_people(self, rows: np.ndarray) -> np.ndarray:
        """Rows of everybody but the people of these rows."""
        return np.flatnonzero(~np.isin(self.groups, self.groups[rows]))


class Entry(NamedTuple):
    """A classifier and whether it is scored without and with a person's unlabelled clips."""

    estimator: Any
    unlabelled: tuple[bool, ...] = (False,)
    calibration: bool = False

    def names(self, name: str) -> list[str]:
        """Names of its rows."""
        return [f"{name}+unlabelled" if mode else name for mode in self.unlabelled]


def read(data: str, folder: Path | None = None, *, fine_grained: bool = False) -> Recording:
    """Read ``folder/data.npz``, or the package's sample ("bundled")."""
    bunch = load_stress() if data == "bundled" else load_npz(folder / f"{data}.npz")
    meta, y = bunch.get("metadata", {}), bunch.target.astype(str)
    if fine_grained:
        y = np.array([f"{a}/{b}" for a, b in zip(y, meta["intensity"], strict=True)])
    if data.startswith("uea_"):  # scikit-learn's forests refuse numbers that are written as text
        y = np.char.add("class ", y)
    contexts = next((meta[name] for name in _CONTEXTS if name in meta), None)
    split = meta.get("split")
    is_train = None if split is None else np.char.upper(split.astype(str)) == "TRAIN"
    return Recording(bunch.views, y, bunch.groups, contexts, is_train)


def folds(recording: Recording, protocol: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test rows of each fold of a protocol."""
    if protocol == "plain":
        return [(np.flatnonzero(recording.is_train), np.flatnonzero(~recording.is_train))]
    if protocol != "new-class":
        n_folds = min(FOLDS, len(np.unique(recording.groups)))
        splitter = NewPersonSplit(n_folds, random_state=seed)
    elif recording.groups is None:
        splitter = NovelClassSplit(random_state=seed)
    else:
        splitter = NewPersonNovelClassSplit(random_state=seed)
    return list(splitter.split(None, recording.y, recording.groups))


def seeded(estimator: Any, seed: int) -> Any:
    """A clone with a seed wherever there is a `random_state`."""
    model = clone(estimator)
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return model.set_params(**dict.fromkeys(names, seed))


def fitted(estimator: Any, recording: Recording, rows: np.ndarray, seed: int) -> Any:
    """A fitted clone; people go to every step that asks for them."""
    model = seeded(estimator, seed)
    views, y, groups = recording.rows(rows)
    steps = model.steps if isinstance(model, Pipeline) else [("", model)]
    asked = [name for name, step in steps if has_fit_parameter(step, "groups")]
    further = {f"{name}__groups" if name else "groups": groups for name in asked}
    return model.fit(views, y, **(further if groups is not None else {}))


def score_fold(
    entry: Entry,
    recording: Recording,
    protocol: str,
    fold: tuple[np.ndarray, np.ndarray],
    *,
    shots: tuple[int, ...],
    draws: int | None,
    seed: int,
    tested: dict[float, Views] | None = None,
) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Fit once, score without and with unlabelled clips.

    Parameters
    ----------
    entry : Entry
        What is scored.
    recording : Recording
        All clips.
    protocol : str
        See the module.
    fold : pair of int array
        Train and test rows.
    shots : tuple of int
        Numbers of labelled clips of each class.
    draws : int or None
        Of a person; None for the protocol's own number.
    seed : int
        Of model and draws.
    tested : dict of float to Views or None
        Taken in place of the recording's views when queries are predicted, one after the other;
        the key is in the rows as ``share``.

    Yields
    ------
    mode : bool
        Whether unlabelled clips were given.
    row : dict
        ``unit``, ``shots``, ``metric`` and ``value``.
    """
    train, test = fold
    last = entry.estimator[-1] if isinstance(entry.estimator, Pipeline) else entry.estimator
    if protocol == "plain" or hasattr(last, "adapt"):
        start = time.perf_counter()
        model = fitted(entry.estimator, recording, train, seed)
        fitting = {"metric": "fit_seconds", "value": time.perf_counter() - start}
        for mode in entry.unlabelled:
            yield mode, {"unit": "fold", "shots": 0} | fitting
    else:
        model = seeded(entry.estimator, seed)
    if protocol == "plain":
        views, y, _ = recording.rows(test)
        score = {"metric": BALANCED, "value": balanced_accuracy_score(y, model.predict(views))}
        yield False, {"unit": "seed", "shots": 0} | score
        return
    if hasattr(last, "adapt"):
        model = FrozenEstimator(getattr(model, "classifier_", model))
    asked = request(recording, protocol, shots, draws, seed)
    for share, views in (tested or {0.0: recording.views}).items():
        for mode in entry.unlabelled:
            rows = _scored(entry, model, views, recording.y, fold, mode, asked)
            yield from ((mode, {"share": share} | row) for row in rows)


def _scored(entry, model, views, y, fold, mode, asked) -> Iterator[dict[str, Any]]:
    """Rows of one call of `few_shot_score`."""
    recorder = Calibration()
    metrics = {BALANCED: BALANCED} | ({"episode": recorder} if entry.calibration else {})
    result = few_shot_score(
        model, views, y, cv=[fold], refit="pooled", unlabelled=mode, scoring=metrics, **asked
    )
    for row in result.rows:
        unit = "seed" if row["person"] is None else str(row["person"])
        own = {"unit": unit, "shots": row["shots"], "metric": BALANCED}
        yield own | {"value": float(row[BALANCED])}
    if entry.calibration:
        yield from recorder.rows(result.rows)


def request(
    recording: Recording, protocol: str, shots: tuple[int, ...], draws: int | None, seed: int
) -> dict[str, Any]:
    """What `few_shot_score` is asked for in a protocol."""
    asked = {
        "groups": recording.groups,
        "contexts": recording.contexts,
        "n_shot": shots,
        "n_draws": draws or DRAWS[protocol],
        "on_few": "shrink",
        "random_state": seed,
    }
    if protocol == "new-class":
        asked |= {"n_way": WAYS, "n_query": QUERIES}
    if recording.groups is None:
        asked |= {"gap": None, "n_draws": draws or DRAWS_WITHOUT_PEOPLE}
    return asked


class Calibration:
    """A metric that notes confidences, so that episodes can be pooled in bins.

    An episode has too few clips for an expected calibration error of its own. Rows hold the sum of
    correct minus confidence in each of 15 bins and the number of clips; summed over folds they
    give the error of all (`_report.calibration_errors`).
    """

    def __init__(self) -> None:
        self.noted: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, y_true, probabilities, classes) -> float:
        """Note an episode, and return its number."""
        correct = classes[probabilities.argmax(axis=1)] == y_true
        self.noted.append((probabilities.max(axis=1), correct.astype(float)))
        return float(len(self.noted) - 1)

    def rows(self, episodes) -> list[dict[str, Any]]:
        """Tidy rows of the episodes of one result."""
        found = []
        for shots in sorted({row["shots"] for row in episodes}):
            own = [self.noted[int(row["episode"])] for row in episodes if row["shots"] == shots]
            confidence, correct = map(np.concatenate, zip(*own, strict=True))
            bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
            gaps = np.bincount(bins, correct - confidence, BINS)
            row = {"unit": "fold", "shots": shots}
            found.append(row | {"metric": "calibration_clips", "value": len(correct)})
            found += [
                row | {"metric": f"calibration_gap_{b:02d}", "value": float(gap)}
                for b, gap in enumerate(gaps)
            ]
        return found

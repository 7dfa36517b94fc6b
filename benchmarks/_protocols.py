"""Recordings, the protocol and folds of each kind of cell (see README.md), and comparisons."""

import argparse
import sys
import traceback
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _report import BALANCED, parser, read_table, write_report, write_table
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.datasets import load_npz, load_stress
from stf2m_sk.model_selection import (
    FewShotProtocol,
    NovelClassSplit,
    compare_few_shot,
    few_shot_score,
)
from stf2m_sk.views import Views

SHOTS = {"new-person": (0, 1, 2, 4), "fine-grained": (0, 1, 2), "new-class": (1, 4)}
DRAWS = {"new-person": 2, "fine-grained": 2, "new-class": 4}  # of a person and fold
DRAWS_WITHOUT_PEOPLE = 30  # of a fold
FOLDS = 5  # of people
UNLABELLED = "+unlabelled"  # how names of estimators end that are given a person's other clips
_CONTEXTS = ("statement", "song_id")  # what support and query must not share


class Recording(NamedTuple):
    """Clips with labels and, where known, people, contexts and the archive's own split."""

    views: Views
    y: np.ndarray
    groups: np.ndarray | None = None
    contexts: np.ndarray | None = None  # statements or songs
    is_train: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> "Recording":
        """Some clips."""
        return Recording(*(None if column is None else column[rows] for column in self))

    def rows(self, rows: np.ndarray) -> tuple[Views, np.ndarray, np.ndarray | None]:
        """Views, labels and people of some clips."""
        return self.at(rows)[:3]


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


# ---- protocol, folds and fits ----


def protocol(recording: Recording, kind: str, *, seed: int, **changes: Any) -> FewShotProtocol:
    """How episodes of a kind of cell are drawn; `changes` are fields of the protocol."""
    fields: dict[str, Any] = {"shots": SHOTS[kind], "draws": DRAWS[kind], "on_few": "shrink"}
    if kind == "new-class":
        fields |= {"ways": 5, "queries": 15}
    if recording.groups is None:
        fields |= {"draws": DRAWS_WITHOUT_PEOPLE, "gap": None}
    fields |= {"contexts": recording.contexts, "random_state": seed}
    return FewShotProtocol(**fields | changes)


def folds(recording: Recording, kind: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test rows of each fold."""
    y, groups = recording.y, recording.groups
    if kind == "new-class":
        split = NovelClassSplit(n_person_splits=None if groups is None else 2, random_state=seed)
    else:
        split = GroupKFold(min(FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    return list(split.split(y, y, groups))


def seeded(estimator: Any, seed: int) -> Any:
    """A clone with a seed wherever there is a `random_state`."""
    model = clone(estimator)
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    return model.set_params(**dict.fromkeys(names, seed))


def fitted(estimator: Any, recording: Recording, rows: np.ndarray, seed: int) -> Any:
    """A fitted clone; people go to a classifier that asks for them."""
    views, y, groups = recording.rows(rows)
    further = {"groups": groups} if has_fit_parameter(estimator, "groups") else {}
    return seeded(estimator, seed).fit(views, y, **further)


def score_fold(model, recording: Recording, drawn: FewShotProtocol, fold: tuple, views=None):
    """Scores of a fitted model on the test rows, of which other views may be taken."""
    X = recording.views if views is None else views
    known = {"groups": recording.groups, "protocol": drawn, "cv": [fold]}
    return few_shot_score(FrozenEstimator(model), X, recording.y, **known)


# ---- cells ----


def cell_parser(doc: str) -> argparse.ArgumentParser:
    """Options that the benchmarks of accuracy have in common."""
    own = parser(doc)
    own.add_argument("--sets", nargs="+", default=["*"], help="patterns of data:kind")
    own.add_argument("--seeds", type=int, help="None: one with people, five without")
    own.add_argument("--draws", type=int, help="of a person; None: the protocol's own number")
    own.add_argument("--folds", type=int, help="only so many, for a quick look; give --out, too")
    own.add_argument("--again", action="store_true", help="do anew what is there")
    own.add_argument("--report-only", action="store_true")
    return own


def chosen(cells: tuple[str, ...], options: argparse.Namespace) -> list[str]:
    """Cells ("data:kind") that fit a pattern of data or cell; those bundled where data are not."""
    fitting = [c for c in cells for p in options.sets if fnmatch(c, p) or fnmatch(c, f"{p}:*")]
    return [c for c in dict.fromkeys(fitting) if options.data or c.startswith("bundled")]


def run(name: str, cells: tuple[str, ...], rows_of: Callable, report: Callable, options) -> None:
    """Fill the table of that name cell by cell, and write the report; exit with 1 if a cell failed.

    ``rows_of(recording, data, kind, options)`` gives rows with ``model``, ``shots``, ``unit``,
    ``metric`` and ``value``; ``report(table, figure)`` the parts of the report, and may write a
    figure to this path. A cell is "data:kind".
    """
    path, is_complete = options.out / f"{name}.csv", True
    for cell in [] if options.report_only else chosen(cells, options):
        data, _, kind = cell.partition(":")
        try:
            recording = read(data, options.data, fine_grained=kind == "fine-grained")
            rows = pd.DataFrame(rows_of(recording, data, kind, options))
        except Exception:
            is_complete = False
            print(f"{cell} failed:\n{traceback.format_exc()}", file=sys.stderr)
            continue
        rows.insert(0, "data", data)
        rows.insert(1, "protocol", kind)
        write_table(path, rows, ("data", "protocol", "model"))
        print(f"{cell} is there", file=sys.stderr, flush=True)
    if not path.exists():
        raise SystemExit(f"there is no {path}: no cell was measured. See --data and --sets.")
    write_report(path.with_suffix(".md"), *report(read_table(path), path.with_suffix(".png")))
    raise SystemExit(not is_complete)


def compare(
    estimators: dict, recording: Recording, kind: str, options, name: str, scoring: Any = BALANCED
) -> pd.DataFrame:
    """Rows of `compare_few_shot` for all seeds of a cell, with a column ``seed``.

    What is in the files ``runs/NAME-KIND-SEED.jsonl`` is not computed again.
    """
    seeds, frames = options.seeds or (5 if recording.groups is None else 1), []
    changes = {"unlabelled": tuple(one for one in estimators if one.endswith(UNLABELLED))}
    changes |= {"draws": options.draws} if options.draws else {}
    (options.out / "runs").mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        path = options.out / "runs" / f"{name}-{kind}-{seed}.jsonl"
        if options.again:
            path.unlink(missing_ok=True)
        result = compare_few_shot(
            {one: seeded(estimator, seed) for one, estimator in estimators.items()},
            recording.views,
            recording.y,
            groups=recording.groups,
            protocol=protocol(recording, kind, seed=seed, **changes),
            cv=folds(recording, kind, seed)[: options.folds],
            scoring=scoring,
            results=path,
        )
        frames.append(result.rows.assign(seed=seed))
    return pd.concat(frames, ignore_index=True)


def tidy(rows: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy by unit (person or seed), and the seconds of each fit."""
    rows = rows[rows["metric"] == BALANCED].rename(columns={"estimator": "model"})
    seed = rows["seed"].astype(str)
    scores = rows.assign(unit=rows["person"].where(rows["person"].notna(), "seed " + seed))
    fits = rows.assign(metric="fit_seconds", value=rows["fit_seconds"], shots=0)
    fits["unit"] = "fold " + seed + "." + rows["fold"].astype(str)
    return pd.concat([scores, fits])[["model", "shots", "unit", "metric", "value"]]


def plain(estimators: dict[str, Any], recording: Recording, seeds: int) -> pd.DataFrame:
    """The same for the archive's own split."""
    fold, rows = (np.flatnonzero(recording.is_train), np.flatnonzero(~recording.is_train)), []
    for name, estimator in estimators.items():
        for seed in range(seeds):
            model, how = seeded(estimator, seed), {"scoring": BALANCED, "error_score": "raise"}
            found = cross_validate(model, *recording[:2], cv=[fold], **how)
            for metric, key in ((BALANCED, "test_score"), ("fit_seconds", "fit_time")):
                row = {"model": name, "shots": 0, "unit": f"seed {seed}", "metric": metric}
                rows.append(row | {"value": found[key][0]})
    return pd.DataFrame(rows)

"""Balanced accuracy of STF2MClassifier and its peers, on the same episodes.

    python benchmarks/accuracy.py --data DIR                     # everything: hours on one core
    python benchmarks/accuracy.py --cells 'bundled:*'            # needs no data but the package's
    python benchmarks/accuracy.py --data DIR --split dev --cells 'ravdess_speech:*' \
        --peers stf2m 'minirocket-*' --seeds 1 --draws 1 --out /tmp/look
    python benchmarks/accuracy.py --report-only

A cell is a recording and a protocol (see protocols.py). Every (cell, peer, seed) becomes a file
of its own as soon as it is done, so that a run that was stopped goes on where it was, and several
processes may share the cells. A file is done again if the peer's parameters or the draws are
other ones, or with `--again`. The report is made from all files that there are.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import time
import traceback
from collections import defaultdict
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _accuracy_report import write_report
from _machine import RESULTS, describe_machine
from peers import PEERS, Peer, make_peer, take
from protocols import (
    PROTOCOLS,
    SPLITS,
    Episode,
    Recording,
    Task,
    make_task,
    read_bundled,
    read_recording,
)
from sklearn.metrics import balanced_accuracy_score

BUNDLED = "bundled"
_UEA = ("BasicMotions", "Epilepsy", "Handwriting", "JapaneseVowels", "Libras", "RacketSports")
CELLS = (
    "noneeg_stress:new-person",
    "ravdess_speech:new-person",
    "ravdess_speech:fine-grained",
    "ravdess_speech:new-class",
    "uea_Handwriting:new-class",
    "uea_Libras:new-class",
    "uea_JapaneseVowels:new-class",
    *(f"uea_{name}:plain" for name in _UEA),
    f"{BUNDLED}:new-person",
)


class Run(NamedTuple):
    """One peer in one cell with one seed."""

    cell: str
    peer: str
    seed: int
    split: str
    draws: int
    params: dict[str, Any]

    @property
    def file_name(self) -> str:
        """Where the result goes."""
        return f"{self.cell.replace(':', '.')}.{self.peer}.seed{self.seed}.json"

    def make(self) -> Peer:
        """The peer, not fitted."""
        return make_peer(self.peer, seed=self.seed, **self.params)

    def fingerprint(self) -> str:
        """Of everything that a result depends on, but for the code."""
        params = {k: repr(v) for k, v in self.make().get_params().items()}
        shots = PROTOCOLS[self.cell.partition(":")[2]].shots
        known = [self.peer, self.split, self.draws, shots, sorted(params.items())]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


@lru_cache(maxsize=2)
def read(cell: str, data: Path | None) -> Recording:
    """The recording of a cell."""
    name, _, protocol = cell.partition(":")
    if name == BUNDLED:
        return read_bundled()
    return read_recording(data / f"{name}.npz", fine_grained=protocol == "fine-grained")


def takes_part(run: Run) -> bool:
    """Whether the peer has answers in this cell that no other of its kinds gives as well."""
    data, _, protocol = run.cell.partition(":")
    if protocol == "plain" and run.peer.endswith(("-pooled", "-support")):
        return False  # without a support "pooled" is "population"
    peer = run.make()
    if peer.needs_order and data not in (BUNDLED, "noneeg_stress"):
        return False
    return peer.new_classes if protocol == "new-class" else peer.zero_shot or protocol != "plain"


class Fitted(NamedTuple):
    """A fitted peer and the features of all clips that are asked for."""

    run: Run
    peer: Peer
    task: Task
    asked: np.ndarray
    features: Any
    seconds: dict[str, float]

    def as_kind_of(self, run: Run) -> Fitted | None:
        """The same for another kind of the peer, if the kinds share what `fit` does."""
        peer = run.make()
        kinds = [
            {k: v for k, v in p.get_params().items() if k != "kind"} for p in (self.peer, peer)
        ]
        alike = self.run._replace(peer=run.peer) == run and type(peer) is type(self.peer)
        if not (alike and kinds[0] == kinds[1] and peer.shares_fit):
            return None
        other = copy.copy(self.peer).set_params(kind=peer.kind)
        other.name = run.peer
        return self._replace(run=run, peer=other)


def fit(run: Run, recording: Recording) -> Fitted:
    """Fit the population, and compute the features of the clips that are asked for."""
    protocol = run.cell.partition(":")[2]
    task = make_task(recording, protocol, seed=run.seed, draws=run.draws, split=run.split)
    peer, train = run.make(), task.train
    assert recording.in_order or not peer.needs_order
    start = time.perf_counter()
    peer.fit(recording.rows(train), recording.labels[train], recording.people_of(train))
    then = time.perf_counter()
    asked = asked_rows(recording, task)
    features = peer.features(recording.rows(asked))
    seconds = {"fit_seconds": then - start, "feature_seconds": time.perf_counter() - then}
    return Fitted(run, peer, task, asked, features, seconds)


def measure(fitted: Fitted, recording: Recording) -> dict[str, Any]:
    """Answer all episodes and score them."""
    start = time.perf_counter()
    answers = answer(fitted, recording)
    seconds = fitted.seconds | {"answer_seconds": time.perf_counter() - start}
    scores = defaultdict(lambda: defaultdict(list))
    for episode, given in answers:
        true = recording.labels[episode.query]
        scores[episode.shots][episode.unit].append(balanced_accuracy_score(true, given))
    sizes = {"clips_fitted": len(fitted.task.train), "clips_asked": len(fitted.asked)}
    return {"scores": scores, "episodes": len(answers)} | seconds | sizes


def asked_rows(recording: Recording, task: Task) -> np.ndarray:
    """All clips of the people who are asked for, in order; without people those of the episodes."""
    rows = np.unique(np.concatenate([[*one.support, *one.query] for one in task.episodes]))
    rows = rows.astype(int)
    if recording.people is None:
        return rows
    return np.flatnonzero(np.isin(recording.people, recording.people[rows]))


def answer(fitted: Fitted, recording: Recording) -> list[tuple[Episode, np.ndarray]]:
    """Pairs of episode and labels."""
    peer, labels, answers = fitted.peer, recording.labels, []
    place = np.full(len(labels), -1)
    place[fitted.asked] = np.arange(len(fitted.asked))
    for one in fitted.task.episodes:
        if not one.shots and not peer.zero_shot:
            continue
        query = take(fitted.features, place[one.query])
        if one.shots:
            support = take(fitted.features, place[one.support])
            answers.append((one, peer.answer(support, labels[one.support], query)))
        else:
            answers.append((one, peer.answer(None, None, query)))
    return answers


def is_done(path: Path, run: Run) -> bool:
    """Whether there is a result of just this run."""
    return path.exists() and json.loads(path.read_text())["fingerprint"] == run.fingerprint()


def write(path: Path, record: dict[str, Any]) -> None:
    """Write at once or not at all: another process may be reading."""
    half = path.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(record, indent=1) + "\n")
    half.replace(path)


def run_all(runs: list[Run], folder: Path, data: Path | None, again: bool) -> list[str]:
    """Do what is not done; return what failed."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine("torch", "skorch", "aeon")
    last, failed, threads = None, [], torch.get_num_threads()
    for run in runs:
        torch.set_num_threads(threads)  # numba's OpenMP, which aeon sets, is torch's too
        path = folder / run.file_name
        if not takes_part(run) or (is_done(path, run) and not again):
            continue
        record = run._asdict() | {"fingerprint": run.fingerprint()}
        record["params"] = {k: repr(v) for k, v in run.make().get_params().items()}
        try:
            recording = read(run.cell, data)
            last = (last and last.as_kind_of(run)) or fit(run, recording)
            record |= measure(last, recording) | {"machine": machine}
        except Exception:  # one peer's failure must not cost a night of the others
            traceback.print_exc()
            failed.append(path.stem)
            continue
        write(path, record)
        print(as_line(record), flush=True)
    return failed


def as_line(record: dict[str, Any]) -> str:
    """What is printed of a run."""
    means = {k: np.mean(np.concatenate([*own.values()])) for k, own in record["scores"].items()}
    each = 1e3 * record["answer_seconds"] / record["episodes"]
    return (
        f"{record['cell']:30s} {record['peer']:28s} seed {record['seed']}  "
        f"fit {record['fit_seconds']:6.1f} s  episode {each:7.1f} ms  "
        + "  ".join(f"{k}: {mean:.3f}" for k, mean in means.items())
    )


def plan(options: argparse.Namespace) -> list[Run]:
    """All runs that were asked for, seed by seed, so that a first look is soon complete."""
    cells = [cell for cell in CELLS if _any_match(cell, options.cells)]
    if options.split == "dev":  # an archive's test split is no place to choose settings
        cells = [cell for cell in cells if not cell.endswith(":plain")]
    if options.data is None:
        cells = [cell for cell in cells if cell.startswith(BUNDLED)]
    peers = [peer for peer in PEERS if _any_match(peer, options.peers)]
    return [
        Run(
            cell,
            peer,
            seed,
            options.split,
            options.draws or PROTOCOLS[cell.partition(":")[2]].draws,
            options.params if peer == "stf2m" else {},
        )
        for seed in range(options.seeds)
        for cell in cells
        for peer in peers
    ]


def _any_match(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the .npz; without: the bundled one")
    parser.add_argument("--cells", nargs="+", default=["*"], help="names or patterns")
    parser.add_argument("--peers", nargs="+", default=["*"], help="names or patterns")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--draws", type=int, help="for each person; of new classes: in all")
    parser.add_argument("--params", type=json.loads, default={}, help="of STF2MClassifier, JSON")
    parser.add_argument("--again", action="store_true", help="do again what is done")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.out / f"accuracy_{options.split}"
    failed = []
    if not options.report_only:
        failed = run_all(plan(options), folder, options.data, options.again)
    print(write_report(folder, options.out, f"accuracy_{options.split}"))
    if failed:
        raise SystemExit("Failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()

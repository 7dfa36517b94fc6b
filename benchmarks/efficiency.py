"""Time to personalise and answer, time to meta-train, and the size of a model.

    python benchmarks/efficiency.py                    # generated clips
    python benchmarks/efficiency.py --data FILE.npz    # your own recording

personalise and answer
    One new person: up to four labelled clips of each emotion, and 32 clips to answer. Everything
    from raw clips on both sides is timed: for MiniRocket its features of support and query and the
    ridge that is fitted anew to the population and them (the population's features and the
    products of its clips are kept; refitted: by scikit-learn, from the features), for MAML five
    gradient steps and the query's answer, for EEGNet the fine-tuning, for the frozen encoder a new
    logistic regression. The models take turns, with a rest between them (see REST); what counts is
    the ratio to this package's classifier within a turn, of which the median is shown. The peers
    are trained only as long as it takes to have weights: on these their time does not depend (but
    for the logistic regression, which may take more steps).
meta-training
    ``fit`` on everybody else, and a bare loop of the same passes: episodes that were drawn
    beforehand, forward, loss, backward and step of the same network, the population remembered as
    often, validation without gradients, the steps of the meta-recurrent learner, the population's
    sums at the end. Not in the bare loop: skorch with its history and callbacks, drawing
    episodes, copies of the best weights, and all that comes before the first batch (calibration,
    components, rules, the choice of ridges). *training only* leaves the last out on both sides.
model
    Bytes that ``save`` writes, and of the tensors in memory.

All models have the same number of threads when they answer (torch, BLAS and aeon's `n_jobs`). Two
are only worth comparing where both cores are free: threads that wait for each other at every step
made torch forty times as slow where they were not; then ask for `--threads 1`.
Everything is fitted with `--fit-threads`, one by default: with two, torch's SVD took thirty times
as long on a machine whose two cores others used too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from _machine import RESULTS, describe_machine
from _replay import stages_timed, traced
from peers import Peer, make_peer
from peers._base import pool_weights
from peers._ridge import LAM
from peers.minirocket import MiniRocketRidge
from protocols import Recording, read_recording
from sklearn.linear_model import RidgeClassifier
from threadpoolctl import threadpool_limits

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views

SHOTS, QUERIES = 4, 32
# Just enough training to have weights; MAML's and EEGNet's steps on a support are the default's.
PEERS = {
    "minirocket-pooled": {},
    "maml": {"n_steps": 1},
    "eegnet": {"n_epochs": 1},
    "frozen-encoder": {"n_epochs": 5},
}
WANTED = {
    "minirocket-pooled": 5.0,
    "minirocket-refitted": 5.0,
    "maml": 20.0,
}  # times as long as stf2m, at least
REST = 0.3  # s; threads of one library's pool turn in circles for so long, in another's way
MOST_SECONDS, MOST_TIMES_BARE, MOST_BYTES = 180.0, 1.25, 2_000_000


class Person(NamedTuple):
    """A new person's clips, and everybody else's."""

    population: np.ndarray
    support: np.ndarray
    query: np.ndarray


def read(path: Path | None) -> Recording:
    if path is not None:
        return read_recording(path)
    data = make_emotion_views(
        n_people=24, n_emotions=8, n_clips_per_emotion=10, ambiguity=0.0, random_state=0
    )
    return Recording(data.views.to_dict(), data.target, data.groups, {})


def new_person(recording: Recording) -> Person:
    """The last person; where clips are too few for the query some are asked twice."""
    own = recording.people == recording.people[-1]
    rows = np.flatnonzero(own)
    labels = recording.labels[rows]
    rank = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)])
    few = rank < SHOTS
    return Person(np.flatnonzero(~own), rows[few], np.resize(rows[~few], QUERIES))


# ---- personalise and answer ----


class Refitted:
    """The pooled ridge of MiniRocket's features as scikit-learn fits it, anew for every person.

    Features of the population are kept, but not the products of its clips with each other, which
    `minirocket-pooled` keeps.
    """

    def __init__(self, fitted: MiniRocketRidge) -> None:
        self.fitted = fitted
        self.features = fitted._transform

    def answer(self, support, support_labels, query) -> np.ndarray:
        """The class with the largest score."""
        fitted = self.fitted
        weights = pool_weights(len(fitted.labels), len(support), fitted.weight)
        features = np.concatenate([fitted.population, support])
        labels = np.concatenate([fitted.labels, support_labels])
        ridge = RidgeClassifier(alpha=LAM * features.shape[1])
        return ridge.fit(features, labels, sample_weight=weights).predict(query)


def fitted_peers(recording: Recording, person: Person, threads: int) -> dict[str, Peer]:
    population = person.population
    peers, of_torch = {}, torch.get_num_threads()
    for name, params in ({"stf2m": {}} | PEERS).items():
        torch.set_num_threads(of_torch)  # numba's OpenMP, which aeon sets, is torch's too
        peer = make_peer(name, seed=0, **({"max_epochs": 1} if name == "stf2m" else params))
        people = recording.people_of(population)
        peer.fit(recording.rows(population), recording.labels[population], people)
        if hasattr(peer, "rocket"):  # the peer leaves it at one job, and it is read at fit
            peer.rocket._n_jobs = threads
        peers[name] = peer
    peers["minirocket-refitted"] = Refitted(peers["minirocket-pooled"])
    return peers


def time_turns(
    peers: dict[str, Peer], recording: Recording, person: Person, repeats: int, threads: int
) -> dict[str, list[float]]:
    """Seconds of each model in each turn."""
    support, query = recording.rows(person.support), recording.rows(person.query)
    labels = recording.labels[person.support]
    seconds = {name: [] for name in peers}
    for turn in range(repeats + 1):
        for name, peer in peers.items():
            torch.set_num_threads(threads)
            time.sleep(REST)
            start = time.perf_counter()
            peer.answer(peer.features(support), labels, peer.features(query))
            if turn:  # the first is for warming up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def personalisation(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    own = np.array(seconds["stf2m"])
    rows = []
    for name, each in seconds.items():
        times = float(np.median(np.array(each) / own))
        wanted = WANTED.get(name)
        row = {"model": name, "ms": 1e3 * median(each), "times_stf2m": times, "wanted": wanted}
        rows.append(row | {"holds": None if wanted is None else times >= wanted})
    return rows


# ---- meta-training ----


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    given = work()
    return time.perf_counter() - start, given


def meta_training(recording: Recording, person: Person, repeats: int, params: dict) -> dict:
    """Times of fit and of the bare loop, in turns, and the stages of one more fit."""
    rows = person.population
    signals, labels, people = recording.rows(rows), recording.labels[rows], recording.people[rows]

    def fit() -> STF2MClassifier:
        return STF2MClassifier(random_state=0, **params).fit(signals, labels, groups=people)

    turns = []
    for _ in range(repeats):
        with traced() as trace:
            fitting, fitted = timed(fit)
        bare, _ = timed(trace.loop())
        turns.append({"fit": fitting, "training": trace.training_seconds, "bare": bare})
    with stages_timed() as watch:
        total, _ = timed(fit)
    stages = dict(watch.seconds)
    stages["everything else"] = total - sum(stages.values())
    return {
        "fitted": fitted,
        "turns": turns,
        "fit_seconds": median(turn["fit"] for turn in turns),
        "bare_seconds": median(turn["bare"] for turn in turns),
        "times_bare": median(turn["fit"] / turn["bare"] for turn in turns),
        "training_only": median(turn["training"] / turn["bare"] for turn in turns),
        "passes": trace.n_batches,
        "epochs": len(fitted.history_),
        "stages": stages,
        "staged_seconds": total,
    }


# ---- the model ----


def size_of(fitted: STF2MClassifier) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        fitted.save(path)
        n_bytes = path.stat().st_size
    tensors = list(fitted.net_.module_.state_dict().values())
    sums = [*fitted._population, *fitted._state]  # no public name: what a person is read against
    return {
        "file_bytes": n_bytes,
        "network_bytes": sum(tensor.nbytes for tensor in tensors),
        "population_bytes": sum(tensor.nbytes for tensor in sums),
        "parameters": sum(each.numel() for each in fitted.net_.module_.parameters()),
    }


# ---- the report ----


def report(found: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"Efficiency on {found['data']}, {found['threads']} threads "
            f"(fitting: {found['fit_threads']})",
            "",
            *_personalisation_lines(found),
            "",
            *_training_lines(found["meta_training"]),
            "",
            *_size_lines(found["size"]),
        ]
    )


def _personalisation_lines(found: dict) -> list[str]:
    lines = [
        f"One new person, {found['n_support']} support and {found['n_query']} query clips, a "
        f"population of {found['n_population']}; median of {found['repeats']} turns",
        "",
        "| model | ms | times stf2m | wanted | holds |",
        "|---|---|---|---|---|",
    ]
    for row in found["personalisation"]:
        wanted = "" if row["wanted"] is None else f"at least {row['wanted']:g}"
        lines.append(
            f"| {row['model']} | {row['ms']:.1f} | {row['times_stf2m']:.2f} | {wanted} | "
            f"{_said(row['holds'])} |"
        )
    return lines


def _training_lines(found: dict) -> list[str]:
    passes = ", ".join(f"{n} {kind}" for kind, n in found["passes"].items())
    fit, times = found["fit_seconds"], found["times_bare"]
    lines = [
        f"Meta-training: {found['epochs']} epochs; passes: {passes}",
        "",
        "| what | measured | wanted | holds |",
        "|---|---|---|---|",
        f"| fit | {fit:.1f} s | at most {MOST_SECONDS:g} s | {_said(fit <= MOST_SECONDS)} |",
        f"| bare loop | {found['bare_seconds']:.1f} s | | |",
        f"| fit over bare loop | {times:.2f} | at most {MOST_TIMES_BARE} | "
        f"{_said(times <= MOST_TIMES_BARE)} |",
        f"| training only over bare loop | {found['training_only']:.2f} | | |",
        "",
        "| stage of fit | seconds | share |",
        "|---|---|---|",
    ]
    for name, seconds in found["stages"].items():
        lines.append(f"| {name} | {seconds:.2f} | {seconds / found['staged_seconds']:.1%} |")
    return lines


def _size_lines(size: dict) -> list[str]:
    holds = _said(size["file_bytes"] < MOST_BYTES)
    return [
        "| size | bytes | wanted | holds |",
        "|---|---|---|---|",
        f"| file | {size['file_bytes']:,} | below {MOST_BYTES:,} | {holds} |",
        f"| network in memory ({size['parameters']:,} parameters trained) | "
        f"{size['network_bytes']:,} | | |",
        f"| population and state in memory | {size['population_bytes']:,} | | |",
    ]


def _said(holds: bool | None) -> str:
    return {None: "", True: "yes", False: "NO"}[holds]


def measure(recording: Recording, options: argparse.Namespace) -> dict[str, Any]:
    person = new_person(recording)
    torch.set_num_threads(options.fit_threads)
    peers = fitted_peers(recording, person, options.threads)
    seconds = time_turns(peers, recording, person, options.repeats, options.threads)
    params = {} if options.epochs is None else {"max_epochs": options.epochs}
    torch.set_num_threads(options.fit_threads)
    training = meta_training(recording, person, options.fit_repeats, params)
    return {
        "data": "generated" if options.data is None else options.data.stem,
        "threads": options.threads,
        "fit_threads": options.fit_threads,
        "repeats": options.repeats,
        "n_support": len(person.support),
        "n_query": len(person.query),
        "n_population": len(person.population),
        "personalisation": personalisation(seconds),
        "size": size_of(training.pop("fitted")),
        "meta_training": training,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="an .npz of a recording; None: generated")
    parser.add_argument("--repeats", type=int, default=20, help="turns of personalisation")
    parser.add_argument("--fit-repeats", type=int, default=2, help="turns of meta-training")
    parser.add_argument("--epochs", type=int, help="of meta-training; None: the classifier's")
    parser.add_argument("--threads", type=int, default=2, help="of every model when it answers")
    parser.add_argument("--fit-threads", type=int, default=1, help="of torch in everything else")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for what is found")
    options = parser.parse_args()
    machine = describe_machine("torch", "skorch", "aeon", "numba")
    with threadpool_limits(options.threads):
        found = measure(read(options.data), options)
    text = report(found)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"efficiency_{found['data']}"
    content = json.dumps({"machine": machine} | found, indent=1)
    (options.out / f"{name}.json").write_text(content + "\n")
    (options.out / f"{name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()

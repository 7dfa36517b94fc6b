"""Balanced accuracy as modalities go missing, on new people.

    python benchmarks/missing_modalities.py                       # generated clips
    python benchmarks/missing_modalities.py --data FILE.npz ...   # your own recordings too

A share of all (clip, modality) pairs of the people tested is taken away at random; every clip
keeps one modality at least, so that the largest share is 1 - 1 / n_modalities. All models see the
same clips, the same episodes and the same gaps, and what is missing at a share is missing at every
larger one. Nothing is missing in the population. With four labelled clips a class, the support is
once full and once as incomplete as the query; without labelled clips only the query can lack
something.

stf2m
    Gaps are NaN.
stf2m-no-view-dropout
    The same with ``view_dropout=0``: trained on complete episodes alone.
minirocket-pooled
    The population's mean in place of what is missing, then as in `accuracy.py`.
logistic-pooled
    Statistics of each channel; the population's mean in place of those that are missing.

Scores are averaged over draws and seeds for each person; intervals are Student's t over people, of
the mean and of the paired difference from stf2m. Each (set, model, seed) is kept in a file of its
own as soon as it is there, and is not run again unless `--fresh` is given.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _machine import RESULTS, describe_machine
from peers import Peer, make_peer, take
from protocols import SPLITS, Recording, Task, make_task, read_recording
from scipy import stats
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk.datasets import make_emotion_views

SHARES = (0.0, 0.25, 0.5, 0.75)
SHOTS = (0, 4)
MODELS = {
    "stf2m": ("stf2m", {}),
    "stf2m-no-view-dropout": ("stf2m", {"view_dropout": 0.0}),
    "minirocket-pooled": ("minirocket-pooled", {}),
    "logistic-pooled": ("logistic-pooled", {}),
}
COLOURS = dict(zip(MODELS, ("#0072B2", "#56B4E9", "#D55E00", "#009E73"), strict=True))
STATISTICS = 4  # of each channel, in the features of logistic-pooled


class Cell(NamedTuple):
    """A condition: shots, what the support is like, and the share missing."""

    shots: int
    support: str
    share: float


# ---- gaps ----


def make_gaps(present: np.ndarray, seed: int) -> dict[float, np.ndarray]:
    """For each share that can be reached, which (clip, modality) pairs are taken away.

    The same random order of pairs serves all shares, and the last pair that a clip has is never
    taken: what is missing at one share is missing at all larger ones.
    """
    n_clips = len(present)
    order = np.where(present, np.random.default_rng(seed).random(present.shape), -1.0)
    order[np.arange(n_clips), order.argmax(axis=1)] = -1.0  # this one stays
    by_turn = np.argsort(-order, axis=None, kind="stable")
    gaps = {}
    for share in SHARES:
        n_taken = round(share * present.sum())
        if n_taken <= (order >= 0).sum():
            gone = np.zeros(present.size, dtype=bool)
            gone[by_turn[:n_taken]] = True
            gaps[share] = gone.reshape(present.shape)
    return gaps


def is_present(signals: dict[str, np.ndarray]) -> np.ndarray:
    """Which (clip, modality) pairs have anything measured."""
    return np.stack([~np.isnan(s).all(axis=(1, 2)) for s in signals.values()], axis=1)


def with_gaps(signals: dict[str, np.ndarray], gone: np.ndarray) -> dict[str, np.ndarray]:
    """The same clips without what is taken away."""
    holed = {}
    for column, (name, signal) in enumerate(signals.items()):
        holed[name] = signal.copy()
        holed[name][gone[:, column]] = np.nan
    return holed


def features_of(peer: Peer, model: str, signals: dict[str, np.ndarray]) -> Any:
    """What the peer computes of the clips; statistics of nothing are the population's mean."""
    features = peer.features(signals)
    if model != "logistic-pooled":
        return features
    n_columns = [STATISTICS * signal.shape[1] for signal in signals.values()]
    return np.where(np.repeat(is_present(signals), n_columns, axis=1), features, 0.0)


# ---- one file a set, model and seed ----


def score_model(
    recording: Recording, task: Task, model: str, seed: int, threads: int
) -> list[dict[str, Any]]:
    """Score of every episode in every condition."""
    torch.set_num_threads(threads)  # a rocket before it may have changed it, through OpenMP
    kind, params = MODELS[model]
    peer = make_peer(kind, seed=seed, **params)
    train = task.train
    peer.fit(recording.rows(train), recording.labels[train], recording.people_of(train))
    tested = np.unique(np.concatenate([one.query for one in task.episodes]
                                      + [one.support for one in task.episodes]))  # fmt: skip
    signals = recording.rows(tested)
    features = {
        share: features_of(peer, model, with_gaps(signals, gone))
        for share, gone in make_gaps(is_present(signals), seed).items()
    }
    rows = []
    for one in task.episodes:
        support, query = np.searchsorted(tested, one.support), np.searchsorted(tested, one.query)
        for cell, given in _conditions(one.shots, features):
            asked = take(features[cell.share], query)
            known = None if given is None else take(given, support)
            labels = None if given is None else recording.labels[one.support]
            answer = peer.answer(known, labels, asked)
            score = balanced_accuracy_score(recording.labels[one.query], answer)
            rows.append(cell._asdict() | {"person": one.unit, "score": float(score)})
    return rows


def _conditions(shots: int, features: dict[float, Any]) -> list[tuple[Cell, Any]]:
    """Each condition with the features that its support is taken from."""
    if shots == 0:
        return [(Cell(0, "none", share), None) for share in features]
    full = [(Cell(shots, "full", share), features[0.0]) for share in features]
    return full + [(Cell(shots, "incomplete", share), own) for share, own in features.items()]


def scored(path: Path, recording: Recording, model: str, seed: int, options) -> list[dict]:
    """Rows of a file, which is made where it is not there."""
    if path.exists() and not options.fresh:
        return json.loads(path.read_text())["rows"]
    task = make_task(recording, "new-person", seed=seed, shots=SHOTS, draws=options.draws,
                     split=options.split)  # fmt: skip
    start = time.perf_counter()
    rows = score_model(recording, task, model, seed, options.threads)
    seconds = time.perf_counter() - start
    print(f"{path.stem}: {seconds:.0f} s", file=sys.stderr, flush=True)
    made = {"machine": describe_machine("torch", "aeon"), "seconds": seconds, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(made) + "\n")
    unfinished.replace(path)
    return rows


# ---- all of them ----


def summarise(by_model: dict[str, list[dict]]) -> list[dict[str, Any]]:
    """Mean and interval over people of each model and condition, and of the paired difference."""
    means = {model: _means(rows) for model, rows in by_model.items()}
    first = next(iter(means.values()))
    found = []
    for model, cells in means.items():
        for cell, people in cells.items():
            row = {"model": model} | cell._asdict() | {"people": len(people)}
            row |= _interval("", list(people.values()))
            if cells is not first:
                row |= _interval("stf2m_minus_this_", [first[cell][p] - people[p] for p in people])
            found.append(row)
    return found


def _means(rows: list[dict]) -> dict[Cell, dict[str, float]]:
    """Mean score of each person in each condition."""
    scores: dict[Cell, dict[str, list[float]]] = {}
    for row in rows:
        cell = Cell(row["shots"], row["support"], row["share"])
        scores.setdefault(cell, {}).setdefault(row["person"], []).append(row["score"])
    return {c: {p: float(np.mean(s)) for p, s in people.items()} for c, people in scores.items()}


def _interval(prefix: str, values: list[float]) -> dict[str, float]:
    mean, n = float(np.mean(values)), len(values)
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {f"{prefix}mean": mean, f"{prefix}low": mean - half, f"{prefix}high": mean + half}


def report(name: str, rows: list[dict], n_seeds: int, split: str) -> str:
    shares = sorted({row["share"] for row in rows})
    lines = [
        f"{name}, {split} people, {n_seeds} seeds: balanced accuracy [95 % interval over "
        f"{rows[0]['people']} people] by the share of modalities missing; below it stf2m minus "
        "the model, paired",
        "",
        "| shots | support | model | " + " | ".join(f"{share:.0%}" for share in shares) + " |",
        "|---|---|---|" + "---|" * len(shares),
    ]
    for shots, support in ((0, "none"), (4, "full"), (4, "incomplete")):
        for model in MODELS:
            given = (model, shots, support)
            own = [row for row in rows if (row["model"], row["shots"], row["support"]) == given]
            own.sort(key=lambda row: row["share"])
            said = " | ".join(_said(row) for row in own)
            lines.append(f"| {shots} | {support} | {model} | {said} |")
    return "\n".join(lines)


def _said(row: dict) -> str:
    own = "{mean:.3f} [{low:.3f}, {high:.3f}]".format(**row)
    if "stf2m_minus_this_mean" not in row:
        return own
    ends = (row[f"stf2m_minus_this_{end}"] for end in ("mean", "low", "high"))
    return own + "<br>{:+.3f} [{:+.3f}, {:+.3f}]".format(*ends)


def draw_figure(sets: dict[str, list[dict]], path: Path) -> None:
    """One panel a set; the full support is in the table alone."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1,
        len(sets),
        figsize=(max(6.5, 4 * len(sets)), 4),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for ax, (name, rows) in zip(axes[0], sets.items(), strict=True):
        for i, (model, colour) in enumerate(COLOURS.items()):
            for shots, style in ((4, "o-"), (0, "s:")):
                own = [r for r in rows if (r["model"], r["shots"]) == (model, shots)]
                own = sorted(
                    (r for r in own if r["support"] != "full"), key=lambda row: row["share"]
                )
                at = np.array([row["share"] for row in own]) + 0.008 * (i - 1.5)
                mean = np.array([row["mean"] for row in own])
                half = mean - np.array([row["low"] for row in own])
                ax.errorbar(at, mean, yerr=half, fmt=style, color=colour, markersize=4,
                            elinewidth=0.8, label=f"{model}, {shots} clips")  # fmt: skip
        ax.set_title(name)
        ax.set_xticks(SHARES, [f"{share:.0%}" for share in SHARES])
        ax.set_xlabel("modalities missing in query and support")
    axes[0, 0].set_ylabel("balanced accuracy, new people")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, 2 * len(sets)),
                  frameon=False, fontsize=8)  # fmt: skip
    figure.savefig(path, dpi=150)


def recordings(options: argparse.Namespace) -> dict[str, Recording]:
    data = make_emotion_views(random_state=0)
    made = Recording(data.views.to_dict(), data.target, data.groups, {})
    return {path.stem: read_recording(path) for path in options.data} | {"generated": made}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="*", default=[], help=".npz of recordings")
    parser.add_argument("--split", choices=SPLITS, default="test", help="people who are tested")
    parser.add_argument("--seeds", type=int, default=3, help="of models, episodes and gaps")
    parser.add_argument("--draws", type=int, default=2, help="episodes of a person and seed")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--fresh", action="store_true", help="run what was already run again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for what is found")
    options = parser.parse_args()
    machine, sets, texts = describe_machine("torch", "aeon"), {}, []
    cells = options.out / "missing_modalities"
    for name, recording in recordings(options).items():
        by_model = {model: [] for model in MODELS}
        for seed in range(options.seeds):
            for model in MODELS:
                path = cells / f"{name}_{options.split}_{model}_{seed}.json"
                by_model[model] += scored(path, recording, model, seed, options)
        sets[name] = summarise(by_model)
        texts.append(report(name, sets[name], options.seeds, options.split))
        print(texts[-1] + "\n", flush=True)
    content = {"machine": machine, "split": options.split, "seeds": options.seeds, "sets": sets}
    stem = f"missing_modalities_{options.split}"
    (options.out / f"{stem}.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / f"{stem}.md").write_text("\n\n".join(texts) + "\n")
    draw_figure(sets, options.out / f"{stem}.png")


if __name__ == "__main__":
    main()

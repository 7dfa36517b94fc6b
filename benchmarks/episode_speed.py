"""Time 200 episodes of 8-way 4-shot: answered together, in a loop, and by a refitted peer.

    python benchmarks/episode_speed.py                    # generated clips
    python benchmarks/episode_speed.py --data FILE.npz    # your own recording

`STF2MClassifier` is meta-trained once, and MiniRocket is fitted once, on the population; neither
is timed. From there on everything that it takes to answer the episodes is:

batched
    What `few_shot_score` does. Every clip of the episodes is embedded once, all supports are
    solved together.
loop
    ``fitted.adapt(support).predict_proba(query)``, one episode after the other; its clips are
    embedded in every episode.
MiniRocket + ridge
    The ridge is fitted anew in each episode, to the population and the support, of which a clip
    counts 50 times, and answers the query. The population's features are always kept from
    before. Of the episode's own clips *nothing kept* transforms support and query in each
    episode, as a call with a new person does; *features kept* takes all features from a table
    that was filled before the clock started; *products kept* does the same with the products of
    all pairs of clips and solves the dual, which is as quick as a ridge can be.

The peer is given fewer episodes where it is slow (`--peer-episodes`); its time is for as many as
the others have.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _machine import RESULTS, describe_machine
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_npz, make_emotion_views
from stf2m_sk.model_selection import Episode, EpisodeSplit
from stf2m_sk.model_selection._answering import Refit, answer_episodes
from stf2m_sk.model_selection._clips import read_clips

WEIGHT = 50.0  # of a support clip, for a population clip's 1
SHARE_NEW = 0.4  # of the people


class Task(NamedTuple):
    """A population, and episodes of new people."""

    views: Any
    target: np.ndarray
    train: np.ndarray
    groups: np.ndarray
    episodes: list[Episode]


def make_task(path: Path | None, n_episodes: int) -> Task:
    if path is None:
        data = make_emotion_views(
            n_people=24, n_emotions=8, n_clips_per_emotion=10, ambiguity=0.0, random_state=0
        )
    else:
        data = load_npz(path)
    people = np.unique(data.groups)
    new = np.random.default_rng(0).permutation(people)[: round(SHARE_NEW * len(people))]
    rows = np.flatnonzero(np.isin(data.groups, new))
    splitter = EpisodeSplit(
        n_way=8, n_shot=4, n_episodes=n_episodes, gap=None, on_few="shrink", random_state=0
    )
    episodes = [
        one._replace(support=rows[one.support], query=rows[one.query])
        for one in splitter.episodes(None, data.target[rows], data.groups[rows])
    ]
    train = np.flatnonzero(~np.isin(data.groups, new))
    return Task(data.views, data.target, train, data.groups, episodes)


# ---- the classifier ----


def answer_batched(fitted: STF2MClassifier, task: Task) -> list[np.ndarray]:
    clips = read_clips(task.views, task.target)
    refit = Refit("support", task.train, WEIGHT)
    answers = answer_episodes(fitted, task.views, clips, task.episodes, refit)
    return [answer.probabilities for answer in answers]


def answer_in_a_loop(fitted: STF2MClassifier, task: Task) -> list[np.ndarray]:
    return [
        fitted.adapt(task.views[one.support], task.target[one.support]).predict_proba(
            task.views[one.query]
        )
        for one in task.episodes
    ]


# ---- the peer ----


class Peer:
    """MiniRocket, fitted on the population, and a ridge that is fitted anew for each episode."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.signals = on_one_clock(task)
        self.rocket = MiniRocket(random_state=0).fit(self.signals[task.train])
        population = self._features(task.train)
        self.mean, self.scale = population.mean(0), population.std(0) + 1e-3
        self.population = (population - self.mean) / self.scale
        everything = (self._features(np.arange(len(task.target))) - self.mean) / self.scale
        self.table = everything
        self.products = everything @ everything.T

    def nothing_kept(self, one: Episode) -> np.ndarray:
        """Transform the episode's clips, then fit and answer."""
        rows = np.concatenate([one.support, one.query])
        features = (self._features(rows) - self.mean) / self.scale
        return self._ridge(one, features[: len(one.support)], features[len(one.support) :])

    def features_kept(self, one: Episode) -> np.ndarray:
        """Fit and answer."""
        return self._ridge(one, self.table[one.support], self.table[one.query])

    def products_kept(self, one: Episode) -> np.ndarray:
        """Solve the dual of the same ridge, and answer."""
        rows, weights = np.concatenate([self.task.train, one.support]), self._weights(one)
        y = self.task.target[rows]
        classes = one.ways
        signs = 2.0 * (y[:, None] == classes) - 1.0
        share = weights / weights.sum()
        products = self.products[np.ix_(rows, rows)].astype(np.float64)
        asked = self.products[np.ix_(one.query, rows)].astype(np.float64)
        mean = products @ share  # products with the weighted mean of the clips
        asked = asked - (asked @ share)[:, None] - mean + mean @ share
        products = products - mean[:, None] - mean + mean @ share
        ridge = products + np.diag(self._alpha() / weights)
        offset = share @ signs
        return classes[(asked @ np.linalg.solve(ridge, signs - offset) + offset).argmax(axis=1)]

    def _features(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.rocket.transform(self.signals[rows]), dtype=np.float32)

    def _weights(self, one: Episode) -> np.ndarray:
        return np.repeat([1.0, WEIGHT], [len(self.task.train), len(one.support)])

    def _alpha(self) -> float:
        return float(self.population.shape[1])

    def _ridge(self, one: Episode, support: np.ndarray, query: np.ndarray) -> np.ndarray:
        target = self.task.target
        ridge = RidgeClassifier(alpha=self._alpha())
        ridge.fit(
            np.concatenate([self.population, support]),
            np.concatenate([target[self.task.train], target[one.support]]),
            sample_weight=self._weights(one),
        )
        scores = ridge.decision_function(query)
        among = np.isin(ridge.classes_, one.ways)
        return ridge.classes_[among][scores[:, among].argmax(axis=1)]


def on_one_clock(task: Task) -> np.ndarray:
    """All modalities as channels of one array, scaled by the population; gaps at the mean."""
    signals = task.views.to_dict()
    n_steps = max(9, *(signal.shape[2] for signal in signals.values()))
    parts = []
    for signal in signals.values():
        known = signal[task.train]
        mean = np.nanmean(known, axis=(0, 2), keepdims=True)
        scaled = (signal - mean) / (np.nanstd(known, axis=(0, 2), keepdims=True) + 1e-6)
        steps = np.arange(n_steps) * signal.shape[2] // n_steps
        parts.append(np.nan_to_num(scaled)[:, :, steps])
    return np.concatenate(parts, axis=1).astype(np.float32)


# ---- the measurement ----


def timed(answer: Callable, repeats: int) -> tuple[float, Any]:
    """Seconds of the quickest run, and what it gave."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        given = answer()
        seconds.append(time.perf_counter() - start)
    return min(seconds), given


def accuracy(task: Task, labels: list[np.ndarray]) -> float:
    pairs = zip(task.episodes, labels, strict=False)
    return float(np.mean([balanced_accuracy_score(task.target[e.query], y) for e, y in pairs]))


def measure(task: Task, fitted: STF2MClassifier, n_peer: int, repeats: int) -> list[dict]:
    n = len(task.episodes)
    few = task._replace(episodes=task.episodes[:1])
    answer_batched(fitted, few), answer_in_a_loop(fitted, few)  # warm
    batched, together = timed(lambda: answer_batched(fitted, task), repeats)
    looped, one_by_one = timed(lambda: answer_in_a_loop(fitted, task), 1)
    apart = max(np.abs(a - b).max() for a, b in zip(together, one_by_one, strict=True))
    rows = []
    for name, seconds, given in (("batched", batched, together), ("loop", looped, one_by_one)):
        labels = [e.ways[each.argmax(axis=1)] for e, each in zip(task.episodes, given, strict=True)]
        rows.append({"way": name, "seconds": seconds, "accuracy": accuracy(task, labels), "of": n})
    assert rows[0]["accuracy"] == rows[1]["accuracy"], "the figures are not the loop's"
    rows[0]["apart"] = float(apart)
    peer = Peer(task)
    asked = task.episodes[:n_peer]
    for way in (peer.nothing_kept, peer.features_kept, peer.products_kept):
        way(task.episodes[0])  # warm
        seconds, labels = timed(lambda way=way: [way(one) for one in asked], 1)
        name = "MiniRocket + ridge, " + way.__name__.replace("_", " ")
        seconds *= n / len(asked)
        score = {"accuracy": accuracy(task, labels), "of": len(asked)}
        rows.append({"way": name, "seconds": seconds} | score)
    return [row | {"times": row["seconds"] / batched} for row in rows]


def report(task: Task, rows: list[dict]) -> str:
    sizes = [len(one.support) for one in task.episodes]
    queries = [len(one.query) for one in task.episodes]
    lines = [
        f"{len(task.episodes)} episodes of {len(task.episodes[0].ways)} classes, {min(sizes)} to "
        f"{max(sizes)} support and {min(queries)} to {max(queries)} query clips; a population of "
        f"{len(task.train)} clips",
        "",
        "| way | seconds | ms an episode | times batched | balanced accuracy | of episodes |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        each = 1e3 * row["seconds"] / len(task.episodes)
        lines.append(
            f"| {row['way']} | {row['seconds']:.2f} | {each:.2f} | {row['times']:.1f} | "
            f"{row['accuracy']:.4f} | {row['of']} |"
        )
    apart = f"largest distance of a probability from the loop's: {rows[0]['apart']:.1e}"
    return "\n".join([*lines, "", apart])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="an .npz as load_npz reads; default: generated")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--peer-episodes", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of meta-training; not timed")
    options = parser.parse_args()
    machine = describe_machine("torch", "aeon", "scikit-learn")
    task = make_task(options.data, options.episodes)
    fitted = STF2MClassifier(max_epochs=options.epochs, random_state=0)
    fitted.fit(task.views[task.train], task.target[task.train], groups=task.groups[task.train])
    rows = measure(task, fitted, options.peer_episodes, options.repeats)
    print(report(task, rows))
    name = "generated" if options.data is None else options.data.stem
    machine |= {"torch_threads": torch.get_num_threads(), "data": name}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"episode_speed_{name}.json"
    path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

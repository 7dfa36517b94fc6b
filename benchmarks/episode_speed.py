"""Time about 200 episodes of 8-way 4-shot: by `few_shot_score`, in a loop, and by a peer.

    python benchmarks/episode_speed.py --data DIR/ravdess_speech.npz

Fitting is not timed. From there on all that it takes to score the episodes is.

few_shot_score
    Embeds each clip once for all episodes.
loop
    ``fitted.adapt(support).predict(query)``, one episode after the other, from raw clips.
rocket
    `few_shot_score` of MiniRocket and a ridge whose Gram matrix is kept; features once a clip.

The first and the second must give the same accuracy.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from _cells import Recording, fitted, read
from _report import BALANCED, RESULTS, Table, markdown, write_report
from peers import PEERS
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import few_shot_score

COLUMNS = ("data", "protocol", "model", "unit", "metric", "value")
WAYS, SHOTS = 8, 4


def score(model, recording: Recording, fold, draws: int):
    """Seconds, and the episodes' rows."""
    start = time.perf_counter()
    result = few_shot_score(
        FrozenEstimator(model),
        recording.views,
        recording.y,
        groups=recording.groups,
        contexts=recording.contexts,
        cv=[fold],
        n_way=WAYS,
        n_shot=SHOTS,
        n_draws=draws,
        on_few="shrink",
        random_state=0,
    )
    return time.perf_counter() - start, result.rows


def loop(model, recording: Recording, episodes) -> tuple[float, float]:
    """Seconds and mean balanced accuracy of the same episodes, one after the other."""
    scores, start = [], time.perf_counter()
    for row in episodes:
        support, query = row["support"], row["query"]
        y = recording.y[support]
        person = model.adapt(recording.views[support], y, classes=np.unique(y))
        predicted = person.predict(recording.views[query])
        scores.append(balanced_accuracy_score(recording.y[query], predicted))
    return time.perf_counter() - start, float(np.mean(scores))


def measure(recording: Recording, n_episodes: int, params: dict) -> list[tuple[str, float, float]]:
    """Way, milliseconds an episode, balanced accuracy."""
    people = np.unique(recording.groups)
    is_new = np.isin(recording.groups, people[: max(2, round(0.4 * len(people)))])
    fold = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    draws = -(-n_episodes // len(np.unique(recording.groups[fold[1]])))
    found = []
    for name, estimator in {
        "stf2m": STF2MClassifier(**params),
        "rocket": PEERS["rocket-pooled"]().estimator,
    }.items():
        model = fitted(estimator, recording, fold[0], seed=0)
        score(model, recording, fold, 1)  # warm
        seconds, rows = score(model, recording, fold, draws)
        mean = float(np.mean([row["balanced_accuracy"] for row in rows]))
        found.append((f"{name}, few_shot_score", 1e3 * seconds / len(rows), mean))
        if name == "stf2m":
            looped, same = loop(model, recording, rows)
            if abs(mean - same) > 1e-3:
                raise RuntimeError(f"few_shot_score has {mean}, the loop {same}")
            found.append(("stf2m, loop", 1e3 * looped / len(rows), same))
    return found


def main() -> None:
    own = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    own.add_argument("--data", type=Path, required=True, help="an .npz with groups")
    own.add_argument("--episodes", type=int, default=200)
    own.add_argument("--out", type=Path, default=RESULTS)
    options = own.parse_args()
    recording = read(options.data.stem, options.data.parent)
    found, rows = [], []
    for kind, params in (("", {}), (" without networks", {"n_networks": 0})):
        for way, ms, mean in measure(recording, options.episodes, params):
            if kind and not way.startswith("stf2m"):
                continue
            found.append((way + kind, f"{ms:.2f}", f"{mean:.4f}"))
            row = {"data": options.data.stem, "protocol": "8-way 4-shot", "model": way + kind}
            row["unit"] = "all"
            rows += [
                row | {"metric": "ms_per_episode", "value": ms},
                row | {"metric": BALANCED, "value": mean},
            ]
    path = options.out / "episode_speed.csv"
    path.unlink(missing_ok=True)
    Table(path, COLUMNS).append(rows)
    table = markdown(("way", "ms an episode", "balanced accuracy"), found)
    write_report(options.out / "episode_speed.md", "# Speed of episodes", table)


if __name__ == "__main__":
    main()

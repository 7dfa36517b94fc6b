"""Time about 200 episodes of 8-way 4-shot: by `few_shot_score`, in a loop, and by a peer.

    python benchmarks/episode_speed.py --data DIR/ravdess_speech.npz

Fitting is not timed. From there on all that it takes to score the episodes is.

`few_shot_score` embeds each clip once for all episodes; the loop is
``fitted.adapt(support).predict(query)`` from raw clips and must give the same accuracy. The peer is
MiniRocket and a ridge whose Gram matrix is kept, in `few_shot_score`.
"""

import time
from dataclasses import replace

import numpy as np
from _protocols import Recording, fitted, protocol, read, score_fold
from _report import BALANCED, markdown, parser, write_report, write_table
from peers import PEERS
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier

MODELS = {
    "stf2m": STF2MClassifier(),
    "rocket": PEERS["rocket-pooled"],
    "stf2m without networks": STF2MClassifier(n_networks=0),
}


def loop(model, recording: Recording, episodes) -> tuple[float, float]:
    """Seconds and mean balanced accuracy of the same episodes, one after the other."""
    scores, start = [], time.perf_counter()
    for support, query in zip(episodes["support"], episodes["query"], strict=True):
        y = recording.y[support]
        person = model.adapt(recording.views[support], y, classes=np.unique(y))
        predicted = person.predict(recording.views[query])
        scores.append(balanced_accuracy_score(recording.y[query], predicted))
    return time.perf_counter() - start, float(np.mean(scores))


def measure(recording: Recording, n_episodes: int) -> list[tuple[str, float, float]]:
    """Way, milliseconds an episode, balanced accuracy."""
    people = np.unique(recording.groups)
    is_new = np.isin(recording.groups, people[: max(2, round(0.4 * len(people)))])
    fold = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    draws = -(-n_episodes // len(np.unique(recording.groups[fold[1]])))
    found = []
    for name, estimator in MODELS.items():
        model = fitted(estimator, recording, fold[0], seed=0)
        drawn = protocol(recording, "new-person", seed=0, shots=4, ways=8, draws=draws)
        score_fold(model, recording, replace(drawn, draws=1), fold)  # warm
        start = time.perf_counter()
        rows = score_fold(model, recording, drawn, fold).rows
        seconds, episodes = time.perf_counter() - start, rows[rows["metric"] == BALANCED]
        mean = episodes["value"].mean()
        found.append((f"{name}, few_shot_score", 1e3 * seconds / len(episodes), mean))
        if name.startswith("stf2m"):
            looped, same = loop(model, recording, episodes)
            if abs(mean - same) > 1e-3:
                raise RuntimeError(f"few_shot_score has {mean}, the loop {same}")
            found.append((f"{name}, loop", 1e3 * looped / len(episodes), same))
    return found


def main() -> None:
    own = parser(__doc__, required=True, help="an .npz with groups")
    own.add_argument("--episodes", type=int, default=200)
    options = own.parse_args()
    found = measure(read(options.data.stem, options.data.parent), options.episodes)
    place = {"data": options.data.stem, "protocol": "8-way 4-shot", "unit": "all"}
    rows = [
        place | {"model": way, "metric": metric, "value": value}
        for way, *values in found
        for metric, value in zip(("ms_per_episode", BALANCED), values, strict=True)
    ]
    write_table(options.out / "episode_speed.csv", rows)
    lines = [(way, f"{ms:.2f}", f"{mean:.4f}") for way, ms, mean in found]
    table = markdown(("way", "ms an episode", "balanced accuracy"), lines)
    write_report(options.out / "episode_speed.md", "# Speed of episodes", table)


if __name__ == "__main__":
    main()

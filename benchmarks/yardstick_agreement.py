"""Check that `few_shot_score` measures what this project's yardstick measures.

    python benchmarks/yardstick_agreement.py --yardstick fewshot.py --data ravdess_speech.npz

The yardstick is a script of its own, with its own episodes and scores; it is imported, not copied.
Both train on the same people, test the same people and answer with the same classifiers:
`STF2MClassifier`, a random forest grown on the support alone, and logistic regression on
population and weighted support. For each classifier and number of shots the table gives

ours, theirs
    Balanced accuracy over people with 95 % intervals, each from its own draws of episodes.
difference
    Paired over people. It must contain 0, or the two disagree.
sides alike
    The same, with the queries of each context weighted alike. Episodes of a draw share their
    query, so that a seed which asks the easier context more often is above at every number of
    shots: what is left here is not due to that.
same episodes
    The largest distance between the two scores where the yardstick's model answers the very
    episodes that `few_shot_score` drew (first seed): 0, or something but the draws differs.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import few_shot_score
from stf2m_sk.model_selection._intervals import interval

SHOTS = (0, 1, 2, 4)
DRAWS = 4
TREES = 200
SEEDS = {"stf2m": 2, "rf-support": 3, "lr-pooled": 10}


def load_yardstick(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("yardstick", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def as_classifier(name: str, yardstick: ModuleType, data: Any, train: np.ndarray, seed: int):
    """Classifier, X, y and the way of refitting that are what the yardstick's model is."""
    if name == "stf2m":
        return STF2MClassifier(random_state=seed), data.X, data.y, "support"
    table = yardstick._table(data, train)
    if name == "lr-pooled":
        return LogisticRegression(max_iter=300), table, data.y, "pooled"
    # A balanced forest refuses labels that are numbers written as text: codes instead.
    codes = np.unique(data.y, return_inverse=True)[1]
    forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)
    return forest, table, codes, "support"


def as_model(name: str, yardstick: ModuleType, data: Any, train: np.ndarray, seed: int):
    """The yardstick's own: a function from an episode to labels."""
    make = {
        "stf2m": partial(yardstick.stf2m, {}),
        "lr-pooled": partial(yardstick.logistic, "pooled"),
        "rf-support": partial(yardstick._forest, "support"),
    }[name]()
    return make(data, train, seed)


class Scores:
    """Balanced accuracies by number of shots, person and context of the query."""

    def __init__(self, data: Any) -> None:
        self.context = data.context()
        self.values = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, shots: int, person: Any, query: np.ndarray, value: float) -> None:
        """Keep the value of an episode."""
        sides = (None,) if self.context is None else np.unique(self.context[query]).tolist()
        self.values[shots][str(person)][tuple(sides)].append(value)

    def of_people(self, shots: int) -> dict[str, float]:
        """Mean of each person."""
        people = self.values[shots]
        return {p: float(np.mean(np.concatenate([*people[p].values()]))) for p in sorted(people)}

    def of_people_with_sides_alike(self, shots: int) -> dict[str, float]:
        """Mean over the contexts of the query of each person's means."""
        people = self.values[shots]
        return {
            p: float(np.mean([np.mean(own) for own in people[p].values()])) for p in sorted(people)
        }


def measure(name: str, yardstick: ModuleType, data: Any, n_seeds: int) -> dict[str, Any]:
    """Scores of both, and how far they are apart on the same episodes."""
    ours, theirs, apart = Scores(data), Scores(data), []
    for seed in range(n_seeds):
        train, drawn = yardstick.new_person(data, seed, SHOTS, DRAWS, "test")
        answer = as_model(name, yardstick, data, train, seed)

        def score(episode, answer=answer):
            return balanced_accuracy_score(data.y[episode["query"]], answer(episode))

        for one in drawn:
            theirs.add(one["shots"], one["unit"], one["query"], score(one))
        for row in score_ours(name, yardstick, data, train, seed):
            ours.add(row["shots"], row["person"], row["query"], row["balanced_accuracy"])
            if seed == 0:
                apart.append(abs(score(row) - row["balanced_accuracy"]))
    return {"ours": ours, "theirs": theirs, "same_episodes": max(apart)}


def score_ours(name: str, yardstick: ModuleType, data: Any, train: np.ndarray, seed: int):
    people, _ = yardstick.held_out(data.groups, "test")
    estimator, X, y, refit = as_classifier(name, yardstick, data, train, seed)
    return few_shot_score(
        estimator,
        X,
        y,
        groups=data.groups,
        contexts=data.context(),
        n_shot=SHOTS,
        cv=[(train, np.flatnonzero(np.isin(data.groups, people)))],
        n_draws=DRAWS,
        on_few="shrink",  # as the yardstick does: a class gives as many clips as it has
        refit=refit,
        random_state=seed,
    ).rows


def compare(measured: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each number of shots."""
    rows = []
    for shots in SHOTS:
        row: dict[str, Any] = {"shots": shots}
        for what in ("of_people", "of_people_with_sides_alike"):
            ours, theirs = (getattr(measured[kind], what)(shots) for kind in ("ours", "theirs"))
            assert ours.keys() == theirs.keys(), "other people were tested"
            one, other = np.array(list(ours.values())), np.array(list(theirs.values()))
            figures = {"ours": one, "theirs": other, "difference": one - other}
            row[what] = {
                kind: [float(values.mean()), *interval(values)] for kind, values in figures.items()
            }
            row["people"] = len(one)
        rows.append(row)
    return rows


def as_table(name: str, rows: list[dict[str, Any]], apart: float, n_seeds: int) -> list[str]:
    lines = []
    for row in rows:
        raw, alike = row["of_people"], row["of_people_with_sides_alike"]
        figures = ["{:.3f} [{:.3f}, {:.3f}]".format(*raw[kind]) for kind in ("ours", "theirs")]
        differences = ["{:+.4f} [{:+.4f}, {:+.4f}]".format(*d["difference"]) for d in (raw, alike)]
        verdict = "agree" if agrees(row) else "DISAGREE"
        cells = [name, n_seeds, row["shots"], *figures, *differences, f"{apart:.1e}", verdict]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def agrees(row: dict[str, Any]) -> bool:
    _, low, high = row["of_people"]["difference"]
    return low - 1e-12 <= 0 <= high + 1e-12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yardstick", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a file that the yardstick reads")
    parser.add_argument("--models", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--seeds", type=int, help="instead of " + json.dumps(SEEDS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    yardstick = load_yardstick(options.yardstick)
    data = yardstick.Data(options.data)
    written: dict[str, Any] = {"data": options.data.name, "models": {}}
    columns = ["model", "seeds", "shots", "ours", "theirs", "difference", "sides alike"]
    columns += ["same episodes", "verdict"]
    print(f"{options.data.name}: balanced accuracy over people [95 % interval]\n")
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name in options.models:
        start, n_seeds = time.perf_counter(), options.seeds or SEEDS[name]
        measured = measure(name, yardstick, data, n_seeds)
        rows, apart = compare(measured), measured["same_episodes"]
        print("\n".join(as_table(name, rows, apart, n_seeds)), flush=True)
        written["models"][name] = {
            "seeds": n_seeds,
            "rows": rows,
            "same_episodes": apart,
            "seconds": time.perf_counter() - start,
        }
    if options.json:
        options.json.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()

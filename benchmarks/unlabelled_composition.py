"""What unlabelled clips are worth when they hold only some of the emotions.

    python benchmarks/unlabelled_composition.py --data ../shared/data

Everybody is a new person once (five folds). The classifier is adapted with 0 and 2 labelled clips
per emotion and with unlabelled clips of all emotions, of a random half of them, or of one. Balanced
accuracy less that without unlabelled clips, mean and 95 % interval over people.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _cells import fitted, folds, read
from _report import RESULTS, Mean, Table, markdown, paired, unit_means, write_report
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import EpisodeSplit

SETS = ("noneeg_stress", "ravdess_speech", "stress_predict")
SHOTS = (0, 2)
KINDS = ("none", "all", "half", "one")
EPISODES = 60  # of a fold and number of shots


def held(labels: np.ndarray, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Which clips are among the unlabelled ones."""
    names = generator.permutation(np.unique(labels))
    n_kept = {"all": len(names), "half": len(names) // 2, "one": 1}[kind]
    return np.isin(labels, names[:n_kept])


def score(classifier, views, y, episode, shots: int, kind: str, generator) -> float:
    """Balanced accuracy of one episode."""
    given = {}
    if kind != "none":
        rows = episode.unlabelled
        given["unlabelled"] = views[rows[held(y[rows], kind, generator)]]
    if shots:
        support = views[episode.support], y[episode.support]
        adapted = classifier.adapt(*support, classes=episode.ways, **given)
    else:
        adapted = classifier.adapt(**given) if given else classifier
    return balanced_accuracy_score(y[episode.query], adapted.predict(views[episode.query]))


def run(data: str, folder: Path, table: Table) -> None:
    """All folds of one recording."""
    recording = read(data, folder)
    for number, (train, test) in enumerate(folds(recording, "new-person", 0)):
        classifier = fitted(STF2MClassifier(n_networks=0), recording, train, number)
        views, y, groups = recording.rows(test)
        contexts = None if recording.contexts is None else recording.contexts[test]
        for shots in SHOTS:
            split = EpisodeSplit(
                n_shot=max(1, shots), n_episodes=EPISODES, on_few="shrink", random_state=number
            )
            generator = np.random.default_rng(number)
            for episode in split.episodes(views, y, groups, contexts=contexts):
                table.append(
                    {
                        "data": data,
                        "shots": shots,
                        "unlabelled": kind,
                        "unit": episode.person,
                        "value": score(classifier, views, y, episode, shots, kind, generator),
                    }
                    for kind in KINDS
                )


def report(table: Table) -> str:
    """Differences to no unlabelled clips."""
    means = unit_means(table.rows, "data", "shots", "unlabelled")
    rows = []
    for data in SETS:
        for shots in map(str, SHOTS):
            if (data, shots, "none") not in means:
                continue
            plain = means[data, shots, "none"]
            differences = [paired(means[data, shots, k], plain).said("+") for k in KINDS[1:]]
            rows.append([data, shots, Mean.of(plain.values()).said(), *differences])
    return markdown(["recording", "labels", "none", *KINDS[1:]], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    columns = ("data", "shots", "unlabelled", "unit", "value")
    table = Table(options.out / "unlabelled_composition.csv", columns)
    for data in options.sets:
        table.drop(data=data)
        run(data, options.data, table)
    title = "# Unlabelled clips that hold few of the emotions"
    write_report(options.out / "unlabelled_composition.md", title, report(table))


if __name__ == "__main__":
    main()

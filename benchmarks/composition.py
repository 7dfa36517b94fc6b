"""What a person's clips are worth when they hold only some of the emotions.

    python benchmarks/composition.py --data ../shared/data

Everybody is a new person once (five folds). The classifier is adapted with two labelled clips of
all emotions, of all but one, of one, or of none, and with unlabelled clips of all emotions, of a
random half of them, of one, or of none. Queries hold all emotions. Balanced accuracy less that of
the population, mean and 95 % interval over people.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
from _protocols import Recording, cell_parser, fitted, folds, protocol, run
from _report import BALANCED, Mean, markdown, paired, unit_means
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import EpisodeSplit

CELLS = ("noneeg_stress:new-person", "ravdess_speech:new-person", "stress_predict:new-person")
SHOTS = 2
LABELLED = ("none", "one", "all but one", "all")
UNLABELLED = ("none", "one", "half", "all")
EPISODES = 60  # of a fold


def held(rows: np.ndarray, y: np.ndarray, kind: str, generator) -> np.ndarray:
    """The rows of some of the emotions among them."""
    names = generator.permutation(np.unique(y[rows]))
    n = len(names)
    n_kept = {"none": 0, "one": 1, "half": n // 2, "all but one": n - 1, "all": n}[kind]
    return rows[np.isin(y[rows], names[:n_kept])]


def score(classifier, views, y, episode, labelled: np.ndarray, unlabelled: np.ndarray) -> float:
    """Balanced accuracy of one episode, after some labelled and some unlabelled clips."""
    given = {"unlabelled": views[unlabelled]} if len(unlabelled) else {}
    if len(labelled):
        given |= {"X": views[labelled], "y": y[labelled], "classes": episode.ways}
    adapted = classifier.adapt(**given) if given else classifier
    return balanced_accuracy_score(y[episode.query], adapted.predict(views[episode.query]))


def rows_of(recording: Recording, data: str, kind: str, options) -> Iterator[dict]:
    """All folds of one recording; the "model" says what is labelled and what is not."""
    for number, (train, test) in enumerate(folds(recording, kind, 0)[: options.folds]):
        classifier = fitted(STF2MClassifier(n_networks=0), recording, train, number)
        own = recording.at(test)
        n_episodes = options.draws * len(np.unique(own.groups)) if options.draws else EPISODES
        split = EpisodeSplit(protocol(own, kind, seed=number, shots=SHOTS), n_episodes=n_episodes)
        generator = np.random.default_rng(number)
        for episode in split.episodes(own.y, own.y, own.groups):
            for labelled, unlabelled in product(LABELLED, UNLABELLED):
                parts = (episode.support, labelled), (episode.unlabelled, unlabelled)
                rows = (held(clips, own.y, kind, generator) for clips, kind in parts)
                value = score(classifier, *own[:2], episode, *rows)
                row = {"model": f"{labelled} / {unlabelled}", "shots": SHOTS}
                yield row | {"unit": episode.person, "metric": BALANCED, "value": value}


def report(table: pd.DataFrame, figure) -> list[str]:
    """Differences to the population, about which nothing of the person is known."""
    means, rows = unit_means(table, "data", "model"), []
    for data, labelled in product(dict.fromkeys(key[0] for key in means), LABELLED):
        nothing = means[data, "none / none"]
        cells = [means[data, f"{labelled} / {kind}"] for kind in UNLABELLED]
        said = [
            Mean.of(cell).said() if cell is nothing else paired(cell, nothing).said("+")
            for cell in cells
        ]
        rows.append([data, labelled, *said])
    title = "# Clips of a person that hold only some of the emotions"
    head = ["recording", "labelled", *(f"unlabelled: {kind}" for kind in UNLABELLED)]
    return [
        title,
        "Balanced accuracy; but for the first cell, less that cell.",
        markdown(head, rows),
    ]


def main() -> None:
    options = cell_parser(__doc__).parse_args()
    run("composition", CELLS, rows_of, report, options)


if __name__ == "__main__":
    main()

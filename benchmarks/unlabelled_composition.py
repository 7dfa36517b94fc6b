"""What unlabelled clips are worth when they hold only some of the emotions.

    python benchmarks/unlabelled_composition.py --data ../shared/data

Everybody is a new person once (five folds). The classifier is adapted with 0 and 2 labelled clips
per emotion and with unlabelled clips of all emotions, of a random half of them, or of one. Balanced
accuracy less that without unlabelled clips, mean and 95 % interval over people.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from _protocols import Recording, cell_parser, fitted, folds, protocol, run
from _report import BALANCED, Mean, markdown, paired, unit_means
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import EpisodeSplit

CELLS = ("noneeg_stress:new-person", "ravdess_speech:new-person", "stress_predict:new-person")
SHOTS = (0, 2)
KINDS = ("none", "all", "half", "one")
EPISODES = 60  # of a fold and number of shots


def score(classifier, views, y, episode, kind: str, generator) -> float:
    """Balanced accuracy of one episode, after unlabelled clips of a kind."""
    given = {}
    if kind != "none":
        names = generator.permutation(np.unique(y[episode.unlabelled]))
        n_kept = {"all": len(names), "half": len(names) // 2, "one": 1}[kind]
        rows = episode.unlabelled[np.isin(y[episode.unlabelled], names[:n_kept])]
        given["unlabelled"] = views[rows]
    if episode.shots:
        given |= {"X": views[episode.support], "y": y[episode.support], "classes": episode.ways}
    adapted = classifier.adapt(**given) if given else classifier
    return balanced_accuracy_score(y[episode.query], adapted.predict(views[episode.query]))


def rows_of(recording: Recording, data: str, kind: str, options) -> Iterator[dict]:
    """All folds of one recording; the "model" is what the unlabelled clips hold."""
    for number, (train, test) in enumerate(folds(recording, kind, 0)[: options.folds]):
        classifier = fitted(STF2MClassifier(n_networks=0), recording, train, number)
        own = recording.at(test)
        for shots in SHOTS:
            drawn = protocol(own, kind, seed=number, shots=max(1, shots))
            n_episodes = options.draws * len(np.unique(own.groups)) if options.draws else EPISODES
            split = EpisodeSplit(drawn, n_episodes=n_episodes)
            generator = np.random.default_rng(number)
            for episode in split.episodes(own.y, own.y, own.groups):
                for held in KINDS:
                    value = score(
                        classifier, *own[:2], episode._replace(shots=shots), held, generator
                    )
                    row = {"model": held, "shots": shots, "unit": episode.person}
                    yield row | {"metric": BALANCED, "value": value}


def report(table: pd.DataFrame, figure) -> list[str]:
    """Differences to no unlabelled clips."""
    means, rows = unit_means(table, "data", "shots", "model"), []
    for data, shots in dict.fromkeys(key[:2] for key in means):
        none, *others = (means[data, shots, kind] for kind in KINDS)
        differences = [paired(other, none).said("+") for other in others]
        rows.append([data, shots, Mean.of(none).said(), *differences])
    title = "# Unlabelled clips that hold few of the emotions"
    return [title, markdown(["recording", "labels", "none", *KINDS[1:]], rows)]


def main() -> None:
    options = cell_parser(__doc__).parse_args()
    run("unlabelled_composition", CELLS, rows_of, report, options)


if __name__ == "__main__":
    main()

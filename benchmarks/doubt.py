"""Whether doubt keeps what it promises: coverage over people, and warnings.

    python benchmarks/doubt.py --data ../shared/data

Everybody is a new person once (five folds). `PredictionSets` are fitted on the other people, for 0
and for 2 labelled clips per emotion: share of the new person's clips whose set holds the true
emotion, and size of the sets; mean and 95 % interval over people. Then the share of the new
person's clips for which `predict` warns, as they are and with a fault in all modalities, and in
each modality by itself (the least share is shown).
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from _protocols import Recording, folds, protocol, read
from _report import RESULTS, Mean, markdown, unit_means, write_report, write_table

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import PredictionSets, UnlikeClipsWarning
from stf2m_sk.model_selection import EpisodeSplit
from stf2m_sk.views import Views

SETS = ("noneeg_stress", "ravdess_speech", "stress_predict")
SHOTS, LEVELS, EPISODES, INNER_FOLDS = (0, 2), (0.8, 0.9), 4, 4
FAULTS = {
    "zeros": lambda values, scale, generator: np.where(np.isnan(values), values, 0.0),
    "noise x 100": lambda values, scale, generator: (
        values + 100.0 * scale * generator.normal(size=values.shape)
    ),
    "unit x 1000": lambda values, scale, generator: 1000.0 * values,
}


class Remembering(STF2MClassifier):
    """Fits once to the same people, whatever number of shots is calibrated next."""

    fits: ClassVar[dict] = {}

    def fit(self, X, y, *, groups):
        """Fit, or take what was fitted."""
        key = (self.random_state, len(y), *np.unique(groups))
        if key not in self.fits:
            self.fits[key] = super().fit(X, y, groups=groups).model_
        self.model_ = self.fits[key]
        return self


def faulty(views: Views, fault: str, names: tuple[str, ...], generator) -> Views:
    """The clips with a fault in some modalities."""
    arrays = views.to_dict()
    for name in names:
        values = arrays[name]
        scale = np.nanstd(values, axis=(0, 2))[:, None]
        arrays[name] = FAULTS[fault](values, scale, generator).astype(values.dtype)
    return Views(arrays, rates={modality.name: modality.rate for modality in views.schema})


def warned(classifier, views: Views) -> float:
    """Share of the clips for which `predict` warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        classifier.predict(views)
    said = [str(one.message) for one in caught if issubclass(one.category, UnlikeClipsWarning)]
    return sum(int(text.split()[0]) for text in said) / len(views)


def warning_rates(classifier, recording: Recording, test, seed: int) -> Iterator[tuple]:
    """Of each new person: what was done to the clips, and the share that warns."""
    generator, names = np.random.default_rng(seed), recording.views.names
    views, _, groups = recording.rows(test)
    changed = {"clean": views}
    for fault in FAULTS:
        changed[fault] = faulty(views, fault, names, generator)
        for name in names:
            changed[f"{fault}: {name}"] = faulty(views, fault, (name,), generator)
    for person in np.unique(groups):
        for kind, clips in changed.items():
            yield kind, person, warned(classifier, clips[groups == person])


def inside(sets: PredictionSets, views: Views, y: np.ndarray) -> dict[str, float]:
    """Coverage and size at each level."""
    found = {}
    for level in LEVELS:
        held = sets.set_params(level=level).predict_set(views)
        found[f"coverage {level:.0%}"] = (held & (y[:, None] == sets.classes_)).any(axis=1).mean()
        found[f"size {level:.0%}"] = held.sum(axis=1).mean()
    return found


def covered(sets: PredictionSets, recording: Recording, test, seed: int) -> Iterator[tuple]:
    """Of each new person or episode: coverage and size."""
    views, y, groups = recording.rows(test)
    if not sets.n_shots:
        for person in np.unique(groups):
            yield person, inside(sets, views[groups == person], y[groups == person])
        return
    drawn = protocol(recording.at(test), "new-person", seed=seed, shots=sets.n_shots)
    split = EpisodeSplit(drawn, n_episodes=EPISODES * len(np.unique(groups)))
    for episode in split.episodes(views, y, groups):
        adapted = sets.adapt(views[episode.support], y[episode.support])
        yield episode.person, inside(adapted, views[episode.query], y[episode.query])


def run(data: str, folder: Path) -> Iterator[dict]:
    """All folds of one recording."""
    recording = read(data, folder)
    for number, (train, test) in enumerate(folds(recording, "new-person", 0)):
        views, y, groups = recording.rows(train)
        contexts = None if recording.contexts is None else recording.contexts[train]
        Remembering.fits.clear()
        for shots in SHOTS:
            classifier = Remembering(n_networks=0, random_state=number)
            sets = PredictionSets(classifier, n_shots=shots, cv=INNER_FOLDS, random_state=number)
            sets.fit(views, y, groups=groups, contexts=contexts)
            for person, found in covered(sets, recording, test, number):
                cell = {"data": data, "shots": shots, "unit": person}
                yield from (cell | {"metric": k, "value": v} for k, v in found.items())
        for kind, person, share in warning_rates(sets.classifier_, recording, test, number):
            cell = {"data": data, "shots": "warned", "unit": person}
            yield cell | {"metric": kind, "value": share}


def report(table) -> str:
    """Coverage and sizes; shares of clips that warn."""
    means = unit_means(table, "data", "shots", "metric")
    metrics = [f"{what} {level:.0%}" for level in LEVELS for what in ("coverage", "size")]
    coverage, warned = [], []
    for data in table["data"].unique():
        for shots in map(str, SHOTS):
            own = [Mean.of(means[data, shots, metric]).said() for metric in metrics]
            coverage.append([data, shots, *own])
        rates = {k[2]: v.mean() for k, v in means.items() if k[1] == "warned"
                 and k[0] == data}  # fmt: skip
        row = [data, f"{rates['clean']:.3f}"]
        for fault in FAULTS:
            single = {k.split(": ")[1]: v for k, v in rates.items() if k.startswith(f"{fault}: ")}
            least = min(single, key=single.get)
            row += [f"{rates[fault]:.3f}", f"{single[least]:.3f} ({least})"]
        warned.append(row)
    header = [text for fault in FAULTS for text in (fault, "one modality, least")]
    return "\n\n".join(
        [
            markdown(["recording", "labels", *metrics], coverage),
            "Share of clips for which `predict` warns.",
            markdown(["recording", "clean", *header], warned),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    for data in options.sets:
        table = write_table(options.out / "doubt.csv", run(data, options.data), ["data"])
    write_report(options.out / "doubt.md", "# Doubt: coverage and warnings", report(table))


if __name__ == "__main__":
    main()

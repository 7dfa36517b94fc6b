"""Whether explanations are faithful: what an answer loses without the frames that made it.

    python benchmarks/faithful.py --data DIR

First fold of new people, no networks. A person's clips are the unlabelled ones too, and are
explained relative to the person. Of each clip the tenth of the frames is replaced that contributes
most to the answer, less the mean of all emotions: frame by frame or as a stretch, of each modality
or of all together (the stretch lies in one of them). The table shows by how much the probability
of the answer drops, in the mean over people, and how many times as much as for a random tenth.
First lines: every frame replaced by the clip's mean, which leaves its level alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from _protocols import Recording, fitted, folds, read
from _report import markdown, parser, unit_means, write_report, write_table

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import explain

SHARE, RANDOM = 0.1, 3  # of the frames; random draws
COLUMNS = ("data", "chosen", "by", "unit", "metric", "value")
VALUES = {
    "person's mean": lambda values: np.nanmean(values, axis=(0, 2), keepdims=True),
    "clip's mean": lambda values: np.nanmean(values, axis=2, keepdims=True),
    "not measured": lambda values: np.nan,
}


def best_frames(sums: np.ndarray, n: int) -> np.ndarray:
    """Places of the n largest."""
    return np.argsort(-sums, kind="stable")[:n]


def best_stretch(sums: np.ndarray, n: int) -> np.ndarray:
    """Places of the n in a row with the largest sum; all where there are fewer."""
    n = min(n, len(sums))
    return np.convolve(sums, np.ones(n), "valid").argmax() + np.arange(n)


def tenth(n: int) -> int:
    return max(1, round(SHARE * n))


def of_each(best, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A tenth of each modality."""
    return {name: best(own, tenth(len(own))) for name, own in sums.items()}


def frames_of_all(sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A tenth of the frames of all modalities together."""
    ends = np.cumsum([len(own) for own in sums.values()])
    best = best_frames(np.concatenate([*sums.values()]), tenth(ends[-1]))
    starts = zip(sums, ends - [len(own) for own in sums.values()], ends, strict=True)
    return {name: best[(best >= a) & (best < b)] - a for name, a, b in starts}


def stretch_of_all(sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As many frames in a row of one modality."""
    n = tenth(sum(len(own) for own in sums.values()))
    found = {name: best_stretch(own, n) for name, own in sums.items()}
    name = max(found, key=lambda name: sums[name][found[name]].sum())
    return {name: found[name]}


CHOICES = {
    "frames of each modality": lambda sums: of_each(best_frames, sums),
    "stretch of each modality": lambda sums: of_each(best_stretch, sums),
    "frames of all modalities": frames_of_all,
    "stretch of all modalities": stretch_of_all,
}


def drops(person: STF2MClassifier, views, generator: np.random.Generator) -> Iterator[tuple]:
    """How, by what, which: by how much the answers' probabilities drop, mean over the clips."""
    explanation, before = explain(person, views, relative_to="person"), person.predict_proba(views)
    clips, answer, arrays = np.arange(len(views)), before.argmax(axis=1), views.to_dict()
    known = [
        {k: np.flatnonzero(~np.isnan(own[i]).all(axis=0)) for k, own in arrays.items()}
        for i in clips
    ]
    known = [{name: own for name, own in clip.items() if len(own)} for clip in known]
    frames = {k: own[clips, answer] - own.mean(axis=1) for k, own in explanation.by_frame.items()}
    sums = [{k: frames[k][i, own] for k, own in clip.items()} for i, clip in enumerate(known)]

    def drop(chosen, by) -> float:
        """Where what is chosen, places among the measured frames of each clip, is replaced."""
        replaced = {k: np.zeros((len(own), 1, own.shape[2]), bool) for k, own in arrays.items()}
        for i, clip in enumerate(chosen):
            for name, places in clip.items():
                replaced[name][i, 0, known[i][name][places]] = True
        is_new = {name: replaced[name] & ~np.isnan(own) for name, own in arrays.items()}
        new = {k: np.where(is_new[k], VALUES[by](own), own) for k, own in arrays.items()}
        return float((before - person.predict_proba(new))[clips, answer].mean())

    whole = [{name: np.arange(len(own)) for name, own in clip.items()} for clip in known]
    yield "everything", "clip's mean", "best", drop(whole, "clip's mean")
    yield "everything", "clip's mean", "random", drop(whole, "clip's mean")
    for how, choose in CHOICES.items():
        best, random = [choose(own) for own in sums], []
        for _ in range(RANDOM):
            drawn = [{k: generator.normal(size=own.shape) for k, own in c.items()} for c in sums]
            random.append([choose(own) for own in drawn])
        for by in VALUES:
            yield how, by, "best", drop(best, by)
            yield how, by, "random", np.mean([drop(own, by) for own in random])


def run(data: str, recording: Recording) -> Iterator[dict]:
    """Rows of all new people of the first fold."""
    train, test = folds(recording, "new-person", 0)[0]
    model = fitted(STF2MClassifier(n_networks=0), recording, train, 0)
    views, _, groups = recording.rows(test)
    generator = np.random.default_rng(0)
    for name in np.unique(groups):
        own = views[groups == name]
        for row in drops(model.adapt(unlabelled=own), own, generator):
            yield dict(zip(COLUMNS, (data, *row[:2], name, *row[2:]), strict=True))


def report(table: pd.DataFrame) -> str:
    """Drops and their ratios."""
    means = unit_means(table, "data", "chosen", "by", "metric")
    mean = {key: of_people.mean() for key, of_people in means.items()}
    lines = [
        (*key[:3], f"{mean[key]:.3f}", f"{mean[*key[:3], 'random']:.3f}",
         f"{mean[key] / mean[*key[:3], 'random']:.1f}")
        for key in mean if key[3] == "best"
    ]  # fmt: skip
    return markdown(("data", "chosen", "replaced by", "best", "random", "ratio"), lines)


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--sets", nargs="+", default=["noneeg_stress", "ravdess_speech"])
    options = own.parse_args()
    for data in options.sets:
        rows = run(data, read(data, options.data))
        table = write_table(options.out / "faithful.csv", rows, replacing=["data"])
    write_report(options.out / "faithful.md", "# Faithful explanations", report(table))


if __name__ == "__main__":
    main()

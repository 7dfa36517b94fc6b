"""Whether explanations find a truth that was planted.

    python benchmarks/planted.py

Emotions are shuffled within each person of the bundled recording, and one modality of the clips of
one emotion is given a shape at a random place: a peak of 8 s, or a rise within 8 s that stays.
Everything else in these clips tells nothing. Of five people left out: is the modality first; does
the best stretch of a clip lie within half a length of the peak, in most clips of the emotion
(a rise leaves the level changed to the clip's end, which is evidence too); and does the first rule
of the emotion name modality, direction and a length within 30 %. The same with the generator's
clips, spatial and temporal knobs at 0, and shapes of a quarter of the clip.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from _report import markdown, parser, write_report, write_table

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress, make_emotion_views
from stf2m_sk.inspection import explain, rule_table
from stf2m_sk.views import Views

COLUMNS = ("clips", "shape", "seed", "metric", "value")
PLANTED, CLIPS, NEW, SIZE = "a", 24, 5, 4.0  # emotion; clips a person; people; usual deviations
SHAPES = {
    "peak": (lambda n: np.sin(np.pi * np.linspace(0, 1, n)), 0.0),
    "rise": (lambda n: np.linspace(0, 1, n), 1.0),
}


class Clips(NamedTuple):
    """Clips with a shape planted: where it starts, and how many frames it takes."""

    views: Views
    y: np.ndarray
    groups: np.ndarray
    start: np.ndarray
    length: int


def recorded(rng: np.random.Generator) -> tuple[Views, np.ndarray]:
    """Some clips of each person of the bundled recording."""
    data = load_stress()
    rows = [
        rng.permutation(np.flatnonzero(data.groups == name))[:CLIPS]
        for name in np.unique(data.groups)
    ]
    rows = np.sort(np.concatenate(rows))
    return data.views[rows], data.groups[rows]


def generated(rng: np.random.Generator) -> tuple[Views, np.ndarray]:
    """Noise of the generator."""
    knobs = {"spatial": 0.0, "temporal": 0.0, "random_state": int(rng.integers(2**31))}
    data = make_emotion_views(**knobs)
    return data.views, data.groups


SOURCES = {"recording": (recorded, "eda", 64), "generator": (generated, "skin", 8)}


def planted(source: str, shape: str, rng: np.random.Generator) -> Clips:
    """Clips of a source with shuffled labels and a shape in those of one emotion."""
    draw, modality, length = SOURCES[source]
    views, groups = draw(rng)
    labels = np.repeat(list("abcd"), CLIPS // 4)
    y = np.concatenate(
        [rng.permutation(labels)[: np.sum(groups == name)] for name in np.unique(groups)]
    )
    arrays = {name: own.copy() for name, own in views.to_dict().items()}
    values = arrays[modality]
    size = SIZE * np.nanmedian(np.nanstd(values, axis=2))
    course, rest = SHAPES[shape]
    start = rng.integers(values.shape[2] // 4, values.shape[2] // 2, size=len(y))
    for row in np.flatnonzero(y == PLANTED):
        end = start[row] + length
        values[row, 0, start[row] : end] += size * course(length)
        values[row, 0, end:] += size * rest
    rates = {own.name: own.rate for own in views.schema}
    return Clips(Views(arrays, rates=rates), y, groups, start, length)


def found(source: str, shape: str, seed: int) -> dict[str, float]:
    """What of the planted truth is found."""
    rng = np.random.default_rng(seed)
    clips, modality = planted(source, shape, rng), SOURCES[source][1]
    new = np.isin(clips.groups, rng.permutation(np.unique(clips.groups))[:NEW])
    known = clips.views[~new], clips.y[~new]
    model = STF2MClassifier(n_networks=0, random_state=seed).fit(*known, groups=clips.groups[~new])
    own = new & (clips.y == PLANTED)
    explanation = explain(model, clips.views[own])
    emotion = explanation.names.index(PLANTED)
    sums = explanation.by_modality[:, emotion] - explanation.by_modality.mean(axis=1)
    frames = explanation.by_frame[modality]
    frames = frames[:, emotion] - frames.mean(axis=1)
    window = np.ones(clips.length)
    best = np.array([np.convolve(row, window, "valid").argmax() for row in frames])
    hits = np.abs(best - clips.start[own]) <= clips.length / 2
    table = rule_table(model, *known, n_rules=20)
    first = table[table["prediction"] == PLANTED].iloc[0]
    seconds = clips.length / clips.views.schema[modality].rate
    is_long = abs(first["window"] / seconds - 1) <= 0.3
    return {
        "modality": explanation.modalities[sums.mean(axis=0).argmax()] == modality,
        "share of clips": hits.mean(),
        "stretch": hits.mean() >= 0.5,
        "words": is_long and (first["modality"], first["kind"]) == (modality, shape),
    }


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--seeds", type=int, default=20)
    options = own.parse_args()
    rows, lines = [], []
    for source in SOURCES:
        for shape in SHAPES:
            each = [found(source, shape, seed) for seed in range(options.seeds)]
            rows += [
                dict(zip(COLUMNS, (source, shape, seed, *item), strict=True))
                for seed, one in enumerate(each)
                for item in ({k: float(v) for k, v in one.items()}).items()
            ]
            counts = [sum(one[what] for one in each) for what in ("modality", "stretch", "words")]
            share = np.mean([one["share of clips"] for one in each])
            lines.append((source, shape, *(f"{n} of {len(each)}" for n in counts), f"{share:.2f}"))
    write_table(options.out / "planted.csv", rows)
    header = ("clips", "shape", "modality first", "stretch", "words", "share of clips")
    write_report(options.out / "planted.md", "# Planted truth", markdown(header, lines))


if __name__ == "__main__":
    main()

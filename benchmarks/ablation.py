"""What each part of ST-F2M is worth: balanced accuracy with it, minus without it.

    python benchmarks/ablation.py                    # generated clips, one knob for each part
    python benchmarks/ablation.py --data DIR         # and the recordings
    python benchmarks/ablation.py --report-only

Every part but the views is switched off by a parameter of `STF2MClassifier` of its own, and the
classifier is fitted anew. On generated clips the knob that makes a part matter is turned up:
emotions that show in the channels alone (spatial), in nothing but which channels move together
(coupling), or in the order of events alone (temporal), mixtures of two emotions (rules), cues whose
meaning depends on the context (context), people
who differ (meta-recurrent learner), modalities that are missing (views). For the last, half of the
modalities of the clips that are asked for are taken away, as in missing_modalities.py; the
population is complete. Without views the population's means stand in the gaps.

Scores are averaged over seeds and draws for each person (without people: for each seed); intervals
are Student's t over people of the paired difference. Generated people are new with every seed.
Each (cell, variant, seed) is kept in a file of its own and is not run again.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _machine import RESULTS, describe_machine
from accuracy import Run, as_line, is_done, measure, write
from accuracy import fit as fit_peer
from missing_modalities import is_present, make_gaps, with_gaps
from protocols import PROTOCOLS, SPLITS, Recording, read_recording

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.model_selection._intervals import interval

Signals = dict[str, np.ndarray]

FULL = "full"
IMPUTED = "no views: means in the gaps"  # the population's mean of a channel, as others do it
VARIANTS: dict[str, dict[str, Any]] = {
    FULL: {},
    "no spatial convolution": {"spatial": False},
    "no temporal convolution": {"temporal": False},
    "no rules": {"rules": False},
    "rules placed at random": {"rule_placement": "random"},
    "no meta-recurrent learner": {"meta_rnn": False},
    "no view dropout": {"view_dropout": 0.0},
    IMPUTED: {},  # done to the clips that are asked for
}
GAPPED = [FULL, "no view dropout", IMPUTED]
WHOLE = [name for name in VARIANTS if name not in GAPPED[1:]]
MISSING = 0.5


class Cell(NamedTuple):
    """Recording, protocol, and the variants that are compared there."""

    data: str
    protocol: str
    variants: list[str]
    knobs: dict[str, float] | None = None  # of the generator
    missing: float = 0.0

    @property
    def name(self) -> str:
        """Under which results are kept."""
        gaps = f" {self.missing:.0%} missing" if self.missing else ""
        return f"{self.data}:{self.protocol}{gaps}"


def _knob(part: str, variants: list[str], missing: float = 0.0, **knobs: float) -> Cell:
    return Cell(f"generated-{part}", "new-person", variants, knobs, missing)


CELLS = [
    _knob("spatial", [FULL, "no spatial convolution"], spatial=1.0, temporal=0.0),
    _knob(
        "coupling",
        [FULL, "no spatial convolution"],
        spatial=0.0,
        temporal=0.0,
        coupling=1.5,
        ambiguity=0.0,
    ),
    _knob("temporal", [FULL, "no temporal convolution"], spatial=0.0, temporal=2.0),
    _knob("rules", [FULL, "no rules", "rules placed at random"], ambiguity=0.9),
    _knob(
        "context",
        [FULL, "no rules", "rules placed at random"],
        spatial=0.0,
        temporal=0.0,
        context=1.0,
        ambiguity=0.0,
        person_shift=0.5,
    ),
    _knob("meta", [FULL, "no meta-recurrent learner"], person_shift=2.0, ambiguity=0.0),
    _knob("views", GAPPED, missing=MISSING),
    Cell("noneeg_stress", "new-person", WHOLE),
    Cell("ravdess_speech", "new-person", WHOLE),
    Cell("ravdess_speech", "new-class", WHOLE),
    Cell("uea_Handwriting", "new-class", WHOLE),
    Cell("uea_Libras", "new-class", WHOLE),
    Cell("uea_JapaneseVowels", "new-class", WHOLE),
    Cell("noneeg_stress", "new-person", GAPPED, missing=MISSING),
    Cell("ravdess_speech", "new-person", GAPPED, missing=MISSING),
]


def read(cell: Cell, seed: int, data: Path | None) -> Recording:
    """The recording of a cell; a generated one is another with every seed."""
    if cell.knobs is None:
        return read_recording(data / f"{cell.data}.npz")
    made = make_emotion_views(random_state=seed, **cell.knobs)
    people = np.char.add(f"{seed}-", made.groups)  # nobody is met twice
    return Recording(made.views.to_dict(), made.target, people, {})


def run_one(cell: Cell, variant: str, run: Run, data: Path | None) -> dict[str, Any]:
    """Fit and score one variant."""
    recording = read(cell, run.seed, data)
    # A Run looks up the protocol in its cell's name.
    fitted = fit_peer(run._replace(cell=f"{cell.data}:{cell.protocol}"), recording)
    if cell.missing:
        gaps = make_gaps(is_present(fitted.features), run.seed)
        signals = with_gaps(fitted.features, gaps[cell.missing])
        if variant == IMPUTED:
            signals = with_means(signals, recording.rows(fitted.task.train))
        fitted = fitted._replace(features=signals)
    return measure(fitted, recording)


def with_means(signals: Signals, population: Signals) -> Signals:
    """The population's mean of each channel for modalities that a clip lacks."""
    whole = {}
    for (name, signal), has in zip(signals.items(), is_present(signals).T, strict=True):
        means = np.nanmean(population[name], axis=(0, 2), keepdims=True)
        whole[name] = np.where(has[:, None, None], signal, means.astype(signal.dtype))
    return whole


def run_all(options: argparse.Namespace, folder: Path) -> None:
    """Do what is not done."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe_machine("torch", "skorch")
    for seed in range(options.seeds):
        for cell in CELLS:
            if (cell.knobs is None and options.data is None) or not _chosen(
                cell.name, options.cells
            ):
                continue
            for variant in cell.variants:
                if not _chosen(variant, options.variants):
                    continue
                draws = options.draws or PROTOCOLS[cell.protocol].draws // 2
                run = Run(
                    f"{cell.data}:{cell.protocol}",
                    "stf2m",
                    seed,
                    options.split,
                    draws,
                    VARIANTS[variant],
                )
                stem = f"{cell.name}.{variant}.seed{seed}".replace(":", ".").replace(" ", "-")
                path = folder / f"{stem}.json"
                if is_done(path, run):
                    continue
                record = run._asdict() | {"fingerprint": run.fingerprint()}
                record |= run_one(cell, variant, run, options.data)
                record |= {"cell": cell.name, "peer": variant, "machine": machine}
                write(path, record)
                print(as_line(record), flush=True)


def _chosen(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


# ---- the report ----


def differences(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Full minus each other variant, for each cell and number of shots."""
    scores: dict = defaultdict(lambda: defaultdict(dict))
    for record in records:
        for shots, units in record["scores"].items():
            own = scores[record["cell"], int(shots)][record["peer"]]
            own |= {(record["seed"], unit): np.mean(values) for unit, values in units.items()}
    found = []
    for (cell, shots), variants in scores.items():
        full = variants.get(FULL, {})
        for variant, own in variants.items():
            both = sorted(full.keys() & own.keys())
            if variant == FULL or not both:
                continue
            of_units = defaultdict(list)
            for key in both:
                of_units[key[1]].append(full[key] - own[key])
            each = [float(np.mean(values)) for values in of_units.values()]
            mean, (low, high) = float(np.mean(each)), map(float, interval(each))
            row = {"cell": cell, "shots": shots, "without": variant, "units": len(each)}
            row |= {"seeds": len({seed for seed, _ in both}), "mean": mean, "low": low}
            row |= {"high": high, "full": float(np.mean([full[key] for key in both]))}
            found.append(row)
    order = {name: i for i, name in enumerate(dict.fromkeys(cell.name for cell in CELLS))}
    return sorted(
        found, key=lambda r: (order[r["cell"]], r["shots"], list(VARIANTS).index(r["without"]))
    )


def report(rows: list[dict[str, Any]]) -> str:
    """Markdown: one line a cell and number of shots, one column a variant."""
    variants = [name for name in VARIANTS if any(row["without"] == name for row in rows)]
    lines = [
        "# Ablation",
        "",
        "Balanced accuracy of the whole, and whole minus variant [95 % interval], paired. Bold:",
        "the interval lies wholly above 0; italic: wholly below.",
        "",
        "| cell | shots | units | whole | " + " | ".join(variants) + " |",
        "|---|---|---|---|" + "---|" * len(variants),
    ]
    by_line = defaultdict(dict)
    for row in rows:
        by_line[row["cell"], row["shots"]][row["without"]] = row
    for (cell, shots), own in by_line.items():
        first = next(iter(own.values()))
        said = " | ".join(_said(own.get(name)) for name in variants)
        lines.append(f"| {cell} | {shots} | {first['units']} | {first['full']:.3f} | {said} |")
    lines += ["", "Intervals wholly above 0, wholly below 0, and all:", ""]
    for name in variants:
        own = [row for row in rows if row["without"] == name]
        above, below = (sum(row["low"] > 0 for row in own), sum(row["high"] < 0 for row in own))
        mean = np.mean([row["mean"] for row in own])
        lines.append(f"- {name}: {above}, {below} of {len(own)}; mean {mean:+.4f}")
    return "\n".join(lines) + "\n"


def _said(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    text = "{mean:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row)
    if row["low"] > 0:
        return f"**{text}**"
    return f"*{text}*" if row["high"] < 0 else text


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """One panel a variant: what the part is worth in each cell."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    variants = [name for name in VARIANTS if any(row["without"] == name for row in rows)]
    lines = list(dict.fromkeys((row["cell"], row["shots"]) for row in rows))
    figure, axes = pyplot.subplots(
        1, len(variants), figsize=(2.6 * len(variants) + 3, 0.24 * len(lines) + 1.2), sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for ax, variant in zip(axes[0], variants, strict=True):
        own = [row for row in rows if row["without"] == variant]
        at = np.array([lines.index((row["cell"], row["shots"])) for row in own])
        mean = np.array([row["mean"] for row in own])
        half = mean - np.array([row["low"] for row in own])
        ax.axvline(0, color="0.6", linewidth=0.8)
        ax.errorbar(mean, at, xerr=half, fmt="o", color="#0072B2", markersize=3, elinewidth=1)
        ax.set_title(variant, fontsize=8)
        ax.locator_params(axis="x", nbins=4)
        ax.tick_params(labelsize=7)
    axes[0, 0].set_yticks(range(len(lines)), [f"{cell}, {shots}" for cell, shots in lines])
    axes[0, 0].invert_yaxis()
    figure.supxlabel(
        "whole minus variant, balanced accuracy (cell, labelled clips per class)", fontsize=8
    )
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def write_report(folder: Path, out: Path, name: str) -> str:
    """Table, figures as JSON and a plot of all results that there are."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        raise SystemExit(f"There is no result in {folder}.")
    rows = differences(records)
    text = report(rows)
    content = {"machine": records[-1]["machine"], "rows": rows}
    (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    (out / f"{name}.md").write_text(text)
    draw(rows, out / f"{name}.png")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = partial(parser.add_argument)
    add("--data", type=Path, help="folder of the .npz; without: generated clips alone")
    add("--cells", nargs="+", default=["*"], help="names or patterns")
    add("--variants", nargs="+", default=["*"], help="names or patterns; the whole is 'full'")
    add("--seeds", type=int, default=5)
    add("--split", choices=SPLITS, default="test")
    add("--draws", type=int, help="for each person; of new classes: in all; default: half of "
        "those of accuracy.py")  # fmt: skip
    add("--report-only", action="store_true")
    add("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    name = f"ablation_{options.split}"
    if not options.report_only:
        run_all(options, options.out / name)
    print(write_report(options.out / name, options.out, name))


if __name__ == "__main__":
    main()

"""Balanced accuracy of STF2MClassifier and its peers, on the same folds and episodes.

    python benchmarks/accuracy.py --data DIR
    python benchmarks/accuracy.py --sets bundled                   # needs no data but the package's
    python benchmarks/accuracy.py --data DIR --sets 'ravdess_speech:*' --peers stf2m 'rocket-*'
    python benchmarks/accuracy.py --report-only

Rows go to ``results/accuracy.csv`` fold by fold: a run that was stopped goes on where it was. The
report has each model's mean with its interval, stf2m (or stf2m+unlabelled) minus each peer, paired
over units, and the calibration error of ours.
"""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np
from _report import (
    BALANCED,
    Mean,
    Table,
    calibration_errors,
    markdown,
    paired,
    pyplot,
    unit_means,
    write_report,
)
from _run import COLUMNS, chosen, fill, parser
from peers import CONTROLS, OURS, PEERS, entries_of

_UEA = ("BasicMotions", "Epilepsy", "Handwriting", "JapaneseVowels", "Libras", "RacketSports")
CELLS = (
    "noneeg_stress:new-person",
    "ravdess_speech:new-person",
    "stress_predict:new-person",
    "ravdess_speech:fine-grained",
    "ravdess_speech:new-class",
    "uea_Handwriting:new-class",
    "uea_Libras:new-class",
    "uea_JapaneseVowels:new-class",
    *(f"uea_{name}:plain" for name in _UEA),
    "bundled:new-person",
)


def report(table: Table, out) -> None:
    means = unit_means(table.where(metric=BALANCED), "data", "protocol", "model", "shots")
    parts = [
        "# Accuracy",
        "Balanced accuracy [95 % interval over units: people, or seeds where there are none]; "
        "below each peer's mean, stf2m minus the peer, then stf2m+unlabelled minus the peer, both "
        "paired; bold: the interval does not hold 0",
    ]
    for data, protocol in dict.fromkeys(key[:2] for key in means):
        own = {key[2:]: units for key, units in means.items() if key[:2] == (data, protocol)}
        shots = sorted({k for _, k in own}, key=int)
        models = sorted({model for model, _ in own}, key=_place)
        lines = [
            [model, *(_said(own, model, k) for k in shots), _seconds(table, data, protocol, model)]
            for model in models
        ]
        n_units = max(len(units) for units in own.values())
        header = ("model", *(f"{k} shots" for k in shots), "fit, s")
        parts.append(f"## {data}, {protocol} ({n_units} units)\n\n" + markdown(header, lines))
    parts += ["## Over cells of new people", _overall(means), "## Calibration", _calibrated(table)]
    write_report(out / "accuracy.md", *parts)
    draw(means, out / "accuracy.png")


def _place(model: str) -> int:
    base = model.removesuffix("+unlabelled")
    return 2 * list(PEERS).index(base) + model.endswith("+unlabelled")


def _said(own, model: str, shots: str) -> str:
    units = own.get((model, shots))
    if not units:
        return ""
    text = Mean.of(units.values()).said()
    if model.removesuffix("+unlabelled") in OURS:
        return text
    for name in ("stf2m", "stf2m+unlabelled"):
        first = own.get((name, shots))
        text += "<br>" + paired(first, units).said("+") if first else ""
    return text


def _seconds(table: Table, data: str, protocol: str, model: str) -> str:
    rows = table.where(data=data, protocol=protocol, model=model, metric="fit_seconds")
    return f"{np.median([row['value'] for row in rows]):.1f}" if rows else ""


def _overall(means) -> str:
    """Mean paired difference over all cells of new people, and cells wholly below 0."""
    lines = []
    for first in ("stf2m", "stf2m+unlabelled"):
        for peer in [m for p in PEERS for m in (p, f"{p}+unlabelled") if m != first]:
            found = [
                paired(units, means[data, protocol, peer, shots])
                for (data, protocol, model, shots), units in means.items()
                if model == first and protocol == "new-person" and data != "bundled"
                and (data, protocol, peer, shots) in means
            ]  # fmt: skip
            if found:
                mean = float(np.mean([one.mean for one in found]))
                behind, ahead = sum(o.high < 0 for o in found), sum(o.low > 0 for o in found)
                lines.append((first, peer, f"{mean:+.3f}", ahead, behind, len(found)))
    header = ("model", "minus", "mean", "cells wholly above 0", "wholly below", "of")
    return markdown(header, lines)


def _calibrated(table: Table) -> str:
    errors = calibration_errors(table.rows, "data", "protocol", "model", "shots")
    lines = [(*key, f"{error:.3f}") for key, error in errors.items()]
    return markdown(("data", "protocol", "model", "shots", "expected calibration error"), lines)


def draw(means, path) -> None:
    """Means over shots, a panel for each recording of new people."""
    plots = pyplot()
    data = [d for d, p in dict.fromkeys(key[:2] for key in means) if p == "new-person"]
    if not data:
        return
    figure, axes = plots.subplots(
        1, len(data), figsize=(3.4 * len(data) + 2, 3.8), squeeze=False, layout="constrained"
    )
    models = [m for p in PEERS if p not in CONTROLS for m in (p, f"{p}+unlabelled")]
    for ax, name in zip(axes[0], data, strict=True):
        for i, model in enumerate(models):
            own = {int(k): np.mean(list(u.values()))
                   for (d, p, m, k), u in means.items()
                   if (d, p, m) == (name, "new-person", model)}  # fmt: skip
            if own:
                is_ours = model.startswith("stf2m")
                shots = sorted(own)
                ax.plot(
                    [str(k) for k in shots],
                    [own[k] for k in shots],
                    color=plots.get_cmap("tab20")(i % 20),
                    linewidth=2.2 if is_ours else 1,
                    marker="o",
                    markersize=3,
                    label=model,
                )
        ax.set_title(name, fontsize=9)
        ax.set_xlabel("labelled clips of each class")
    axes[0, 0].set_ylabel("balanced accuracy, new people")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right", fontsize=7)
    figure.savefig(path, dpi=120)


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--peers", nargs="+", default=["*"], help="patterns of names")
    options = own.parse_args()
    names = [name for name in PEERS if any(fnmatch(name, p) for p in options.peers)]
    table = Table(options.out / "accuracy.csv", COLUMNS)
    complete = True
    if not options.report_only:
        cells = chosen(CELLS, options.sets)
        if options.data is None:
            cells = [cell for cell in cells if cell.startswith("bundled")]
        complete = fill(table, cells, lambda r, p: entries_of(names, r, p), options)
    report(table, options.out)
    raise SystemExit(not complete)


if __name__ == "__main__":
    main()

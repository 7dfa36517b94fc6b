"""What each part of STF2MClassifier is worth: balanced accuracy with it, minus without it.

    python benchmarks/ablation.py --data DIR
    python benchmarks/ablation.py --data DIR --sets ravdess_speech --variants whole "no networks"
    python benchmarks/ablation.py --data DIR --params '{"n_networks": 0}' --name ablation_rules
    python benchmarks/ablation.py --report-only

New people by folds (everybody once), new classes with five seeds. All variants of a fold have the
same networks, seed, episodes and folds. Each is scored without and with the person's unlabelled
clips. Differences are paired over people (seeds of new classes: 5 units, wide intervals).
"""

from __future__ import annotations

import json

from _cells import Entry
from _report import BALANCED, Mean, Table, markdown, paired, pyplot, unit_means, write_report
from _run import COLUMNS, chosen, fill, parser
from _variants import VARIANTS, VariantClassifier

CELLS = (
    "noneeg_stress:new-person",
    "ravdess_speech:new-person",
    "stress_predict:new-person",
    "uea_Libras:new-class",
    "uea_Handwriting:new-class",
    "uea_JapaneseVowels:new-class",
)
WHOLE = "whole"


def entries(names: list[str], params: dict):
    """Models of a cell, by variant."""

    def of_cell(recording, protocol):
        modes = (False, True) if protocol == "new-person" else (False,)
        return {n: Entry(VariantClassifier(n, params=params), modes) for n in names}

    return of_cell


def differences(table: Table) -> list[tuple[str, str, str, int, Mean]]:
    """Data, part, what is at hand, shots, and whole minus the variant."""
    rows = table.where(metric=BALANCED)
    means = unit_means(rows, "data", "model", "shots")
    found = []
    for (data, model, shots), own in means.items():
        name, plus, _ = model.partition("+")
        at_hand = "with unlabelled" if plus else "labelled only"
        if name != WHOLE:
            whole = means.get((data, WHOLE + model[len(name) :], shots))
            if whole:
                found.append((data, name, at_hand, int(shots), paired(whole, own)))
        elif plus:
            without = means.get((data, WHOLE, shots))
            if without:
                found.append((data, "no unlabelled clips", "", int(shots), paired(own, without)))
    return found


def report(table: Table, name: str, out) -> None:
    found = differences(table)
    means = unit_means(table.where(metric=BALANCED), "data", "model", "shots")
    of_whole = [
        (data, model, shots, Mean.of(own.values()).said())
        for (data, model, shots), own in sorted(means.items())
        if model.startswith(WHOLE)
    ]
    parts = [
        "# Ablation",
        "Balanced accuracy of the whole [95 % interval over people; new classes: seeds]",
        markdown(("data", "model", "shots", "mean"), of_whole),
        "Whole minus without the part, paired; bold: the interval does not hold 0",
    ]
    for data in dict.fromkeys(row[0] for row in found):
        own = [row for row in found if row[0] == data]
        shots = sorted({row[3] for row in own})
        cells = {row[1:4]: row[4].said("+") for row in own}
        lines = [
            (part, at_hand, *(cells.get((part, at_hand, k), "") for k in shots))
            for part, at_hand in dict.fromkeys(row[1:3] for row in own)
        ]
        header = ("without", "at hand", *(f"{k} shots" for k in shots))
        parts.append(f"## {data}\n\n" + markdown(header, lines))
    write_report(out / f"{name}.md", *parts)
    draw(found, out / f"{name}.png")


def draw(found, path) -> None:
    """Mean over shots of each part's worth, a panel for each recording."""
    plots = pyplot()
    data = list(dict.fromkeys(row[0] for row in found))
    names = list(dict.fromkeys(row[1] for row in found))
    if not data:
        return
    figure, axes = plots.subplots(
        1, len(data), figsize=(2 + 2.2 * len(data), 4.5), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, own_data in zip(axes[0], data, strict=True):
        ax.axvline(0, color="0.7", linewidth=1)
        for data_name, part, at_hand, shots, mean in found:
            if data_name == own_data and at_hand != "with unlabelled":
                y = names.index(part) + 0.12 * (min(shots, 4) - 1.5)
                colour = plots.get_cmap("viridis")(min(shots, 4) / 5)
                ends = [[mean.mean - mean.low], [mean.high - mean.mean]]
                ax.errorbar(mean.mean, y, xerr=ends, fmt="o", color=colour, markersize=3)
        ax.set_title(own_data, fontsize=8)
        ax.set_yticks(range(len(names)), names)
    axes[0, 0].invert_yaxis()
    figure.supxlabel("whole minus without; darkest: fewest shots", fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    own.add_argument("--params", type=json.loads, default={}, help="JSON, of STF2MClassifier")
    own.add_argument("--name", default="ablation", help="of table and report")
    options = own.parse_args()
    table = Table(options.out / f"{options.name}.csv", COLUMNS)
    complete = True
    if not options.report_only:
        of_cell = entries(options.variants, options.params)
        complete = fill(table, chosen(CELLS, options.sets), of_cell, options)
    report(table, options.name, options.out)
    raise SystemExit(not complete)


if __name__ == "__main__":
    main()

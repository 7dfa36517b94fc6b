"""What each part of STF2MClassifier is worth: balanced accuracy with it, minus without it.

    python benchmarks/ablation.py --data DIR
    python benchmarks/ablation.py --data DIR --sets ravdess_speech --variants whole "no networks"
    python benchmarks/ablation.py --data DIR --params '{"n_networks": 0}' --name ablation_rules
    python benchmarks/ablation.py --report-only

All variants of a fold have the same networks, seed and episodes. Each is scored without and with
the person's unlabelled clips. Differences are paired over people (of new classes: over five seeds).
"""

import json

import numpy as np
import pandas as pd
from _figures import panels, save_figure, style
from _protocols import UNLABELLED, cell_parser, compare, run, tidy
from _report import BALANCED, Mean, grid, paired, unit_means
from _variants import VARIANTS, variant

from stf2m_sk import STF2MClassifier

CELLS = (
    "noneeg_stress:new-person",
    "ravdess_speech:new-person",
    "stress_predict:new-person",
    "uea_Libras:new-class",
    "uea_Handwriting:new-class",
    "uea_JapaneseVowels:new-class",
)
WHOLE = "whole"


def rows_of(recording, data: str, kind: str, options) -> pd.DataFrame:
    """Rows of a cell: all variants, without and with unlabelled clips."""
    classifier, found = STF2MClassifier(**options.params), []
    for name in options.variants:
        names = (name, name + UNLABELLED) if kind == "new-person" else (name,)
        stem = f"{options.name}-{name}-{data}".replace(" ", "-")
        with variant(name):
            models = dict.fromkeys(names, classifier)
            found.append(tidy(compare(models, recording, kind, options, stem)))
    return pd.concat(found)


def differences(means: dict[tuple, pd.Series]) -> list[tuple[str, str, str, int, Mean]]:
    """Data, part, what is at hand, shots, and whole minus the variant."""
    found = []
    for (data, model, shots), own in means.items():
        name, plus, _ = model.partition("+")
        if name != WHOLE and (data, WHOLE + model[len(name) :], shots) in means:
            at_hand = "with unlabelled" if plus else "labelled only"
            whole = means[data, WHOLE + model[len(name) :], shots]
            found.append((data, name, at_hand, int(shots), paired(whole, own)))
        elif name == WHOLE and plus and (data, WHOLE, shots) in means:
            without = means[data, WHOLE, shots]
            found.append((data, "no unlabelled clips", "", int(shots), paired(own, without)))
    return found


def report(table: pd.DataFrame, figure) -> list[str]:
    means = unit_means(table[table["metric"] == BALANCED], "data", "model", "shots")
    found = differences(means)
    of_whole = {key: means[key] for key in sorted(means) if key[1].startswith(WHOLE)}
    parts = [
        "# Ablation",
        "Balanced accuracy of the whole [95 % interval over people; new classes: seeds]",
        grid(["data", "model"], of_whole, lambda units: Mean.of(units).said()),
        "Whole minus without the part, paired; bold: the interval does not hold 0",
    ]
    for data in dict.fromkeys(row[0] for row in found):
        own = {row[1:4]: row[4] for row in found if row[0] == data}
        parts.append(f"## {data}\n\n" + grid(["without", "at hand"], own, lambda m: m.said("+")))
    draw(found, figure)
    return parts


def draw(found, path) -> None:
    """Each part's worth at each number of shots, a panel for each recording."""
    found = [row for row in found if row[2] != "with unlabelled"]
    names = list(dict.fromkeys(row[1] for row in found))
    shots = sorted({row[3] for row in found})
    if not found:
        return
    figure, axes = panels(list(dict.fromkeys(row[0] for row in found)), 4.5)
    for data, ax in axes.items():
        ax.axvline(0, color="0.7", linewidth=1)
        for i, k in enumerate(shots):
            own = [row for row in found if row[0] == data and row[3] == k]
            if not own:
                continue
            places = [names.index(row[1]) + 0.15 * (i - 1.5) for row in own]
            means, lows = zip(*[row[4][:2] for row in own], strict=True)
            reach = np.subtract(means, lows)
            ax.errorbar(means, places, xerr=reach, ls="", label=f"{k} shots", **style(i))
        ax.set_yticks(range(len(names)), names)
        ax.locator_params(axis="x", nbins=4)
    ax.invert_yaxis()
    figure.supxlabel("whole minus without, balanced accuracy", fontsize=8)
    save_figure(figure, path)


def main() -> None:
    own = cell_parser(__doc__)
    own.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    own.add_argument("--params", type=json.loads, default={}, help="JSON, of STF2MClassifier")
    own.add_argument("--name", default="ablation", help="of table and report")
    options = own.parse_args()
    run(options.name, CELLS, rows_of, report, options)


if __name__ == "__main__":
    main()

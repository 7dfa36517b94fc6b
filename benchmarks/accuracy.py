"""Balanced accuracy of STF2MClassifier and its peers, on the same folds and episodes.

    python benchmarks/accuracy.py --data DIR
    python benchmarks/accuracy.py --sets bundled                   # needs no data but the package's
    python benchmarks/accuracy.py --data DIR --sets 'ravdess_speech:*' --peers stf2m 'rocket-*'
    python benchmarks/accuracy.py --report-only

A run that was stopped goes on where it was. The report has each model's mean with its interval,
stf2m (or stf2m+unlabelled) minus each peer, paired over units, and calibration errors.
"""

from fnmatch import fnmatch
from functools import partial

import numpy as np
import pandas as pd
from _figures import panels, save_figure, style
from _protocols import UNLABELLED, Recording, cell_parser, compare, plain, run, tidy
from _report import BALANCED, Mean, grid, markdown, paired, unit_means
from peers import CONTROLS, OURS, PEERS, predicting

_UEA = ("BasicMotions", "Epilepsy", "Handwriting", "JapaneseVowels", "Libras", "RacketSports")
_PEOPLE = ("noneeg_stress", "ravdess_speech", "stress_predict", "bundled")
CELLS = (
    *(f"{data}:new-person" for data in _PEOPLE),
    *("ravdess_speech:fine-grained", "ravdess_speech:new-class"),
    *(f"uea_{name}:new-class" for name in ("Handwriting", "Libras", "JapaneseVowels")),
    *(f"uea_{name}:plain" for name in _UEA),
)
BINS, ERROR = 15, "expected_calibration_error"


# ---- scores ----


def bin_gap(y_true, probabilities, classes, place: int) -> float:
    """Right predictions minus their confidence, summed over the clips of one bin of confidence.

    An episode has too few clips for a calibration error of its own; these sums can be added up.
    """
    confidence = probabilities.max(axis=1)
    inside = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence) == place
    is_right = classes[probabilities.argmax(axis=1)] == y_true
    return float((is_right - confidence)[inside].sum())


GAPS = {f"gap {place}": partial(bin_gap, place=place) for place in range(BINS)}


def calibration(rows: pd.DataFrame) -> pd.DataFrame:
    """Expected calibration error of all queries together, for each model and number of shots."""
    keys = ["estimator", "shots"]
    gaps = rows[rows["metric"].isin(GAPS)].groupby([*keys, "metric"], sort=False)["value"].sum()
    scores = rows[rows["metric"] == BALANCED]
    n_clips = scores["query"].map(len).groupby([scores[key] for key in keys]).sum()
    errors = gaps.abs().groupby(level=keys, sort=False).sum() / n_clips
    errors = errors.rename("value").reset_index().rename(columns={"estimator": "model"})
    return errors.assign(unit="all", metric=ERROR)


def rows_of(recording: Recording, data: str, kind: str, options) -> pd.DataFrame:
    """Rows of a cell; of the models with probabilities their calibration, too."""
    known = {"has_people": recording.groups is not None}
    models = predicting(kind, **known, has_contexts=recording.contexts is not None)
    bases = {name: name.removesuffix(UNLABELLED) for name in models}
    models = {n: m for n, m in models.items() if any(fnmatch(bases[n], p) for p in options.peers)}
    if kind == "plain":
        return plain(models, recording, options.seeds or 5)
    found = []
    for has, scoring in ((True, {BALANCED: BALANCED} | GAPS), (False, BALANCED)):
        own = {name: m for name, m in models.items() if hasattr(m, "predict_proba") is has}
        if own:
            name = f"accuracy-{'probabilities' if has else 'labels'}-{data}"
            rows = compare(own, recording, kind, options, name, scoring)
            found += [tidy(rows), calibration(rows)] if has else [tidy(rows)]
    return pd.concat(found)


# ---- report ----


def report(table: pd.DataFrame, figure) -> list[str]:
    means = unit_means(table[table["metric"] == BALANCED], "data", "protocol", "model", "shots")
    parts = [
        "# Accuracy",
        "Balanced accuracy [95 % interval over units: people, or seeds where there are none]; "
        "below each peer's mean, stf2m minus the peer, then stf2m+unlabelled minus the peer, both "
        "paired; bold: the interval does not hold 0",
    ]
    seconds = table[table["metric"] == "fit_seconds"]
    seconds = seconds.groupby(["data", "protocol", "model"])["value"].median().map("{:.1f}".format)
    for cell in dict.fromkeys(key[:2] for key in means):
        own = {key[2:]: units for key, units in means.items() if key[:2] == cell}
        said = {
            (model, seconds.get((*cell, model), ""), shots): _said(own, model, shots)
            for name in PEERS for model, shots in own if model == name
        }  # fmt: skip
        title = f"## {', '.join(cell)} ({max(map(len, own.values()))} units)"
        parts.append(f"{title}\n\n" + grid(["model", "fit, s"], said, str))
    errors = table[table["metric"] == ERROR].set_index(["data", "protocol", "model", "shots"])
    error = grid(errors.index.names[:3], dict(errors["value"]), "{:.3f}".format)
    draw(means, figure)
    return [*parts, "## Over cells of new people", _overall(means), "## Calibration", error]


def _said(own, model: str, shots: str) -> str:
    lines = [Mean.of(own[model, shots]).said()]
    if model not in OURS:
        firsts = [own[name, shots] for name in list(OURS)[:2] if (name, shots) in own]
        lines += [paired(first, own[model, shots]).said("+") for first in firsts]
    return "<br>".join(lines)


def _overall(means) -> str:
    """Mean paired difference over all cells of new people, and cells wholly above and below 0."""
    found: dict[tuple, list[Mean]] = {}
    for (data, kind, peer, shots), units in means.items():
        for first in ("stf2m", "stf2m+unlabelled"):
            ours = means.get((data, kind, first, shots))
            if kind == "new-person" and data != "bundled" and peer != first and ours is not None:
                found.setdefault((first, peer), []).append(paired(ours, units))
    lines = [
        (*pair, f"{np.mean([one.mean for one in own]):+.3f}", sum(one.low > 0 for one in own),
         sum(one.high < 0 for one in own), len(own))
        for pair, own in sorted(found.items())
    ]  # fmt: skip
    if not lines:
        return "Neither stf2m nor stf2m+unlabelled was run."
    header = ("model", "minus", "mean", "cells wholly above 0", "wholly below", "of")
    return markdown(header, lines)


def draw(means, path) -> None:
    """Means over shots, a panel for each recording of new people."""
    names = list(dict.fromkeys(data for data, kind, *_ in means if kind == "new-person"))
    if not names:
        return
    figure, axes = panels(names, 3.8)
    bases = list(dict.fromkeys(n.removesuffix(UNLABELLED) for n in PEERS if n not in CONTROLS))
    for name in names:
        for model in [model for model in PEERS if model not in CONTROLS]:
            shots = [k for k in "0124" if (name, "new-person", model, k) in means]
            axes[name].plot(
                shots,
                [means[name, "new-person", model, k].mean() for k in shots],
                "--" if model.endswith(UNLABELLED) else "-",
                linewidth=2.2 if model in OURS else 1,
                label=model if shots else None,
                **style(bases.index(model.removesuffix(UNLABELLED))),
            )
        axes[name].set_xlabel("labelled clips of each class")
    axes[names[0]].set_ylabel("balanced accuracy, new people")
    save_figure(figure, path)


def main() -> None:
    own = cell_parser(__doc__)
    own.add_argument("--peers", nargs="+", default=["*"], help="patterns of names")
    run("accuracy", CELLS, rows_of, report, own.parse_args())


if __name__ == "__main__":
    main()

"""Balanced accuracy as modalities go missing, on new people.

    python benchmarks/missing_modalities.py --data DIR
    python benchmarks/missing_modalities.py --data DIR --sets bundled --shares 0 0.5

A share of all (clip, modality) pairs of the people tested is taken away at random; each clip keeps
one modality at least. All models see the same gaps, and what is missing at a share is missing at
all larger ones. Nothing is missing in the population. Support and query lack alike.

stf2m, stf2m-rules
    Gaps are NaN; defaults, and without networks.
stf2m-dropout
    ``view_dropout=0.3``: views are left out while the model's numbers are learned.
rocket-pooled, logistic
    The population's mean in the gaps.
"""

from __future__ import annotations

import numpy as np
from _cells import Entry, folds, read, score_fold
from _report import BALANCED, Mean, Table, markdown, paired, unit_means, write_report
from _run import chosen, parser
from peers import PEERS

from stf2m_sk import STF2MClassifier
from stf2m_sk.views import Views

COLUMNS = ("data", "protocol", "model", "seed", "fold", "share", "shots", "unit", "metric", "value")
CELLS = ("noneeg_stress:new-person", "stress_predict:new-person", "ravdess_speech:new-person")
SHOTS = (0, 4)
MODELS = {name: PEERS[name] for name in ("stf2m", "stf2m-rules", "rocket-pooled", "logistic")}
MODELS["stf2m-dropout"] = lambda: Entry(STF2MClassifier(view_dropout=0.3))


def with_gaps(views: Views, share: float, seed: int) -> Views:
    """The same clips without a share of the (clip, modality) pairs that are there."""
    arrays = views.to_dict()
    present = np.stack([~np.isnan(a).all(axis=(1, 2)) for a in arrays.values()], axis=1)
    order = np.where(present, np.random.default_rng(seed).random(present.shape), -1.0)
    order[np.arange(len(order)), order.argmax(axis=1)] = -1.0  # this one stays
    n_taken = min(round(share * present.sum()), int((order >= 0).sum()))
    gone = np.zeros(present.size, bool)
    gone[np.argsort(-order, axis=None, kind="stable")[:n_taken]] = True
    holed = {
        name: np.where(missing[:, None, None], np.float32(np.nan), array)
        for (name, array), missing in zip(
            arrays.items(), gone.reshape(present.shape).T, strict=True
        )
    }
    return Views(holed)


def fill(table: Table, cells: list[str], options) -> None:
    for cell in cells:
        data, _, protocol = cell.partition(":")
        recording = read(data, options.data)
        recording = recording._replace(views=Views(recording.views.to_dict()))
        shares = [s for s in options.shares if s <= 1 - 1 / len(recording.views.names)]
        for number, fold in enumerate(folds(recording, protocol, 0)[: options.folds]):
            for name in options.models:
                place = {"data": data, "protocol": protocol, "model": name, "seed": 0}
                place["fold"] = number
                if table.has(**place) and not options.again:
                    continue
                table.drop(**place)
                entry = MODELS[name]()._replace(unlabelled=(False,), calibration=False)
                tested = {share: with_gaps(recording.views, share, number) for share in shares}
                scored = score_fold(entry, recording, protocol, fold, shots=SHOTS,
                                    draws=options.draws, seed=number, tested=tested)  # fmt: skip
                table.append(place | row for _, row in scored)
                print(place, flush=True)


def report(table: Table, out) -> None:
    parts = [
        "# Missing modalities",
        "Balanced accuracy [95 % interval over people] by the share that is missing; below it "
        "stf2m minus the model, paired",
    ]
    means = unit_means(table.where(metric=BALANCED), "data", "shots", "model", "share")
    for data in dict.fromkeys(key[0] for key in means):
        own = {key[1:]: units for key, units in means.items() if key[0] == data}
        shares = sorted({share for _, _, share in own}, key=float)
        lines = []
        for shots, model in dict.fromkeys(key[:2] for key in own):
            said = []
            for share in shares:
                units, first = own[shots, model, share], own.get((shots, "stf2m", share))
                text = Mean.of(units.values()).said()
                if first is not None and model != "stf2m":
                    text += "<br>" + paired(first, units).said("+")
                said.append(text)
            lines.append((shots, model, *said))
        header = ("shots", "model", *(f"{float(share):.0%}" for share in shares))
        parts.append(f"## {data}\n\n" + markdown(header, sorted(lines)))
    write_report(out / "missing_modalities.md", *parts)


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    own.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.25, 0.5, 0.75])
    options = own.parse_args()
    table = Table(options.out / "missing_modalities.csv", COLUMNS)
    if not options.report_only:
        fill(table, chosen((*CELLS, "bundled:new-person"), options.sets), options)
    report(table, options.out)


if __name__ == "__main__":
    main()

"""Balanced accuracy as modalities go missing, on new people.

    python benchmarks/missing_modalities.py --data DIR
    python benchmarks/missing_modalities.py --sets bundled --shares 0 0.5

A share of all (clip, modality) pairs of the people tested is taken away at random; each clip keeps
one modality at least. All models see the same gaps, and what is missing at a share is missing at
all larger ones. Nothing is missing in the population. Support and query lack alike.

For ours gaps are NaN; stf2m-dropout has ``view_dropout=0.3``: views are left out while the model's
numbers are learned. For rocket-pooled and logistic the population's mean is in the gaps.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from _protocols import Recording, cell_parser, fitted, folds, protocol, run, score_fold
from _report import BALANCED, Mean, grid, paired, unit_means
from peers import PEERS

from stf2m_sk import STF2MClassifier
from stf2m_sk.views import Views

_DATA = ("noneeg_stress", "stress_predict", "ravdess_speech", "bundled")
CELLS = tuple(f"{data}:new-person" for data in _DATA)
SHOTS = (0, 4)
MODELS = {name: PEERS[name] for name in ("stf2m", "stf2m-rules", "rocket-pooled", "logistic")}
MODELS["stf2m-dropout"] = STF2MClassifier(view_dropout=0.3)


def with_gaps(views: Views, share: float, seed: int) -> Views:
    """The same clips without a share of the (clip, modality) pairs that are there."""
    arrays = views.to_dict()
    present = np.stack([~np.isnan(a).all(axis=(1, 2)) for a in arrays.values()], axis=1)
    order = np.where(present, np.random.default_rng(seed).random(present.shape), -1.0)
    order[np.arange(len(order)), order.argmax(axis=1)] = -1.0  # this one stays
    n_taken = min(round(share * present.sum()), int((order >= 0).sum()))
    gone = np.zeros(present.size, bool)
    gone[np.argsort(-order, axis=None, kind="stable")[:n_taken]] = True
    columns = zip(arrays, gone.reshape(present.shape).T[..., None, None], strict=True)
    return Views({name: np.where(at, np.float32(np.nan), arrays[name]) for name, at in columns})


def rows_of(recording: Recording, data: str, kind: str, options) -> Iterator[dict]:
    """Of each model, fitted once a fold, the scores at each share."""
    recording = recording._replace(views=Views(recording.views.to_dict()))
    shares = [s for s in options.shares if s <= 1 - 1 / len(recording.views.names)]
    changes = {"shots": SHOTS} | ({"draws": options.draws} if options.draws else {})
    for number, fold in enumerate(folds(recording, kind, 0)[: options.folds]):
        drawn = protocol(recording, kind, seed=number, **changes)
        for name in options.models:
            model = fitted(MODELS[name], recording, fold[0], number)
            for share in shares:
                views = with_gaps(recording.views, share, number)
                result = score_fold(model, recording, drawn, fold, views)
                for (shots, person), value in result.units().iloc[:, 0].items():
                    place = {"model": name, "share": share, "shots": shots, "unit": person}
                    yield place | {"metric": BALANCED, "value": value}


def report(table: pd.DataFrame, figure) -> list[str]:
    parts = [
        "# Missing modalities",
        "Balanced accuracy [95 % interval over people] by the share that is missing; below it "
        "stf2m minus the model, paired",
    ]
    means = unit_means(table, "data", "shots", "model", "share")

    def text(key: tuple) -> str:
        data, shots, model, share = key
        lines = [Mean.of(means[key]).said()]
        if model != "stf2m" and (data, shots, "stf2m", share) in means:
            lines.append(paired(means[data, shots, "stf2m", share], means[key]).said("+"))
        return "<br>".join(lines)

    for data in dict.fromkeys(key[0] for key in means):
        own = {key[1:]: key for key in sorted(means) if key[0] == data}
        parts.append(f"## {data}\n\n" + grid(["shots", "model"], own, text, "{} missing"))
    return parts


def main() -> None:
    own = cell_parser(__doc__)
    own.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    own.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.25, 0.5, 0.75])
    run("missing_modalities", CELLS, rows_of, report, own.parse_args())


if __name__ == "__main__":
    main()

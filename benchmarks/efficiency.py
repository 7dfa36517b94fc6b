"""Seconds to fit, to adapt and predict, to import, and the size of a model.

    python benchmarks/efficiency.py --data DIR/ravdess_speech.npz
    python benchmarks/efficiency.py --data DIR/ravdess_speech.npz --baseline CHECKOUT

The last person is new, all others are the population. Everything is measured in processes of their
own that take turns: without networks (``n_networks=0``), with the defaults, and with `--baseline`
the defaults of another checkout of the package, all on the same machine. Ratios are medians over
turns of the ratio within a turn.

fit
    ``STF2MClassifier(**params).fit`` on the population.
adapt
    One person: 32 labelled clips (up to four of each emotion) and 32 predictions, from raw clips.
    ``rocket kept`` does the same with MiniRocket and a ridge: features of the 64 clips, the
    population's features and Gram matrix kept, one system solved. ``rocket refitted`` fits
    scikit-learn's ridge to the population's features and the support.
import
    ``import stf2m_sk`` in a fresh interpreter.
file
    Bytes that ``save`` writes.

Give one thread to all (OMP_NUM_THREADS=1) where the cores are not free.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from _report import RESULTS, Table, in_process, markdown, write_report

COLUMNS = ("data", "protocol", "model", "unit", "metric", "value")
SHOTS, QUERIES = 4, 32
OURS = {"rules": {"n_networks": 0}, "default": {}}


# ---- in a process of its own; of another checkout only load_npz, fit, adapt and save are used ----


def clips(path: str):
    """Population, support and query of the last person, each views, labels and people."""
    from stf2m_sk.datasets import load_npz

    bunch = load_npz(path)
    views, y, groups = bunch.views, bunch.target.astype(str), bunch.groups
    own = np.flatnonzero(groups == groups[-1])
    rank = np.array([np.sum(y[own[:i]] == y[own[i]]) for i in range(len(own))])
    support, others = own[rank < SHOTS], own[rank >= SHOTS]
    parts = np.flatnonzero(groups != groups[-1]), support, np.resize(others, QUERIES)
    return [(views[rows], y[rows], groups[rows]) for rows in parts]


def child(spec: dict) -> dict:
    """One measurement."""
    if spec["work"] == "import":
        start = time.perf_counter()
        import stf2m_sk

        return {"seconds": time.perf_counter() - start, "package": str(Path(stf2m_sk.__file__))}
    population, support, query = clips(spec["data"])
    if spec["work"] == "fit":
        return _fit(spec, population)
    if spec["work"] == "adapt":
        import stf2m_sk

        fitted = stf2m_sk.load(spec["model"])
        return _quickest(
            lambda: fitted.adapt(*support[:2]).predict_proba(query[0]), spec["repeats"]
        )
    return _rocket(spec, population, support, query)


def _fit(spec: dict, population) -> dict:
    from stf2m_sk import STF2MClassifier

    classifier = STF2MClassifier(random_state=0, **spec["params"])
    views, y, groups = population
    start = time.perf_counter()
    classifier.fit(views, y, groups=groups)
    seconds = time.perf_counter() - start
    classifier.save(spec["model"])
    return {"seconds": seconds, "bytes": Path(spec["model"]).stat().st_size}


def _rocket(spec: dict, population, support, query) -> dict:
    from peers.features import RocketFeatures
    from peers.ridge import GramRidge
    from sklearn.linear_model import RidgeClassifier

    rocket = RocketFeatures()
    known = rocket.fit_transform(population[0])
    ridge = GramRidge().fit(known, population[1])

    def kept():
        person = ridge.adapt(rocket.transform(support[0]), support[1])
        return person.predict(rocket.transform(query[0]))

    def refitted():
        features = np.concatenate([known, rocket.transform(support[0])])
        weights = np.repeat([1.0, ridge.weight], [len(known), len(support[1])])
        labels = np.concatenate([population[1], support[1]])
        own = RidgeClassifier(alpha=known.shape[1]).fit(features, labels, weights)
        return own.predict(rocket.transform(query[0]))

    work = {"kept": kept, "refitted": refitted}[spec["work"]]
    return _quickest(work, spec["repeats"])


def _quickest(work, repeats: int) -> dict:
    """Median of several; the first warms up."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return {"seconds": median(seconds[1:])}


# ---- turns ----


def measure(options: argparse.Namespace, folder: Path) -> list[dict]:
    """Rows of the table."""
    models = {name: (params, None) for name, params in OURS.items()}
    if options.baseline is not None:
        models["baseline"] = {}, options.baseline.resolve()
    rows = []

    def note(model: str, metric: str, turn: int, value: float) -> None:
        row = {"data": options.data.stem, "protocol": "turns", "model": model, "unit": turn}
        rows.append(row | {"metric": metric, "value": value})
        print(f"{model} {metric}: {value:.4g}", flush=True)

    common = {"data": str(options.data.resolve()), "repeats": options.repeats}
    for turn in range(options.fit_turns):
        for name, (params, package) in models.items():
            spec = common | {"work": "fit", "params": params, "model": str(folder / name)}
            found = in_process(__file__, spec, package)
            note(name, "fit_seconds", turn, found["seconds"])
            note(name, "file_bytes", turn, found["bytes"])
    for turn in range(options.turns):
        for name, (_, package) in models.items():
            spec = common | {"work": "adapt", "model": str(folder / name)}
            note(name, "adapt_seconds", turn, in_process(__file__, spec, package)["seconds"])
        for work in ("kept", "refitted"):
            spec = common | {"work": work}
            note(f"rocket {work}", "adapt_seconds", turn, in_process(__file__, spec)["seconds"])
        for name in ("default", "baseline"):
            if name in models:
                package = models[name][1]
                found = in_process(__file__, {"work": "import"}, package)
                if package is not None and str(package) not in found["package"]:
                    raise RuntimeError(f"{found['package']} was imported, not that of {package}")
                note(name, "import_seconds", turn, found["seconds"])
    return rows


def report(table: Table, out: Path) -> None:
    parts = ["# Efficiency"]
    for metric in dict.fromkeys(row["metric"] for row in table.rows):
        of = {
            model: {row["unit"]: row["value"] for row in table.where(metric=metric, model=model)}
            for model in dict.fromkeys(row["model"] for row in table.where(metric=metric))
        }
        lines = []
        for model, own in of.items():
            ratios = [
                f"{median(own[turn] / other[turn] for turn in own if turn in other):.2f}"
                if other is not own
                else ""
                for other in of.values()
            ]
            lines.append((model, f"{median(own.values()):.4g}", *ratios))
        header = ("model", metric, *(f"times {model}" for model in of))
        parts.append(f"## {metric}\n\n" + markdown(header, lines))
    write_report(out / "efficiency.md", *parts)


def main() -> None:
    own = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    own.add_argument("--data", type=Path, help="an .npz with groups")
    own.add_argument("--baseline", type=Path, help="folder of another checkout of the package")
    own.add_argument("--turns", type=int, default=5, help="of all but fit")
    own.add_argument("--fit-turns", type=int, default=3)
    own.add_argument("--repeats", type=int, default=20, help="within a turn")
    own.add_argument("--out", type=Path, default=RESULTS)
    own.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = own.parse_args()
    if options.child is not None:
        print(json.dumps(child(options.child)))
        return
    if options.data is None:
        own.error("--data is needed")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options, Path(folder))
    path = options.out / "efficiency.csv"
    path.unlink(missing_ok=True)
    table = Table(path, COLUMNS)
    table.append(rows)
    report(table, options.out)


if __name__ == "__main__":
    main()

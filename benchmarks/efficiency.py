"""Seconds to fit, to adapt and predict, to import, and the size of a model.

    python benchmarks/efficiency.py --data DIR/ravdess_speech.npz
    python benchmarks/efficiency.py --data DIR/ravdess_speech.npz --baseline CHECKOUT

The last person is new, all others are the population. Processes of their own take turns: without
networks (``n_networks=0``), with the defaults, and with `--baseline` the defaults of another
checkout of the package. Ratios are medians over turns of the ratio within a turn.

fit
    ``STF2MClassifier(**params).fit`` on the population.
adapt
    One person: 32 labelled clips (up to four of each emotion) and 32 predictions, from raw clips.
    ``rocket kept`` does the same with MiniRocket and a ridge whose Gram matrix of the population
    is kept; ``rocket refitted`` fits scikit-learn's ridge to population and support.
import, file
    ``import stf2m_sk`` in a fresh interpreter; bytes that ``save`` writes.
"""

import argparse
import json
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

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
    """One measurement: its metrics."""
    start = time.perf_counter()
    import stf2m_sk

    if spec["work"] == "import":
        seconds = time.perf_counter() - start
        return {"import_seconds": seconds, "package": str(Path(stf2m_sk.__file__))}
    population, support, query = clips(spec["data"])
    if spec["work"] == "fit":
        views, y, groups = population
        classifier = stf2m_sk.STF2MClassifier(random_state=0, **spec["params"])
        start = time.perf_counter()
        classifier.fit(views, y, groups=groups)
        seconds = time.perf_counter() - start
        classifier.save(spec["model"])
        return {"fit_seconds": seconds, "file_bytes": Path(spec["model"]).stat().st_size}
    works = _rocket(population, support, query) if "rocket" in spec["work"] else {}
    if spec["work"] == "adapt":
        model = stf2m_sk.load(spec["model"])
        works["adapt"] = lambda: model.adapt(*support[:2]).predict_proba(query[0])
    work = works[spec["work"]]
    work()  # warm
    return {"adapt_seconds": median(timeit.repeat(work, number=1, repeat=spec["repeats"]))}


def _rocket(population, support, query):
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

    return {"rocket kept": kept, "rocket refitted": refitted}


# ---- turns ----


def measure(options: argparse.Namespace, folder: Path) -> Iterator[dict]:
    """Rows of the table."""
    from _report import in_process

    models = {name: (params, None) for name, params in OURS.items()}
    if options.baseline is not None:
        models["baseline"] = {}, options.baseline.resolve()
    fits = [(name, "fit", *of) for name, of in models.items()]
    others = [(name, "adapt", *of) for name, of in models.items()]
    others += [(name, name, {}, None) for name in ("rocket kept", "rocket refitted")]
    others += [(name, "import", *of) for name, of in models.items() if name != "rules"]
    for tasks, n_turns in ((fits, options.fit_turns), (others, options.turns)):
        for turn in range(n_turns):
            for name, work, params, package in tasks:
                spec = {"work": work, "params": params, "model": str(folder / name)}
                spec |= {"data": str(options.data.resolve()), "repeats": options.repeats}
                found = in_process(__file__, spec, package)
                imported = found.pop("package", "")
                if imported and package is not None and str(package) not in imported:
                    raise RuntimeError(f"{imported} was imported, not that of {package}")
                for metric, value in found.items():
                    print(f"{name} {metric}: {value:.4g}", flush=True)
                    row = {"data": options.data.stem, "protocol": "turns", "model": name}
                    yield row | {"unit": turn, "metric": metric, "value": value}


def report(table, out: Path) -> None:
    from _report import markdown, write_report

    parts = ["# Efficiency"]
    for metric, rows in table.groupby("metric", sort=False):
        turns = rows.pivot(index="unit", columns="model", values="value")[rows["model"].unique()]
        ratios = {m: turns.rdiv(turns[m], axis=0).median().map("{:.2f}".format) for m in turns}
        lines = [
            (model, f"{turns[model].median():.4g}", *own.mask(own.index == model, ""))
            for model, own in ratios.items()
        ]
        header = ("model", metric, *(f"times {model}" for model in turns))
        parts.append(f"## {metric}\n\n" + markdown(header, lines))
    write_report(out / "efficiency.md", *parts)


def main() -> None:
    from _report import parser, write_table

    own = parser(__doc__, required=True, help="an .npz with groups")
    own.add_argument("--baseline", type=Path, help="folder of another checkout of the package")
    own.add_argument("--turns", type=int, default=5, help="of all but fit")
    own.add_argument("--fit-turns", type=int, default=3)
    own.add_argument("--repeats", type=int, default=20, help="within a turn")
    options = own.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = write_table(options.out / "efficiency.csv", measure(options, Path(folder)))
    report(table, options.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:  # without the imports of the report, which would be timed
        print(json.dumps(child(json.loads(sys.argv[2]))))
    else:
        main()

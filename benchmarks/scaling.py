"""How time and memory grow with people, clips, time steps, channels and classes.

    python benchmarks/scaling.py                  # all
    python benchmarks/scaling.py --only people adapt
    python benchmarks/scaling.py --shrink 16      # a quick look

Each point is a process of its own. Seconds are of the work alone, after a tiny warm-up; the peak is
the largest resident set of the whole process, its clips and imports (about 0.5 GB) included.

people
    ``fit`` of 3,000 people with 4 clips of 6 channels x 60 steps each, without networks.
clips-rules, clips-default
    ``fit`` of 100,000 such clips of 1,667 people, without networks and with the defaults.
adapt
    ``adapt`` with 10,000 labelled clips.
axes
    ``fit`` (without networks) over a factor of 16 in clips, time steps, channels and classes, and
    ``adapt`` over clips. The exponent is the least-squares slope of log seconds on log size over
    the three largest of five sizes: 1 is linear.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _report import RESULTS, Table, in_process, markdown, write_report

COLUMNS = ("data", "protocol", "model", "unit", "metric", "value")
FACTORS = (1, 2, 4, 8, 16)
N_FITTED = 3  # of the factors, the largest ones


class Sizes(NamedTuple):
    """Of the clips of a point."""

    clips: int
    people: int
    timesteps: int = 60
    channels: int = 6
    classes: int = 4


POINTS = {
    "people": ("fit", Sizes(12_000, 3_000), {"n_networks": 0}),
    "clips-rules": ("fit", Sizes(100_000, 1_667), {"n_networks": 0}),
    "clips-default": ("fit", Sizes(100_000, 1_667), {}),
    "adapt": ("adapt", Sizes(10_000, 1), {"n_networks": 0}),
}
AXES = {
    "clips": ("fit", Sizes(1_000, 8, 64, 4)),
    "timesteps": ("fit", Sizes(256, 8, 128, 4)),
    "channels": ("fit", Sizes(256, 8, 64, 8)),
    "classes": ("fit", Sizes(2_048, 8, 64, 4)),
    "adapt-clips": ("adapt", Sizes(625, 1)),
}


# ---- in a process of its own ----


def make_clips(sizes: Sizes, seed: int = 0):
    """Noise to which the class adds a level; every person has every class, if clips allow it."""
    from stf2m_sk.views import Views

    shape = (sizes.clips, sizes.channels, sizes.timesteps)
    signal = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    each = np.arange(sizes.clips)
    target = each // sizes.people % sizes.classes
    signal[:, 0] += 0.3 * target[:, None].astype(np.float32)
    return Views({"signal": signal}), target, each % sizes.people


def child(spec: dict) -> dict:
    """Seconds and peak of one point."""
    from stf2m_sk import STF2MClassifier

    verb, sizes, params = spec["verb"], Sizes(*spec["sizes"]), spec["params"]
    small = sizes._replace(clips=max(160, 4 * sizes.classes), people=8)
    warm = STF2MClassifier(random_state=0, **params | {"max_epochs": 1})
    views, target, people = make_clips(small, seed=1)
    fitted = warm.fit(views, target, groups=people)
    fitted.adapt(views, target).predict(views)
    views, target, people = make_clips(sizes)
    start = time.perf_counter()
    if verb == "fit":
        STF2MClassifier(random_state=0, **params).fit(views, target, groups=people)
    else:
        fitted.adapt(views, target)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kB on Linux
    return {"seconds": seconds, "peak_mb": peak}


# ---- all points ----


def of_axis(name: str, start: Sizes, factor: int) -> Sizes:
    """Sizes of an axis at a factor."""
    field = "clips" if name.endswith("clips") else name
    return start._replace(**{field: factor * getattr(start, field)})


def measure(only: list[str], shrink: int) -> list[dict]:
    """Rows of the table."""
    rows = []

    def note(protocol: str, unit, verb: str, sizes: Sizes, params: dict) -> None:
        spec = {"verb": verb, "sizes": sizes, "params": params}
        for metric, value in in_process(__file__, spec).items():
            row = {"data": "generated", "protocol": protocol, "model": verb, "unit": unit}
            rows.append(row | {"metric": metric, "value": value})
        print(
            f"{protocol} {unit}: {rows[-2]['value']:.2f} s, {rows[-1]['value']:.0f} MB", flush=True
        )

    for name, (verb, sizes, params) in POINTS.items():
        if name in only:
            people = max(1, sizes.people // shrink)
            smaller = sizes._replace(clips=sizes.clips // shrink, people=people)
            note(name, smaller.clips, verb, smaller, params)
    for name, (verb, start) in AXES.items() if "axes" in only else ():
        smaller = start._replace(clips=max(128, start.clips // shrink))
        for factor in FACTORS:
            sizes = of_axis(name, smaller, factor)
            size = getattr(sizes, "clips" if name.endswith("clips") else name)
            note(f"axis {name}", size, verb, sizes, {"n_networks": 0})
    return rows


def exponent(sizes: list[float], values: list[float]) -> float:
    """Slope of the logarithms over the largest sizes."""
    x, y = np.log(sizes[-N_FITTED:]), np.log(np.maximum(values[-N_FITTED:], 1e-3))
    return float(np.polyfit(x, y, 1)[0])


def series(table: Table, protocol: str, metric: str) -> tuple[list[float], list[float]]:
    """Sizes and values, by size."""
    rows = table.where(protocol=protocol, metric=metric)
    pairs = sorted((float(row["unit"]), row["value"]) for row in rows)
    return [size for size, _ in pairs], [value for _, value in pairs]


def report(table: Table, out: Path) -> None:
    points, axes = [], []
    for protocol in dict.fromkeys(row["protocol"] for row in table.rows):
        sizes, seconds = series(table, protocol, "seconds")
        _, peaks = series(table, protocol, "peak_mb")
        if not protocol.startswith("axis"):
            points.append((protocol, f"{sizes[0]:.0f}", f"{seconds[0]:.1f}", f"{peaks[0]:.0f}"))
            continue
        said = (f"{value:.2f}" for value in seconds)
        axes.append(
            (protocol, f"{sizes[0]:.0f} to {sizes[-1]:.0f}", " ".join(said),
             f"{exponent(sizes, seconds):.2f}", f"{peaks[-1]:.0f}")
        )  # fmt: skip
    parts = ["# Scaling", markdown(("point", "clips", "seconds", "peak, MB"), points)]
    if axes:
        header = ("axis", "sizes", "seconds", "exponent of the time", "peak of the largest, MB")
        parts.append(markdown(header, axes))
    write_report(out / "scaling.md", *parts)


def main() -> None:
    own = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    names = [*POINTS, "axes"]
    own.add_argument("--only", nargs="+", choices=names, default=names)
    own.add_argument("--shrink", type=int, default=1, help="divide clips and people")
    own.add_argument("--out", type=Path, default=RESULTS)
    own.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = own.parse_args()
    if options.child is not None:
        print(json.dumps(child(options.child)))
        return
    rows = measure(options.only, options.shrink)
    table = Table(options.out / "scaling.csv", COLUMNS)
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        table.drop(protocol=protocol)
    table.append(rows)
    report(table, options.out)


if __name__ == "__main__":
    main()

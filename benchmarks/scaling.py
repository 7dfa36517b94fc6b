"""How time and memory grow with people, clips, time steps, channels and classes.

    python benchmarks/scaling.py                  # all
    python benchmarks/scaling.py --only people adapt
    python benchmarks/scaling.py --shrink 16      # a quick look

Each point is a process of its own. Seconds are of the work alone, after a tiny warm-up; the peak is
the largest resident set of the process, clips and imports (about 0.5 GB) included.

people, clips-rules, clips-default
    ``fit`` of 3,000 people with 4 clips of 6 channels x 60 steps each, without networks; of 100,000
    such clips of 1,667 people, without networks and with the defaults.
adapt
    ``adapt`` with 10,000 labelled clips.
axes
    ``fit`` (without networks) over a factor of 16 in clips, time steps, channels and classes, and
    ``adapt`` over clips. The exponent is the least-squares slope of log seconds on log size over
    the three largest of five sizes: 1 is linear.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _report import in_process, markdown, parser, write_report, write_table

from stf2m_sk import STF2MClassifier
from stf2m_sk.views import Views

N_FITTED = 3  # of the sizes of an axis, the largest ones


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
    "clips": ("clips", "fit", Sizes(1_000, 8, 64, 4)),
    "timesteps": ("timesteps", "fit", Sizes(256, 8, 128, 4)),
    "channels": ("channels", "fit", Sizes(256, 8, 64, 8)),
    "classes": ("classes", "fit", Sizes(2_048, 8, 64, 4)),
    "adapt-clips": ("clips", "adapt", Sizes(625, 1)),
}


# ---- in a process of its own ----


def make_clips(sizes: Sizes, seed: int = 0):
    """Noise to which the class adds a level; every person has every class, if clips allow it."""
    shape = (sizes.clips, sizes.channels, sizes.timesteps)
    signal = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    each = np.arange(sizes.clips)
    target = each // sizes.people % sizes.classes
    signal[:, 0] += 0.3 * target[:, None].astype(np.float32)
    return Views({"signal": signal}), target, each % sizes.people


def child(spec: dict) -> dict:
    """Seconds and peak of one point."""
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


def measure(only: list[str], shrink: int) -> Iterator[dict]:
    """Rows of the table."""
    tasks = []
    for name in [name for name in POINTS if name in only]:
        verb, sizes, params = POINTS[name]
        clips, people = sizes.clips // shrink, max(1, sizes.people // shrink)
        tasks.append((name, clips, verb, sizes._replace(clips=clips, people=people), params))
    for name, (field, verb, sizes) in AXES.items() if "axes" in only else ():
        smaller = sizes._replace(clips=max(128, sizes.clips // shrink))
        for factor in (1, 2, 4, 8, 16):
            size = factor * getattr(smaller, field)
            larger = smaller._replace(**{field: size})
            tasks.append((f"axis {name}", size, verb, larger, {"n_networks": 0}))
    for protocol, size, verb, sizes, params in tasks:
        found = in_process(__file__, {"verb": verb, "sizes": sizes, "params": params})
        print(f"{protocol} {size}: {found}", flush=True)
        for metric, value in found.items():
            row = {"data": "generated", "protocol": protocol, "model": verb, "unit": size}
            yield row | {"metric": metric, "value": value}


def report(table: pd.DataFrame, out: Path) -> None:
    points, axes = [], []
    for protocol, own in table.astype({"unit": int}).groupby("protocol", sort=False):
        measured = own.pivot(index="unit", columns="metric", values="value")  # sorted by size
        sizes, seconds = list(measured.index), list(measured["seconds"])
        peak = f"{measured['peak_mb'].iloc[-1]:.0f}"
        if protocol.startswith("axis"):
            said = " ".join(f"{value:.2f}" for value in seconds)
            slope, _ = np.polyfit(np.log(sizes[-N_FITTED:]), np.log(seconds[-N_FITTED:]), 1)
            axes.append((protocol, f"{sizes[0]} to {sizes[-1]}", said, f"{slope:.2f}", peak))
        else:
            points.append((protocol, sizes[-1], f"{seconds[-1]:.1f}", peak))
    header = ("axis", "sizes", "seconds", "exponent of the time", "peak of the largest, MB")
    parts = [markdown(("point", "clips", "seconds", "peak, MB"), points), markdown(header, axes)]
    write_report(out / "scaling.md", "# Scaling", *parts)


def main() -> None:
    own, names = parser(__doc__, help="not looked at: all is generated"), [*POINTS, "axes"]
    own.add_argument("--only", nargs="+", choices=names, default=names)
    own.add_argument("--shrink", type=int, default=1, help="divide clips and people")
    own.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    options = own.parse_args()
    if options.child is not None:
        print(json.dumps(child(options.child)))
        return
    rows = measure(options.only, options.shrink)
    report(write_table(options.out / "scaling.csv", rows, ["protocol"]), options.out)


if __name__ == "__main__":
    main()

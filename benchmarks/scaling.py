"""How time and memory grow with clips, time steps, channels and classes.

    python benchmarks/scaling.py            # five points an axis, over a factor of 16
    python benchmarks/scaling.py --quick    # the same programs at a quarter of the size

Each point is a process of its own, with one torch thread. It makes its data (noise, to which the
class adds a level), fits and answers something tiny to have everything imported and warm, and
notes its memory as the baseline. Then the clock starts:

fit
    ``STF2MClassifier(max_epochs=1).fit`` on eight people.
adapt + predict
    ``fitted.adapt(support, y).predict(query)``, with as many query as support clips on the axis
    of the clips; the median of three.
predict
    2,000 and 100,000 clips. What is wanted is that many clips need no more memory than few,
    beyond what is given and what is answered.

The time is the processor's, which neighbours on the machine disturb less than the clock's (both
are kept). The memory is the largest resident set since the baseline, less the baseline (Linux
only). The exponent is the slope of the logarithm against that of the size, by least squares on
the three largest of the five sizes: 1 is linear. There is no more to fit than that; where a fixed
cost is still large the exponent is below what it would be with much larger data.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from _machine import RESULTS, describe_machine

from stf2m_sk import STF2MClassifier
from stf2m_sk.views import Views

FACTORS = (1, 2, 4, 8, 16)
N_FITTED = 3  # of the factors, the largest ones: there the fixed costs weigh least
N_PEOPLE = 8
N_POPULATION = 256  # clips behind a classifier that is to adapt or predict
MANY, FEW = 100_000, 2_000
ALLOWED = 1.1  # times the memory of a few: what an allocator keeps is not the same twice
MEGABYTE = 2**20
LEAST = 0.004  # MB: a page is the least that can be seen, and 0 has no logarithm
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


class Sizes(NamedTuple):
    """Of the clips that a verb is given."""

    clips: int
    timesteps: int
    channels: int
    classes: int


class Axis(NamedTuple):
    """What grows, and from which sizes."""

    verb: str
    name: str
    start: Sizes

    def sizes(self, factor: int) -> Sizes:
        """At one of the factors."""
        return self.start._replace(**{self.name: factor * getattr(self.start, self.name)})


AXES = (
    Axis("fit", "clips", Sizes(768, 64, 4, 4)),
    Axis("fit", "timesteps", Sizes(128, 128, 4, 4)),
    Axis("fit", "channels", Sizes(256, 64, 16, 4)),
    Axis("fit", "classes", Sizes(1024, 64, 4, 4)),
    Axis("adapt + predict", "clips", Sizes(128, 64, 4, 4)),
    Axis("adapt + predict", "timesteps", Sizes(128, 128, 4, 4)),
    Axis("adapt + predict", "channels", Sizes(256, 64, 16, 4)),
    Axis("adapt + predict", "classes", Sizes(256, 64, 4, 4)),
)


# ---- in the process of a point ----


def make_clips(sizes: Sizes, seed: int = 0) -> tuple[Views, np.ndarray, np.ndarray]:
    """Clips, labels and people; every person has every class."""
    shape = (sizes.clips, sizes.channels, sizes.timesteps)
    signal = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    target = np.arange(sizes.clips) % sizes.classes
    signal[:, 0] += 0.3 * target[:, None].astype(np.float32)
    people = np.arange(sizes.clips) // sizes.classes % N_PEOPLE
    return Views({"signal": signal}), target, people


def warm_up() -> None:
    """Import what is imported late, and let torch set itself up."""
    views, target, people = make_clips(Sizes(32, 16, 1, 2))
    tiny = STF2MClassifier(max_epochs=1, n_kernels=20, n_rules=2, random_state=0)
    tiny.fit(views, target, groups=people).adapt(views, target).predict(views)


def memory(name: str) -> float:
    """`VmRSS`, the resident set now, or `VmHWM`, its peak; in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {name}: memory cannot be measured here.")


def measured(work: Callable[[], Any], repeats: int = 1) -> dict[str, float]:
    """Time and peak memory of something beyond what is there before it."""
    ctypes.CDLL(None).malloc_trim(0)  # else memory freed before would be used again, unseen
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is now's
    before = memory("VmRSS")
    processor, clock = [], []
    for _ in range(repeats):
        start = time.process_time(), time.perf_counter()
        given = work()
        processor.append(time.process_time() - start[0])
        clock.append(time.perf_counter() - start[1])
    peak = memory("VmHWM")
    del given
    return {
        "seconds": median(processor),
        "clock_seconds": median(clock),
        "baseline_mb": before,
        "peak_mb": peak - before,
    }


def fitted_on(sizes: Sizes) -> STF2MClassifier:
    """A classifier for clips of these sizes, from few clips."""
    enough = max(N_POPULATION, 2 * N_PEOPLE * sizes.classes)
    views, target, people = make_clips(sizes._replace(clips=enough), seed=1)
    # How well it is trained does not matter: tiny episodes, and nobody held out.
    quick = {"max_epochs": 1, "n_way": 2, "n_support": 1, "n_query": 1, "validation_fraction": 0}
    return STF2MClassifier(**quick, random_state=0).fit(views, target, groups=people)


def measure_point(verb: str, sizes: Sizes) -> dict[str, Any]:
    """One point; runs in a process of its own."""
    torch.set_num_threads(1)
    # Blocks above 1 MB go back to the system when freed: what is resident is then what is used,
    # and not what the allocator keeps for later.
    ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, MEGABYTE)
    warm_up()
    if verb == "fit":
        views, target, people = make_clips(sizes)
        classifier = STF2MClassifier(max_epochs=1, random_state=0)
        return measured(partial(classifier.fit, views, target, groups=people))
    fitted = fitted_on(sizes)
    query, target, _ = make_clips(sizes, seed=2)
    if verb == "predict":
        fitted.predict(query[:10])
        return measured(partial(fitted.predict, query)) | {"answer_mb": answer_size(fitted, query)}
    support, target, _ = make_clips(sizes, seed=3)
    fitted.adapt(support[: 2 * sizes.classes], target[: 2 * sizes.classes]).predict(query[:10])
    return measured(lambda: fitted.adapt(support, target).predict(query), repeats=3)


def answer_size(fitted: STF2MClassifier, query: Views) -> float:
    """Of the probabilities and the labels, which are what is answered; in MB."""
    n_classes = len(fitted.classes_)
    each = n_classes * query.dtype.itemsize + fitted.classes_.itemsize
    return len(query) * each / MEGABYTE


# ---- all points ----


def in_own_process(verb: str, sizes: Sizes) -> dict[str, Any]:
    context = get_context("forkserver")  # imports once; what it forks is as fresh as new
    context.set_forkserver_preload(["torch", "stf2m_sk", "stf2m_sk.views"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure_point, verb, sizes).result()


def measure_axis(axis: Axis) -> dict[str, Any]:
    points = []
    for factor in FACTORS:
        sizes = axis.sizes(factor)
        point = in_own_process(axis.verb, sizes)
        points.append({"size": getattr(sizes, axis.name)} | point)
        print(f"{axis.verb}, {points[-1]['size']} {axis.name}: {point['seconds']:.3f} s, "
              f"{point['peak_mb']:.1f} MB", file=sys.stderr, flush=True)  # fmt: skip
    exponents = {of: exponent(points, key) for of, key in (("time", "seconds"),
                 ("clock", "clock_seconds"), ("memory", "peak_mb"))}  # fmt: skip
    return {"verb": axis.verb, "axis": axis.name, "start": axis.start._asdict(),
            "points": points, "exponents": exponents}  # fmt: skip


def exponent(points: list[dict], key: str) -> float:
    """Slope of the logarithm over the largest sizes."""
    largest = points[-N_FITTED:]
    x = np.log([point["size"] for point in largest])
    y = np.log([max(point[key], LEAST) for point in largest])
    return float(np.polyfit(x, y, 1)[0])


def measure_predictions(shrink: int) -> list[dict[str, Any]]:
    rows = []
    for n_clips in (FEW // shrink, MANY // shrink):
        point = in_own_process("predict", Sizes(n_clips, 32, 1, 4))
        rows.append({"clips": n_clips, "beyond_mb": point["peak_mb"] - point["answer_mb"]} | point)
    return rows


def report(axes: list[dict], predictions: list[dict]) -> str:
    lines = [
        "Growth of time and of peak memory over a factor of 16; an exponent of 1 is linear",
        "",
        "| verb | axis | sizes | seconds | MB | exponent of time | exponent of memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for axis in axes:
        first, last = axis["points"][0], axis["points"][-1]
        found = axis["exponents"]
        lines.append(
            f"| {axis['verb']} | {axis['axis']} | {first['size']} to {last['size']} | "
            f"{first['seconds']:.2f} to {last['seconds']:.2f} | "
            f"{first['peak_mb']:.0f} to {last['peak_mb']:.0f} | "
            f"{found['time']:.2f} | {found['memory']:.2f} |"
        )
    few, many = predictions
    holds = many["beyond_mb"] <= ALLOWED * few["beyond_mb"]
    lines += [
        "",
        "| clips to predict | seconds | MB beyond input | MB beyond input and answer |",
        "|---|---|---|---|",
        *(
            f"| {row['clips']} | {row['seconds']:.2f} | {row['peak_mb']:.1f} | "
            f"{row['beyond_mb']:.1f} |"
            for row in predictions
        ),
        "",
        f"Memory of a prediction does {'not grow' if holds else 'GROW'} with the number of clips: "
        f"{many['beyond_mb'] / max(few['beyond_mb'], LEAST):.2f} times.",
    ]
    return "\n".join(lines)


def draw_figure(axes: list[dict], path: Path) -> None:
    """Growth from the smallest size, one panel for what grows."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(axis["axis"] for axis in axes))
    figure, panels = pyplot.subplots(
        2, 2, figsize=(8, 7), sharex=True, sharey=True, layout="constrained"
    )
    for panel, name in zip(panels.flat, names, strict=True):
        panel.loglog(FACTORS, FACTORS, color="0.7", linewidth=1, label="linear")
        own = [axis for axis in axes if axis["axis"] == name]
        for axis, colour in zip(own, ("#0072B2", "#D55E00"), strict=True):
            _draw_growth(panel, axis, colour)
        panel.set_xticks(FACTORS, [f"×{factor}" for factor in FACTORS])
        panel.set_yticks(FACTORS, [f"×{factor}" for factor in FACTORS])
        panel.minorticks_off()
        panel.set_ylim(0.5, 90)  # room for the legend
        start, stop = own[0]["points"][0]["size"], own[0]["points"][-1]["size"]
        panel.set_title(f"{name.replace('timesteps', 'time steps')} (fit: {start} to {stop})")
        panel.legend(frameon=False, fontsize=8, loc="upper left")
    figure.supylabel("times the smallest (in brackets: exponent)")
    figure.savefig(path, dpi=150)


def _draw_growth(panel, axis: dict, colour: str) -> None:
    for key, of, style in (("seconds", "time", "o-"), ("peak_mb", "memory", "s:")):
        found = np.array([max(point[key], LEAST) for point in axis["points"]])
        label = f"{axis['verb']}, {of} ({axis['exponents'][of]:.2f})"
        panel.loglog(FACTORS, found / found[0], style, color=colour, markersize=4, label=label)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a quarter of the size on every axis")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for what is found")
    options = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        parser.exit(1, "Peak memory is read from /proc, which only Linux has.\n")
    machine, start = describe_machine("torch", "skorch"), time.perf_counter()
    shrink = 4 if options.quick else 1
    axes = [measure_axis(smaller(axis, shrink)) for axis in AXES]
    predictions = measure_predictions(shrink)
    text = report(axes, predictions)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine | {"torch_threads": 1},
        "seconds": time.perf_counter() - start,
        "axes": axes,
        "predictions": predictions,
    }
    (options.out / "scaling.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "scaling.md").write_text(text + "\n")
    draw_figure(axes, options.out / "scaling.png")


def smaller(axis: Axis, factor: int) -> Axis:
    """The same axis from smaller sizes."""
    start = axis.start
    shrunk = start._replace(clips=max(start.clips // factor, 2 * N_PEOPLE * start.classes))
    if axis.name == "classes":  # all of them need their clips
        shrunk = start
    if axis.name in ("timesteps", "channels"):
        shrunk = shrunk._replace(**{axis.name: getattr(start, axis.name) // factor})
    return axis._replace(start=shrunk)


if __name__ == "__main__":
    main()

"""One tidy table for each benchmark, and the report beside it."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BALANCED = "balanced_accuracy"


class Mean(NamedTuple):
    """A mean with its 95 % Student-t interval over units; NaN ends for fewer than three."""

    mean: float
    low: float
    high: float
    n_units: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Mean:
        """Over units that count alike."""
        values = np.asarray(list(values), dtype=float)
        n = len(values)
        half = np.nan
        if n > 2:
            half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
        mean = float(values.mean()) if n else np.nan
        return cls(mean, mean - half, mean + half, n)

    def said(self, sign: str = "") -> str:
        """In three digits; what lies wholly above or below 0 in bold if a sign is asked for."""
        text = f"{self.mean:{sign}.3f}"
        if not np.isnan(self.low):
            text += f" [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"
        return f"**{text}**" if sign and (self.low > 0 or self.high < 0) else text


class Table:
    """A CSV that grows: a run that was stopped goes on where it was.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        Its columns; ``value`` is read as a number.
    """

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.path, self.columns, self.rows = path, list(columns), []
        if path.exists():
            with path.open(newline="") as file:
                self.rows = [row | {"value": float(row["value"])} for row in csv.DictReader(file)]

    def has(self, **known: Any) -> bool:
        """Whether there is a row with these values."""
        return bool(self.where(**known))

    def where(self, **known: Any) -> list[dict[str, Any]]:
        """Rows with these values."""
        asked = {name: str(value) for name, value in known.items()}
        return [r for r in self.rows if all(r[name] == value for name, value in asked.items())]

    def drop(self, **known: Any) -> None:
        """Remove rows with these values."""
        asked = {name: str(value) for name, value in known.items()}
        kept = [r for r in self.rows if any(r[name] != value for name, value in asked.items())]
        if len(kept) < len(self.rows):
            self.rows = kept
            self._write("w", self.rows, with_header=True)

    def append(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows, on disk in one piece."""
        new = [{name: str(row.get(name, "")) for name in self.columns} for row in rows]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write("a", new, with_header=not self.path.exists())
        self.rows += [row | {"value": float(row["value"])} for row in new]

    def _write(self, mode: str, rows, *, with_header: bool) -> None:
        with self.path.open(mode, newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if with_header:
                writer.writeheader()
            writer.writerows(rows)


def unit_means(rows: Iterable[dict], *keys: str) -> dict[tuple, dict[str, float]]:
    """For each combination of keys the mean of every unit."""
    found: dict[tuple, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[tuple(row[key] for key in keys)][row["unit"]].append(row["value"])
    return {
        key: {unit: float(np.mean(values)) for unit, values in units.items()}
        for key, units in found.items()
    }


def paired(first: dict[str, float], second: dict[str, float]) -> Mean:
    """First minus second, over the units that both have."""
    return Mean.of(first[unit] - second[unit] for unit in first if unit in second)


def calibration_errors(rows: Iterable[dict], *keys: str) -> dict[tuple, float]:
    """Expected calibration error of all clips together, from the rows of `_cells.Calibration`."""
    gaps: dict[tuple, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        if row["metric"].startswith("calibration"):
            gaps[tuple(row[key] for key in keys)][row["metric"]] += row["value"]
    return {
        key: sum(abs(v) for m, v in own.items() if "gap" in m) / own["calibration_clips"]
        for key, own in gaps.items()
    }


def markdown(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_report(path: Path, *parts: str) -> None:
    """Parts of a report and what it ran on; printed, too."""
    text = "\n\n".join([*parts, machine()])
    print(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def machine() -> str:
    """Processor, threads and versions, in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn", "torch"))
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    return (
        f"Written on {_processor()}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}, load "
        f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}, {versions}."
    )


def in_process(script: str, spec: dict[str, Any], package: Path | None = None) -> dict[str, Any]:
    """Run ``script --child SPEC`` in a process of its own, and read the JSON it prints last.

    Parameters
    ----------
    script : str
        Path of the benchmark.
    spec : dict
        What to do; JSON.
    package : Path or None
        Folder of another checkout of the package, whose code is then measured.
    """
    environment = dict(os.environ)
    if package is not None:
        environment["PYTHONPATH"] = str(package)
    command = [sys.executable, script, "--child", json.dumps(spec)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed at {spec}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def pyplot():
    """Matplotlib without a display."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plots

    return plots


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

"""A tidy table for each benchmark, and the report and the figure beside it."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

RESULTS = Path(__file__).parent / "results"
BALANCED = "balanced_accuracy"


def parser(doc: str, **data: Any) -> argparse.ArgumentParser:
    """Options that all benchmarks have: ``--data``, of which more may be said, and ``--out``."""
    look = argparse.ArgumentDefaultsHelpFormatter
    own = argparse.ArgumentParser(description=doc.splitlines()[0], formatter_class=look)
    own.add_argument("--data", type=Path, **{"help": "folder of recordings as .npz"} | data)
    own.add_argument("--out", type=Path, default=RESULTS, help="folder of table and report")
    return own


# ---- tables ----


def write_table(path: Path, rows: Any, replacing: Iterable[str] = ()) -> pd.DataFrame:
    """Write the mean of the rows that differ in ``value`` only, and return the whole table.

    Rows of the file that agree with a new one in the columns `replacing` make way, others stay;
    without columns none stays. Whatever is no value is text.
    """
    rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), dtype=object)
    keys = [name for name in rows if name != "value"]
    text = rows[keys].astype(object)
    new = text.where(text.notna(), "").astype(str).assign(value=rows["value"].astype(float))
    new = new.groupby(keys, sort=False)["value"].mean().reset_index()
    columns = list(replacing)
    if columns and path.exists():
        old = read_table(path)
        is_new = pd.MultiIndex.from_frame(old[columns]).isin(new[columns].apply(tuple, axis=1))
        new = pd.concat([old[~is_new], new])
    path.parent.mkdir(parents=True, exist_ok=True)
    new.to_csv(path, index=False, float_format="%.10g", lineterminator="\n")
    return read_table(path)


def read_table(path: Path) -> pd.DataFrame:
    """A table that was written; ``value`` is a number."""
    return pd.read_csv(path, dtype=str, keep_default_na=False).astype({"value": float})


def unit_means(table: pd.DataFrame, *keys: str) -> dict[tuple, pd.Series]:
    """For each combination of keys the mean of every ``unit``."""
    groups = table.groupby(list(keys), sort=False)
    return {key: own.groupby("unit", sort=False)["value"].mean() for key, own in groups}


class Mean(NamedTuple):
    """A mean with its 95 % Student-t interval over units; NaN ends for fewer than three."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Mean":
        """Over units that count alike."""
        values = np.asarray(list(values), dtype=float)
        n, mean = len(values), float(values.mean()) if len(values) else np.nan
        half = stats.t.ppf(0.975, n - 1) * stats.sem(values) if n > 2 else np.nan
        return cls(mean, mean - half, mean + half)

    def said(self, sign: str = "") -> str:
        """In three digits; what lies wholly above or below 0 in bold if a sign is asked for."""
        text = f"{self.mean:{sign}.3f}"
        if not np.isnan(self.low):
            text += f" [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"
        return f"**{text}**" if sign and (self.low > 0 or self.high < 0) else text


def paired(first: pd.Series, second: pd.Series) -> Mean:
    """First minus second, over the units that both have."""
    return Mean.of((first - second).dropna())


# ---- reports ----


def markdown(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table."""
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def grid(
    header: Iterable[str], found: dict[tuple, Any], text: Callable, column: str = "{} shots"
) -> str:
    """A table of which the last part of each key names the column, and the others the line."""
    columns = sorted({key[-1] for key in found}, key=float)
    lines = [
        (*line, *(text(found[*line, c]) if (*line, c) in found else "" for c in columns))
        for line in dict.fromkeys(key[:-1] for key in found)
    ]
    return markdown([*header, *map(column.format, columns)], lines)


def write_report(path: Path, *parts: str) -> None:
    """Parts of a report, the program that made it and what it ran on; printed, too."""
    text = "\n\n".join([*parts, f"Made by `benchmarks/{Path(sys.argv[0]).name}`. {machine()}"])
    print(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def machine() -> str:
    """Processor, threads and versions, in one line."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scikit-learn", "torch"))
    cpuinfo, name = Path("/proc/cpuinfo"), platform.processor()
    if cpuinfo.exists() and "model name" in (text := cpuinfo.read_text(encoding="utf-8")):
        name = text.partition("model name")[2].splitlines()[0].strip("\t :")
    return (
        f"Written on {name}, {os.cpu_count()} cores, OMP_NUM_THREADS "
        f"{os.environ.get('OMP_NUM_THREADS', 'not set')}, load {os.getloadavg()[0]:.1f}; Python "
        f"{platform.python_version()}, {versions}."
    )


# ---- measurements in a process of their own ----


def in_process(script: str, spec: dict[str, Any], package: Path | None = None) -> dict[str, Any]:
    """What ``script --child SPEC`` prints last, as JSON; `package` is another checkout of ours."""
    environment = os.environ | ({} if package is None else {"PYTHONPATH": str(package)})
    command = [sys.executable, script, "--child", json.dumps(spec)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed at {spec}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])

"""Fill a table fold by fold: what `accuracy.py` and `ablation.py` share."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from _cells import SHOTS, Entry, Recording, folds, read, score_fold
from _report import RESULTS, Table

COLUMNS = ("data", "protocol", "model", "seed", "fold", "shots", "unit", "metric", "value")


def parser(doc: str) -> argparse.ArgumentParser:
    """Options that the benchmarks of accuracy have in common."""
    own = argparse.ArgumentParser(
        description=doc.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    own.add_argument("--data", type=Path, help="folder of recordings as .npz")
    own.add_argument("--sets", nargs="+", default=["*"], help="patterns of data:protocol")
    own.add_argument("--seeds", type=int, help="of cells without people; None: five")
    own.add_argument("--person-seeds", type=int, default=1, help="of cells with people")
    own.add_argument("--draws", type=int, help="of a person; None: the protocol's own number")
    own.add_argument("--folds", type=int, help="only so many of them, for a quick look")
    own.add_argument("--again", action="store_true", help="do anew what is in the table")
    own.add_argument("--report-only", action="store_true")
    own.add_argument("--out", type=Path, default=RESULTS, help="folder of table and report")
    return own


def chosen(cells: tuple[str, ...], patterns: list[str]) -> list[str]:
    """Cells ("data:protocol") that fit one of the patterns."""
    return [c for c in cells if any(fnmatch(c, p) or fnmatch(c.split(":")[0], p) for p in patterns)]


def fill(
    table: Table,
    cells: list[str],
    entries: Callable[[Recording, str], dict[str, Entry]],
    options: argparse.Namespace,
) -> bool:
    """Do what the table lacks, and say whether nothing failed.

    Parameters
    ----------
    table : Table
        With `COLUMNS`.
    cells : list of str
        "data:protocol".
    entries : callable
        From a recording and a protocol to the models by name.
    options : Namespace
        Of `parser`.
    """
    failed = False
    for cell in cells:
        data, _, protocol = cell.partition(":")
        recording = read(data, options.data, fine_grained=protocol == "fine-grained")
        models = entries(recording, protocol)
        has_people = recording.groups is not None and protocol != "plain"
        for seed in range(options.person_seeds if has_people else options.seeds or 5):
            for number, fold in enumerate(folds(recording, protocol, seed)[: options.folds]):
                for name, entry in models.items():
                    place = {"data": data, "protocol": protocol, "seed": seed, "fold": number}
                    try:
                        _fill_one(table, place, name, entry, recording, fold, options)
                    except Exception:
                        failed = True
                        print(f"{place} {name} failed:\n{traceback.format_exc()}", file=sys.stderr)
    return not failed


def _fill_one(table, place, name, entry, recording, fold, options) -> None:
    names = entry.names(name)
    if options.again:
        for own in names:
            table.drop(**place, model=own)
    if all(table.has(**place, model=own) for own in names):
        return
    for own in names:  # one of two may be there
        table.drop(**place, model=own)
    start = time.perf_counter()
    scored = score_fold(
        entry,
        recording,
        place["protocol"],
        fold,
        shots=SHOTS[place["protocol"]],
        draws=options.draws,
        seed=1000 * place["seed"] + place["fold"],
    )
    rows = []
    for mode, row in scored:
        unit = f"seed {place['seed']}" if row["unit"] == "seed" else row["unit"]
        model = f"{name}+unlabelled" if mode else name
        rows.append(place | {"model": model} | row | {"unit": unit})
    table.append(rows)
    seconds = time.perf_counter() - start
    print(f"{place} {name}: {seconds:.0f} s", file=sys.stderr, flush=True)

"""The report of accuracy.py: tables, summary and figure from the files of its runs."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _accuracy_figure import draw
from _machine import describe_machine
from peers import CONTROLS, PEERS
from protocols import PROTOCOLS

from stf2m_sk.model_selection._intervals import interval

OURS = "stf2m"
BEHIND = -0.02  # an interval wholly below counts as a defeat
REPEATED = "bundled"  # the recording of noneeg_stress once more: in no summary


class Mean(NamedTuple):
    """A mean over units with its interval."""

    mean: float
    low: float
    high: float
    units: int

    def __str__(self) -> str:
        return f"{self.mean:.3f}{self._ends('')}"

    def signed(self) -> str:
        """For a difference."""
        return f"{self.mean:+.3f}{self._ends('+')}"

    def _ends(self, sign: str) -> str:
        return "" if np.isnan(self.low) else f" [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"


class Scores:
    """Scores of all runs.

    Parameters
    ----------
    records : list of dict
        What accuracy.py wrote.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records
        # (cell, shots) -> peer -> (seed, unit) -> mean over draws
        self.of: dict = defaultdict(lambda: defaultdict(dict))
        for record in records:
            for shots, units in record["scores"].items():
                known = self.of[record["cell"], int(shots)][record["peer"]]
                known |= {(record["seed"], u): float(np.mean(v)) for u, v in units.items()}

    def cells(self) -> list[str]:
        """Names of the cells, by protocol; what repeats another comes last of its protocol."""
        there = {record["cell"] for record in self.records}
        order = list(PROTOCOLS)
        return sorted(
            there,
            key=lambda cell: (order.index(cell.partition(":")[2]), cell.startswith(REPEATED), cell),
        )

    def shots(self, cell: str) -> list[int]:
        """Numbers of shots that were asked."""
        return sorted(shots for name, shots in self.of if name == cell)

    def peers(self, cell: str) -> list[str]:
        """Peers of a cell, in the order of `PEERS`."""
        there = {record["peer"] for record in self.records if record["cell"] == cell}
        return [peer for peer in PEERS if peer in there]

    def mean(self, cell: str, shots: int, peer: str) -> Mean | None:
        """Over units, each of which is averaged over seeds and draws first."""
        known = self.of[cell, shots].get(peer)
        return _mean_of([*_by_unit(known).values()]) if known else None

    def difference(self, cell: str, shots: int, peer: str, ours: str = OURS) -> Mean | None:
        """Ours minus the peer's, over the units and seeds that both have."""
        one, other = (self.of[cell, shots].get(name, {}) for name in (ours, peer))
        both = {key: one[key] - other[key] for key in one.keys() & other.keys()}
        return _mean_of([*_by_unit(both).values()]) if both else None

    def cost(self, cell: str, peer: str) -> tuple[float, float, int]:
        """Seconds to fit, milliseconds for an episode (median over seeds), and seeds."""
        own = [r for r in self.records if (r["cell"], r["peer"]) == (cell, peer)]
        fit = np.median([r["fit_seconds"] for r in own])
        spent = [(r["answer_seconds"] + r["feature_seconds"]) / r["episodes"] for r in own]
        return float(fit), 1e3 * float(np.median(spent)), len(own)

    def mixed(self) -> list[str]:
        """Peers whose runs in a cell are not of one and the same setting."""
        found = defaultdict(set)
        for r in self.records:
            params = {k: v for k, v in r["params"].items() if k != "seed"}
            found[r["cell"], r["peer"]].add(json.dumps([r["draws"], params], sort_keys=True))
        return [" ".join(key) for key, settings in found.items() if len(settings) > 1]


def _by_unit(known: dict[tuple[int, str], float]) -> dict[str, float]:
    units = defaultdict(list)
    for (_, unit), value in known.items():
        units[unit].append(value)
    return {unit: float(np.mean(units[unit])) for unit in sorted(units)}


def _mean_of(values: list[float]) -> Mean:
    return Mean(float(np.mean(values)), *map(float, interval(values)), len(values))


class Best(NamedTuple):
    """The best peer of a cell and number of shots, against ours."""

    cell: str
    shots: int
    ours: Mean
    peer: str
    theirs: Mean
    difference: Mean

    @property
    def verdict(self) -> str:
        """What the interval of the difference says."""
        if self.difference.low > 0:
            return "ahead"
        return "behind" if self.difference.high < BEHIND else "open"


def best_peers(scores: Scores) -> list[Best]:
    """Of all cells with people or new classes."""
    found = []
    for cell in scores.cells():
        if cell.endswith(":plain") or OURS not in scores.peers(cell):
            continue
        for shots in scores.shots(cell):
            means = {p: scores.mean(cell, shots, p) for p in scores.peers(cell) if p != OURS}
            means = {peer: mean for peer, mean in means.items() if mean is not None}
            if means:
                peer = max(means, key=lambda name: means[name].mean)
                ours, apart = scores.mean(cell, shots, OURS), scores.difference(cell, shots, peer)
                found.append(Best(cell, shots, ours, peer, means[peer], apart))
    return found


# ---- text ----


def summary(scores: Scores) -> list[str]:
    """Ours against the best of each cell, and the plain sets."""
    best = best_peers(scores)
    lines = ["## Against the best peer of each cell", ""]
    lines += ["| cell | shots | units | stf2m | best peer | its accuracy | difference | |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for one in best:
        name = one.peer + (" (control)" if one.peer in CONTROLS else "")
        cells = [one.cell, one.shots, one.ours.units, one.ours, name, one.theirs]
        lines.append(_row(*cells, one.difference.signed(), one.verdict))
    counted = [one for one in best if not one.cell.startswith(REPEATED)]
    few, none = ([b for b in counted if bool(b.shots) is yes] for yes in (True, False))
    lines += ["", _count("few-shot cells", few), _count("cells without a support", none)]
    lines.append("- The bundled recording is noneeg_stress once more and is not counted.")
    return [*lines, "", *_plain(scores)]


def _count(name: str, best: list[Best]) -> str:
    if not best:
        return f"- {name}: none"
    verdicts = [one.verdict for one in best]
    mean = np.mean([one.difference.mean for one in best])
    return (
        f"- {len(best)} {name}: mean difference {mean:+.3f}; the interval is wholly above 0 in "
        f"{verdicts.count('ahead')}, wholly below {BEHIND} in {verdicts.count('behind')}"
    )


def _plain(scores: Scores) -> list[str]:
    cells = [cell for cell in scores.cells() if cell.endswith(":plain")]
    cells = [cell for cell in cells if OURS in scores.peers(cell)]
    if not cells:
        return []
    everywhere = [p for p in PEERS if all(p in scores.peers(cell) for cell in cells)]
    lines = [f"## Plain classification, mean over {len(cells)} sets", ""]
    lines += ["| peer | accuracy | stf2m minus peer, over sets |", "|---|---|---|"]
    for peer in everywhere:
        mean = np.mean([scores.mean(cell, 0, peer).mean for cell in cells])
        apart = _mean_of([scores.difference(cell, 0, peer).mean for cell in cells])
        lines.append(_row(peer, f"{mean:.3f}", "" if peer == OURS else apart.signed()))
    return [*lines, ""]


def table(scores: Scores, cell: str) -> list[str]:
    """All peers of a cell."""
    shots = scores.shots(cell)
    ours = OURS in scores.peers(cell)
    columns = ["peer", *map(_shots, shots)]
    columns += [f"difference, {_shots(k)}" for k in shots] * ours
    columns += ["fit, s", "episode, ms", "seeds"]
    lines = [f"## {cell}", "", _row(*columns), "|" + "---|" * len(columns)]
    for peer in scores.peers(cell):
        cells = [peer] + [scores.mean(cell, k, peer) or "–" for k in shots]
        if ours:
            apart = [scores.difference(cell, k, peer) for k in shots]
            cells += ["" if peer == OURS else d.signed() if d else "–" for d in apart]
        fit, each, seeds = scores.cost(cell, peer)
        lines.append(_row(*cells, f"{fit:.1f}", f"{each:.1f}", seeds))
    return [*lines, ""]


def _shots(shots: int) -> str:
    return f"{shots} shot" + "s" * (shots != 1)


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _head(name: str, scores: Scores) -> list[str]:
    machines = {json.dumps(_lasting(r["machine"]), sort_keys=True) for r in scores.records}
    lines = [
        f"# {name}",
        "",
        "Balanced accuracy, mean [95 % interval, Student's t over units]. A unit is a person, "
        "or a seed where people are not known; its scores are averaged first. Differences are "
        "stf2m minus the peer, paired over units. Written by `benchmarks/accuracy.py`; "
        "`benchmarks/README.md` says how to read it.",
        "",
        *(f"- machine: `{machine}`" for machine in sorted(machines)),
    ]
    if scores.mixed():
        lines.append("- **Runs of different settings are mixed:** " + ", ".join(scores.mixed()))
    return [*lines, ""]


def _lasting(machine: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in machine.items() if key != "load_before"}


# ---- files ----


def write_report(folder: Path, out: Path, name: str) -> str:
    """Write .md, .json and .png; return the text of the summary."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        return f"No runs in {folder}."
    scores = Scores(records)
    short = summary(scores)
    tables = [line for cell in scores.cells() for line in table(scores, cell)]
    text = "\n".join([*_head(name, scores), *short, *tables])
    (out / f"{name}.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    figures = json.dumps(_as_figures(scores), indent=1)
    (out / f"{name}.json").write_text(figures + "\n", encoding="utf-8")
    draw(scores, out / f"{name}.png")
    return "\n".join(short)


def _as_figures(scores: Scores) -> dict[str, Any]:
    rows = []
    for cell, shots in scores.of:
        for peer, known in scores.of[cell, shots].items():
            row = {"cell": cell, "shots": shots, "peer": peer, "units": _by_unit(known)}
            row["mean"] = scores.mean(cell, shots, peer)
            row["stf2m_minus_peer"] = scores.difference(cell, shots, peer)
            fit, each, seeds = scores.cost(cell, peer)
            rows.append(row | {"fit_seconds": fit, "episode_ms": each, "seeds": seeds})
    best = [one._asdict() | {"verdict": one.verdict} for one in best_peers(scores)]
    machine = describe_machine("torch", "skorch", "aeon", "matplotlib")
    runs = {json.dumps(_lasting(r["machine"]), sort_keys=True) for r in scores.records}
    return {
        "reported_on": machine,
        "run_on": [json.loads(one) for one in sorted(runs)],
        "best": best,
        "rows": rows,
    }

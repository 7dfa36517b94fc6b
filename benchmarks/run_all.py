"""Run all benchmarks, one after the other.

    python benchmarks/run_all.py --data DIR

DIR is a folder of recordings as .npz. Stops at the first program that fails, and says which; then
``--from PROGRAM`` goes on there. What each program does is in the first lines of its file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
EMOTIONS = "ravdess_speech.npz"  # where a program looks at one recording
MISSING = ("noneeg_stress.npz", EMOTIONS)


def commands(data: Path) -> dict[str, list[str]]:
    """Arguments of each program, in the order in which they run."""
    of_missing = [str(data / name) for name in MISSING]
    return {
        "efficiency": ["--data", str(data / EMOTIONS)],
        "episode_speed": ["--data", str(data / EMOTIONS)],
        "scaling": [],
        "gpu": ["--data", str(data / EMOTIONS)],
        "interval_coverage": [],
        "missing_modalities": ["--data", *of_missing],
        "ablation": ["--data", str(data)],
        "accuracy": ["--data", str(data)],
    }


def check_there(data: Path, programs: dict[str, list[str]]) -> list[str]:
    """What is missing, before hours have gone by."""
    files = [data / name for name in MISSING] + [HERE / f"{name}.py" for name in programs]
    return [str(path) for path in files if not path.exists()]


def said(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    names = list(commands(Path()))
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz")
    parser.add_argument("--from", dest="start", choices=names, default=names[0],
                        help="leave out the programs before this one")  # fmt: skip
    options = parser.parse_args()
    programs = commands(options.data.resolve())
    programs = {name: programs[name] for name in names[names.index(options.start) :]}
    missing = check_there(options.data, programs)
    if missing:
        parser.error("not there: " + ", ".join(missing))
    took = {}
    for name, arguments in programs.items():
        print(f"==== {name}", flush=True)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *arguments], check=False)
        took[name] = time.perf_counter() - start
        if done.returncode:
            parser.exit(1, f"{name}.py failed (exit status {done.returncode}) after "
                           f"{said(took[name])}. The programs behind it were not run; go on with "
                           f"--from {name}.\n")  # fmt: skip
    print("\n".join(f"{name}: {said(seconds)}" for name, seconds in took.items()))


if __name__ == "__main__":
    main()

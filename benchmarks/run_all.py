"""Run all benchmarks, one after the other: a list of commands.

    python benchmarks/run_all.py --data DIR
    python benchmarks/run_all.py --data DIR --baseline CHECKOUT --from scaling

DIR is a folder of recordings as .npz. A program that fails is named at the end; `accuracy`,
`ablation` and `missing_modalities` go on where they were.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def commands(data: Path, baseline: Path | None) -> dict[str, list[str]]:
    """Arguments of each program, in the order in which they run."""
    speech = str(data / "ravdess_speech.npz")
    old = [] if baseline is None else ["--baseline", str(baseline)]
    return {
        "efficiency": ["--data", speech, *old],
        "episode_speed": ["--data", speech],
        "scaling": [],
        "gpu": ["--data", speech],
        "interval_coverage": [],
        "missing_modalities": ["--data", str(data)],
        "ablation": ["--data", str(data)],
        "accuracy": ["--data", str(data)],
    }


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(commands(Path(), None))
    own.add_argument("--data", type=Path, required=True, help="folder of the .npz")
    own.add_argument("--baseline", type=Path, help="another checkout, for efficiency")
    own.add_argument("--from", dest="start", choices=names, default=names[0])
    options = own.parse_args()

    if not options.data.is_dir():
        own.error(f"{options.data} is no folder")
    programs, failed = commands(options.data.resolve(), options.baseline), []
    for name in names[names.index(options.start) :]:
        print(f"==== {name}", flush=True)
        start = time.perf_counter()
        command = [sys.executable, str(HERE / f"{name}.py"), *programs[name]]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"{name}: {(time.perf_counter() - start) / 60:.1f} min", flush=True)
    own.exit(bool(failed), f"failed: {failed}\n" if failed else "")


if __name__ == "__main__":
    main()

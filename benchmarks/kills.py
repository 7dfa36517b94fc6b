"""What comes of fits that are killed: they are continued from their checkpoint, to the same bytes.

    python benchmarks/kills.py
    python benchmarks/kills.py --kills 10 --seed 1

Each round fits in a process of its own, kills it (SIGKILL) at a random moment, fits again until a
fit ends, and compares the saved file with that of a fit that nothing stopped. Exits with 1 if one
differs, a fit fails, or a checkpoint or its lock is left.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views


def fit(checkpoint: str, model: str) -> None:
    """Fit small networks, say when training begins, and save the classifier."""
    data = make_emotion_views(n_people=30, random_state=0)
    settings = {"n_kernels": 40, "n_patterns": 16, "n_networks": 4, "hidden_dim": 16}
    classifier = STF2MClassifier(
        **settings, max_epochs=4, checkpoint=checkpoint, n_threads=1, random_state=0
    )
    print("fits", flush=True)
    classifier.fit(data.views, data.target, groups=data.groups).save(model)


def seconds_of(folder: Path, stop_after: float | None) -> tuple[float, int]:
    """Seconds of a fit in a process of its own, and its exit code."""
    command = [sys.executable, __file__, "--fit", str(folder / "checkpoint"), str(folder / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # the imports are done
        began = time.perf_counter()
        try:
            process.wait(stop_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return time.perf_counter() - began, process.returncode


def main() -> int:
    """Kill, continue and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fit:
        fit(*given.fit)
        return 0
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole, _ = seconds_of(folder, None)
        expected = (folder / "model").read_bytes()
        print(f"a fit takes {whole:.1f} s, its file has {len(expected)} bytes")
        kills, continued, wrong = 0, 0, 0
        while kills < given.kills:
            (folder / "model").unlink(missing_ok=True)
            code, moments = -signal.SIGKILL, []
            while code == -signal.SIGKILL:
                found = (folder / "checkpoint").exists()
                # After the last kill, let it end.
                moment = rng.uniform(0, whole) if kills < given.kills else None
                seconds, code = seconds_of(folder, moment)
                continued += found
                kills += code == -signal.SIGKILL
                moments.append(f"{seconds:.1f}")
            left = [file.name for file in folder.iterdir() if file.name != "model"]
            same = code == 0 and (folder / "model").read_bytes() == expected
            wrong += not same or bool(left)
            print(f"{' + '.join(moments)} s: {'equal' if same else 'DIFFERENT'} {left}", flush=True)
    print(f"{kills} kills, {continued} fits continued, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())

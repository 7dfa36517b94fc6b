"""Run all benchmarks, one after the other: a list of commands.

    python benchmarks/run_all.py --data DIR
    python benchmarks/run_all.py --data DIR --baseline CHECKOUT --from scaling

DIR is a folder of recordings as .npz. A program that fails is named at the end; `accuracy` and
`ablation` go on where they were.
"""

import subprocess
import sys
from pathlib import Path

from _report import parser

OF_SPEECH, ALONE = ("efficiency", "episode_speed"), ("scaling", "interval_coverage")
ON_ALL = ("gpu", "missing_modalities", "composition", "ablation", "accuracy")


def main() -> None:
    own, names = parser(__doc__, required=True), [*OF_SPEECH, *ALONE, *ON_ALL]
    own.add_argument("--baseline", help="another checkout, for efficiency")
    own.add_argument("--from", dest="start", choices=names, default=names[0])
    options, failed = own.parse_args(), []
    if not options.data.is_dir():
        own.error(f"{options.data} is no folder")
    for name in names[names.index(options.start) :]:
        data = options.data / "ravdess_speech.npz" if name in OF_SPEECH else options.data
        given = [] if name in ALONE else ["--data", str(data)]
        if name == "efficiency" and options.baseline:
            given += ["--baseline", options.baseline]
        command = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
        print("====", *command, *given, flush=True)
        done = subprocess.run([*command, *given, "--out", str(options.out)], check=False)
        failed += [name] if done.returncode else []
    own.exit(bool(failed), f"failed: {failed}\n" if failed else "")


if __name__ == "__main__":
    main()

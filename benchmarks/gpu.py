"""What a GPU is worth: time of fit, and bf16 beside float32.

    python benchmarks/gpu.py --data DIR/ravdess_speech.npz

``fit`` of all people but two fifths on all cores of the processor, on the GPU in float32, and on
the GPU in bf16; the second fit of each is timed. Accuracy is that of `few_shot_score` on the people
left out. Without a CUDA device the program says so and ends.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from _cells import fitted, folds, read, request
from _report import BALANCED, RESULTS, Table, markdown, write_report
from sklearn.frozen import FrozenEstimator

from stf2m_sk import STF2MClassifier
from stf2m_sk.model_selection import few_shot_score

COLUMNS = ("data", "protocol", "model", "shots", "unit", "metric", "value")
SHOTS = (0, 4)
KINDS = {
    "processor": {"device": "cpu"},
    "GPU, float32": {"device": "cuda"},
    "GPU, bf16": {"device": "cuda", "precision": "bf16"},
}


def main() -> None:
    own = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    own.add_argument("--data", type=Path, required=True, help="an .npz with groups")
    own.add_argument("--out", type=Path, default=RESULTS)
    options = own.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device is there: nothing was measured.")
        return
    recording = read(options.data.stem, options.data.parent)
    fold = folds(recording, "new-person", 0)[0]
    rows, lines = [], []
    for kind, params in KINDS.items():
        estimator = STF2MClassifier(**params)
        fitted(estimator.set_params(max_epochs=1), recording, fold[0], 0)
        start = time.perf_counter()
        model = fitted(STF2MClassifier(**params), recording, fold[0], 0)
        seconds = time.perf_counter() - start
        result = few_shot_score(
            FrozenEstimator(model),
            recording.views,
            recording.y,
            cv=[fold],
            **request(recording, "new-person", SHOTS, None, 0),
        )
        row = {"data": options.data.stem, "protocol": "new-person", "model": kind, "unit": "fold"}
        rows.append(row | {"shots": 0, "metric": "fit_seconds", "value": seconds})
        means = [
            float(np.mean([r["balanced_accuracy"] for r in result.rows if r["shots"] == k]))
            for k in SHOTS
        ]
        rows += [
            row | {"shots": k, "metric": BALANCED, "value": mean}
            for k, mean in zip(SHOTS, means, strict=True)
        ]
        lines.append((kind, f"{seconds:.1f}", *(f"{mean:.4f}" for mean in means)))
    path = options.out / "gpu.csv"
    path.unlink(missing_ok=True)
    Table(path, COLUMNS).append(rows)
    header = ("fit on", "seconds", *(f"{k} shots" for k in SHOTS))
    name = torch.cuda.get_device_name()
    write_report(options.out / "gpu.md", f"# GPU: {name}", markdown(header, lines))


if __name__ == "__main__":
    main()

"""What a GPU is worth: time of fit, and bf16 beside float32.

    python benchmarks/gpu.py --data DIR

``fit`` of all people but a fifth on all cores of the processor, on the GPU in float32, and on the
GPU in bf16; a short fit of each goes before. Accuracy is that of the people left out. Without a
CUDA device the program says so and ends.
"""

import torch
from _protocols import cell_parser, compare, fitted, run, tidy
from _report import grid, unit_means
from sklearn.base import clone

from stf2m_sk import STF2MClassifier

MODELS = {
    "processor": STF2MClassifier(device="cpu"),
    "GPU, float32": STF2MClassifier(device="cuda"),
    "GPU, bf16": STF2MClassifier(device="cuda", precision="bf16"),
}


def rows_of(recording, data: str, kind: str, options):
    for model in MODELS.values():
        fitted(clone(model).set_params(max_epochs=1), recording, slice(None), 0)
    return tidy(compare(MODELS, recording, kind, options, f"gpu-{data}"))


def report(table, figure) -> list[str]:
    means = unit_means(table, "metric", "model", "shots")
    title = f"# GPU: {torch.cuda.get_device_name()}"
    return [title, grid(["metric", "fit on"], means, lambda units: f"{units.mean():.4f}")]


def main() -> None:
    own = cell_parser(__doc__)
    own.set_defaults(folds=1, again=True, sets=["ravdess_speech"])
    options = own.parse_args()
    if torch.cuda.is_available():
        run("gpu", ("ravdess_speech:new-person", "bundled:new-person"), rows_of, report, options)
    print("No CUDA device is there: nothing was measured.")


if __name__ == "__main__":
    main()

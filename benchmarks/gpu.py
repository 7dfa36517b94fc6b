"""What a GPU is worth: throughput of fit, how busy it is, and half precision against single.

    python benchmarks/gpu.py                    # generated clips
    python benchmarks/gpu.py --data FILE.npz    # your own recording

Without a CUDA device the program says so and does nothing more.

throughput
    Training episodes a second: of the whole of ``fit``, and between the first batch and the
    population's sums; on all cores of the processor, then on the GPU.
busy
    Time of all kernels and copies on the GPU (torch.profiler) over the time that the same fit
    takes without the profiler.
half precision
    ``STF2MClassifier(precision="bf16")`` against float32 on the same episodes of new people, 0
    and 4 shots, where the classifier has such a parameter.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import RESULTS, describe_machine
from _replay import traced
from protocols import Recording, make_task, read_recording
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views

SHOTS = (0, 4)


def read(path: Path | None) -> Recording:
    if path is not None:
        return read_recording(path)
    data = make_emotion_views(
        n_people=40, n_emotions=8, n_clips_per_emotion=10, ambiguity=0.0, random_state=0
    )
    return Recording(data.views.to_dict(), data.target, data.groups, {})


def fit(recording: Recording, rows: np.ndarray, **params: Any) -> STF2MClassifier:
    classifier = STF2MClassifier(random_state=0, **params)
    signals, people = recording.rows(rows), recording.people_of(rows)
    return classifier.fit(signals, recording.labels[rows], groups=people)


# ---- throughput ----


def throughput(recording: Recording, rows: np.ndarray, device: str, epochs: int) -> dict[str, Any]:
    """Of the second fit; the first warms up."""
    params = {"device": device, "max_epochs": epochs, "patience": epochs}
    fit(recording, rows, **params | {"max_epochs": 1})
    with traced() as trace:
        start = time.perf_counter()
        fit(recording, rows, **params)
        seconds = time.perf_counter() - start  # fit ends with its results on the processor
    return {
        "device": device,
        "seconds": seconds,
        "episodes": trace.n_episodes,
        "episodes_per_second": trace.n_episodes / seconds,
        "training_episodes_per_second": trace.n_episodes / trace.training_seconds,
    }


# ---- busy ----


def busy(recording: Recording, rows: np.ndarray, epochs: int, seconds: float) -> dict[str, float]:
    """Share of a fit's `seconds` in which anything ran on the GPU."""
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        fit(recording, rows, device="cuda", max_epochs=epochs, patience=epochs)
        torch.cuda.synchronize()
    # One stream: kernels do not overlap, and their times can be summed.
    on_device = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return {"kernel_seconds": on_device, "share": on_device / seconds}


# ---- half precision ----


def precisions(recording: Recording, seed: int = 0) -> dict[str, Any] | None:
    """Accuracy and time of fit in both; None where the classifier has no such parameter."""
    if "precision" not in STF2MClassifier().get_params(deep=False):
        return None
    task = make_task(recording, "new-person", seed=seed, shots=SHOTS)
    found = {}
    for name, params in (("float32", {}), ("bf16", {"precision": "bf16"})):
        start = time.perf_counter()
        fitted = fit(recording, task.train, device="cuda", **params)
        seconds = time.perf_counter() - start
        found[name] = {"fit_seconds": seconds} | {
            f"{shots}_shots": _accuracy(fitted, recording, task, shots) for shots in SHOTS
        }
    return found


def _accuracy(fitted: STF2MClassifier, recording: Recording, task, shots: int) -> float:
    scores = []
    for one in task.episodes:
        if one.shots == shots:
            person = fitted
            if shots:
                person = fitted.adapt(recording.rows(one.support), recording.labels[one.support])
            answer = person.predict(recording.rows(one.query))
            scores.append(balanced_accuracy_score(recording.labels[one.query], answer))
    return float(np.mean(scores))


# ---- the report ----


def report(found: dict[str, Any]) -> str:
    processor, gpu = found["throughput"]
    lines = [
        f"fit on {found['data']}, {found['n_clips']} clips: {found['gpu']} and "
        f"{found['threads']} threads of the processor",
        "",
        "| device | fit, s | episodes a second | in training alone |",
        "|---|---|---|---|",
    ]
    for row in (processor, gpu):
        lines.append(
            f"| {row['device']} | {row['seconds']:.1f} | {row['episodes_per_second']:.1f} | "
            f"{row['training_episodes_per_second']:.1f} |"
        )
    times = gpu["episodes_per_second"] / processor["episodes_per_second"]
    share = found["busy"]["share"]
    lines += ["", f"The GPU is {times:.2f} times as fast, and busy {share:.0%} of the time.", ""]
    if found["precisions"] is None:
        lines.append("STF2MClassifier has no parameter `precision`: bf16 is not compared.")
        return "\n".join(lines)
    lines += ["| precision | fit, s | 0 shots | 4 shots |", "|---|---|---|---|"]
    for name, row in found["precisions"].items():
        lines.append(
            f"| {name} | {row['fit_seconds']:.1f} | {row['0_shots']:.4f} | {row['4_shots']:.4f} |"
        )
    return "\n".join(lines)


def measure(recording: Recording, options: argparse.Namespace) -> dict[str, Any]:
    rows = np.arange(len(recording.labels))
    torch.set_num_threads(options.threads)
    both = [throughput(recording, rows, device, options.epochs) for device in ("cpu", "cuda")]
    return {
        "data": "generated" if options.data is None else options.data.stem,
        "n_clips": len(rows),
        "gpu": torch.cuda.get_device_name(),
        "threads": options.threads,
        "throughput": both,
        "busy": busy(recording, rows, options.epochs, both[1]["seconds"]),
        "precisions": precisions(recording),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="an .npz of a recording; None: generated")
    parser.add_argument("--epochs", type=int, default=4, help="of the fits that are timed")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the processor")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for what is found")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("No CUDA device is there: nothing was measured.")
        return
    machine = describe_machine("torch", "skorch") | {"cuda": torch.version.cuda}
    found = measure(read(options.data), options)
    text = report(found)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"gpu_{found['data']}"
    content = json.dumps({"machine": machine} | found, indent=1)
    (options.out / f"{name}.json").write_text(content + "\n")
    (options.out / f"{name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()

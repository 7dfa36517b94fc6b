"""Make the bundled stress sample from the full recording.

    python benchmarks/make_stress_sample.py noneeg_stress.npz sample.npz

The full recording holds 32-bit floats of values that the sensors gave in decimal steps (0.001 g,
0.001 microsiemens, 0.1 degrees Celsius, 1 percent, 1 beat per minute); what the floats say beyond
that is the rounding of the file format they came through. The sample stores the number of steps as
a 16-bit integer, which keeps every clip, every channel and every frame. Thinning the slow signals
from 8 Hz to 2 Hz as well would save only 49 of 641 kB and lose the fast part of the skin response.

The result depends on the input alone: the same input gives the same bytes (with the same zlib).
"""

import argparse
import json
from pathlib import Path

import numpy as np

# Sensor steps per unit (g, microsiemens, degrees Celsius, percent, beats per minute).
STEPS_PER_UNIT = {"acc": 1000, "eda": 1000, "temp": 10, "spo2": 1, "hr": 1}
# A value may lie this share of a step away from the grid; beyond it, the grid is not the sensor's.
LARGEST_SHARE_OF_A_STEP = 0.15


def to_steps(name: str, values: np.ndarray) -> np.ndarray:
    """Values of a modality as whole sensor steps; ValueError where int16 cannot hold them."""
    exact = values.astype(np.float64) * STEPS_PER_UNIT[name]
    steps = np.rint(exact)
    error = np.abs(steps - exact).max()
    if not error <= LARGEST_SHARE_OF_A_STEP:  # also true of NaN
        raise ValueError(f"{name}: values are up to {error} steps off the grid of whole steps")
    if np.abs(steps).max() > np.iinfo(np.int16).max:
        raise ValueError(f"{name}: a value does not fit into 16 bits")
    print(f"{name}: largest rounding error {error / STEPS_PER_UNIT[name]:.2g} ({error:.2g} steps)")
    return steps.astype(np.int16)


def make_sample(recording: Path, sample: Path) -> None:
    """Write the reduced form of `recording` (an .npz, its .json beside it) to `sample`."""
    description = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    arrays: dict[str, np.ndarray] = {}
    with np.load(recording, allow_pickle=False) as full:
        for name, modality in description["modalities"].items():
            arrays[name] = to_steps(name, full[name])
            arrays[f"steps_per_unit_{name}"] = np.array(STEPS_PER_UNIT[name], dtype=np.int16)
            arrays[f"rate_{name}"] = np.array(modality["sampling_rate_hz"], dtype=np.float64)
            arrays[f"channels_{name}"] = np.array(modality["channels"])
        for name in ("y", "groups", "segment"):
            arrays[name] = full[name]
    np.savez_compressed(sample, **arrays)
    print(f"{sample}: {sample.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the bundled stress sample.")
    parser.add_argument("recording", type=Path, help="the full recording, noneeg_stress.npz")
    parser.add_argument("sample", type=Path, help="the .npz to write")
    arguments = parser.parse_args()
    make_sample(arguments.recording, arguments.sample)


if __name__ == "__main__":
    main()

"""What happens to damaged model files, and to files whose writer is killed.

    python benchmarks/damaged_files.py
    python benchmarks/damaged_files.py --files 500 --kills 5

Each damaged file must be refused with `ModelFileError` within two seconds; where a change touches
nothing that predicts, predictions must be the same. After a kill there must be the old file or the
new one, and no draft after the next save. Exits with 1 if anything else happens.
"""

import argparse
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

import stf2m_sk
from stf2m_sk import ModelFileError, STF2MClassifier, model_file
from stf2m_sk.datasets import make_emotion_views

SLOWEST = 2.0  # seconds
FINE = {"refused", "not damaged", "loaded, same answers", "old or new", "no draft left"}


def bits(content: bytes, rng: np.random.Generator) -> bytes:
    """One to three flipped bits."""
    flipped = bytearray(content)
    for place in rng.integers(8 * len(content), size=rng.integers(1, 4)):
        flipped[place // 8] ^= 1 << int(place) % 8
    return bytes(flipped)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch is lost, at the end more often than not."""
    first = int(rng.integers(len(content)))
    last = len(content) if rng.random() < 0.6 else int(rng.integers(first + 1, len(content) + 1))
    return content[:first] + content[last:]


def header(content: bytes, rng: np.random.Generator) -> bytes:
    """A number, a word or a bracket of the header becomes another; or it is nested deeply."""
    (size,) = struct.unpack("<Q", content[:8])
    text = bytearray(content[8 : 8 + size])
    for _ in range(rng.integers(1, 4)):
        text[rng.integers(size)] = rng.choice(list(b'0123456789{}[]",:'))
    if rng.random() < 0.2:
        text = bytearray(b"[" * 10 ** int(rng.integers(1, 6)))
    length = len(text) if rng.random() < 0.8 else int(rng.integers(2**63))
    return struct.pack("<Q", length) + bytes(text) + content[8 + size :]


def values(path: Path, rng: np.random.Generator) -> None:
    """NaN or infinity among the values, sizes or types that do not fit; the checksum does."""
    description, tensors = model_file.read(path)
    name = rng.choice(sorted(tensors))
    kind = rng.integers(4)
    if kind == 0:
        flat = tensors[name].view(-1)
        flat[int(rng.integers(len(flat)))] = float(rng.choice([np.nan, np.inf, -np.inf]))
    elif kind == 1:
        tensors[name] = tensors[name].flatten()[: max(1, tensors[name].numel() // 2)].clone()
    elif kind == 2:
        size = rng.choice([key for key in description["sizes"] if key != "n_timesteps"])
        huge = 10 ** int(rng.integers(5, 16))
        is_list = isinstance(description["sizes"][size], list)
        description["sizes"][size] = [huge] * 4 if is_list else huge
    else:
        key = rng.choice([key for key in description if key != "feature_names_in"])
        description[key] = [None, -1, "text", {"a": 1}, [[]]][rng.integers(5)]
    model_file.write(path, description, tensors)


def damaged_files(model: STF2MClassifier, folder: Path, n_files: int) -> Counter:
    """Outcomes of loading damaged files, by kind of damage."""
    rng, outcomes = np.random.default_rng(0), Counter()
    path = folder / "model"
    model.save(path)
    whole, own = path.read_bytes(), model.predict_proba(_DATA.views)
    for i in range(n_files):
        path.write_bytes(whole)
        damage = (bits, cut, header, values)[i % 4]
        if damage is values:
            values(path, rng)
        else:
            path.write_bytes(damage(whole, rng))
        if path.read_bytes() == whole:
            outcomes[damage.__name__, "not damaged"] += 1
            continue
        start = time.perf_counter()
        try:
            answers = stf2m_sk.load(path).predict_proba(_DATA.views)
            outcome = "loaded, same answers" if np.array_equal(answers, own) else "LOADED"
        except ModelFileError:
            outcome = "refused"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"[:120]
        seconds = time.perf_counter() - start
        outcomes[damage.__name__, outcome if seconds < SLOWEST else f"SLOW: {seconds:.1f} s"] += 1
    return outcomes


def kills(model: STF2MClassifier, folder: Path, n_kills: int) -> Counter:
    """What is there after a process that saves over and over is killed."""
    rng, outcomes, path = np.random.default_rng(1), Counter(), folder / "killed"
    model.save(path)
    script = (
        "import itertools, sys, stf2m_sk\n"
        "models = [stf2m_sk.load(path) for path in sys.argv[1:]]\n"
        "print('ready', flush=True)\n"
        "for model in itertools.cycle(models):\n"
        "    model.save(sys.argv[1])\n"
    )
    other = folder / "other"
    model.adapt(*_PERSON).save(other)
    known = {path.read_bytes(), other.read_bytes()}
    command = [sys.executable, "-c", script, str(path), str(other)]
    for _ in range(n_kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
        outcomes["killed", "old or new" if path.read_bytes() in known else "TORN"] += 1
        model.save(path)
        left = list(folder.glob(".*.part"))
        outcomes["killed", "DRAFTS LEFT" if left else "no draft left"] += 1
    return outcomes


def main() -> None:
    own = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    own.add_argument("--files", type=int, default=5000)
    own.add_argument("--kills", type=int, default=60)
    options = own.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        found = damaged_files(_MODEL, Path(name), options.files)
        found += kills(_MODEL, Path(name), options.kills)
    for (kind, outcome), n in sorted(found.items()):
        print(f"{kind}: {n} {outcome}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    raise SystemExit(not {outcome for _, outcome in found} <= FINE)


_DATA = make_emotion_views(n_people=4, n_clips_per_emotion=3, n_emotions=3, random_state=0)
_CLIPS = _DATA.views, _DATA.target
_SMALL = {"n_networks": 2, "hidden_dim": 8, "max_epochs": 1, "n_kernels": 16, "n_patterns": 16}
_MODEL = STF2MClassifier(**_SMALL, random_state=0).fit(*_CLIPS, groups=_DATA.groups)
_PERSON = _DATA.views[:4], _DATA.target[:4]

if __name__ == "__main__":
    main()

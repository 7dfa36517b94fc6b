"""docs/command-line.md: its blocks run, in its order, on a small folder as it describes."""

import csv
import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from stf2m_sk import STF2MClassifier
from stf2m_sk.cli import _evaluate, _train, main
from stf2m_sk.recordings import read_annotations

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "command-line.md"
SECONDS, RATE = 90, 2
EMOTIONS = ("calm", "joy", "rage")


def blocks(language):
    text = DOCUMENT.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def write_table(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)


def record(path, seed):
    """A person whose level tells the emotion; rows of labels."""
    random = np.random.default_rng(seed)
    order = [*random.permutation(EMOTIONS), *random.permutation(EMOTIONS)]
    level = np.repeat([EMOTIONS.index(label) for label in order], SECONDS * RATE)
    values = level + 0.2 * seed + 0.3 * random.standard_normal(len(level))
    write_table(path, ["time", "eda"], zip(np.arange(len(level)) / RATE, values, strict=True))
    return [(path.stem, SECONDS * i, SECONDS * (i + 1), label) for i, label in enumerate(order)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "recordings").mkdir()
    (tmp_path / "new").mkdir()
    names = ("ann", "bob", "cleo", "eli")
    rows = [
        row
        for seed, name in enumerate(names)
        for row in record(tmp_path / "recordings" / f"{name}.csv", seed)
    ]
    columns = ["person", "start", "end", "label"]
    write_table(tmp_path / "labels.csv", columns, rows)
    new = record(tmp_path / "new" / "dan.csv", 9)
    few = [(person, start + 30, start + 60, label) for person, start, _, label in new[:3]]
    write_table(tmp_path / "few.csv", columns, few)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_run(folder, monkeypatch, capsys):
    # The size is all that changes.
    small = functools.partial(STF2MClassifier, n_kernels=40, n_patterns=16)
    for command in (_train, _evaluate):
        monkeypatch.setattr(command, "STF2MClassifier", small)
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(lines) == 6
    for line in lines:
        python, *arguments = shlex.split(line)
        assert [python, *arguments[:2]] == ["python", "-m", "stf2m_sk"]
        main(arguments[2:])
        assert capsys.readouterr().out
    assert (folder / "dan.vtt").read_text().startswith("WEBVTT\n")
    assert (folder / "dan.png").stat().st_size > 10_000
    assert len((folder / "dan.csv").read_text().splitlines()) > 500
    assert (folder / "model" / "classifier.safetensors").is_file()


def test_labels_can_be_read(tmp_path):
    (block,) = blocks("csv")
    (tmp_path / "labels.csv").write_text(block)
    assert read_annotations(tmp_path / "labels.csv")["label"].tolist() == ["calm", "joy", "joy"]

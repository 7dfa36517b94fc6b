"""A small folder of recordings as a user has it, and the commands run in this process."""

import csv
import functools
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from stf2m_sk import STF2MClassifier
from stf2m_sk.cli import _evaluate, _train, main

RATE, BLOCK, WINDOW = 4, 40, 10  # Hz; seconds of one emotion; seconds of a clip
EMOTIONS = ("calm", "joy", "rage")
PEOPLE = ("ann", "bob", "cleo", "eli")


def write_table(path, columns, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)


def write_person(path, seed):
    """Two signals whose tempo and level tell the emotion; returns rows of labels."""
    random = np.random.default_rng(seed)
    order = [*random.permutation(EMOTIONS), *random.permutation(EMOTIONS)]
    time = np.arange(len(order) * BLOCK * RATE) / RATE
    state = np.repeat([EMOTIONS.index(emotion) for emotion in order], BLOCK * RATE)
    eda = 2.0 + 0.3 * seed + 0.8 * state + 0.3 * random.standard_normal(len(time))
    pulse = np.sin(2 * np.pi * (0.2 + 0.3 * state) * time) + 0.3 * random.standard_normal(len(time))
    write_table(path, ["time", "eda", "pulse"], zip(time, eda, pulse, strict=True))
    return [(path.stem, i * BLOCK, (i + 1) * BLOCK, str(label)) for i, label in enumerate(order)]


def make(root):
    (root / "recordings").mkdir()
    (root / "new").mkdir()
    rows = [
        row
        for seed, person in enumerate(PEOPLE)
        for row in write_person(root / "recordings" / f"{person}.csv", seed)
    ]
    write_table(root / "labels.csv", ["person", "start", "end", "label"], rows)
    new = write_person(root / "new" / "dan.csv", 9)
    write_table(root / "dan_all.csv", ["person", "start", "end", "label"], new)
    few = [(start + 10, start + 30, label) for _, start, _, label in new[:3]]
    write_table(root / "few.csv", ["start", "end", "label"], few)


@pytest.fixture(scope="session", autouse=True)
def small():
    """Classifiers of the commands are small, so that training takes a moment."""
    made = functools.partial(STF2MClassifier, n_kernels=30, n_patterns=8)
    with pytest.MonkeyPatch.context() as patch:
        for command in (_train, _evaluate):
            patch.setattr(command, "STF2MClassifier", made)
        yield


@pytest.fixture(scope="session")
def _home(tmp_path_factory, small):
    """The folder with a model, trained once."""
    root = tmp_path_factory.mktemp("home")
    make(root)
    arguments = ["--window", str(WINDOW), "--networks", "0", "-o", str(root / "model")]
    main(["train", str(root / "recordings"), str(root / "labels.csv"), *arguments])
    return root


@pytest.fixture
def home(_home, tmp_path, monkeypatch):
    """A copy of it, which is the current folder."""
    root = tmp_path / "home"
    shutil.copytree(_home, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(capsys, home):
    """Run a command; what it said."""

    def run(command):
        capsys.readouterr()
        main(command.split())
        return SimpleNamespace(**capsys.readouterr()._asdict())

    return run


@pytest.fixture
def refused(capsys, home):
    """Run a command that must end with code 2, one line, and nothing written; that line."""

    def refused(command):
        before = sorted(path.name for path in home.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(command.split())
        error = capsys.readouterr().err
        last = error.splitlines()[-1]
        assert stop.value.code == 2
        assert "Traceback" not in error
        assert last.startswith(f"python -m stf2m_sk {command.split()[0]}: error: ")
        assert sorted(path.name for path in home.rglob("*")) == before
        return last.partition("error: ")[2]

    return refused


@pytest.fixture
def table():
    """Write a CSV table."""
    return write_table

"""The recipes and the example run, and say what they are meant to say."""

import functools
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import stf2m_sk
from stf2m_sk import STF2MClassifier, datasets

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"n_networks": 0, "n_kernels": 20, "n_patterns": 8}


@pytest.fixture
def small(monkeypatch):
    """The size of the classifier is all that changes."""
    monkeypatch.setattr(stf2m_sk, "STF2MClassifier", functools.partial(STF2MClassifier, **SMALL))


def test_recipes_run_in_their_order(small, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 8
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/evaluation.md", "exec"), names)
    assert names["result"].unit == "people"
    assert names["result"].summary()["shots"].tolist() == [0, 1, 4]
    given = [names[result].rows["n_unlabelled"] for result in ("recorded", "result")]
    assert given[0].min() > 0 == given[1].max()
    assert set(names["search"].best_params_) == {"select__keep"}
    assert len((tmp_path / "scores.jsonl").read_text().splitlines()) == 1 + 6
    assert names["scored"].summary()["metric"].iloc[-1] == "valence"
    said = capsys.readouterr().out
    assert "No leakage found in 3 split(s)." in said
    assert "found: shared people, in 1 of 1 split(s)" in said
    assert "it is worth" in said


def test_example_runs(small, monkeypatch, capsys):
    stress = datasets.load_stress()
    few = np.isin(stress.groups, np.unique(stress.groups)[:4])
    sample = {name: stress[name][few] for name in ("views", "target", "groups")}
    monkeypatch.setattr(datasets, "load_stress", lambda: type(stress)(**sample))
    runpy.run_path(str(ROOT / "examples" / "evaluate.py"), run_name="__main__")
    summary, differences, leaks = capsys.readouterr().out.split("\n\n")
    wanted = [
        "ST-F2M", "+ unlabelled", "shuffled labels", "forest", "nearest in time", "majority",
    ]  # fmt: skip
    names = [line.split(" balanced_accuracy")[0].strip() for line in summary.splitlines()[1:]]
    assert names == np.repeat(wanted, 2).tolist()
    assert "majority balanced_accuracy      4 0.25" in summary  # of four states
    assert len(differences.splitlines()) == 1 + 2 * 5
    assert leaks.startswith("No leakage found in 2 split(s).")

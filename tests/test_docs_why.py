"""The page on explanations: every block runs, in its order."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

import stf2m_sk
from stf2m_sk import STF2MClassifier, datasets

PAGE = Path(__file__).resolve().parents[1] / "docs" / "why.md"
SMALL = {"n_networks": 0, "n_kernels": 10, "n_patterns": 40}


def test_blocks_run(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stf2m_sk, "STF2MClassifier", functools.partial(STF2MClassifier, **SMALL))
    whole = datasets.load_stress()
    third = slice(None, None, 3)  # of the clips: enough to see the blocks run
    stress = Bunch(views=whole.views[third], target=whole.target[third], groups=whole.groups[third])
    monkeypatch.setattr(datasets, "load_stress", lambda: stress)
    names, blocks = {}, re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) == 7
    for block in blocks:
        exec(compile(block, "a block of the page", "exec"), names)
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "clip.png",
        "modality.png",
        "people.png",
    }
    total = names["explanation"].total
    expected = names["person"].decision_function(stress.views[stress.groups == "S15"])
    np.testing.assert_allclose(total, expected, atol=1e-4)
    assert len(names["table"]) == 5
    assert names["sets"].predict_set(stress.views[:2]).dtype == bool
    assert "balanced accuracy" in capsys.readouterr().out

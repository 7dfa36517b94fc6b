"""The documents: README's lines are those of the example, they run, and links lead somewhere."""

import functools
import re
import runpy
from pathlib import Path

import pytest

import stf2m_sk
from stf2m_sk import STF2MClassifier

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "quickstart.py"
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]


def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_quickstart_is_the_example():
    blocks = re.findall(r"^```python\n(.*?)^```$", readme(), flags=re.MULTILINE | re.DOTALL)
    assert blocks == [EXAMPLE.read_text(encoding="utf-8")]


def test_quickstart_runs(monkeypatch, capsys):
    # As it stands it takes a minute; the size is all that changes.
    size = {"max_epochs": 1, "n_kernels": 20, "hidden_dim": 8, "validation_fraction": 0.0}
    small = functools.partial(STF2MClassifier, **size)
    monkeypatch.setattr(stf2m_sk, "STF2MClassifier", small)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    before, after = re.fullmatch(
        r"before: (\d+)% of the later clips right\n"
        r"after:  (\d+)% with two labelled clips per state\n",
        said,
    ).groups()
    # Chance is 25 % for four states; even one small epoch is far above it.
    assert int(before) > 35
    assert int(after) > 35


def test_commands_stand_on_lines_of_their_own():
    lines = readme().splitlines()
    for extra, run in (("plot", "python -m stf2m_sk demo"), ("test", "python -m pytest")):
        assert f'python -m pip install -c constraints.txt ".[{extra}]" && {run}' in lines


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: Path(path).name)
def test_links_lead_to_files(document):
    path = ROOT / document
    links = re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []

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


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_blocks_are_those_that_other_tests_run():
    page = (ROOT / "docs/recordings-wearables.md").read_text(encoding="utf-8")
    assert blocks(readme()) == [EXAMPLE.read_text(encoding="utf-8"), blocks(page)[0]]


def test_quickstart_runs(monkeypatch, capsys):
    # The size is all that changes.
    size = {"n_networks": 0, "n_kernels": 40, "n_patterns": 32}
    small = functools.partial(STF2MClassifier, **size)
    monkeypatch.setattr(stf2m_sk, "STF2MClassifier", small)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    right = re.findall(r"^.{23} (\d+)%", said, flags=re.MULTILINE)
    assert len(right) == len(said.splitlines()) == 3
    # Chance is 25 % for four states; even a small model is far above it.
    assert min(map(int, right)) > 35


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

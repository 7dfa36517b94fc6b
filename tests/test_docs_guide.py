"""Guide, how-tos, concepts and the pages beside them: blocks run, and links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDERS = ("guide", "howto", "concepts")
PAGES = [
    *(page for folder in FOLDERS for page in sorted((DOCS / folder).glob("*.md"))),
    *(DOCS / name for name in ("faq.md", "glossary.md", "which-tool.md")),
]
OWN_CSV = DOCS / "howto" / "own-csv.md"
NAMES = [page.relative_to(DOCS).as_posix() for page in PAGES]
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\s*^```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def blocks(page):
    return [(found["code"], found["shown"]) for found in BLOCK.finditer(page.read_text("utf-8"))]


def run_page(page, check):
    """Run all blocks of a page in one namespace; what a block prints is what the page shows."""
    names = {"__name__": "page"}
    for code, shown in blocks(page):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(compile(code, str(page), "exec"), names)
        if shown is not None:
            check(said.getvalue(), shown)
    return names


def same(said, shown):
    assert said.split("\n") == shown.split("\n")


def slug(heading):
    """The anchor that GitHub and myst-parser make of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_blocks():
    """Pages that run; that on CSV files has a test of its own below."""
    pages = [page for page in PAGES if "```python" in page.read_text("utf-8")]
    return [page for page in pages if page != OWN_CSV]


def test_there_are_pages_of_each_kind():
    assert {name.split("/")[0] for name in NAMES if "/" in name} == set(FOLDERS)
    assert len(PAGES) == len(set(PAGES)) >= 20


@pytest.mark.filterwarnings("ignore::stf2m_sk.inspection.UnlikeClipsWarning")
@pytest.mark.parametrize("page", with_blocks(), ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_blocks_run_and_print_what_is_shown(page):
    assert len(blocks(page)) == page.read_text("utf-8").count("```python\n")
    run_page(page, same)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_links_lead_to_files_and_headings(page):
    text = page.read_text("utf-8")
    for link in LINK.findall(text):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        if anchor and path.suffix == ".md":
            assert anchor in {slug(title) for title in HEADING.findall(path.read_text("utf-8"))}, (
                link
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_a_page_begins_with_its_one_title(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1


def test_own_csv_leads_in_few_lines_to_the_planted_emotions():
    _, (code, _), *_ = blocks(OWN_CSV)
    assert len([line for line in code.splitlines() if line]) < 15
    names = run_page(OWN_CSV, same)
    timeline, used = names["timeline"], names["used"]
    truth = names["label"]  # planted by the first block
    assert timeline.person == "dan" and set(truth) == set(timeline.classes)
    assert np.mean((timeline.labels == truth)[~used]) > 0.7  # of three emotions
    assert Path("dan.png").stat().st_size > 10_000

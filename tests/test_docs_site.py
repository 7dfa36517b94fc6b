"""What builds the site: links to documents outside docs/, inventories, and the check of links."""

import importlib.util
import re
import tomllib
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

import stf2m_sk

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestDocumentsOutside:
    @pytest.fixture
    def rewritten(self):
        pytest.importorskip("sphinx", reason="the extra [docs] is not installed")
        return loaded(DOCS / "_outside.py").rewritten

    @pytest.mark.parametrize(
        ("link", "expected"),
        [
            ("../CHANGELOG.md", "../project/changes.md"),
            ("../CONTRIBUTING.md#rules-for-tests", "../project/contributing.md#rules-for-tests"),
            ("../benchmarks/", "../project/benchmarks.md"),
            ("../README.md#cite", "../index.md"),
            ("../examples/evaluate.py", "../../examples/evaluate.py"),
            ("../examples/gallery/", "../auto_examples/index.rst"),
            ("../examples/gallery/plot_rules.py", "../auto_examples/plot_rules.rst"),
            ("../examples/notebooks/study.py", "../notebooks/study.ipynb"),
            ("method.md#views", "../method.md#views"),
            ("https://example.org/a.md", "https://example.org/a.md"),
        ],
    )
    def test_links_lead_to_their_pages(self, rewritten, link, expected):
        text = f"See [this]({link})."
        found = rewritten(text, DOCS / "method.md", DOCS / "guide" / "speed.md")
        assert found == f"See [this]({expected})."

    def test_code_with_brackets_is_left_alone(self, rewritten):
        text = "`views[rows]` and `f(x)` and views[a](b c)"
        assert rewritten(text, DOCS / "method.md", DOCS / "method.md") == text


class TestInventories:
    def test_are_those_of_the_script(self):
        made = loaded(DOCS / "_inventories" / "make.py")
        files = {path.stem: path.read_bytes() for path in (DOCS / "_inventories").glob("*.inv")}
        assert set(files) == set(made.PROJECTS)
        for project, content in files.items():
            head, lines = split(content)
            assert (head, lines) == split(made.inventory(project))

    def test_are_in_the_format_of_sphinx(self):
        inventory = pytest.importorskip("sphinx.util.inventory", reason="Sphinx is not installed")
        with (DOCS / "_inventories" / "numpy.inv").open("rb") as file:
            found = inventory.InventoryFile.load(file, "https://numpy.org", "/".join)
        text = str(getattr(found, "data", found))
        assert "reference/generated/numpy.ndarray.html#numpy.ndarray" in text


def split(content):
    """Four lines, and what is compressed behind them; zlib's own bytes may differ."""
    *head, packed = content.split(b"\n", 4)
    return head, zlib.decompress(packed)


class TestLinksOfTheSite:
    def test_what_leads_nowhere_is_named(self, tmp_path):
        (tmp_path / "a.html").write_text(
            '<h1 id="top">A</h1><a href="b.html">1</a><a href="b.html#there">2</a>'
            '<a href="#top">3</a><a href="https://example.org/x">4</a><a href="sub/">5</a>'
            '<a href="c.html">6</a><a href="b.html#gone">7</a><img src="no.png">'
        )
        (tmp_path / "b.html").write_text('<p id="there">B</p>')
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "index.html").write_text('<a href="../a.html#top">back</a>')
        broken = loaded(DOCS / "_links.py").broken(tmp_path)
        assert broken == ["a.html: b.html#gone", "a.html: c.html", "a.html: no.png"]


def test_badges_say_what_the_project_file_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = [line.rpartition(" :: ")[2] for line in project["classifiers"] if ":: 3." in line]
    paper = re.search(r"arXiv:([\d.]+\d)", (ROOT / "CITATION.cff").read_text(encoding="utf-8"))[1]
    expected = {
        "python": f"python: {' | '.join(python)}",
        "licence": f"licence: {project['license'].partition(' AND ')[0]}",
        "arxiv": f"arXiv: {paper}",
    }
    for name, said in expected.items():
        badge = ElementTree.parse(DOCS / "_static" / f"badge-{name}.svg").getroot()
        assert badge.get("aria-label") == said
        texts = [text.text for text in badge.iter("{http://www.w3.org/2000/svg}text")]
        assert ": ".join(texts) == said


def test_citation_names_this_version_and_the_paper():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, re.MULTILINE)[1] == stf2m_sk.__version__
    assert "arXiv:2412.13541" in text
    for key in ("cff-version", "message", "title", "authors", "license"):
        assert re.search(rf"^{key}:", text, re.MULTILINE), key

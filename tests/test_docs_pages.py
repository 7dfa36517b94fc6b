"""The pages of docs/: blocks run as they stand, sentences are short, links lead to files."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from stf2m_sk import STF2MClassifier, Views

TESTS = Path(__file__).resolve().parent
DOCS = TESTS.parent / "docs"
# Pages whose blocks need files or figures that a test of their own makes.
TESTED_BY = {
    "command-line.md": "test_docs_command_line.py",
    "concepts": "test_docs_guide.py",
    "evaluation.md": "model_selection/test_ms_documents.py",
    "guide": "test_docs_guide.py",
    "howto": "test_docs_guide.py",
    "recordings-live.md": "test_docs_recordings.py",
    "recordings-video.md": "test_docs_recordings.py",
    "recordings-voice.md": "test_docs_recordings.py",
    "recordings-wearables.md": "test_docs_recordings.py",
    "why.md": "test_docs_why.py",
}


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


readability = loaded(DOCS / "_readability.py")
PAGES = readability.pages()[1:]  # without the README, which has a test of its own


class TestBlocks:
    def test_of_every_page_are_run(self):
        here = {"data-format.md", "scikit-learn.md"}
        with_blocks = {
            page.relative_to(DOCS).parts[0] for page in PAGES if "```python" in page.read_text()
        }
        assert with_blocks - here <= set(TESTED_BY)
        assert all((TESTS / TESTED_BY[name]).is_file() for name in with_blocks - here)

    @pytest.mark.filterwarnings("ignore::stf2m_sk.inspection.UnlikeClipsWarning")
    def test_scikit_learn(self, run_page):
        names = run_page(DOCS / "scikit-learn.md")
        assert names["rfe"].n_features_ == 20
        assert len(names["search"].cv_results_["params"]) == 4
        assert isinstance(names["person"][-1], STF2MClassifier)
        np.testing.assert_array_equal(names["population"].classes_, np.unique(names["y"]))

    def test_data_format(self, run_page, tmp_path):
        pytest.importorskip("aeon", reason="the page shows a classifier of aeon (extra [bench])")
        names = run_page(DOCS / "data-format.md")
        written = names["load_npz"](tmp_path / "mine.npz")
        assert isinstance(written.views, Views) and len(written.views) == len(names["y"])


class TestSentences:
    @pytest.mark.parametrize("page", [DOCS.parent / "README.md", *PAGES], ids=lambda p: p.name)
    def test_are_short(self, page):
        assert readability.mean_length(page.read_text(encoding="utf-8")) <= readability.LIMIT

    def test_are_counted_without_code_tables_and_headings(self):
        text = (
            "# A heading of five words\n\nOne two [three four](far/away.md#x). Five `code is one`\n"
            "six seven!\n\n```python\nnot = prose\n```\n\n| a | table |\n|---|---|\n\n"
            "- an item\n- a *second* item of six words\n\n$$ x = y $$\n"
        )
        lengths = [len(readability.WORD.findall(part)) for part in readability.sentences(text)]
        assert lengths == [4, 4, 2, 6]
        assert readability.mean_length(text) == 4.0

    def test_of_a_page_without_prose_have_no_length(self):
        assert readability.mean_length("# Title\n\n```python\nx = 1\n```\n") == 0.0

    def test_a_page_with_long_ones_is_above_the_limit(self):
        assert readability.mean_length(" ".join(["word"] * 21) + ".") > readability.LIMIT


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    made = DOCS / "auto_examples"  # by the build
    missing = [
        link
        for link in links
        if "://" not in link
        and not (page.parent / link).exists()
        and not (page.parent / link).resolve().is_relative_to(made)
    ]
    assert missing == []

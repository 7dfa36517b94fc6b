"""The examples of the gallery: their form, what they import, and that the fastest one runs."""

import ast
import importlib
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
GALLERY = sorted((EXAMPLES / "gallery").glob("plot_*.py"))
NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.py"))
NETWORK = {"ftplib", "http", "httpx", "pooch", "requests", "socket", "urllib"}

by_name = pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
of_all = pytest.mark.parametrize("path", GALLERY + NOTEBOOKS, ids=lambda path: path.stem)


def imported(path):
    """Modules that a script imports, and pairs of a module and what is taken from it."""
    modules, names = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
            names |= {(node.module, alias.name) for alias in node.names}
    return modules, names


def test_there_are_examples_each_with_a_place():
    order = runpy.run_path(str(EXAMPLES.parent / "docs" / "_gallery.py"))["ORDER"]
    assert sorted(order) == [path.name for path in GALLERY]
    assert len(GALLERY) >= 13 and len(NOTEBOOKS) >= 3


@by_name
def test_begins_with_a_title_and_a_few_sentences(path):
    title, line, rest = ast.get_docstring(ast.parse(path.read_text("utf-8"))).split("\n", 2)
    assert set(line) == {"="} and len(line) == len(title)
    assert rest.startswith("\n")
    assert 1 <= len(re.findall(r"[.?](?:\s|$)", rest.replace("...", ""))) <= 4


@by_name
def test_has_cells_of_text_and_a_figure(path):
    code = path.read_text("utf-8")
    cells = re.split(r"^# %%$", code, flags=re.MULTILINE)[1:]
    assert len(cells) >= 3
    assert all(re.match(r"\n# \S", cell) for cell in cells)
    assert "plt." in code or ".plot(" in code


@by_name
def test_headings_are_as_long_as_their_lines(path):
    lines = path.read_text("utf-8").splitlines()
    places = [i for i, line in enumerate(lines) if re.fullmatch(r"# -+", line)]
    wrong = [lines[i - 1] for i in places if len(lines[i - 1]) != len(lines[i])]
    assert places and wrong == []


@by_name
def test_says_what_it_does_not_show(path):
    if path.stem == "plot_quickstart":  # the README's lines; its limits stand there
        return
    assert "\n# Limits\n# ------\n" in path.read_text("utf-8")


@of_all
def test_takes_public_names_only_and_no_network(path):
    modules, names = imported(path)
    assert not {module.partition(".")[0] for module in modules} & NETWORK
    ours = {(module, name) for module, name in names if module.partition(".")[0] == "stf2m_sk"}
    assert ours
    private = [
        (module, name)
        for module, name in ours
        if name not in importlib.import_module(module).__all__
    ]
    assert private == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_paired_and_begin_with_a_title(path):
    head, _, text = path.read_text("utf-8").partition("\n# %% [markdown]\n")
    assert "#     formats: ipynb,py:percent\n" in head
    assert head.startswith("# ---\n") and head.endswith("# ---\n")  # else it is a cell of code
    assert text.startswith("# # ")


def test_an_example_from_files_to_a_timeline_runs(monkeypatch, capsys, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(pyplot, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    pyplot.switch_backend("agg")
    names = runpy.run_path(str(EXAMPLES / "gallery" / "plot_e4_timeline.py"), run_name="__main__")
    pyplot.close("all")
    # The order that the example wrote, which it does not tell the model.
    assert names["episodes"]["emotion"].tolist() == list(names["AROUSAL"])
    assert "interview" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []

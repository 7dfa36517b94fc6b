"""Sphinx extension: the percent scripts of examples/notebooks become notebooks of the site.

In git a notebook is a script, so that it holds no outputs. ``docs/notebooks/NAME.ipynb`` is made of
it by jupytext, and myst-nb runs that.
"""

from __future__ import annotations

from pathlib import Path

import jupytext
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
SCRIPTS = DOCS.parent / "examples" / "notebooks"


def write_notebooks(app: Sphinx, config) -> None:
    """Write the notebooks, where they are not as they should be already."""
    folder, scripts = DOCS / "notebooks", {path.stem: path for path in SCRIPTS.glob("*.py")}
    for page in folder.glob("*.ipynb"):
        if page.stem not in scripts:
            page.unlink()
    for name, script in scripts.items():
        page = folder / f"{name}.ipynb"
        notebook = jupytext.read(script)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"{name}-{number}"  # jupytext draws others each time
        text = jupytext.writes(notebook, fmt="ipynb")
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", write_notebooks)
    return {"parallel_read_safe": True}

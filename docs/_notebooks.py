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
    for script in SCRIPTS.glob("*.py"):
        page = DOCS / "notebooks" / f"{script.stem}.ipynb"
        notebook = jupytext.read(script)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"{script.stem}-{number}"  # jupytext draws others each time
        text = jupytext.writes(notebook, fmt="ipynb")
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", write_notebooks)
    return {"parallel_read_safe": True}

"""Sphinx extension: llms.txt, a list of all pages with their titles and first sentences."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx


def first_sentence(doctree: nodes.document) -> str:
    """The first sentence of the first paragraph of a page."""
    own = (node for node in doctree.findall(nodes.paragraph) if is_prose(node))
    paragraph = next(own, None)
    text = "" if paragraph is None else " ".join(paragraph.astext().split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text)[0]


def is_prose(paragraph: nodes.paragraph) -> bool:
    """Whether a paragraph is text of the page itself, not of a note or a table in it."""
    return isinstance(paragraph.parent, nodes.section | nodes.document)


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the list where all other files of the site lie."""
    if error is not None or app.builder.format != "html":
        return
    lines = [f"# {app.config.project}", ""]
    pages = {name for name in app.env.found_docs if not name.endswith("sg_execution_times")}
    for docname in sorted(pages, key=lambda name: (name != "index", name)):
        title = app.env.titles[docname].astext()
        said = first_sentence(app.env.get_doctree(docname))
        lines.append(f"- [{title}]({app.builder.get_target_uri(docname)}): {said}".rstrip(": "))
    (Path(app.outdir) / "llms.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}

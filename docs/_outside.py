"""Sphinx extension: documents that lie outside docs/ become pages, and links to them lead there.

On disk a page links to ``../CHANGELOG.md``, so that links work where the files lie; on the site the
same link leads to the page made of that file. So do links to examples and notebooks; a link to
another script downloads it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGES = {
    ROOT / "CHANGELOG.md": "changes",
    ROOT / "CONTRIBUTING.md": "contributing",
    ROOT / "SECURITY.md": "security",
    ROOT / "LICENCES.md": "licences",
    ROOT / "benchmarks" / "README.md": "benchmarks",
    **{path: f"benchmarks-{path.stem}" for path in (ROOT / "benchmarks/results").glob("*.md")},
    ROOT / "stf2m_sk/datasets/data/README.md": "bundled-data",
}
# Where the site has something better than the file.
GALLERY, NOTEBOOKS = ROOT / "examples" / "gallery", ROOT / "examples" / "notebooks"
ELSEWHERE = {
    ROOT / "README.md": "index.md",
    ROOT / "docs": "index.md",
    GALLERY: "auto_examples/index.rst",
    NOTEBOOKS: "notebooks/index.md",
    **{path: f"auto_examples/{path.stem}.rst" for path in GALLERY.glob("plot_*.py")},
    **{path: f"notebooks/{path.stem}.ipynb" for path in NOTEBOOKS.glob("*.py")},
}
LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?(?=\))")


def rewritten(text: str, source: Path, page: Path) -> str:
    """Make the links of a text that is written for `source` right for the page it is shown on.

    Parameters
    ----------
    text : str
        Markdown.
    source : Path
        The file whose links these are.
    page : Path
        The file of the site that shows them.

    Returns
    -------
    str
    """

    def link(match: re.Match) -> str:
        target = (source.parent / match["path"]).resolve()
        if target.is_dir() and (target / "README.md").exists():
            target = target / "README.md"
        if target in ELSEWHERE:
            return Path(os.path.relpath(DOCS / ELSEWHERE[target], page.parent)).as_posix()
        if target in PAGES:
            target = DOCS / "project" / f"{PAGES[target]}.md"
        path = Path(os.path.relpath(target, page.parent)).as_posix()
        return path + (match["anchor"] or "")

    return LINK.sub(link, text)


def write_pages(app: Sphinx, config) -> None:
    """Copy the documents to docs/project, where they are not as they should be already."""
    folder = DOCS / "project"
    folder.mkdir(exist_ok=True)
    for page in folder.glob("*.md"):
        if page.stem not in {"index", *PAGES.values()}:  # of a document that is no more
            page.unlink()
    for source, name in PAGES.items():
        page = folder / f"{name}.md"
        text = rewritten(source.read_text(encoding="utf-8"), source, page)
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def rewrite_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Rewrite the links of a page that lies in docs/."""
    page = Path(app.env.doc2path(docname))
    if page.suffix == ".md" and page.parent != DOCS / "project":
        source[0] = rewritten(source[0], page, page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", write_pages)
    app.connect("source-read", rewrite_links)
    return {"parallel_read_safe": True}

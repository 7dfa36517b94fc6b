"""Look for links of the built site that lead nowhere.

Run it as ``python docs/_links.py docs/_build/html``. Sphinx checks references between pages; this
also sees raw HTML, images and downloads. Addresses of other sites are not looked at.
"""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element links to and how it can be linked to."""
        found = dict(attrs)
        self.links |= {found[name] for name in ("href", "src") if found.get(name)}
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}


@cache
def page_at(path: Path) -> Page:
    """Read a page."""
    return Page(path.read_text(encoding="utf-8"))


def leads_somewhere(site: Path, path: Path, link: str) -> bool:
    """Whether a link of a page leads to another site, to a file, and to an anchor in it."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    base = site if parts.path.startswith("/") else path.parent
    target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return False
    anchor = unquote(parts.fragment)
    return not anchor or target.suffix != ".html" or anchor in page_at(target).anchors


def broken(site: Path) -> list[str]:
    """A line for each link that leads nowhere."""
    site = site.resolve()
    pages = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    return [
        f"{path.relative_to(site)}: {link}"
        for path in pages
        for link in sorted(page_at(path).links)
        if link != "#" and not leads_somewhere(site, path, link)
    ]


if __name__ == "__main__":
    found = broken(Path(sys.argv[1]))
    print("\n".join(found) or "all links lead somewhere")
    sys.exit(bool(found))

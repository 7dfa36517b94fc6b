"""Sphinx extension: the pages of the reference, and links from names in docstrings.

The table in ``reference/_names.py`` becomes ``reference/modules/<module>.rst``, a table of the
module's names. autosummary makes ``reference/names/<name>.rst`` of each.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

DOCS = Path(__file__).parent


def names_table():
    """The module ``reference/_names.py``."""
    spec = importlib.util.spec_from_file_location("_names", DOCS / "reference" / "_names.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = names_table()
PAGES = TABLE.pages()
# `Views` and `STF2MClassifier.fit` in a docstring mean those of this package.
SHORT = {full.removeprefix("stf2m_sk.").rpartition(".")[2]: page for full, page in PAGES.items()}


def module_page(module: str) -> str:
    """Return the text of a module's page."""
    lines = [module, "=" * len(module), "", f".. automodule:: {module}", "   :no-members:", ""]
    lines += [f".. currentmodule:: {module}", ""]
    for heading, names in TABLE.NAMES[module].items():
        own = [name for name in names if PAGES[f"{module}.{name}"] == f"{module}.{name}"]
        lines += [heading, "-" * len(heading), ""]
        if own:
            lines += [".. autosummary::", "   :toctree: ../names", "   :nosignatures:", ""]
            lines += [f"   {name}" for name in own]
        for name in (name for name in names if name not in own):
            page = PAGES[f"{module}.{name}"]
            lines += ["", f":py:obj:`{module}.{name} <{page}>` is ``{page}``."]
        lines.append("")
    return "\n".join(lines)


def write_pages(app: Sphinx, config) -> None:
    """Write the page of each module, where it is not as it should be already."""
    folder = DOCS / "reference" / "modules"
    folder.mkdir(exist_ok=True)
    for module in TABLE.NAMES:
        path, text = folder / f"{module}.rst", module_page(module)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def has_page(page: str, attribute: str) -> bool:
    """Whether the page of a name describes an attribute; "" is the name itself."""
    module, _, name = page.rpartition(".")
    found = getattr(getattr(importlib.import_module(module), name), attribute or "__class__", None)
    return not attribute or inspect.isroutine(found) or isinstance(found, property)


def is_field(app: Sphinx, what: str, name: str, found, skip: bool, options) -> bool | None:
    """Leave out the fields of named tuples: the class describes them as attributes."""
    return True if type(found).__name__ == "_tuplegetter" else None


def name_role(name, rawtext, text, lineno, inliner, options=None, content=()):
    """What stands in single backticks: a link if it is public here, a literal otherwise."""
    first, dot, rest = text.removeprefix("stf2m_sk.").partition(".")
    full = f"stf2m_sk.{text.removeprefix('stf2m_sk.')}"
    target = PAGES.get(full)
    if target is None and first in SHORT and has_page(SHORT[first], rest):
        target = SHORT[first] + dot + rest
    if target is None and full in TABLE.NAMES:
        target = full
    if target is None:
        target = text if text.split(".")[0] in LINKED_PACKAGES and "." in text else None
    literal = nodes.literal(rawtext, text)
    if target is None:
        return [literal], []
    kind = {"refdomain": "py", "reftype": "obj", "reftarget": target, "refexplicit": True}
    link = pending_xref("", literal, refwarn=True, **kind)
    link["refdoc"] = inliner.document.settings.env.docname
    return [link], []


LINKED_PACKAGES = {"numpy", "scipy", "sklearn", "torch", "skorch", "pandas", "matplotlib"}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", write_pages)
    app.connect("autodoc-skip-member", is_field)
    app.add_role("name", name_role)
    return {"parallel_read_safe": True}

"""Sphinx: how the pages are built. One command, without the network; see CONTRIBUTING.md."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
os.environ["TQDM_DISABLE"] = "1"  # a page shows what came out, and no bars

from _reference import PAGES  # noqa: E402
from pygments.lexers.special import TextLexer  # noqa: E402

from stf2m_sk import __version__  # noqa: E402

project = "stf2m_sk"
author = "The stf2m_sk developers"
project_copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "_reference",
    "_outside",
    "_notebooks",
    "_start_page",
    "_llms",
]
exclude_patterns = ["_build", "_generated", "_inventories", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
default_role = "name"
nitpicky = True
toc_object_entries_show_parents = "hide"

# ---- docstrings ----

autosummary_generate = True
autodoc_typehints = "none"  # the docstring says it, with shapes and units
numpydoc_show_class_members = False  # the page of a class holds all of them
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but for these
numpydoc_xref_aliases = {
    **{page.rpartition(".")[2]: page for page in PAGES.values()},
    "ndarray": "numpy.ndarray",
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "Bunch": "sklearn.utils.Bunch",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
}
# The files lie here, so that a build needs no network; _inventories/make.py writes them.
intersphinx_mapping = {
    name: (url, str(DOCS / "_inventories" / f"{name}.inv"))
    for name, url in {
        "python": "https://docs.python.org/3",
        "numpy": "https://numpy.org/doc/stable",
        "scipy": "https://docs.scipy.org/doc/scipy",
        "sklearn": "https://scikit-learn.org/stable",
        "torch": "https://docs.pytorch.org/docs/stable",
        "skorch": "https://skorch.readthedocs.io/en/stable",
        "pandas": "https://pandas.pydata.org/docs",
        "matplotlib": "https://matplotlib.org/stable",
    }.items()
}

# ---- pages ----

source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"  # a notebook that is read is run
nb_execution_timeout = 600  # seconds for a cell
nb_execution_raise_on_error = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples/gallery",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "_gallery.Order",
    "reset_modules": ("matplotlib",),
    "show_memory": True,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "ignore_repr_types": r"matplotlib",  # an example shows the figure, not its parts
}

# ---- looks ----

html_theme = "pydata_sphinx_theme"
html_title = "stf2m_sk"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["sort.js"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def setup(app):
    """Name the languages of blocks that Pygments has no lexer for."""
    for language in ("csv", "vtt"):
        app.add_lexer(language, TextLexer)

"""The reference: every public name has its page and nothing else has, and docstrings are whole."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import stf2m_sk

ROOT = Path(__file__).resolve().parents[1]


def table():
    path = ROOT / "docs/reference/_names.py"
    spec = importlib.util.spec_from_file_location("_names", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = table()
PAGES = sorted(set(TABLE.pages().values()))


def names_of(module):
    return [name for names in TABLE.NAMES[module].values() for name in names]


def found(page):
    module, _, name = page.rpartition(".")
    return getattr(importlib.import_module(module), name)


class TestNames:
    @pytest.mark.parametrize("module", TABLE.NAMES)
    def test_are_those_that_a_module_offers(self, module):
        names = names_of(module)
        offered = importlib.import_module(module).__all__
        assert sorted(names) == sorted(offered)

    def test_every_module_is_public_or_internal(self):
        modules = {
            f"stf2m_sk.{module.name}"
            for module in pkgutil.iter_modules(stf2m_sk.__path__)
            if not module.name.startswith("_")
        }
        public = set(TABLE.NAMES) - {"stf2m_sk"}
        assert public | TABLE.INTERNAL == modules
        assert not public & TABLE.INTERNAL

    def test_an_object_has_one_page(self):
        for public, page in TABLE.pages().items():
            assert found(public) is found(page)
        classes = [found(page) for page in PAGES if inspect.isclass(found(page))]
        assert len(set(classes)) == len(classes)

    def test_modules_are_listed_on_the_first_page(self):
        text = (ROOT / "docs/reference/index.md").read_text(encoding="utf-8")
        assert re.findall(r"^modules/(.*)$", text, re.MULTILINE) == list(TABLE.NAMES)


class TestPackage:
    def test_offers_its_modules(self):
        for module in TABLE.NAMES:
            assert getattr(stf2m_sk, module.rpartition(".")[2], stf2m_sk).__name__ == module

    def test_lists_what_is_public(self):
        modules = {module.removeprefix("stf2m_sk.") for module in TABLE.NAMES} - {"stf2m_sk"}
        assert dir(stf2m_sk) == sorted({*stf2m_sk.__all__, *modules, "__version__"})

    def test_has_nothing_else(self):
        with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
            stf2m_sk.nonsense  # noqa: B018


# ---- docstrings ----


def described(page):
    """A public name and, of a class, its methods that are this package's."""
    yield page
    if inspect.isclass(found(page)):
        for name, member in inspect.getmembers(found(page)):
            is_ours = (getattr(member, "__module__", None) or "").startswith("stf2m_sk")
            if is_ours and not name.startswith("_") and inspect.isroutine(member):
                yield f"{page}.{name}"


def needs_no_example(page):
    """Methods, what is raised, and tuples that something else returns."""
    kind = found(page) if page in PAGES else None
    return kind is None or (inspect.isclass(kind) and issubclass(kind, Exception | tuple))


def is_exempt(code, page, message):
    if code == "EX01":
        return needs_no_example(page)
    if code == "PR01":
        # The fields of a named tuple are its attributes; Views are `self` of their exports.
        is_tuple = page in PAGES and inspect.isclass(found(page)) and issubclass(found(page), tuple)
        return is_tuple or (".Views.to_" in page and message.startswith("Parameters {'views'}"))
    return False


@pytest.mark.parametrize("page", PAGES)
def test_docstrings_are_whole(page):
    validate = pytest.importorskip("numpydoc.validate", reason="numpydoc is not installed").validate
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    _, *ignored = settings["tool"]["numpydoc_validation"]["checks"]  # "all" but for these
    if not callable(found(page)):
        pytest.skip(f"{page} is a value; its module describes it")
    wrong = [
        (name, code, message)
        for name in described(page)
        for code, message in validate(name)["errors"]
        if code not in ignored and not is_exempt(code, name, message)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES)
def test_examples_use_what_is_public(page):
    examples = inspect.getdoc(found(page)) or ""
    assert re.findall(r">>> (?:from|import) stf2m_sk[\w.]*\._\w+", examples) == []

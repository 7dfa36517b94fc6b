"""What the package offers, what importing it costs, and which room may know which."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import stf2m_sk

PACKAGE = Path(stf2m_sk.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A room may import from those before it, and from itself; nothing points back.
ROOMS = [
    "views",
    "_validation",
    "datasets",
    "preprocessing",
    "fuzzy",
    "nn",
    "training",
    "personalisation",
    "priors",
    "persistence",
    "pretrained",
    "fitting",
    "classifier",
    "loading",
    "encoding",
    "pipelines",
    "model_selection",
    "inspection",
    "compliance",
    "demo",
    "__main__",
]


def name_of(file):
    return ".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts))


def imports(file):
    """Full names of all that a file imports, but for what only type checkers read."""
    found = set()
    for node in _read_at_run_time(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _read_at_run_time(node):
    yield node
    is_for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    for child in node.orelse if is_for_checkers else ast.iter_child_nodes(node):
        yield from _read_at_run_time(child)


def room_of(name):
    parts = name.split(".")
    if parts[0] != PACKAGE.name or len(parts) == 1:
        return None
    if parts[1] in stf2m_sk.__all__:  # a public name is of the room that it comes from
        return room_of(getattr(stf2m_sk, parts[1]).__module__)
    return parts[1]


def is_from(imported, *packages):
    return imported.split(".")[0] in packages


class TestPublicNames:
    @pytest.mark.parametrize(
        "file",
        [f for f in FILES if f.name != "__main__.py" and "__all__" in f.read_text("utf-8")],
        ids=name_of,
    )
    def test_exist_and_are_sorted(self, file):
        module = importlib.import_module(name_of(file).removesuffix(".__init__"))
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
        assert len(set(module.__all__)) == len(module.__all__)

    def test_of_the_package(self):
        assert {"STF2MClassifier", "Views", "ViewSchema", "load"} <= set(stf2m_sk.__all__)
        assert {"load_stress", "make_emotion_views"} <= set(
            importlib.import_module("stf2m_sk.datasets").__all__
        )

    def test_are_few(self):
        assert len(stf2m_sk.__all__) < 30

    def test_have_docstrings(self):
        for name in stf2m_sk.__all__:
            assert getattr(stf2m_sk, name).__doc__, name

    def test_the_package_is_typed(self):
        assert (PACKAGE / "py.typed").is_file()


@pytest.fixture(scope="module")
def loaded():
    """Names of the packages that an import loads where pandas and matplotlib are missing."""
    code = (
        "import random, sys, numpy, torch\n"
        "sys.modules.update(pandas=None, matplotlib=None)\n"
        "numpy.random.seed(3), torch.manual_seed(3), random.seed(3)\n"
        "def state():\n"
        "    return (str(numpy.random.get_state()), random.getstate(),\n"
        "            torch.get_rng_state().tolist(), torch.get_num_threads())\n"
        "before = state()\n"
        "import stf2m_sk\n"
        "assert state() == before, 'a global generator was touched'\n"
        "print(*(name for name, module in sys.modules.items() if module is not None))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {name.split(".")[0] for name in done.stdout.split()}


class TestCostOfImport:
    def test_it_was_loaded(self, loaded):
        assert {"stf2m_sk", "torch", "sklearn"} <= loaded

    @pytest.mark.parametrize("name", ["skfuzzy", "matplotlib", "pandas", "aeon", "IPython"])
    def test_heavy_packages_wait_until_they_are_needed(self, loaded, name):
        assert name not in loaded


class TestArrows:
    def test_every_room_has_its_place(self):
        names = {room_of(name_of(file)) for file in FILES} - {"__init__"}
        assert names <= set(ROOMS)

    @pytest.mark.parametrize("file", FILES, ids=name_of)
    def test_point_one_way(self, file):
        room = room_of(name_of(file))
        if room == "__init__":
            return
        may_know = ROOMS[: ROOMS.index(room) + 1]
        known = {room_of(name) for name in imports(file) if is_from(name, PACKAGE.name)}
        assert known <= set(may_know)

    @pytest.mark.parametrize("file", sorted((PACKAGE / "nn").glob("*.py")), ids=name_of)
    def test_the_network_knows_torch_alone(self, file):
        foreign = {name for name in imports(file) if is_from(name, "sklearn", "skorch", "skfuzzy")}
        assert foreign == set()
        assert {room_of(name) for name in imports(file)} <= {None, "nn"}

    @pytest.mark.parametrize("room", ["views", "datasets", "fuzzy"])
    def test_rooms_without_torch(self, room):
        for file in (PACKAGE / room).rglob("*.py"):
            assert [name for name in imports(file) if is_from(name, "torch", "skorch")] == []

    def test_no_room_knows_pickle(self):
        for file in FILES:
            wrong = [n for n in imports(file) if is_from(n, "pickle", "dill", "shelve")]
            assert wrong == [], file

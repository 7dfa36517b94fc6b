"""What the package offers, and what importing it costs; its layers are in pyproject.toml."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import stf2m_sk

PACKAGE = Path(stf2m_sk.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file):
    return ".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts))


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
    """Names of the packages that an import loads where some are missing."""
    # skorch imports rich where it is there, and rich draws from the global generator.
    code = (
        "import random, sys, numpy, torch\n"
        "sys.modules.update(pandas=None, matplotlib=None, rich=None)\n"
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

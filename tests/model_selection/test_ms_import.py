"""What importing costs, and what is offered."""

import subprocess
import sys

import pytest

from stf2m_sk import model_selection

CODE = (
    "import sys\n"
    "sys.modules.update(dict.fromkeys({without}))\n"
    "import {module}\n"
    "print(*(name for name, module in sys.modules.items() if module is not None))"
)


def loaded_by(module, without=("matplotlib",)):
    command = [sys.executable, "-c", CODE.format(module=module, without=without)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_the_package_does_not_load_model_selection():
    loaded = loaded_by("stf2m_sk", without=("matplotlib", "pandas"))
    assert "stf2m_sk.classifier" in loaded
    assert not any(name.startswith("stf2m_sk.model_selection") for name in loaded)


def test_model_selection_loads_nothing_heavy():
    loaded = {name.partition(".")[0] for name in loaded_by("stf2m_sk.model_selection")}
    assert not loaded & {"skfuzzy", "matplotlib", "aeon", "IPython"}


@pytest.mark.parametrize("name", sorted(model_selection.__all__))
def test_every_public_name_is_documented(name):
    assert getattr(model_selection, name).__doc__
    assert name in vars(model_selection)


def test_public_names_are_few():
    assert len(model_selection.__all__) < 25

"""The bounds of pyproject.toml, the files with exact versions, and the list of licences agree."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_USERS = ("audio", "video", "text", "physio", "plot")


def declared(*extras):
    """The requirements of the package and of some extras, by canonical name."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r for r in found if canonicalize_name(r.name) != "stf2m-sk"}


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in found}


def lowest(requirement):
    """The one version after `>=`."""
    [bound] = [part.version for part in requirement.specifier if part.operator == ">="]
    return Version(bound)


TESTED = declared(*FOR_USERS, "test")


def test_every_dependency_has_a_lowest_version():
    assert set(pins("constraints-min.txt")) == set(TESTED)


@pytest.mark.parametrize("name", sorted(set(TESTED) - {"torch"}))
def test_the_lowest_version_is_the_bound(name):
    assert pins("constraints-min.txt")[name] == lowest(TESTED[name])


def test_torch_is_that_of_all_tests():
    assert pins("constraints-min.txt")["torch"] == pins("constraints.txt")["torch"]


@pytest.mark.parametrize("name", sorted(set(TESTED) - {"packaging"}))
def test_the_version_of_all_tests_is_allowed(name):
    assert TESTED[name].specifier.contains(pins("constraints.txt")[name])


@pytest.mark.parametrize("name", sorted(declared(*FOR_USERS)))
def test_the_licence_is_listed(name):
    text = (ROOT / "LICENCES.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| {re.escape(name)} \|", text, flags=re.MULTILINE)

"""What all commands share: version, help, examples that run, exit codes."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import stf2m_sk
from stf2m_sk.cli import main

COMMANDS = ["train", "adapt", "timeline", "evaluate", "info", "demo", "compliance"]
ROOT = Path(stf2m_sk.__file__).resolve().parents[1]


def help_of(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


class TestVersion:
    def test_is_printed(self, capsys):
        with pytest.raises(SystemExit) as stop:
            main(["--version"])
        assert stop.value.code == 0
        assert capsys.readouterr().out == f"stf2m_sk {stf2m_sk.__version__}\n"

    def test_is_that_of_the_installed_package(self):
        assert stf2m_sk.__version__ == version("stf2m_sk")

    def test_is_written_in_one_place(self):
        path = ROOT / "pyproject.toml"
        if not path.is_file():
            pytest.skip("not a checkout")
        project = tomllib.loads(path.read_text(encoding="utf-8"))
        assert "version" not in project["project"]
        assert project["project"]["dynamic"] == ["version"]
        source = ROOT / project["tool"]["hatch"]["version"]["path"]
        assert f'__version__ = "{stf2m_sk.__version__}"\n' in source.read_text(encoding="utf-8")
        citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
        assert f"\nversion: {stf2m_sk.__version__}\n" in citation


class TestHelp:
    def test_names_all_commands(self, capsys):
        said = help_of([], capsys)
        assert re.findall(r"^    (\w+)", said, flags=re.MULTILINE) == COMMANDS

    @pytest.mark.parametrize("command", ["train", "adapt", "timeline", "evaluate", "info"])
    def test_has_an_example(self, command, capsys):
        said = help_of([command], capsys)
        assert f"example:\n  python -m stf2m_sk {command} " in said

    def test_examples_run_one_after_another(self, home, run, capsys):
        for command in ("train", "adapt", "timeline", "evaluate", "info"):
            example = re.search(
                r"^  python -m stf2m_sk (.+)$", help_of([command], capsys), flags=re.MULTILINE
            )[1]
            quick = " --networks 0" if command in ("train", "evaluate") else ""
            example = example.replace("--window 30", "--window 10")  # of the short test recordings
            assert run(example + quick).out
        assert (home / "dan.vtt").read_text().startswith("WEBVTT\n")
        assert (home / "dan.png").is_file()

    def test_short_way_is_that_of_the_commands(self, capsys):
        whole = help_of([], capsys)
        for command in ("train", "adapt", "timeline"):
            example = re.search(r"^  (python .+)$", help_of([command], capsys), flags=re.MULTILINE)
            assert example[0] in whole


class TestAsAProcess:
    def run(self, *arguments, folder):
        command = [sys.executable, "-m", "stf2m_sk", *arguments]
        known = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=known
        )

    def test_right(self, home):
        done = self.run("info", "model", folder=home)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("written by  stf2m_sk ")

    def test_wrong(self, home):
        done = self.run("info", "nothing", folder=home)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "python -m stf2m_sk info: error: nothing: there is no such folder; expected the folder "
            "that `train` or `adapt` wrote\n"
        )


def test_package_that_is_missing(home, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert refused("timeline model new/dan.csv -o out.vtt --plot out.png") == (
        '--plot needs matplotlib, which is not installed: pip install "stf2m_sk[plot]"'
    )

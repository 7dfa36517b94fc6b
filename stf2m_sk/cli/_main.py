"""All commands under one name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import stf2m_sk
from stf2m_sk.cli import _adapt, _compliance, _demo, _evaluate, _info, _timeline, _train

__all__ = ["main"]

_EXAMPLE = """\
from recordings to a timeline:
  python -m stf2m_sk train recordings labels.csv --window 30 -o model
  python -m stf2m_sk adapt model new/dan.csv --labels few.csv -o dan
  python -m stf2m_sk timeline dan new/dan.csv -o dan.vtt --plot dan.png

The exit code is 0, or 2 after wrong input, with one line on stderr that says what to do.
"""
# In the order of their use.
_COMMANDS = (_train, _adapt, _timeline, _evaluate, _info, _demo, _compliance)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        What follows ``python -m stf2m_sk``; by default that of this process.

    Raises
    ------
    SystemExit
        With code 2, after a message on stderr, if the arguments or a file are wrong or a package
        is not installed; with code 0 after ``--help`` and ``--version``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m stf2m_sk",
        description="Fine-grained emotion recognition from few labelled recordings (ST-F2M).",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stf2m_sk {stf2m_sk.__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in _COMMANDS:
        command.add_parser(commands)
    given = parser.parse_args(arguments)
    given.run(given)

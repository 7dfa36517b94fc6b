"""`compliance`: what scikit-learn's checks say."""

from __future__ import annotations

import argparse

__all__ = ["add_parser"]


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "compliance",
        help="print what scikit-learn's checks say of every estimator",
        description="Run scikit-learn's check_estimator on every public estimator with its default "
        "parameters, and print a table in Markdown. Takes one to three minutes.",
    )
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    from stf2m_sk.compliance import check_all

    print(check_all().to_markdown(), end="")

"""How a command ends: what is wrong is said on stderr, without a traceback."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from stf2m_sk.recordings import RecordingWarning

__all__ = ["refuse", "reported"]


def refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """End with exit code 2 and a message in one line.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command, whose name stands before the message.
    message : str
        What is wrong.

    Raises
    ------
    SystemExit
        Always.
    """
    parser.exit(2, f"{parser.prog}: error: {_one_line(message)}\n")


@contextmanager
def reported(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Report what goes wrong in a command as its user should read it.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.

    Raises
    ------
    SystemExit
        With code 2, in place of an error about files, values or packages that are missing.
    """
    said: set[tuple[str, int]] = set()

    def show(message, category, filename, lineno, file=None, line=None) -> None:
        # Of what is not about a recording once is enough, whatever its numbers.
        if not issubclass(category, RecordingWarning):
            if (filename, lineno) in said:
                return
            said.add((filename, lineno))
        lines = "\n  ".join(str(message).splitlines())
        print(f"warning: {lines}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        except (ImportError, OSError, ValueError) as error:
            refuse(parser, str(error))


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())

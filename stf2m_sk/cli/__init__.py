"""The command line, `python -m stf2m_sk`: a file for each command, and what they share."""

from stf2m_sk.cli._main import main

__all__ = ["main"]

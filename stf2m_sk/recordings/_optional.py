"""Libraries that only some recordings need."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["require"]


def require(module: str, extra: str) -> ModuleType:
    """Import a library of an optional extra.

    Parameters
    ----------
    module : str
        Name to import.
    extra : str
        Extra of stf2m_sk that installs it.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If it is not installed: the message names the extra.

    Examples
    --------
    >>> from stf2m_sk.recordings._optional import require
    >>> require("json", "audio").loads("[1]")
    [1]
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise ImportError(
            f'this needs {module}, which is not installed: pip install "stf2m_sk[{extra}]"'
        ) from error

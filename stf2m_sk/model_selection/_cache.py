"""Scores on disk: a file for each estimator and fold, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from stf2m_sk.model_selection._keys import key_of

__all__ = ["read_scores", "write_scores"]


def read_scores(folder: Path, description: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The scores of this very setting, or None.

    Parameters
    ----------
    folder : Path
        The cache.
    description : dict
        Of the setting, from `describe_task`.

    Returns
    -------
    list of dict or None
        As `write_scores` was given it.

    Raises
    ------
    ValueError
        If the file is there but is not what `write_scores` writes.
    """
    path = _path(folder, description)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["setting"] != json.loads(json.dumps(description)):
            raise ValueError("it holds another setting")
        return content["scores"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the cache file {path} cannot be read ({error}). Nothing of it was used; delete it, "
            "and its rows are computed again."
        ) from error


def write_scores(folder: Path, description: dict[str, Any], scores: list[dict[str, Any]]) -> None:
    """Write scores under the name of their setting.

    The file appears under its name only when it is complete, so that a process can be killed at
    any moment; what it leaves then is a file that ends in ``.tmp``, which is never read.

    Parameters
    ----------
    folder : Path
        Must exist.
    description : dict
        Of the setting, from `describe_task`.
    scores : list of dict
        What JSON can write.
    """
    content = json.dumps({"setting": description, "scores": scores})
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8"
    ) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, _path(folder, description))


def _path(folder: Path, description: dict[str, Any]) -> Path:
    return folder / f"{key_of(description)[:40]}.json"

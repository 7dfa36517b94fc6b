"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_place", "draft_file", "draft_folder"]


def check_place(path: Path) -> None:
    """Refuse a place that nothing can be written to, before the work is done.

    Parameters
    ----------
    path : Path
        File or folder to be written.

    Raises
    ------
    FileNotFoundError
        If the folder around it does not exist.
    """
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"{path}: there is no folder {str(path.parent)!r} to write to; make it first"
        )


@contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """A file to write beside its place; it is moved there when the block ends without an error.

    Parameters
    ----------
    path : Path
        Where the file will be; what is there is replaced in one step.

    Yields
    ------
    Path
    """
    draft = _draft(path)
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """As `draft_file`, for a folder.

    Parameters
    ----------
    path : Path
        Where the folder will be. What is there is moved aside first, as no system replaces a
        folder that holds files, and deleted last.

    Yields
    ------
    Path
        An empty folder.
    """
    draft, old = _draft(path), path.with_name(f".{path.name}.{os.getpid()}.old")
    draft.mkdir()
    try:
        yield draft
        if path.exists():
            os.rename(path, old)
        os.rename(draft, path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")

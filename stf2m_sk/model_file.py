"""The file of a model: tensors and a description, with a checksum, written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialise

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where a file that is open cannot be removed
    fcntl = None

__all__ = ["ModelFileError", "read", "write"]

_FORMAT, _CHECKSUM = "stf2m_sk", "sha256"
# How the description begins in the header, where it is a text within JSON.
_BEGIN = f'"{_FORMAT}":"{{\\"{_CHECKSUM}\\":\\"'.encode()
_UNKNOWN = "0" * 64  # in place of the checksum while it is computed
_DEEPEST = 16  # nesting of the description
_LONGEST = 2**26  # bytes of the header
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


class ModelFileError(ValueError):
    """A file that is no model of this package, is damaged, or is of another version.

    Parameters
    ----------
    path : str or Path
        Of the file.
    found : str
        What is wrong with it.
    advice : str
        What to do.
    """

    def __init__(self, path: str | Path, found: str, advice: str) -> None:
        super().__init__(path, found, advice)  # as given: it comes out of a worker by pickle

    def __str__(self) -> str:
        path, found, advice = self.args
        return f"{str(path)!r} {found}. {advice}"


def write(path: str | Path, description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Write a model's file.

    Parameters
    ----------
    path : str or Path
        File to write. Through a link, what it points to is written; an existing file keeps its
        mode.
    description : dict
        What JSON can carry.
    tensors : dict of str to Tensor
        Contiguous, on the CPU.

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk or into a folder without permission.
        What was there before is then still there, whole.

    Notes
    -----
    Written to a draft of its own in the same folder, brought to the disk, and moved to its place.
    A draft that a killed process has left behind is removed by the next call for the same file.
    The file is one of safetensors; its header holds a SHA-256 of all bytes.
    """
    content = _with_checksum(tensors, description)
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to save into.")
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    _remove_left_behind(path)
    try:
        _move_into_place(path, content, mode)
    except OSError as error:
        # Of the file that was meant, not of its draft.
        raise OSError(error.errno, error.strerror, str(path)) from error
    _bring_to_disk(path.parent)


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a model's file.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    description : dict
        As it was written.
    tensors : dict of str to Tensor
        As they were written.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not one that `write` has written, or one byte of it is not as it was.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    content = path.read_bytes()
    metadata = _metadata(path, content)
    if _FORMAT not in metadata:
        raise ModelFileError(
            path,
            "is a safetensors file, but not one that STF2MClassifier.save wrote",
            "Give the file of a classifier.",
        )
    _check_sum(path, content)
    description = _parsed(path, metadata[_FORMAT])
    del description[_CHECKSUM]
    try:
        return description, parse(content)
    except SafetensorError as error:
        raise damaged(path, str(error)) from error


def damaged(path: str | Path, found: str) -> ModelFileError:
    """The error of a file that is not as it was written.

    Parameters
    ----------
    path : str or Path
        Of the file.
    found : str
        What is wrong.

    Returns
    -------
    ModelFileError
    """
    return ModelFileError(
        path,
        f"is damaged, or no file of STF2MClassifier.save: {found}",
        "Copy it again from where it was saved, or save the classifier again.",
    )


def _move_into_place(path: Path, content: bytes, mode: int | None) -> None:
    with _draft(path) as (draft, file):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if mode is not None:
            os.chmod(draft, mode)
        if fcntl is None:
            file.close()
        os.replace(draft, path)


def _with_checksum(tensors: dict[str, torch.Tensor], description: dict[str, Any]) -> bytes:
    # One entry of metadata: safetensors writes several in an order of its own.
    text = json.dumps({_CHECKSUM: _UNKNOWN} | description, separators=(",", ":"))
    content = serialise(tensors, metadata={_FORMAT: text})
    place = content.index(_BEGIN) + len(_BEGIN)
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:place] + digest + content[place + len(digest) :]


def _check_sum(path: Path, content: bytes) -> None:
    place = content.find(_BEGIN) + len(_BEGIN)
    if place < len(_BEGIN):
        raise damaged(path, "its checksum is not where it was written")
    digest, rest = content[place : place + len(_UNKNOWN)], content[place + len(_UNKNOWN) :]
    computed = hashlib.sha256(content[:place])
    computed.update(_UNKNOWN.encode())
    computed.update(rest)
    if computed.hexdigest().encode() != digest:
        raise damaged(path, "its bytes do not have the checksum that was written with them")


def _metadata(path: Path, content: bytes) -> dict[str, Any]:
    """Metadata of a safetensors file; nothing is allocated that the file is not long enough for."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content) - 8:
        raise damaged(path, "its header is longer than the file")
    header = _parsed(path, content[8 : 8 + size])
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict):
        raise damaged(path, "its header holds no metadata")
    return metadata


def _parsed(path: Path, text: bytes | str) -> dict[str, Any]:
    """A JSON object of bounded length and depth."""
    if len(text) > _LONGEST:
        raise damaged(path, f"its header has {len(text)} bytes, more than {_LONGEST}")
    try:
        text = text.decode() if isinstance(text, bytes) else str(text)
        if _depth(text) > _DEEPEST:
            raise damaged(path, f"its header is nested more than {_DEEPEST} deep")
        found = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise damaged(path, f"its header is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise damaged(path, "its header is no description of a classifier")
    return found


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in re.findall(r"[\[\]{}]", _TEXT.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file beside the path, locked as long as it is open; gone at the end."""
    while True:
        draft = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}.part")
        with open(draft, "xb") as file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if not draft.exists():  # taken for one left behind before it was locked
                        continue
                yield draft, file
            finally:
                draft.unlink(missing_ok=True)
            return


def _remove_left_behind(path: Path) -> None:
    """Remove drafts of processes that are no more: nobody holds them."""
    for draft in path.parent.glob(f"{_escaped(_prefix(path))}*.part"):
        with contextlib.suppress(FileNotFoundError, PermissionError, BlockingIOError):
            if fcntl is None:
                draft.unlink()
                continue
            with open(draft, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name}."


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _bring_to_disk(folder: Path) -> None:
    """Make the new entry of a folder last, where folders can be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

"""By what a cache of extracted signals tells contents, and extractors, apart."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import joblib
import numpy as np
import torch

from stf2m_sk.recordings._signal import Signal

__all__ = ["content_key", "extractor_key"]

_VALUES_AT_ONCE = 2**24


def content_key(signal: Signal) -> str:
    """A name for what a signal holds: its values, times, unit and channels.

    Parameters
    ----------
    signal : Signal
        Of values in a file, the bytes of the file count and not its path.

    Returns
    -------
    str
        SHA-256, in hexadecimal.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings._content import content_key
    >>> one, other = Signal(np.zeros((1, 3)), rate=4), Signal(np.zeros((1, 3)), rate=4)
    >>> content_key(one) == content_key(other)
    True
    >>> content_key(one) == content_key(Signal(np.ones((1, 3)), rate=4))
    False
    """
    grid = repr((float(signal.rate), float(signal.start), signal.unit, signal.channels))
    return _digest(grid, _values_key(signal, signal.values))


def extractor_key(extractor: Callable | torch.nn.Module) -> str:
    """A name for what an extractor does: its own name, source code and parameters.

    Parameters
    ----------
    extractor : callable
        A function at the top of a module, a `functools.partial` of one, a torch module, or an
        object whose state joblib can hash. Of code in a file, the whole file counts.

    Returns
    -------
    str
        SHA-256, in hexadecimal.

    Raises
    ------
    TypeError
        If it cannot be told from others: a lambda, or a function inside of a function.

    Examples
    --------
    >>> from functools import partial
    >>> from stf2m_sk.recordings._content import extractor_key
    >>> from stf2m_sk.recordings import voice
    >>> extractor_key(partial(voice, rate=20)) == extractor_key(partial(voice, rate=25))
    False
    """
    if isinstance(extractor, partial):
        parameters = _hash((extractor.args, sorted(extractor.keywords.items())), extractor)
        return _digest("partial", extractor_key(extractor.func), parameters)
    if isinstance(extractor, torch.nn.Module):
        return _digest("module", *_module_parts(extractor))
    if inspect.isfunction(extractor) or inspect.isbuiltin(extractor):
        return _digest("function", *_code_parts(extractor))
    if inspect.ismethod(extractor):
        parts = _code_parts(extractor.__func__)
        return _digest("method", *parts, _hash(extractor.__self__, extractor))
    return _digest("object", *_code_parts(type(extractor)), _hash(extractor, extractor))


def _values_key(signal: Signal, values: Any) -> str:
    path = getattr(values, "path", None)
    if path is not None:  # a file: which part of it is read, and how, is in the other attributes
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        others = {name: value for name, value in vars(values).items() if name != "path"}
        return _digest(type(values).__qualname__, _hash(others, values), content)
    content = hashlib.sha256(repr((str(values.dtype), tuple(values.shape))).encode())
    n = max(1, _VALUES_AT_ONCE // max(1, math.prod(values.shape[:-1])))
    for first in range(0, signal.n_samples, n):
        piece = signal.read(first, min(first + n, signal.n_samples))
        if piece.dtype == object:
            content.update(repr(piece.tolist()).encode())
        else:
            content.update(np.ascontiguousarray(piece).data)
    return content.hexdigest()


def _module_parts(module: torch.nn.Module) -> list[str]:
    """Weights, structure and code of a torch module."""
    parts = [repr(module)]
    for name, tensor in sorted(module.state_dict().items()):
        parts += [name, joblib.hash(tensor.detach().cpu().numpy(), hash_name="sha1")]
    for name, part in module.named_modules():
        parts += [name, *_code_parts(type(part))]
        state = {k: v for k, v in vars(part).items() if not k.startswith("_") and k != "training"}
        parts.append(_hash(state, module))
    return parts


def _code_parts(code: Callable | type) -> list[str]:
    """Name and source of a function or class; of one in a file, the source of the file."""
    if "<" in code.__qualname__:  # <lambda> or <locals>
        raise TypeError(
            f"a cache cannot tell {code.__qualname__!r} from another made in the same place. "
            "Define it at the top of a module (functools.partial can set its parameters), or "
            "leave out cache"
        )
    return [code.__module__, code.__qualname__, _source(code)]


def _source(code: Callable | type) -> str:
    module = inspect.getmodule(code)
    # A script is not taken as a whole: it changes whenever something else in it is tried.
    whole = code if module is None or module.__name__ == "__main__" else module
    try:
        return inspect.getsource(whole)
    except (OSError, TypeError):  # compiled, or typed in: its name has to do
        return ""


def _hash(value: object, extractor: object) -> str:
    try:
        return joblib.hash(value, hash_name="sha1")
    except Exception as error:
        raise TypeError(
            f"a cache cannot tell {extractor!r} from another: its parameters cannot be hashed "
            f"({error}). Leave out cache"
        ) from error


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(f"{len(part)} {part}" for part in parts).encode()).hexdigest()

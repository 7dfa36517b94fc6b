"""Torch's number of threads during a call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from joblib.parallel import get_active_backend

__all__ = ["torch_threads"]

_PROCESS = os.getpid()  # a fork of it has another number


class _Setting:
    """Torch's setting, which calls in several threads change for a while.

    Torch keeps it by thread, and a thread that begins takes what the last one set. Only what was
    set before the first of the running calls is therefore worth restoring.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_running, self._outside = 0, 1
        self._of_thread = threading.local()

    def change(self, n_threads: int) -> int:
        """Set another number; returns what to restore."""
        depth = getattr(self._of_thread, "depth", 0)
        self._of_thread.depth = depth + 1
        with self._lock:
            if not self._n_running:
                self._outside = torch.get_num_threads()
            self._n_running += 1
            before = torch.get_num_threads() if depth else self._outside
            torch.set_num_threads(n_threads)
        return before

    def restore(self, before: int) -> None:
        """Set what `change` returned."""
        self._of_thread.depth -= 1
        with self._lock:
            self._n_running -= 1
            torch.set_num_threads(before)


_setting = _Setting()


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Limit torch's threads for a while; None leaves them, but inside a worker means one.

    A forked process takes one and keeps it: the pool of threads is not there after a fork, and
    torch would wait for it forever.
    """
    if os.getpid() != _PROCESS:
        torch.set_num_threads(1)
        yield
        return
    if n_threads is None:
        if not get_active_backend()[0].nesting_level:
            yield
            return
        n_threads = 1
    before = _setting.change(n_threads)
    try:
        yield
    finally:
        _setting.restore(before)

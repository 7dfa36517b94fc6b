"""Cut the clips of one person into a support side and a query side that share nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stf2m_sk.model_selection._clips import Clips

__all__ = ["Sides", "cut"]

Sides = dict[Any, tuple[NDArray[np.intp], NDArray[np.intp]]]


def cut(clips: Clips, rows: NDArray[np.intp], gap: float | None, generator: Generator) -> Sides:
    """Cut the clips of each class into a support side and a query side, rows in order.

    With contexts, whole contexts are dealt to one side or the other. Without, the first half of
    a class's clips in the order of recording is its support side and the rest its query side,
    but for a gap between them: neighbours in time are much alike. See `FewShotProtocol`.
    """
    labels = clips.labels[rows]
    own = {label: labels == label for label in np.unique(labels)}
    if clips.contexts is None:
        return {label: _halves(clips, rows[at], gap, generator) for label, at in own.items()}
    dealt = _deal_contexts(labels, clips.contexts[rows], generator)
    return {label: (rows[at & dealt], rows[at & ~dealt]) for label, at in own.items()}


def _deal_contexts(labels: NDArray, contexts: NDArray, generator: Generator) -> NDArray[np.bool_]:
    """Which clips are on the support side.

    Contexts are dealt in random order, but those that hold the same classes in a row, so that
    a class which has several contexts comes to both sides where that is possible: also where
    every context is of one class only, as a film clip is.
    """
    values, codes = np.unique(contexts, return_inverse=True)
    kinds = [tuple(np.unique(labels[codes == code]).tolist()) for code in range(len(values))]
    order = generator.permutation(len(values)).tolist()
    turn: dict[tuple, int] = {}
    for code in order:
        turn.setdefault(kinds[code], len(turn))
    order.sort(key=lambda code: turn[kinds[code]])
    return np.isin(codes, order[1::2])


def _halves(clips, rows, gap, generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    n_support = len(rows) // 2
    if gap is None:
        order = generator.permutation(rows)
        return np.sort(order[:n_support]), np.sort(order[n_support:])
    if clips.times is None:
        return rows[:n_support], rows[n_support + int(gap) :]
    rows = rows[np.argsort(clips.times[rows], kind="stable")]
    support, rest = rows[:n_support], rows[n_support:]
    if n_support:
        rest = rest[clips.times[rest] - clips.times[support[-1]] >= gap]
    return support, rest

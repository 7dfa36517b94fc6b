"""Cut the clips of one person into a support side and a query side that share nothing."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stf2m_sk.model_selection._clips import Clips

__all__ = ["Sides", "check_gap", "cut", "deal_contexts"]

Sides = dict[Any, tuple[NDArray[np.intp], NDArray[np.intp]]]


def check_gap(gap: float | None, *, has_times: bool) -> None:
    """Refuse a gap that cannot be meant.

    Raises
    ------
    ValueError
        If the gap is negative, or no whole number of clips where there are no times.
    """
    if gap is None:
        return
    if isinstance(gap, bool) or not isinstance(gap, Real) or not 0 <= gap < np.inf:
        raise ValueError(f"gap={gap!r}, but it must be a number of at least 0, or None.")
    if not has_times and not isinstance(gap, Integral):
        raise ValueError(
            f"gap={gap!r}, but without times it counts clips: give a whole number, or pass times."
        )


def cut(
    clips: Clips,
    rows: NDArray[np.intp],
    *,
    share: float,
    gap: float | None,
    generator: Generator,
) -> Sides:
    """Cut the clips of each class into a support side and a query side.

    With contexts, whole contexts go to one side or the other (`deal_contexts`). Without, the
    first `share` of a class's clips in the order of recording is its support side and the rest
    its query side, but for a gap between them: neighbours in time are much alike. That order is
    the one of ``times``, else the order of the rows.

    Parameters
    ----------
    clips : Clips
        All clips.
    rows : int array
        Rows of one person.
    share : float
        Share of the support side, 0 to 1; rounded down.
    gap : float or None
        Without contexts: clips dropped between the sides of a class, or with times the least
        time from the last support clip to a query clip. None declares that the order means
        nothing, and clips are shared out at random.
    generator : Generator
        Deals the contexts, or the clips where `gap` is None.

    Returns
    -------
    dict of label to (support side, query side)
        Rows, in order; a side may be empty.
    """
    labels = clips.labels[rows]
    if clips.contexts is not None:
        dealt = deal_contexts(labels, clips.contexts[rows], share=share, generator=generator)
        return {
            label: (rows[(labels == label) & dealt], rows[(labels == label) & ~dealt])
            for label in np.unique(labels)
        }
    return {
        label: _cut_class(clips, rows[labels == label], share, gap, generator)
        for label in np.unique(labels)
    }


def deal_contexts(
    labels: NDArray, contexts: NDArray, *, share: float, generator: Generator
) -> NDArray[np.bool_]:
    """Deal whole contexts out to the two sides.

    Contexts are dealt in random order, but those that hold the same classes in a row, so that
    a class which has several contexts comes to both sides where that is possible: also where
    every context is of one class only, as a film clip is.

    Parameters
    ----------
    labels, contexts : array of shape (n_clips,)
        Of one person.
    share : float
        Share of the contexts that go to the support side; rounded down.
    generator : Generator
        Decides the order.

    Returns
    -------
    bool array of shape (n_clips,)
        True on the support side.

    Notes
    -----
    Source: ours. Does not depend on the order of the clips.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection._sides import deal_contexts
    >>> labels = np.array(["joy", "joy", "calm", "calm"])
    >>> films = np.array([1, 2, 3, 4])
    >>> on_support = deal_contexts(labels, films, share=0.5, generator=np.random.default_rng(0))
    >>> sorted(labels[on_support].tolist())
    ['calm', 'joy']
    """
    values, codes = np.unique(contexts, return_inverse=True)
    kinds = [tuple(np.unique(labels[codes == code]).tolist()) for code in range(len(values))]
    order = generator.permutation(len(values)).tolist()
    turn: dict[tuple, int] = {}
    for code in order:
        turn.setdefault(kinds[code], len(turn))
    order.sort(key=lambda code: turn[kinds[code]])
    dealt = np.diff(_quota(np.arange(len(values) + 1), share)) > 0
    return np.isin(codes, np.array(order, dtype=np.intp)[dealt])


def _quota(n: NDArray | int, share: float) -> NDArray[np.intp]:
    return np.floor(np.asarray(n) * share + 1e-9).astype(np.intp)  # 0.7 * 10 is below 7


def _cut_class(clips, rows, share, gap, generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    n_support = int(_quota(len(rows), share))
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

"""Scores of people as a table with intervals, and what to know when reading it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

from stf2m_sk.demo.peers import Peer
from stf2m_sk.model_selection import FewShotResult

__all__ = ["Interval", "Results", "explain", "format_table", "hanging", "results_of"]

_WIDTH = 98
_NAME, _CELL = 20, 19

Results = Mapping[tuple[str, int], "Interval"]


class Interval(NamedTuple):
    """A mean with its 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        `low` and `high` are NaN for a single value.
    n : int
        Number of values.
    """

    mean: float
    low: float
    high: float
    n: int


def results_of(comparison: FewShotResult, peers: Sequence[Peer]) -> dict[tuple[str, int], Interval]:
    """Balanced accuracy over people, for the table and the figure.

    Parameters
    ----------
    comparison : FewShotResult
        Of the peers.
    peers : sequence of Peer
        Those that need support have no result without it.

    Returns
    -------
    dict of (name, shots) to Interval
    """
    needy = {peer.name for peer in peers if peer.needs_support}
    return {
        (row.estimator, row.shots): Interval(row.mean, row.low, row.high, row.n_people)
        for row in comparison.summary().itertuples(index=False)
        if row.shots or row.estimator not in needy
    }


def format_table(results: Results, names: Sequence[str], shots: Sequence[int]) -> str:
    """A table of plain text: a row for each peer, a column for each number of shots.

    Parameters
    ----------
    results : mapping of (name, shots) to Interval
        What is missing is shown as a dash.
    names : sequence of str
        Rows.
    shots : sequence of int
        Columns.

    Returns
    -------
    str
        Lines, without an end of line at the end.
    """
    head = " " * _NAME + "".join(f"{_clips(k):>{_CELL}}" for k in shots)
    rows = [
        f"{name:<{_NAME}}" + "".join(f"{_cell(results.get((name, k))):>{_CELL}}" for k in shots)
        for name in names
    ]
    return "\n".join([head, *rows])


def explain(peers: Sequence[Peer], n_people: int, n_draws: int, blocks: str) -> str:
    """What stands under the table: the rows, the interval and the caution.

    Parameters
    ----------
    peers : sequence of Peer
        The rows of the table.
    n_people, n_draws : int
        New people, and draws of labelled clips that are averaged within each.
    blocks : str
        Why, or when, predictions from time alone are good.

    Returns
    -------
    str
        Lines of at most 98 characters.
    """
    lines = []
    for peer in peers:
        text = peer.explanation + (f" {blocks}" if peer.name == "nearest in time" else "")
        lines += hanging(peer.name, text)
    interval = (
        f"Student's t over the {n_people} new people; each person's score is first averaged over "
        f"{n_draws} draws of the labelled clips. Other people would give another mean: that is "
        "what it covers, not another training."
    )
    return "\n".join(lines + hanging("[95 % interval]", interval))


def hanging(name: str, text: str) -> list[str]:
    """Break a text into lines beside its name.

    Parameters
    ----------
    name : str
        Stands before the first line.
    text : str
        Any length, at least one word.

    Returns
    -------
    list of str
        Lines of at most 98 characters.

    Examples
    --------
    >>> from stf2m_sk.demo.report import hanging
    >>> hanging("majority", "The most frequent label.")
    ['majority            The most frequent label.']
    """
    first, *rest = wrap(text, _WIDTH - _NAME)
    return [f"{name:<{_NAME}}{first}", *(" " * _NAME + line for line in rest)]


def _clips(shots: int) -> str:
    return f"{shots} clip" + ("" if shots == 1 else "s")


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return "–".center(_CELL - 2)
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"

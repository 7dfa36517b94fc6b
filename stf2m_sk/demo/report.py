"""Scores of people as a table with intervals, and what to know when reading it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from stf2m_sk.demo.peers import Peer

__all__ = [
    "Interval",
    "Results",
    "explain",
    "format_table",
    "hanging",
    "mean_interval",
    "summarise",
]

_CONFIDENCE = 0.95
_WIDTH = 98
_NAME, _CELL = 17, 19

# By peer and number of shots, the scores of the draws of each person.
Scores = Mapping[tuple[str, int], Mapping[object, Sequence[float]]]
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


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % interval of Student's t.

    Parameters
    ----------
    values : sequence of float
        One value a person.

    Returns
    -------
    Interval
        Not cut at 0 and 1: an interval that leaves the scale says that there are too few people.

    Examples
    --------
    >>> from stf2m_sk.demo.report import mean_interval
    >>> interval = mean_interval([0.6, 0.7, 0.8])
    >>> f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
    '0.70 [0.45, 0.95]'
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Interval(mean, np.nan, np.nan, n)
    half = student.ppf((1 + _CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return Interval(mean, float(mean - half), float(mean + half), n)


def summarise(scores: Scores) -> dict[tuple[str, int], Interval]:
    """Average the draws of each person, then the people.

    Parameters
    ----------
    scores : mapping of (name, shots) to mapping of person to scores
        Scores of the single episodes.

    Returns
    -------
    dict of (name, shots) to Interval

    Examples
    --------
    >>> from stf2m_sk.demo.report import summarise
    >>> summarise({("STF2M", 1): {"ann": [0.5, 0.7], "bob": [0.6]}})["STF2M", 1].mean
    0.6
    """
    return {
        key: mean_interval([float(np.mean(draws)) for draws in people.values()])
        for key, people in scores.items()
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
        Why, or when, answers from time alone are good.

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
    ['majority         The most frequent label.']
    """
    first, *rest = wrap(text, _WIDTH - _NAME)
    return [f"{name:<{_NAME}}{first}", *(" " * _NAME + line for line in rest)]


def _clips(shots: int) -> str:
    return f"{shots} clip" + ("" if shots == 1 else "s")


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return "–".center(_CELL - 2)
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"

"""Annotations: checked, laid out on the clock, and turned into the label of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from stf2m_sk.recordings._errors import RecordingError

__all__ = [
    "LabelRule",
    "Layout",
    "checked_annotations",
    "is_missing",
    "label_array",
    "label_rule",
    "lay_out",
    "quadrant",
]

_TOUCHING = 1.5e-3  # seconds: times in tables are rounded, often to a millisecond

LabelRule = Callable[[pd.DataFrame], object]


class Layout(NamedTuple):
    """Where windows may lie, and what was annotated there.

    Attributes
    ----------
    rows : DataFrame
        Annotations in the order of time, after lag and trim; `start` and `end` in seconds.
    runs : float64 array of shape (n_runs, 2)
        Start and end of annotated time without a gap.
    """

    rows: pd.DataFrame
    runs: NDArray[np.float64]

    def within(self, start: float, end: float) -> pd.DataFrame:
        """Annotations of a window inside a run, clipped to it."""
        first = int(np.searchsorted(self._ends, start + _TOUCHING, side="left"))
        last = int(np.searchsorted(self._starts, end - _TOUCHING, side="right"))
        rows = self.rows.iloc[first:last]
        return rows.assign(
            start=np.maximum(self._starts[first:last], start),
            end=np.minimum(self._ends[first:last], end),
        )

    @property
    def _starts(self) -> NDArray[np.float64]:
        return self.rows["start"].to_numpy()

    @property
    def _ends(self) -> NDArray[np.float64]:
        return self.rows["end"].to_numpy()


def checked_annotations(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Annotations with numbers for times.

    Parameters
    ----------
    table : DataFrame
        Columns `start` and `end` in seconds; more are kept.
    where : str
        Whose annotations, for messages.

    Returns
    -------
    DataFrame
        A copy with `start` and `end` as float64.

    Raises
    ------
    RecordingError
        If a column is missing or not numeric, a time is not finite, or an end is before its
        start: with the first such row.
    """
    if not isinstance(table, pd.DataFrame):
        raise RecordingError(
            f"{where} must be a DataFrame with columns start, end and label, given "
            f"{type(table).__name__}"
        )
    for column in ("start", "end"):
        if column not in table.columns:
            raise RecordingError(
                f"{where} have no column {column!r}: expected start, end and label, given "
                f"{list(map(str, table.columns))}"
            )
        values = table[column]
        if not is_numeric_dtype(values) or is_bool_dtype(values):
            raise RecordingError(
                f"{where}: column {column!r} must be numbers of seconds, given {values.dtype} "
                f"(first value {values.iloc[0]!r}); read_annotations reads dates and times"
                if len(values)
                else f"{where}: column {column!r} must be numbers of seconds, given {values.dtype}"
            )
    table = table.assign(start=table["start"].astype(float), end=table["end"].astype(float))
    for problem, rows in (
        (
            "a start or end that is not a finite number",
            ~np.isfinite(table[["start", "end"]]).all(axis=1),
        ),
        ("an end before its start", table["end"] < table["start"]),
    ):
        if rows.any():
            raise RecordingError(
                f"{where}: {_named(table.loc[rows], 0)} has {problem}; {int(rows.sum())} row(s) do"
            )
    return table


def lay_out(
    table: pd.DataFrame, where: str, *, trim: float, lag: float, span: tuple[float, float]
) -> Layout:
    """Lay the annotations of one recording out on its clock.

    Parameters
    ----------
    table : DataFrame
        Of `checked_annotations`.
    where : str
        Whose annotations, for messages.
    trim : float
        Seconds cut off both ends of each stretch of one label.
    lag : float
        Seconds by which raters are late.
    span : tuple of float
        Start and end of the recording; annotations outside of it are left out.

    Returns
    -------
    Layout

    Raises
    ------
    RecordingError
        If two annotations overlap by more than a millisecond: with both rows.
    """
    rows = table[_is_labelled(table) & (table["end"] > table["start"])]
    rows = rows.sort_values("start", kind="stable")
    _check_overlap(rows, where)
    rows = rows.assign(start=rows["start"] - lag, end=rows["end"] - lag)
    rows = rows[(rows["end"] > span[0]) & (rows["start"] < span[1])]
    stretches = _stretches(rows, _breaks(rows, by_label=True))
    stretches = stretches + np.array([trim, -trim])
    which = np.cumsum(_breaks(rows, by_label=True)) - 1
    rows = rows.assign(
        start=np.maximum(rows["start"], stretches[which, 0]),
        end=np.minimum(rows["end"], stretches[which, 1]),
    )
    rows = rows[rows["end"] > rows["start"]]
    return Layout(rows, _stretches(rows, _breaks(rows, by_label=False)))


def label_rule(label: str | LabelRule, table: pd.DataFrame, where: str) -> LabelRule:
    """The function that labels windows.

    Parameters
    ----------
    label : {"majority", "midpoint", "quadrant"} or callable
        As of `cut`.
    table : DataFrame
        Annotations that it will see.
    where : str
        Whose they are, for messages.

    Returns
    -------
    callable
        From the annotations of a window, clipped to it, to its label; None for no label.

    Raises
    ------
    RecordingError
        If the rule needs a column that is not there.
    ValueError
        If there is no such rule.
    """
    if callable(label):
        return label
    rules = {"majority": _majority, "midpoint": _midpoint, "quadrant": quadrant()}
    if not isinstance(label, str) or label not in rules:
        raise ValueError(f"label must be one of {sorted(rules)}, a callable or None, got {label!r}")
    needed = ("valence", "arousal") if label == "quadrant" else ("label",)
    missing = [column for column in needed if column not in table.columns]
    if missing:
        raise RecordingError(
            f"{where} have no column {missing[0]!r}, which label={label!r} needs; given "
            f"{list(map(str, table.columns))}"
        )
    if label == "quadrant":
        _check_around_zero(table, where)
    return rules[label]


def is_missing(label: object) -> bool:
    """Whether a rule gave no label: None, NaN, pandas.NA or empty text."""
    return label is None or (np.isscalar(label) and pd.isna(label)) or label is pd.NA or label == ""


def label_array(labels: list) -> NDArray:
    """Labels as an array of text or of numbers.

    Raises
    ------
    RecordingError
        If text and numbers are mixed: NumPy would turn the numbers into text.
    """
    kinds = {isinstance(label, str): label for label in labels}
    if len(kinds) > 1:
        raise RecordingError(
            f"labels must be all text or all numbers, given {kinds[True]!r} and {kinds[False]!r}"
        )
    return np.array(labels)


def quadrant(valence: float = 0.0, arousal: float = 0.0) -> LabelRule:
    """A label rule: the quadrant of mean valence and arousal.

    Parameters
    ----------
    valence, arousal : float, default=0.0
        Midpoints of the two scales, such as 5 for a scale of 1 to 9.

    Returns
    -------
    callable
        For `cut(label=...)`. Annotations need the columns `valence` and `arousal`; their means
        over a window count by time. A mean at the midpoint is "high". None where one of the two
        is not rated.

    Notes
    -----
    The circumplex of Russell (1980); the names of its quadrants are ours.

    Examples
    --------
    >>> import pandas as pd
    >>> from stf2m_sk.recordings import quadrant
    >>> rows = pd.DataFrame({"start": [0, 1], "end": [1, 4], "valence": [9, 2], "arousal": [7, 8]})
    >>> quadrant(5, 5)(rows)
    'low valence, high arousal'
    """

    def rule(rows: pd.DataFrame) -> str | None:
        means = [_mean_rating(rows, name) for name in ("valence", "arousal")]
        if np.isnan(means).any():
            return None
        level = ["high" if m >= middle else "low" for m, middle in zip(means, middles, strict=True)]
        return f"{level[0]} valence, {level[1]} arousal"

    middles = (valence, arousal)
    return rule


def _majority(rows: pd.DataFrame) -> object:
    """The label of most of the window; of two that are equally long the earlier one."""
    total: dict = {}
    for label, length in zip(rows["label"].tolist(), rows["end"] - rows["start"], strict=True):
        total[label] = total.get(label, 0.0) + length
    longest = max(total.values())
    return next(label for label, length in total.items() if length >= longest - _TOUCHING)


def _midpoint(rows: pd.DataFrame) -> object:
    """The label at the middle of the window."""
    middle = (rows["start"].iloc[0] + rows["end"].iloc[-1]) / 2
    return rows["label"].tolist()[int(np.searchsorted(rows["end"].to_numpy(), middle, "right"))]


def _mean_rating(rows: pd.DataFrame, name: str) -> float:
    weights = (rows["end"] - rows["start"]).to_numpy()
    ratings = rows[name].to_numpy(dtype=float)
    rated = ~np.isnan(ratings)
    return float(np.average(ratings[rated], weights=weights[rated])) if rated.any() else np.nan


def _check_around_zero(table: pd.DataFrame, where: str) -> None:
    """Ratings of 1 to 9 would all be high about 0."""
    for name in ("valence", "arousal"):
        ratings = table[name].to_numpy(dtype=float)
        if len(ratings) and np.nanmin(ratings, initial=np.inf) >= 0:
            raise RecordingError(
                f"{where}: no {name} is below 0, the midpoint of label='quadrant' (they go from "
                f"{np.nanmin(ratings):g} to {np.nanmax(ratings):g}). Give the midpoints of your "
                "scale: label=quadrant(valence=5, arousal=5)"
            )


def _is_labelled(rows: pd.DataFrame) -> NDArray[np.bool_]:
    if "label" not in rows.columns:
        return np.ones(len(rows), dtype=bool)
    return (rows["label"].notna() & (rows["label"].astype(str) != "")).to_numpy()


def _breaks(rows: pd.DataFrame, *, by_label: bool) -> NDArray[np.bool_]:
    """Whether a row does not continue the one before it."""
    starts, ends = rows["start"].to_numpy(), rows["end"].to_numpy()
    breaks = np.ones(len(rows), dtype=bool)
    breaks[1:] = starts[1:] - ends[:-1] > _TOUCHING
    if by_label and "label" in rows.columns:
        labels = rows["label"].to_numpy(dtype=object)
        breaks[1:] |= labels[1:] != labels[:-1]
    return breaks


def _stretches(rows: pd.DataFrame, breaks: NDArray[np.bool_]) -> NDArray[np.float64]:
    first = np.flatnonzero(breaks)
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    starts, ends = rows["start"].to_numpy(), rows["end"].to_numpy()
    return np.stack([starts[first], ends[last]], axis=1)


def _check_overlap(rows: pd.DataFrame, where: str) -> None:
    overlap = rows["end"].to_numpy()[:-1] - rows["start"].to_numpy()[1:]
    bad = np.flatnonzero(overlap > _TOUCHING)
    if len(bad):
        i = int(bad[0])
        raise RecordingError(
            f"{where}: {_named(rows, i)} and {_named(rows, i + 1)} overlap by {overlap[i]:g} s; "
            f"{len(bad)} pair(s) do. A moment can have one label only: correct the times, or "
            "leave the rows of other raters out"
        )


def _named(rows: pd.DataFrame, i: int) -> str:
    row = rows.iloc[i]
    label = f"{row['label']}, " if "label" in rows.columns else ""
    return f"row {rows.index[i]} ({label}{row['start']:.12g} s to {row['end']:.12g} s)"

"""Rows that show themselves: as text, as HTML and as a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["Table", "import_optional"]


class Table(Sequence):
    """Rows with the same columns.

    Parameters
    ----------
    rows : list of dict
        One dict of column name to value for each row, in order.
    title : str
        Stands above the table.

    Examples
    --------
    >>> from stf2m_sk.model_selection._table import Table
    >>> table = Table([{"shots": 1, "mean": 0.5}, {"shots": 4, "mean": 0.75}], "Accuracy")
    >>> table
    Accuracy
    shots   mean
        1  0.500
        4  0.750
    >>> table["mean"], table[0]["shots"]
    ([0.5, 0.75], 1)
    """

    def __init__(self, rows: list[dict[str, Any]], title: str) -> None:
        self.rows = list(rows)
        self.title = title

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.rows[0]) if self.rows else []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, key):
        if isinstance(key, str):
            if key not in self.columns:
                raise KeyError(f"there is no column {key!r}; there are {self.columns}")
            return [row[key] for row in self.rows]
        if isinstance(key, slice):
            return Table(self.rows[key], self.title)
        return self.rows[key]

    def where(self, **values: Any) -> Table:
        """The rows in which the named columns have these values.

        Examples
        --------
        >>> from stf2m_sk.model_selection._table import Table
        >>> Table([{"shots": 1}, {"shots": 4}], "").where(shots=4).rows
        [{'shots': 4}]
        """
        for name in values:
            self[name]
        kept = [row for row in self.rows if all(row[key] == values[key] for key in values)]
        return Table(kept, self.title)

    def to_frame(self):
        """A `pandas.DataFrame` with a row for each row.

        Raises
        ------
        ImportError
            If pandas is not there.
        """
        return import_optional("pandas", "to_frame").DataFrame(self.rows)

    def __repr__(self) -> str:
        cells = [self.columns, *([_text(value) for value in row.values()] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.rjust, line, widths)).rstrip() for line in cells]
        return "\n".join([self.title, *lines] if self.rows else [self.title, "(no rows)"])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row.values()) + "</tr>"
            for row in self.rows
        )
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def import_optional(module: str, wanted_by: str):
    """Import a package that only some outputs need.

    Raises
    ------
    ImportError
        That says who needs it and how it is installed.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f"{wanted_by}() needs {package}, which is not installed: pip install {package}"
        ) from error


def _number(value: float) -> str:
    """Three decimals; what they would show as zero, as a power of ten."""
    return f"{value:.0e}" if 0 < abs(value) < 5e-4 else f"{value:.3f}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float | np.floating):
        return "-" if np.isnan(value) else _number(float(value))
    if isinstance(value, np.ndarray):
        return f"{len(value)} rows"
    return str(value)

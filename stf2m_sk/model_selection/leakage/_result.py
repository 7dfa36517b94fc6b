"""What `leakage_report` found, for people and for tables."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Leak", "LeakageReport"]


@dataclass(frozen=True, eq=False)
class Leak:
    """One kind of leak between the two sides of one split.

    Attributes
    ----------
    check : str
        Which check found it.
    split : int
        Place of the split among those given.
    train_rows : int array
        Rows of the training side that leak, sorted; empty for a scaler.
    test_rows : int array
        Rows of the test side that they leak into, sorted; empty for a scaler.
    what : str
        What is shared, in words.
    score : float
        As the split was given. NaN without an estimator.
    score_without : float
        Without `train_rows`, or with the scaler fitted to the training side. NaN where too
        little is left to fit: `note` says so.
    score_random : float
        Mean without as many rows of each class drawn at random, so that what is left is as much
        as in `score_without`. For a scaler, `score`: no row is removed.
    note : str
        Why there is no `score_without`; else empty.
    """

    check: str
    split: int
    train_rows: NDArray[np.intp]
    test_rows: NDArray[np.intp]
    what: str
    score: float = np.nan
    score_without: float = np.nan
    score_random: float = np.nan
    note: str = ""

    @property
    def fall(self) -> float:
        """How much the leak is worth: `score_random` minus `score_without`."""
        return self.score_random - self.score_without


_COLUMNS = ("check", "split", "train rows", "test rows", "score", "without", "random", "fall")


@dataclass(frozen=True, eq=False)
class LeakageReport:
    """What leaks from the training side of splits into the test side.

    Attributes
    ----------
    leaks : tuple of Leak
        By split and check; empty if nothing was found.
    passed : tuple of str
        Checks that found nothing in any split.
    not_checked : dict of str to str
        Checks that could not be made, and what they need.
    n_splits : int
        Number of splits.
    scoring : str or None
        Metric of the scores; None without an estimator.

    See Also
    --------
    stf2m_sk.model_selection.leakage_report : Makes it.

    Notes
    -----
    Source: ours.
    """

    leaks: tuple[Leak, ...]
    passed: tuple[str, ...]
    not_checked: dict[str, str]
    n_splits: int
    scoring: str | None = None

    @property
    def clean(self) -> bool:
        """Whether no check found anything; what is in `not_checked` may leak all the same."""
        return not self.leaks

    @property
    def found(self) -> tuple[str, ...]:
        """The checks that found something, each once."""
        return tuple(dict.fromkeys(leak.check for leak in self.leaks))

    def fall(self, check: str) -> float:
        """How much a kind of leak is worth: mean over the splits that have it.

        Parameters
        ----------
        check : str
            One of `found`.

        Returns
        -------
        float
            Mean of `Leak.fall` over the splits in which it is known; NaN if in none.

        Raises
        ------
        ValueError
            If the check found nothing.
        """
        falls = [leak.fall for leak in self.leaks if leak.check == check]
        if not falls:
            raise ValueError(f"{check!r} found nothing; found: {list(self.found)}")
        return _mean(falls)

    def to_frame(self):
        """A row for each leak.

        Returns
        -------
        pandas.DataFrame
            With the columns check, split, train_rows and test_rows (int arrays), what, score,
            score_without, score_random, fall and note.
        """
        import pandas as pd

        names = ["check", "split", "train_rows", "test_rows", "what"]
        names += ["score", "score_without", "score_random", "fall", "note"]
        rows = [{name: getattr(leak, name) for name in names} for leak in self.leaks]
        return pd.DataFrame(rows, columns=names)

    def __str__(self) -> str:
        lines = [self._headline()]
        for check in self.found:
            leaks = [leak for leak in self.leaks if leak.check == check]
            lines.append(f"  found: {check}, in {len(leaks)} of {self.n_splits} split(s)")
            lines += [f"    split {leak.split}: {leak.what}" for leak in leaks[:3]]
            if len(leaks) > 3:
                lines.append(f"    and {len(leaks) - 3} more, see to_frame()")
            lines += self._worth(leaks)
        lines += [f"  passed: {check}" for check in self.passed]
        lines += [f"  not checked: {check} ({why})" for check, why in self.not_checked.items()]
        return "\n".join(lines)

    __repr__ = __str__

    def _headline(self) -> str:
        if self.clean:
            return f"No leakage found in {self.n_splits} split(s)."
        n_leaking = len({leak.split for leak in self.leaks})
        return f"Leakage found in {n_leaking} of {self.n_splits} split(s)."

    def _worth(self, leaks: list[Leak]) -> list[str]:
        if self.scoring is None:
            return []
        known = [leak for leak in leaks if not np.isnan(leak.score_without)]
        if not known:
            return [f"    no score without it: {leaks[0].note}"]
        score, without, random = (
            _mean([getattr(leak, name) for leak in known])
            for name in ("score", "score_without", "score_random")
        )
        worth = f"it is worth {random - without:+.3f}"
        if not any(len(leak.train_rows) for leak in known):
            fitted = f"{without:.3f} scaled by the training side"
            return [f"    {self.scoring}: {score:.3f} as given, {fitted}; {worth}"]
        removed = f"{without:.3f} without, {random:.3f} without as many random rows"
        return [f"    {self.scoring}: {score:.3f} as given, {removed}; {worth}"]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in (*_COLUMNS, "what"))
        body = "".join(f"<tr>{_cells(leak)}</tr>" for leak in self.leaks)
        table = f"<table><tr>{head}</tr>{body}</table>" if self.leaks else ""
        rest = [f"passed: {check}" for check in self.passed]
        rest += [f"not checked: {check} ({why})" for check, why in self.not_checked.items()]
        items = "".join(f"<li>{escape(line)}</li>" for line in rest)
        return f"<p><b>{escape(self._headline())}</b></p>{table}<ul>{items}</ul>"


def _cells(leak: Leak) -> str:
    scores = [leak.score, leak.score_without, leak.score_random, leak.fall]
    values: list[Any] = [leak.check, leak.split, len(leak.train_rows), len(leak.test_rows)]
    values += ["" if np.isnan(score) else f"{score:.3f}" for score in scores]
    return "".join(f"<td>{escape(str(value))}</td>" for value in [*values, leak.what])


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")

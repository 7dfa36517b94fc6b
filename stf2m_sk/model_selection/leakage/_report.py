"""What should not be on both sides of a split and is: how it is reported, and looked for."""

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import islice, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.metrics import LOWER_IS_BETTER, METRICS
from stf2m_sk.model_selection._clips import check_per_clip
from stf2m_sk.model_selection._forms import take_clips
from stf2m_sk.model_selection.leakage._checks import row_checks, scaling_by, scaling_in_X
from stf2m_sk.views import Views, as_views

_SCALER = "scaler fitted on all data"


class Leak(NamedTuple):
    """One kind of leak between the two sides of one split; a scaler leaks no rows."""

    check: str
    split: int
    train_rows: NDArray[np.intp]
    test_rows: NDArray[np.intp]
    what: str
    score: float = np.nan
    score_without: float = np.nan  # those rows, or with the scaler fitted to the training side
    score_random: float = np.nan  # mean without as many random rows of each class
    fall: float = np.nan  # how much the leak is worth: `score_random` minus `score_without`
    note: str = ""  # why there is no `score_without`


@dataclass(frozen=True, eq=False, repr=False)
class LeakageReport:
    """What leaks from the training side of splits into the test side.

    Parameters
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
    leakage_report : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import leakage_report
    >>> leakage_report(np.eye(20), splits=[(np.arange(9), np.arange(9, 20))]).clean
    True
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
        """Mean fall of the score without the rows of a leak, below that without random rows.

        Parameters
        ----------
        check : str
            One of `found`.

        Returns
        -------
        float
            Over the splits where it is known; NaN if in none.

        Raises
        ------
        ValueError
            If the check found nothing.
        """
        if check not in self.found:
            raise ValueError(f"{check!r} found nothing; found: {list(self.found)}")
        return float(self.to_frame().groupby("check")["fall"].mean()[check])

    def to_frame(self) -> Any:
        """The leaks as a table.

        Returns
        -------
        DataFrame
            A row for each leak, with the fields of `Leak`.
        """
        import pandas as pd

        return pd.DataFrame(list(self.leaks), columns=Leak._fields)

    def __repr__(self) -> str:
        n_leaking = len({leak.split for leak in self.leaks})
        head = f"Leakage found in {n_leaking} of" if n_leaking else "No leakage found in"
        lines = [f"{head} {self.n_splits} split(s)."]
        for check, leaks in self.to_frame().groupby("check", sort=False):
            lines.append(f"  found: {check}, in {len(leaks)} of {self.n_splits} split(s)")
            lines += [f"    split {one.split}: {one.what}" for one in leaks[:3].itertuples()]
            lines += [f"    and {len(leaks) - 3} more, see to_frame()"] * (len(leaks) > 3)
            lines += [f"    {note}" for note in leaks["note"].unique() if note]
            own, rest, random, fall = leaks.dropna(subset="fall").loc[:, "score":"fall"].mean()
            if not np.isnan(fall):
                scores = f"{own:.3f} as given, {rest:.3f} without, {random:.3f} without random ones"
                lines.append(f"    {self.scoring}: {scores}; it is worth {fall:+.3f}")
        lines += [f"  passed: {check}" for check in self.passed]
        lines += [f"  not checked: {check} ({why})" for check, why in self.not_checked.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>{self.to_frame().to_html(index=False, na_rep='')}"


def leakage_report(
    X: Any,
    y: ArrayLike | None = None,
    *,
    splits: Iterable[tuple[ArrayLike, ArrayLike]],
    protocol: str = "new-person",
    groups: ArrayLike | None = None,
    contexts: ArrayLike | None = None,
    times: ArrayLike | None = None,
    duration: ArrayLike | None = None,
    scaler: Any = None,
    estimator: Any = None,
    scoring: str = "balanced_accuracy",
    threshold: float | None = None,
    n_random: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> LeakageReport:
    """Look for what leaks from the training side of splits into the test side.

    Found are rows, contexts and people on both sides; windows that overlap (by `times`, or by
    equal stretches of signal); clips that correlate more than chance explains; scalers of more
    than the training side (in `X`, or given). An `estimator` tells what each is worth.

    Parameters
    ----------
    X : Views, dict, list of arrays, or array of 2 or 3 dimensions
        Clips as the classifier gets them, before the `scaler` if one is given.
    y : array-like of shape (n_clips,), default=None
        Labels; needed with `estimator`.
    splits : iterable of (train, test)
        Rows of the two sides, such as ``cv.split(X, y, groups)``.
    protocol : {"new-person", "same-person"}, default="new-person"
        Whether the two sides must not share a person, or are support and query of one.
    groups, contexts : array-like of shape (n_clips,), default=None
        Person, and stimulus or trial, of each clip.
    times : array-like of shape (n_clips,), default=None
        Seconds at which each clip begins in the person's recording.
    duration : float or array-like of shape (n_clips,), default=None
        Seconds that it lasts; by default its longest modality of known rate.
    scaler : fitted transformer, default=None
        Compared with clones fitted to all clips and to the training side.
    estimator : classifier, default=None
        Says what leaks are worth. It adapts to the training side if it is fitted and has `adapt`;
        else a clone is fitted to it.
    scoring : str, default="balanced_accuracy"
        Of `stf2m_sk.metrics.METRICS`, one of which more is better.
    threshold : float, default=None
        Correlation of near-duplicates; None: 0.99, in tables 0.9999.
    n_random : int, default=5
        Draws of as many random rows as leak, with which the score is compared.
    random_state : int, RandomState instance or None, default=None
        Decides these draws.

    Returns
    -------
    LeakageReport
        `clean` is True if nothing was found; ``print`` it to read it.

    Raises
    ------
    ValueError, TypeError
        If lengths, rows or parameters do not fit, or something needed is not given.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import leakage_report
    >>> leakage_report(np.eye(4), splits=[([0, 1, 2], [2, 3]), ([0, 1], [2])]).found
    ('same rows',)
    """
    _check_parameters(protocol, scoring, threshold, n_random)
    views = as_views(X)
    pairs, spans = _read_splits(splits, len(views)), _read_times(times, duration, views)
    y, people, contexts = (
        None if values is None else check_per_clip(values, len(views), name)
        for name, values in (("y", y), ("groups", groups), ("contexts", contexts))
    )
    if estimator is not None and y is None:
        raise ValueError("`estimator` is given without `y`; give the labels to score it with")
    checks, not_checked = row_checks(views.to_dict(), people, contexts, spans, protocol, threshold)
    find_scaling = scaling_in_X if scaler is None else partial(scaling_by, scaler)
    state = np.random.RandomState() if random_state is None else check_random_state(random_state)
    seed, leaks = state.randint(2**31), []  # with None the global generator is left alone
    for split, (train, test) in enumerate(pairs):
        generator = np.random.default_rng([seed, split])  # whatever the other splits are
        score = partial(_score, estimator, scoring, y, people, train, test)
        for name, check in checks.items():
            leak = Leak(name, split, *check(train, test))
            if len(leak.train_rows) and estimator is not None:
                leak = _with_worth(leak, partial(score, X), y[train], train, n_random, generator)
            leaks += [leak] if len(leak.train_rows) else []
        wholes = {"all clips": np.arange(len(views)), "both sides": np.union1d(train, test)}
        for what, scaled, refit in islice(find_scaling(X, y, train, wholes), 1):
            leak = Leak(_SCALER, split, train[:0], train[:0], what)
            if estimator is not None:
                given, without = score(scaled, train), score(refit(), train)
                leak = Leak(*leak[:5], given, without, given, given - without)
            leaks.append(leak)
    found, scoring = {leak.check for leak in leaks}, None if estimator is None else scoring
    passed = tuple(name for name in (*checks, _SCALER) if name not in found)
    return LeakageReport(tuple(leaks), passed, not_checked, len(pairs), scoring)


def _score(estimator, scoring: str, y, people, train, test, X: Any, rows: NDArray) -> float:
    """The score on the test side after training on some rows of the training side."""
    clips, labels = take_clips(X, rows), y[rows]
    if hasattr(estimator, "adapt") and hasattr(estimator, "classes_"):  # fitted already
        fitted = estimator.adapt(clips, labels, classes=np.unique(y[train]))
    elif people is not None and has_fit_parameter(estimator, "groups"):
        fitted = clone(estimator).fit(clips, labels, groups=people[rows])
    else:
        fitted = clone(estimator).fit(clips, labels)
    query = take_clips(X, test)
    if hasattr(fitted, "predict_proba"):
        return METRICS[scoring](y[test], fitted.predict_proba(query), fitted.classes_)
    certain = np.equal.outer(fitted.predict(query), fitted.classes_).astype(float)
    return METRICS[scoring](y[test], certain, fitted.classes_)


def _with_worth(leak: Leak, score, labels: NDArray, train: NDArray, n_random, generator) -> Leak:
    """The leak with its scores: as given, without its rows, without random rows."""
    leaks = np.isin(train, leak.train_rows)
    leak = leak._replace(score=score(train))
    if len(np.unique(labels[~leaks])) < 2:
        return leak._replace(note=f"{(~leaks).sum()} training rows are left, too few to fit")
    kept = np.ones((n_random, len(train)), dtype=bool)
    for draw, label in product(kept, np.unique(labels[leaks])):  # as many of each class go
        own = np.flatnonzero(labels == label)
        draw[generator.permutation(own)[: leaks[own].sum()]] = False
    try:
        without, random = score(train[~leaks]), np.mean([score(train[draw]) for draw in kept])
    except ValueError as error:
        return leak._replace(note=f"what is left cannot be fitted: {error}")
    return leak._replace(score_without=without, score_random=random, fall=random - without)


def _check_parameters(protocol: str, scoring: str, threshold: float | None, n_random: int) -> None:
    protocols, higher = ["new-person", "same-person"], sorted(set(METRICS) - set(LOWER_IS_BETTER))
    if protocol not in protocols or scoring not in higher:
        raise ValueError(f"{protocol=}, {scoring=}; expected one of {protocols}, one of {higher}")
    if not (threshold is None or 0 < threshold <= 1) or n_random not in range(1, 10**9):
        raise ValueError(f"{threshold=}, {n_random=}; expected above 0 to 1, and at least 1 draw")


def _read_splits(splits: Iterable, n_clips: int) -> list[tuple[NDArray, NDArray]]:
    if hasattr(splits, "split") or not isinstance(splits, Iterable):
        raise TypeError(f"splits is {splits!r}; expected pairs: splits=cv.split(X, y, groups)")
    pairs = list(splits)
    if not pairs:
        raise ValueError("splits is empty; expected at least one pair of rows (train, test)")
    for pair in pairs:
        if not isinstance(pair, Sized) or len(pair) != 2:
            raise TypeError(f"a split is {pair!r}; expected a pair (train, test)")
        for side in map(np.asarray, pair):
            is_rows = side.ndim == 1 and side.dtype.kind in "iu" and len(side)
            if not is_rows or side.min() < 0 or side.max() >= n_clips:
                raise ValueError(f"a side is {side}; expected rows from 0 to {n_clips - 1}")
    return [(np.unique(train), np.unique(test)) for train, test in pairs]


def _read_times(times, duration, views: Views) -> tuple[NDArray, NDArray] | None:
    if times is None and duration is not None:
        raise ValueError("`duration` is given without `times`; give when each clip begins too")
    if times is None:
        return None
    longest = max((m.n_timesteps / m.rate for m in views.schema if m.rate), default=None)
    if duration is None and longest is None:
        raise ValueError("`times` are given without `duration`, and X does not tell its rates")
    start = check_per_clip(times, len(views), "times").astype(np.float64)
    length = np.full(start.shape, longest if duration is None else duration, dtype=np.float64)
    if not (np.isfinite(start) & np.isfinite(length) & (length > 0)).all():
        raise ValueError("times must be finite, and duration finite and above 0, in seconds")
    return start, start + length

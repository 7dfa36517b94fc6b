"""What should not be on both sides of a split, and is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from stf2m_sk.metrics._probabilities import LOWER_IS_BETTER, METRICS
from stf2m_sk.model_selection._clips import check_per_clip
from stf2m_sk.model_selection._forms import count_clips, take_clips
from stf2m_sk.model_selection.leakage._checks import ROW_CHECKS, Clips, Split, why_not_checked
from stf2m_sk.model_selection.leakage._duplicates import count_independent, flatten
from stf2m_sk.model_selection.leakage._effect import Judge, worth_of_rows, worth_of_scaler
from stf2m_sk.model_selection.leakage._result import Leak, LeakageReport
from stf2m_sk.model_selection.leakage._scaling import (
    as_scaler_saw,
    rescale,
    same_statistics,
    scalings_of,
)
from stf2m_sk.views import Views, as_views

__all__ = ["leakage_report"]

_SCALER = "scaler fitted on all data"
_ALL, _TOGETHER = "all clips", "the two sides together"
_PROTOCOLS = ("new-person", "same-person")


def leakage_report(
    X: Any,
    y: ArrayLike | None = None,
    *,
    splits: Iterable[tuple[ArrayLike, ArrayLike]],
    protocol: Literal["new-person", "same-person"] = "new-person",
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

    Found are rows that are on both sides; windows that overlap; contexts and people that both
    sides share; near-duplicate clips; and scalers that were fitted on more than the training
    side. With an `estimator` it is said how much each is worth: how far the score falls when the
    leaking rows are taken from the training side, against as many rows taken at random.

    Parameters
    ----------
    X : Views, dict, list of arrays, or array of 2 or 3 dimensions
        Clips, as the classifier gets them; see `stf2m_sk.views.as_views`. NaN where not measured.
    y : array-like of shape (n_clips,), default=None
        Labels; needed with `estimator`.
    splits : iterable of (train, test)
        Rows of the two sides, such as ``cv.split(X, y, groups)`` or (support, query) of
        episodes.
    protocol : {"new-person", "same-person"}, default="new-person"
        Whether the two sides must not share a person, or are support and query of one.
    groups : array-like of shape (n_clips,), default=None
        Person of each clip. Times are within the recording of a person.
    contexts : array-like of shape (n_clips,), default=None
        Trial, stimulus, statement or session of each clip; no value may be on both sides. Numbers
        of trials that start anew for each person are to be made unique first.
    times : array-like of shape (n_clips,), default=None
        When each clip begins, in seconds.
    duration : float or array-like of shape (n_clips,), default=None
        How long each clip lasts, in seconds; by default the longest modality of known rate.
    scaler : fitted transformer, default=None
        Its statistics are compared with those of all clips and of the training side. `X` must
        then be what was given to it. Without it, `X` itself is looked at.
    estimator : classifier, default=None
        Says what the leaks are worth. If it is fitted and has `adapt`, it adapts to the training
        side; else a clone is fitted to it. A clone without a fixed ``random_state`` adds noise.
    scoring : str, default="balanced_accuracy"
        A metric of `METRICS` of which more is better.
    threshold : float, default=None
        Correlation from which on two clips are near-duplicates: 0.99 for recordings, 0.9999 for
        a table with one row a clip. It is raised for smooth signals, see Notes.
    n_random : int, default=5
        Draws of random rows that the fall of the score is compared with.
    random_state : int, RandomState instance or None, default=None
        Decides these draws.

    Returns
    -------
    LeakageReport
        `clean` is True if nothing was found; ``print`` it to read it.

    Raises
    ------
    ValueError
        If lengths or rows do not fit, a side is empty, a parameter is out of its range, `times`
        come without a duration, or `estimator` without `y`.
    TypeError
        If `splits` is not an iterable of pairs.

    Notes
    -----
    Source: ours; the flaws looked for are those of arXiv 2508.02417.

    *Overlapping windows* are found by `times`, and without them where one clip equals another
    but for a shift over at least a tenth (and 8 time steps) of its length, to the last bit and in
    all modalities. Windows that were scaled one by one are not equal any more: give `times`.

    *Near-duplicates* are clips whose courses correlate, each channel about its own mean. The
    threshold is raised to the correlation that 0.01 unrelated pairs of the split would reach by
    chance, given how much its clips correlate on the whole. Clips of fewer than 16 values or
    changes are not compared.

    *A scaler* is found in `X` where all columns (or channels) of all clips, or of the two sides
    together, have mean 0 and deviation 1, or minimum 0 and maximum 1, and those of the training
    side have not.

    What no check could find is not excluded, and checks that need what was not given are listed
    in `LeakageReport.not_checked`.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.model_selection import leakage_report
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> shuffled = np.random.default_rng(0).permutation(len(data.views))
    >>> report = leakage_report(
    ...     data.views, splits=[(shuffled[:60], shuffled[60:])], groups=data.groups
    ... )
    >>> report.clean, report.found
    (False, ('shared people',))
    >>> new = data.groups == "person_3"
    >>> sides = np.flatnonzero(~new), np.flatnonzero(new)
    >>> print(leakage_report(data.views, splits=[sides], groups=data.groups))
    No leakage found in 1 split(s).
      passed: same rows
      passed: overlapping windows
      passed: shared people
      passed: near-duplicate clips
      passed: scaler fitted on all data
      not checked: shared contexts (needs `contexts`)
    """
    _check_parameters(protocol, threshold, n_random)
    views = as_views(X)
    n_clips = views.n_clips
    pairs = _read_splits(splits, n_clips)
    start, end = _read_times(times, duration, views)
    signals = views.to_dict()
    rows = flatten(signals)
    clips = Clips(
        signals=signals,
        rows=rows,
        n_independent=count_independent(rows),
        people=_optional(groups, n_clips, "groups"),
        contexts=_optional(contexts, n_clips, "contexts"),
        start=start,
        end=end,
        is_new_person=protocol == "new-person",
        threshold=threshold,
    )
    judge = _read_judge(estimator, y, clips.people, scoring, n_random, n_clips)
    leaks, seed = [], _seed(random_state)
    if scaler is None:
        find_scaler = partial(_scaling_of_X, scalings_of(signals, np.arange(n_clips)))
    else:
        find_scaler = partial(_scaling_by, scaler, y)
    for split in pairs:
        leaks += _row_leaks(clips, split, judge, X, seed)
        leaks += _scaler_leaks(find_scaler(X, signals, split), split, judge)
    not_checked = why_not_checked(clips)
    found = {leak.check for leak in leaks}
    passed = [c for c in (*ROW_CHECKS, _SCALER) if c not in found and c not in not_checked]
    return LeakageReport(
        tuple(leaks), tuple(passed), not_checked, len(pairs), None if judge is None else scoring
    )


# ---- what leaks ----


def _row_leaks(clips: Clips, split: Split, judge, X, seed: int) -> list[Leak]:
    skipped = why_not_checked(clips)
    leaks = [check(clips, split) for name, check in ROW_CHECKS.items() if name not in skipped]
    leaks = [leak for leak in leaks if leak is not None]
    if judge is None:
        return leaks
    # The same rows are drawn for a split whatever the other splits are.
    generator = np.random.default_rng([seed, split.place])
    return [worth_of_rows(leak, judge, X, split.train, split.test, generator) for leak in leaks]


def _scaler_leaks(found: tuple | None, split: Split, judge) -> list[Leak]:
    if found is None:
        return []
    what, scaled, refit = found
    empty = split.train[:0]
    leak = Leak(_SCALER, split.place, empty, empty, what)
    if judge is not None:
        leak = worth_of_scaler(leak, judge, scaled, refit(), split.train, split.test)
    return [leak]


def _scaling_of_X(of_all: list, X: Any, signals: Mapping, split: Split) -> tuple | None:
    """What was done to X, X itself, and how to get X as it should have been; or None."""
    of_train = scalings_of(signals, split.train)
    together = np.union1d(split.train, split.test)
    of_both = of_all if len(together) == count_clips(X) else scalings_of(signals, together)
    for whole, scalings in {_ALL: of_all, _TOGETHER: of_both}.items():
        leaking = [scaling for scaling in scalings if scaling not in of_train]
        if leaking:
            how, over = leaking[0]
            what = f"X is {how} ({over}) over {whole}, and not over the training side"
            return what, X, partial(_rescaled, X, signals, split.train, leaking[0])
    return None


def _scaling_by(scaler: Any, y, X: Any, signals: Mapping, split: Split) -> tuple | None:
    """As `_scaling_of_X`, for a given scaler and X before scaling."""
    seen = as_scaler_saw(X, signals, scaler)
    labels = None if y is None else np.asarray(y)

    def known(rows):
        return take_clips(seen, rows), None if labels is None else labels[rows]

    if same_statistics(scaler, *known(split.train)):
        return None
    together = np.union1d(split.train, split.test)
    for whole, rows in {_ALL: np.arange(count_clips(X)), _TOGETHER: together}.items():
        if same_statistics(scaler, *known(rows)):
            what = f"the scaler has the statistics of {whole}, not of the training side"
            refit = partial(_refitted, scaler, seen, *known(split.train))
            return what, scaler.transform(seen), refit
    return None


def _refitted(scaler: Any, seen: Any, train_X: Any, train_y: Any) -> Any:
    return clone(scaler).fit(train_X, train_y).transform(seen)


def _rescaled(X: Any, signals: Mapping, train: NDArray[np.intp], scaling: tuple[str, str]) -> Any:
    return _in_form_of(X, rescale(signals, train, scaling))


def _in_form_of(X: Any, signals: dict[str, NDArray]) -> Any:
    if isinstance(X, Views):
        rates = {m.name: m.rate for m in X.schema if m.rate is not None}
        names = {m.name: m.channel_names for m in X.schema if m.channel_names is not None}
        return Views(signals, rates=rates, channel_names=names)
    if isinstance(X, Mapping):
        return signals
    arrays = list(signals.values())
    if len(arrays) > 1 or (isinstance(X, list | tuple) and np.ndim(X[0]) == 3):
        return arrays
    return arrays[0] if np.ndim(X) == 3 else arrays[0][:, :, 0]


# ---- reading ----


def _check_parameters(protocol: str, threshold: float | None, n_random: int) -> None:
    if protocol not in _PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}; expected one of {list(_PROTOCOLS)}")
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(f"threshold={threshold!r}; expected a correlation above 0, at most 1")
    if isinstance(n_random, bool) or not isinstance(n_random, int | np.integer) or n_random < 1:
        raise ValueError(f"n_random={n_random!r}; expected a whole number of at least 1")


def _read_splits(splits: Iterable, n_clips: int) -> list[Split]:
    if hasattr(splits, "split") or not isinstance(splits, Iterable):
        raise TypeError(
            f"splits is {splits!r}; expected pairs of rows (train, test): give "
            "splits=cv.split(X, y, groups)"
        )
    pairs = []
    for place, pair in enumerate(splits):
        try:
            train, test = pair
        except (TypeError, ValueError) as error:
            raise TypeError(f"split {place} is {pair!r}; expected a pair (train, test)") from error
        sides = [_read_side(side, n_clips, place) for side in (train, test)]
        pairs.append(Split(place, *sides))
    if not pairs:
        raise ValueError("splits is empty; expected at least one pair of rows (train, test)")
    return pairs


def _read_side(side: ArrayLike, n_clips: int, place: int) -> NDArray[np.intp]:
    rows = np.asarray(side)
    if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"a side of split {place} has the shape {rows.shape} and the type {rows.dtype}; "
            "expected at least one row, as whole numbers"
        )
    if rows.min() < 0 or rows.max() >= n_clips:
        raise ValueError(
            f"split {place} has rows from {rows.min()} to {rows.max()}, but X has {n_clips} clips"
        )
    return np.unique(rows).astype(np.intp)


def _optional(values: ArrayLike | None, n_clips: int, name: str) -> NDArray | None:
    return None if values is None else check_per_clip(values, n_clips, name)


def _read_times(times: ArrayLike | None, duration: ArrayLike | None, views: Views):
    if times is None:
        if duration is not None:
            raise ValueError("`duration` is given without `times`; give when each clip begins too")
        return None, None
    start = check_per_clip(times, views.n_clips, "times").astype(np.float64)
    if duration is None:
        known = [m.n_timesteps / m.rate for m in views.schema if m.rate is not None]
        if not known:
            raise ValueError(
                "`times` are given without `duration`, and X does not tell its rates; give how "
                "many seconds a clip lasts"
            )
        duration = max(known)
    length = np.broadcast_to(np.asarray(duration, dtype=np.float64), start.shape)
    if not (np.isfinite(start).all() and np.isfinite(length).all() and (length > 0).all()):
        raise ValueError("times must be finite, and duration finite and above 0, in seconds")
    return start, start + length


def _read_judge(estimator, y, groups, scoring, n_random, n_clips) -> Judge | None:
    if estimator is None:
        return None
    higher = sorted(set(METRICS) - LOWER_IS_BETTER)
    if scoring not in higher:
        raise ValueError(f"scoring={scoring!r}; expected one of {higher}")
    if y is None:
        raise ValueError("`estimator` is given without `y`; give the labels to score it with")
    return Judge(estimator, check_per_clip(y, n_clips, "y"), groups, scoring, n_random)


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31))

"""What would make clips poor training data: looked for before `fit`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stf2m_sk.views import Views, ViewSchema, as_views

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_clips"]

# All limits are ours.
_SPIKE_FACTOR = 100.0  # ranges of a channel's usual values, from their median
_USUAL_VALUES = [(25, 75), (5, 95), (1, 99)]  # percentiles; wider where the narrow ones are alike
_MOST_RANKED = 1_000_000  # values of a channel that its percentiles are taken from
_FEWEST_FLAT = 8  # samples: a slow signal repeats values by chance
_FEWEST_SATURATED = 10  # samples on end ...
_SHARE_SATURATED = 0.1  # ... and of the clip
_FEWEST_VALUES = 20  # different ones of a channel; one that counts or switches repeats them
_MOST_NAMED = 5  # in one line


class Finding(NamedTuple):
    """One row of the table; `clips` are the rows of the clips concerned."""

    finding: str
    modality: str
    clips: NDArray[np.intp]
    expectation: str


def check_clips(
    X: Any,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    schema: ViewSchema | Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Find what is wrong with clips, their labels and their people, before training.

    Parameters
    ----------
    X : as in `STF2MClassifier.fit`
        Clips.
    y : array-like of shape (n_clips,), default=None
        Labels. None: only the clips are looked at.
    groups : array-like of shape (n_clips,), default=None
        Person of each clip.
    schema : ViewSchema or dict, default=None
        As the parameter of `STF2MClassifier`.

    Returns
    -------
    DataFrame with a row for each finding, and the columns

        - finding: what was found;
        - modality: where; empty for labels, people and whole clips;
        - clips: number of clips concerned;
        - first: row of the first of them;
        - expectation: what was expected, or what to do.

        Without rows if nothing was found. Some findings are errors at `fit`; most make the
        classifier worse without a word.

    Raises
    ------
    TypeError, ValueError
        If X cannot be read as clips, see `stf2m_sk.views.as_views`; if y or groups do not hold
        one value for each clip.

    Notes
    -----
    Looked for are spikes (100 ranges of the usual values from the median), flat lines, runs at
    the largest or smallest value, values too large for float32, what was never measured, clips
    that occur twice; labels that are missing, of mixed types, typed in two ways or of one clip;
    people who are missing, of mixed types, of one clip or of one emotion. The limits are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk import check_clips
    >>> X = np.random.default_rng(0).normal(size=(6, 1, 50))
    >>> X[4, 0, 7] = 1e6
    >>> found = check_clips(X, ["calm", "tense", "calm", "Tense ", "calm", "tense"])
    >>> found[["finding", "clips", "first"]]
                                                 finding  clips  first
    0  channel 0: spikes of 1e+06, where values usual...      1      4
    1                   emotions with one clip: 'Tense '      1      3
    2        labels typed in two ways: 'Tense ', 'tense'      3      1
    """
    import pandas as pd  # only here: it is slow to import

    views = as_views(X, schema)
    labels = None if y is None else _one_a_clip(y, views.n_clips, "y")
    people = None if groups is None else _one_a_clip(groups, views.n_clips, "groups")
    found = [*_whole_clips(views, labels)]
    for modality in views.schema:
        found += _in_modality(modality.name, views[modality.name])
    if labels is not None:
        found += [*_in_values(labels, "labels"), *_in_labels(labels)]
    if people is not None:
        found += [*_in_values(people, "people"), *_in_people(people, labels)]
    rows = [(f.finding, f.modality, len(f.clips), f.clips.min(), f.expectation) for f in found]
    return pd.DataFrame(rows, columns=["finding", "modality", "clips", "first", "expectation"])


def _one_a_clip(values: ArrayLike, n_clips: int, name: str) -> list:
    """As Python objects, so that values of several types stay as they are."""
    given = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(given) != n_clips:
        raise ValueError(f"{name} has {len(given)} entries for {n_clips} clips; give one for each.")
    wrong = next((v for v in given if isinstance(v, list | tuple | dict | set)), None)
    if wrong is not None:
        raise ValueError(f"{name} holds {wrong!r}; expected one value for each clip.")
    return [v.item() if isinstance(v, np.generic) else v for v in given]


# ---- signals ----


def _in_modality(name: str, array: NDArray[np.floating]) -> Iterator[Finding]:
    everything = np.arange(len(array))
    if np.isnan(array).all():
        yield Finding("never measured", name, everything, "leave the modality out, or look for it")
        return
    found: dict[tuple[str, str], dict[int, NDArray]] = {}
    for channel in range(array.shape[1]):
        for finding, clips, expectation in _in_channel(array[:, channel]):
            found.setdefault((finding, expectation), {})[channel] = clips
    for (finding, expectation), by_channel in found.items():
        label = "channel" if len(by_channel) == 1 else "channels"
        clips = np.unique(np.concatenate([*by_channel.values()]))
        yield Finding(f"{label} {_named([*by_channel])}: {finding}", name, clips, expectation)


def _in_channel(own: NDArray[np.floating]) -> Iterator[tuple[str, NDArray, str]]:
    """Findings in the values of one channel, (n_clips, n_timesteps)."""
    measured = own[~np.isnan(own)]
    everything = np.arange(len(own))
    if not len(measured):
        yield "never measured", everything, "leave the channel out, or look for it"
        return
    low, high = measured.min(), measured.max()
    if low == high and len(measured) > 1:
        yield "one value in all clips", everything, "values that differ; is the sensor connected?"
        return
    largest = np.finfo(np.float32).max
    beyond = _rows_with(abs(own) > largest)
    if len(beyond):
        yield "values too large for float32", beyond, "scale them, or NaN; `fit` refuses them"
    yield from _spikes(own, measured)
    if len(np.unique(measured[:_MOST_RANKED])) < _FEWEST_VALUES:
        return
    flat = _flat(own)
    if len(flat):
        yield "flat line", flat, "NaN where the sensor was off"
    saturated = _saturated(own, low, high)
    if len(saturated):
        yield "runs at the largest or smallest value", saturated, "NaN where the sensor was full"


def _spikes(own, measured) -> Iterator[tuple[str, NDArray, str]]:
    usual = measured[:: 1 + len(measured) // _MOST_RANKED].astype(np.float64)
    for percentiles in _USUAL_VALUES:
        low, middle, high = np.percentile(usual, [percentiles[0], 50, percentiles[1]])
        if high > low:
            break
    else:
        return
    distance = abs(own / 2 - middle / 2)  # halves: a difference may be too large
    rows = _rows_with(distance > _SPIKE_FACTOR * (high - low) / 2)
    if len(rows):
        largest = own.ravel()[np.nanargmax(distance)]
        finding = f"spikes of {largest:g}, where values usually are {low:.3g} to {high:.3g}"
        yield finding, rows, "NaN for artefacts; one spike can hide a modality"


def _flat(own) -> NDArray[np.intp]:
    """Clips of one value."""
    n_measured = (~np.isnan(own)).sum(axis=1)
    lowest = np.where(np.isnan(own), np.inf, own).min(axis=1)
    highest = np.where(np.isnan(own), -np.inf, own).max(axis=1)
    return np.flatnonzero((lowest == highest) & (n_measured >= _FEWEST_FLAT))


def _saturated(own, low, high) -> NDArray[np.intp]:
    """Clips with long runs at an end of the channel's range; 0 often stands for nothing."""
    n_measured = (~np.isnan(own)).sum(axis=1)
    longest = np.zeros(len(own), dtype=np.intp)
    for end in (low, high):
        if end != 0:
            longest = np.maximum(longest, _longest_run(own == end))
    enough = np.maximum(_FEWEST_SATURATED, _SHARE_SATURATED * n_measured)
    return np.flatnonzero((longest >= enough) & (longest < n_measured))


def _longest_run(is_in: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Of True on end in each row."""
    steps = np.arange(is_in.shape[1])
    last_out = np.maximum.accumulate(np.where(is_in, -1, steps), axis=1)
    return (steps - last_out).max(axis=1)


def _rows_with(where: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.flatnonzero(where.any(axis=1))


# ---- whole clips ----


def _whole_clips(views: Views, labels: list | None) -> Iterator[Finding]:
    empty = ~views.present.any(axis=1)
    if empty.any():
        rows = np.flatnonzero(empty)
        yield Finding("nothing is measured", "", rows, "leave these clips out; `fit` refuses them")
    first = _first_alike(views)
    again = np.flatnonzero((first != np.arange(len(first))) & ~empty)
    if not len(again):
        return
    yield Finding("the same as an earlier clip", "", again, "each clip once; copies count double")
    if labels is not None:
        other = [row for row in again if labels[row] != labels[first[row]]]
        if other:
            expectation = "one label for each; how the emotions share it goes into soft_labels"
            finding = "the same as an earlier clip of another label"
            yield Finding(finding, "", np.array(other), expectation)


def _first_alike(views: Views) -> NDArray[np.intp]:
    """The first clip with the same values as each."""
    seen: dict[bytes, int] = {}
    first = np.arange(views.n_clips)
    for row in range(views.n_clips):
        digest = hashlib.blake2b()
        for name in views.names:
            digest.update(np.ascontiguousarray(views[name][row]))
        first[row] = seen.setdefault(digest.digest(), row)
    return first


# ---- labels and people ----


def _in_values(values: list, what: str) -> Iterator[Finding]:
    """What `fit` refuses."""
    missing = [row for row, value in enumerate(values) if _is_missing(value)]
    if missing:
        yield Finding(f"no {what}", "", np.array(missing), "leave these clips out")
    kinds = [_kind(value) for value in values]
    found = sorted({kind for kind in kinds if kind})
    if len(found) > 1:
        rarest = min(found, key=kinds.count)
        rows = np.array([row for row, kind in enumerate(kinds) if kind == rarest])
        finding = f"{what} of mixed types: {', '.join(found)}"
        yield Finding(finding, "", rows, "all as text or all as numbers; `fit` refuses them")


def _in_labels(labels: list) -> Iterator[Finding]:
    rows = _rows_of(labels)
    yield from _alone(rows, "emotions with one clip", "two clips and more of each emotion")
    spelled: dict[str, list] = {}
    for label in rows:
        if isinstance(label, str):
            spelled.setdefault(" ".join(label.split()).casefold(), []).append(label)
    for variants in spelled.values():
        if len(variants) > 1:
            concerned = np.sort(np.concatenate([rows[label] for label in variants]))
            finding = f"labels typed in two ways: {_named(sorted(variants))}"
            yield Finding(finding, "", concerned, "one way: each is an emotion of its own")


def _in_people(people: list, labels: list | None) -> Iterator[Finding]:
    rows = _rows_of(people)
    yield from _alone(rows, "people with one clip", "two clips and more of each person")
    if labels is None:
        return
    one = {
        person: own
        for person, own in rows.items()
        if len(own) > 1 and len({labels[row] for row in own}) == 1
    }
    if one:
        expectation = "two emotions and more of each person: else emotion and person look alike"
        clips = np.sort(np.concatenate([*one.values()]))
        yield Finding(f"people with one emotion: {_named([*one])}", "", clips, expectation)


def _alone(rows: dict[Any, NDArray], what: str, expectation: str) -> Iterator[Finding]:
    alone = [value for value, own in rows.items() if len(own) == 1]
    if alone:
        clips = np.sort(np.concatenate([rows[value] for value in alone]))
        yield Finding(f"{what}: {_named(alone)}", "", clips, expectation)


def _rows_of(values: list) -> dict[Any, NDArray[np.intp]]:
    """Rows of each value, in the order in which they appear; missing ones are left out."""
    rows: dict[Any, list[int]] = {}
    for row, value in enumerate(values):
        if not _is_missing(value):
            rows.setdefault(value, []).append(row)
    return {value: np.array(own) for value, own in rows.items()}


def _named(values: list) -> str:
    texts = [*map(repr, values)]
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


def _is_missing(value: object) -> bool:
    # pandas.NA by its name: comparing it is an error.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _kind(value: object) -> str | None:
    """Kind of a label; values of different kinds cannot be compared."""
    if _is_missing(value):
        return None
    if isinstance(value, bool):
        return "truth values"
    return "numbers" if isinstance(value, int | float) else type(value).__name__

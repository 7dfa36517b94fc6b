"""What is looked for: rows that leak (and those they leak into), and scalers. Source: ours."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.base import clone
from sklearn.utils import gen_batches

from stf2m_sk.model_selection._forms import take_clips
from stf2m_sk.views import Views, as_views

_FEWEST_VALUES = 16  # of clips whose correlation means something
_FEWEST_STEPS = 8  # equal, and changes in them: two flat lines are not the same recording
_LARGEST_CROWD = 10_000  # pairs of clips with one and the same stretch: it is no fingerprint
_BASE = np.uint64(0x94D049BB133111EB)
_PRECISION = 1e-4  # to which float32 arithmetic leaves mean 0 and deviation 1
_AXES = {"each column": (0,), "each channel": (0, 2)}
_SCALINGS = {  # what is subtracted, and what is divided by
    "standardised": lambda a, **over: (a.mean(**over), a.std(**over)),
    "standardised with n - 1": lambda a, **over: (a.mean(**over), a.std(ddof=1, **over)),
    "scaled to 0..1": lambda a, **over: (a.min(**over), a.max(**over) - a.min(**over)),
}


def row_checks(signals: dict, people, contexts, spans, protocol, threshold) -> tuple[dict, dict]:
    """By name checks, from sides to (rows that leak, those leaked into, what); what others need."""
    rows, has_time = _flatten(signals), any(signal.shape[2] > 1 for signal in signals.values())
    least = threshold or (0.99 if has_time else 0.9999)
    advice = "people; if that is meant, the protocol is 'same-person'"
    checks = {
        "same rows": partial(_shared, np.arange(len(rows)), "row(s)"),
        "overlapping windows": partial(_overlapping_windows, signals, people, spans),
        "shared contexts": partial(_shared, contexts, "context(s)"),
        "shared people": partial(_shared, people, advice),
        "near-duplicate clips": partial(_near_duplicates, rows, _count_independent(rows), least),
    }
    lacking = {}
    if not has_time and spans is None:
        lacking["overlapping windows"] = "needs `times`, or clips of more than one time step"
    if contexts is None:
        lacking["shared contexts"] = "needs `contexts`"
    if people is None:
        lacking["shared people"] = "needs `groups`"
    if protocol == "same-person":
        lacking["shared people"] = "the protocol is 'same-person'"
    if rows.shape[1] < _FEWEST_VALUES:
        lacking["near-duplicate clips"] = f"needs clips of at least {_FEWEST_VALUES} values"
    return {name: checks[name] for name in checks if name not in lacking}, lacking


def _shared(values: NDArray, what: str, train: NDArray, test: NDArray) -> tuple:
    shared, n_test = np.intersect1d(values[train], values[test]), len(np.unique(values[test]))
    named = ", ".join([*map(repr, shared[:5].tolist()), *["..."] * (len(shared) > 5)])
    leaking = (rows[np.isin(values[rows], shared)] for rows in (train, test))
    return *leaking, f"{named}: {len(shared)} of {n_test} {what}"


def _overlapping_windows(signals, people, spans, train: NDArray, test: NDArray) -> tuple:
    pairs = _overlapping_signals(signals, train, test)
    if spans is not None:
        start, end = spans
        recordings = np.zeros(len(start)) if people is None else people
        for recording in np.intersect1d(recordings[train], recordings[test]):
            left, right = (rows[recordings[rows] == recording] for rows in (train, test))
            last_start = np.maximum.outer(start[left], start[right])
            common = np.minimum.outer(end[left], end[right]) - last_start
            i, j = np.nonzero(common > 1e-6 * (end - start).min())  # windows may touch
            pairs = np.concatenate([pairs, np.column_stack([left[i], right[j]])])
    return _found(pairs, "overlap in time with")


def _overlapping_signals(signals: dict, train, test) -> NDArray[np.intp]:
    """Pairs of which one clip is the other, begun later: looked up by the hash of stretches."""
    found = [np.empty((0, 2), dtype=np.intp)]
    for signal in signals.values():
        n_timesteps = signal.shape[2]
        length = max(_FEWEST_STEPS, round(0.1 * n_timesteps))
        if n_timesteps <= length:
            continue
        left, right = (_fingerprints(signal[rows], rows, length) for rows in (train, test))
        crowd = left["hash"].value_counts() * right["hash"].value_counts()
        telling = left[left["hash"].isin(crowd.index[crowd <= _LARGEST_CROWD])]
        both = telling.merge(right, on="hash").assign(shift=lambda t: t["start_x"] - t["start_y"])
        both = both[both["shift"] != 0].drop_duplicates(["shift", "clip_x", "clip_y"])
        for shift, clips in both.groupby("shift"):
            pairs = clips[["clip_x", "clip_y"]].to_numpy()
            in_order = pairs if shift > 0 else pairs[:, ::-1]
            found.append(pairs[_same_recording(signals, in_order, abs(shift) / n_timesteps)])
    return np.concatenate(found)


def _fingerprints(signal: NDArray, rows: NDArray, length: int) -> Any:
    """A table of the stretches that are measured throughout and change: hash, clip and start."""
    import pandas as pd

    values = np.where(np.isnan(signal), np.nan, signal.astype(np.float64) + 0.0)  # -0 is 0
    steps = pd.DataFrame(values.transpose(0, 2, 1).reshape(-1, signal.shape[1]))
    frames = pd.util.hash_pandas_object(steps, index=False).to_numpy().reshape(len(signal), -1)
    n_starts = frames.shape[1] - length + 1
    hashes = np.zeros((len(frames), n_starts), dtype=np.uint64)
    for step in range(length):
        hashes = hashes * _BASE + frames[:, step : step + n_starts]
    changes = sliding_window_view(np.diff(frames, axis=1) != 0, length - 1, axis=1).sum(axis=2)
    whole = sliding_window_view(~np.isnan(signal).all(axis=1), length, axis=1).all(axis=2)
    clips, starts = np.nonzero(whole & (changes >= min(_FEWEST_STEPS, length // 2)))
    return pd.DataFrame({"hash": hashes[clips, starts], "clip": rows[clips], "start": starts})


def _same_recording(signals: dict, pairs: NDArray, delay: float) -> NDArray:
    """Whether pairs are equal where both are measured, the second begun `delay` clips later."""
    same, n_changes = np.ones(len(pairs), dtype=bool), np.zeros(len(pairs), dtype=np.intp)
    for signal in signals.values():
        shift = round(delay * signal.shape[2])
        if abs(shift - delay * signal.shape[2]) > 1e-6 or shift >= signal.shape[2]:
            continue  # the shift falls between two time steps of this modality
        earlier = signal[pairs[:, 0], :, shift:]
        later = signal[pairs[:, 1], :, : earlier.shape[2]]
        same &= ((earlier == later) | np.isnan(earlier) | np.isnan(later)).all(axis=(1, 2))
        moved = np.diff(np.where(np.isnan(later), np.nan, earlier), axis=2)
        n_changes += ((moved != 0) & ~np.isnan(moved)).any(axis=1).sum(axis=1)
    return same & (n_changes >= _FEWEST_STEPS)


def _near_duplicates(rows, n_independent: float, least: float, train, test) -> tuple:
    """Pairs whose courses correlate `least` or more, and more than chance explains."""
    # r² of unrelated clips follows Beta(1/2, (k - 1)/2): 0.01 pairs may get as far by chance.
    by_chance = beta.isf(min(1, 0.02 / (len(train) * len(test))), 0.5, (n_independent - 1) / 2)
    least = max(least, min(np.sqrt(by_chance), 1 - 1e-9))  # equal clips reach 1 but for rounding
    pairs, lowest = [np.empty((0, 2), np.intp)], 1.0
    for left in (train[batch] for batch in gen_batches(len(train), 512)):
        correlation = _correlations(rows[left], rows[test])
        correlation[np.equal.outer(left, test)] = np.nan  # the very same clip
        i, j = np.nonzero(np.nan_to_num(correlation, nan=-1.0) >= least)
        pairs.append(np.column_stack([left[i], test[j]]))
        lowest = correlation[i, j].min(initial=lowest)
    return _found(np.concatenate(pairs), f"correlate {lowest:.4f} or more with")


def _found(pairs: NDArray, verb: str) -> tuple:
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    train, test = np.unique(pairs[:, 0]), np.unique(pairs[:, 1])
    such = "".join(f", such as {i} with {j}" for i, j in pairs[:1])
    return train, test, f"{len(train)} training clip(s) {verb} {len(test)} test clip(s){such}"


def _flatten(signals: dict) -> NDArray[np.float64]:
    """One row of comparable values for each clip; NaN where not measured."""
    columns, n_changes = [], 0
    for signal in signals.values():
        has_time = signal.shape[2] > 1
        changes = np.diff(signal, axis=2) if has_time else np.where(np.isnan(signal), np.nan, 1)
        n_changes = n_changes + ((changes != 0) & ~np.isnan(changes)).sum(axis=(1, 2))
        values = np.ma.masked_invalid(signal.astype(np.float64))
        # Where a channel lies in a clip tells the person and not the clip.
        values = values - values.mean(axis=2 if has_time else 0, keepdims=True)
        spread = np.ma.filled(np.ma.sqrt((values**2).mean(axis=(0, 2), keepdims=True)), 0)
        values = np.ma.filled(values / np.where(spread, spread, 1), np.nan)
        columns.append(values.reshape(len(signal), -1))
    rows = np.concatenate(columns, axis=1)
    rows[n_changes < _FEWEST_VALUES] = np.nan  # two flat lines with one step are no duplicates
    return rows


def _count_independent(rows: NDArray[np.float64]) -> float:
    """How many independent values clips seem to have, by their correlations; few if smooth."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, 400).astype(np.intp))]
    squares = _correlations(some, some)[np.triu_indices(len(some), 1)] ** 2
    squares = squares[~np.isnan(squares)]
    # For k independent values the median of r² is close to that of χ²(1), 0.455, over k - 1.
    return 1 + 0.455 / max(float(np.median(squares)) if len(squares) else 1.0, 1e-9)


def _correlations(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of all pairs over what both measure; NaN where that is less than half."""
    a_known, b_known = (~np.isnan(side) * 1.0 for side in (left, right))
    fewest = np.maximum(np.maximum.outer(a_known.sum(1), b_known.sum(1)) / 2, _FEWEST_VALUES)
    # Rows that are known throughout have one mask in common, and need no matrix product.
    a_known, b_known = (known[:1] if known.all() else known for known in (a_known, b_known))
    a, b = np.nan_to_num(left), np.nan_to_num(right)
    n = a_known @ b_known.T
    enough, n = n >= fewest, np.maximum(n, 1)
    a_sum, b_sum = a @ b_known.T, a_known @ b.T
    a_spread, b_spread = a**2 @ b_known.T - a_sum**2 / n, a_known @ (b**2).T - b_sum**2 / n
    enough &= (a_spread > 1e-9 * n) & (b_spread > 1e-9 * n)  # a flat line is like no other
    spread = np.sqrt(np.where(enough, a_spread * b_spread, 1.0))
    return np.where(enough, np.clip((a @ b.T - a_sum * b_sum / n) / spread, -1, 1), np.nan)


def scaling_in_X(X: Any, y: Any, train: NDArray, wholes: Mapping[str, NDArray]) -> Iterator[tuple]:
    """What was done to X by more than the training side, X itself, and X as it should have been."""
    for (whole, rows), over, how in product(wholes.items(), _AXES, _SCALINGS):
        if _is_scaled(X, rows, how, over) and not _is_scaled(X, train, how, over):
            what = f"X is {how} ({over}) over {whole}, and not over the training side"
            yield what, X, partial(_rescaled, X, train, how, over)


def scaling_by(scaler: Any, X: Any, y: Any, train: NDArray, wholes) -> Iterator[tuple]:
    """As `scaling_in_X`, of a given scaler and X before scaling."""
    is_flat = getattr(X, "ndim", 0) == 2 or not hasattr(scaler, "n_features_in_")
    seen = X if is_flat else np.asarray(as_views(X))
    scaled = scaler.transform(seen)

    def fitted_to(rows: NDArray) -> Any:
        labels = None if y is None else y[rows]
        return clone(scaler).fit(take_clips(seen, rows), labels).transform(seen)

    same = partial(np.allclose, scaled, rtol=1e-6, atol=1e-6, equal_nan=True)
    for whole, rows in wholes.items():
        if same(fitted_to(rows)) and not same(fitted_to(train)):
            what = f"the scaler has the statistics of {whole}, not of the training side"
            yield what, scaled, partial(fitted_to, train)


def _is_scaled(X: Any, rows: NDArray, how: str, over: str) -> bool:
    """Whether this scaling, fitted to these clips, would change nothing."""
    statistics = (_statistics(signal[rows], how, over) for signal in as_views(X).to_dict().values())
    return all(np.maximum(np.abs(c), np.abs(w - 1)).max() <= _PRECISION for c, w in statistics)


def _rescaled(X: Any, train: NDArray, how: str, over: str) -> Any:
    """X by the statistics of the training side: what the first scaling did cancels out."""
    views, rescaled = as_views(X), {}
    for name, signal in views.to_dict().items():
        centre, width = _statistics(signal[train], how, over)
        rescaled[name] = ((signal - centre) / width).astype(signal.dtype)
    if isinstance(X, np.ndarray):
        return rescaled.popitem()[1].reshape(X.shape)
    return Views(rescaled).conform(views.schema)


def _statistics(block: NDArray, how: str, over: str) -> tuple[NDArray, NDArray]:
    """Centre and width of each column or channel: 0 and 1 where it does not vary."""
    masked = np.ma.masked_invalid(block.astype(np.float64))
    statistics = _SCALINGS[how](masked, axis=_AXES[over], keepdims=True)
    centre, width = (np.ma.filled(values, 0.0) for values in statistics)
    varies = width > _PRECISION
    return np.where(varies, centre, 0.0), np.where(varies, width, 1.0)

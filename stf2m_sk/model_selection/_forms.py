"""X in all the forms that a classifier may take: how many clips, which clips, which modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from stf2m_sk.views import as_views

__all__ = ["as_rows", "count_clips", "modalities", "take_clips"]


def count_clips(X: Any) -> int:
    """Number of clips, without a look at the signals; ValueError where modalities differ in it."""
    lengths = {_num_samples(signal) for signal in modalities(X) or [X]}
    if len(lengths) != 1:
        raise ValueError(f"the modalities of X differ in their number of clips: {sorted(lengths)}")
    return lengths.pop()


def take_clips(X: Any, rows: NDArray[np.intp]) -> Any:
    """Copy some clips, in the form in which X is."""
    if modalities(X) is None:
        return _safe_indexing(X, rows)
    if isinstance(X, Mapping):
        return {name: np.asarray(signal)[rows] for name, signal in X.items()}
    return [signal[rows] for signal in X]


def as_rows(X: Any) -> Any:
    """X in a form whose rows are clips: mappings and lists of modalities become Views."""
    if modalities(X) is not None:
        return as_views(X)
    return X if hasattr(X, "shape") else np.asarray(X)


def modalities(X: Any) -> list[Any] | None:
    """The signals of a mapping or a list of modalities; None if X is in one piece."""
    if isinstance(X, Mapping) and not issparse(X):  # SciPy's dok_array is a mapping
        return list(X.values())
    is_list = isinstance(X, list | tuple) and len(X) > 0
    if is_list and all(isinstance(a, np.ndarray) and a.ndim == 3 for a in X):
        return list(X)
    return None

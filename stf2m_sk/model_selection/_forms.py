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
    """Number of clips, without a look at the signals.

    Parameters
    ----------
    X : Views, mapping of 3-D arrays, list of 3-D arrays, or anything with a length
        Clips; see `stf2m_sk.views.as_views`.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the modalities differ in their number of clips, or there is no modality.
    TypeError
        If X has no length.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection._forms import count_clips
    >>> count_clips({"eda": np.zeros((5, 1, 80)), "hr": np.zeros((5, 1, 10))})
    5
    """
    signals = modalities(X)
    if signals is None:
        return _num_samples(X)
    lengths = {len(signal) for signal in signals}
    if len(lengths) != 1:
        raise ValueError(
            f"the modalities of X have {sorted(lengths)} clips; expected at least one modality, "
            "and the same number of clips in all"
        )
    return lengths.pop()


def take_clips(X: Any, rows: NDArray[np.intp]) -> Any:
    """Some clips, in the form in which X is.

    Parameters
    ----------
    X : as in `count_clips`
        Clips.
    rows : int array
        Which.

    Returns
    -------
    object
        A copy of the type of X.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection._forms import take_clips
    >>> take_clips({"hr": np.arange(4.0).reshape(4, 1, 1)}, np.array([2]))
    {'hr': array([[[2.]]])}
    """
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
    """The signals of a mapping or a list of modalities; None if X is in one piece.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection._forms import modalities
    >>> len(modalities({"eda": np.zeros((5, 1, 80)), "hr": np.zeros((5, 1, 10))}))
    2
    """
    if isinstance(X, Mapping) and not issparse(X):  # SciPy's dok_array is a mapping
        return list(X.values())
    is_list = isinstance(X, list | tuple) and len(X) > 0
    if is_list and all(isinstance(a, np.ndarray) and a.ndim == 3 for a in X):
        return list(X)
    return None

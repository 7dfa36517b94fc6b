"""Checks at the boundary of the classifier; what passes them is not checked again."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d, validate_data

from stf2m_sk._threads import torch_threads
from stf2m_sk.views import Views

__all__ = [
    "check_groups",
    "check_labels",
    "check_measured",
    "check_soft_labels",
    "encode_labels",
    "local_generator",
    "note_features",
    "resolve_device",
    "torch_threads",
]


def check_labels(y: ArrayLike | None, n_clips: int | None, *, name: str = "y") -> NDArray:
    """One label a clip, of any type that can be told apart; no missing ones.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        Labels.
    n_clips : int or None
        Number of clips; None where there is nothing to compare with.
    name : str, default="y"
        What the messages call them.

    Returns
    -------
    array of shape (n_clips,)
        Labels.

    Raises
    ------
    ValueError
        If y is None, holds NaN or None, is not one-dimensional, is continuous, or has another
        length.
    TypeError
        If y holds labels that are neither text nor numbers, or of several kinds: text and
        numbers, truth values and numbers.
    """
    if y is None:
        raise ValueError(
            "STF2MClassifier requires y to be passed, but the target y is None. Give one label "
            "for each clip."
        )
    y = _one_dimensional(_kept_apart(y), name)
    labels = column_or_1d(y, warn=True)
    _check_none_missing(labels, name, "Leave out clips without a label.")
    if not len(labels):
        raise ValueError(f"{name} is empty: Found array with 0 sample(s). Give at least 1 label.")
    if labels.dtype.kind == "c":
        raise ValueError("Complex data not supported: labels are text or numbers.")
    if labels.dtype.kind == "O":
        plain = [value.item() if isinstance(value, np.generic) else value for value in labels]
        labels = np.array([*plain, None], dtype=object)[:-1]
    values = labels.tolist()
    if any(isinstance(value, bytes) for value in values):
        raise TypeError(f"{name} holds labels represented as bytes; decode them to text first.")
    _check_types(values, name)
    if len({isinstance(value, str) for value in values}) > 1:
        raise TypeError(
            f"{name} holds text and numbers, which cannot be mixed; give all labels as text or all "
            "as numbers."
        )
    if labels.dtype.kind == "f":
        _check_whole(labels, name)
    if n_clips is not None and len(labels) != n_clips:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_clips} clips, "
            f"y has {len(labels)} labels."
        )
    return labels


def _one_dimensional(y: ArrayLike, name: str) -> NDArray:
    """A label a clip, perhaps as a column."""
    several = "If several emotions share a clip, give the main one and soft_labels."
    try:
        array = np.asarray(y)
    except ValueError as error:
        raise ValueError(
            f"{name}: y should be a 1d array, got lists of several lengths. {several}"
        ) from error
    shape = array.shape
    if not shape:
        raise ValueError(f"{name} is {y!r}: y should be a 1d array, a label for each.")
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(
            f"{name}: y should be a 1d array, got an array of shape {shape} instead. {several}"
        )
    return y if hasattr(y, "__array__") else array


def _kept_apart(values: ArrayLike) -> ArrayLike:
    """Lists of several kinds as objects: NumPy would turn 1 into "1" and True into 1."""
    if isinstance(values, list | tuple) and len(_kinds(values)) > 1:
        return np.array([*values, None], dtype=object)[:-1]
    return values


def _kinds(values) -> set[str]:
    """Kinds of values that can be compared with their own kind only."""
    kinds = {"text": str, "truth value": bool | np.bool_}
    return {
        next((name for name, kind in kinds.items() if isinstance(value, kind)), "else")
        for value in values
    }


def _check_types(values: list, name: str) -> None:
    """Labels are what a file can carry and what can be told apart."""
    kinds = {type(value) for value in values}
    wrong = [kind for kind in kinds if not issubclass(kind, str | bool | int | float)]
    if wrong:
        names = ", ".join(sorted(kind.__name__ for kind in wrong))
        raise TypeError(
            f"{name} holds labels of type {names}; labels are text or numbers. Turn them into text "
            "first, for example with `[str(label) for label in y]`."
        )
    if bool in kinds and len(kinds) > 1:
        raise TypeError(
            f"{name} holds truth values and other labels; True equals 1, so that they cannot be "
            "told apart. Give all labels as text or all as numbers."
        )


def check_soft_labels(
    soft_labels: ArrayLike | None, labels: NDArray, classes: NDArray
) -> NDArray[np.float64] | None:
    """Shares of the classes in each clip, or None.

    Parameters
    ----------
    soft_labels : array-like of shape (n_clips, n_classes), DataFrame or None
        Shares; columns in the order of `classes`, or named by labels in a DataFrame.
    labels : array of shape (n_clips,)
        The label of each clip.
    classes : array of shape (n_classes,)
        Sorted labels.

    Returns
    -------
    float64 array of shape (n_clips, n_classes), or None
        Rows sum to 1.

    Raises
    ------
    ValueError
        If the shape or the columns do not fit, shares are negative or not finite, rows do not sum
        to 1, or a clip's label has not the largest share.
    """
    if soft_labels is None:
        return None
    known = classes.tolist()
    if hasattr(soft_labels, "columns"):
        columns = list(soft_labels.columns)
        if len(set(columns)) != len(columns) or not set(columns) <= set(known):
            raise ValueError(
                f"the columns of soft_labels must be labels, each once, of {known}, got {columns}"
            )
        soft_labels = soft_labels.reindex(columns=known, fill_value=0.0)
    shares = np.array(soft_labels, dtype=np.float64)  # pandas hands out read-only arrays
    if shares.shape != (len(labels), len(known)):
        raise ValueError(
            f"soft_labels must have a row for each of {len(labels)} clips and a column for each of "
            f"the labels {known}, got shape {shares.shape}"
        )
    if not (shares >= 0).all() or not np.allclose(shares.sum(axis=1), 1.0, rtol=0, atol=1e-6):
        row = np.flatnonzero(~((shares >= 0).all(1) & (abs(shares.sum(1) - 1) <= 1e-6)))[0]
        raise ValueError(
            "soft_labels must be shares, at least 0 and 1 in sum for each clip; those of clip "
            f"{row} are {shares[row].tolist()}"
        )
    own = shares[np.arange(len(labels)), np.searchsorted(classes, labels)]
    wrong = np.flatnonzero(own < shares.max(axis=1) - 1e-9)
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"y must be the label with the largest share: clip {row} is {labels[row]!r} in y, and "
            f"{known[shares[row].argmax()]!r} has a larger share in soft_labels"
        )
    return shares


def _check_none_missing(values: NDArray, name: str, advice: str) -> None:
    missing = [i for i, value in enumerate(values.tolist()) if _is_missing(value)]
    if missing:
        raise ValueError(
            f"{name} holds NaN or None at {len(missing)} place(s), the first at clip "
            f"{missing[0]}. {advice}"
        )


def _is_missing(value: object) -> bool:
    # pandas.NA by its name, since pandas may not be there; comparing it is an error.
    return value is None or type(value).__name__ == "NAType" or value != value


def _check_whole(labels: NDArray[np.floating], name: str) -> None:
    """Floats must be whole numbers; in scikit-learn's words, which its checks look for."""
    if np.isinf(labels).any():
        raise ValueError(f"{name} contains infinity; labels are text or whole numbers.")
    if (labels != np.floor(labels)).any():
        raise ValueError(
            f"Unknown label type: continuous. {name} holds numbers that are not whole; cut them "
            "into classes first."
        )


def encode_labels(labels: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """Sorted classes and the code of each label.

    Raises
    ------
    ValueError
        If there is one class only.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only ({classes.tolist()[0]!r}), but telling emotions apart takes "
            "at least 2 classes."
        )
    return classes, codes


def local_generator(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Like check_random_state, but None is fresh entropy and not NumPy's global generator."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def check_groups(groups: ArrayLike | None, n_clips: int) -> NDArray[np.int64] | None:
    """Codes of the people, or None.

    Raises
    ------
    ValueError
        If there is not one group for each clip, or one is missing.
    TypeError
        If groups are of kinds that have no order, or of several: text and numbers.
    """
    if groups is None:
        return None
    try:
        people = np.asarray(_kept_apart(groups))
    except ValueError as error:
        raise ValueError(
            f"groups holds lists of several lengths; expected one person for each clip, "
            f"({n_clips},)."
        ) from error
    if people.ndim != 1:
        raise ValueError(
            f"groups has shape {people.shape}; expected one person for each clip, ({n_clips},)."
        )
    missing = [i for i, person in enumerate(people.tolist()) if _is_missing(person)]
    if missing:
        raise ValueError(
            f"groups holds NaN or None, the first at clip {missing[0]}. Every clip needs a person."
        )
    if len(people) != n_clips:
        raise ValueError(
            f"groups has {len(people)} entries for {n_clips} clips; give the person of each clip."
        )
    if people.dtype.kind == "O" and len(_kinds(people)) > 1:
        raise TypeError(
            "groups holds people named in several ways, such as by text and by numbers; "
            "1 and '1' might be one person or two. Give all as text or all as numbers."
        )
    try:
        return np.unique(people, return_inverse=True)[1]
    except TypeError as error:
        raise TypeError(
            f"groups holds {type(people[0]).__name__} values, which cannot be sorted ({error}). "
            "Give the people as text or numbers."
        ) from error


def check_measured(views: Views) -> None:
    """Refuse clips in which nothing is measured.

    Raises
    ------
    ValueError
        With the first such clip and their number.
    """
    empty = np.flatnonzero(~views.present.any(axis=1))
    if len(empty):
        raise ValueError(
            f"{len(empty)} clip(s) hold no measured value in any modality (all NaN), the first is "
            f"clip {empty[0]}. Leave such clips out: there is nothing to answer from."
        )


def note_features(estimator, X, views: Views, *, reset: bool) -> None:
    """Set (reset) or compare `n_features_in_` and `feature_names_in_`, as scikit-learn does.

    A 2-D array or DataFrame is compared by columns and names, a 3-D array by channels; all
    others are compared by modality when they are converted.
    """
    shape = getattr(X, "shape", None)
    if isinstance(X, Views) or not isinstance(shape, tuple):
        shape = ()
    if reset:
        trial = copy.copy(estimator)  # validate_data may set one of the two and then refuse
        trial.__dict__.pop("feature_names_in_", None)
        trial.n_features_in_ = views.shape[1]
        if len(shape) in (2, 3):
            validate_data(trial, X, reset=True, skip_check_array=True)
        estimator.__dict__.pop("feature_names_in_", None)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(trial, name):
                setattr(estimator, name, getattr(trial, name))
    elif len(shape) == 2 and shape[1] == estimator.n_features_in_:
        validate_data(estimator, X, reset=False, skip_check_array=True)


def resolve_device(device: str) -> str:
    """Name of the torch device that is meant.

    Raises
    ------
    ValueError
        If torch does not know the device, or there is none.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r} is not a torch device; use 'auto', 'cpu' or 'cuda'."
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device!r}, but torch finds no CUDA device; use 'auto' or 'cpu'.")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, NotImplementedError) as error:
        raise ValueError(f"device={device!r} is none that torch can use here: {error}") from error
    return device

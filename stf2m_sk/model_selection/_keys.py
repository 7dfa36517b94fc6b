"""By what a cache tells one setting from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any

import joblib
import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from stf2m_sk._own_code import own_code
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.model_selection._plan import Fold
from stf2m_sk.model_selection._scoring import Metric
from stf2m_sk.views import Views

__all__ = ["describe", "describe_data", "describe_task", "key_of"]


def key_of(description: Any) -> str:
    """A short name for a description: the SHA-256 of its JSON, in hexadecimal."""
    text = json.dumps(description, sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


def describe_data(X: Any, clips: Clips) -> dict[str, Any]:
    """All bytes that a score can depend on, as digests."""
    columns = {
        name: describe(None if column is None else np.asarray(column))
        for name, column in zip(clips._fields, clips, strict=True)
    }
    return {"X": describe(X), **columns}


def describe_task(
    estimator: Any, fold: Fold, metrics: dict[str, Metric], data: Any, **how: Any
) -> dict[str, Any]:
    """Everything that decides the rows of one estimator and one fold.

    Parameters
    ----------
    estimator : estimator
        Its class and all its parameters, ``random_state`` and those of its parts included.
    fold : Fold
        Training rows and episodes.
    metrics : dict of str to Metric
        What is scored.
    data : dict
        From `describe_data`.
    **how
        Further settings.

    Returns
    -------
    dict
        That JSON can write.

    Raises
    ------
    TypeError
        If the value of a parameter does not tell it from another.
    """
    episodes = hashlib.sha256()
    for one in fold.episodes:
        head = [str(one.person), one.draw, one.shots, one.ways.tolist()]
        episodes.update(json.dumps(head).encode())
        for rows in (one.support, one.query, one.unlabelled):
            episodes.update(np.int64(len(rows)).tobytes() + rows.astype(np.int64).tobytes())
    return {
        "format": 1,
        "code": own_code(),
        "versions": [np.__version__, sklearn.__version__, torch.__version__],
        "data": data,
        "estimator": describe(estimator),
        "train": describe(np.asarray(fold.train)),
        "episodes": episodes.hexdigest(),
        "metrics": {name: describe(metric.source) for name, metric in metrics.items()},
        "how": describe(how),
    }


def describe(value: Any) -> Any:
    """A value in a form that JSON can write and that is equal for equal values only.

    Raises
    ------
    TypeError
        If there is none: a lambda, or an object whose state is not known.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from stf2m_sk.model_selection._keys import describe
    >>> describe(LogisticRegression(C=2.0)) == describe(LogisticRegression(C=2.0))
    True
    >>> describe(LogisticRegression(C=2.0)) == describe(LogisticRegression(C=3.0))
    False
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | complex | bytes | range | slice):
        return [type(value).__name__, repr(value)]
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value))
    if isinstance(value, Mapping):
        return {"mapping": [[describe(key), describe(value[key])] for key in value]}
    if isinstance(value, list | tuple | set | frozenset):
        parts = [describe(part) for part in value]
        if isinstance(value, set | frozenset):
            parts.sort(key=lambda part: json.dumps(part, sort_keys=True))
        return {type(value).__name__: parts}
    if isinstance(value, Views):
        return {"Views": [repr(value.schema), *(_array(value[name]) for name in value.names)]}
    return _object(value)


def _array(array: NDArray) -> Any:
    if array.dtype.kind == "O":
        return ["array", list(array.shape), describe(array.ravel().tolist())]
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return ["array", array.dtype.str, list(array.shape), content]


def _object(value: Any) -> Any:
    if isinstance(value, type | BuiltinFunctionType | np.ufunc):
        return ["named", _name(value)]
    if isinstance(value, FrozenEstimator):
        return {"frozen": key_of(_fitted(value.estimator))}
    if isinstance(value, BaseEstimator) or callable(getattr(value, "get_params", None)):
        parameters = value.get_params(deep=False)
        return {
            _name(type(value)): [[name, describe(parameters[name])] for name in sorted(parameters)]
        }
    if isinstance(value, np.random.RandomState):
        return {"RandomState": joblib.hash(value.get_state(), hash_name="sha1")}
    if isinstance(value, FunctionType):
        return _function(value)
    if isinstance(value, partial):
        return {"partial": [describe(part) for part in (value.func, value.args, value.keywords)]}
    if hasattr(value, "dtypes") or hasattr(value, "tocsr"):  # a data frame, a sparse matrix
        return {_name(type(value)): joblib.hash(value, hash_name="sha1")}
    if " at 0x" not in repr(value):  # such as scikit-learn's scorers
        return {_name(type(value)): repr(value)}
    raise TypeError(
        f"a cache cannot tell {value!r} from another {type(value).__name__}: it has neither "
        "get_params nor a repr that shows its state. Leave out cache, or pass what is named."
    )


def _fitted(estimator: Any) -> Any:
    """What a fitted estimator has learned, beside its parameters."""
    if isinstance(estimator, Pipeline):
        return [[name, _fitted(step)] for name, step in estimator.steps]
    if isinstance(estimator, STF2MClassifier):
        return [describe(estimator), _learned(estimator.model_)]
    try:
        return [_name(type(estimator)), joblib.hash(estimator, hash_name="sha1")]
    except Exception as error:
        raise TypeError(
            f"a cache cannot tell a fitted {type(estimator).__name__} from another ({error}). "
            "Leave out cache."
        ) from error


def _learned(model: FittedModel) -> Any:
    weights = model.module.state_dict()
    tensors = [weights[name] for name in sorted(weights)] + list(model.population)
    labels = [model.population_classes, model.classes, tuple(model.priors)]
    person = [model.person, model.support, model.support_weight]
    values = [repr(model.schema), *(one.cpu().numpy() for one in tensors), model.numbers]
    return describe([*values, *labels, *person])


def _function(function: FunctionType) -> Any:
    if "<lambda>" in function.__qualname__ or "<locals>" in function.__qualname__:
        raise TypeError(
            f"a cache cannot tell {function.__qualname__!r} from another function made in the same "
            "place. Leave out cache, or define it at the top of a module."
        )
    code = function.__code__
    content = code.co_code + repr([c for c in code.co_consts if not hasattr(c, "co_code")]).encode()
    return [_name(function), hashlib.sha256(content).hexdigest()]


def _name(value: Any) -> str:
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}"

"""The one conversion from every X that is accepted to Views."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from stf2m_sk.views._arrays import check_some_clips, plain_array, real_array
from stf2m_sk.views._container import Views
from stf2m_sk.views._schema import ViewSchema


def as_views(X: Any, schema: ViewSchema | Mapping[str, Mapping[str, Any]] | None = None) -> Views:
    """Convert any accepted X to Views.

    Parameters
    ----------
    X : Views, mapping, list, array-like or data frame
        One of:

        - Views: returned as they are;
        - a mapping of modality name to array ``(n_clips, n_channels, n_timesteps)``;
        - a list or tuple of such ndarrays: modalities, named by `schema`, else
          ``"modality0"``, ``"modality1"``, ... (any other list is read as rows);
        - one array ``(n_clips, n_channels, n_timesteps)``: the modality ``"signal"``; with
          `schema` its channels are shared out in order;
        - one array ``(n_clips, n_features)`` or a data frame with a ``to_numpy`` method: the
          modality ``"features"``, each feature a channel of one time step; with `schema` it
          is the flat form of Views of that very schema.

        Objects are read as numbers where they are numbers. NaN, and a missing entry of a data
        frame, means not measured.
    schema : ViewSchema or mapping, default=None
        What the modalities are. Rates and channel names come from it where X has none. X may
        lack modalities and may have other lengths (but for the flat form); see
        `Views.conform`. None: X says it all.

    Returns
    -------
    Views
        With at least one clip, in the order of `schema` if given. Shares memory with X where
        no conversion is needed.

    Raises
    ------
    TypeError
        If X is sparse, a list of Views, or holds objects that are not numbers.
    ValueError
        If X is empty, ragged, complex, infinite somewhere, of the wrong number of dimensions,
        or at odds with `schema`.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.views import as_views
    >>> as_views(np.zeros((4, 3, 100)))
    Views(4 clips: signal 3x100; all measured)
    >>> as_views(np.zeros((4, 10)))
    Views(4 clips: features 10x1; all measured)
    >>> schema = {"eda": {"n_channels": 1, "n_timesteps": 8}, "hr": {"n_channels": 1, "rate": 1}}
    >>> as_views(np.zeros((4, 9)), schema)
    Views(4 clips: eda 1x8, hr 1x1 @ 1 Hz; all measured)
    """
    if schema is not None:
        schema = ViewSchema.coerce(schema)
    views = _read(X, schema)
    check_some_clips(views.shape, "X")
    return views if schema is None else views.conform(schema)


def _read(X: Any, schema: ViewSchema | None) -> Views:
    if isinstance(X, Views):
        return X
    if isinstance(X, Mapping) and not issparse(X):  # SciPy's dok_array is a dict
        return Views({name: _numbers(a, f"modality {name!r}") for name, a in X.items()})
    if isinstance(X, list | tuple):
        if any(isinstance(element, Views) for element in X):
            raise TypeError("X is a list with Views in it; join them with Views.concatenate(X)")
        if X and all(isinstance(a, np.ndarray) and a.ndim == 3 for a in X):
            return _from_list(X, schema)
    return _from_array(_table_or_array(X), schema)


def _from_list(arrays: Sequence[NDArray], schema: ViewSchema | None) -> Views:
    names = schema.names if schema is not None else [f"modality{i}" for i in range(len(arrays))]
    if len(names) != len(arrays):
        raise ValueError(
            f"X is a list of {len(arrays)} modalities, but the schema has {len(names)}: "
            f"{list(names)}; pass a dict by name where some are absent"
        )
    return _read(dict(zip(names, arrays, strict=True)), schema)


def _from_array(X: NDArray, schema: ViewSchema | None) -> Views:
    if X.ndim < 2:
        raise ValueError(
            f"Expected a 2-D or 3-D X, given the shape {X.shape}. Reshape your data either using "
            "X.reshape(-1, 1) if it has a single feature or X.reshape(1, -1) if it is one clip."
        )
    if X.ndim > 3:
        raise ValueError(
            "Expected X of shape (n_clips, n_features) or (n_clips, n_channels, n_timesteps), "
            f"given the shape {X.shape}"
        )
    X = _numbers(X, "X")
    check_some_clips(X.shape, "X")
    if X.ndim == 3:
        return Views({"signal": X}) if schema is None else _share_out_channels(X, schema)
    if X.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    return Views({"features": X[:, :, np.newaxis]}) if schema is None else _unflatten(X, schema)


def _share_out_channels(X: NDArray, schema: ViewSchema) -> Views:
    n_channels = [modality.n_channels for modality in schema]
    if X.shape[1] != sum(n_channels):
        raise ValueError(
            f"X has {X.shape[1]} channels, but the schema has {sum(n_channels)}: {schema}"
        )
    blocks = np.split(X, np.cumsum(n_channels)[:-1], axis=1)
    return Views(dict(zip(schema.names, blocks, strict=True)))


def _unflatten(X: NDArray, schema: ViewSchema) -> Views:
    if X.shape[1] != schema.n_flat:
        # The first words are those of scikit-learn, whose checks look for them.
        raise ValueError(
            f"X has {X.shape[1]} features, but ViewSchema is expecting {schema.n_flat} features "
            f"as input: the flat form of {schema}{_advice(X, schema)}"
        )
    blocks = np.split(X, np.cumsum([modality.n_flat for modality in schema])[:-1], axis=1)
    return Views(
        {
            modality.name: block.reshape(len(X), modality.n_channels, modality.n_timesteps)
            for modality, block in zip(schema, blocks, strict=True)
        }
    )


def _advice(X: NDArray, schema: ViewSchema) -> str:
    n_channels = sum(modality.n_channels for modality in schema)
    if len(X) != n_channels:
        return ""
    return f". If X is one clip of {n_channels} channel(s), give it a first axis: X[None]"


def _table_or_array(X: Any) -> NDArray:
    if not callable(getattr(X, "to_numpy", None)):
        return plain_array(X, "X")
    array = plain_array(X.to_numpy(), "X")
    if array.dtype.kind == "O" and hasattr(X, "isna"):
        # pandas writes a missing entry of its own types as pandas.NA, which is no number.
        array = np.where(X.isna(), np.nan, array)
    return array


def _numbers(values: Any, label: str) -> NDArray[np.floating]:
    array = plain_array(values, label)
    if array.dtype.kind != "O":
        return real_array(array, label)
    try:
        return array.astype(np.float64)
    except TypeError as error:
        raise TypeError(f"{label}: expected real numbers: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{label}: expected real numbers: {error}") from error

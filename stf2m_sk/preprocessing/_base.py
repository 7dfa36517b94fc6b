"""What the transformers on views share: reading X, keeping its form, names of columns."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from stf2m_sk._validation import note_features
from stf2m_sk.preprocessing._forms import flat_names, in_the_form_of, is_table, names_in
from stf2m_sk.views import Views, as_views


def tables_only(method: Callable) -> Callable:
    """Let `set_output` decide on the container of 2-D output, and leave other output alone."""

    @wraps(method)
    def with_container(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        output = method(self, X, *args, **kwargs)
        if isinstance(output, np.ndarray) and output.ndim == 2:
            return _wrap_data_with_container("transform", output, X, self)
        return output

    return with_container


class ViewTransformerMixin:
    """The common half of a transformer on views; stands before `TransformerMixin`.

    A subclass has `fit`, which ends in `_set_fitted`, and `_transformed`, from Views to Views.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Undo scikit-learn's own wrapping, which would make a table of Views and 3-D arrays."""
        own = {
            name: vars(cls)[name] for name in ("transform", "fit_transform") if name in vars(cls)
        }
        super().__init_subclass__(**kwargs)
        for name, method in own.items():
            setattr(cls, name, tables_only(method))

    @tables_only
    def transform(self, X: Any) -> Any:
        """Transform clips.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips as at `fit`; lengths may differ, and modalities may be absent.

        Returns
        -------
        Views, dict, list or ndarray
            In the form and the floating dtype of `X`, with the modalities that `X` has.
            `set_output` decides on the container of 2-D output only. Memory is shared with `X`
            where nothing had to be computed.

        Raises
        ------
        ValueError
            If modalities, channels or rates are not as at `fit`, or a value is infinite.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        return in_the_form_of(X, self._transformed(self._read(X)))

    @tables_only
    def fit_transform(self, X: Any, y: object = None) -> Any:
        """Fit, then transform the same clips.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips.
        y : object, default=None
            Ignored.

        Returns
        -------
        Views, dict, list or ndarray
            As from `transform`.

        Raises
        ------
        ValueError
            As `fit`.
        """
        return in_the_form_of(X, self.fit(X, y)._transformed(self._read(X)))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`, where its output is 2-D.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; must equal `feature_names_in_` where that exists.

        Returns
        -------
        ndarray of str objects
            The names of the columns of X where output columns are columns of X: by default
            `feature_names_in_`, else x0, x1 and so on. Where X has modalities and no column
            names, and where columns are new, ``<modality>_<channel>_<time step>`` of the flat
            form.

        Raises
        ------
        ValueError
            If `input_features` does not fit what was seen at fit.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        return self._names_out(self._column_names(input_features))

    def __sklearn_tags__(self) -> Any:
        """Tags: 3-D input and missing values are allowed, and float32 stays float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _read(self, X: Any) -> Views:
        """The clips as at fit, with the modalities that X has, in its order."""
        check_is_fitted(self)
        note_features(self, X, None, reset=False)
        views = as_views(X, self.schema_)
        return views.select(*names_in(X, views))

    def _set_fitted(self, X: Any, views: Views, **learned: Any) -> None:
        """Take everything that was learned, at once; an error before leaves all as it was."""
        trial = copy.copy(self)
        note_features(trial, X, views, reset=True)
        vars(self).pop("feature_names_in_", None)
        vars(self).update(
            vars(trial),
            schema_=views.schema,
            _has_columns=self.schema is None and is_table(X),
            **learned,
        )

    def _column_names(self, input_features: ArrayLike | None) -> NDArray[np.object_]:
        """Names of the columns of the flat form of X."""
        is_named = input_features is not None or hasattr(self, "feature_names_in_")
        if not (self._has_columns or is_named):
            return flat_names(self.schema_)
        names = _check_feature_names_in(self, input_features)
        if len(names) != self.schema_.n_flat:
            raise ValueError(
                f"input_features has {len(names)} names for the {self.schema_.n_flat} columns of "
                f"the flat form of {self.schema_}; leave it out"
            )
        return names

    def _names_out(self, columns: NDArray[np.object_]) -> NDArray[np.object_]:
        """Names after the transformation, from those before; the same by default."""
        return columns

"""Choosing modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from stf2m_sk.preprocessing._base import ViewTransformerMixin
from stf2m_sk.views import Views, ViewSchema, as_views


class ViewSelector(ViewTransformerMixin, TransformerMixin, BaseEstimator):
    """Keep some modalities, or leave some out.

    Parameters
    ----------
    keep : "all" or sequence of str, default="all"
        Modalities to keep; the output has them in this order.
    drop : sequence of str, default=()
        Modalities to leave out; the others keep the order of X. Not together with `keep`.
    schema : ViewSchema or dict, default=None
        Says which modalities a plain array holds: see `stf2m_sk.views.as_views`.

    Attributes
    ----------
    selected_ : tuple of str
        Names of the modalities that are kept, in order.
    schema_ : ViewSchema
        Modalities of X, before the choice.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : ndarray of str
        Column names, if X was a DataFrame with text column names.

    Notes
    -----
    Lists and plain arrays carry no names: a step behind this one has to be told what is left.
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.preprocessing import ViewSelector
    >>> from stf2m_sk.views import Views
    >>> views = Views({"eda": np.zeros((5, 1, 240)), "acc": np.ones((5, 3, 240))})
    >>> ViewSelector(drop=["acc"]).fit_transform(views)
    Views(5 clips: eda 1x240; all measured)
    """

    _parameter_constraints: ClassVar[dict] = {
        "keep": [StrOptions({"all"}), "array-like"],
        "drop": ["array-like"],
        "schema": [ViewSchema, dict, None],
    }

    def __init__(
        self,
        *,
        keep: Literal["all"] | Sequence[str] = "all",
        drop: Sequence[str] = (),
        schema: ViewSchema | dict | None = None,
    ) -> None:
        self.keep = keep
        self.drop = drop
        self.schema = schema

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: object = None) -> ViewSelector:
        """Note which modalities there are.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`.
        y : object, default=None
            Ignored.

        Returns
        -------
        ViewSelector
            The fitted selector itself.

        Raises
        ------
        ValueError
            If both `keep` and `drop` are given, a name is unknown or comes twice, no modality
            would be left, or X is not as `as_views` reads it.
        """
        views = as_views(X, self.schema)
        self._set_fitted(X, views, selected_=self._selection(views.names))
        return self

    def _selection(self, names: tuple[str, ...]) -> tuple[str, ...]:
        keeps_all = isinstance(self.keep, str)
        if not keeps_all and len(self.drop):
            raise ValueError(
                f"both keep={list(self.keep)} and drop={list(self.drop)} are given; give one"
            )
        if keeps_all:
            dropped = _checked(self.drop, "drop", names)
            selected = tuple(name for name in names if name not in dropped)
        else:
            selected = _checked(self.keep, "keep", names)
        if not selected:
            raise ValueError(f"no modality would be left of {list(names)}; keep at least one")
        return selected

    def _transformed(self, views: Views) -> Views:
        # Named modalities come in the order of `keep`, others in the order of X.
        order = views.names if isinstance(self.keep, str) else self.selected_
        present = [name for name in order if name in views and name in self.selected_]
        if not present:
            raise ValueError(
                f"X has none of the modalities {list(self.selected_)} that are kept; it has "
                f"{list(views.names)}"
            )
        return views.select(*present)

    def _names_out(self, columns: NDArray[np.object_]) -> NDArray[np.object_]:
        ends = np.cumsum([modality.n_flat for modality in self.schema_])[:-1]
        blocks = dict(zip(self.schema_.names, np.split(columns, ends), strict=True))
        return np.concatenate([blocks[name] for name in self.selected_])


def _checked(given: Sequence[str], parameter: str, names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"{parameter} has unknown modalities {unknown}; there are {list(names)}")
    if len(set(given)) < len(given):
        raise ValueError(f"{parameter}={list(given)} has a name more than once")
    return tuple(map(str, given))

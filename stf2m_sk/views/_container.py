"""The container of clips in several modalities."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from stf2m_sk.views import _export
from stf2m_sk.views._arrays import any_measured, cast, stack_padded
from stf2m_sk.views._construction import checked_modalities
from stf2m_sk.views._display import html_table, summary
from stf2m_sk.views._indexing import clip_key
from stf2m_sk.views._schema import Modality, ViewSchema, conformed, union


class Views:
    """Clips recorded in several modalities, each with its own rate and length.

    Indexing by clip gives Views and indexing by name gives an array, so that scikit-learn's
    tools (splitters, `cross_val_score`, `check_array`) hold Views like any other X. An integer
    gives Views of one clip; slices share memory, masks and index arrays copy. NaN means not
    measured: a frame, a channel or a whole modality of a clip.

    Parameters
    ----------
    modalities : mapping of str to array-like of shape (n_clips, n_channels, n_timesteps)
        At least one modality, all with the same number of clips, which is at least one.
        float32 and float64 are kept; float16, bool and integers of at most 16 bits become
        float32, other real numbers float64; if modalities differ, all become float64. Masked
        entries become NaN. Arrays that need no conversion are **not copied**: writing to them
        later changes these views.
    rates : mapping of str to float, default=None
        Sampling rates in Hz; a modality that is left out has an unknown rate.
    channel_names : mapping of str to sequence of str, default=None
        Names of the channels; a modality that is left out has unknown names.

    Raises
    ------
    TypeError
        If an argument is not a mapping, or a name is not a str.
    ValueError
        If an array is not three-dimensional, empty, ragged, not of real numbers, infinite
        somewhere or of another number of clips; if `rates` or `channel_names` do not fit.

    Notes
    -----
    Views are not to be modified: methods return new ones, which share memory where they can.

    Source: "view" is the word of ST-F2M (arXiv 2412.13541, abstract) for one modality of one
    emotion; the container is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.views import Views
    >>> eda, acc = np.zeros((5, 1, 240)), np.ones((5, 3, 240))
    >>> eda[0] = np.nan
    >>> views = Views({"eda": eda, "acc": acc}, rates={"eda": 8, "acc": 8})
    >>> views
    Views(5 clips: eda 1x240 @ 8 Hz, acc 3x240 @ 8 Hz; 5.0 % not measured)
    >>> views["acc"].shape, views[1:3]["acc"].shape, views[-1].shape
    ((5, 3, 240), (2, 3, 240), (1, 960))
    """

    ndim = 2  # of the flat form

    def __init__(
        self,
        modalities: Mapping[str, ArrayLike],
        *,
        rates: Mapping[str, float | None] | None = None,
        channel_names: Mapping[str, Sequence[str] | None] | None = None,
    ) -> None:
        self._arrays, self._schema = checked_modalities(modalities, rates, channel_names)

    @classmethod
    def _trusted(cls, arrays: dict[str, NDArray[np.floating]], schema: ViewSchema) -> "Views":
        # For arrays that come from checked Views; unlike __init__ it allows zero clips.
        views = object.__new__(cls)
        views._arrays, views._schema = arrays, schema
        return views

    @classmethod
    def concatenate(cls, parts: Iterable["Views"]) -> "Views":
        """Join views along the clips.

        Parameters
        ----------
        parts : iterable of Views
            At least one. Modalities are matched by name. One of different lengths is padded
            with trailing NaN to the longest, and one that a part lacks is all NaN there: not
            measured. A rate or channel names known in any part hold for all.

        Returns
        -------
        Views
            A copy, modalities in the order in which they appear; float32 only if all parts are.

        Raises
        ------
        TypeError, ValueError
            If a part is not Views; if there is none, or channels or known rates differ.

        Examples
        --------
        >>> short, long = Views({"eda": np.zeros((1, 1, 2))}), Views({"eda": np.ones((1, 1, 3))})
        >>> Views.concatenate([short, long])["eda"][:, 0]
        array([[ 0.,  0., nan],
               [ 1.,  1.,  1.]])
        """
        parts = list(parts)
        for part in parts:
            if not isinstance(part, Views):
                raise TypeError(f"every part must be Views, given {type(part).__name__}")
        if not parts:
            raise ValueError("expected at least one Views to concatenate, given none")
        schema = reduce(union, (part.schema for part in parts))
        arrays = {m.name: stack_padded([part._array_or_nan(m) for part in parts]) for m in schema}
        return cls._trusted(arrays, schema)

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(next(iter(self._arrays.values())))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return self._schema.names

    @property
    def schema(self) -> ViewSchema:
        """The modalities with their channels, lengths and rates."""
        return self._schema

    @property
    def dtype(self) -> np.dtype:
        """The type of all values, float32 or float64."""
        return next(iter(self._arrays.values())).dtype

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the flat form, ``(n_clips, n_flat)``."""
        return self.n_clips, self._schema.n_flat

    @property
    def nbytes(self) -> int:
        """Number of bytes of all values."""
        return sum(array.nbytes for array in self._arrays.values())

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether a clip has any measured value of a modality, (n_clips, n_modalities)."""
        return np.stack([any_measured(array) for array in self._arrays.values()], axis=1)

    def measured(self, name: str) -> NDArray[np.bool_]:
        """Tell which values of a modality were measured.

        Parameters
        ----------
        name : str
            Name of the modality.

        Returns
        -------
        ndarray of bool, shape (n_clips, n_channels, n_timesteps)
            False where the value is NaN.

        Raises
        ------
        KeyError
            If there is no such modality.

        Examples
        --------
        >>> Views({"hr": [[[61.0, float("nan")]]]}).measured("hr")
        array([[[ True, False]]])
        """
        return ~np.isnan(self._array(name))

    def select(self, *names: str) -> "Views":
        """Keep some modalities, in the order given.

        Parameters
        ----------
        *names : str
            Names of the modalities to keep, each once.

        Returns
        -------
        Views
            Shares memory with these.

        Raises
        ------
        KeyError, TypeError
            If there is no such modality, or a name is not a str.
        ValueError
            If no name is given, or one twice.

        Examples
        --------
        >>> Views({"eda": [[[0.3, 0.4]]], "hr": [[[61.0]]]}).select("hr")
        Views(1 clip: hr 1x1; all measured)
        """
        arrays = {name: self._array(name) for name in names}
        return Views._trusted(arrays, ViewSchema(self._schema[name] for name in names))

    def drop(self, *names: str) -> "Views":
        """Leave out some modalities.

        Parameters
        ----------
        *names : str
            Names of the modalities to leave out.

        Returns
        -------
        Views
            Shares memory with these.

        Raises
        ------
        KeyError, TypeError, ValueError
            As in `select`; also if no modality would be left.

        Examples
        --------
        >>> Views({"eda": [[[0.3, 0.4]]], "hr": [[[61.0]]]}).drop("hr")
        Views(1 clip: eda 1x2; all measured)
        """
        for name in names:
            self._array(name)  # raises for a name that is not here
        return self.select(*(name for name in self.names if name not in names))

    def conform(self, schema: ViewSchema | Mapping[str, Mapping[str, Any]]) -> "Views":
        """Bring these views to the modalities of a schema.

        Parameters
        ----------
        schema : ViewSchema or mapping
            What is expected, usually what a classifier was fitted on. Lengths may differ from
            it. Where only one side knows a rate or channel names, that side counts.

        Returns
        -------
        Views
            The modalities of `schema` in its order. One that is absent here has a single time
            step of NaN: not measured. These very views if nothing had to change.

        Raises
        ------
        ValueError
            If a modality is unknown to the schema, or differs from it in the number of
            channels, in the rate or in the channel names.

        Examples
        --------
        >>> fitted = {"eda": {"n_channels": 1, "rate": 8}, "hr": {"n_channels": 1, "rate": 1}}
        >>> Views({"hr": [[[61, 60, 60]]]}).conform(fitted)
        Views(1 clip: eda 1x1 @ 8 Hz, hr 1x3 @ 1 Hz; 25.0 % not measured)
        """
        agreed = conformed(self._schema, ViewSchema.coerce(schema))
        if agreed == self._schema:
            return self
        return Views._trusted({m.name: self._array_or_nan(m) for m in agreed}, agreed)

    def astype(self, dtype: DTypeLike) -> "Views":
        """Convert all values to float32 or float64.

        Parameters
        ----------
        dtype : dtype-like
            ``float32`` or ``float64``.

        Returns
        -------
        Views
            These very views if they have this type already.

        Raises
        ------
        ValueError
            If `dtype` is another one, or a value is too large for it.

        Examples
        --------
        >>> Views({"hr": [[[61.0]]]}).astype("float32").dtype
        dtype('float32')
        """
        dtype = np.dtype(dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"Views hold float32 or float64, given {dtype}")
        if dtype == self.dtype:
            return self
        arrays = {name: cast(array, dtype, name) for name, array in self._arrays.items()}
        return Views._trusted(arrays, self._schema)

    def equals(self, other: object) -> bool:
        """Tell whether `other` holds the same clips; NaN equals NaN.

        Parameters
        ----------
        other : object
            Anything; only Views can be equal.

        Returns
        -------
        bool
            Whether schemas (order, rates and channel names too) and values, of any dtype, agree.

        Examples
        --------
        >>> views = Views({"hr": [[[61.0, float("nan")]]]})
        >>> views.equals(views.astype("float32")), views.equals(Views({"hr": [[[61.0, 60.0]]]}))
        (True, False)
        """
        if not isinstance(other, Views) or self._schema != other._schema:
            return False
        return all(np.array_equal(self[n], other[n], equal_nan=True) for n in self.names)

    def to_dict(self) -> dict[str, NDArray[np.floating]]:
        """Return the arrays by name, without a copy.

        Returns
        -------
        dict of str to ndarray of shape (n_clips, n_channels, n_timesteps)
            Modalities in their order.

        Examples
        --------
        >>> Views({"hr": [[[61.0, 60.0]]]}).to_dict()
        {'hr': array([[[61., 60.]]])}
        """
        return dict(self._arrays)

    to_flat = _export.to_flat
    to_panel = _export.to_panel
    to_table = _export.to_table

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> NDArray:
        """Return the flat form, which is always a copy."""
        if copy is False:
            raise ValueError("the flat form of Views is always a copy; ask for copy=None or True")
        return np.asarray(self.to_flat(), dtype=dtype)

    def __len__(self) -> int:
        """Return the number of clips."""
        return self.n_clips

    def __iter__(self) -> Iterator["Views"]:
        """Iterate over the clips, each as Views of one clip."""
        return (self[clip] for clip in range(self.n_clips))

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a modality of this name."""
        return name in self._schema

    @overload
    def __getitem__(self, key: str) -> NDArray[np.floating]: ...
    @overload
    def __getitem__(self, key: SupportsIndex | slice | ArrayLike | tuple) -> "Views": ...

    def __getitem__(self, key: Any) -> "NDArray[np.floating] | Views":
        """Return the array of a modality by its name, or Views of clips by any other key."""
        if isinstance(key, str):
            return self._array(key)
        clips = clip_key(key, self.n_clips)
        return Views._trusted({name: a[clips] for name, a in self._arrays.items()}, self._schema)

    def __repr__(self) -> str:
        """Return clips, modalities and the share of values not measured on one line."""
        return summary(self._schema, self._arrays)

    def _repr_html_(self) -> str:
        return html_table(self._schema, self._arrays)

    def _array(self, name: str) -> NDArray[np.floating]:
        if not isinstance(name, str):
            raise TypeError(f"modalities are named by str, one by one; given {name!r}")
        return self._arrays[self._schema[name].name]  # the KeyError of the schema says more

    def _array_or_nan(self, modality: Modality) -> NDArray[np.floating]:
        if modality.name in self:
            return self._arrays[modality.name]
        return np.full((self.n_clips, modality.n_channels, 1), np.nan, dtype=self.dtype)

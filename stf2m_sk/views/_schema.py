"""What a recording is made of: the modalities, their channels, lengths and rates."""

import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

from stf2m_sk.views._html import HEADS, cells, table

_FIELDS = ("n_channels", "n_timesteps", "rate", "channel_names")


@dataclass(frozen=True)
class Modality:
    """One kind of measurement: its name, channels, length and sampling rate.

    Parameters
    ----------
    name : str
        A name that is not empty, for example ``"eda"``.
    n_channels : int
        Number of channels, at least 1.
    n_timesteps : int
        Number of time steps of a clip, at least 1.
    rate : float, default=None
        Sampling rate in Hz; None means unknown.
    channel_names : tuple of str, default=None
        One name for each channel, all different; None means unknown. Any iterable of str is
        stored as a tuple.

    Raises
    ------
    TypeError
        If a value is of the wrong type.
    ValueError
        If a value is out of range, or the channel names do not fit `n_channels`.

    Notes
    -----
    Source: ours. The abstract of ST-F2M (arXiv 2412.13541) speaks of multi-modal recordings
    and leaves their layout open.

    Examples
    --------
    >>> from stf2m_sk.views import Modality
    >>> acc = Modality("acc", n_channels=3, n_timesteps=240, rate=8, channel_names="x y z".split())
    >>> print(acc)
    acc 3x240 @ 8 Hz
    >>> acc.n_flat
    720
    """

    name: str
    n_channels: int
    n_timesteps: int
    rate: float | None = None
    channel_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check every field and bring it to its plain Python type."""
        if not isinstance(self.name, str):
            raise TypeError(f"the name of a modality must be a str, given {self.name!r}")
        if not self.name:
            raise ValueError("the name of a modality must not be empty")
        checked = {
            "name": str(self.name),
            "n_channels": self._positive_int("n_channels"),
            "n_timesteps": self._positive_int("n_timesteps"),
            "rate": None if self.rate is None else self._positive_rate(),
            "channel_names": None if self.channel_names is None else self._distinct_names(),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)

    def _positive_int(self, field: str) -> int:
        value = getattr(self, field)
        try:
            number = operator.index(value)
        except TypeError:
            number = None
        if number is None or isinstance(value, bool):
            raise TypeError(f"modality {self.name!r}: {field} must be an int, given {value!r}")
        if number < 1:
            raise ValueError(f"modality {self.name!r}: {field} must be at least 1, given {number}")
        return number

    def _positive_rate(self) -> float:
        if not isinstance(self.rate, Real) or isinstance(self.rate, bool):
            raise TypeError(
                f"modality {self.name!r}: rate must be a number of Hz or None, given {self.rate!r}"
            )
        rate = float(self.rate)
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(
                f"modality {self.name!r}: rate must be positive and finite (Hz), given {rate}"
            )
        return rate

    def _distinct_names(self) -> tuple[str, ...]:
        given = self.channel_names
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(
                f"modality {self.name!r}: channel_names must be a sequence of str, given {given!r}"
            )
        names = tuple(given)
        if not all(isinstance(name, str) and name for name in names):
            raise TypeError(
                f"modality {self.name!r}: every channel name must be a str that is not empty, "
                f"given {names}"
            )
        if len(names) != self.n_channels:
            raise ValueError(
                f"modality {self.name!r}: {len(names)} channel names for "
                f"{self.n_channels} channels: {names}"
            )
        if len(set(names)) != len(names):
            raise ValueError(f"modality {self.name!r}: channel names must differ, given {names}")
        return tuple(str(name) for name in names)

    @property
    def n_flat(self) -> int:
        """Number of values in one clip: ``n_channels * n_timesteps``."""
        return self.n_channels * self.n_timesteps

    def __str__(self) -> str:
        """Return the name, the size and the rate where it is known."""
        rate = "" if self.rate is None else f" @ {self.rate:g} Hz"
        return f"{self.name} {self.n_channels}x{self.n_timesteps}{rate}"


@dataclass(frozen=True, repr=False)
class ViewSchema:
    """The modalities of a recording, in order.

    A schema is hashable, compares by value and iterates over its modalities.

    Parameters
    ----------
    modalities : iterable of Modality
        At least one; the names differ.

    Raises
    ------
    TypeError
        If an element is not a `Modality`.
    ValueError
        If there is none, or a name comes twice.

    Notes
    -----
    Source: ours.

    Examples
    --------
    >>> from stf2m_sk.views import Modality, ViewSchema
    >>> schema = ViewSchema([Modality("acc", 3, 240, rate=8), Modality("hr", 1, 30, rate=1)])
    >>> schema
    ViewSchema(acc 3x240 @ 8 Hz, hr 1x30 @ 1 Hz)
    >>> schema.names, schema.n_flat, schema["hr"].rate
    (('acc', 'hr'), 750, 1.0)
    """

    modalities: tuple[Modality, ...]

    def __post_init__(self) -> None:
        """Store the modalities as a tuple and check them."""
        modalities = tuple(self.modalities)
        for modality in modalities:
            if not isinstance(modality, Modality):
                raise TypeError(f"a ViewSchema is made of Modality objects, given {modality!r}")
        if not modalities:
            raise ValueError("expected at least one modality, given none")
        names = [modality.name for modality in modalities]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"the names of the modalities must differ; repeated: {repeated}")
        object.__setattr__(self, "modalities", modalities)

    @classmethod
    def from_dict(cls, schema: Mapping[str, Mapping[str, Any]]) -> "ViewSchema":
        """Build a schema from plain dictionaries, for example read from JSON.

        Parameters
        ----------
        schema : mapping of str to mapping
            For each modality, in order: ``n_channels``, and where they are known
            ``n_timesteps`` (default 1), ``rate`` (Hz) and ``channel_names``.

        Returns
        -------
        ViewSchema

        Raises
        ------
        TypeError
            If `schema` or one of its values is not a mapping.
        ValueError
            If ``n_channels`` is missing or a key is unknown.

        Examples
        --------
        >>> from stf2m_sk.views import ViewSchema
        >>> ViewSchema.from_dict({"eda": {"n_channels": 1, "n_timesteps": 240, "rate": 8.0}})
        ViewSchema(eda 1x240 @ 8 Hz)
        """
        if not isinstance(schema, Mapping):
            raise TypeError(
                "a schema must be a mapping of modality name to its description, "
                f"given {type(schema).__name__}"
            )
        return cls(_modality_from_dict(name, entry) for name, entry in schema.items())

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain dictionaries that JSON can hold; `from_dict` reads them back.

        Returns
        -------
        dict of str to dict
            What is unknown (a rate, channel names) is left out.

        Examples
        --------
        >>> from stf2m_sk.views import Modality, ViewSchema
        >>> ViewSchema([Modality("hr", 1, 30)]).to_dict()
        {'hr': {'n_channels': 1, 'n_timesteps': 30}}
        """
        return {modality.name: _modality_to_dict(modality) for modality in self}

    @classmethod
    def coerce(cls, schema: "ViewSchema | Mapping[str, Mapping[str, Any]]") -> "ViewSchema":
        """Return a `ViewSchema` as it is; read anything else with `from_dict`.

        Parameters
        ----------
        schema : ViewSchema or mapping
            See `from_dict`.

        Returns
        -------
        ViewSchema

        Raises
        ------
        TypeError, ValueError
            As in `from_dict`.

        Examples
        --------
        >>> from stf2m_sk.views import ViewSchema
        >>> schema = ViewSchema.coerce({"hr": {"n_channels": 1}})
        >>> ViewSchema.coerce(schema) is schema
        True
        """
        return schema if isinstance(schema, ViewSchema) else cls.from_dict(schema)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return tuple(modality.name for modality in self.modalities)

    @property
    def n_flat(self) -> int:
        """Number of values in one clip over all modalities."""
        return sum(modality.n_flat for modality in self.modalities)

    def __iter__(self) -> Iterator[Modality]:
        """Iterate over the modalities."""
        return iter(self.modalities)

    def __len__(self) -> int:
        """Return the number of modalities."""
        return len(self.modalities)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a modality of this name."""
        return name in self.names

    def __getitem__(self, name: str) -> Modality:
        """Return the modality of this name; a KeyError lists the names there are."""
        for modality in self.modalities:
            if modality.name == name:
                return modality
        raise KeyError(f"no modality {name!r}; there are {list(self.names)}")

    def __repr__(self) -> str:
        """Return the modalities on one line."""
        return f"ViewSchema({', '.join(map(str, self.modalities))})"

    def _repr_html_(self) -> str:
        return table("ViewSchema", HEADS, [cells(modality) for modality in self.modalities])


def reconcile(given: Modality, expected: Modality) -> Modality:
    """Return `given` completed by what `expected` knows; the length of `given` stays.

    Raises
    ------
    ValueError
        If the channels differ, or rates or channel names that are known on both sides.
    """
    where = f"modality {expected.name!r}"
    if given.n_channels != expected.n_channels:
        raise ValueError(
            f"{where}: given {given.n_channels} channels, expected {expected.n_channels}"
        )
    # Rates are often computed (1000 / 3), so the last bits do not count.
    if given.rate and expected.rate and not math.isclose(given.rate, expected.rate):
        raise ValueError(
            f"{where}: given a rate of {given.rate:.10g} Hz, expected {expected.rate:.10g} Hz; "
            "resample it first"
        )
    names = expected.channel_names or given.channel_names
    if given.channel_names not in (None, names):
        raise ValueError(
            f"{where}: given channels {given.channel_names}, expected {names} in this order"
        )
    return replace(given, rate=expected.rate or given.rate, channel_names=names)


def conformed(given: ViewSchema, expected: ViewSchema) -> ViewSchema:
    """Return the modalities of `expected`, each with the length it has in `given`, else 1.

    Raises
    ------
    ValueError
        If `given` has a modality that is not expected, or that differs; see `reconcile`.
    """
    unknown = [name for name in given.names if name not in expected]
    if unknown:
        raise ValueError(
            f"unknown modalities {unknown}; the schema has {list(expected.names)}; "
            "leave the others out with .drop(*names)"
        )
    return ViewSchema(
        reconcile(given[modality.name], modality)
        if modality.name in given
        else replace(modality, n_timesteps=1)
        for modality in expected
    )


def union(first: ViewSchema, second: ViewSchema) -> ViewSchema:
    """Return the modalities of both, each with its longer length, in the order of `first`.

    Raises
    ------
    ValueError
        If a modality that is in both differs; see `reconcile`.
    """
    joined = {modality.name: modality for modality in first}
    for modality in second:
        known = joined.get(modality.name, modality)
        longer = max(known.n_timesteps, modality.n_timesteps)
        joined[modality.name] = replace(reconcile(modality, known), n_timesteps=longer)
    return ViewSchema(joined.values())


def _modality_from_dict(name: str, entry: Mapping[str, Any]) -> Modality:
    if not isinstance(entry, Mapping):
        raise TypeError(
            f"modality {name!r}: expected a mapping with the keys {list(_FIELDS)}, given {entry!r}"
        )
    unknown = [key for key in entry if key not in _FIELDS]
    if unknown:
        raise ValueError(f"modality {name!r}: unknown keys {unknown}; expected {list(_FIELDS)}")
    if "n_channels" not in entry:
        raise ValueError(f"modality {name!r}: n_channels is missing, given {list(entry)}")
    return Modality(name, **{"n_timesteps": 1, **entry})


def _modality_to_dict(modality: Modality) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "n_channels": modality.n_channels,
        "n_timesteps": modality.n_timesteps,
    }
    if modality.rate is not None:
        entry["rate"] = modality.rate
    if modality.channel_names is not None:
        entry["channel_names"] = list(modality.channel_names)
    return entry

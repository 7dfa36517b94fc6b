"""How a model's recordings were read and cut, kept as JSON beside the model."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import stf2m_sk
from stf2m_sk.cli._csv_files import CsvLayout

__all__ = ["Adapted", "Settings", "read_settings", "write_settings"]

_FORMAT = 1


@dataclass(frozen=True)
class Adapted:
    """What a model was adapted with.

    Attributes
    ----------
    person : str
        Whom it knows.
    labelled : dict of str to int
        Labelled clips, by label.
    unlabelled : int
        Clips of the recording.
    """

    person: str
    labelled: dict[str, int]
    unlabelled: int

    def __post_init__(self) -> None:
        _check_type("adapted.person", self.person, str)
        _check_dict("adapted.labelled", self.labelled, int)
        _check_type("adapted.unlabelled", self.unlabelled, int)


@dataclass(frozen=True)
class Settings:
    """What is needed to read and cut further recordings, and what the model was trained on.

    Attributes
    ----------
    window, step, trim, lag : float
        In seconds, as of `stf2m_sk.recordings.cut`.
    extracted : list of str
        Signals, such as "audio", that the standard extractors turned into others.
    units : dict of str to str
        Unit of each signal that has one.
    csv : CsvLayout
        How CSV recordings are read.
    people : list of str
        Who was trained on.
    n_recordings : int
        How many recordings they have.
    n_clips : dict of str to int
        Clips, by label.
    adapted : Adapted, default=None
        Whom it was adapted to.
    version : str
        Of the package; by default this one.

    Raises
    ------
    ValueError
        If a value is of another type, or no length of time.
    """

    window: float
    step: float
    trim: float
    lag: float
    extracted: list[str]
    units: dict[str, str]
    csv: CsvLayout
    people: list[str]
    n_recordings: int
    n_clips: dict[str, int]
    adapted: Adapted | None = None
    version: str = stf2m_sk.__version__

    def __post_init__(self) -> None:
        for name in ("window", "step", "trim", "lag"):
            _check_seconds(name, getattr(self, name), is_length=name in ("window", "step"))
        for name in ("extracted", "people"):
            _check_texts(name, getattr(self, name))
        _check_dict("units", self.units, str)
        _check_dict("n_clips", self.n_clips, int)
        _check_type("n_recordings", self.n_recordings, int)
        _check_type("version", self.version, str)
        if self.csv.time is not None:
            _check_type("csv.time", self.csv.time, str)
        if self.csv.rate is not None:
            _check_seconds("csv.rate", self.csv.rate, is_length=True)

    def adapted_to(self, person: str, labelled: dict[str, int], unlabelled: int) -> Settings:
        """The settings of a model that was adapted to a person."""
        return replace(self, adapted=Adapted(person, labelled, unlabelled))


def write_settings(path: Path, settings: Settings) -> None:
    """Write settings as JSON.

    Parameters
    ----------
    path : Path
        File to write.
    settings : Settings
        What to write.
    """
    values = {"format": _FORMAT, **asdict(settings), "csv": settings.csv._asdict()}
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_settings(path: Path) -> Settings:
    """Read what `write_settings` has written.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    Settings

    Raises
    ------
    ValueError
        If the file is damaged or of another format; the message names the file and the value.
    """
    try:
        return _settings_of(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: cannot be used: {error}") from error


def _settings_of(saved: Any) -> Settings:
    _check_type("what it holds", saved, dict)
    found = saved.pop("format", None)
    if found != _FORMAT:
        raise ValueError(
            f"its format is {found!r}, and this stf2m_sk reads format {_FORMAT}; use the version "
            f"that wrote it, {saved.get('version')!r}"
        )
    expected = {one.name for one in fields(Settings)}
    if set(saved) != expected:
        raise ValueError(
            f"it lacks {sorted(expected - set(saved))} and has {sorted(set(saved) - expected)} "
            "beside what is expected"
        )
    saved["csv"] = CsvLayout(**saved["csv"])
    if saved["adapted"] is not None:
        saved["adapted"] = Adapted(**saved["adapted"])
    return Settings(**saved)


def _check_seconds(name: str, value: Any, *, is_length: bool) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (is_length and value == 0):
        raise ValueError(f"{name} must be a {'positive ' * is_length}number, given {value!r}")


def _check_type(name: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise ValueError(f"{name} must be of type {kind.__name__}, given {value!r}")


def _check_texts(name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{name} must be a list of texts, given {value!r}")


def _check_dict(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, dict) or not all(type(one) is kind for one in value.values()):
        raise ValueError(f"{name} must hold values of type {kind.__name__}, given {value!r}")

"""One recording, read as those were that a model was trained on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.cli._clips import with_features
from stf2m_sk.cli._people import person_of
from stf2m_sk.cli._reading import has_media_clock, parts_of, read
from stf2m_sk.cli._settings import Settings
from stf2m_sk.recordings import Recording, RecordingWarning

__all__ = ["OneRecording", "read_one"]


class OneRecording(NamedTuple):
    """A recording that a model can take.

    Attributes
    ----------
    recording : Recording
        Signals of features.
    origin : float
        Time on its clock from which a player of the file counts.
    """

    recording: Recording
    origin: float


def read_one(
    path: Path,
    classifier: STF2MClassifier,
    settings: Settings,
    *,
    labels: tuple[pd.DataFrame, Path] | None = None,
) -> OneRecording:
    """Read a recording, with the signals that a model knows.

    Parameters
    ----------
    path : Path
        File or E4 folder. Files of the same stem beside it are joined.
    classifier : STF2MClassifier
        Fitted; it says which signals are wanted.
    settings : Settings
        Of its training.
    labels : tuple of DataFrame and Path, default=None
        Labels, which may name the person. None, or no name: the stem of the path.

    Returns
    -------
    OneRecording

    Raises
    ------
    RecordingError
        If a file cannot be used, or has no signal that the model knows.

    Warns
    -----
    RecordingWarning
        If the unit of a signal is another one than in training.
    """
    name, paths = parts_of(path)
    wanted = [*settings.extracted, *classifier.schema_.names]
    person = name if labels is None else person_of(name, *labels)
    raw = read(name, paths, settings.csv, person=person, wanted=wanted)
    (recording,) = with_features([raw])
    _check_units(recording, settings)
    files = ", ".join(each.name for each in paths)
    print(f"{files}: {recording.duration:.1f} s of {', '.join(recording.signals)}")
    return OneRecording(recording, 0.0 if has_media_clock(paths) else recording.start)


def _check_units(recording: Recording, settings: Settings) -> None:
    for name, signal in recording.signals.items():
        expected = settings.units.get(name, "")
        if signal.unit and expected and signal.unit != expected:
            message = (
                f"signal {name!r} is in {signal.unit!r}, the model was trained on {expected!r}; "
                "expected the same unit"
            )
            warnings.warn(message, RecordingWarning, stacklevel=2)

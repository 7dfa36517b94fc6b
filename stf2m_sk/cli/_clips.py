"""From a folder and a table of labels to labelled clips, saying what is found on the way."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from stf2m_sk.cli._csv_files import CsvLayout, read_labels
from stf2m_sk.cli._people import match
from stf2m_sk.cli._reading import find, read
from stf2m_sk.recordings import Recording, cut, extract

__all__ = ["LabelledClips", "count_labels", "labelled_clips", "say_clips", "with_features"]

_TURNED = ("audio", "video", "text")  # by the standard extractors of `extract`


class LabelledClips(NamedTuple):
    """Clips of a folder of recordings.

    Attributes
    ----------
    clips : Bunch
        Of `stf2m_sk.recordings.cut`.
    layout : CsvLayout
        How CSV files were read.
    extracted : list of str
        Signals that were turned into others.
    units : dict of str to str
        Unit of each signal that has one.
    """

    clips: Bunch
    layout: CsvLayout
    extracted: list[str]
    units: dict[str, str]


def labelled_clips(given: argparse.Namespace) -> LabelledClips:
    """Read and cut what a command line names.

    Parameters
    ----------
    given : Namespace
        Of `add_labelled_folder` and `add_cutting`.

    Returns
    -------
    LabelledClips

    Raises
    ------
    RecordingError
        If a file cannot be used.
    """
    layout = CsvLayout.of(given.time, given.rate)
    table = read_labels(given.labels)
    raw = _read_all(given.folder, given.labels, table, layout)
    recordings = with_features(raw)
    print(f"{_n(len(recordings), 'recording')} in {given.folder}, {_signals(recordings)}")
    how = {"window": given.window, "step": given.step, "trim": given.trim, "lag": given.lag}
    clips = cut(recordings, table, **how)
    say_clips(clips, given.window)
    held = {name for recording in raw for name in recording.signals}
    return LabelledClips(
        clips, layout, [name for name in _TURNED if name in held], _units(recordings)
    )


def with_features(recordings: Sequence[Recording]) -> list[Recording]:
    """Sound, video and words turned into signals of features, with a progress bar."""
    slow = any(set(recording.signals) & set(_TURNED) for recording in recordings)
    return extract(recordings, progress=slow)


def count_labels(labels: Sequence[str]) -> dict[str, int]:
    """How often each label is there, sorted by label."""
    names, counts = np.unique(labels, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def say_clips(clips: Bunch, window: float) -> None:
    """Print how many clips there are of each label, and what was left out.

    Parameters
    ----------
    clips : Bunch
        Of `stf2m_sk.recordings.cut`.
    window : float
        Their length in seconds.
    """
    people = len(set(clips.groups.tolist()))
    print(f"{_n(len(clips.target), 'clip')} of {window:g} s, {_n(people, 'person', 'people')}")
    counts = count_labels(clips.target)
    width = max(map(len, counts))
    for label, count in counts.items():
        print(f"  {label:<{width}}  {count:>5}")
    dropped = [f"{count} {why}" for why, count in clips.n_dropped.items() if count]
    print(f"  left out: {', '.join(dropped) if dropped else 'none'}")


def _read_all(
    folder: Path, labels: Path, table: pd.DataFrame, layout: CsvLayout
) -> list[Recording]:
    found = find(folder, labels=labels)
    matched = match(found.recordings, table, labels)
    notes = {
        "left alone": found.left_alone,
        "without labels, not used": matched.without_labels,
        f"in {labels.name} but not in the folder": matched.without_recording,
    }
    for what, names in notes.items():
        if names:
            print(f"{what}: {', '.join(names)}")
    return [
        read(name, found.recordings[name], layout, person=person)
        for name, person in matched.people.items()
    ]


def _units(recordings: Sequence[Recording]) -> dict[str, str]:
    return {
        name: signal.unit
        for recording in reversed(recordings)  # so that the first one counts
        for name, signal in recording.signals.items()
        if signal.unit
    }


def _signals(recordings: Sequence[Recording]) -> str:
    names = dict.fromkeys(name for recording in recordings for name in recording.signals)
    return f"{_n(len(names), 'signal')}: {', '.join(names)}"


def _n(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"

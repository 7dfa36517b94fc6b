"""`adapt`: from a model to one that knows a person."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch

from stf2m_sk.cli._arguments import add_output, seconds
from stf2m_sk.cli._clips import count_labels, say_clips
from stf2m_sk.cli._csv_files import read_labels
from stf2m_sk.cli._model_folder import check_output, load_model, save_model
from stf2m_sk.cli._one_recording import read_one
from stf2m_sk.cli._running import reported
from stf2m_sk.cli._settings import Settings
from stf2m_sk.recordings import Recording, RecordingError, RecordingWarning, cut

__all__ = ["add_parser"]

_EXAMPLE = """\
example:
  python -m stf2m_sk adapt model new/dan.csv --labels few.csv -o dan

The labelled stretches become labelled clips, and the whole recording the person's unlabelled
clips. Label a stretch of each of the model's emotions, from its middle: an emotion without a label
is answered from the other people and missed more often, and where one begins it is not yet clear.
"""


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "adapt",
        help="personalise a model with a recording and a few labels of it",
        description="Personalise a model to the person in a recording, a few stretches of which "
        "have a label.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder that `train` wrote")
    parser.add_argument(
        "recording",
        type=Path,
        metavar="RECORDING",
        help="file or E4 folder; files of the same name before the suffix are joined",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="LABELS.csv",
        help="columns start, end and label, as in training",
    )
    parser.add_argument(
        "--trim",
        type=seconds,
        metavar="S",
        help="left out at both ends of each labelled stretch (default: as in training)",
    )
    add_output(parser, "folder for the personal model; one that is there is replaced")
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    with reported(given.parser):
        check_output(given.output)
        classifier, settings = load_model(given.model)
        if settings.adapted is not None:
            raise ValueError(
                f"{given.model}: knows {settings.adapted.person} already; adapt the model that "
                "`train` wrote, with all labels in one table"
            )
        labels = read_labels(given.labels)
        recording, _ = read_one(
            given.recording, classifier, settings, labels=(labels, given.labels)
        )
        labelled = _labelled(recording, labels, given, settings)
        unlabelled = cut(recording, label=None, window=settings.window, step=settings.step)
        say_clips(labelled, settings.window)
        print(f"{len(unlabelled.views)} unlabelled clips")
        _warn_of_missing(sorted(set(classifier.classes_) - set(labelled.target)))
        person = classifier.adapt(labelled.views, labelled.target, unlabelled=unlabelled.views)
        adapted = settings.adapted_to(
            recording.person or recording.name,
            count_labels(labelled.target),
            len(unlabelled.views),
        )
        save_model(given.output, person, adapted)
        print(f"written: {given.output}")


def _labelled(
    recording: Recording, labels: pd.DataFrame, given: argparse.Namespace, settings: Settings
) -> Bunch:
    """Labelled clips; an error says how long a stretch must be, where trim makes it longer."""
    window, trim = settings.window, settings.trim if given.trim is None else given.trim
    try:
        return cut(
            recording, labels, window=window, step=settings.step, trim=trim, lag=settings.lag
        )
    except RecordingError as error:
        needed = (
            f" With --trim {trim:g}, as in training unless it is given, a stretch needs "
            f"{window + 2 * trim:g} s"
            if trim
            else ""
        )
        raise RecordingError(f"{given.labels}: {error}{needed}") from error


def _warn_of_missing(missing: list[str]) -> None:
    if missing:
        message = (
            f"no label of {', '.join(missing)}: they are answered from other people and may be "
            "missed more often than before; label each emotion at least once"
        )
        warnings.warn(message, RecordingWarning, stacklevel=2)

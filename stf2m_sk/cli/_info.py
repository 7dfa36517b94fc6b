"""`info`: what a model is."""

from __future__ import annotations

import argparse
from pathlib import Path

from stf2m_sk.cli._model_folder import load_model
from stf2m_sk.cli._running import reported
from stf2m_sk.cli._settings import Settings

__all__ = ["add_parser"]

_EXAMPLE = """\
example:
  python -m stf2m_sk info model
"""


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "info",
        help="say what a model was trained on and how it cuts recordings",
        description="Print the signals, emotions, people, settings and version of a model.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="folder that `train` or `adapt` wrote"
    )
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    with reported(given.parser):
        classifier, settings = load_model(given.model)
        for name, lines in _description(classifier, settings).items():
            for i, line in enumerate(lines):
                print(f"{name if i == 0 else '':<12}{line}")


def _description(classifier, settings: Settings) -> dict[str, list[str]]:
    adapted = settings.adapted
    described = {
        "written by": [f"stf2m_sk {settings.version}, {classifier.n_networks} networks"],
        "trained on": [
            f"{settings.n_recordings} recordings of {len(settings.people)} people: "
            + ", ".join(settings.people)
        ],
        "emotions": [
            f"{label}, {_clips(settings.n_clips.get(label, 0))}"
            for label in classifier.classes_.tolist()
        ],
        "signals": [_signal(modality, settings.units) for modality in classifier.schema_],
        "made from": [", ".join(settings.extracted)],
        "clips": [
            f"{settings.window:g} s, every {settings.step:g} s, trim {settings.trim:g} s, "
            f"lag {settings.lag:g} s"
        ],
        "CSV files": [_layout(settings)],
    }
    if not settings.extracted:
        del described["made from"]
    if adapted is not None:
        labelled = ", ".join(f"{label} {n}" for label, n in adapted.labelled.items())
        described["adapted to"] = [
            f"{adapted.person}, {adapted.unlabelled} unlabelled clips; labelled: {labelled}"
        ]
    return described


def _clips(number: int) -> str:
    return f"{number} training clips" if number else "not in training"


def _signal(modality, units: dict[str, str]) -> str:
    unit = units.get(modality.name)
    return f"{modality}" + (f", {unit}" if unit else "")


def _layout(settings: Settings) -> str:
    layout = settings.csv
    times = "no column of times" if layout.time is None else f"times in column {layout.time!r}"
    return times + ("" if layout.rate is None else f", {layout.rate:g} rows a second")

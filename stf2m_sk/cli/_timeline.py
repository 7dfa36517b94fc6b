"""`timeline`: from a model and a recording to an emotion for every moment."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from stf2m_sk.cli._arguments import add_output, positive
from stf2m_sk.cli._model_folder import load_model
from stf2m_sk.cli._one_recording import OneRecording, read_one
from stf2m_sk.cli._running import reported
from stf2m_sk.cli._writing import check_place, draft_file
from stf2m_sk.recordings import Timeline, predict_timeline

__all__ = ["add_parser"]

_EXAMPLE = """\
example:
  python -m stf2m_sk timeline dan new/dan.csv -o dan.vtt --plot dan.png

MODEL may be a personal model or that of `train`. The recording itself serves as the person's
unlabelled clips. Times in subtitles count from the start of the sound or video file, of other
recordings from their first sample; CSV has the times of the recording.
"""
_FORMATS: dict[str, Callable[[Timeline, OneRecording, Path], str]] = {
    ".vtt": lambda timeline, one, path: timeline.to_webvtt(origin=one.origin),
    ".srt": lambda timeline, one, path: timeline.to_srt(origin=one.origin),
    ".csv": lambda timeline, one, path: timeline.to_csv(),
    ".eaf": lambda timeline, one, path: timeline.to_elan(origin=one.origin, media=path),
}
_PICTURES = (".png", ".svg", ".pdf")


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "timeline",
        help="predict the emotion of every moment of a recording",
        description="Predict the emotion of every moment of a recording, and write it as "
        "subtitles (.vtt, .srt), a table of probabilities (.csv) or for ELAN (.eaf).",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="folder that `train` or `adapt` wrote"
    )
    parser.add_argument(
        "recording",
        type=Path,
        metavar="RECORDING",
        help="file or E4 folder; files of the same name before the suffix are joined",
    )
    parser.add_argument(
        "--step",
        type=positive,
        metavar="S",
        help="seconds from one prediction to the next (default: as in training)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="PATH",
        help=f"also draw the probabilities ({', '.join(_PICTURES)})",
    )
    add_output(parser, f"file to write: {', '.join(_FORMATS)}; one that is there is replaced")
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    with reported(given.parser):
        _check_suffix("-o", given.output, _FORMATS)
        if given.plot is not None:
            _check_suffix("--plot", given.plot, _PICTURES)
            _pyplot()  # before the work, if it is missing
        classifier, settings = load_model(given.model)
        one = read_one(given.recording, classifier, settings)
        timeline = predict_timeline(
            classifier, one.recording, window=settings.window, step=given.step or settings.step
        )
        _say(timeline)
        text = _FORMATS[given.output.suffix.lower()](timeline, one, given.recording)
        with draft_file(given.output) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
        print(f"written: {given.output}")
        if given.plot is not None:
            _draw(timeline, given.plot)
            print(f"written: {given.plot}")


def _check_suffix(option: str, path: Path, known) -> None:
    if path.suffix.lower() not in known:
        raise ValueError(f"{option} {path}: expected a name that ends in {', '.join(known)}")
    check_place(path)


def _draw(timeline: Timeline, path: Path) -> None:
    axes = timeline.plot()
    with draft_file(path) as draft:
        axes.figure.savefig(draft, format=path.suffix[1:].lower(), dpi=150)
    _pyplot().close(axes.figure)


def _pyplot():
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ImportError(
            '--plot needs matplotlib, which is not installed: pip install "stf2m_sk[plot]"'
        ) from error
    return pyplot


def _say(timeline: Timeline) -> None:
    """How much of the recording each emotion has."""
    labels = timeline.labels
    n_measured = sum(label is not None for label in labels)
    unmeasured = f", {len(labels) - n_measured} not measured" * (n_measured < len(labels))
    print(f"{len(labels)} windows{unmeasured}, {len(timeline.episodes())} episodes")
    width = max(len(str(label)) for label in timeline.classes)
    for label in timeline.classes.tolist():
        share = sum(each == label for each in labels) / max(n_measured, 1)
        print(f"  {label!s:<{width}}  {share:>4.0%}".replace("%", " %"))

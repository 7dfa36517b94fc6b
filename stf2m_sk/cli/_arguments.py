"""Arguments that several commands take, and what their values may be."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

__all__ = [
    "add_cutting",
    "add_labelled_folder",
    "add_output",
    "add_training",
    "positive",
    "seconds",
    "seed",
]


def add_labelled_folder(parser: argparse.ArgumentParser) -> None:
    """FOLDER and LABELS, and how CSV recordings are read."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="recordings, one for each name before the suffix: E4 export (.zip or folder), CSV, "
        "sound, video, subtitles, EDF, BDF, WFDB (.hea) or XDF; files of the same name are joined",
    )
    parser.add_argument(
        "labels",
        type=Path,
        metavar="LABELS.csv",
        help="columns start, end, label, and recording or person (or both): the name before the "
        "suffix; times are seconds on the recording's clock, or dates with a UTC offset",
    )
    parser.add_argument(
        "--time",
        metavar="COLUMN",
        help="column with the times of CSV recordings (default: time, unless --rate is given)",
    )
    parser.add_argument(
        "--rate",
        type=positive,
        metavar="HZ",
        help="rows a second of CSV recordings without times",
    )


def add_cutting(parser: argparse.ArgumentParser) -> None:
    """How recordings are cut into clips."""
    parser.add_argument(
        "--window", type=positive, required=True, metavar="S", help="length of a clip in seconds"
    )
    parser.add_argument(
        "--step",
        type=positive,
        metavar="S",
        help="from the start of a clip to that of the next (default: as --window)",
    )
    parser.add_argument(
        "--trim",
        type=seconds,
        default=0.0,
        metavar="S",
        help="left out at both ends of each stretch of one label (default: 0)",
    )
    parser.add_argument(
        "--lag",
        type=seconds,
        default=0.0,
        metavar="S",
        help="by which the rater is late, in the literature 1 to 6 (default: 0)",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """How the classifier is trained."""
    parser.add_argument(
        "--networks",
        type=_networks,
        default=3,
        metavar="N",
        help="networks beside the rules; at least 2, or 0: then training takes seconds "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="decides everything random (default: %(default)s)"
    )


def add_output(parser: argparse.ArgumentParser, what: str) -> None:
    """-o, which must be given: no command writes where it was not told to."""
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PATH", help=what)


def positive(text: str) -> float:
    """A finite number above 0."""
    number = _number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, given {text!r}")
    return number


def seconds(text: str) -> float:
    """A finite number of at least 0."""
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, given {text!r}")
    return number


def seed(text: str) -> int:
    """A whole number that every generator takes."""
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2**32 - 1, given {text!r}"
        )
    return int(text)


def _networks(text: str) -> int:
    if not text.isdecimal() or int(text) == 1:
        raise argparse.ArgumentTypeError(
            f"expected 0, or a whole number of at least 2, given {text!r}"
        )
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a number, given {text!r}")
    return number

"""`demo`: train, personalise, compare and draw, on the bundled recording or one's own arrays."""

from __future__ import annotations

import argparse
from pathlib import Path

from stf2m_sk.cli._arguments import seed
from stf2m_sk.cli._running import refuse

__all__ = ["add_parser"]

_LAYOUT = """\
your own file:
  --data takes one .npz file, written with numpy.savez_compressed. Its arrays:

  any name            (n_clips, n_channels, n_timesteps)  a modality; NaN = not measured
  y                   (n_clips,)                          the label of each clip
  groups              (n_clips,)                          the person in each clip
  length              (n_clips,) of int, optional         frames of each clip that exist
  length_<modality>   (n_clips,) of int, optional         the same for one modality
  rate_<modality>     one number, optional                sampling rate in Hz
  channels_<modality> (n_channels,) of str, optional      names of the channels

  Each person's clips must be in the order of recording. The demo needs 4 people or more with
  at least 3 clips of each of 2 labels: a quarter of them, at least 2, are new. Any other array
  of n_clips values is ignored. docs/data-format.md says more.
"""


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "demo",
        help="train on most people, personalise to the others, compare, draw two figures",
        description="Train on most people of a recording, personalise to the others with 0, 1, 2 "
        "and 4 labelled clips per class, and compare with three simple methods. Takes one to "
        "two minutes on the bundled recording of stress.",
        epilog=_LAYOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz",
        help="your own recording; by default the bundled one",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("stf2m_demo"),
        metavar="FOLDER",
        help="where the model and the figures go (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="decides who is new, which clips are drawn and how training starts "
        "(default: %(default)s)",
    )
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    try:
        from stf2m_sk.demo.run import prepare, run
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        refuse(
            given.parser, 'figures need matplotlib, which is not installed: pip install ".[plot]"'
        )
    try:
        recording, plan = prepare(given.data, given.output, seed=given.seed)
    except (OSError, ValueError) as error:
        refuse(given.parser, str(error))
    from stf2m_sk import STF2MClassifier

    classifier = STF2MClassifier(verbose=1, random_state=given.seed)
    run(recording, plan, classifier, given.output, seed=given.seed)

"""The command line: `python -m stf2m_sk demo` and `python -m stf2m_sk compliance`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        What follows ``python -m stf2m_sk``; by default that of this process.

    Raises
    ------
    SystemExit
        With code 2, after a message on stderr, if the arguments or the file are wrong or
        matplotlib is not installed; with code 0 after ``--help``.
    """
    given = _parser().parse_args(arguments)
    given.run(given)


def _run_demo(given: argparse.Namespace) -> None:
    try:
        from stf2m_sk.demo.run import prepare, run
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        _refuse(
            given.parser, 'figures need matplotlib, which is not installed: pip install ".[plot]"'
        )
    try:
        recording, plan = prepare(given.data, given.output, seed=given.seed)
    except (OSError, ValueError) as error:
        _refuse(given.parser, str(error))
    from stf2m_sk import STF2MClassifier

    classifier = STF2MClassifier(verbose=1, random_state=given.seed)
    run(recording, plan, classifier, given.output, seed=given.seed)


def _run_compliance(given: argparse.Namespace) -> None:
    from stf2m_sk.compliance import check_all

    print(check_all().to_markdown(), end="")


def _refuse(parser: argparse.ArgumentParser, message: str) -> None:
    parser.exit(2, f"{parser.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stf2m_sk",
        description="Fine-grained emotion recognition from few labelled recordings (ST-F2M).",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train on most people, personalise to the others, compare, draw two figures",
        description="Train on most people of a recording, personalise to the others with 0, 1, 2 "
        "and 4 labelled clips per class, and compare with three simple methods. Takes one to "
        "two minutes on the bundled recording of stress.",
        epilog=_LAYOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz",
        help="your own recording; by default the bundled one",
    )
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("stf2m_demo"),
        metavar="FOLDER",
        help="where the model and the figures go (default: %(default)s)",
    )
    demo.add_argument(
        "--seed",
        type=_seed,
        default=0,
        help="decides who is new, which clips are drawn and how training starts "
        "(default: %(default)s)",
    )
    demo.set_defaults(run=_run_demo, parser=demo)
    compliance = commands.add_parser(
        "compliance",
        help="print what scikit-learn's checks say of every estimator",
        description="Run scikit-learn's check_estimator on every public estimator with its default "
        "parameters, and print a table in Markdown. Takes one to three minutes.",
    )
    compliance.set_defaults(run=_run_compliance)
    return parser


def _seed(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**32):
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to 2**32 - 1, given {text!r}"
        )
    return int(text)


if __name__ == "__main__":
    main()

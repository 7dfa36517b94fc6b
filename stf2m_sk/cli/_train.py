"""`train`: from a folder of recordings and their labels to a model."""

from __future__ import annotations

import argparse
import sys
import time

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.cli._arguments import add_cutting, add_labelled_folder, add_output, add_training
from stf2m_sk.cli._clips import LabelledClips, count_labels, labelled_clips
from stf2m_sk.cli._model_folder import check_output, save_model
from stf2m_sk.cli._running import reported
from stf2m_sk.cli._settings import Settings

__all__ = ["add_parser"]

_EXAMPLE = """\
example:
  python -m stf2m_sk train recordings labels.csv --window 30 -o model

The model is a folder: the classifier, and the settings with which `adapt` and `timeline` read and
cut further recordings. A recording without labels is not used.
"""


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "train",
        help="train a model on recordings of several people and their labels",
        description="Read all recordings of a folder, cut them into clips, and train a model on "
        "those that have a label.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_labelled_folder(parser)
    add_cutting(parser)
    add_training(parser)
    parser.add_argument(
        "--quiet", action="store_true", help="no progress bar; without a terminal there is none"
    )
    add_output(parser, "folder for the model; one that is there is replaced")
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    with reported(given.parser):
        check_output(given.output)
        labelled = labelled_clips(given)
        clips = labelled.clips
        print(f"training with {given.networks} networks ...", flush=True)
        started = time.perf_counter()
        shows = sys.stderr.isatty() and not given.quiet
        classifier = STF2MClassifier(
            n_networks=given.networks, verbose=int(shows), random_state=given.seed
        ).fit(clips.views, clips.target, groups=clips.groups)
        classifier.set_params(verbose=0)  # the file is the same, whoever looked on
        save_model(given.output, classifier, _settings(given, labelled))
        print(f"written after {time.perf_counter() - started:.0f} s: {given.output}")


def _settings(given: argparse.Namespace, labelled: LabelledClips) -> Settings:
    clips = labelled.clips
    return Settings(
        window=given.window,
        step=given.window if given.step is None else given.step,
        trim=given.trim,
        lag=given.lag,
        extracted=labelled.extracted,
        units=labelled.units,
        csv=labelled.layout,
        people=sorted(set(clips.groups.tolist())),
        n_recordings=len(set(clips.contexts.tolist())),
        n_clips=count_labels(clips.target),
    )

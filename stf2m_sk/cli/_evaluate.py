"""`evaluate`: how well new people would be recognised, beside controls that see no signal."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.cli._arguments import add_cutting, add_labelled_folder, add_training
from stf2m_sk.cli._clips import labelled_clips
from stf2m_sk.cli._running import reported
from stf2m_sk.demo.peers import Peer
from stf2m_sk.demo.report import explain, format_table, results_of
from stf2m_sk.model_selection import (
    FewShotProtocol,
    FewShotResult,
    MajorityControl,
    NearestInTimeControl,
    compare_few_shot,
)

__all__ = ["add_parser"]

_EXAMPLE = """\
example:
  python -m stf2m_sk evaluate recordings labels.csv --window 30 --shots 0 1 2

Each person is new once: the model is trained on the others, adapts with the first clips of each
emotion, and is asked about the later ones, at least a window apart. Where it is not above "nearest
in time" it may have recognised the moment and not the emotion.
"""
_MODEL, _UNLABELLED, _TIME = "STF2M", "STF2M + unlabelled", "nearest in time"
_BLOCKS = "It is strong where each emotion is one block of the recording."
_N_DRAWS = 4


def add_parser(commands) -> None:
    """Add the command to the parsers of all commands."""
    parser = commands.add_parser(
        "evaluate",
        help="score new people with 0, 1, 2, ... labelled clips of each emotion",
        description="Train on some people of a folder, personalise to the others, and score them: "
        "balanced accuracy with intervals over people.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_labelled_folder(parser)
    add_cutting(parser)
    parser.add_argument(
        "--shots",
        type=_shots,
        nargs="+",
        default=[0, 1, 2, 4],
        metavar="N",
        help="labelled clips of each emotion (default: 0 1 2 4)",
    )
    add_training(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(given: argparse.Namespace) -> None:
    with reported(given.parser):
        clips = labelled_clips(given).clips
        classifier = STF2MClassifier(n_networks=given.networks, random_state=given.seed)
        peers = _peers(classifier)
        comparison = _compare(peers, clips, given)
        shots = sorted(given.shots)
        results = results_of(comparison, peers)
        n_people = max(interval.n for interval in results.values())
        print(
            f"\nBalanced accuracy on {n_people} people, each new once, mean [95 % interval], "
            "by labelled clips per emotion\n"
        )
        print(format_table(results, [peer.name for peer in peers], shots), end="\n\n")
        print(_beside_time(comparison))
        print(explain(peers, n_people, _N_DRAWS, _BLOCKS))
        if comparison.skipped:
            print(f"left out, too few clips: {', '.join(map(str, comparison.skipped))}")


def _peers(classifier: STF2MClassifier) -> list[Peer]:
    return [
        Peer(_MODEL, "Trained on other people, then adapted with the labelled clips.", classifier),
        Peer(
            _UNLABELLED,
            "The same, and the first half of the person's clips of each emotion without labels.",
            classifier,
        ),
        Peer(
            _TIME,
            "No signal at all: the label of the labelled clip that is nearest in the recording.",
            NearestInTimeControl(),
            needs_support=True,
        ),
        Peer("majority", "The most frequent label, whatever the clip.", MajorityControl()),
    ]


def _compare(peers: list[Peer], clips: Bunch, given: argparse.Namespace) -> FewShotResult:
    return compare_few_shot(
        {peer.name: peer.classifier for peer in peers},
        clips.views,
        clips.target,
        groups=clips.groups,
        protocol=FewShotProtocol(
            shots=given.shots,
            draws=_N_DRAWS,
            times=_one_after_another(clips.times, clips.contexts),
            gap=2 * given.window,  # between starts: a window of time lies between the two sides
            on_few="shrink",
            unlabelled=(_UNLABELLED,),
            random_state=given.seed,
        ),
    )


def _one_after_another(times: NDArray[np.float64], recordings: NDArray) -> NDArray[np.float64]:
    """Starts of clips on one clock, as that of most files counts from 0 in each recording.

    Recordings follow each other in the order of their times, and of their names where those are
    the same.
    """
    starts = np.empty(len(times))
    offset = 0.0
    names = sorted(set(recordings.tolist()))
    for name in sorted(names, key=lambda name: times[recordings == name, 0].min()):
        own = recordings == name
        first, last = times[own, 0].min(), times[own, 1].max()
        starts[own] = times[own, 0] - first + offset
        offset += last - first
    return starts


def _beside_time(comparison: FewShotResult) -> str:
    """By how much the model is above the control that sees no signal, person by person."""
    lines = []
    for row in comparison.differences(reference=_TIME).itertuples(index=False):
        if row.shots and row.second == _UNLABELLED:
            ends = f"[{-row.high:+.2f}, {-row.low:+.2f}]"
            lines.append(f"  {row.shots} labelled: {-row.difference:+.2f} {ends}")
    if not lines:
        return ""
    return "\n".join([f"{_UNLABELLED} above {_TIME}, person by person:", *lines, ""])


def _shots(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, given {text!r}")
    return int(text)

"""The whole demo: read, train, personalise, compare, draw."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.demo.figures import Timeline, draw_accuracy, draw_timeline
from stf2m_sk.demo.peers import MODEL, UNLABELLED, Peer, make_peers
from stf2m_sk.demo.protocol import N_DRAWS, SHOTS, PeopleSplit, split_people
from stf2m_sk.demo.recording import Recording, bundled_recording, own_recording
from stf2m_sk.demo.report import Results, explain, format_table, hanging, results_of
from stf2m_sk.model_selection import FewShotProtocol, FewShotResult, compare_few_shot

__all__ = ["compare", "median_person", "prepare", "run"]

_FILES = {
    "model.safetensors": "the trained model; stf2m_sk.load reads it",
    "accuracy.png": "accuracy over the number of labelled clips",
    "timeline.png": "the predictions for one person, clip by clip",
}


def prepare(data: Path | None, output: Path, *, seed: int) -> tuple[Recording, PeopleSplit]:
    """Do everything that can fail for a wrong file or folder, before the training.

    Parameters
    ----------
    data : Path or None
        A user's file; None for the bundled recording.
    output : Path
        Folder for the results; made if it is not there.
    seed : int
        Decides who is new.

    Returns
    -------
    recording : Recording
        Clips, labels and people.
    split : PeopleSplit
        Who is trained on and who is new.

    Raises
    ------
    OSError
        If the file is not there or the folder cannot be made.
    ValueError
        If the file is not in the layout or has too few people.
    """
    if data is None:
        recording = bundled_recording()
        split = split_people(recording.target, recording.groups, seed=seed)
    else:
        recording = own_recording(data)
        try:
            split = split_people(recording.target, recording.groups, seed=seed)
        except ValueError as error:
            raise ValueError(f"{data}: {error}") from error
    output.mkdir(parents=True, exist_ok=True)
    return recording, split


def run(
    recording: Recording,
    split: PeopleSplit,
    classifier: STF2MClassifier,
    output: Path,
    *,
    seed: int,
    write: Callable[[str], object] = print,
) -> Results:
    """Train, personalise to each new person, compare, save and draw.

    Parameters
    ----------
    recording : Recording
        Clips, labels and people.
    split : PeopleSplit
        From `prepare`.
    classifier : STF2MClassifier
        Will be fitted.
    output : Path
        Folder for ``model.safetensors``, ``accuracy.png`` and ``timeline.png``.
    seed : int
        Of the episodes and of the random forests.
    write : callable, default=print
        Takes the lines of the report.

    Returns
    -------
    mapping of (name, shots) to Interval
        What the table shows.
    """
    started = time.perf_counter()
    write(_introduction(recording, split))
    train = split.train
    classifier.fit(recording.views[train], recording.target[train], groups=recording.groups[train])
    fitted = time.perf_counter()
    peers = make_peers(classifier, seed=seed)
    comparison = compare(peers, recording, split, seed=seed)
    results = results_of(comparison, peers)
    write(_report(results, peers, split, recording))
    classifier.save(output / "model.safetensors")
    draw_accuracy(results, [peer.name for peer in peers], output / "accuracy.png")
    timeline = median_person(classifier, recording, comparison)
    draw_timeline(timeline, output / "timeline.png")
    seconds = time.perf_counter() - started
    write(f"\nTraining took {fitted - started:.0f} s, the whole demo {seconds:.0f} s. Written:")
    for name, what in _FILES.items():
        write(f"  {output / name}  ({what})")
    return results


def compare(
    peers: Sequence[Peer], recording: Recording, split: PeopleSplit, *, seed: int
) -> FewShotResult:
    """Score all peers on the same episodes of the new people.

    Parameters
    ----------
    peers : sequence of Peer
        From `make_peers`.
    recording : Recording
        Clips, labels and people.
    split : PeopleSplit
        Who is trained on and who is new.
    seed : int
        Decides the episodes.

    Returns
    -------
    FewShotResult
    """
    return compare_few_shot(
        {peer.name: peer.classifier for peer in peers},
        recording.views,
        recording.target,
        groups=recording.groups,
        cv=[(split.train, split.test)],
        protocol=FewShotProtocol(
            shots=SHOTS,
            draws=N_DRAWS,
            on_few="shrink",
            unlabelled=(UNLABELLED,),
            random_state=seed,
        ),
    )


def median_person(
    classifier: STF2MClassifier, recording: Recording, comparison: FewShotResult
) -> Timeline:
    """Predict all clips of the person in the middle, after the most labelled clips.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted.
    recording : Recording
        Clips, labels and people.
    comparison : FewShotResult
        The person's mean score is the median of all; of two in the middle, the lower. The
        person's first draw is taken.

    Returns
    -------
    Timeline
        For `stf2m_sk.demo.figures.draw_timeline`.
    """
    shots = SHOTS[-1]
    means = comparison.units()[MODEL][shots].sort_values(kind="stable")
    person = means.index[(len(means) - 1) // 2]
    rows = comparison.rows.query("estimator == @MODEL and shots == @shots and person == @person")
    support, query = rows.iloc[0][["support", "query"]]
    rows = np.flatnonzero(recording.groups == person)
    labels = recording.target[support]
    personal = classifier.adapt(recording.views[support], labels, classes=np.unique(labels))
    return Timeline(
        person=str(person),
        shots=shots,
        classes=personal.classes_,
        probabilities=personal.predict_proba(recording.views[rows]),
        true=recording.target[rows],
        is_support=np.isin(rows, support),
        is_query=np.isin(rows, query),
        clip=recording.clip,
    )


def _introduction(recording: Recording, split: PeopleSplit) -> str:
    views, trained = recording.views, np.unique(recording.groups[split.train])
    parts = {
        "modalities": map(str, views.schema),
        "labels": np.unique(recording.target),
        "trained on": [f"{len(trained)} people"],
        "new people": split.new_people,
    }
    if len(split.skipped):
        parts["skipped"] = [*split.skipped, "who lack two labels with three clips"]
    lines = [f"{recording.title}, {len(views)} clips"]
    for name, items in parts.items():
        lines += hanging(f"  {name}", ", ".join(map(str, items)))
    return "\n".join(lines)


def _report(
    results: Results, peers: Sequence[Peer], split: PeopleSplit, recording: Recording
) -> str:
    n_people = len(split.new_people)
    return "\n".join(
        [
            f"\nBalanced accuracy on {n_people} new people, mean [95 % interval], after 0 to "
            f"{SHOTS[-1]} labelled clips per class\n",
            format_table(results, [peer.name for peer in peers], SHOTS),
            "",
            explain(peers, n_people, N_DRAWS, recording.blocks),
        ]
    )

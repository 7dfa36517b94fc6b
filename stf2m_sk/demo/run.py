"""The whole demo: read, train, personalise, compare, draw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.demo.figures import Timeline, draw_accuracy, draw_timeline
from stf2m_sk.demo.peers import Peer, majority, nearest_in_time, random_forest
from stf2m_sk.demo.protocol import N_DRAWS, SHOTS, Episode, Plan, balanced_accuracy, make_plan
from stf2m_sk.demo.recording import Recording, bundled_recording, own_recording
from stf2m_sk.demo.report import Results, Scores, explain, format_table, hanging, summarise

__all__ = ["median_person", "prepare", "run"]

_MODEL = "STF2M"
_FILES = {
    "model.safetensors": "the trained model; stf2m_sk.load reads it",
    "accuracy.png": "accuracy over the number of labelled clips",
    "timeline.png": "one person's answers, clip by clip",
}


def prepare(data: Path | None, output: Path, *, seed: int) -> tuple[Recording, Plan]:
    """Do everything that can fail for a wrong file or folder, before the training.

    Parameters
    ----------
    data : Path or None
        A user's file; None for the bundled recording.
    output : Path
        Folder for the results; made if it is not there.
    seed : int
        Decides who is new and which clips are drawn.

    Returns
    -------
    recording : Recording
        Clips, labels and people.
    plan : Plan
        Who is trained on and what is asked.

    Raises
    ------
    OSError
        If the file is not there or the folder cannot be made.
    ValueError
        If the file is not in the layout or has too few people.
    """
    if data is None:
        recording = bundled_recording()
        plan = make_plan(recording.target, recording.groups, seed=seed)
    else:
        recording = own_recording(data)
        try:
            plan = make_plan(recording.target, recording.groups, seed=seed)
        except ValueError as error:
            raise ValueError(f"{data}: {error}") from error
    output.mkdir(parents=True, exist_ok=True)
    return recording, plan


def run(
    recording: Recording,
    plan: Plan,
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
    plan : Plan
        From `prepare`.
    classifier : STF2MClassifier
        Will be fitted.
    output : Path
        Folder for ``model.safetensors``, ``accuracy.png`` and ``timeline.png``.
    seed : int
        Of the random forest.
    write : callable, default=print
        Takes the lines of the report.

    Returns
    -------
    mapping of (name, shots) to Interval
        What the table shows.
    """
    started = time.perf_counter()
    write(_introduction(recording, plan))
    train = plan.train
    classifier.fit(recording.views[train], recording.target[train], groups=recording.groups[train])
    fitted = time.perf_counter()
    peers = [
        _model(classifier, recording),
        random_forest(recording.views, recording.target, seed=seed),
        nearest_in_time(recording.target, recording.groups),
        majority(recording.target, train),
    ]
    scores = _score(peers, plan.episodes, recording.target)
    results = summarise(scores)
    write(_report(results, peers, plan, recording))
    classifier.save(output / "model.safetensors")
    draw_accuracy(results, [peer.name for peer in peers], output / "accuracy.png")
    timeline = median_person(classifier, recording, plan, scores)
    draw_timeline(timeline, output / "timeline.png")
    seconds = time.perf_counter() - started
    write(f"\nTraining took {fitted - started:.0f} s, the whole demo {seconds:.0f} s. Written:")
    for name, what in _FILES.items():
        write(f"  {output / name}  ({what})")
    return results


def _introduction(recording: Recording, plan: Plan) -> str:
    views, trained = recording.views, np.unique(recording.groups[plan.train])
    parts = {
        "modalities": map(str, views.schema),
        "labels": np.unique(recording.target),
        "trained on": [f"{len(trained)} people"],
        "new people": plan.new_people,
    }
    if len(plan.skipped):
        parts["skipped"] = [*plan.skipped, "who lack two labels with three clips"]
    lines = [f"{recording.title}, {len(views)} clips"]
    for name, items in parts.items():
        lines += hanging(f"  {name}", ", ".join(map(str, items)))
    return "\n".join(lines)


def _model(classifier: STF2MClassifier, recording: Recording) -> Peer:
    views, target = recording.views, recording.target

    def answer(episode: Episode):
        personal = classifier
        if episode.shots:
            personal = classifier.adapt(views[episode.support], target[episode.support])
        return personal.predict(views[episode.query])

    return Peer(
        _MODEL,
        "This package: trained on the other people, then adapted with the labelled clips.",
        answer,
        needs_support=False,
    )


def _score(peers: Sequence[Peer], episodes: Iterable[Episode], target) -> Scores:
    """All draws of each person, by peer and shots."""
    scores: dict[tuple[str, int], dict[object, list[float]]] = {}
    for episode in episodes:
        for peer in peers:
            if peer.needs_support and episode.shots == 0:
                continue
            score = balanced_accuracy(target[episode.query], peer.answer(episode))
            people = scores.setdefault((peer.name, episode.shots), {})
            people.setdefault(episode.person, []).append(score)
    return scores


def _report(results: Results, peers: Sequence[Peer], plan: Plan, recording: Recording) -> str:
    n_people = len(plan.new_people)
    return "\n".join(
        [
            f"\nBalanced accuracy on {n_people} new people, mean [95 % interval], after 0 to "
            f"{SHOTS[-1]} labelled clips per class\n",
            format_table(results, [peer.name for peer in peers], SHOTS),
            "",
            explain(peers, n_people, N_DRAWS, recording.blocks),
        ]
    )


def median_person(
    classifier: STF2MClassifier, recording: Recording, plan: Plan, scores: Scores
) -> Timeline:
    """Answer all clips of the person in the middle, after the most labelled clips.

    Parameters
    ----------
    classifier : STF2MClassifier
        Fitted.
    recording : Recording
        Clips, labels and people.
    plan : Plan
        The person's first draw is taken.
    scores : mapping of (name, shots) to mapping of person to scores
        The person's mean score is the median of all; of two in the middle, the lower.

    Returns
    -------
    Timeline
        For `stf2m_sk.demo.figures.draw_timeline`.
    """
    shots = SHOTS[-1]
    means = {person: np.mean(s) for person, s in scores[_MODEL, shots].items()}
    person = sorted(means, key=means.__getitem__)[(len(means) - 1) // 2]
    episode = next(e for e in plan.episodes if e.person == person and e.shots == shots)
    rows = np.flatnonzero(recording.groups == person)
    personal = classifier.adapt(recording.views[episode.support], recording.target[episode.support])
    probabilities = personal.predict_proba(recording.views[rows])
    return Timeline(
        person=str(person),
        shots=shots,
        classes=personal.classes_,
        probabilities=probabilities,
        true=recording.target[rows],
        is_support=np.isin(rows, episode.support),
        is_query=np.isin(rows, episode.query),
        clip=recording.clip,
    )

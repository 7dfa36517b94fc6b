"""What the demo runs on: the bundled recording, or a file of your own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from numpy.typing import NDArray

from stf2m_sk._validation import check_groups, check_labels, check_measured
from stf2m_sk.datasets import load_npz, load_stress
from stf2m_sk.views import Views

__all__ = ["Recording", "bundled_recording", "own_recording"]


class Recording(NamedTuple):
    """Labelled clips of several people, each person's in the order of recording.

    Attributes
    ----------
    title : str
        What it is.
    views : Views of n_clips
        The clips.
    target : array of shape (n_clips,)
        Their labels.
    groups : array of shape (n_clips,)
        Their people.
    clip : str
        What one clip is, for the axis of a figure.
    blocks : str
        What to know before reading the predictions from time alone.
    """

    title: str
    views: Views
    target: NDArray
    groups: NDArray
    clip: str
    blocks: str


def bundled_recording() -> Recording:
    """The recording that comes with the package.

    Returns
    -------
    Recording
        20 people in four states of stress; see `stf2m_sk.datasets.load_stress`.

    Examples
    --------
    >>> from stf2m_sk.demo.recording import bundled_recording
    >>> len(bundled_recording().views)
    1375
    """
    data = load_stress()
    return Recording(
        "Bundled stress recording (PhysioNet noneeg)",
        data.views,
        data.target,
        data.groups,
        "clip of 30 s",
        "It is strong here because each kind of stress was recorded as one uninterrupted block: "
        "a clip near in time nearly always has the same label.",
    )


def own_recording(path: Path) -> Recording:
    """A user's recording, checked as far as it can be before training.

    Parameters
    ----------
    path : Path
        File in the layout of `stf2m_sk.datasets.load_npz`, with ``groups``.

    Returns
    -------
    Recording
        Its clips in the order of the file, which is taken for the order of recording.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If the file does not have the layout, says nothing about people, has labels or people
        that are missing, labels that are measurements, or clips in which nothing is measured.
    """
    data = load_npz(path)
    if data.groups is None:
        raise ValueError(
            f"{path}: no people: expected a 1-D array named 'groups', the person in each clip. "
            "The demo trains on some people and is tested on others."
        )
    try:
        target = check_labels(data.target, len(data.views))
        check_groups(data.groups, len(data.views))
        check_measured(data.views)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    return Recording(
        str(path),
        data.views,
        target,
        data.groups,
        "clip",
        "It is strong wherever the clips of a label were recorded in one block, and means nothing "
        "if a person's clips are not in the order of recording.",
    )

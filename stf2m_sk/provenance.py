"""What a model was fitted on and with, kept beside it: a few counts and versions."""

from __future__ import annotations

import operator
import platform
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sklearn
import torch
from numpy.typing import NDArray

from stf2m_sk._version import __version__
from stf2m_sk.views import Views

__all__ = ["Provenance", "provenance_of", "restored"]


class Provenance(NamedTuple):
    """Where a model comes from.

    Attributes
    ----------
    n_people : int or None
        People in the training clips; None where they were not told apart.
    n_clips : tuple of int
        Training clips of each population class, in the order of the classes.
    n_measured : tuple of int
        Training clips in which each modality was measured, in the order of the schema.
    versions : dict of str to str
        Version of Python and of each package that decides the result, at `fit`.
    """

    n_people: int | None
    n_clips: tuple[int, ...]
    n_measured: tuple[int, ...]
    versions: dict[str, str]


def provenance_of(
    views: Views, codes: NDArray[np.integer], people: NDArray[np.integer] | None
) -> Provenance:
    """Count what a model is fitted on, and note with what.

    Parameters
    ----------
    views : Views
        Training clips.
    codes : int array of shape (n_clips,)
        Class codes, each of which occurs.
    people : int array of shape (n_clips,) or None
        Codes of the people.

    Returns
    -------
    Provenance
    """
    return Provenance(
        n_people=None if people is None else len(np.unique(people)),
        n_clips=tuple(np.bincount(codes).tolist()),
        n_measured=tuple(views.present.sum(axis=0).tolist()),
        versions={
            "stf2m_sk": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
    )


def restored(saved: dict[str, Any], n_classes: int, n_modalities: int) -> Provenance:
    """Back from JSON, every value looked at.

    Parameters
    ----------
    saved : dict
        As of `Provenance._asdict`.
    n_classes, n_modalities : int
        Of the model.

    Returns
    -------
    Provenance

    Raises
    ------
    TypeError, ValueError
        If it is not what a model of these sizes has.
    """
    found = Provenance(**saved)
    n_clips = _counts(found.n_clips, n_classes, "clips of classes")
    n_measured = _counts(found.n_measured, n_modalities, "clips of modalities")
    n_people = None if found.n_people is None else operator.index(found.n_people)
    if min(n_clips) < 1 or max(n_measured) > sum(n_clips):
        raise ValueError("its counts of clips contradict each other")
    if n_people is not None and not 1 <= n_people <= sum(n_clips):
        raise ValueError(f"it counts {n_people} people in {sum(n_clips)} clips")
    texts = [text for pair in found.versions.items() for text in pair]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("its versions are no texts")
    return Provenance(n_people, n_clips, n_measured, found.versions)


def _counts(saved: Sequence[int], n: int, name: str) -> tuple[int, ...]:
    counts = tuple(operator.index(count) for count in saved)
    if len(counts) != n or min(counts) < 0:
        raise ValueError(f"its {name} are {counts}, expected {n} counts")
    return counts

"""The folds of an evaluation and the episodes of each."""

from __future__ import annotations

from inspect import signature
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import check_cv

from stf2m_sk.model_selection._clips import Clips, plain
from stf2m_sk.model_selection._episodes import Episode, Request, draw_nested
from stf2m_sk.model_selection._folds import NewPersonSplit

__all__ = ["Fold", "Plan", "check_draws", "draw_people", "make_plan"]

_FOLDS = 5


class Fold(NamedTuple):
    """What one fit is trained on and scored on.

    Attributes
    ----------
    number : int
        From 0.
    train : int array
        Rows of the population.
    episodes : list of Episode
        Of all people (or, without groups, of all clips) of the test rows.
    """

    number: int
    train: NDArray[np.intp]
    episodes: list[Episode]


class Plan(NamedTuple):
    """All folds, and over what intervals are taken.

    Attributes
    ----------
    folds : list of Fold
        With at least one episode.
    skipped : list
        Test people from whom no episode could be drawn; only with ``on_few="shrink"``.
    unit : {"people", "classes", "folds"}
        What varies from one independent score to the next.
    """

    folds: list[Fold]
    skipped: list
    unit: str


def make_plan(X: Any, clips: Clips, request: Request, *, cv: Any, n_draws: int, seed: int) -> Plan:
    """Split, and draw the episodes of every fold.

    Parameters
    ----------
    X : Views or array-like
        Clips, handed to the splitter.
    clips : Clips
        Labels and origin.
    request : Request
        How episodes shall be.
    cv : splitter, iterable, int or None
        An int, or None for 5, stands for `NewPersonSplit`.
    n_draws : int
        Draws for each person of a fold.
    seed : int
        Decides the draws, and the folds where `cv` is None or an int.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If no episode remains, or `cv` is None or an int and people are not known.
    """
    check_draws(n_draws)
    folds, skipped, unit = [], [], "people" if clips.people is not None else "classes"
    for number, (train, test) in enumerate(_split(X, clips, cv, seed)):
        train, test = np.asarray(train), np.asarray(test)
        episodes, passed_over = draw_people(clips, test, request, n_draws, [seed, number])
        skipped += passed_over
        known = np.isin(clips.labels[test], clips.labels[train])
        if known.any() and unit == "classes":
            unit = "folds"
        episodes = [
            one for one in episodes if one.shots or np.isin(one.ways, clips.labels[train]).any()
        ]
        if episodes:
            folds.append(Fold(number, train, episodes))
    if not folds:
        raise ValueError(
            "no episode remains: no test person has clips of two classes on both sides, or only 0 "
            "shots of novel classes were requested, which no population can predict. Give more "
            "clips, other contexts, a smaller gap, or n_shot above 0."
        )
    return Plan(folds, skipped, unit)


def check_draws(n_draws: Any) -> None:
    """Refuse what is no number of draws.

    Raises
    ------
    ValueError
        If it is no whole number of at least 1.
    """
    if isinstance(n_draws, bool) or not isinstance(n_draws, Integral) or n_draws < 1:
        raise ValueError(f"n_draws={n_draws!r}, but it must be a whole number of at least 1.")


def draw_people(
    clips: Clips, rows: NDArray[np.intp], request: Request, n_draws: int, seed: list[int]
) -> tuple[list[Episode], list]:
    """All draws for each person among some rows, and who was passed over.

    Each person and draw has a generator of its own, so that a person's episodes do not depend
    on who else is there in the fold.
    """
    everyone = None if clips.people is None else np.unique(clips.people)
    episodes, skipped = [], []
    for person, own in clips.rows_of_people(rows):
        place = 0 if everyone is None else int(np.searchsorted(everyone, person))
        drawn = []
        for draw in range(n_draws):
            generator = np.random.default_rng([*seed, place, draw])
            drawn += draw_nested(
                clips, own, request, person=plain(person), draw=draw, generator=generator
            )
        episodes += drawn
        if not drawn:
            skipped.append(plain(person))
    return episodes, skipped


def _split(X: Any, clips: Clips, cv: Any, seed: int):
    if cv is None or isinstance(cv, Integral):
        if clips.people is None:
            raise ValueError(
                f"cv={cv!r} stands for folds of new people, but groups are not given. Pass groups, "
                "or a splitter as cv, such as NovelClassSplit()."
            )
        n_people = len(np.unique(clips.people))
        cv = NewPersonSplit(min(_FOLDS, n_people) if cv is None else cv, random_state=seed)
    cv = check_cv(cv)
    further = {}
    if "contexts" in signature(cv.split).parameters:
        further = {"contexts": clips.contexts, "times": clips.times}
    return cv.split(X, clips.labels, clips.people, **further)

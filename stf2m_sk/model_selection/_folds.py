"""Folds of novel classes, of the same or of new people."""

from __future__ import annotations

from itertools import product
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator

from stf2m_sk.model_selection._clips import read_clips, seed_from

__all__ = ["NovelClassSplit"]


class NovelClassSplit(BaseCrossValidator):
    """Folds whose test classes have no clip among the training rows.

    Parameters
    ----------
    n_splits : int, default=2
        Folds of classes; each class is novel in exactly one. A fold needs two novel classes
        and two to train on.
    n_person_splits : int, default=None
        Folds of people: every fold of people with every fold of classes, so that the test people
        are new as well. Clips of a test person with a training class, and of a training person
        with a novel class, are then on neither side. None: the same people are on both sides.
    random_state : int, RandomState instance or None, default=None
        Decides the folds.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Folds of new people with known classes.

    Notes
    -----
    The split into base and novel classes is few-shot learning's own (Vinyals et al., NeurIPS
    2016); folds of them are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import NovelClassSplit
    >>> people, y = np.repeat(["ann", "bob"], 4), np.tile(["awe", "calm", "joy", "rage"], 2)
    >>> folds = NovelClassSplit(n_person_splits=2, random_state=0)
    >>> for train, test in folds.split(None, y, people):
    ...     print(people[train], y[train], people[test], y[test])
    ['bob' 'bob'] ['calm' 'rage'] ['ann' 'ann'] ['awe' 'joy']
    ['bob' 'bob'] ['awe' 'joy'] ['ann' 'ann'] ['calm' 'rage']
    ['ann' 'ann'] ['calm' 'rage'] ['bob' 'bob'] ['awe' 'joy']
    ['ann' 'ann'] ['awe' 'joy'] ['bob' 'bob'] ['calm' 'rage']
    """

    __metadata_request__split: ClassVar[dict] = {"groups": True}

    def __init__(self, n_splits=2, *, n_person_splits=None, random_state=None):
        self.n_splits = n_splits
        self.n_person_splits = n_person_splits
        self.random_state = random_state

    def split(self, X, y, groups=None):
        """Train and test rows of each fold.

        Parameters
        ----------
        X : Views, dict, list of arrays, array, or None
            Clips; only their number counts.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            People; needed with `n_person_splits`.

        Yields
        ------
        train, test : ndarray of shape (n_rows,)

        Raises
        ------
        ValueError
            If people or classes are too few for the folds, with the counts.
        """
        clips = read_clips(X, y, groups)
        generator = np.random.default_rng(seed_from(self.random_state))
        people = [None]
        if self.n_person_splits is not None:
            if clips.groups is None:
                raise ValueError("new people need groups: pass who was recorded in each clip.")
            people = _parts(clips.groups, self.n_person_splits, generator, "people", least=1)
        classes = _parts(clips.labels, self.n_splits, generator, "classes", least=2)
        for own, novel in product(people, classes):
            is_novel = np.isin(clips.labels, novel)
            is_new = is_novel if own is None else np.isin(clips.groups, own)
            train, test = np.flatnonzero(~is_new & ~is_novel), np.flatnonzero(is_new & is_novel)
            if not len(train) or not len(test):
                raise ValueError(
                    f"the fold of people {own.tolist()} and classes {novel.tolist()} has "
                    f"{len(train)} training and {len(test)} test clips. Ask for fewer folds."
                )
            yield train, test

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored; scikit-learn's tools pass them.

        Returns
        -------
        int
            Of all pairs that `split` gives.
        """
        return self.n_splits * (self.n_person_splits or 1)


def _parts(
    values: NDArray, n_splits: int, generator: Generator, name: str, *, least: int
) -> list[NDArray]:
    """Share the distinct values out over the folds, at random and evenly."""
    distinct = np.unique(values)
    if isinstance(n_splits, bool) or not isinstance(n_splits, Integral) or n_splits < 2:
        raise ValueError(f"{n_splits!r} folds of {name} were requested; there must be 2 or more.")
    if len(distinct) < least * n_splits:
        raise ValueError(
            f"there are {len(distinct)} {name}, but {n_splits} folds need {least * n_splits}: "
            f"{least} for each fold. Ask for fewer folds."
        )
    return [np.sort(part) for part in np.array_split(generator.permutation(distinct), n_splits)]

"""Folds of new people, of novel classes, and of both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator

from stf2m_sk.model_selection._clips import Clips, plain, read_clips, seed_from
from stf2m_sk.model_selection._sides import check_gap, cut

__all__ = ["NewPersonNovelClassSplit", "NewPersonSplit", "NovelClassSplit"]

_Pair = tuple[NDArray[np.intp], NDArray[np.intp]]


class _FewShotFolds(BaseCrossValidator):
    """What the splitters share: the checks and the protocol."""

    __metadata_request__split: ClassVar[dict] = {"groups": True, "contexts": True, "times": True}

    def split(
        self,
        X,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        contexts: ArrayLike | None = None,
        times: ArrayLike | None = None,
    ) -> Iterator[_Pair]:
        """Train and test rows of each fold.

        Parameters
        ----------
        X : Views, mapping or array-like of n_clips, or None
            Only its length is looked at.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,)
            People.
        contexts, times : array-like of shape (n_clips,), default=None
            Trial, stimulus or session, and the time of each clip. Only a calibration share
            looks at them.

        Yields
        ------
        train, test : int arrays
            Rows.

        Raises
        ------
        ValueError
            If people or classes are too few for the folds, with the counts.
        """
        clips = read_clips(X, y, groups, contexts, times)
        yield from self._pairs(clips, np.random.default_rng(seed_from(self.random_state)))

    def get_n_splits(self, X=None, y=None, groups=None, *, contexts=None, times=None) -> int:
        """Number of folds; the arguments are ignored."""
        return self.n_splits

    @abstractmethod
    def _pairs(self, clips: Clips, generator: Generator) -> Iterator[_Pair]:
        """Train and test rows of each fold."""


class NewPersonSplit(_FewShotFolds):
    """Person-disjoint folds, with a calibration share of each new person if given.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds; each person is tested in exactly one. The number of people for
        leave-one-person-out.
    calibration : float, default=0.0
        Share of each test person's clips, class by class or context by context, that is put
        to the end of the training rows: what a method that must be fitted anew knows of the
        person. Those clips are not tested. It is cut as `EpisodeSplit` cuts the support side.
    gap : int, float or None, default=1
        Between calibration and test clips; see `EpisodeSplit`.
    random_state : int, RandomState instance or None, default=None
        Decides who is tested in which fold.

    See Also
    --------
    NovelClassSplit : Class-disjoint folds.
    sklearn.model_selection.GroupKFold : Balances the number of clips of the folds.

    Notes
    -----
    Train, calibration and test are the parts of MOABB's cross-subject evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import NewPersonSplit
    >>> people = np.repeat(["ann", "bob", "cy", "dee"], 4)
    >>> y = np.tile(["joy", "calm"], 8)
    >>> for train, test in NewPersonSplit(n_splits=2, random_state=0).split(None, y, people):
    ...     print(np.unique(people[train]), np.unique(people[test]))
    ['bob' 'dee'] ['ann' 'cy']
    ['ann' 'cy'] ['bob' 'dee']
    """

    def __init__(self, n_splits=5, *, calibration=0.0, gap=1, random_state=None):
        self.n_splits = n_splits
        self.calibration = calibration
        self.gap = gap
        self.random_state = random_state

    def _pairs(self, clips, generator):
        self._check(clips)
        for people in _parts(clips.people, self.n_splits, generator, "people", least=1):
            is_test = np.isin(clips.people, people)
            train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
            if self.calibration:
                calibration, test = self._calibrate(clips, test, generator)
                train = np.concatenate([train, calibration])
            yield train, test

    def _check(self, clips: Clips) -> None:
        _check_groups(clips, type(self).__name__)
        share = self.calibration
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share < 1:
            raise ValueError(
                f"calibration={share!r}, but it must be a share: at least 0 and below 1."
            )
        check_gap(self.gap, has_times=clips.times is not None)

    def _calibrate(self, clips: Clips, test: NDArray[np.intp], generator: Generator) -> _Pair:
        calibration, queries = [], []
        for person, rows in clips.rows_of_people(test):
            sides = cut(clips, rows, share=self.calibration, gap=self.gap, generator=generator)
            calibration += [pair[0] for pair in sides.values()]
            query = [pair[1] for pair in sides.values()]
            if not sum(map(len, query)):
                raise ValueError(
                    f"person {plain(person)!r} has {len(rows)} clip(s), none of which is left to "
                    f"test beside calibration={self.calibration} and gap={self.gap}. Lower them, "
                    "or leave the person out."
                )
            queries += query
        return np.sort(np.concatenate(calibration)), np.sort(np.concatenate(queries))


class NovelClassSplit(_FewShotFolds):
    """Class-disjoint folds: the test classes have no clip among the training rows.

    Parameters
    ----------
    n_splits : int, default=2
        Number of folds; each class is novel in exactly one. A fold needs two novel classes
        and two to train on.
    random_state : int, RandomState instance or None, default=None
        Decides which classes are novel in which fold.

    See Also
    --------
    NewPersonNovelClassSplit : New people and novel classes at once.

    Notes
    -----
    The same people are on both sides: use `NewPersonNovelClassSplit` where a person will be
    new as well. The split into base and novel classes is few-shot learning's own (Vinyals et
    al., NeurIPS 2016); folds of them are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import NovelClassSplit
    >>> y = np.repeat(["awe", "calm", "joy", "rage"], 3)
    >>> for train, test in NovelClassSplit(random_state=0).split(None, y):
    ...     print(np.unique(y[train]), np.unique(y[test]))
    ['calm' 'rage'] ['awe' 'joy']
    ['awe' 'joy'] ['calm' 'rage']
    """

    def __init__(self, n_splits=2, *, random_state=None):
        self.n_splits = n_splits
        self.random_state = random_state

    def _pairs(self, clips, generator):
        for novel in _parts(clips.labels, self.n_splits, generator, "classes", least=2):
            is_test = np.isin(clips.labels, novel)
            yield np.flatnonzero(~is_test), np.flatnonzero(is_test)


class NewPersonNovelClassSplit(_FewShotFolds):
    """New people with novel classes: every fold of people with every fold of classes.

    Clips of a test person with a training class, and of a training person with a novel class,
    are in neither side of the fold.

    Parameters
    ----------
    n_person_splits : int, default=2
        Folds of people.
    n_class_splits : int, default=2
        Folds of classes; each needs two novel classes.
    random_state : int, RandomState instance or None, default=None
        Decides both.

    See Also
    --------
    NewPersonSplit, NovelClassSplit : One of the two at a time.

    Notes
    -----
    Source: ours; the yardstick of this project holds out people and classes at once, too.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.model_selection import NewPersonNovelClassSplit
    >>> people = np.repeat(["ann", "bob"], 4)
    >>> y = np.tile(["awe", "calm", "joy", "rage"], 2)
    >>> splitter = NewPersonNovelClassSplit(random_state=0)
    >>> for train, test in splitter.split(None, y, people):
    ...     print(people[train], y[train], people[test], y[test])
    ['bob' 'bob'] ['calm' 'rage'] ['ann' 'ann'] ['awe' 'joy']
    ['bob' 'bob'] ['awe' 'joy'] ['ann' 'ann'] ['calm' 'rage']
    ['ann' 'ann'] ['calm' 'rage'] ['bob' 'bob'] ['awe' 'joy']
    ['ann' 'ann'] ['awe' 'joy'] ['bob' 'bob'] ['calm' 'rage']
    """

    def __init__(self, n_person_splits=2, n_class_splits=2, *, random_state=None):
        self.n_person_splits = n_person_splits
        self.n_class_splits = n_class_splits
        self.random_state = random_state

    @property
    def n_splits(self) -> int:
        """Number of folds."""
        return self.n_person_splits * self.n_class_splits

    def _pairs(self, clips, generator):
        _check_groups(clips, type(self).__name__)
        folds = _parts(clips.people, self.n_person_splits, generator, "people", least=1)
        novel = _parts(clips.labels, self.n_class_splits, generator, "classes", least=2)
        for people in folds:
            is_new = np.isin(clips.people, people)
            for classes in novel:
                is_novel = np.isin(clips.labels, classes)
                train, test = np.flatnonzero(~is_new & ~is_novel), np.flatnonzero(is_new & is_novel)
                if not len(train) or not len(test):
                    raise ValueError(
                        f"the fold of people {plainly(people)} and classes "
                        f"{plainly(classes)} has {len(train)} training and {len(test)} test "
                        "clips. Ask for fewer folds, or leave out who lacks these classes."
                    )
                yield train, test


def plainly(values: NDArray) -> list:
    """Labels as Python's own types, for messages."""
    return [plain(value) for value in values]


def _parts(
    values: NDArray, n_splits: int, generator: Generator, name: str, *, least: int
) -> list[NDArray]:
    """Share the distinct values out over the folds, at random and evenly."""
    distinct = np.unique(values)
    if isinstance(n_splits, bool) or not isinstance(n_splits, Integral) or n_splits < 2:
        raise ValueError(
            f"{n_splits!r} folds of {name} were requested, but there must be 2 or more."
        )
    if len(distinct) < least * n_splits:
        raise ValueError(
            f"there are {len(distinct)} {name}, but {n_splits} folds need {least * n_splits}: "
            f"{least} for each fold. Ask for fewer folds."
        )
    return [np.sort(part) for part in np.array_split(generator.permutation(distinct), n_splits)]


def _check_groups(clips: Clips, name: str) -> None:
    if clips.people is None:
        raise ValueError(f"{name} needs to know who was recorded: pass groups.")

"""How few-shot episodes are drawn, said once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from html import escape
from numbers import Integral, Real
from typing import Any

from numpy.typing import ArrayLike

from stf2m_sk.model_selection._clips import Clips, read_clips, seed_from

__all__ = ["FewShotProtocol", "beside", "least_clips", "read_for"]


@dataclass(frozen=True, eq=False, repr=False)
class FewShotProtocol:
    """How few-shot episodes are drawn from the clips of a person.

    The clips of each class are cut into two sides that share no context, or are apart in time.
    The support is the first clips of the support side, in random order; the query is the other
    side. The supports of a draw are nested, and its query is the same for all numbers of shots.

    Parameters
    ----------
    shots : int or tuple of int, default=(0, 1, 2, 5)
        Numbers of labelled clips per class. 0 is the population fit; it is left out where the
        population has none of the classes of the query.
    ways : int, default=None
        Classes of an episode, drawn at random; None for all that the person has.
    queries : int, default=None
        Query clips per class; None for all on the query side.
    draws : int, default=4
        Draws of sides and supports for each person.
    contexts : array-like of shape (n_clips,), default=None
        Trial, stimulus, statement or session of each clip: what support and query never share.
    times : array-like of shape (n_clips,), default=None
        When each clip begins; by default the order of the rows is that of recording.
    gap : int, float or None, default=1
        Where there are no contexts, the first half of each class's clips in the order of
        recording may be support and the rest is query, but for this many clips between them.
        With `times`, a query clip begins at least this much (in the unit of `times`) after the
        last clip of the support side. None: the order means nothing, and sides are random.
    on_few : {"raise", "shrink"}, default="raise"
        What happens where a person has too few clips. "shrink" makes the episode smaller: a
        class gives as many clips as it has, a class that is not on both sides is left out, and
        a person with fewer than two such classes is passed over.
    unlabelled : bool or tuple of str, default=False
        Whether the person's whole support side goes without its labels to
        ``adapt(unlabelled=...)``, at every number of shots, also 0. In `compare_few_shot` it may
        name the classifiers that get them.
    random_state : int, RandomState instance or None, default=None
        Decides the episodes, and the folds where ``cv`` does not.

    Raises
    ------
    ValueError
        If a value cannot be meant.

    See Also
    --------
    few_shot_score, compare_few_shot, make_few_shot_scorer, EpisodeSplit : Take a protocol.

    Notes
    -----
    Training people, calibration clips and test clips are the parts of MOABB's cross-subject
    evaluation; nested supports, and sides that share no context, are ours.

    Examples
    --------
    >>> from stf2m_sk.model_selection import FewShotProtocol
    >>> FewShotProtocol(shots=(4, 0), random_state=0)
    FewShotProtocol(shots=(0, 4), random_state=0)
    """

    shots: Any = (0, 1, 2, 5)
    ways: int | None = None
    queries: int | None = None
    draws: int = 4
    contexts: ArrayLike | None = None
    times: ArrayLike | None = None
    gap: float | None = 1
    on_few: str = "raise"
    unlabelled: bool | tuple[str, ...] = False
    random_state: Any = None

    def __post_init__(self) -> None:
        shots = tuple(self.shots) if hasattr(self.shots, "__iter__") else (self.shots,)
        counts = [("shots", one, 0) for one in shots] + [("draws", self.draws, 1)]
        counts += [("ways", self.ways, 2), ("queries", self.queries, 1)]
        for name, value, least in counts:
            is_whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not (is_whole and value >= least) and (value is not None or name == "draws"):
                raise ValueError(f"{name} is {value!r}, but it takes whole numbers >= {least}.")
        if not shots or None in shots or len(set(shots)) < len(shots):
            raise ValueError(f"shots is {self.shots!r}; give each number of clips once.")
        if self.on_few not in ("raise", "shrink"):
            raise ValueError(f"on_few={self.on_few!r}, but it must be 'raise' or 'shrink'.")
        is_number = isinstance(self.gap, Real) and not isinstance(self.gap, bool)
        if self.gap is not None and not (is_number and 0 <= self.gap < float("inf")):
            raise ValueError(f"gap={self.gap!r}, but it must be a number of at least 0, or None.")
        object.__setattr__(self, "shots", tuple(sorted(map(int, shots))))

    @property
    def seed(self) -> int:
        """Seed of the episodes; another at each look where `random_state` is None."""
        return seed_from(self.random_state)

    def __repr__(self) -> str:
        shown = self._shown()
        changed = [f.name for f in fields(self) if shown[f.name] != f.default]
        return f"FewShotProtocol({', '.join(f'{name}={shown[name]!r}' for name in changed)})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{name}</th><td>{escape(repr(value))}</td></tr>"
            for name, value in self._shown().items()
        )
        return f"<table><caption>FewShotProtocol</caption><tbody>{rows}</tbody></table>"

    def _shown(self) -> dict[str, Any]:
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("contexts", "times"):
            shown[name] = None if shown[name] is None else f"<{len(shown[name])} clips>"
        return shown


def least_clips(protocol: FewShotProtocol) -> tuple[int, int]:
    """Clips that a class must have on the support side and on the query side."""
    support, query = max(protocol.shots), protocol.queries or 1
    return (min(support, 1), 1) if protocol.on_few == "shrink" else (support, query)


def read_for(
    protocol: FewShotProtocol, X: Any, y: ArrayLike, groups: ArrayLike | None = None
) -> Clips:
    """Labels and origin of clips, checked against each other and against `gap`."""
    gap = protocol.gap
    if gap is not None and protocol.times is None and not isinstance(gap, Integral):
        raise ValueError(
            f"gap={gap!r}, but without times it counts clips: give a whole number, or pass times."
        )
    return read_clips(X, y, groups, protocol.contexts, protocol.times)


def beside(protocol: FewShotProtocol, **columns: ArrayLike | None) -> FewShotProtocol:
    """The same protocol for clips with these contexts and times, where any are given."""
    given = {name: column for name, column in columns.items() if column is not None}
    for name in given:
        if getattr(protocol, name) is not None:
            raise ValueError(f"{name} are given twice: here and in the protocol; give one.")
    return replace(protocol, **given)

"""Who is kept from whom: people held out from the encoder, and halves that check each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["halve", "hold_out"]

_FEWEST_PEOPLE = 5  # with fewer, holding one out costs more than it tells


def hold_out(codes, groups, fraction, random_state) -> NDArray[np.bool_]:
    """Clips that the encoder never trains on: whole people, or else a share of each class.

    None are held out if there are fewer than five people, or if what is held out could not
    form an episode.
    """
    held_out = np.zeros(len(codes), dtype=bool)
    if fraction == 0:
        return held_out
    if groups is not None:
        people = np.unique(groups)
        if len(people) < _FEWEST_PEOPLE:
            return held_out
        chosen = random_state.permutation(people)[: max(1, round(fraction * len(people)))]
        held_out = np.isin(groups, chosen)
    else:
        order = random_state.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        count = np.bincount(codes)
        rank = np.arange(len(codes)) - (np.cumsum(count) - count)[codes[order]]
        held_out[order] = rank < np.floor(fraction * count)[codes[order]]
    both_sides = _forms_episode(codes, groups, held_out) and _forms_episode(
        codes, groups, ~held_out
    )
    return held_out if both_sides else np.zeros(len(codes), dtype=bool)


def halve(codes, groups, random_state) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """Rows of one half of the people and of the other; without people, of each class's clips.

    None if one of them could not form an episode.
    """
    if groups is not None:
        people = random_state.permutation(np.unique(groups))
        first = np.isin(groups, people[::2])
    else:
        order = random_state.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]
        first = np.zeros(len(codes), dtype=bool)
        first[order[::2]] = True
    if not (_forms_episode(codes, groups, first) and _forms_episode(codes, groups, ~first)):
        return None
    return np.flatnonzero(first), np.flatnonzero(~first)


def _forms_episode(codes, groups, chosen) -> bool:
    people = np.zeros(len(codes), int) if groups is None else groups
    pairs, count = np.unique(np.stack([people, codes])[:, chosen], axis=1, return_counts=True)
    _, n_classes = np.unique(pairs[0, count >= 2], return_counts=True)
    return bool((n_classes >= 2).any())

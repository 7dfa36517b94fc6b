"""How much the population's solution must be held back: chosen on people it was not made from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold
from torch import Tensor

from stf2m_sk.nn.knowledge import gather_knowledge, with_offset

__all__ = ["choose_ridges", "choose_rules_share"]

_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_TRUSTS = (0.5, 0.15, 0.05, 0.015)  # in the level, with the course having 1
_RULES_SHARES = (0.03, 0.1, 0.3, 1.0, 3.0)
_N_FOLDS = 5
_FEWEST = 10  # clips or, with groups, 3 people: fewer say nothing


def choose_ridges(
    course: Tensor,
    level: Tensor,
    membership: Tensor,
    groups: NDArray[np.integer] | None,
    random_state: np.random.RandomState,
) -> tuple[float, float] | None:
    """Choose the ridges of the population's solution by cross-validation.

    Parameters
    ----------
    course : Tensor of shape (n_clips, n_course)
        What random kernels see of the course of the signals. Nothing that was trained on these
        clips is looked at: it would look too good.
    level : Tensor of shape (n_clips, n_level)
        What they see of the level of the signals too.
    membership : Tensor of shape (n_clips, n_classes)
        1 where the clip has the class, else 0.
    groups : int array of shape (n_clips,) or None
        Codes of the people. With them whole people are left out: what is asked is how far the
        others speak for a new one. Without, clips are.
    random_state : numpy.random.RandomState
        Shuffles the clips where there are no people.

    Returns
    -------
    (float, float) or None
        Ridge of the course and of the level, of least squared error; None where too few people
        or clips could tell.

    Notes
    -----
    Ours. People who differ ask for a hundred times the ridge of clips that do not. The level of
    a heart rate or of a skin's temperature tells people apart more than emotions; that of a
    voice's loudness tells emotions: it depends on the recording how far it can be trusted.
    """
    folds = _folds(len(course), groups, random_state)
    if folds is None:
        return None
    errors = {}
    for trust in _TRUSTS:
        embeddings = torch.cat([course, trust**0.5 * level], dim=1)
        of_folds = [_errors(embeddings, membership, *fold, _RIDGES) for fold in folds]
        for ridge, error in zip(_RIDGES, np.sum(of_folds, axis=0), strict=True):
            errors[ridge, ridge / trust] = error
    return min(errors, key=errors.get)


def choose_rules_share(
    kernels: Tensor,
    rules: Tensor,
    membership: Tensor,
    groups: NDArray[np.integer] | None,
    random_state: np.random.RandomState,
) -> float | None:
    """Choose how much the rules say for 1 of what the random kernels say, as `choose_ridges` does.

    Parameters
    ----------
    kernels : Tensor of shape (n_clips, n_kernel_columns)
        What random kernels see, each column over the root of its ridge.
    rules : Tensor of shape (n_clips, n_rule_columns)
        What the rules see, over the root of the ridge of a share of 1.
    membership, groups, random_state
        As for `choose_ridges`.

    Returns
    -------
    float or None
        Share of least squared error; None where too few people or clips could tell.

    Notes
    -----
    Ours. Where the rules have nothing to add they are to do no harm.
    """
    folds = _folds(len(kernels), groups, random_state)
    if folds is None:
        return None
    errors = {}
    for share in _RULES_SHARES:
        embeddings = torch.cat([kernels, share**0.5 * rules], dim=1)
        of_folds = [_errors(embeddings, membership, *fold, [1.0]) for fold in folds]
        errors[share] = np.sum(of_folds)
    return min(errors, key=errors.get)


def _folds(n_clips, groups, random_state):
    rows = np.zeros(n_clips)
    if groups is None:
        if n_clips < _FEWEST:
            return None
        return list(KFold(_N_FOLDS, shuffle=True, random_state=random_state).split(rows))
    n_people = len(np.unique(groups))
    if n_people < 3:
        return None
    return list(GroupKFold(min(_N_FOLDS, n_people)).split(rows, groups=groups))


@torch.no_grad()
def _errors(embeddings, membership, train, test, ridges) -> NDArray[np.float64]:
    """Squared error of each ridge on the clips left out, classes counting alike."""
    train, test = (torch.from_numpy(rows).to(embeddings.device) for rows in (train, test))
    embeddings, membership = embeddings.double(), membership.double()
    population = gather_knowledge(
        embeddings[train], membership[train], embeddings.new_ones(len(train))
    )
    values, vectors = torch.linalg.eigh(population.precision)
    evidence = vectors.mT @ population.evidence
    design = with_offset(embeddings[test]) @ vectors
    own = membership[test]
    targets = 2.0 * own - 1.0
    weights = (own / own.sum(0).clamp_min(1.0)).sum(1)
    errors = []
    for ridge in ridges:
        answer = design @ (evidence / (values.clamp_min(0.0) + ridge)[:, None])
        errors.append(float((weights * (answer - targets).square().sum(1)).sum()))
    return np.array(errors)

"""How uncertain the model is of clips of people whom it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk.nn.population import Population

__all__ = ["left_out_variances", "quantile_over_people"]


def left_out_variances(
    population: Population, projected: Tensor, outside: Tensor, person_variance: float
) -> Tensor:
    """Predictive variances of a person's clips, had the population lacked this person.

    Parameters
    ----------
    population : Population
        With the person.
    projected : Tensor of shape (n_clips, n_directions)
        All clips of the person in the directions of the population.
    outside : Tensor of shape (n_clips,)
        Squared lengths of the clips' features that lie outside of the directions.
    person_variance : float
        beta.

    Returns
    -------
    Tensor of shape (n_clips,)
        Of the scores of known emotions by the rules, as of `rule_scores` without a support.

    Notes
    -----
    Exact but for the directions, the scales and the numbers, which the person has helped to
    choose: the population's scatter is a sum over people, from which one term is subtracted.
    """
    projected = projected.double()
    n, total = len(projected), projected.sum(0)
    unknown = person_variance / (1.0 + person_variance * n)
    own = projected.T @ projected - unknown * torch.outer(total, total)
    identity = torch.eye(len(own), dtype=torch.float64)
    factor = torch.linalg.cholesky(identity + population.within + population.between - own)
    inside = torch.linalg.solve_triangular(factor, projected.T, upper=False).square().sum(0)
    return inside + outside + person_variance


def quantile_over_people(values: Sequence[NDArray[np.floating]], level: float) -> float:
    """Smallest value that a share of the clips does not exceed, all people counting alike.

    Parameters
    ----------
    values : sequence of array (n_clips of a person,)
        One array a person, none of them empty.
    level : float
        Mean over people of the share of their clips, at most 1.

    Returns
    -------
    float

    Examples
    --------
    >>> from stf2m_sk.training.usual import quantile_over_people
    >>> quantile_over_people([[1.0], [2.0, 3.0, 4.0, 5.0]], 0.75)
    3.0
    """
    pooled = np.concatenate(values)
    weights = np.concatenate([np.full(len(own), 1.0 / len(own)) for own in values]) / len(values)
    order = np.argsort(pooled, kind="stable")
    reached = np.cumsum(weights[order])
    # Rounding may leave the sum a little below the level that is meant.
    place = np.searchsorted(reached, level - 1e-9)
    return float(pooled[order][min(place, len(order) - 1)])

r"""The meta-recurrent part: a Gaussian model of the scores, read clip by clip.

The score of emotion c in a clip of person p with features x is

.. math::

    f_c = w_c^T (x - s_p) + u_{cp}, \qquad w_c \sim N(0, I), \quad u_{cp} \sim N(0, \beta),

where s_p is the person's shift as far as it is known, and a label is y = f + noise: +1 for the
clip's own emotion, -1 for all others; of a clip that several emotions share, 2 share - 1.
`stf2m_sk.nn.population` turns the population, the general meta-knowledge, into a prior. `update`
reads labelled clips of one person, one by one or all at once; `answer` gives mean and variance of
every score. What networks say of a clip is one more observation of its scores: see
`stf2m_sk.nn.readout`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stf2m_sk.nn.population import Numbers, Prior
from stf2m_sk.nn.readout import read_networks

__all__ = [
    "State",
    "answer",
    "linear_form",
    "rule_scores",
    "solve_support",
    "start",
    "update",
    "with_networks",
]


_CLIPS_AT_ONCE = 2048  # of a large support: bounds the memory
_PARTS = 4  # of the columns of a large support
_LEAST_EIGENVALUE = 1e-12  # of many labelled clips' products, of the mean of all


class Spread(NamedTuple):
    """What the variances of one kind of emotion, known or new, depend on.

    Attributes
    ----------
    explained : Tensor of shape (n_directions, n_directions)
        I - S of the population.
    factor : Tensor of shape (n_support, n_support)
        Lower Cholesky factor of the support's covariance, noise included.
    """

    explained: Tensor
    factor: Tensor


class State(NamedTuple):
    """Posterior of the scores of one person.

    Attributes
    ----------
    prior : Prior
        Where it started from.
    directions : Tensor of shape (n_features, n_directions)
        Of the population.
    numbers : Numbers
        Of the model.
    place : long Tensor of shape (n_classes,)
        Column of the population that an emotion has; -1 for a new one.
    support : Tensor of shape (n_support, n_features + 1)
        Features of labelled clips, shift subtracted, and beside them the coordinate of the
        person's level.
    projected : Tensor of shape (n_support, n_directions)
        These features in the directions.
    targets : Tensor of shape (n_support, n_classes)
        +1 and -1; of shares in between.
    inner : Tensor of shape (n_directions, n_classes)
        What the mean of a score takes of a clip's features in the directions ...
    dual : Tensor of shape (n_support, n_classes)
        ... and of its products with the labelled clips.
    spreads : tuple of Spread
        Of known and of new emotions.
    """

    prior: Prior
    directions: Tensor
    numbers: Numbers
    place: Tensor
    support: Tensor
    projected: Tensor
    targets: Tensor
    inner: Tensor
    dual: Tensor
    spreads: tuple[Spread, Spread]


def start(prior: Prior, directions: Tensor, numbers: Numbers, place: Tensor) -> State:
    """State without a labelled clip.

    Parameters
    ----------
    prior : Prior
        From `condition`.
    directions : Tensor of shape (n_features, n_directions)
        Of the population.
    numbers : Numbers
        Of the model.
    place : long Tensor of shape (n_classes,)
        Column of the population that an emotion has; -1 for a new one.

    Returns
    -------
    State
        Ready for `answer` (zero shots) and `update`.
    """
    (n_features, n_directions), n_classes = directions.shape, len(place)
    empty = directions.new_zeros(0, 0)
    return State(
        prior=prior,
        directions=directions,
        numbers=numbers,
        place=place,
        support=directions.new_zeros(0, n_features + 1),
        projected=directions.new_zeros(0, n_directions),
        targets=directions.new_zeros(0, n_classes),
        inner=_prior_weights(prior, place),
        dual=directions.new_zeros(0, n_classes),
        spreads=(Spread(prior.known, empty), Spread(prior.new, empty)),
    )


def update(state: State, features: Tensor, shares: Tensor) -> State:
    """Condition on labelled clips of the person.

    Parameters
    ----------
    state : State
        Before.
    features : Tensor of shape (n_clips, n_features) or (n_clips, n_features + n_scores)
        Their features; networks' scores do not count.
    shares : Tensor of shape (n_clips, n_classes)
        Shares of the state's emotions in each clip; one-hot for a label.

    Returns
    -------
    State
        After. One by one, in chunks or at once, in any order: the same but for rounding.

    Notes
    -----
    Costs the cube of the number of clips or of features, whichever is smaller: more clips than
    features are replaced by as many weighted ones that say the same.
    """
    if len(state.support) + len(features) > state.support.shape[1]:
        return _solved(_compressed(state, features, shares))
    support, targets = _labelled(state, features, shares)
    return _solved(
        state._replace(
            support=torch.cat([state.support, support]),
            projected=torch.cat([state.projected, support[:, :-1] @ state.directions]),
            targets=torch.cat([state.targets, targets]),
        )
    )


def answer(state: State, features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the scores of clips.

    Parameters
    ----------
    state : State
        Of the person.
    features : Tensor of shape (n_clips, n_features) or (n_clips, n_features + n_scores)
        Their features, and beside them the networks' score of each emotion of the population.

    Returns
    -------
    means, variances : Tensor of shape (n_clips, n_classes)
        Variances without the noise of a label.
    """
    return with_networks(state, features, *rule_scores(state, features))


def with_networks(
    state: State, features: Tensor, means: Tensor, variances: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores by the rules, to which what networks say of the clips is added.

    Parameters
    ----------
    state : State
        Of the person.
    features : Tensor of shape (n_clips, n_features) or (n_clips, n_features + n_scores)
        As for `answer`.
    means, variances : Tensor of shape (n_clips, n_classes)
        Of `rule_scores`; they are not changed.

    Returns
    -------
    means, variances : Tensor of shape (n_clips, n_classes)
        As of `answer`; those of new emotions, which no network knows, stay as they are.
    """
    scores = (features - state.prior.shift)[:, len(state.directions) :]
    known = state.place >= 0
    if scores.shape[1] and known.any():
        own = scores[:, state.place[known]]
        read = read_networks(means[:, known], variances[:, known], own, state.numbers)
        means, variances = means.clone(), variances.clone()
        means[:, known], variances[:, known] = read
    return means, variances


def rule_scores(state: State, features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the scores of clips by the rules alone, as `answer`.

    Parameters
    ----------
    state : State
        Of the person.
    features : Tensor of shape (n_clips, n_features) or (n_clips, n_features + n_scores)
        Their features; networks' scores do not count.

    Returns
    -------
    means, variances : Tensor of shape (n_clips, n_classes)
        What networks say of the clips is still to be read.
    """
    shifted = (features - state.prior.shift)[:, : len(state.directions)]
    projected = shifted @ state.directions
    level = state.numbers.person_variance**0.5
    products = state.support[:, :-1] @ shifted.T + level * state.support[:, -1:]
    means = projected @ state.inner + products.T @ state.dual
    length = shifted.square().sum(1) + state.numbers.person_variance
    is_new = state.place < 0
    variances = torch.empty_like(means)
    for is_own, spread in zip((~is_new, is_new), state.spreads, strict=True):
        if is_own.any():
            own = _variance(state, spread, projected, products, length)
            variances[:, is_own] = own[:, None]
    return means, variances


def linear_form(state: State) -> tuple[Tensor, Tensor]:
    """Weights and offsets of the mean scores by the rules, which are linear in a clip's features.

    Parameters
    ----------
    state : State
        Of the person.

    Returns
    -------
    weights : Tensor of shape (n_features, n_classes)
        Posterior means of the weights.
    offsets : Tensor of shape (n_classes,)
        The person's levels, less what the weights make of the person's shift.
        ``features @ weights + offsets`` are the means of `rule_scores`.
    """
    level = state.numbers.person_variance**0.5
    weights = state.directions @ state.inner + state.support[:, :-1].T @ state.dual
    shift = weights.new_zeros(len(weights)) + state.prior.shift.reshape(-1)[: len(weights)]
    return weights, level * (state.support[:, -1] @ state.dual) - shift @ weights


def solve_support(covariance: Tensor, residual: Tensor, support_precision) -> tuple[Tensor, Tensor]:
    """Weights of labelled clips: the one place where scores are conditioned on labels.

    Parameters
    ----------
    covariance : Tensor of shape (..., n_support, n_support)
        Of the scores of the labelled clips, before their labels are known.
    residual : Tensor of shape (..., n_support, n_classes)
        Targets less the mean scores.
    support_precision : float or Tensor
        1 / noise variance of a label.

    Returns
    -------
    Tensor of shape (..., n_support, n_classes)
        (K + I / omega)^-1 residual.
    Tensor of shape (..., n_support, n_support)
        Lower Cholesky factor of K + I / omega.
    """
    n = covariance.shape[-1]
    noise = torch.eye(n, dtype=covariance.dtype, device=covariance.device) / support_precision
    factor = torch.linalg.cholesky(covariance + noise)
    half = torch.linalg.solve_triangular(factor, residual, upper=False)
    return torch.linalg.solve_triangular(factor.mT, half, upper=True), factor


def _prior_weights(prior: Prior, place: Tensor) -> Tensor:
    columns = prior.weights[:, place.clamp_min(0)]
    return torch.where(place >= 0, columns, 0.0)


def _solved(state: State) -> State:
    """Means and spreads that follow from the support."""
    mean_weights = _prior_weights(state.prior, state.place)
    residual = state.targets - state.projected @ mean_weights
    gram = state.support @ state.support.T
    dual, inner = torch.empty_like(residual), mean_weights.clone()
    is_new, spreads = state.place < 0, []
    for is_own, spread in zip((~is_new, is_new), state.spreads, strict=True):
        if is_own.any():
            known = state.projected @ spread.explained
            covariance = gram - known @ state.projected.T
            precision = state.numbers.support_precision
            dual[:, is_own], factor = solve_support(covariance, residual[:, is_own], precision)
            inner[:, is_own] -= known.T @ dual[:, is_own]
            spread = spread._replace(factor=factor)
        spreads.append(spread)
    return state._replace(inner=inner, dual=dual, spreads=tuple(spreads))


def _variance(state: State, spread: Spread, projected, products, length) -> Tensor:
    """Variance of the scores of clips for one kind of emotion."""
    explained = projected @ spread.explained
    variance = length - (explained * projected).sum(1)
    if not len(state.support):
        return variance
    cross = products - state.projected @ explained.T
    gained = torch.linalg.solve_triangular(spread.factor, cross, upper=False)
    return variance - gained.square().sum(0)


def _labelled(state: State, features: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of `State.support` and `State.targets` for labelled clips."""
    shifted = (features.double() - state.prior.shift)[:, : len(state.directions)]
    level = shifted.new_full((len(shifted), 1), state.numbers.person_variance**0.5)
    return torch.cat([shifted, level], dim=1), 2.0 * shares.double() - 1.0


def _compressed(state: State, features: Tensor, shares: Tensor) -> State:
    """The state's labelled clips and more, as a row a feature with the same normal equations."""
    products, by_target = _products(state.support), state.support.T @ state.targets
    parts = (features.split(_CLIPS_AT_ONCE), shares.split(_CLIPS_AT_ONCE))
    for part, own in zip(*parts, strict=True):
        rows, targets = _labelled(state, part, own)
        products += _products(rows)
        by_target += rows.T @ targets
    # Rounding may leave the smallest eigenvalues a little below 0.
    products.diagonal().add_(_LEAST_EIGENVALUE * products.diagonal().mean())
    factor = torch.linalg.cholesky(products)
    support = factor.T.contiguous()
    return state._replace(
        support=support,
        projected=support[:, :-1] @ state.directions,
        targets=torch.linalg.solve_triangular(factor, by_target, upper=False),
    )


def _products(rows: Tensor) -> Tensor:
    """Of the columns with each other; what is symmetric is computed once."""
    parts = rows.tensor_split(_PARTS, dim=1)
    blocks = [[left.T @ right for right in parts[i:]] for i, left in enumerate(parts)]
    return torch.cat(
        [
            torch.cat([*(blocks[j][i - j].T for j in range(i)), *blocks[i]], dim=1)
            for i in range(_PARTS)
        ]
    )

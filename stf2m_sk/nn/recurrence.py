r"""The meta-recurrent part: a Gaussian model of the scores, read clip by clip.

The score of emotion c in a clip of person p with features x is

.. math::

    f_c = w_c^T (x - s_p) + u_{cp}, \qquad w_c \sim N(0, I), \quad u_{cp} \sim N(0, \beta),

where s_p is the person's shift as far as it is known, and a label is y = f + noise: +1 for the
clip's own emotion, -1 for all others. `summarise` turns the population into sums, the general
meta-knowledge; `condition` reads them; `update` reads labelled clips of one person,
one by one or all at once; `answer` gives mean and variance of every score.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Numbers",
    "PersonSums",
    "Population",
    "Prior",
    "State",
    "answer",
    "condition",
    "logits",
    "shift_known",
    "solve_support",
    "start",
    "summarise",
    "update",
    "with_shift_known",
]


class Numbers(NamedTuple):
    """The few numbers of the model; plain floats, learned on people left out.

    Attributes
    ----------
    person_variance : float
        Variance of a person's level of an emotion, in units of a population clip's noise.
    support_precision : float
        1 / noise variance of a labelled clip of the person at hand.
    shift_clips : float
        Clips from which half of a person's shift is known.
    temperature : float
        Factor of the scores.
    variance_factor : float
        How much the predictive variance flattens the probabilities.
    """

    person_variance: float
    support_precision: float
    shift_clips: float
    temperature: float
    variance_factor: float


class Population(NamedTuple):
    """Sums over the clips of a population, in the directions in which its clips spread.

    z are a clip's features in these directions, b its one-hot label, and n, bars are a person's
    clips and means. "Within" sums are of what is left after each person's mean; "between" sums
    are of the means, of which an unknown level of the person leaves n / (1 + beta n).

    Attributes
    ----------
    directions : Tensor of shape (n_features, n_directions)
        Orthonormal.
    within, between : Tensor of shape (n_directions, n_directions)
        Of z z'.
    within_labels, between_labels : Tensor of shape (n_directions, n_classes)
        Of z b'.
    counts : Tensor of shape (n_classes, n_classes)
        Of b b', both kinds together.
    shares : Tensor of shape (n_classes,)
        Share of the clips that each class has.
    """

    directions: Tensor
    within: Tensor
    between: Tensor
    within_labels: Tensor
    between_labels: Tensor
    counts: Tensor
    shares: Tensor


class Prior(NamedTuple):
    """What the population says of the weights, before a clip of the person is labelled.

    Attributes
    ----------
    weights : Tensor of shape (n_directions, n_population_classes)
        Means for known emotions; for a new one they are 0.
    known, new : Tensor of shape (n_directions, n_directions)
        I - S, with the covariance S of the weights of a known or a new emotion.
    shift : Tensor of shape (n_features,)
        Subtracted from the features of every clip of the person.
    """

    weights: Tensor
    known: Tensor
    new: Tensor
    shift: Tensor


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
    targets : Tensor of shape (n_support, n_classes)
        +1 and -1.
    weights : Tensor of shape (n_features, n_classes)
        Mean of the weights.
    levels : Tensor of shape (n_classes,)
        Mean of the person's levels.
    spreads : tuple of Spread
        Of known and of new emotions.
    """

    prior: Prior
    directions: Tensor
    numbers: Numbers
    place: Tensor
    support: Tensor
    targets: Tensor
    weights: Tensor
    levels: Tensor
    spreads: tuple[Spread, Spread]


class PersonSums(NamedTuple):
    """Sums of each person and of all: what `summarise` is made from, added up in any parts."""

    of_clips: Tensor  # (n_people,)
    of_features: Tensor  # (n_people, n_directions)
    of_labels: Tensor  # (n_people, n_classes)
    products: Tensor  # (n_directions, n_directions)
    by_label: Tensor  # (n_directions, n_classes)

    @classmethod
    def zeros(cls, n_people: int, n_directions: int, n_classes: int) -> PersonSums:
        """Sums of no clips, in float64."""
        shapes = [
            (n_people,),
            (n_people, n_directions),
            (n_people, n_classes),
            (n_directions, n_directions),
            (n_directions, n_classes),
        ]
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def add(self, projected: Tensor, people: Tensor, codes: Tensor) -> None:
        """Add clips, in place.

        Parameters
        ----------
        projected : Tensor of shape (n_clips, n_directions)
            Features in the directions of the population.
        people, codes : long Tensor of shape (n_clips,)
            Person and class of each clip.
        """
        projected = projected.double()
        labels = torch.nn.functional.one_hot(codes, self.of_labels.shape[1]).double()
        self.of_clips.index_add_(0, people, projected.new_ones(len(people)))
        self.of_features.index_add_(0, people, projected)
        self.of_labels.index_add_(0, people, labels)
        self.products.addmm_(projected.T, projected)
        self.by_label.addmm_(projected.T, labels)


def summarise(sums: PersonSums, directions: Tensor, person_variance: float) -> Population:
    """Turn sums into what the model needs of a population.

    Parameters
    ----------
    sums : PersonSums
        Of all clips.
    directions : Tensor of shape (n_features, n_directions)
        In which the sums were taken.
    person_variance : float
        beta.

    Returns
    -------
    Population
        float64.
    """
    n = sums.of_clips.clamp_min(1.0)[:, None]
    kept = 1.0 / (n * (1.0 + person_variance * n))
    of_means = (sums.of_features / n).T @ sums.of_features
    label_means = (sums.of_labels / n).T @ sums.of_labels
    sizes = sums.of_labels.sum(0)
    weighted = (sums.of_features * kept).T
    between_counts = (sums.of_labels * kept).T @ sums.of_labels
    return Population(
        directions=directions.double(),
        within=sums.products - of_means,
        between=weighted @ sums.of_features,
        within_labels=sums.by_label - (sums.of_features / n).T @ sums.of_labels,
        between_labels=weighted @ sums.of_labels,
        counts=torch.diag(sizes) - label_means + between_counts,
        shares=sizes / sizes.sum(),
    )


def shift_known(n_clips: float, numbers: Numbers) -> float:
    """Share of a person's shift that is known from so many clips."""
    return n_clips / (n_clips + numbers.shift_clips)


def with_shift_known(numbers: Numbers, known: float) -> Numbers:
    """Numbers for a person whose shift is known to some share: so much less of the level is open.

    Parameters
    ----------
    numbers : Numbers
        Of the model.
    known : float
        Share of the person's shift that is known, see `shift_known`.

    Returns
    -------
    Numbers
        With the variance of the person's level times 1 - known: most of what people's levels
        differ by is their shift.
    """
    return numbers._replace(person_variance=numbers.person_variance * (1.0 - known))


def condition(population: Population, mean: Tensor | None = None, known: float = 0.0) -> Prior:
    """Condition on the population.

    Parameters
    ----------
    population : Population
        Its sums.
    mean : Tensor of shape (n_features,), optional
        Mean features of the person's clips.
    known : float, default=0.0
        Share of the person's shift that these clips show, see `shift_known`. As much of the
        shift is subtracted from the person's clips, and of what people differ by from the
        population's scatter.

    Returns
    -------
    Prior
        float64.

    Notes
    -----
    The weights of a new emotion are not held back where known emotions differ: their levels are
    projected out of the population's scatter (a flat prior on the level of each known emotion).
    """
    identity = torch.eye(len(population.within), dtype=torch.float64)
    scatter = population.within + (1.0 - known) ** 2 * population.between
    labels = population.within_labels + (1.0 - known) * population.between_labels
    residual = 2.0 * (labels - labels.sum(1, keepdim=True) * population.shares)
    between_emotions = labels @ torch.linalg.solve(population.counts, labels.T)
    factor = torch.linalg.cholesky(identity + scatter)
    new = torch.linalg.cholesky(identity + scatter - between_emotions)
    shift = population.directions.new_zeros(len(population.directions))
    return Prior(
        weights=torch.cholesky_solve(residual, factor),
        known=identity - torch.cholesky_inverse(factor),
        new=identity - torch.cholesky_inverse(new),
        shift=shift if mean is None else known * mean.double(),
    )


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
    n_features, n_classes = len(directions), len(place)
    empty = directions.new_zeros(0, 0)
    return State(
        prior=prior,
        directions=directions,
        numbers=numbers,
        place=place,
        support=directions.new_zeros(0, n_features + 1),
        targets=directions.new_zeros(0, n_classes),
        weights=directions @ _prior_weights(prior, place),
        levels=directions.new_zeros(n_classes),
        spreads=(Spread(prior.known, empty), Spread(prior.new, empty)),
    )


def update(state: State, features: Tensor, codes: Tensor) -> State:
    """Condition on labelled clips of the person.

    Parameters
    ----------
    state : State
        Before.
    features : Tensor of shape (n_clips, n_features)
        Their features.
    codes : long Tensor of shape (n_clips,)
        Place of each clip's emotion among those of the state.

    Returns
    -------
    State
        After. One by one, in chunks or at once, in any order: the same but for rounding.

    Notes
    -----
    Costs the cube of the number of clips or of features, whichever is smaller: more clips than
    features are replaced by as many weighted ones that say the same (a QR decomposition).
    """
    shifted = features.double() - state.prior.shift
    level = shifted.new_full((len(shifted), 1), state.numbers.person_variance**0.5)
    own = 2.0 * torch.nn.functional.one_hot(codes, len(state.place)).double() - 1.0
    support = torch.cat([state.support, torch.cat([shifted, level], dim=1)])
    targets = torch.cat([state.targets, own])
    if len(support) > support.shape[1]:
        support, targets = _compressed(support, targets)
    return _solved(state._replace(support=support, targets=targets))


def answer(state: State, features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the scores of clips.

    Parameters
    ----------
    state : State
        Of the person, in the dtype of the features.
    features : Tensor of shape (n_clips, n_features)
        Their features.

    Returns
    -------
    means, variances : Tensor of shape (n_clips, n_classes)
        Variances without the noise of a label.
    """
    shifted = features - state.prior.shift
    means = shifted @ state.weights + state.levels
    projected = shifted @ state.directions
    length = shifted.square().sum(1)
    is_new = state.place < 0
    variances = torch.empty_like(means)
    for is_own, spread in zip((~is_new, is_new), state.spreads, strict=True):
        if is_own.any():
            own = _variance(state, spread, shifted, projected, length)
            variances[:, is_own] = own[:, None]
    return means, variances


def logits(means: Tensor, variances: Tensor, temperature, variance_factor) -> Tensor:
    """Logits of probabilities: scores, flattened where they are uncertain.

    Parameters
    ----------
    means, variances : Tensor of one shape
        Of the scores.
    temperature, variance_factor : float or Tensor
        T and kappa.

    Returns
    -------
    Tensor
        T f / sqrt(1 + kappa v), the probit approximation of a logistic regression's average
        over a Gaussian (MacKay 1992).
    """
    return temperature * means / (1.0 + variance_factor * variances.clamp_min(0.0)).sqrt()


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
    """Weights, levels and spreads that follow from the support."""
    features, level = state.support[:, :-1], state.support[:, -1]
    projected = features @ state.directions
    mean_weights = _prior_weights(state.prior, state.place)
    residual = state.targets - projected @ mean_weights
    gram = features @ features.T + level[:, None] * level
    dual = torch.empty_like(residual)
    inner = mean_weights.clone()
    is_new, spreads = state.place < 0, []
    for is_own, spread in zip((~is_new, is_new), state.spreads, strict=True):
        if is_own.any():
            known = projected @ spread.explained
            covariance = gram - known @ projected.T
            precision = state.numbers.support_precision
            dual[:, is_own], factor = solve_support(covariance, residual[:, is_own], precision)
            inner[:, is_own] -= known.T @ dual[:, is_own]
            spread = spread._replace(factor=factor)
        spreads.append(spread)
    level_scale = state.numbers.person_variance**0.5
    return state._replace(
        weights=state.directions @ inner + features.T @ dual,
        levels=level_scale * (level @ dual),
        spreads=tuple(spreads),
    )


def _variance(state: State, spread: Spread, shifted, projected, length) -> Tensor:
    """Variance of the scores of clips for one kind of emotion."""
    explained = projected @ spread.explained
    variance = length - (explained * projected).sum(1) + state.numbers.person_variance
    if not len(state.support):
        return variance
    features, level = state.support[:, :-1], state.support[:, -1:]
    cross = features @ shifted.T - (features @ state.directions) @ explained.T
    cross = cross + level * state.numbers.person_variance**0.5
    gained = torch.linalg.solve_triangular(spread.factor, cross, upper=False)
    return variance - gained.square().sum(0)


def _compressed(support: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """As many rows as columns that have the same normal equations."""
    orthogonal, triangle = torch.linalg.qr(support)
    return triangle, orthogonal.T @ targets

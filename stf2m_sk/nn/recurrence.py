r"""The meta-recurrent part: a Gaussian model of the scores, read clip by clip.

The score of emotion c in a clip of person p with features x is

.. math::

    f_c = w_c^T (x - s_p) + u_{cp}, \qquad w_c \sim N(0, I), \quad u_{cp} \sim N(0, \beta),

where s_p is the person's shift as far as it is known, and a label is y = f + noise: +1 for the
clip's own emotion, -1 for all others; of a clip that several emotions share, 2 share - 1.
`summarise` turns the population into sums, the general
meta-knowledge; `condition` reads them; `update` reads labelled clips of one person,
one by one or all at once; `answer` gives mean and variance of every score. What networks say of a
clip is one more observation of its scores, see `read_networks`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "SYMMETRIC",
    "Numbers",
    "PersonSums",
    "Population",
    "Prior",
    "State",
    "answer",
    "condition",
    "linear_form",
    "logits",
    "network_weight",
    "read_networks",
    "rule_scores",
    "shift_known",
    "solve_support",
    "start",
    "summarise",
    "update",
    "with_shift_known",
]


SYMMETRIC = ("within", "between", "counts")  # sums of a population

_CLIPS_AT_ONCE = 2048  # of a large support: bounds the memory
_PARTS = 4  # of the columns of a large support
_LEAST_EIGENVALUE = 1e-12  # of many labelled clips' products, of the mean of all


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
    network_gain : float
        Score that a network's score of 1 stands for.
    network_noise : float
        Variance of what networks say of a clip's scores.
    """

    person_variance: float
    support_precision: float
    shift_clips: float
    temperature: float
    variance_factor: float
    network_gain: float
    network_noise: float


class Population(NamedTuple):
    """Sums over the clips of a population, in the directions in which its clips spread.

    z are a clip's features in these directions, b the shares of its emotions (one-hot for a
    label), and n, bars are a person's clips and means. "Within" sums are of what is left after
    each person's mean; "between" sums are of the means, of which an unknown level of the person
    leaves n / (1 + beta n).

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
    shift : Tensor of shape (n_features + n_scores,), or 0
        Subtracted from all features of every clip of the person.
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


class PersonSums(NamedTuple):
    """Sums of each person and of all: what `summarise` is made from, added up in any parts."""

    of_clips: Tensor  # (n_people,)
    of_features: Tensor  # (n_people, n_directions)
    of_labels: Tensor  # (n_people, n_classes)
    products: Tensor  # (n_directions, n_directions)
    by_label: Tensor  # (n_directions, n_classes)
    label_products: Tensor  # (n_classes, n_classes)

    @classmethod
    def zeros(cls, n_people: int, n_directions: int, n_classes: int) -> PersonSums:
        """Sums of no clips, in float64."""
        shapes = [
            (n_people,),
            (n_people, n_directions),
            (n_people, n_classes),
            (n_directions, n_directions),
            (n_directions, n_classes),
            (n_classes, n_classes),
        ]
        return cls(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))

    def add(self, projected: Tensor, people: Tensor, shares: Tensor) -> None:
        """Add clips, in place.

        Parameters
        ----------
        projected : Tensor of shape (n_clips, n_directions)
            Features in the directions of the population.
        people : long Tensor of shape (n_clips,)
            Person of each clip.
        shares : Tensor of shape (n_clips, n_classes)
            Shares of the classes in each clip; one-hot for a label.
        """
        projected, labels = projected.double(), shares.double()
        self.of_clips.index_add_(0, people, projected.new_ones(len(people)))
        self.of_features.index_add_(0, people, projected)
        self.of_labels.index_add_(0, people, labels)
        self.products.addmm_(projected.T, projected)
        self.by_label.addmm_(projected.T, labels)
        self.label_products.addmm_(labels.T, labels)


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
        float64; symmetric sums are so to the last bit, and a file keeps one half of each.
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
        within=_symmetric(sums.products - of_means),
        between=_symmetric(weighted @ sums.of_features),
        within_labels=sums.by_label - (sums.of_features / n).T @ sums.of_labels,
        between_labels=weighted @ sums.of_labels,
        counts=_symmetric(sums.label_products - label_means + between_counts),
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
    mean : Tensor of shape (n_features + n_scores,), optional
        Mean features of the person's clips, networks' scores among them.
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
    shift = torch.zeros((), dtype=torch.float64)
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
    means, variances = rule_scores(state, features)
    scores, known = features[:, len(state.directions) :], state.place >= 0
    if scores.shape[1] and known.any():
        own = scores[:, state.place[known]]
        read = read_networks(means[:, known], variances[:, known], own, state.numbers)
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


def read_networks(
    means: Tensor, variances: Tensor, scores: Tensor, numbers: Numbers
) -> tuple[Tensor, Tensor]:
    """Condition the scores of clips on what networks say of the same clips.

    Parameters
    ----------
    means, variances : Tensor of shape (..., n_classes)
        Of the scores; variances may lack the last axis's extent.
    scores : Tensor of shape (..., n_classes)
        Of the networks.
    numbers : Numbers
        Of the model.

    Returns
    -------
    means, variances : Tensor of shape (..., n_classes)
        The less the rules know of a clip's scores, the more the networks count.

    Notes
    -----
    Ours: a Kalman update by an observation ``network_gain * scores`` with the noise variance
    ``network_noise``.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.recurrence import Numbers, read_networks
    >>> numbers = Numbers(0.5, 16.0, 10.0, 3.0, 1.0, network_gain=2.0, network_noise=1.0)
    >>> read_networks(torch.zeros(1), torch.ones(1), torch.ones(1), numbers)
    (tensor([1.]), tensor([0.5000]))
    """
    weight = network_weight(variances, numbers)
    means = means + weight * (numbers.network_gain * scores - means)
    return means, (1.0 - weight) * variances.clamp_min(0.0)


def network_weight(variances: Tensor, numbers: Numbers) -> Tensor:
    """Share of the networks in the scores of clips.

    Parameters
    ----------
    variances : Tensor
        Of the scores by the rules alone.
    numbers : Numbers
        Of the model.

    Returns
    -------
    Tensor of the shape of `variances`
        In [0, 1): the Kalman gain of `read_networks`.
    """
    variances = variances.clamp_min(0.0)
    return variances / (variances + numbers.network_noise)


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


def _symmetric(sum_: Tensor) -> Tensor:
    return (sum_ + sum_.T) / 2.0


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

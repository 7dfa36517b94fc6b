"""What a population says of the weights: sums over its clips, and the prior that follows."""

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
    "condition",
    "shift_known",
    "summarise",
    "with_level_shown",
    "with_shift_known",
]

SYMMETRIC = ("within", "between", "counts")  # sums of a population


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


def with_level_shown(numbers: Numbers, shares: Tensor) -> Numbers:
    """Numbers for a support: the person's level is learned as far as it is spread over emotions.

    Parameters
    ----------
    numbers : Numbers
        Of the model.
    shares : Tensor of shape (n_support, n_classes)
        Shares of all emotions to answer with in each labelled clip; one-hot for a label.

    Returns
    -------
    Numbers
        With the variance of the person's level times (perplexity - 1) / (n_classes - 1), the
        perplexity being that of the emotions' shares: 1 where all have as many clips, 0 where
        one has all.

    Notes
    -----
    Ours. Which clips are labelled is the user's choice. Labels of one emotion alone would else
    say that the person shows this emotion in every clip.

    Examples
    --------
    >>> import torch
    >>> from stf2m_sk.nn.population import Numbers, with_level_shown
    >>> numbers = Numbers(0.5, 16.0, 10.0, 3.0, 1.0, network_gain=2.0, network_noise=1.0)
    >>> round(with_level_shown(numbers, torch.eye(3)).person_variance, 6)
    0.5
    >>> with_level_shown(numbers, torch.eye(3)[[1, 1]]).person_variance
    0.0
    """
    sizes = shares.double().sum(0)
    perplexity = torch.special.entr(sizes / sizes.sum()).sum().exp().item()
    spread = (perplexity - 1.0) / max(len(sizes) - 1, 1)
    return numbers._replace(person_variance=numbers.person_variance * min(max(spread, 0.0), 1.0))


def _symmetric(sum_: Tensor) -> Tensor:
    return (sum_ + sum_.T) / 2.0

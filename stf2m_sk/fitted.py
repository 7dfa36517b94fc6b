"""What a fitted classifier knows: one immutable object, from which others are derived."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.population import (
    Numbers,
    Population,
    Prior,
    condition,
    shift_known,
    with_level_shown,
    with_shift_known,
)
from stf2m_sk.nn.readout import logits
from stf2m_sk.nn.recurrence import State, answer, rule_scores, start, update, with_networks
from stf2m_sk.nn.signals import Signals
from stf2m_sk.person import PersonMean, Support
from stf2m_sk.priors import ClassPriors
from stf2m_sk.provenance import Provenance
from stf2m_sk.views import Views, ViewSchema

__all__ = [
    "Answers",
    "FittedModel",
    "measured_parts",
]

_CLIPS_AT_ONCE = 512  # bounds the memory of a prediction, whatever the number of clips


class Answers(NamedTuple):
    """What a model says of clips, and how far these are from what it knows.

    Attributes
    ----------
    logits : Tensor of shape (n_clips, n_classes)
        In the dtype of the clips.
    unlikeness : float64 Tensor of shape (n_clips,)
        Predictive variance of the scores by the rules, in units of `FittedModel.usual_variance`.
    off : bool Tensor of shape (n_clips, n_modalities)
        Modalities that look as in no training clip, see `SensorCheck`.
    """

    logits: Tensor
    unlikeness: Tensor
    off: Tensor


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Features, what they say of a population, and what a person has shown.

    Parameters
    ----------
    module : STF2MModule
        From recordings to features; shared by all models that are derived, never changed.
    schema : ViewSchema
        Modalities that it takes.
    population : Population
        Sums over the population, float64, on the CPU.
    numbers : Numbers
        Of the model.
    usual_variance : float
        Predictive variance that 99 % of the clips of people left out do not exceed.
    population_classes : array
        Labels of the population, sorted.
    priors : ClassPriors
        Prior probabilities of the classes.
    classes : array
        Labels to answer with, sorted.
    provenance : Provenance
        Counts of the training clips, and versions.
    person : PersonMean or None
        Unlabelled clips of the person.
    support : Support or None
        Labelled clips of the person.
    history : list of list of dict
        Epochs of each network.
    support_weight : float
        Factor of the learned precision of a support clip.
    population_prior : Prior or None
        Of the population alone, where it is known already.
    """

    module: STF2MModule
    schema: ViewSchema
    population: Population
    numbers: Numbers
    usual_variance: float
    population_classes: NDArray
    priors: ClassPriors
    classes: NDArray
    provenance: Provenance
    person: PersonMean | None = None
    support: Support | None = None
    history: list | tuple = ()
    support_weight: float = 1.0
    population_prior: Prior | None = None

    @property
    def device(self) -> torch.device:
        """Where the module is."""
        return self.module.scaler.mean.device

    @cached_property
    def prior(self) -> Prior:
        """What population and unlabelled clips say of the weights."""
        if self.person is None:
            if self.population_prior is not None:
                return self.population_prior
            return condition(self.population)
        known = shift_known(self.person.n_clips, self.numbers)
        return condition(self.population, torch.tensor(self.person.features), known)

    @cached_property
    def state(self) -> State:
        """Posterior of the scores of all classes, float64."""
        return self.state_of(self.support, self.classes)

    def state_of(self, support: Support | None, classes: NDArray) -> State:
        """Posterior of the scores after a support.

        Parameters
        ----------
        support : Support or None
            Labelled clips.
        classes : array of shape (n_classes,)
            Labels to answer with, sorted; they cover those of the support.

        Returns
        -------
        State
            float64.
        """
        precision = self.numbers.support_precision * self.support_weight
        numbers = self.numbers._replace(support_precision=precision)
        if self.person is not None:
            known = shift_known(self.person.n_clips, numbers)
            numbers = with_shift_known(numbers, known)
        place = self._place(classes)
        if support is None or not len(support.features):
            return start(self.prior, self.population.directions, numbers, place)
        shares = torch.from_numpy(support.shares_of(classes))
        numbers = with_level_shown(numbers, shares)
        state = start(self.prior, self.population.directions, numbers, place)
        return update(state, torch.from_numpy(support.features), shares)

    def derived(self, **changes) -> FittedModel:
        """Another model with some parts changed; the population is read once for all of them."""
        return replace(self, population_prior=self._population_prior(), **changes)

    def _population_prior(self) -> Prior:
        if self.population_prior is None and self.person is None:
            return self.prior
        return self.population_prior

    def _place(self, classes: NDArray) -> Tensor:
        known = self.population_classes
        place = np.searchsorted(known, classes).clip(0, len(known) - 1)
        return torch.from_numpy(np.where(known[place] == classes, place, -1))

    # ---- from clips to features and logits ----

    def embed(self, views: Views) -> Tensor:
        """Features of clips, on the CPU, in the dtype of the views.

        Parameters
        ----------
        views : Views
            Clips with the modalities of `schema`.

        Returns
        -------
        Tensor of shape (n_clips, n_features)
        """
        return torch.cat(list(self._embedded(views)))

    def logits(self, views: Views) -> Tensor:
        """Logits of `classes`.

        Parameters
        ----------
        views : Views
            Clips with the modalities of `schema`.

        Returns
        -------
        Tensor of shape (n_clips, n_classes)
            In the dtype of the views.
        """
        return self.answers(views).logits

    def answers(self, views: Views) -> Answers:
        """Logits of `classes`, and doubt about the clips.

        Parameters
        ----------
        views : Views
            Clips with the modalities of `schema`.

        Returns
        -------
        Answers
        """
        # Filled in place: many small results kept apart would keep memory from being used again.
        n, first = views.n_clips, 0
        filled = Answers(
            torch.empty(n, len(self.classes), dtype=_torch_dtype(views)),
            torch.empty(n, dtype=torch.float64),
            torch.empty(n, len(views.names), dtype=torch.bool),
        )
        for module, signals in self.standardised(views):
            own = slice(first, first + len(signals.present))
            features = module.features(signals).cpu().double()
            scores = rule_scores(self.state, features)
            filled.logits[own] = self._scaled(
                *with_networks(self.state, features, *scores), self.classes
            )
            # Known emotions have the smaller variance.
            filled.unlikeness[own] = scores[1].amin(1) / self.usual_variance
            filled.off[own] = module.sensors(signals).cpu()
            first = own.stop
        return filled

    def logits_of(self, state: State, features: Tensor, classes: NDArray | None = None) -> Tensor:
        """Logits from features.

        Parameters
        ----------
        state : State
            Of `state_of`.
        features : Tensor of shape (n_clips, n_features)
            Of `embed`.
        classes : array of shape (n_classes,), default=None
            Labels of the state; None for `classes` of this model.

        Returns
        -------
        Tensor of shape (n_clips, n_classes)
            float64: the variance is a difference of large numbers.
        """
        labels = self.classes if classes is None else classes
        return self._scaled(*answer(state, features.double()), labels)

    def _scaled(self, means: Tensor, variances: Tensor, labels: NDArray) -> Tensor:
        scaled = logits(means, variances, self.numbers.temperature, self.numbers.variance_factor)
        return scaled + torch.from_numpy(self.priors.of(labels))

    def _embedded(self, views: Views) -> Iterator[Tensor]:
        for module, signals in self.standardised(views):
            yield module.features(signals).cpu()

    def standardised(self, views: Views) -> Iterator[tuple[STF2MModule, Signals]]:
        """Clips as the rules take them, some at a time: memory does not grow with their number.

        Parameters
        ----------
        views : Views
            Clips with the modalities of `schema`.

        Yields
        ------
        module : STF2MModule
            In the dtype of the views.
        signals : Signals
            On the device of the module.
        """
        dtype, device = _torch_dtype(views), self.device
        module = self.module
        if dtype == torch.float64:
            module = copy.deepcopy(module).double()
        for first in range(0, views.n_clips, _CLIPS_AT_ONCE):
            part = views[first : first + _CLIPS_AT_ONCE]
            # Other strides, as of a DataFrame's columns, would give other last bits.
            arrays = [np.ascontiguousarray(part[name]) for name in part.names]
            signals = [torch.tensor(array, dtype=dtype, device=device) for array in arrays]
            yield module, module.standardiser(signals)


def measured_parts(views: Views) -> list[NDArray[np.float32]]:
    """Each modality up to the last frame that any clip has, so that padding decides nothing.

    Parameters
    ----------
    views : Views
        Clips.

    Returns
    -------
    list of float32 array (n_clips, n_channels, n_timesteps)

    Raises
    ------
    ValueError
        If a value is too large for float32.
    """
    parts = []
    views = views.astype(np.float32)
    for name in views.names:
        measured = np.flatnonzero(~np.isnan(views[name]).all(axis=(0, 1)))
        length = measured[-1] + 1 if len(measured) else 1
        parts.append(np.ascontiguousarray(views[name][:, :, :length]))
    return parts


def _torch_dtype(views: Views) -> torch.dtype:
    return torch.float64 if views.dtype == np.float64 else torch.float32

"""Fine-tuning: copies of a fitted model's networks, trained on clips of one person."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray

from stf2m_sk._validation import local_generator
from stf2m_sk.fitted import FittedModel, measured_parts
from stf2m_sk.training.network_fitting import NetworkPlan
from stf2m_sk.training.networks import fine_tune
from stf2m_sk.views import Views

__all__ = ["fine_tuned"]


def fine_tuned(
    model: FittedModel,
    views: Views,
    labels: NDArray,
    n_epochs: int,
    random_state: int | np.random.RandomState | None,
) -> FittedModel:
    """Train copies of the networks on labelled clips of a person.

    Parameters
    ----------
    model : FittedModel
        With networks; not changed.
    views : Views
        Clips of the person.
    labels : array of shape (n_clips,)
        Their labels, all of the population.
    n_epochs : int
        Epochs.
    random_state : int, RandomState instance or None
        Decides the order of clips and the noise.

    Returns
    -------
    FittedModel
        Of the same population, with networks of its own.

    Raises
    ------
    ValueError
        If the model has no network, or a label is not of the population.
    """
    if model.module.ensemble is None:
        raise ValueError(
            f"fine_tune_epochs={n_epochs}, but the classifier has no networks to fine-tune: fit it "
            "with n_networks=3, or leave fine_tune_epochs out."
        )
    new = np.setdiff1d(labels, model.population_classes)
    if len(new):
        raise ValueError(
            f"Networks name the population's emotions only, but y holds {new.tolist()}. Leave "
            "these clips or fine_tune_epochs out."
        )
    codes = np.searchsorted(model.population_classes, labels)
    plan = NetworkPlan(max_epochs=n_epochs, device=str(model.device))
    module = copy.deepcopy(model.module)
    recordings = [torch.from_numpy(part).to(model.device) for part in measured_parts(views)]
    signals = module.standardiser(recordings)
    module.ensemble = fine_tune(
        module.ensemble, signals, codes, plan, local_generator(random_state)
    )
    return model.derived(module=module)

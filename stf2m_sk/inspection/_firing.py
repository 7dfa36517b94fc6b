"""How rules fire in clips, and what they weigh."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk.fitted import FittedModel
from stf2m_sk.inspection._explain import factors_and_networks, rule_names
from stf2m_sk.inspection._explanation import RuleName
from stf2m_sk.nn.recurrence import State, linear_form
from stf2m_sk.views import Views

__all__ = ["Firing", "column_means", "firing_of", "strengths_of", "weight_deviations"]


class Firing(NamedTuple):
    """Rules and how they fire in clips.

    A ramp rule that fires more than half of the time is turned round: it then fires where the
    response lies *below* its threshold, and its weights change their signs. The scores differ by a
    constant only, and what is put into words is the event, not its absence.

    Attributes
    ----------
    names : tuple of RuleName
        In the order of the features.
    strengths : float64 array of shape (n_clips, n_rules)
        Shares of the time; NaN where the modality is absent.
    is_inverted : bool array of shape (n_rules,)
        Which rules are turned round.
    slopes : float64 array of shape (n_rules,)
        Scaled features by which full firing exceeds none.
    factors : float64 array of shape (n_classes,)
        Logits per mean score of a class by the rules, in the mean over the clips.
    weights : float64 array of shape (n_rules, n_classes)
        Logits by which full firing exceeds none.
    """

    names: tuple[RuleName, ...]
    strengths: NDArray[np.float64]
    is_inverted: NDArray[np.bool_]
    slopes: NDArray[np.float64]
    factors: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def deviations(self) -> NDArray[np.float64]:
        """Standard deviations of the strengths over the clips, (n_rules,)."""
        return np.sqrt(column_means((self.strengths - column_means(self.strengths)) ** 2))


def firing_of(model: FittedModel, views: Views) -> Firing:
    """How the rules of a model fire in clips.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    views : Views
        Clips.

    Returns
    -------
    Firing
    """
    n_rules = model.module.n_rules
    strengths, factors = [], []
    for module, signals in model.standardised(views):
        unscaled = module.unscaled(signals)
        strengths.append(unscaled[:, :n_rules].double().cpu().numpy())
        features = module.scaler(unscaled).double().cpu()
        factors.append(factors_and_networks(model, features)[0].numpy())
    names, found = rule_names(model), np.concatenate(strengths)
    is_ramp = np.array([name.kind != "pattern" for name in names])
    is_inverted = is_ramp & (column_means(found) > 0.5)
    scales = model.module.scaler.factors[:n_rules].double().cpu().numpy()
    slopes = scales * np.where(is_inverted, -1.0, 1.0)
    per_score = np.concatenate(factors).mean(axis=0)
    return Firing(
        names=names,
        strengths=np.where(is_inverted, 1.0 - found, found),
        is_inverted=is_inverted,
        slopes=slopes,
        factors=per_score,
        weights=slopes[:, None] * linear_form(model.state)[0].numpy() * per_score,
    )


def strengths_of(model: FittedModel, views: Views) -> NDArray[np.float64]:
    """Firing strengths of all rules, none of them turned round.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    views : Views
        Clips.

    Returns
    -------
    float64 array of shape (n_clips, n_rules)
        NaN where the modality is absent.
    """
    parts = [module.strengths(signals) for module, signals in model.standardised(views)]
    return torch.cat(parts).double().cpu().numpy()


def weight_deviations(
    model: FittedModel, firing: Firing, members: list[NDArray[np.intp]]
) -> NDArray[np.float64]:
    """Posterior deviations of the weights of rules that are taken together.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    firing : Firing
        Of its rules.
    members : list of int array
        Numbers of the rules.

    Returns
    -------
    float64 array of shape (n_merged, n_classes)
        In logits per standard deviation of the firing.
    """
    sizes = firing.deviations * firing.slopes
    vectors = np.zeros((len(members), len(sizes)))
    for vector, own in zip(vectors, members, strict=True):
        vector[own] = sizes[own]
    variances = _variances(model.state, torch.from_numpy(vectors)).numpy()
    return np.sqrt(variances.clip(0.0)) * firing.factors


def column_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of columns over what is not NaN; 0 where everything is.

    Parameters
    ----------
    values : float64 array of shape (n_rows, n_columns)
        With NaN.

    Returns
    -------
    float64 array of shape (n_columns,)
    """
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _variances(state: State, vectors: Tensor) -> Tensor:
    """Posterior variances of products of the weights with vectors, (n_vectors, n_classes)."""
    projected = vectors @ state.directions
    variances = torch.empty(len(vectors), len(state.place), dtype=vectors.dtype)
    is_new = state.place < 0
    for is_own, spread in zip((~is_new, is_new), state.spreads, strict=True):
        explained = projected @ spread.explained
        own = vectors.square().sum(1) - (explained * projected).sum(1)
        if len(state.support) and is_own.any():
            cross = state.support[:, :-1] @ vectors.T - state.projected @ explained.T
            gained = torch.linalg.solve_triangular(spread.factor, cross, upper=False)
            own = own - gained.square().sum(0)
        variances[:, is_own] = own[:, None]
    return variances

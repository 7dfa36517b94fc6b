"""A logistic regression on the firing of a few rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from stf2m_sk.inspection._firing import Firing, column_means
from stf2m_sk.inspection._merging import Merged
from stf2m_sk.inspection._selection import forward_selection

__all__ = ["LinearRules", "path_of"]

_C = 0.1  # inverse strength of the L2 penalty


class LinearRules(NamedTuple):
    """Weights of the firing of a few rules.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Emotions, sorted.
    rules : int array of shape (n_chosen,)
        Numbers of the rules.
    is_inverted : bool array of shape (n_chosen,)
        Which of them are turned round, see `Firing`.
    means, deviations : float64 array of shape (n_chosen,)
        Of the firing in the training clips.
    coef : float64 array of shape (n_classes, n_chosen)
        Logits per standard deviation.
    intercept : float64 array of shape (n_classes,)
        Logits at mean firing.
    """

    classes: NDArray
    rules: NDArray[np.intp]
    is_inverted: NDArray[np.bool_]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def probabilities(self, strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities of the emotions.

        Parameters
        ----------
        strengths : array of shape (n_clips, n_rules)
            Of all rules, none of them turned round; NaN where the modality is absent, which
            counts as mean firing.

        Returns
        -------
        float64 array of shape (n_clips, n_classes)
        """
        own = strengths[:, self.rules]
        own = np.where(self.is_inverted, 1.0 - own, own)
        standardised = np.nan_to_num((own - self.means) / self.deviations)
        return softmax(standardised @ self.coef.T + self.intercept, axis=1)


def path_of(
    firing: Firing, rules: list[Merged], y: NDArray, groups: NDArray, k: int
) -> list[LinearRules]:
    """Weights of no rule, the best rule, the best two and so on.

    Parameters
    ----------
    firing : Firing
        In the training clips.
    rules : list of Merged
        To choose from; of each the first member counts.
    y, groups : array of shape (n_clips,)
        Emotions and people.
    k : int
        Most rules.

    Returns
    -------
    list of LinearRules
        At most k + 1.
    """
    leaders = np.array([own.members[0] for own in rules], dtype=np.intp)
    strengths = firing.strengths[:, leaders]
    means, deviations = column_means(strengths), firing.deviations[leaders]
    standardised = np.nan_to_num((strengths - means) / deviations)
    chosen = forward_selection(standardised, y, groups, k)
    path = []
    for n in range(len(chosen) + 1):
        own = np.array(chosen[:n], dtype=np.intp)
        path.append(
            LinearRules(
                np.unique(y),
                leaders[own],
                firing.is_inverted[leaders[own]],
                means[own],
                deviations[own],
                *_weights(standardised[:, own], y),
            )
        )
    return path


def _weights(standardised, y) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_classes = len(np.unique(y))
    if not standardised.shape[1]:
        return np.zeros((n_classes, 0)), np.zeros(n_classes)
    regression = LogisticRegression(C=_C, class_weight="balanced", max_iter=1000)
    regression.fit(standardised, y)
    coef, intercept = regression.coef_, regression.intercept_
    if n_classes == 2:  # scikit-learn keeps the second class's half alone
        coef, intercept = (np.concatenate([-own, own]) / 2.0 for own in (coef, intercept))
    return coef, intercept

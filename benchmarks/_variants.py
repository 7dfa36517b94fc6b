"""The classifier without one of its parts, for `ablation.py`.

The classifier itself has no switches: parts are left out through the `TrainingPlan` that
`meta_train` gets, or by a change inside `fit` of this module's estimator only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import NamedTuple
from unittest.mock import patch

import joblib
import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from stf2m_sk import STF2MClassifier, classifier
from stf2m_sk.nn import module, patterns
from stf2m_sk.training import meta_train, numbers

_NO_VARIANCE, _NO_CLIPS = 1e-9, 1e15  # of a person's level; until half of a shift is known


class Variant(NamedTuple):
    """What is changed.

    Attributes
    ----------
    plan : dict
        Fields of the `TrainingPlan`.
    changes : callable
        Context in which `fit` runs.
    """

    plan: dict = {}  # noqa: RUF012
    changes: object = None


@contextmanager
def _without_person_effects() -> Iterator[None]:
    """Levels and shifts have no variance; all other numbers are learned as ever."""
    start = numbers.START._replace(person_variance=_NO_VARIANCE, shift_clips=_NO_CLIPS)
    with (
        patch.object(numbers, "START", start),
        patch.object(numbers, "_SHIFT_CLIPS", (_NO_CLIPS,)),
    ):
        yield


@contextmanager
def _networks_alone() -> Iterator[None]:
    """All rules get the weight 0: the networks' scores are all that is left."""

    def learn_numbers(grams, *others):
        weights, learned = numbers.learn_numbers(grams, *others)
        return torch.zeros_like(weights), learned

    with patch.object(meta_train, "learn_numbers", learn_numbers):
        yield


class HardPatternRules(patterns.PatternRules):
    """Pattern rules of which a window belongs to the nearest prototype alone."""

    def forward(self, signal, frames):
        """Share of the measured frames that belong to each prototype."""
        with patch.object(patterns, "membership", _hard_membership):
            return super().forward(signal, frames)


def _hard_membership(windows, prototypes):
    nearest = torch.cdist(windows, prototypes).argmin(dim=1)
    return torch.nn.functional.one_hot(nearest, len(prototypes)).to(windows)


@contextmanager
def _hard_memberships() -> Iterator[None]:
    with patch.object(module, "PatternRules", HardPatternRules):
        yield


VARIANTS = {
    "whole": Variant(),
    "no pattern rules": Variant({"n_patterns": 0}),
    "no ramp rules": Variant({"n_kernels": 0}),
    "no spatial mixing": Variant({"most_mixed": 1}),
    "no temporal taps": Variant({"n_taps": 1}),
    "no person effects": Variant(changes=_without_person_effects),
    "no networks": Variant({"networks": None}),
    "networks alone": Variant(changes=_networks_alone),
    "random prototypes": Variant({"initialisation": "random"}),
    "hard memberships": Variant(changes=_hard_memberships),
    "no learned numbers": Variant({"learns_numbers": False}),
}


class VariantClassifier(ClassifierMixin, BaseEstimator):
    """`STF2MClassifier`, fitted without a part.

    Parameters
    ----------
    variant : str, default="whole"
        Of `VARIANTS`.
    params : dict or None, default=None
        Parameters of the classifier.
    random_state : int, default=0
        Of the classifier. Networks have a generator of their own with this seed: those of the
        variants of a fold are the same, and are trained once.

    Attributes
    ----------
    classifier_ : STF2MClassifier
        What was fitted; it has the verbs.
    classes_ : array
        Its classes.
    """

    def __init__(self, variant="whole", *, params=None, random_state=0):
        self.variant = variant
        self.params = params
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        """Meta-train without the part."""
        own = VARIANTS[self.variant]

        def planned(recordings, codes, people, plan, random_state, shares):
            plan = replace(plan, **own.plan)
            return meta_train.meta_train(recordings, codes, people, plan, random_state, shares)

        with ExitStack() as changed:
            changed.enter_context(patch.object(classifier, "meta_train", planned))
            networks = _SharedNetworks(self.random_state)
            changed.enter_context(patch.object(meta_train, "train_networks", networks))
            if own.changes is not None:
                changed.enter_context(own.changes())
            whole = STF2MClassifier(random_state=self.random_state, **(self.params or {}))
            self.classifier_ = whole.fit(X, y, groups=groups)
        self.classes_ = self.classifier_.classes_
        return self

    def adapt(self, X=None, y=None, *, unlabelled=None, classes=None):
        """As that of the classifier, which it returns."""
        return self.classifier_.adapt(X, y, unlabelled=unlabelled, classes=classes)

    def predict_proba(self, X):
        """As that of the classifier."""
        return self.classifier_.predict_proba(X)

    def predict(self, X):
        """As that of the classifier."""
        return self.classifier_.predict(X)


class _SharedNetworks:
    """`train_networks` that trains the same networks once."""

    _last: tuple = (None, None)  # of the class: the latest key and networks

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.train = meta_train.train_networks

    def __call__(self, signals, codes, people, n_classes, plan, random_state, shares, **hooks):
        arrays = [values.cpu().numpy() for values in signals.values]
        key = joblib.hash([arrays, codes, people, shares, repr(plan), self.seed])
        if key != _SharedNetworks._last[0]:
            own = np.random.RandomState(self.seed)
            trained = self.train(signals, codes, people, n_classes, plan, own, shares, **hooks)
            _SharedNetworks._last = key, trained
        return _SharedNetworks._last[1]

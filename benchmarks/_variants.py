"""The classifier without one of its parts, for `ablation.py`.

The classifier itself has no switches: within `variant` parts are left out through the
`TrainingPlan` that `meta_train` gets, or by a change of what `fit` calls.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest.mock import patch

import joblib
import numpy as np
import torch

from stf2m_sk import classifier
from stf2m_sk.nn import module, patterns
from stf2m_sk.training import meta_train, numbers

_NO_VARIANCE, _NO_CLIPS = 1e-9, 1e15  # of a person's level; until half of a shift is known


class HardPatternRules(patterns.PatternRules):
    """Pattern rules of which a window belongs to the nearest prototype alone."""

    def forward(self, signal, frames):
        """Share of the measured frames that belong to each prototype."""
        with patch.object(patterns, "membership", _hard_membership):
            return super().forward(signal, frames)


def _hard_membership(windows, prototypes):
    nearest = torch.cdist(windows, prototypes).argmin(dim=1)
    return torch.nn.functional.one_hot(nearest, len(prototypes)).to(windows)


def _without_rules(grams, *others):
    """All rules get the weight 0: the networks' scores are all that is left."""
    weights, learned = numbers.learn_numbers(grams, *others)
    return torch.zeros_like(weights), learned


_NO_LEVELS = numbers.START._replace(person_variance=_NO_VARIANCE, shift_clips=_NO_CLIPS)
VARIANTS = {  # fields of the TrainingPlan, and what else is replaced
    "whole": ({}, []),
    "no pattern rules": ({"n_patterns": 0}, []),
    "no ramp rules": ({"n_kernels": 0}, []),
    "no spatial mixing": ({"most_mixed": 1}, []),
    "no temporal taps": ({"n_taps": 1}, []),
    "no person effects": (
        {}, [(numbers, "START", _NO_LEVELS), (numbers, "_SHIFT_CLIPS", (_NO_CLIPS,))]
    ),
    "no networks": ({"networks": None}, []),
    "networks alone": ({}, [(meta_train, "learn_numbers", _without_rules)]),
    "random prototypes": ({"initialisation": "random"}, []),
    "hard memberships": ({}, [(module, "PatternRules", HardPatternRules)]),
    "no learned numbers": ({"learns_numbers": False}, []),
}  # fmt: skip


@contextmanager
def variant(name: str) -> Iterator[None]:
    """Within it, `STF2MClassifier.fit` leaves a part out; adapting and predicting are as ever.

    Networks have a generator of their own: all variants of a fold have the same ones, which are
    trained once.
    """
    fields, replaced = VARIANTS[name]

    def planned(recordings, codes, people, plan, random_state, shares):
        plan = replace(plan, **fields)
        return meta_train.meta_train(recordings, codes, people, plan, random_state, shares)

    common = [(classifier, "meta_train", planned), (meta_train, "train_networks", _train_once)]
    with ExitStack() as changed:
        for one in common + replaced:
            changed.enter_context(patch.object(*one))
        yield


_TRAINED: dict = {}  # networks by what they were trained on and how
_train_networks = meta_train.train_networks


def _train_once(signals, codes, people, n_classes, plan, random_state, shares, **hooks):
    arrays = [values.cpu().numpy() for values in signals.values]
    key = joblib.hash([arrays, codes, people, shares, repr(plan)])
    if key not in _TRAINED:
        common = signals, codes, people, n_classes, plan, np.random.RandomState(0), shares
        _TRAINED[key] = _train_networks(*common, **hooks)
    return _TRAINED[key]

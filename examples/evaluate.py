"""Evaluate on people whom nobody trained on: intervals, controls and a look for leaks."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.model_selection import (
    FewShotProtocol,
    MajorityControl,
    NearestInTimeControl,
    ShuffledLabels,
    compare_few_shot,
    leakage_report,
)


def mean_and_deviation(views):
    """A table with two columns for each channel."""
    signals = [np.ma.masked_invalid(signal) for signal in views.to_dict().values()]
    columns = [statistic(s, axis=2) for s in signals for statistic in (np.ma.mean, np.ma.std)]
    return np.ma.filled(np.ma.concatenate(columns, axis=1), 0.0)


stress = load_stress()
# 20 people, each new in one of the folds
folds = GroupKFold(n_splits=2, shuffle=True, random_state=0)
ours = STF2MClassifier(random_state=0)
forest = RandomForestClassifier(class_weight="balanced", random_state=0)
comparison = compare_few_shot(
    {
        "ST-F2M": ours,
        "+ unlabelled": ours,
        "shuffled labels": ShuffledLabels(ours, random_state=0),
        "forest": make_pipeline(FunctionTransformer(mean_and_deviation), forest),
        "nearest in time": NearestInTimeControl(),
        "majority": MajorityControl(),
    },
    stress.views,
    stress.target,
    groups=stress.groups,
    protocol=FewShotProtocol(
        shots=(0, 4), draws=2, on_few="shrink", unlabelled=("+ unlabelled",), random_state=0
    ),
    cv=folds,
)
print(comparison.summary().round(3).to_string(index=False))
print()
differences = comparison.differences(reference="ST-F2M")
print(differences.round(3).to_string(index=False))
print()
splits = folds.split(stress.views, stress.target, stress.groups)
print(leakage_report(stress.views, stress.target, splits=splits, groups=stress.groups))

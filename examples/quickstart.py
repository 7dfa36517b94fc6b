"""Recognise the stress of a person nobody trained on: before, and after a few of their clips."""

import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress

stress = load_stress()
new = stress.groups == "S11"  # the new person
classifier = STF2MClassifier(n_networks=0, random_state=0)  # rules without networks: fits quickly
classifier.fit(stress.views[~new], stress.target[~new], groups=stress.groups[~new])

views, target = stress.views[new], stress.target[new]
nth = np.array([np.sum(target[:i] == state) for i, state in enumerate(target)])
half = np.array([np.sum(target == state) // 2 for state in target])
first, later = nth < half, nth > half  # the two halves of each state, a clip apart
two = (nth == 0) | (nth == half - 1)  # the only clips whose labels are used

recorded = classifier.adapt(unlabelled=views[first])
labelled = classifier.adapt(views[two], target[two], unlabelled=views[first])
print(f"before:                 {classifier.score(views[later], target[later]):.0%} right")
print(f"unlabelled recording:   {recorded.score(views[later], target[later]):.0%}")
print(f"two labels per state:   {labelled.score(views[later], target[later]):.0%}")

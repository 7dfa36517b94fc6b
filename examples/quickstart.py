"""Read the stress of a person whom nobody trained on, before and after a few labels."""

import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress

stress = load_stress()
new = stress.groups == "S20"  # a person nobody trains on
classifier = STF2MClassifier(verbose=1, random_state=0)
classifier.fit(stress.views[~new], stress.target[~new], groups=stress.groups[~new])

views, target = stress.views[new], stress.target[new]
nth = np.array([np.sum(target[:i] == state) for i, state in enumerate(target)])
few, later = nth < 2, nth >= 4  # the first two clips of each state; the fifth and all after
person = classifier.adapt(views[few], target[few])
print(f"before: {classifier.score(views[later], target[later]):.0%} of the later clips right")
print(f"after:  {person.score(views[later], target[later]):.0%} with two labelled clips per state")

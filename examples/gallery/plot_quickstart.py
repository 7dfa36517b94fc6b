"""
Quickstart: a new person, before and after a few labels
=======================================================

Nineteen people are trained on, and the twentieth is new. How many of their clips are recognised
before anything is known of them, after their unlabelled recording, and after two labels per state?
"""

# %%
# The bundled recording
# ---------------------
# Twenty people relaxed and went through three kinds of stress. A clip is 30 s of five sensors.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.recordings import Timeline

stress = load_stress()
new = stress.groups == "S11"  # the new person
stress.views

# %%
# Train on the others
# -------------------
# ``groups`` says whose clips they are: what is learned is judged on people left out. Without
# networks this takes seconds.

classifier = STF2MClassifier(n_networks=0, random_state=0)
classifier.fit(stress.views[~new], stress.target[~new], groups=stress.groups[~new])

# %%
# Adapt to the new person
# -----------------------
# The clips of the first half of each state may be read, those of the second half are predicted. One
# clip between them is left out. Of the first half, two clips per state are labelled.

views, target = stress.views[new], stress.target[new]
nth = np.array([np.sum(target[:i] == state) for i, state in enumerate(target)])
half = np.array([np.sum(target == state) // 2 for state in target])
first, later = nth < half, nth > half
two = (nth == 0) | (nth == half - 1)

recorded = classifier.adapt(unlabelled=views[first])
labelled = classifier.adapt(views[two], target[two], unlabelled=views[first])
known = {"nothing": classifier, "unlabelled recording": recorded, "two labels each": labelled}
right = {name: model.score(views[later], target[later]) for name, model in known.items()}
for name, share in right.items():
    print(f"{name:22}{share:.0%} right")

# %%
# People differ. Here the unlabelled recording changes little and the labels much; over all twenty
# people, each new once, both help on average.

always = max(np.mean(target[later] == state) for state in classifier.classes_)
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
bars = axes.barh(list(right)[::-1], [100 * share for share in right.values()][::-1])
axes.bar_label(bars, fmt="%.0f %%", padding=4)
axes.axvline(100 * always, color="black", linestyle="--", label="always the most frequent state")
axes.set(xlim=(0, 100), xlabel="clips recognised (%)", title="What is known of the new person")
axes.legend(loc="center right", fontsize="small")

# %%
# Over time
# ---------
# Grey is what the person did. Dark is the probability of that state, light that of another.

start = 30.0 * np.arange(len(target))
timeline = Timeline(start, start + 30, labelled.predict_proba(views), labelled.classes_)
phases = pd.DataFrame({"start": start, "end": start + 30, "label": target})
axes = timeline.plot(phases)

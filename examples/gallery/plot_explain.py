"""
Why this clip, and why not the other emotion
============================================

Every logit of the classifier is a sum. ``explain`` returns the parts: what each modality, each rule
and each moment adds. This example takes a clip of a new person that was predicted wrongly and looks
for the reason.
"""

# %%
# A clip that was predicted wrongly
# ---------------------------------
#
# Twelve people of the bundled recording train the classifier. Person S17 is new, and the unlabelled
# clips of that person are known.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import ExplanationDisplay, UnlikeClipsWarning, explain

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
known = np.isin(stress.groups, np.unique(stress.groups)[:12])
new = stress.groups == "S17"
model = STF2MClassifier(n_networks=0, random_state=0)
model.fit(stress.views[known], stress.target[known], groups=stress.groups[known])
person = model.adapt(unlabelled=stress.views[new])

views, target = stress.views[new], stress.target[new]
predicted, probability = person.predict(views), person.predict_proba(views).max(axis=1)
wrong = np.flatnonzero(predicted != target)
clip = int(wrong[probability[wrong].argmax()])  # the surest of the mistakes
print(f"{len(wrong)} of {len(target)} clips are wrong")
print(f"clip {clip}: {predicted[clip]} ({probability[clip]:.0%}), labelled {target[clip]}")

# %%
# What the logits consist of
# --------------------------
#
# Nothing is approximated: the parts add up to the logits.

explanation = explain(person, views)
parts = explanation.to_frame()
parts = parts[parts["clip"] == clip]
parts["part"] = parts["modality"].fillna(parts["term"])
print(parts.pivot(index="part", columns="emotion", values="contribution").round(2).to_string())
error = np.abs(explanation.total - person.decision_function(views)).max()
print(f"largest difference from the logits: {error:.1e}")

# %%
# Why one and not the other
# -------------------------
#
# ``versus`` gives the difference of two logits. Parts above zero are for what was predicted, parts
# below zero for what was labelled.

why = explanation.versus(predicted[clip], target[clip])
pair = why.to_frame()
pair = pair[pair["clip"] == clip]
print(pair[["term", "modality", "contribution"]].round(2).to_string(index=False))

# %%
# The figure shows each signal and, below it, the moments that speak for the prediction (blue) and
# against it (orange). Bars at the right are the sums.

ExplanationDisplay.from_explanation(why, views, clip=clip).plot()
plt.show()

# %%
# The same over all mistakes
# --------------------------
#
# One clip is an anecdote. Here are all wrong clips of the person: the contribution of each part to
# "predicted less labelled". A part above zero made the mistake.

names = [*explanation.modalities, "person"]
values = []
for row in wrong:
    own = explanation.versus(predicted[row], target[row])
    values.append([*own.by_modality[row, 0], own.by_person[row, 0]])
values = np.array(values)

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
spread = np.random.default_rng(0).uniform(-0.15, 0.15, len(values))
for place in range(len(names)):
    ax.plot(values[:, place], place + spread, "o", color="0.6", markersize=4)
    ax.plot(np.median(values[:, place]), place, "|", color="#0072B2", markersize=22, mew=3)
ax.axvline(0, color="0.3", linewidth=0.8)
ax.set_yticks(range(len(names)), names)
ax.invert_yaxis()
ax.set_xlabel("contribution to predicted less labelled (logits; bar: median)")
ax.set_title(f"{len(wrong)} wrong clips of S17", loc="left")
plt.show()

# %%
# Limits
# ------
#
# An explanation says how *this* classifier came to a number. It does not say what the person felt,
# nor what would happen if a signal were changed. Contributions are relative to the mean over the
# people trained on; ``relative_to="person"`` takes the person's own mean.

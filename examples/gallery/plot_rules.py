"""
Reading the rules
=================

The classifier's fuzzy rules can be put into words: what a rule looks for, in units of the sensor,
and in which emotion it fires. This example prints the most important ones, draws one of them, and
asks for a short list of rules that predicts by itself.
"""

# %%
# The rules in words
# ------------------
#
# Twelve people of the bundled recording, and a classifier of moderate size. ``units`` are those of
# the recording.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import (
    RuleDisplay,
    UnlikeClipsWarning,
    explain,
    rule_table,
    short_rules,
)

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
rows = np.isin(stress.groups, np.unique(stress.groups)[:12])
X, y, people = stress.views[rows], stress.target[rows], stress.groups[rows]
units = {"acc": "g", "eda": "uS", "temp": "°C", "hr": "bpm", "spo2": "%"}

model = STF2MClassifier(n_networks=0, n_kernels=300, n_patterns=80, random_state=0)
model.fit(X, y, groups=people)
table = rule_table(model, X, y, groups=people, units=units, n_rules=40)
for rule in table["rule"][:6]:
    print("-", rule)

# %%
# The other columns hold the same in numbers. ``people`` counts those in whose own clips the rule
# fires more in its emotion than in others: a rule that holds for few people says little.

columns = ["prediction", "modality", "kind", "size", "unit", "window", "importance", "people"]
print(table[columns].head(10).round(2).to_string(index=False))

# %%
# How often rules fire
# --------------------
#
# One row for each rule, one column for each state; two rules for each modality. How the wrist is
# held (``az``) tells physical stress. No rule of another signal is as clear.

states = model.classes_
best = table.groupby("modality", sort=False).head(2).reset_index()
fires = best[[f"fires_{state}" for state in states]].to_numpy()
figure, ax = plt.subplots(figsize=(10.5, 0.42 * len(best) + 1.4), layout="constrained")
image = ax.imshow(fires, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
for row, column in np.ndindex(*fires.shape):
    value = fires[row, column]
    ink = "white" if value > 0.5 else "black"
    ax.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=ink)
said = best["rule"].str.split(": fires").str[0]
ax.set_yticks(range(len(best)), said)
ax.set_xticks(range(len(states)), [state.replace("_", "\n") for state in states])
ax.set_title("Share of the time in which a rule fires (%)", loc="left")
ax.tick_params(length=0)
ax.spines[:].set_visible(False)
figure.colorbar(image, ax=ax, label="share")
plt.show()

# %%
# One rule as a picture
# ---------------------
#
# Pattern rules look for a short course of a signal. ``RuleDisplay`` shows the prototype, windows of
# real clips in which the rule fires most, and its firing in each state with an interval over
# people. This is the pattern of skin conductance with the largest weight among those of its shape.

explanation = explain(model, X[:1])
weights = np.abs(explanation.weights).max(axis=1)
heaviest_first = [explanation.rules[place] for place in np.argsort(-weights)]
displays = (
    RuleDisplay.from_estimator(model, X, y, rule=rule, groups=people)
    for rule in heaviest_first
    if rule.modality == "eda" and rule.kind == "pattern"
)
next(display for display in displays if display.pattern.is_shape).plot()
plt.show()

# %%
# A short list that predicts
# --------------------------
#
# ``short_rules`` chooses the fewest rules that keep 95 % of the accuracy on people left out. Where
# no list of at most ``k`` rules does, it takes the best of them. The result is a classifier.

short = short_rules(model, X, y, groups=people, k=10, units=units)
print(short)

# %%
# Limits
# ------
#
# Rules say what tells the labels apart in this recording, and not what an emotion is. Physical
# stress was a person who stands and walks, so its rules find the wrist. Weights of rules that fire
# alike cannot be told from each other; the table takes such rules together. Networks, where there
# are some, are in no rule.

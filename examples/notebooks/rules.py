# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Do the rules hold for new people?
#
# Rules are read on people who were trained on. This notebook reads them, and then asks how often
# they hold in people who were not. `jupytext --to ipynb rules.py` makes a notebook of this file.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import UnlikeClipsWarning, explain, rule_table, short_rules

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

pd.set_option("display.max_colwidth", None)  # rules in full

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups
known = np.isin(people, np.unique(people)[:12])
units = {"acc": "g", "eda": "uS", "temp": "°C", "hr": "bpm", "spo2": "%"}

model = STF2MClassifier(n_networks=0, n_kernels=300, n_patterns=80, random_state=0)
model.fit(X[known], y[known], groups=people[known])

# %% [markdown]
# ## The rules, as the training people show them
#
# `importance` is the mean contribution to the logit in clips of the predicted state, less that in
# others. `people_share` is the share of people in whose own clips a rule fires more in that state.

# %%
table = rule_table(model, X[known], y[known], groups=people[known], units=units, n_rules=30)
table[["rule", "prediction", "importance", "people_share"]].head(10).round(2)

# %% [markdown]
# ## The same rules in eight new people
#
# The contribution of a rule is looked at in each new person's clips. A rule holds for a person if
# it adds more to the logit of its state in clips of that state than in the other clips.

# %%
new = ~known
explanation = explain(model, X[new])
contributions = explanation.by_rule()  # (n_clips, n_classes, n_rules)
states = model.classes_.tolist()


def difference(clips, contributions, place):
    """Contribution to a state in its own clips less that in others, for each rule."""
    is_own = y[clips] == states[place]
    own = contributions[:, place]
    return own[is_own].mean(axis=0) - own[~is_own].mean(axis=0)


old = explain(model, X[known]).by_rule()
rows = np.flatnonzero(new)
strength = np.stack([difference(known, old, place) for place in range(len(states))])
holds = np.stack(
    [
        [
            difference(rows[people[rows] == person], contributions[people[rows] == person], place)
            > 0
            for person in np.unique(people[new])
        ]
        for place in range(len(states))
    ]
).mean(axis=1)  # (n_classes, n_rules): share of new people

# %% [markdown]
# The figure shows the 15 strongest pairs of rule and state for each modality. A rule without any
# meaning would hold for half of the people.

# %%
modality = np.array([rule.modality for rule in explanation.rules])
colours = dict(
    zip(
        explanation.modalities, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True
    )
)
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
for (name, colour), marker in zip(colours.items(), "osD^v", strict=True):
    own = modality == name
    strongest = np.argsort(-strength[:, own], axis=None)[:15]
    at, share = strength[:, own].ravel()[strongest], holds[:, own].ravel()[strongest]
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, len(at))
    ax.plot(
        at, share + jitter, marker, color=colour, alpha=0.7, label=f"{name}: {share.mean():.2f}"
    )
ax.axhline(0.5, color="0.5", linestyle=":")
ax.set_xlabel("contribution in the training people (logits)")
ax.set_ylabel("share of new people in whom it holds")
ax.legend(title="mean share", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# ## A list short enough to print
#
# `score_` is the balanced accuracy on training people who were left out; the number of rules was
# chosen on them. The eight new people were not looked at, so theirs is the honest figure.

# %%
short = short_rules(model, X[known], y[known], groups=people[known], k=10, units=units)
print(short)
for name, classifier in (("all rules", model), ("short list", short)):
    found = classifier.predict(X[new])
    print(f"{name:<11} {balanced_accuracy_score(y[new], found):.2f} on eight new people")

# %% [markdown]
# ## Keep the table
#
# `rules_` is a DataFrame: `short.rules_.to_csv("rules.csv")` writes it with all numbers.

# %%
short.rules_[["prediction", "modality", "kind", "size", "unit", "window", "people"]].round(3)

# %% [markdown]
# ## What this does not show
#
# - Rules tell the labels of this recording apart. Physical stress was standing and walking.
# - Eight people are few. A share of 6 in 8 comes by chance in one of seven rules without meaning.
# - Rules that fire alike share their weight. Read them as a group, not one by one.

"""
How a leak flatters a classifier
================================

Windows of one person on both sides of a split make a score too high. This example scores the same
classifier on the same clips with two splitters of scikit-learn, and lets ``leakage_report`` look
for what both sides share.
"""

# %%
# Two splitters, one classifier
# -----------------------------
#
# ``KFold(shuffle=True)`` shares out clips at random: neighbours in time of one person are on both
# sides. ``GroupKFold`` leaves out whole people. The classifier is a random forest on mean,
# deviation, extremes and slope of every channel.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_score

from stf2m_sk.datasets import load_stress
from stf2m_sk.model_selection import leakage_report

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups
table = X.to_table().fillna(0.0)
forest = RandomForestClassifier(n_estimators=100, class_weight="balanced", random_state=0)

splits = {
    "KFold, shuffled": list(KFold(5, shuffle=True, random_state=0).split(table)),
    "GroupKFold": list(GroupKFold(5, shuffle=True, random_state=0).split(table, y, people)),
}
scores = {
    name: cross_val_score(forest, table, y, cv=folds, scoring="balanced_accuracy")
    for name, folds in splits.items()
}
for name, folds in scores.items():
    print(f"{name:<16} {folds.mean():.2f}   folds:", *folds.round(2))

# %%
# Let a report find it
# --------------------
#
# ``leakage_report`` looks at the splits themselves; one of each kind is enough here.

for name, folds in splits.items():
    print(f"{name}: {leakage_report(X, y, splits=folds[:1], groups=people)}\n")

# %%
# What the leak is worth
# ----------------------

mistake = scores["KFold, shuffled"].mean() - scores["GroupKFold"].mean()
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
for place, (name, folds) in enumerate(scores.items()):
    colour = "#D55E00" if name.startswith("KFold") else "#0072B2"
    ax.barh(place, folds.mean(), color=colour, alpha=0.6, height=0.6)
    ax.plot(folds, np.full(len(folds), place), "o", color="0.2", markersize=4)
ax.axvline(0.25, color="0.4", linestyle=":")
ax.text(0.255, 0.5, "chance", color="0.4", va="center")
ax.set_yticks(range(len(scores)), ["same people\non both sides", "new people"])
ax.invert_yaxis()
ax.set_xlim(0, 1)
ax.set_xlabel("balanced accuracy (bar: mean; points: folds)")
ax.set_title(f"The same classifier: {mistake:+.2f} through the split alone", loc="left")
plt.show()

# %%
# Limits
# ------
#
# A report without findings says what was looked for, not that nothing leaks. It cannot see that
# labels come in blocks of time, or that features were chosen on all clips. A split by people
# answers one question: how well the classifier does on people it does not know.

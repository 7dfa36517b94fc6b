"""
Other models on the same clips
==============================

``Views`` turn into what other packages take: a table of statistics for scikit-learn, and one array
of all channels for aeon. This example fits a random forest, MiniRocket and this package's
classifier to the same people and compares them on new ones.
"""

# %%
# A table, and a panel
# --------------------
#
# ``to_table`` gives mean, standard deviation, minimum, maximum and slope of each channel, with
# names. ``to_panel`` brings all channels to one rate: slower ones hold their last value. Both take
# each clip by itself, so no test clip influences another.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from aeon.classification.convolution_based import MiniRocketClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from stf2m_sk import STF2MClassifier, Views
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import UnlikeClipsWarning

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups
print(X)
print("panel:", X.to_panel().shape)
table = X.to_table()
print("table:", table.shape)
print(table.iloc[:3, -5:].round(2).to_string())

# %%
# Three models
# ------------
#
# A ``FunctionTransformer`` makes the conversion a step of a Pipeline. MiniRocket needs the extra
# ``[bench]``, which installs aeon.

models = {
    "random forest on the table": make_pipeline(
        FunctionTransformer(Views.to_table),
        RandomForestClassifier(class_weight="balanced", random_state=0),
    ),
    "MiniRocket on the panel": make_pipeline(
        FunctionTransformer(Views.to_panel),
        MiniRocketClassifier(n_kernels=2000, class_weight="balanced", random_state=0),
    ),
    "STF2M without networks": STF2MClassifier(n_networks=0, random_state=0),
}

# %%
# New people
# ----------
#
# Two folds: each person is new once. Models see no label of the new people.

rows = []
for train, test in GroupKFold(2, shuffle=True, random_state=0).split(X, y, people):
    for name, model in models.items():
        known = {"groups": people[train]} if name.startswith("STF2M") else {}
        model.fit(X[train], y[train], **known)
        found = model.predict(X[test])
        for person in np.unique(people[test]):
            own = people[test] == person
            score = balanced_accuracy_score(y[test][own], found[own])
            rows.append({"person": person, "model": name, "score": score})

scores = pd.DataFrame(rows).pivot(index="person", columns="model", values="score")[list(models)]
summary = pd.DataFrame({"mean": scores.mean(), "lowest": scores.min(), "highest": scores.max()})
print(summary.round(2).to_string())

# %%
# Grey lines join the scores of one person. They cross: which model is best depends on who is new.

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
ax.plot(scores.columns, scores.T, color="0.8", marker="o", markersize=4)
ax.plot(scores.columns, scores.mean(), "D", color="#0072B2", markersize=9, label="mean")
ax.axhline(0.25, color="0.4", linestyle=":", label="chance")
ax.set_xticks(range(len(models)), [name.replace(" on ", "\non ") for name in models])
ax.set_xlim(-0.3, len(models) - 0.7)
ax.set_ylim(0, 1)
ax.set_ylabel("balanced accuracy, zero labels")
ax.set_title("Twenty people, each new once", loc="left")
ax.legend(frameon=False, loc="lower right")
plt.show()

# %%
# Limits
# ------
#
# One seed, two folds and one recording do not rank models. MiniRocket has 2000 kernels here instead
# of 10000, to keep the example short. ``compare_few_shot`` compares classifiers person by person,
# with intervals and with labelled clips of the new people.

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
# # Which model for our sensors?
#
# A comparison as an engineer needs it before a model is built in: accuracy on new people at zero
# and four labelled clips, paired differences, and seconds. `jupytext --to ipynb comparison.py`
# makes a notebook of this file. It takes a minute.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stf2m_sk import PooledClassifier, STF2MClassifier, Views
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import ShotsDisplay, UnlikeClipsWarning
from stf2m_sk.model_selection import (
    FewShotProtocol,
    MajorityControl,
    NearestInTimeControl,
    compare_few_shot,
)

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups

# %% [markdown]
# ## The candidates
#
# Two of them look at no signal. *Nearest in time* copies the label of the nearest labelled clip,
# and *majority* always says the most frequent one. A model that does not beat them is not worth its
# sensors.
#
# A forest and ridge cannot adapt. `PooledClassifier` fits them anew, on the other people and on the
# new person's labelled clips, each of which counts as 50. Steps before it transform each clip once.

# %%
forest = RandomForestClassifier(class_weight="balanced", n_jobs=-1, random_state=0)
ridge = RidgeClassifierCV(np.logspace(-3, 3, 7), class_weight="balanced")
candidates = {
    "STF2M": STF2MClassifier(n_networks=0, random_state=0),
    "forest": make_pipeline(FunctionTransformer(Views.to_table), PooledClassifier(forest)),
    "MiniRocket": make_pipeline(
        FunctionTransformer(Views.to_panel),
        MiniRocket(n_kernels=1000, random_state=0),
        StandardScaler(),
        PooledClassifier(ridge),
    ),
    "nearest in time": NearestInTimeControl(),
    "majority": MajorityControl(),
}

# %% [markdown]
# ## One protocol for all
#
# Every candidate gets the same folds, the same labelled clips and the same query clips. Labelled
# clips are from the first half of each state's recording, query clips from the second.

# %%
protocol = FewShotProtocol(shots=(0, 4), draws=1, on_few="shrink", random_state=0)
comparison = compare_few_shot(
    candidates,
    X,
    y,
    groups=people,
    protocol=protocol,
    cv=GroupKFold(4, shuffle=True, random_state=0),
)
comparison.summary().round(2)

# %% [markdown]
# Intervals are 95 % over people. They say how these fits would do on other people of the same kind,
# and not how much another seed would differ.

# %%
ShotsDisplay.from_result(comparison).plot()
plt.show()

# %% [markdown]
# ## Paired differences
#
# All candidates see the same people, so they are compared person by person. The p-value is Holm's,
# over all comparisons of the table.

# %%
comparison.differences(reference="STF2M").round(3)

# %%
comparison.ranking().round(2)

# %% [markdown]
# ## What it costs
#
# Seconds on this machine: a fit for each fold, and an adaptation and a prediction for each episode.

# %%
seconds = ["fit_seconds", "adapt_seconds", "predict_seconds"]
comparison.rows.groupby("estimator", sort=False)[seconds].median().round(3)

# %% [markdown]
# ## Before you decide
#
# - One seed and one recording. Run other seeds; a difference that changes its sign is none.
# - The kinds of stress come in blocks, so *nearest in time* is strong here. With labels that come
#   and go it would be weaker.
# - Networks are left out (`n_networks=0`), and MiniRocket has 1000 kernels instead of 10000.

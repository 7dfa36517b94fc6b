"""
A new person without any label
==============================

You have a recording of a new person and no label at all. ``adapt(unlabelled=...)`` uses it to
remove what makes this person's signals differ from those of others. This example measures on 20
people how often that helps, and how often it hurts.
"""

# %%
# The clips
# ---------
#
# The bundled recording holds 20 people in four states of stress. The first half of each person's
# clips of each state is the unlabelled recording; the second half is predicted. One clip between
# the halves is left out, because neighbours in time are alike.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import UnlikeClipsWarning

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups

clips = pd.DataFrame({"person": people, "state": y})
nth = clips.groupby(["person", "state"]).cumcount().to_numpy()
half = clips.groupby(["person", "state"])["state"].transform("size").to_numpy() // 2
recorded, asked = nth < half, nth > half

# %%
# Predict each person once
# ------------------------
#
# Four folds leave out five people each. A person is predicted twice: by the population's
# classifier, and after the person's unlabelled clips were read. Neither has seen a label of the
# person. The classifier has rules only (``n_networks=0``) and fits in seconds.

rows = []
for train, test in GroupKFold(4, shuffle=True, random_state=0).split(X, y, people):
    population = STF2MClassifier(n_networks=0, random_state=0)
    population.fit(X[train], y[train], groups=people[train])
    for person in np.unique(people[test]):
        own = people == person
        adapted = population.adapt(unlabelled=X[own & recorded])
        query = own & asked
        before, after = (model.score(X[query], y[query]) for model in (population, adapted))
        rows.append({"person": person, "before": before, "with the recording": after})

scores = pd.DataFrame(rows).set_index("person").sort_values("with the recording")
change = scores["with the recording"] - scores["before"]
print(scores.mean().round(3).to_string())
print(
    f"helped {(change > 0).sum()}, changed nothing {(change == 0).sum()}, hurt {(change < 0).sum()}"
)

# %%
# Each person is one row of the figure. An arrow to the right means that the unlabelled recording
# helped.

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.6"
figure, ax = plt.subplots(figsize=(8, 6.5), layout="constrained")
for place, (before, after) in enumerate(scores.to_numpy()):
    colour = BLUE if after > before else ORANGE if after < before else GREY
    ax.annotate(
        "", (after, place), (before, place), arrowprops={"arrowstyle": "-|>", "color": colour}
    )
ax.plot(scores["before"], range(len(scores)), "o", color=GREY, label="before")
for colour, marker, name, is_so in (
    (BLUE, ">", "better with the recording", change > 0),
    (ORANGE, "<", "worse with the recording", change < 0),
):
    places = np.flatnonzero(is_so)
    ax.plot(scores["with the recording"].iloc[places], places, marker, color=colour, label=name)
ax.axvline(0.25, color=GREY, linestyle=":", label="chance")
ax.set_yticks(range(len(scores)), scores.index)
ax.set_xlim(0, 1)
ax.set_xlabel("share of clips that are right")
ax.set_ylabel("new person")
ax.set_title("Zero labels: before and after the unlabelled recording", loc="left")
ax.legend(loc="upper left", framealpha=1.0)
plt.show()

# %%
# Limits
# ------
#
# The unlabelled clips should hold the states as they occur. A recording of one state only moves the
# person's mean, and the state's mark is then taken for the person's. Whether it helps *your* people
# is to be measured, as here, before you rely on it.

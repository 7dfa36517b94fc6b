"""
A sensor that falls off
=======================

NaN means not measured, and the classifier takes it: a moment, a channel or a whole modality of a
clip. This example measures what each modality is worth on new people, and what happens in a
recording whose most important sensor falls off.
"""

# %%
# What each modality is worth
# ---------------------------
#
# Fifteen people of the bundled recording train the classifier; the other five are new.
# ``ModalityDisplay`` leaves modalities out when it predicts. Nothing is trained again.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk import STF2MClassifier, Views
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import ModalityDisplay, UnlikeClipsWarning

# Sensors came loose in a few clips, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)

stress = load_stress()
X, y, people = stress.views, stress.target, stress.groups
known = np.isin(people, np.unique(people)[:15])
model = STF2MClassifier(n_networks=0, random_state=0)
model.fit(X[known], y[known], groups=people[known])

display = ModalityDisplay.from_estimator(model, X[~known], y[~known], groups=people[~known])
display.plot()
plt.show()

# %%
# Left: how much a modality adds to the logits. Middle: how much accuracy is lost without it, with
# an interval over people. Right: accuracy as modalities go missing one by one. Intervals of five
# people are wide, and one that covers zero says that nothing was shown.

# %%
# The accelerometer falls off
# ---------------------------
#
# The new people's accelerometer has no values now. A device may write NaN, go on with the last
# value that it saw, or write zeros.


def fallen(views, value):
    """Copy of the clips with another value in all of the accelerometer."""
    arrays = views.to_dict() | {"acc": np.full_like(views["acc"], value)}
    rates = {modality.name: modality.rate for modality in views.schema}
    channels = {modality.name: modality.channel_names for modality in views.schema}
    return Views(arrays, rates=rates, channel_names=channels)


rows = []
for person in np.unique(people[~known]):
    views, target = X[people == person], y[people == person]
    kinds = {
        "sensor is on": views,
        "NaN": fallen(views, np.nan),
        "one value held": fallen(views, views["acc"][0][:, -1:]),
        "zeros": fallen(views, 0.0),
    }
    for kind, shown in kinds.items():
        right = balanced_accuracy_score(target, model.predict(shown))
        rows.append({"person": person, "acc": kind, "right": right})

scores = pd.DataFrame(rows).pivot(index="person", columns="acc", values="right")[list(kinds)]
print(scores.round(2).to_string())
print(scores.mean().round(2).to_string())

# %%
# Grey lines are people. NaN loses least: the other sensors are still read. A value that stands for
# nothing is taken for a measured one.

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
ax.plot(scores.columns, scores.T, color="0.75", marker="o", markersize=4)
ax.plot(scores.columns, scores.mean(), color="#0072B2", marker="o", linewidth=2.5, label="mean")
ax.axhline(0.25, color="0.4", linestyle=":", label="chance")
ax.set_ylim(0, 1)
ax.set_xlabel("what the accelerometer writes")
ax.set_ylabel("balanced accuracy")
ax.set_title("Five new people, with and without accelerometer", loc="left")
ax.legend(frameon=False)
plt.show()

# %%
# The classifier says so
# ----------------------
#
# A signal that hardly moves, or lies far from all training clips, is a warning of ``predict``. NaN
# is none: not measured is no doubt about the sensor.

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", UnlikeClipsWarning)
    model.predict(kinds["zeros"])
print(caught[0].message)

# %%
# Limits
# ------
#
# What a modality is worth depends on the labels: here the accelerometer tells physical stress, a
# person who stands and walks. A modality that was always there in training can be left out at
# prediction; one that was never there cannot be added.

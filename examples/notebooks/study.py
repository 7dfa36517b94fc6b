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
# # From raw files to a table for the paper
#
# A study with one sensor file for each person and one table of what happened when. The notebook
# reads the files, looks for what is wrong in them, cuts clips, and scores a classifier on people
# whom nobody trained on. `jupytext --to ipynb study.py` makes a notebook of this file.

# %%
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from stf2m_sk import STF2MClassifier, check_clips
from stf2m_sk.inspection import ConfusionDisplay, UnlikeClipsWarning
from stf2m_sk.model_selection import (
    FewShotProtocol,
    MajorityControl,
    NearestInTimeControl,
    ShuffledLabels,
    compare_few_shot,
    leakage_report,
)
from stf2m_sk.recordings import cut, read_annotations, read_csv

# %% [markdown]
# ## The raw files
#
# They are made up here, so that the notebook runs anywhere: ten people, three tasks, each task
# twice, in an order that differs between people. Skin conductance and heart rate follow the task,
# more in some people than in others. Replace `folder` by your own and leave this cell out.

# %%
TASKS = {"rest": 0.0, "puzzle": 0.6, "speech": 1.0}  # arousal
SECONDS = 150
folder = TemporaryDirectory()
random = np.random.default_rng(0)
phases = []
for number in range(1, 11):
    person = f"P{number:02}"
    order = [*random.permutation(list(TASKS)), *random.permutation(list(TASKS))]
    arousal = np.repeat([TASKS[task] for task in order], SECONDS * 4)
    slow = np.ones(120) / 120
    arousal = np.convolve(np.pad(arousal, 60, mode="edge"), slow, mode="same")[60:-60]
    strength, time = random.uniform(0.3, 1.2), np.arange(len(arousal)) / 4
    drift = np.convolve(random.standard_normal(len(time) + 399), np.ones(400) / 20, mode="valid")
    eda = random.uniform(1, 5) + strength * arousal + 0.5 * drift
    pulse = random.uniform(58, 80) + 12 * strength * arousal + 5 * random.standard_normal(len(time))
    table = pd.DataFrame({"seconds": time, "eda": eda, "hr": pulse})
    if number == 4:
        table.loc[1000:1400, "hr"] = pulse[1000]  # a strap that came loose
    table.round(3).to_csv(Path(folder.name, f"{person}.csv"), index=False)
    phases += [(person, SECONDS * i, SECONDS * (i + 1), task) for i, task in enumerate(order)]
columns = ["person", "start", "end", "label"]
pd.DataFrame(phases, columns=columns).to_csv(Path(folder.name, "tasks.csv"), index=False)

# %% [markdown]
# ## Read and cut
#
# Clips last 20 s, without the first and last 10 s of a task. Write both numbers into the paper, and
# how many windows were left out.

# %%
units = {"eda": "uS", "hr": "bpm"}
recordings = [
    read_csv(path, time="seconds", unit=units, person=path.stem)
    for path in sorted(Path(folder.name).glob("P*.csv"))
]
tasks = read_annotations(Path(folder.name, "tasks.csv"))
clips = cut(recordings, tasks, window=20, trim=10)
print(clips.views)
print(clips.n_dropped)

# %% [markdown]
# ## Look before you train
#
# `check_clips` lists spikes, flat lines, copies, and labels or people of very few clips. The person
# is that of the first clip concerned.

# %%
found = check_clips(clips.views, clips.target, clips.groups)
found["person"] = clips.groups[found["first"]]
found[["finding", "modality", "clips", "person", "expectation"]]

# %% [markdown]
# The heart rate of P04 stood still for 100 s. A value that was held is not a measured one. It
# becomes NaN, which means not measured.


# %%
def without_flat(recording, name, seconds=5.0):
    """Recording with NaN where a signal of one channel holds a value for longer."""
    signal = recording[name]
    values = signal.values.astype(float)
    is_same = pd.Series(values[0]).diff().eq(0)
    length = is_same.groupby((~is_same).cumsum()).transform("size")
    values[0, (length > seconds * signal.rate).to_numpy()] = np.nan
    return recording.with_signals({**recording.signals, name: replace(signal, values=values)})


recordings = [without_flat(recording, "hr") for recording in recordings]
clips = cut(recordings, tasks, window=20, trim=10)
print(check_clips(clips.views, clips.target, clips.groups))
recordings[3].plot()
plt.show()

# %% [markdown]
# ## Folds of new people, and a look for leaks
#
# Each person is new in one fold. A task that a person did twice gives two trials; `contexts` keeps
# a trial on one side when clips of a person are labelled.

# %%
# A loose strap was found above, and each prediction would say so.
warnings.simplefilter("ignore", UnlikeClipsWarning)
folds = GroupKFold(5, shuffle=True, random_state=0)
splits = folds.split(clips.views, clips.target, clips.groups)
print(leakage_report(clips.views, clips.target, splits=splits, groups=clips.groups))

begin = clips.times[:, 0]
trials = np.array(
    [f"{person} {int(at // SECONDS)}" for person, at in zip(clips.groups, begin, strict=True)]
)

# %% [markdown]
# ## Score, beside controls
#
# Zero, one and three labelled clips of each task. Two controls look at no signal; one is the
# classifier itself with the person's labels shuffled.

# %%
classifier = STF2MClassifier(n_networks=0, n_kernels=200, n_patterns=64, random_state=0)
protocol = FewShotProtocol(shots=(0, 1, 3), draws=4, contexts=trials, times=begin, random_state=0)
comparison = compare_few_shot(
    {
        "ST-F2M": classifier,
        "shuffled labels": ShuffledLabels(classifier, random_state=0),
        "nearest in time": NearestInTimeControl(),
        "majority": MajorityControl(),
    },
    clips.views,
    clips.target,
    groups=clips.groups,
    protocol=protocol,
    cv=folds,
)

# %% [markdown]
# ## The table
#
# Mean over people and 95 % interval, Student's t. `table.to_latex()` writes it for a paper.

# %%
summary = comparison.summary()
summary["said"] = [
    f"{row.mean:.2f} [{row.low:.2f}, {row.high:.2f}]"
    for row in summary[["mean", "low", "high"]].itertuples(index=False)
]
table = summary.pivot(index="estimator", columns="shots", values="said").fillna("–")
table = table.loc[comparison.estimators]
table.rename(columns="{} clips per task".format)

# %% [markdown]
# Differences are paired over people, and the p-values are Holm's.

# %%
comparison.differences(reference="ST-F2M").round(3)

# %% [markdown]
# ## What is taken for what
#
# Without a label of the new person.

# %%
found = np.empty_like(clips.target)
for train, test in folds.split(clips.views, clips.target, clips.groups):
    classifier.fit(clips.views[train], clips.target[train], groups=clips.groups[train])
    found[test] = classifier.predict(clips.views[test])
ConfusionDisplay.from_predictions(clips.target, found, groups=clips.groups).plot()
plt.show()
folder.cleanup()

# %% [markdown]
# ## What to write beside the table
#
# - Who was recorded, how many people, and that the interval is over people.
# - Window, trim, what was left out, and that no clip of a test person was trained on.
# - The controls. Where *nearest in time* is as good, the signals have not been shown to matter.
# - All seeds that were run, not the best one.
#
# These people are made up: the figures show the steps, and no result.

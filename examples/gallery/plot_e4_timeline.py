"""
From E4 exports to a timeline
=============================

Empatica E4 watches export a zip of CSV files for each session. This example reads such zips, cuts
them into labelled clips, personalises a classifier to a new person, and draws that person's
timeline. The sessions are made up; replace the folder by your own.
"""

# %%
# Sessions in the format of the watch
# -----------------------------------
#
# An export has one file for each sensor: start in seconds since 1970, sampling rate, then values.
# These sessions are random numbers around a level. Pulse and skin conductance rise from phase to
# phase, by a different amount for each person. Nobody was recorded.

import warnings
import zipfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import UnlikeClipsWarning
from stf2m_sk.recordings import cut, predict_timeline, read_annotations, read_e4

START, SECONDS = 1_644_226_061, 180  # of the recording, and of one phase
AROUSAL = {"baseline": 0.3, "stroop": 1.0, "relax": 0.0, "interview": 0.7}


def write_session(path, random):
    """Write one export: four phases one after the other."""
    strength, level = random.uniform(0.6, 1.4), random.uniform(1.0, 4.0)
    arousal = np.repeat(list(AROUSAL.values()), SECONDS)  # for each second
    arousal = np.convolve(np.pad(arousal, 15, mode="edge"), np.ones(31) / 31, mode="valid")

    def course(rate, at_rest, rise, noise):
        values = at_rest + rise * strength * np.repeat(arousal, rate)
        return (values + noise * random.standard_normal(len(values)))[:, None]

    beats = np.cumsum(course(64, 65, 25, 0)) / 60 / 64
    sensors = {
        "ACC": (32, np.array([64, 0, 0]) + course(32, 0, 0, 2)),
        "BVP": (64, 50 * np.sin(2 * np.pi * beats)[:, None]),
        "EDA": (4, course(4, level, 1.5, 0.05)),
        "HR": (1, course(1, 65, 25, 3)),
        "TEMP": (4, course(4, 33, -0.5, 0.05)),
    }
    with zipfile.ZipFile(path, "w") as export:
        for name, (rate, values) in sensors.items():
            table = np.vstack([np.full((2, values.shape[1]), [[START], [rate]]), values])
            rows = "\n".join(",".join(f"{value:.2f}" for value in row) for row in table)
            export.writestr(f"{name}.csv", rows + "\n")
        at = np.flatnonzero(np.diff(np.floor(beats))) / 64
        rows = [f"{b:.6f},{b - a:.6f}" for a, b in pairwise(at)]
        export.writestr("IBI.csv", "\n".join([f"{START}.0, IBI", *rows, ""]))


folder = TemporaryDirectory()
random = np.random.default_rng(0)
names = [f"S{number}" for number in range(1, 7)]
for name in names:
    write_session(Path(folder.name, f"{name}.zip"), random)
pd.DataFrame(
    [
        (name, START + SECONDS * i, START + SECONDS * (i + 1), phase)
        for name in names
        for i, phase in enumerate(AROUSAL)
    ],
    columns=["person", "start", "end", "label"],
).to_csv(Path(folder.name, "annotations.csv"), index=False)

# %%
# Read the files
# --------------
#
# ``read_e4`` keeps every sensor at its own rate. The last session is the new person's.

*others, new = [read_e4(path) for path in sorted(Path(folder.name).glob("*.zip"))]
phases = read_annotations(Path(folder.name, "annotations.csv"))
print(new)

mine = phases[phases["person"] == new.person]
replace(new, annotations=mine).plot(signals=["eda", "hr", "temp"])
plt.show()

# %%
# Cut, train, personalise
# -----------------------
#
# A clip lasts 30 s; the first and last 20 s of a phase are left out. The new person labels the
# first 75 s of each phase, which leave room for one clip.

clips = cut(others, phases, window=30, trim=20)
print(clips.views)
model = STF2MClassifier(n_networks=0, n_kernels=200, n_patterns=64, random_state=0)
model.fit(clips.views, clips.target, groups=clips.groups)

few = cut(new, mine.assign(end=mine["start"] + 75), window=30, trim=20)
print("labelled clips of the person:", *few.target)
person = model.adapt(few.views, few.target)

# %%
# The timeline
# ------------
#
# ``predict_timeline`` also reads the whole recording as unlabelled clips of the person. Grey is
# what was annotated, blue the probability of that label, orange the probability of the others.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UnlikeClipsWarning)
    timeline = predict_timeline(person, new, window=30, step=5, smooth=60)
timeline.plot(mine)
plt.show()

# %%
# ``episodes`` gives the same as a table, and ``to_webvtt`` as subtitles.

episodes = timeline.episodes(min_duration=60)
episodes[["start", "end"]] -= new.start
print(episodes.round(2).to_string(index=False))
folder.cleanup()

# %%
# Limits
# ------
#
# These sessions are easy: their phases differ in level, and nothing else happens. On twelve real
# sessions 58 % of the windows were right, which is no better than copying the nearest label in
# time. Times near a change are uncertain, since a window looks at 30 s and smoothing at 60 s.

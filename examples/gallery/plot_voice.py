"""
From sound files to predictions
===============================

WAV files of some speakers train a classifier that predicts a speaker it has never heard. The voices
are synthesised here: they show the steps, and say nothing about real speech.
"""

# %%
# Made-up voices
# --------------
#
# A voice is a sum of harmonics that swells with every syllable. An emotion sets pitch, loudness and
# tempo; a speaker sets the pitch at rest. In some stretches an emotion hardly shows.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import soundfile

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import ConfusionDisplay
from stf2m_sk.recordings import cut, extract, predict_timeline, read_annotations, read_wav

RATE, SECONDS = 16_000, 12  # samples in a second, length of a stretch
EMOTIONS = {  # factor of the pitch, movement of the pitch, loudness, syllables in a second
    "calm": (1.0, 0.05, 0.30, 3.0),
    "happy": (1.3, 0.20, 0.45, 4.0),
    "angry": (1.2, 0.08, 0.70, 5.0),
    "sad": (0.85, 0.03, 0.18, 2.0),
}


def speak(emotion, pitch, strength, random):
    """Sound of one stretch, float32 in [-1, 1]."""
    calm = np.array(EMOTIONS["calm"])
    factor, movement, loudness, syllables = calm + strength * (np.array(EMOTIONS[emotion]) - calm)
    time = np.arange(SECONDS * RATE) / RATE
    melody = 1 + movement * np.sin(2 * np.pi * 0.6 * time + random.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch * factor * melody) / RATE
    sound = sum(np.sin(k * phase) / k for k in range(1, 9))
    beat = syllables * time
    accent = random.uniform(0.5, 1.0, int(beat[-1]) + 1)[beat.astype(int)]
    sound *= 0.4 * loudness * accent * np.sin(np.pi * (beat % 1))
    return (sound + 0.003 * random.standard_normal(len(time))).astype(np.float32)


folder = TemporaryDirectory()
random = np.random.default_rng(0)
speakers = {"ada": 210, "ben": 115, "cleo": 190, "dan": 130, "eve": 230, "finn": 105}  # Hz
labels = []
for name, pitch in speakers.items():
    strength = random.uniform(0.6, 1.1)
    order = random.permutation(list(EMOTIONS) * 2).tolist()
    shown = strength * random.uniform(0.0, 0.7, len(order))  # how strongly, in each stretch
    parts = [speak(emotion, pitch, s, random) for emotion, s in zip(order, shown, strict=True)]
    sound = np.concatenate(parts)
    soundfile.write(Path(folder.name, f"{name}.wav"), sound, RATE)
    labels += [(name, SECONDS * i, SECONDS * (i + 1), e) for i, e in enumerate(order)]
columns = ["recording", "start", "end", "label"]
pd.DataFrame(labels, columns=columns).to_csv(Path(folder.name, "labels.csv"), index=False)

# %%
# Files to clips
# --------------
#
# ``extract`` turns sound into two signals with 40 frames a second. ``mel`` is loudness in 40 bands;
# ``prosody`` holds pitch, energy and four more. ``cut`` makes clips of 4 s.

paths = sorted(Path(folder.name).glob("*.wav"))
recordings = extract([read_wav(path, person=path.stem) for path in paths])
annotations = read_annotations(Path(folder.name, "labels.csv"))
clips = cut(recordings, annotations, window=4)
print(recordings[0])
print(clips.views)

# %%
# Each speaker is new once
# ------------------------

classes = np.array(list(EMOTIONS))
found = np.empty_like(clips.target)
for speaker in np.unique(clips.groups):
    test = clips.groups == speaker
    model = STF2MClassifier(n_networks=0, n_kernels=100, n_patterns=40, random_state=0)
    model.fit(clips.views[~test], clips.target[~test], groups=clips.groups[~test])
    found[test] = model.predict(clips.views[test])
right = pd.Series(found == clips.target).groupby(clips.groups).mean()
print(right.round(2).to_string())
ConfusionDisplay.from_predictions(clips.target, found, groups=clips.groups).plot()
plt.show()

# %%
# Every moment of one file
# ------------------------
#
# The last model never heard finn. ``predict_timeline`` moves a window of 4 s over his file.

finn = recordings[-1]
timeline = predict_timeline(model, finn, window=4, step=1, smooth=3)
timeline.plot(annotations[annotations["recording"] == finn.name])
plt.show()
folder.cleanup()

# %%
# Limits
# ------
#
# Pitch and loudness tell how strongly somebody speaks, better than what they feel. Microphone and
# distance change loudness: record everybody in the same way. The features know no words.

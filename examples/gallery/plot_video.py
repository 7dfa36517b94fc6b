"""
From videos to a timeline
=========================

MP4 files of some people train a classifier. The video of a new person becomes a timeline and
subtitles. The videos are drawn here: a head that rests, nods or shakes, and a hum. They show the
steps, and say nothing about real faces.
"""

# %%
# Made-up videos
# --------------
#
# Each emotion has its own movement of the head, and its own pitch and loudness. People differ in
# size, brightness and voice. ``examples/video_timeline.py`` of the repository draws whole faces.

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import cut, extract, motion, predict_timeline, read_annotations, read_video

FRAMES, SAMPLES, SECONDS = 10, 16_000, 8  # a second; length of one emotion
WIDTH, HEIGHT = 160, 120
EMOTIONS = {  # up and down, sideways (pixels), movements in a second; pitch and loudness of the hum
    "calm": (1, 1, 0.3, 1.0, 0.15),
    "happy": (8, 1, 1.2, 1.3, 0.25),
    "angry": (1, 9, 2.2, 1.2, 0.50),
    "sad": (3, 0, 0.2, 0.8, 0.08),
}


def picture(size, light, wall, x, y):
    """A head with eyes and a mouth, before a wall."""
    shown = np.full((HEIGHT, WIDTH, 3), wall, dtype=np.uint8)
    centre = round(WIDTH / 2 + x), round(HEIGHT / 2 + y)
    cv2.circle(shown, centre, size, (light, light - 30, light - 50), -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = centre[0] + side * size // 3, centre[1] - size // 4
        cv2.circle(shown, eye, size // 8, (30, 30, 30), -1, cv2.LINE_AA)
    left, right = ((centre[0] + side * size // 3, centre[1] + size // 2) for side in (-1, 1))
    cv2.line(shown, left, right, (130, 40, 40), 2, cv2.LINE_AA)  # the same in all emotions
    return shown


def write_video(path, emotions, random):
    """Draw and hum the emotions one after the other, as an MP4 file."""
    size, light = random.integers(26, 36), int(random.integers(170, 240))
    pitch, strength = random.uniform(110, 220), random.uniform(0.5, 1.1)
    up, aside, tempo, factor, loudness = np.array([EMOTIONS[e] for e in emotions]).T
    second = np.arange(len(emotions) * SECONDS * FRAMES) / FRAMES
    now = (second // SECONDS).astype(int)
    angle = 2 * np.pi * np.cumsum(tempo[now]) / FRAMES
    sway = np.cumsum(random.normal(0, 0.5, (2, len(second))), axis=1)
    sway -= sway.mean(axis=1, keepdims=True)
    x = strength * aside[now] * np.sin(angle) + 0.3 * sway[0]
    y = strength * up[now] * np.sin(angle) + 0.3 * sway[1]
    wall = (120 + 20 * np.sin(0.3 * second)).astype(int)  # clouds pass

    hum = np.repeat(pitch * (1 + strength * (factor - 1)), SECONDS * SAMPLES)
    hum *= 1 + 0.05 * np.sin(2 * np.pi * 0.7 * np.arange(len(hum)) / SAMPLES)
    sound = np.repeat(loudness, SECONDS * SAMPLES) * np.sin(2 * np.pi * np.cumsum(hum) / SAMPLES)
    sound = (sound + 0.02 * random.standard_normal(len(sound))).astype(np.float32)

    with av.open(str(path), "w") as file:
        video = file.add_stream("libvpx-vp9", rate=FRAMES)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"deadline": "realtime", "cpu-used": "8"}
        audio = file.add_stream("libopus", rate=SAMPLES, layout="mono")
        for i in range(len(second)):
            drawn = picture(size, light, wall[i], x[i], y[i])
            file.mux(video.encode(av.VideoFrame.from_ndarray(drawn, format="rgb24")))
            if i % FRAMES == 0:  # a second of sound beside the pictures of that second
                first = i // FRAMES * SAMPLES
                piece = av.AudioFrame.from_ndarray(
                    sound[None, first : first + SAMPLES], format="flt", layout="mono"
                )
                piece.sample_rate, piece.pts = SAMPLES, first
                piece.time_base = Fraction(1, SAMPLES)
                file.mux(audio.encode(piece))
        file.mux(video.encode(None))
        file.mux(audio.encode(None))


folder = TemporaryDirectory()
random = np.random.default_rng(0)
labels = []
for name in ("ada", "ben", "cleo", "dan", "eve"):
    emotions = [*random.permutation(list(EMOTIONS)), *random.permutation(list(EMOTIONS))]
    write_video(Path(folder.name, f"{name}.mp4"), emotions, random)
    labels += [(name, SECONDS * i, SECONDS * (i + 1), e) for i, e in enumerate(emotions)]
columns = ["recording", "start", "end", "label"]
pd.DataFrame(labels, columns=columns).to_csv(Path(folder.name, "labels.csv"), index=False)

# %%
# Read and extract
# ----------------
#
# Pictures and sound stay in the file until ``extract`` goes through them. The default for pictures
# is ``motion`` and ``face``; these heads are no faces, so ``motion`` alone is asked for. It holds
# brightness and movement in 4 x 4 cells of the picture.

paths = sorted(Path(folder.name).glob("*.mp4"))
raw = [read_video(path, person=path.stem) for path in paths]
*people, eve = extract(raw, {"video": motion})
print(raw[-1])
print(eve)

annotations = read_annotations(Path(folder.name, "labels.csv"))
hers = annotations[annotations["recording"] == eve.name]

pictures = raw[-1]["video"].values
figure, axes = plt.subplots(1, 4, figsize=(10, 2.2), layout="constrained")
for ax, row in zip(axes, hers.itertuples(), strict=False):
    second = int(row.start) + 3
    ax.imshow(pictures[..., second * FRAMES : second * FRAMES + 1][..., 0])
    ax.set_axis_off()
    ax.set_title(f"{second} s: {row.label}", loc="left")
plt.show()

# %%
# Train on four people, predict the fifth
# ---------------------------------------
#
# Windows last 4 s, and one is predicted for every second. Grey is what the new person showed, blue
# the probability of that emotion, orange that of the others.

clips = cut(people, annotations, window=4, step=2)
print(clips.views)
model = STF2MClassifier(n_networks=0, n_kernels=200, n_patterns=64, random_state=0)
model.fit(clips.views, clips.target, groups=clips.groups)
timeline = predict_timeline(model, eve, window=4, step=1)
timeline.plot(hers)
plt.show()

# %%
# Subtitles
# ---------
#
# A player shows them over the video. ``origin=0`` counts from the start of the video.

print(timeline.to_webvtt(origin=0, min_duration=2))

# %%
# What pictures and sound are worth
# ---------------------------------
#
# The same without one of them: the share of windows whose middle has the right label.


def share_right(timeline):
    """Share of the windows with the label that is annotated at their middle."""
    middle = timeline.spans().mean(axis=1)
    place = np.searchsorted(hers["start"], middle, side="right") - 1
    return np.mean(hers["label"].to_numpy()[place.clip(0)] == timeline.labels)


print(f"pictures and sound  {share_right(timeline):.2f}")
for said, names in {"pictures": ["video"], "sound": ["mel", "prosody"]}.items():
    own = cut([person.select(*names) for person in people], annotations, window=4, step=2)
    fitted = STF2MClassifier(n_networks=0, n_kernels=200, n_patterns=64, random_state=0)
    fitted.fit(own.views, own.target, groups=own.groups)
    without = predict_timeline(fitted, eve.select(*names), window=4, step=1)
    print(f"{said:<19} {share_right(without):.2f}")
folder.cleanup()

# %%
# Limits
# ------
#
# One person of 64 s is no comparison of modalities, and drawn heads are easy. Real videos need the
# ``face`` signal, which is coarse: brows, mouth and movement of the head. A change of emotion shows
# one or two seconds late, since a window looks at 4 s.

"""Make videos of people whose emotion changes, to try training and timelines on.

    python examples/video_timeline.py make videos
    python -m stf2m_sk train videos/people videos/labels.csv --window 4 -o model
    python -m stf2m_sk timeline model videos/new/eve.mp4 -o eve.vtt --plot eve.png
    python examples/video_timeline.py compare videos

Four people are in ``videos/people``, a fifth in ``videos/new``; what they show when is in
``videos/labels.csv`` and ``videos/new_labels.csv``. Faces are drawn, voices are synthesised, and
nobody was recorded. Brows, mouth and movement of the head, pitch, loudness and rhythm of the voice,
and the words each tell the emotion; in some stretches one of face, voice and words stays calm.
People differ in colours, in size, in the pitch of their voice and in how strongly they show what
they feel. Needs the extra "video"; takes about a minute.
"""

import argparse
import csv
from dataclasses import astuple, dataclass, fields
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import (
    cut,
    extract,
    predict_timeline,
    read_annotations,
    read_subtitles,
    read_video,
)

FRAMES, SAMPLES = 15, 16_000  # a second
WIDTH, HEIGHT = 400, 300
STRETCH, N_STRETCHES = 15, 8  # seconds of one emotion, and how many of them


@dataclass
class Expression:
    """What a face and a voice do."""

    lift: float  # of the brows, in hundredths of the face
    slant: float  # of the brows; above 0: the inner ends are lower
    smile: float  # of the mouth's corners
    opening: float  # of the mouth while speaking
    nod: float  # up and down
    shake: float  # sideways
    tempo: float  # of both, in Hz
    pitch: float  # of the voice, relative to the person's
    melody: float  # how far the pitch moves
    loudness: float
    syllables: float  # a second
    breath: float  # noise in the voice


EMOTIONS = {
    "calm": Expression(0, 0, 1, 6, 0.5, 0.5, 0.3, 1.0, 0.06, 0.35, 3.0, 0.10),
    "happy": Expression(5, -1, 6, 8, 3.0, 1.0, 1.3, 1.3, 0.22, 0.55, 4.0, 0.05),
    "angry": Expression(-4, 7, -2, 8, 0.5, 2.5, 2.2, 1.2, 0.10, 0.95, 5.0, 0.02),
    "sad": Expression(1, -6, -6, 4, 1.5, 0.3, 0.2, 0.85, 0.03, 0.20, 2.0, 0.30),
}

SENTENCES = {
    "calm": [
        "the train leaves at nine",
        "the papers are on the table",
        "we walked along the river",
        "it is about as warm as yesterday",
    ],
    "happy": [
        "what a wonderful day this is",
        "I love it when we all laugh",
        "that is great news and I am so glad",
        "we won and it was fantastic",
    ],
    "angry": [
        "I hate this stupid nonsense",
        "stop it now this is outrageous",
        "you always ruin it and I am furious",
        "that was a terrible insult",
    ],
    "sad": [
        "I miss her and I feel so alone",
        "nothing helps and I could cry",
        "we lost everything it is so sad",
        "I am sorry that it hurts",
    ],
}


@dataclass
class Person:
    """How somebody looks and sounds."""

    name: str
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    wall: tuple[int, int, int]
    size: float  # half of the face's height, in pixels
    pitch: float  # Hz
    strength: float  # of what is shown


PEOPLE = [
    Person("ada", (236, 200, 176), (70, 45, 30), (150, 165, 175), 92, 210, 1.0),
    Person("ben", (150, 105, 80), (25, 20, 20), (190, 185, 170), 104, 115, 0.9),
    Person("cleo", (205, 160, 125), (40, 30, 25), (120, 140, 120), 84, 190, 1.1),
    Person("dan", (225, 185, 160), (110, 80, 45), (175, 160, 180), 98, 130, 0.8),
    Person("eve", (185, 135, 105), (35, 25, 35), (160, 175, 150), 90, 225, 0.95),
]


def plan(random):
    """The emotion of each stretch, and what face, voice and words show of it."""
    shown = []
    for _ in range(N_STRETCHES // len(EMOTIONS)):
        order = random.permutation(list(EMOTIONS))
        while shown and order[0] == shown[-1]["emotion"]:
            order = random.permutation(list(EMOTIONS))
        for emotion in order.tolist():
            parts = dict.fromkeys(("emotion", "face", "voice", "words"), emotion)
            if random.random() < 0.4:
                parts[str(random.choice(["face", "voice", "words"]))] = "calm"
            shown.append(parts)
    return shown


def course(emotions, strength, rate):
    """Expressions over time, as arrays by name: each stretch fades into the next."""
    calm = np.array(astuple(EMOTIONS["calm"]))
    targets = np.array([astuple(EMOTIONS[emotion]) for emotion in emotions])
    targets = calm + strength * (targets - calm)
    times = np.arange(STRETCH * N_STRETCHES * rate) / rate
    middles = (np.arange(N_STRETCHES) + 0.5) * STRETCH
    held = np.stack([middles - STRETCH / 2 + 0.3, middles + STRETCH / 2 - 0.3], axis=1).ravel()
    values = [np.interp(times, held, column) for column in targets.repeat(2, axis=0).T]
    names = [field.name for field in fields(Expression)]
    return Expression(**dict(zip(names, values, strict=True)))


def speak(person, emotions, random):
    """A voice (samples), and how far the mouth is open for it (0 to 1)."""
    state = course(emotions, person.strength, SAMPLES)
    times = np.arange(len(state.pitch)) / SAMPLES
    beat = np.cumsum(state.syllables) / SAMPLES
    number = beat.astype(int)
    spoken = np.where(random.random(number[-1] + 1) < 0.85, 1.0, 0.0)  # the others are pauses
    accent = random.uniform(0.6, 1.0, number[-1] + 1) * spoken
    envelope = accent[number] * np.sin(np.pi * (beat % 1)) ** 0.7
    tune = np.sin(2 * np.pi * 0.7 * times) + 0.5 * np.sin(2 * np.pi * 1.9 * times + 1)
    pitch = person.pitch * state.pitch * (1 + state.melody * tune)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLES
    vowel = random.uniform([350, 900], [800, 2200], (number[-1] + 1, 2))[number]
    voice = np.zeros(len(times))
    for harmonic in range(1, 16):
        hertz = harmonic * pitch
        formants = sum(np.exp(-(((hertz - vowel[:, i]) / 250) ** 2)) for i in range(2))
        voice += (0.1 + formants) / harmonic * np.sin(harmonic * phase)
    voice += 3 * state.breath * random.standard_normal(len(times))
    voice *= 0.2 * state.loudness * envelope
    voice += 0.001 * random.standard_normal(len(times))  # of the room
    return voice.clip(-1, 1).astype(np.float32), envelope


def draw(person, state, mouth, i, sway):
    """One picture: a face, RGB."""
    size, picture = person.size, np.full((HEIGHT, WIDTH, 3), person.wall, dtype=np.uint8)
    x0 = WIDTH / 2 + size * (0.01 * state.shake[i] * sway[0] + 0.02 * sway[2])
    y0 = HEIGHT / 2 + size * (0.01 * state.nod[i] * sway[1] + 0.02 * sway[3]) + 0.08 * size

    def at(x, y):
        return round(16 * (x0 + size * x)), round(16 * (y0 + size * y))

    def ellipse(x, y, width, height, colour, angle=0.0, start=0, end=360, line=-1):
        axes = round(16 * size * width), round(16 * size * height)
        line = line if line < 0 else max(1, round(size * line))
        cv2.ellipse(picture, at(x, y), axes, angle, start, end, colour, line, cv2.LINE_AA, shift=4)

    def stroke(points, colour, line):
        line = max(1, round(size * line))
        points = np.array([at(x, y) for x, y in points], dtype=np.int32)
        cv2.polylines(picture, [points], False, colour, line, cv2.LINE_AA, shift=4)

    def skin(shade):
        return tuple(min(255, round(shade * part)) for part in person.skin)

    ellipse(0, 1.45, 1.2, 0.6, (70, 80, 110))  # shoulders
    ellipse(0, 0.9, 0.32, 0.45, skin(0.8))  # neck
    ellipse(0, -0.12, 0.86, 1.02, person.hair)
    ellipse(0, 0, 0.76, 1.0, skin(1.0))
    ellipse(0, -0.55, 0.6, 0.3, skin(1.05))  # forehead
    ellipse(0, -0.9, 0.6, 0.22, person.hair)
    ellipse(0, 0.32, 0.1, 0.06, skin(0.7))  # below the nose
    ellipse(0, 0.06, 0.07, 0.24, skin(1.1))
    opening, smile = 0.01 * state.opening[i] * mouth, 0.01 * state.smile[i]
    slant, lift = 0.01 * state.slant[i], 0.01 * state.lift[i]
    for side in (-1, 1):
        ellipse(side * 0.33, -0.13, 0.24, 0.15, skin(0.72))  # socket
        ellipse(side * 0.45, 0.25, 0.17, 0.14, skin(1.06))  # cheek
        ellipse(side * 0.33, -0.12, 0.15, 0.075, (235, 235, 235))
        ellipse(side * 0.33, -0.12, 0.07, 0.07, (40, 30, 25))
        inner = (side * 0.15, -0.31 - lift + slant)
        middle = (side * 0.33, -0.37 - lift)
        stroke([inner, middle, (side * 0.53, -0.31 - lift - slant / 2)], person.hair, 0.08)
    x = np.linspace(-1, 1, 13)
    upper = np.stack([0.3 * x, 0.52 - 2 * smile * (x**2 - 0.4)], axis=1)
    lower = upper + np.stack([0 * x, 2 * opening * (1 - x**2)], axis=1)
    inside = np.array([at(x, y) for x, y in [*upper, *lower[::-1]]], dtype=np.int32)
    cv2.fillPoly(picture, [inside], (60, 20, 25), cv2.LINE_AA, shift=4)
    stroke(upper, (130, 50, 55), 0.05)
    stroke(lower, (130, 50, 55), 0.05)
    light = 1 + 0.02 * sway[2]
    return cv2.convertScaleAbs(cv2.GaussianBlur(picture, (0, 0), 0.8), alpha=light)


def pictures(person, emotions, envelope, random):
    """All pictures of a person, one after the other."""
    state = course(emotions, person.strength, FRAMES)
    n = len(state.lift)
    angle = 2 * np.pi * np.cumsum(state.tempo) / FRAMES
    drift = np.cumsum(random.standard_normal((n, 2)), axis=0) / np.sqrt(FRAMES) / 3
    drift -= np.linspace(0, 1, n)[:, None] * drift[-1]
    for i in range(n):
        sway = (np.sin(angle[i]), np.sin(1.1 * angle[i] + 1), *drift[i])
        yield draw(person, state, envelope[i * SAMPLES // FRAMES], i, sway)


def write_video(path, frames, voice):
    """Pictures and voice as an MP4 file (VP9 and Opus, which every browser plays)."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("libvpx-vp9", rate=FRAMES)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = 400_000
        video.options = {"deadline": "realtime", "cpu-used": "8"}
        audio = file.add_stream("libopus", rate=SAMPLES, layout="mono")
        audio.bit_rate = 64_000
        for i, frame in enumerate(frames):
            file.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            if i % FRAMES == 0:  # a second of sound after a picture of that second
                first = i // FRAMES * SAMPLES
                sound = av.AudioFrame.from_ndarray(
                    voice[None, first : first + SAMPLES], format="flt", layout="mono"
                )
                sound.sample_rate, sound.pts = SAMPLES, first
                sound.time_base = Fraction(1, SAMPLES)
                file.mux(audio.encode(sound))
        file.mux(video.encode(None))
        file.mux(audio.encode(None))


def write_subtitles(path, parts, random):
    """A sentence every few seconds, as SRT."""
    cues, time = [], 0.5
    while time < STRETCH * N_STRETCHES - 3:
        emotion = parts[int(time // STRETCH)]["words"]
        sentence = random.choice(SENTENCES[emotion])
        cues.append(f"{len(cues) + 1}\n{clock(time)} --> {clock(time + 2.5)}\n{sentence}\n")
        time += 3.3
    path.write_text("\n".join(cues), encoding="utf-8")


def clock(seconds):
    """Time as in SRT."""
    minutes, rest = divmod(round(1000 * seconds), 60_000)
    return f"00:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"


def write_labels(path, plans):
    """What was shown when, as a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["recording", "person", "start", "end", "label"])
        for name, parts in plans.items():
            for i, part in enumerate(parts):
                table.writerow([name, name, i * STRETCH, (i + 1) * STRETCH, part["emotion"]])


def make(folder):
    """Write all videos, subtitles and labels."""
    *known, new = PEOPLE
    plans = {}
    for place, people in (("people", known), ("new", [new])):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for person in people:
            random = np.random.default_rng(PEOPLE.index(person))
            parts = plans[person.name] = plan(random)
            path = folder / place / f"{person.name}.mp4"
            voice, envelope = speak(person, [part["voice"] for part in parts], random)
            frames = pictures(person, [part["face"] for part in parts], envelope, random)
            write_video(path, frames, voice)
            write_subtitles(path.with_suffix(".srt"), parts, random)
            print(f"{path}: {STRETCH * N_STRETCHES} s")
    write_labels(folder / "new_labels.csv", {new.name: plans.pop(new.name)})
    write_labels(folder / "labels.csv", plans)


MODALITIES = {"face": ["face", "motion"], "voice": ["mel", "prosody"], "words": ["text"]}


def read(folder, place):
    """What a folder's people look, sound and say like, as signals to cut."""
    recordings = [
        read_video(path).join(read_subtitles(path.with_suffix(".srt")))
        for path in sorted((folder / place).glob("*.mp4"))
    ]
    return extract(recordings, cache=folder / "cache", progress=True)


def frame_accuracy(timeline, annotations):
    """Share of the frames whose label is the annotated one."""
    spans, rows = timeline.spans(), annotations.sort_values("start")
    frames = (np.arange(STRETCH * N_STRETCHES * FRAMES) + 0.5) / FRAMES
    place = np.searchsorted(spans[:, 1], frames).clip(max=len(timeline) - 1)
    shown = rows["label"].to_numpy()[np.searchsorted(rows["start"], frames) - 1]
    return np.mean(timeline.labels[place] == shown)


def compare(folder):
    """Print what each modality is worth for the person not trained on."""
    known, (new,) = read(folder, "people"), read(folder, "new")
    labels, truth = (read_annotations(folder / f"{name}.csv") for name in ("labels", "new_labels"))
    print(f"{'signals':<16}right frames of {new.name}")
    for left_out in (None, *MODALITIES):
        names = [name for name in new.signals if name not in MODALITIES.get(left_out, ())]
        clips = cut([recording.select(*names) for recording in known], labels, window=4)
        model = STF2MClassifier(n_networks=0, random_state=0)
        model.fit(clips.views, clips.target, groups=clips.groups)
        timeline = predict_timeline(model, new.select(*names), window=4, step=1)
        said = f"without {left_out}" if left_out else "all"
        print(f"{said:<16}{frame_accuracy(timeline, truth):.2f}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for verb, told in ((make, "make the videos"), (compare, "leave out each modality")):
        command = commands.add_parser(verb.__name__, help=told)
        command.add_argument("folder", type=Path)
        command.set_defaults(verb=verb)
    given = parser.parse_args()
    given.verb(given.folder)


if __name__ == "__main__":
    main()

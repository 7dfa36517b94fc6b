"""The pages on recordings: every block runs on files made here, and prints what the page shows."""

import contextlib
import csv
import functools
import importlib.util
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import Timeline

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared/data/raw/empatica_e4"
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:[^`#|]*?^```(?P<kind>text|vtt)\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
CUES = re.compile(r"^\d+\n[\d:.]+ --> [\d:.]+\n(\w+) \d+ %$", re.MULTILINE)
SMALL = {"n_networks": 0, "n_kernels": 20, "n_patterns": 8}


def page(name):
    return (ROOT / "docs" / f"recordings-{name}.md").read_text(encoding="utf-8")


def run(code, names):
    """What a block prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "a block of the page", "exec"), names)
    return said.getvalue()


def check_page(name, names):
    """Run all blocks in order; what they print is what the page shows."""
    found = list(BLOCK.finditer(page(name)))
    assert len(found) == page(name).count("```python")
    for block in found:
        said = run(block["code"], names)
        if block["kind"] == "text":
            assert words_of(said) == words_of(block["shown"]), block["code"]
        elif block["kind"] == "vtt":  # of a real session: another one has the same form
            assert CUES.findall(said) and CUES.findall(block["shown"]), block["code"]
    return names


def words_of(said):
    """A text to compare; probabilities and times of episodes differ a little between machines."""
    return re.sub(r"\d+", "#", said).strip() if " %" in said else said.strip()


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """In a folder of its own, with small classifiers and figures that are not shown."""
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stf2m_sk, "STF2MClassifier", functools.partial(STF2MClassifier, **SMALL))


# ---- files of a wearable ----

BEGUN = 1_644_226_061  # seconds since 1970
PHASE, PHASES = 160, ("baseline", "stroop", "relax", "interview")
PULSE = {"baseline": 70.0, "stroop": 95.0, "relax": 62.0, "interview": 85.0}


def write_sensor(archive, name, rate, values, start=BEGUN):
    columns = np.atleast_2d(values).T
    rows = ["\n".join(", ".join([f"{value:.6f}"] * columns.shape[1]) for value in (start, rate))]
    rows += [",".join(f"{value:.2f}" for value in row) for row in columns]
    archive.writestr(f"{name}.csv", "\n".join(rows) + "\n")


def write_e4(path, rng):
    """A session in which pulse, sweat and movement differ between phases."""
    seconds = PHASE * len(PHASES)

    def course(rate, noise=0.0):
        pulse = np.repeat([PULSE[phase] for phase in PHASES], PHASE * rate)
        return pulse + rng.normal(0, 1 + noise, len(pulse))

    with zipfile.ZipFile(path, "w") as archive:
        write_sensor(archive, "HR", 1, course(1)[10:], BEGUN + 10)
        write_sensor(archive, "EDA", 4, (course(4) - 50) / 10)
        write_sensor(archive, "TEMP", 4, 33 - course(4) / 50)
        write_sensor(archive, "ACC", 32, rng.normal([[64], [0], [0]], 2, (3, 32 * seconds)))
        beats = np.cumsum(course(64)) / 60 / 64
        write_sensor(archive, "BVP", 64, 50 * np.sin(2 * np.pi * beats))
        times = np.flatnonzero(np.diff(np.floor(beats))) / 64
        rows = [f"{b:.6f},{b - a:.6f}" for a, b in pairwise(times.tolist())]
        archive.writestr("IBI.csv", "\n".join([f"{BEGUN}.000000, IBI", *rows, ""]))


def make_sessions(folder):
    """Four people, all with the same phases."""
    (folder / "e4").mkdir()
    rng = np.random.default_rng(0)
    begun = datetime.fromtimestamp(BEGUN, UTC)
    with (folder / "e4/annotations.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["person", "start", "end", "label"])
        for person in ("S09", "S10", "S11", "S12"):
            write_e4(folder / "e4" / f"{person}.zip", rng)
            for i, phase in enumerate(PHASES):
                times = [begun + timedelta(seconds=PHASE * (i + end)) for end in (0, 1)]
                table.writerow([person, *(time.isoformat() for time in times), phase])


def make_wearables(folder):
    make_sessions(folder)
    write_walk(folder / "walk.csv")
    write_night(folder / "night.edf")
    write_record(folder)
    write_lab(folder / "lab.xdf")


def write_walk(path):
    """Ten seconds at 10 Hz, of which two are missing."""
    times = np.delete(np.arange(100), np.s_[40:60]) / 10
    rows = [f"{time:.1f},{np.sin(time):.3f},{np.cos(time):.3f}" for time in times]
    path.write_text("\n".join(["seconds,x,y", *rows, ""]))


def write_night(path):
    pyedflib = pytest.importorskip("pyedflib", reason="extra [physio] is not installed")
    limits = {"physical_min": -100, "physical_max": 100, "digital_min": -32768}
    limits |= {"digital_max": 32767, "transducer": "", "prefilter": ""}
    channels = {"C3": (64, "uV"), "C4": (64, "uV"), "EDA": (4, "uS")}
    with pyedflib.EdfWriter(str(path), len(channels)) as file:
        file.setStartdatetime(datetime(2022, 7, 1, 22, 0, 30))
        file.setSignalHeaders(
            [
                {"label": label, "sample_frequency": rate, "dimension": unit, **limits}
                for label, (rate, unit) in channels.items()
            ]
        )
        file.writeSamples([np.sin(np.arange(20.0 * rate)) for rate, _ in channels.values()])


def write_record(folder):
    wfdb = pytest.importorskip("wfdb", reason="extra [physio] is not installed")
    leads = np.sin(np.arange(2000) / 9)[:, None] * [1, 0.5]
    how = {"fs": 250, "units": ["mV", "mV"], "sig_name": ["I", "II"], "fmt": ["16", "16"]}
    wfdb.wrsamp("record", p_signal=leads, write_dir=str(folder), **how)


def write_lab(path):
    """Two streams and markers, by the writer that the reader's tests use."""
    xdf = loaded(ROOT / "tests/recordings/test_xdf.py")
    header = xdf.chunk(1, b"<info><version>1.0</version></info>")
    streams = [*xdf.eeg(), *xdf.eda(), *xdf.MARKERS]
    path.write_bytes(b"XDF:" + header + b"".join(streams))


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class RawOfMne:
    """What `from_mne` looks at of a Raw; those of MNE-Python itself are in its own tests."""

    ch_names = ("C3", "C4", "EDA")
    info: ClassVar = {"sfreq": 50.0, "meas_date": None}
    n_times, first_time = 500, 0.0
    annotations = ()

    def get_channel_types(self):
        return ["eeg", "eeg", "gsr"]

    def __getitem__(self, key):
        raise AssertionError("no value is needed to describe a recording")


# ---- voices and videos, by the example that draws and synthesises them ----


def example(stretch, frames=10):
    """`examples/video_timeline.py`, made short: one stretch of each emotion."""
    module = loaded(ROOT / "examples/video_timeline.py")
    module.STRETCH, module.N_STRETCHES, module.FRAMES = stretch, len(module.EMOTIONS), frames
    return module


def make_voices(folder):
    soundfile = pytest.importorskip("soundfile", reason="extra [audio] is not installed")
    (folder / "voice").mkdir()
    (folder / "utterances").mkdir()
    maker = example(stretch=8)
    plans = {}
    for i, person in enumerate(maker.PEOPLE[:3]):
        rng = np.random.default_rng(i)
        parts = plans[person.name] = maker.plan(rng)
        voice, _ = maker.speak(person, [part["emotion"] for part in parts], rng)
        soundfile.write(folder / "voice" / f"{person.name}.wav", voice, maker.SAMPLES)
        for part, sound in zip(parts[:2], voice.reshape(len(parts), -1), strict=False):
            path = folder / "utterances" / f"{person.name}_{part['emotion']}_1.wav"
            soundfile.write(path, sound[: 3 * maker.SAMPLES], maker.SAMPLES)
    maker.write_labels(folder / "voice/labels.csv", plans)


def make_videos(folder):
    pytest.importorskip("cv2", reason="extra [video] is not installed")
    short_videos().make(folder / "videos")


def short_videos():
    maker = example(stretch=5)
    maker.PEOPLE = [*maker.PEOPLE[:3], maker.PEOPLE[-1]]
    return maker


# ---- the pages ----

MAKERS = {"wearables": make_wearables, "voice": make_voices, "live": make_sessions}


@pytest.mark.parametrize("name", MAKERS)
def test_page_runs_and_prints_what_it_shows(name, tmp_path):
    MAKERS[name](tmp_path)
    check_page(name, {"raw": RawOfMne()})


def test_twelve_lines_lead_from_files_to_a_figure(tmp_path):
    make_sessions(tmp_path)
    check_twelve_lines()


@pytest.mark.skipif(not REAL.exists(), reason="../shared with the real E4 sessions is absent")
def test_twelve_lines_lead_from_real_files_to_a_figure(tmp_path):
    (tmp_path / "e4").mkdir()
    for name in ("S09.zip", "S10.zip", "S11.zip", "S12.zip", "annotations.csv"):
        (tmp_path / "e4" / name).symlink_to(REAL / name)
    names = check_twelve_lines()
    assert set(names["mine"]["label"]) == set(names["timeline"].classes)


def check_twelve_lines():
    """The first block is short, gives a figure, and is right more often than by chance."""
    code = BLOCK.search(page("wearables"))["code"]
    assert len([line for line in code.splitlines() if line]) <= 12
    names: dict = {}
    run(code, names)
    timeline = names["timeline"]
    assert timeline.person == "S12" and not np.isnan(timeline.probabilities).any()
    assert share_right(timeline, names["mine"]) > 1.5 / len(timeline.classes)
    assert Path("timeline.png").stat().st_size > 10_000
    return names


def share_right(timeline, annotations):
    """Of the windows with an annotation at their middle."""
    middle = timeline.spans().mean(axis=1)[:, None]
    inside = (middle >= annotations["start"].to_numpy()) & (middle < annotations["end"].to_numpy())
    annotated = inside.any(axis=1)
    truth = annotations["label"].to_numpy()[inside.argmax(axis=1)]
    return np.mean((truth == timeline.labels)[annotated])


# ---- videos ----


def test_video_page_and_the_comparison_of_modalities(tmp_path, capsys):
    make_videos(tmp_path)
    names = check_page("video", {})
    truth = names["read_annotations"]("videos/new_labels.csv")
    maker = short_videos()
    accuracy = maker.frame_accuracy(names["timeline"], truth)
    assert accuracy == pytest.approx(share_right(names["timeline"], truth), abs=0.1)
    capsys.readouterr()
    maker.compare(Path("videos"))  # what the page has extracted is in the cache
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.endswith("right frames of eve")
    told = {row[:16].strip(): float(row[16:]) for row in rows}
    assert list(told) == ["all", "without face", "without voice", "without words"]
    assert told["all"] == pytest.approx(accuracy, abs=0.006)
    assert max(told.values()) > 0.5  # of four emotions, learnt from 20 s of three people


def test_frames_are_right_where_their_window_says_so():
    maker = example(stretch=2)  # four stretches
    labels = ["calm", "sad", "calm", "angry"]
    truth = pd.DataFrame({"start": [0, 2.5, 4, 6], "end": [2.5, 4, 6, 8], "label": labels})
    said = np.array([["calm"], ["sad"], ["calm"], ["sad"]]) == ["calm", "sad"]
    start = np.array([0.0, 2.0, 4.0, 6.0])
    timeline = Timeline(start, start + 2, said + 0.0, np.array(["calm", "sad"]))
    # By hand: from 2 s to 2.5 s and from 6 s on the label is another one.
    assert maker.frame_accuracy(timeline, truth) == pytest.approx(5.5 / 8)

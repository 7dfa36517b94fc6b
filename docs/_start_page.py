"""Sphinx extension: the figures and numbers of the start page, computed from the bundled recording.

It writes ``_generated/result.md``, ``timeline.svg`` and ``rule.svg``, anew whenever the package's
code, this file or the version of Python, NumPy or torch has changed.
"""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from sphinx.application import Sphinx

from stf2m_sk import STF2MClassifier
from stf2m_sk._own_code import own_code
from stf2m_sk.datasets import load_stress
from stf2m_sk.inspection import rule_table
from stf2m_sk.recordings import Timeline

FOLDER = Path(__file__).parent / "_generated"
SECONDS = 30  # of a clip of the bundled recording
UNITS = {"acc": "g", "eda": "uS", "temp": "°C", "hr": "bpm", "spo2": "%"}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8A8A8A"
LOOK = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "stf2m_sk",
}


def halves(target):
    """The first and the second half of each state, a clip apart, and two clips to label."""
    nth = np.array([np.sum(target[:i] == state) for i, state in enumerate(target)])
    half = np.array([np.sum(target == state) // 2 for state in target])
    return nth < half, nth > half, (nth == 0) | (nth == half - 1)


def compute() -> None:
    """Fit on 19 people, adapt to the twentieth, and write what the start page shows."""
    stress = load_stress()
    new = stress.groups == "S11"
    known = stress.views[~new], stress.target[~new]
    classifier = STF2MClassifier(n_networks=0, random_state=0)
    classifier.fit(*known, groups=stress.groups[~new])
    views, target = stress.views[new], stress.target[new]
    first, later, two = halves(target)
    recorded = classifier.adapt(unlabelled=views[first])
    labelled = classifier.adapt(views[two], target[two], unlabelled=views[first])
    most_frequent = max(np.mean(target[later] == state) for state in classifier.classes_)
    scores = {
        "(always the most frequent state)": most_frequent,
        "nothing": classifier.score(views[later], target[later]),
        "a recording without labels": recorded.score(views[later], target[later]),
        "two labelled clips of each state as well": labelled.score(views[later], target[later]),
    }
    rows = [f"| {known} | {score:.0%} |" for known, score in scores.items()]
    table = ["| what is known of the new person | clips recognised |", "| --- | ---: |", *rows, ""]
    (FOLDER / "result.md").write_text("\n".join(table).replace("%", " %"), encoding="utf-8")
    draw_timeline(labelled, views, target)
    rules = rule_table(classifier, *known, groups=stress.groups[~new], units=UNITS, n_rules=100)
    draw_rule(rules, views, target)


def draw_timeline(classifier, views, target) -> None:
    """Draw the probabilities of all clips of the person, over what the person did."""
    start = SECONDS * np.arange(len(target), dtype=float)
    end = start + SECONDS
    probabilities = classifier.predict_proba(views)
    timeline = Timeline(start, end, probabilities, classifier.classes_, person="the new person")
    phases = pd.DataFrame({"start": start, "end": end, "label": target})
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    rows = timeline.plot(phases, figure.add_subplot())
    save(rows.figure, "timeline")


def draw_rule(rules: pd.DataFrame, views, target) -> None:
    """Draw the heaviest rule on the level of one axis of acceleration, with its words."""
    axes_of_wrist = list(views.schema["acc"].channel_names)
    is_simple = (rules["kind"] == "level") & rules["channels"].isin(axes_of_wrist)
    rule = rules[is_simple].iloc[0]
    signal = np.asarray(views["acc"])[:, axes_of_wrist.index(rule["channels"])]
    states = sorted(set(target.tolist()), key=lambda state: state != rule["prediction"])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    seconds = np.arange(signal.shape[1]) / views.schema["acc"].rate
    middle = {state: signal[target == state][(target == state).sum() // 2] for state in states}
    for state, style in zip(states, ("-", "--", "-.", ":"), strict=True):
        colour = ORANGE if state == rule["prediction"] else GREY
        left.plot(seconds, middle[state], style, color=colour, label=state.replace("_", " "))
    left.axhline(rule["size"], color=BLUE, linewidth=3, alpha=0.5, label="level of the rule")
    left.set(xlabel="seconds of a clip", ylabel=f"acceleration, {rule['channels']} (g)")
    left.legend(frameon=False, fontsize="small", ncols=2)
    fires = [100 * rule[f"fires_{state}"] for state in states]
    names = [state.replace("_", " ") for state in states]
    colours = [ORANGE if state == rule["prediction"] else GREY for state in states]
    right.barh(names[::-1], fires[::-1], color=colours[::-1])
    right.set(xlabel="share of the time that it fires (%)", xlim=(0, 100))
    figure.suptitle(rule["rule"].replace("_", " "), fontsize="large", x=0.01, ha="left")
    save(figure, "rule")


def save(figure: Figure, name: str) -> None:
    """Write a figure without the date, so that the same figure is the same file."""
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


def state_of_code() -> str:
    """What the results depend on, as a digest."""
    parts = [own_code(), Path(__file__).read_text(encoding="utf-8"), platform.python_version()]
    parts += [np.__version__, torch.__version__]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def make(app: Sphinx, config) -> None:
    """Compute what the start page shows, unless that of this code is there already."""
    stamp, state = FOLDER / "state.txt", state_of_code()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    FOLDER.mkdir(exist_ok=True)
    with matplotlib.rc_context(LOOK):
        compute()
    stamp.write_text(state, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", make)
    return {"parallel_read_safe": True}

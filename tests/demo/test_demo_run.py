"""The whole demo on a tiny recording, and what it says when something is wrong."""

import functools
import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.__main__ import main
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.demo import peers
from stf2m_sk.demo.peers import MODEL, UNLABELLED, Peer
from stf2m_sk.demo.protocol import PeopleSplit
from stf2m_sk.demo.recording import Recording
from stf2m_sk.demo.run import compare, median_person, prepare
from stf2m_sk.model_selection import FewShotResult, MajorityControl
from stf2m_sk.views import Views

TINY = {"n_networks": 0, "n_kernels": 8, "n_patterns": 8, "n_threads": 1}


@pytest.fixture(scope="module")
def arrays():
    data = make_emotion_views(n_people=5, n_clips_per_emotion=6, n_emotions=2, random_state=0)
    arrays = data.views.select("skin", "pulse").to_dict()
    return arrays | {"y": data.target, "groups": data.groups}


@pytest.fixture
def save(arrays, tmp_path):
    """Write the tiny recording with changes; a value of None leaves an array out."""

    def write(**changes):
        path = tmp_path / "mine.npz"
        kept = {name: array for name, array in (arrays | changes).items() if array is not None}
        np.savez_compressed(path, **kept)
        return path

    return write


class Done(NamedTuple):
    """What one run of the command left."""

    recording: Recording
    split: PeopleSplit
    said: str
    progress: str
    output: Path
    model: STF2MClassifier


@pytest.fixture(scope="module")
def done(arrays, tmp_path_factory):
    """One run of the command on the tiny recording, with a person who cannot be used."""
    folder = tmp_path_factory.mktemp("demo")
    target = arrays["y"].copy()
    target[arrays["groups"] == "person_1"] = target[0]
    data, output = folder / "mine.npz", folder / "new" / "out"
    np.savez_compressed(data, **arrays | {"y": target})
    with pytest.MonkeyPatch.context() as patch:
        small = functools.partial(STF2MClassifier, **TINY)
        patch.setattr(stf2m_sk, "STF2MClassifier", small)
        patch.setattr(peers, "_N_TREES", 10)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            main(["demo", "--data", str(data), "--output", str(output), "--seed", "1"])
    recording, split = prepare(data, output, seed=1)
    model = stf2m_sk.load(output / "model.safetensors")
    return Done(recording, split, out.getvalue(), err.getvalue(), output, model)


def row_of(table, name):
    """Cells of a row: what is a number, and a dash as None."""
    line = next(line for line in table.splitlines() if line.startswith(name + "  "))
    cells = re.findall(r"(–)|(\S+) \[(\S+), (\S+)\]", line)
    return [None if dash else tuple(map(float, numbers)) for dash, *numbers in cells]


class TestWhole:
    def test_every_row_has_four_cells_and_dashes_without_support(self, done):
        dashes = {
            name: [cell is None for cell in row_of(done.said, name)]
            for name in (MODEL, UNLABELLED, "random forest", "nearest in time", "majority")
        }
        assert dashes == {
            MODEL: [False] * 4,
            UNLABELLED: [False] * 4,
            "random forest": [False] * 4,
            "nearest in time": [True] + [False] * 3,
            "majority": [False] * 4,
        }

    def test_majority_is_chance(self, done):
        assert row_of(done.said, "majority") == [(0.5, 0.5, 0.5)] * 4

    @pytest.mark.parametrize("name", [MODEL, UNLABELLED])
    @pytest.mark.parametrize(("column", "shots"), [(0, 0), (2, 2)])
    def test_scores_are_those_of_the_saved_model(self, done, name, column, shots):
        views, target = done.recording.views, done.recording.target
        peers = [Peer(name, "", MajorityControl())]
        peers += [Peer(UNLABELLED, "", MajorityControl())] * (name == MODEL)
        episodes = compare(peers, done.recording, done.split, seed=1).rows
        means = []
        for person in done.split.new_people:
            own = np.flatnonzero(done.recording.groups == person)
            each = [own[target[own] == label] for label in np.unique(target)]
            side = np.concatenate([rows[:3] for rows in each])  # the first half of six clips
            draws = []
            asked = "estimator == @name and person == @person and shots == @shots"
            own = episodes.query(f"{asked} and metric == 'balanced_accuracy'")
            for e in own.to_dict("records"):
                further = {"unlabelled": views[side]} if name == UNLABELLED else {}
                model = done.model.adapt(**further) if further else done.model
                if shots:
                    support = e["support"]
                    model = done.model.adapt(views[support], target[support], **further)
                predicted = model.predict(views[e["query"]])
                draws.append(balanced_accuracy_score(target[e["query"]], predicted))
            means.append(np.mean(draws))
        assert row_of(done.said, name)[column][0] == pytest.approx(np.mean(means), abs=0.0051)

    def test_says_who_is_new_and_who_is_skipped(self, done):
        new = ", ".join(done.split.new_people)
        assert "  trained on        2 people\n" in done.said
        assert f"  new people        {new}\n" in done.said
        assert "  skipped           person_1, who lack two labels with three clips\n" in done.said

    def test_says_what_the_numbers_are(self, done):
        assert "Balanced accuracy on 2 new people, mean [95 % interval]" in done.said
        assert "nearest in time     No signal at all" in done.said
        assert "Student's t over the 2 new people" in done.said
        assert re.search(r"Training took \d+ s, the whole demo \d+ s", done.said)

    def test_progress_is_not_on_stdout(self, done):
        assert "%|" not in done.said

    def test_what_is_written_is_where_it_says(self, done):
        names = ["accuracy.png", "model.safetensors", "timeline.png"]
        assert sorted(path.name for path in done.output.iterdir()) == names
        for name in names:
            assert str(done.output / name) in done.said
            assert (done.output / name).stat().st_size > 10_000

    def test_the_saved_model_is_the_population(self, done):
        assert done.model.model_.support is None
        assert done.model.classes_.tolist() == np.unique(done.recording.target).tolist()


class TestMedianPerson:
    """With a classifier that always predicts the same, and remembers what it was given."""

    class Constant:
        classes_ = np.array(["a", "b"])

        def adapt(self, X, y, *, classes):
            self.support = X["hr"].ravel(), y, classes
            return self

        def predict_proba(self, X):
            return np.tile([0.7, 0.3], (len(X), 1))

    @pytest.fixture
    def recording(self):
        target = np.tile(["a"] * 12 + ["b"] * 12, 12)
        groups = np.repeat([f"P{i:02d}" for i in range(12)], 24)
        order = np.random.default_rng(0).permutation(len(target))
        views = Views({"hr": np.arange(len(target), dtype=float)[:, None, None]})
        return Recording("planted", views, target[order], groups[order], "clip", "")

    def rows(self, recording, means):
        """Two draws for each of the first people; other rows are in the way."""
        rows = []
        for i, mean in enumerate(means):
            person = f"P{i:02d}"
            own = np.flatnonzero(recording.groups == person)
            for draw, score in enumerate((mean - 0.1, mean + 0.1)):
                sides = {"support": own[draw : draw + 4], "query": own[12:]}
                row = {"person": person, "draw": draw, "metric": "balanced_accuracy", **sides}
                rows += [
                    {"estimator": MODEL, "shots": 4, "value": score, **row},
                    {"estimator": MODEL, "shots": 2, "value": 1 - score, **row},
                    {"estimator": UNLABELLED, "shots": 4, "value": 1 - score, **row},
                ]
        return FewShotResult(pd.DataFrame(rows), {"balanced_accuracy": None}, "people", [])

    @pytest.mark.parametrize(
        ("means", "middle"),
        [([0.5, 0.9, 0.6], 2), ([0.8, 0.7, 0.9], 0), ([0.1, 0.3], 0), ([0.4, 0.2, 0.3, 0.1], 1)],
    )
    def test_is_the_one_in_the_middle(self, recording, means, middle):
        timeline = median_person(self.Constant(), recording, self.rows(recording, means))
        assert timeline.person == f"P{middle:02d}"

    def test_shows_all_clips_of_the_person_and_the_first_draw(self, recording):
        constant = self.Constant()
        timeline = median_person(constant, recording, self.rows(recording, [0.5]))
        rows = np.flatnonzero(recording.groups == "P00")
        assert timeline.true.tolist() == recording.target[rows].tolist()
        assert rows[timeline.is_support].tolist() == rows[:4].tolist()
        assert rows[timeline.is_query].tolist() == rows[12:].tolist()
        assert constant.support[0].tolist() == rows[:4].tolist()
        assert constant.support[2].tolist() == np.unique(constant.support[1]).tolist()
        assert timeline.is_right.tolist() == (timeline.true == "a").tolist()


class TestErrors:
    @pytest.fixture
    def refused(self, tmp_path, capsys):
        """What is said on stderr; nothing may be trained or written."""

        def run_it(*arguments):
            output = tmp_path / "out"
            with pytest.raises(SystemExit) as stop:
                main(["demo", "--output", str(output), *map(str, arguments)])
            assert stop.value.code == 2
            assert not output.exists()
            said = capsys.readouterr()
            assert said.out == ""
            return said.err

        return run_it

    def test_no_such_file(self, refused, tmp_path):
        path = tmp_path / "nowhere.npz"
        assert refused("--data", path) == (
            f"python -m stf2m_sk demo: error: no file at {path}; expected an .npz written by "
            "numpy.savez\n"
        )

    def test_not_an_npz(self, refused, tmp_path):
        path = tmp_path / "mine.csv"
        path.write_text("a,b\n1,2\n")
        message = f"error: {path} is not an .npz file; write it with numpy.savez_compressed\n"
        assert refused("--data", path).endswith(message)

    def test_no_people(self, refused, save):
        path = save(groups=None)
        assert refused("--data", path).endswith(
            f"error: {path}: no people: expected a 1-D array named 'groups', the person in each "
            "clip. The demo trains on some people and is tested on others.\n"
        )

    def test_no_labels(self, refused, save):
        path = save(y=None)
        message = (
            f"error: {path}: no labels: expected a 1-D array named 'y', given "
            "['groups', 'pulse', 'skin']\n"
        )
        assert refused("--data", path).endswith(message)

    def test_too_few_people(self, refused, save, arrays):
        path = save(groups=np.where(arrays["groups"] == "person_1", "ann", "bob"))
        assert refused("--data", path).endswith(
            f"error: {path}: too few people: 2 of 2 have at least 3 clips of each of 2 labels, "
            "but the demo needs 4: 2 to train on and 2 new\n"
        )

    def test_labels_that_are_measurements(self, refused, save, arrays):
        path = save(y=np.linspace(0, 1, len(arrays["y"])) ** 2)
        assert f"error: {path}: Unknown label type: continuous" in refused("--data", path)

    def test_a_clip_in_which_nothing_is_measured(self, refused, save, arrays):
        skin, pulse = arrays["skin"].copy(), arrays["pulse"].copy()
        skin[7] = pulse[7] = np.nan
        path = save(skin=skin, pulse=pulse)
        assert f"error: {path}: 1 clip(s) hold no measured value" in refused("--data", path)

    def test_output_that_is_a_file(self, save, tmp_path, capsys):
        taken = tmp_path / "taken"
        taken.write_text("")
        with pytest.raises(SystemExit) as stop:
            main(["demo", "--data", str(save()), "--output", str(taken)])
        assert stop.value.code == 2
        assert "File exists" in capsys.readouterr().err

    def test_seed(self, refused):
        message = "argument --seed: expected a whole number from 0 to 2**32 - 1, given '-1'\n"
        assert refused("--seed", "-1").endswith(message)

    def test_no_matplotlib(self, refused, monkeypatch):
        for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, name)
        for name in [n for n in sys.modules if n.startswith("stf2m_sk.demo")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        assert refused() == (
            "python -m stf2m_sk demo: error: figures need matplotlib, which is not installed: "
            'pip install ".[plot]"\n'
        )

    def test_no_command(self, capsys):
        with pytest.raises(SystemExit) as stop:
            main([])
        assert stop.value.code == 2
        assert "the following arguments are required: command" in capsys.readouterr().err


def test_help_documents_the_layout(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for name in ("--data", "--output", "--seed", "groups", "rate_<modality>", "NaN = not measured"):
        assert name in said

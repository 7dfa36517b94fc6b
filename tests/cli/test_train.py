"""`train`: what it writes and says, and what it refuses."""

import json

import numpy as np
import pytest

import stf2m_sk
from stf2m_sk import STF2MClassifier
from stf2m_sk.recordings import cut, read_annotations, read_csv

SIZE = {"n_kernels": 30, "n_patterns": 8}  # of the fixture `small`
TRAIN = "train recordings labels.csv --networks 0 -o new_model"


def direct(home, **how):
    """The same clips without the command line."""
    recordings = [
        read_csv(path, time="time", person=path.stem)
        for path in sorted((home / "recordings").glob("*.csv"))
    ]
    return cut(recordings, read_annotations(home / "labels.csv"), **how)


class TestWhatIsWritten:
    def test_is_the_classifier_of_the_same_clips(self, home):
        clips = direct(home, window=10)
        expected = STF2MClassifier(n_networks=0, random_state=0, **SIZE)
        expected.fit(clips.views, clips.target, groups=clips.groups)
        found = stf2m_sk.load(home / "model" / "classifier.safetensors")
        np.testing.assert_array_equal(
            found.predict_proba(clips.views), expected.predict_proba(clips.views)
        )

    def test_settings(self, home, run):
        run(f"{TRAIN} --window 10 --step 5 --trim 2 --lag 1 --seed 3")
        clips = direct(home, window=10, step=5, trim=2, lag=1)
        saved = json.loads((home / "new_model" / "settings.json").read_text())
        assert (saved["window"], saved["step"]) == (10, 5)
        assert (saved["trim"], saved["lag"]) == (2, 1)
        assert saved["people"] == ["ann", "bob", "cleo", "eli"]
        assert sum(saved["n_clips"].values()) == len(clips.target)
        assert saved["version"] == stf2m_sk.__version__
        assert saved["adapted"] is None

    def test_is_the_same_again(self, home, run):
        run(f"{TRAIN} --window 10")
        for name in ("classifier.safetensors", "settings.json"):
            assert (home / "new_model" / name).read_bytes() == (home / "model" / name).read_bytes()

    def test_replaces_a_model(self, home, run):
        run("train recordings labels.csv --networks 0 --window 20 -o model")
        assert json.loads((home / "model" / "settings.json").read_text())["window"] == 20
        assert sorted(p.name for p in home.iterdir() if p.name.startswith(".")) == []

    def test_holds_no_pickle(self, home):
        names = sorted(path.name for path in (home / "model").iterdir())
        assert names == ["classifier.safetensors", "settings.json"]


class TestWhatIsSaid:
    def test_counts(self, home, run):
        said = run(f"{TRAIN} --window 10 --trim 6").out
        clips = direct(home, window=10, trim=6)
        assert "4 recordings in recordings, 2 signals: eda, pulse\n" in said
        assert f"{len(clips.target)} clips of 10 s, 4 people\n" in said
        for label in ("calm", "joy", "rage"):
            assert f"  {label:<4}  {(clips.target == label).sum():>5}\n" in said
        assert f"  left out: {clips.n_dropped['not annotated']} not annotated\n" in said
        assert said.endswith(": new_model\n")

    def test_what_is_not_used(self, home, run, table):
        (home / "recordings" / "notes.txt").write_text("sunny")
        (home / "labels.csv").rename(home / "recordings" / "labels.csv")
        table(home / "recordings" / "more.csv", ["start", "end", "label"], [(0, 9, "joy")])
        table(home / "recordings" / "fay.csv", ["time", "eda"], [(0, 1), (1, 2), (2, 1)])
        with (home / "recordings" / "labels.csv").open("a") as file:
            file.write("gus,0,40,joy\n")
        said = run(
            "train recordings recordings/labels.csv --window 10 --networks 0 -o new_model"
        ).out
        assert (
            "left alone: more.csv (a table of times from start to end), "
            "notes.txt (not a kind of file that is read)\n" in said
        )
        assert "without labels, not used: fay\n" in said
        assert "in labels.csv but not in the folder: gus\n" in said

    def test_what_looks_wrong_is_a_warning_without_a_place_in_the_code(self, home, run, table):
        time = np.arange(400) / 4
        table(home / "recordings" / "ann.csv", ["time", "eda"], [(t, 1) for t in time])
        warned = run(f"{TRAIN} --window 10").err
        assert "warning: recording 'ann': signal 'eda', all channels: all values are 1" in warned
        assert ".py" not in warned


class TestProgress:
    @pytest.fixture
    def on_terminal(self, monkeypatch, run):
        """Run a command as on a terminal; what it said."""

        def on_terminal(command):
            monkeypatch.setattr("sys.stderr.isatty", lambda: True)  # of the stream of this moment
            return run(command)

        return on_terminal

    def test_on_a_terminal(self, on_terminal, home):
        assert "fitted: 100%" in on_terminal(f"{TRAIN} --window 10").err
        old, new = (
            (home / name / "classifier.safetensors").read_bytes() for name in ("model", "new_model")
        )
        assert old == new  # trained without one

    def test_quiet(self, on_terminal):
        assert on_terminal(f"{TRAIN} --window 10 --quiet").err == ""

    def test_without_a_terminal(self, run):
        said = run(f"{TRAIN} --window 10")
        assert said.err == ""
        assert "training with 0 networks" in said.out


class TestWhoseRecordings:
    def test_recordings_of_a_person(self, home, run, table):
        rows = [line.split(",") for line in (home / "labels.csv").read_text().splitlines()[1:]]
        person = {"ann": "A", "bob": "A", "cleo": "C", "eli": "E"}
        columns = ["recording", "person", "start", "end", "label"]
        table(home / "labels.csv", columns, [(row[0], person[row[0]], *row[1:]) for row in rows])
        run(f"{TRAIN} --window 10")
        saved = json.loads((home / "new_model" / "settings.json").read_text())
        assert (saved["people"], saved["n_recordings"]) == (["A", "C", "E"], 4)

    def test_names_that_look_like_numbers(self, home, run, table):
        for number, name in enumerate(("ann", "bob", "cleo", "eli")):
            path = home / "recordings" / f"{name}.csv"
            path.rename(path.with_stem(f"0{number}"))
            text = (home / "labels.csv").read_text()
            (home / "labels.csv").write_text(text.replace(name, f"0{number}"))
        text = (home / "labels.csv").read_text()
        (home / "labels.csv").write_text(text.replace("person", "recording"))
        run(f"{TRAIN} --window 10")
        saved = json.loads((home / "new_model" / "settings.json").read_text())
        assert saved["people"] == ["00", "01", "02", "03"]

    def test_two_people_in_one(self, home, refused, table):
        rows = [("ann", "A", 0, 40, "joy"), ("ann", "B", 40, 80, "calm")]
        table(home / "labels.csv", ["recording", "person", "start", "end", "label"], rows)
        assert refused(f"{TRAIN} --window 10") == (
            "labels.csv: recording 'ann' has labels of A, B; expected one person for each recording"
        )

    def test_none_has_labels(self, home, refused, table):
        table(home / "labels.csv", ["person", "start", "end", "label"], [("zoe", 0, 40, "joy")])
        assert refused(f"{TRAIN} --window 10") == (
            "labels.csv: its column 'person' names zoe, but the recordings are ann, bob, cleo, "
            "eli; expected the names of the files without their suffix"
        )


class TestCsvRecordings:
    @pytest.fixture
    def without_times(self, home):
        for path in (home / "recordings").iterdir():
            lines = path.read_text().splitlines()
            path.write_text("".join(line.partition(",")[2] + "\n" for line in lines))

    def test_rate(self, home, run, without_times):
        run(f"{TRAIN} --window 10 --rate 4")
        saved = json.loads((home / "new_model" / "settings.json").read_text())
        assert saved["csv"] == {"time": None, "rate": 4}
        old, new = (
            (home / name / "classifier.safetensors").read_bytes() for name in ("model", "new_model")
        )
        assert old == new

    def test_no_times(self, refused, without_times):
        message = refused(f"{TRAIN} --window 10")
        assert message.endswith(
            "ann.csv, row 1: no column named 'time', only eda, pulse; name the column of times "
            "with --time COLUMN, or give the rows a second with --rate HZ"
        )

    def test_another_column_of_times(self, home, run, refused):
        for path in (home / "recordings").iterdir():
            path.write_text(path.read_text().replace("time", "t", 1))
        assert "no column named 'time', only t, eda, pulse" in refused(f"{TRAIN} --window 10")
        run(f"{TRAIN} --window 10 --time t")

    @pytest.mark.parametrize(
        ("separator", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]
    )
    @pytest.mark.parametrize("which", ["recordings/ann.csv", "labels.csv"])
    def test_separator(self, home, refused, which, separator, name):
        path = home / which
        path.write_text(path.read_text().replace(",", separator))
        message = refused(f"{TRAIN} --window 10")
        assert message.startswith(f"{which}, row 1: the columns are separated by {name}; ")
        assert "pandas" not in message

    def test_column_without_a_name(self, home, refused):
        path = home / "recordings" / "ann.csv"
        path.write_text(path.read_text().replace("eda", "", 1))
        message = refused(f"{TRAIN} --window 10")
        assert "recordings/ann.csv, row 1: a column has no name" in message
        assert "pandas" not in message

    def test_text_in_a_column(self, home, refused):
        path = home / "recordings" / "bob.csv"
        lines = path.read_text().splitlines(keepends=True)
        lines[3] = "0.5,high,1\n"
        path.write_text("".join(lines))
        assert "bob.csv, row 4, column 'eda': expected a finite number" in refused(
            f"{TRAIN} --window 10"
        )


class TestRefusals:
    def test_no_folder(self, refused):
        command = "train nowhere labels.csv --window 10 -o new_model"
        assert refused(command) == "nowhere: there is no such folder"

    def test_no_labels(self, refused):
        command = "train recordings nowhere.csv --window 10 -o new_model"
        assert refused(command) == "nowhere.csv: there is no such file"

    def test_labels_without_rows(self, home, refused):
        (home / "labels.csv").write_text("person,start,end,label\n")
        assert refused(f"{TRAIN} --window 10") == (
            "labels.csv: holds no labels, only names of columns"
        )

    def test_labels_without_a_column(self, home, refused):
        text = (home / "labels.csv").read_text().replace("label", "emotion", 1)
        (home / "labels.csv").write_text(text)
        assert refused(f"{TRAIN} --window 10") == (
            "labels.csv, row 1: no column named label; its columns are person, start, end, emotion"
        )

    def test_overlapping_labels(self, home, refused):
        with (home / "labels.csv").open("a") as file:
            file.write("ann,10,50,joy\n")
        assert "overlap by 30 s" in refused(f"{TRAIN} --window 10")

    def test_window_longer_than_all_labels(self, refused):
        assert "no clip of 500 s is left" in refused(f"{TRAIN} --window 500")

    def test_no_recordings(self, home, refused):
        (home / "empty").mkdir()
        message = refused("train empty labels.csv --window 10 -o new_model")
        assert message == "empty: holds no recording"

    def test_output_without_a_folder(self, refused):
        message = refused("train nowhere labels.csv --window 10 -o none/model")
        assert message == "none/model: there is no folder 'none' to write to; make it first"

    @pytest.mark.parametrize("taken", ["recordings", "labels.csv"])
    def test_output_that_is_something_else(self, refused, taken):
        message = refused(f"train nowhere labels.csv --window 10 -o {taken}")
        assert message == f"{taken}: is there and is no model; give another name with -o"

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--window 0", "argument --window: expected a number above 0, given '0'"),
            ("--window nan", "argument --window: expected a number, given 'nan'"),
            ("--window 10 --trim x", "argument --trim: expected a number, given 'x'"),
            ("--window 10 --networks 1", "argument --networks: expected 0, or a whole number of"),
            ("--window 10 --seed -1", "argument --seed: expected a whole number from 0"),
        ],
    )
    def test_options(self, refused, option, message):
        assert refused(f"{TRAIN} {option}").startswith(message)

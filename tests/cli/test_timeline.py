"""`timeline`: its files are those of the library, and are written whole or not at all."""

import io
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import soundfile

import stf2m_sk
from stf2m_sk.recordings import Timeline, predict_timeline, read_csv

TIMELINE = "timeline model new/dan.csv -o"


@pytest.fixture
def direct(home):
    """The timeline without the command line."""

    def direct(**how):
        model = stf2m_sk.load(home / "model" / "classifier.safetensors")
        dan = read_csv(home / "new" / "dan.csv", time="time", person="dan")
        return predict_timeline(model, dan, window=10, **how)

    return direct


class TestFormats:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("out.csv", Timeline.to_csv),
            ("out.vtt", Timeline.to_webvtt),
            ("out.srt", Timeline.to_srt),
            ("OUT.VTT", Timeline.to_webvtt),
        ],
    )
    def test_is_what_the_library_writes(self, home, run, direct, name, text):
        run(f"{TIMELINE} {name}")
        assert (home / name).read_text(encoding="utf-8") == text(direct())

    def test_elan_names_the_recording(self, home, run):
        run(f"{TIMELINE} out.eaf")
        media = ElementTree.parse(home / "out.eaf").find("HEADER/MEDIA_DESCRIPTOR")
        assert media.get("MEDIA_URL") == (home / "new" / "dan.csv").as_uri()

    def test_step_is_that_of_training_unless_given(self, home, run, direct):
        run(f"{TIMELINE} out.csv --step 2.5")
        assert (home / "out.csv").read_text() == direct(step=2.5).to_csv()
        run("train recordings labels.csv --window 10 --step 5 --networks 0 -o model")
        run(f"{TIMELINE} out.csv")
        assert (home / "out.csv").read_text() == direct(step=5).to_csv()

    def test_finds_what_was_planted(self, home, run):
        run("adapt model new/dan.csv --labels few.csv -o dan")
        run("timeline dan new/dan.csv -o out.csv")
        found = pd.read_csv(home / "out.csv")
        truth = pd.read_csv(home / "dan_all.csv")
        which = np.searchsorted(truth["end"], (found["start"] + found["end"]) / 2)
        assert (found["emotion"].to_numpy() == truth["label"].to_numpy()[which]).mean() > 0.9

    @pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
    def test_plot(self, home, run, suffix):
        said = run(f"{TIMELINE} out.vtt --plot out.{suffix}").out
        starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
        assert (home / f"out.{suffix}").read_bytes().startswith(starts[suffix])
        assert said.endswith(f"written: out.vtt\nwritten: out.{suffix}\n")


class TestClock:
    """Subtitles count from the start of the recording, or of the file that a player shows."""

    @pytest.fixture
    def later(self, home):
        """Dan's recording begins at 1,000 s."""
        frame = pd.read_csv(home / "new" / "dan.csv")
        frame.assign(time=frame["time"] + 1000).to_csv(home / "new" / "dan.csv", index=False)

    def starts(self, path):
        return next(line for line in path.read_text().splitlines() if "-->" in line).split()[0]

    def test_of_a_sensor(self, home, run, later):
        run(f"{TIMELINE} out.vtt")
        assert self.starts(home / "out.vtt") == "00:00:00.000"

    def test_of_a_player(self, home, run, later):
        soundfile.write(home / "new" / "dan.wav", np.zeros(16_000), 16_000)
        run(f"{TIMELINE} out.vtt")
        assert self.starts(home / "out.vtt") == "00:16:40.000"

    def test_of_the_table_is_that_of_the_recording(self, home, run, later):
        run(f"{TIMELINE} out.csv")
        assert pd.read_csv(home / "out.csv")["start"].iloc[0] == 1000


class TestWhatIsSaid:
    def test_shares(self, home, run):
        said = run(f"{TIMELINE} out.csv").out
        shares = pd.read_csv(home / "out.csv")["emotion"].value_counts(normalize=True)
        assert "dan.csv: 240.0 s of eda, pulse\n24 windows, " in said
        for label in ("calm", "joy", "rage"):
            assert f"  {label:<4}  {100 * shares.get(label, 0):>3.0f} %\n" in said

    def test_windows_that_are_not_measured(self, home, run):
        path = home / "new" / "dan.csv"
        lines = path.read_text().splitlines(keepends=True)
        lines[1:81] = [line.partition(",")[0] + ",,\n" for line in lines[1:81]]
        path.write_text("".join(lines))
        assert "24 windows, 2 not measured, " in run(f"{TIMELINE} out.csv").out


class TestNothingHalf:
    @pytest.mark.parametrize("method", ["to_webvtt", "plot"])
    def test_what_was_there_stays(self, home, run, refused, monkeypatch, method):
        run(f"{TIMELINE} out.vtt --plot out.png")
        before = [(home / name).read_bytes() for name in ("out.vtt", "out.png")]

        class Axes:
            class figure:
                @staticmethod
                def savefig(path, **how):
                    path.write_bytes(b"half")
                    raise OSError("the disk is full")

        def fails(*_, **__):
            if method == "plot":
                return Axes
            raise OSError("the disk is full")

        monkeypatch.setattr(Timeline, method, fails)
        assert refused(f"{TIMELINE} out.vtt --plot out.png") == "the disk is full"
        assert [(home / name).read_bytes() for name in ("out.vtt", "out.png")] == before


class TestRefusals:
    @pytest.mark.parametrize("name", ["out.mp4", "out", "out.vtt.txt"])
    def test_suffix(self, refused, name):
        assert refused(f"timeline nothing nowhere -o {name}") == (
            f"-o {name}: expected a name that ends in .vtt, .srt, .csv, .eaf"
        )

    def test_suffix_of_the_plot(self, refused):
        assert refused("timeline nothing nowhere -o out.vtt --plot out.doc") == (
            "--plot out.doc: expected a name that ends in .png, .svg, .pdf"
        )

    def test_no_folder_for_the_output(self, refused):
        assert refused("timeline nothing nowhere -o none/out.vtt") == (
            "none/out.vtt: there is no folder 'none' to write to; make it first"
        )

    def test_no_model(self, refused):
        assert refused("timeline nothing nowhere -o out.vtt") == (
            "nothing: there is no such folder; expected the folder that `train` or `adapt` wrote"
        )

    def test_other_signals(self, home, refused, table):
        table(home / "new" / "eve.csv", ["time", "temp"], [(i / 4, i) for i in range(80)])
        assert refused("timeline model new/eve.csv -o out.vtt") == (
            "new/eve.csv: holds temp, but the model was trained on eda, pulse"
        )

    def test_another_rate(self, home, refused, table):
        rows = [(i / 8, i % 7) for i in range(160)]
        table(home / "new" / "eve.csv", ["time", "eda"], rows)
        message = refused("timeline model new/eve.csv -o out.vtt")
        assert message.startswith("signal 'eda' has 8 Hz, but the classifier was trained on 4 Hz")

    def test_a_table_of_labels(self, refused):
        assert refused("timeline model labels.csv -o out.vtt") == (
            "labels.csv: is no recording (a table of times from start to end)"
        )

    def test_empty_recording(self, home, refused):
        (home / "new" / "eve.csv").write_text("")
        assert refused("timeline model new/eve.csv -o out.vtt") == (
            "new/eve.csv: the file is empty"
        )


def test_missing_signal_is_a_warning(home, run, table):
    frame = pd.read_csv(io.StringIO((home / "new" / "dan.csv").read_text()))
    frame.drop(columns="pulse").to_csv(home / "new" / "dan.csv", index=False)
    said = run(f"{TIMELINE} out.vtt").err
    assert "warning: recording 'dan' lacks ['pulse'], which the classifier was trained on" in said

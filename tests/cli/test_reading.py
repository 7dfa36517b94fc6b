"""Which files are recordings, which belong together, and who reads them."""

import zipfile

import numpy as np
import pytest
import soundfile

from stf2m_sk.cli._csv_files import CsvLayout
from stf2m_sk.cli._reading import find, has_media_clock, parts_of, read
from stf2m_sk.recordings import RecordingError, RecordingWarning, Timeline

SRT = "1\n00:00:00,000 --> 00:00:02,000\nall is well\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


def write_sound(path, seconds=2):
    soundfile.write(path, np.sin(np.arange(8000 * seconds) / 9), 8000)


def write_e4(folder):
    folder.mkdir()
    (folder / "EDA.csv").write_text("1644226061.0\n4.0\n0.1\n0.2\n0.4\n0.3\n")


def found(folder, labels="labels.csv"):
    recordings, left_alone = find(folder, labels=folder / labels)
    return {name: [path.name for path in paths] for name, paths in recordings.items()}, left_alone


class TestFind:
    def test_files_of_one_stem_are_one_recording(self, folder, table):
        write_sound(folder / "eve.wav")
        (folder / "eve.srt").write_text(SRT)
        table(folder / "dan.CSV", ["time", "eda"], [(0, 1), (1, 2)])
        assert found(folder) == ({"dan": ["dan.CSV"], "eve": ["eve.srt", "eve.wav"]}, [])

    def test_e4_sessions_as_zip_and_folder(self, folder):
        write_e4(folder / "S01")
        with zipfile.ZipFile(folder / "S02.zip", "w") as archive:
            archive.writestr("EDA.csv", "1644226061.0\n4.0\n0.1\n")
        assert found(folder) == ({"S01": ["S01"], "S02": ["S02.zip"]}, [])

    def test_one_session_is_no_folder_of_sessions(self, folder):
        write_e4(folder / "S01")
        with pytest.raises(RecordingError, match="S01: is one E4 session; give the folder that"):
            find(folder / "S01", labels=folder / "labels.csv")

    def test_compressed_xdf(self, folder):
        (folder / "S01.xdf.gz").write_bytes(b"")
        assert found(folder) == ({"S01": ["S01.xdf.gz"]}, [])

    def test_parts_of_a_wfdb_record(self, folder):
        for name in ("100.hea", "100.dat", "100.atr"):
            (folder / name).write_bytes(b"")
        assert found(folder) == ({"100": ["100.hea"]}, [])

    def test_what_is_left_alone_is_said(self, folder, table):
        write_sound(folder / "eve.wav")
        (folder / "photos").mkdir()
        (folder / "readme.txt").write_text("")
        (folder / ".hidden.wav").write_text("")
        table(folder / "labels.csv", ["start", "end", "label"], [(0, 1, "joy")])
        table(folder / "other.csv", ["start", "end", "label"], [(0, 1, "joy")])
        assert found(folder) == (
            {"eve": ["eve.wav"]},
            [
                "other.csv (a table of times from start to end)",
                "photos (a folder that is no E4 session)",
                "readme.txt (not a kind of file that is read)",
            ],
        )

    @pytest.mark.parametrize("suffix", ["vtt", "srt", "csv"])
    def test_a_timeline_is_not_read_as_words_or_signals(self, folder, suffix):
        timeline = Timeline(
            start=np.array([0.0, 1.0]),
            end=np.array([1.0, 2.0]),
            probabilities=np.array([[0.9, 0.1], [0.2, 0.8]]),
            classes=np.array(["calm", "great joy"]),
        )
        write = {"vtt": timeline.to_webvtt, "srt": timeline.to_srt, "csv": timeline.to_csv}
        write_sound(folder / "eve.wav")
        write[suffix](folder / f"eve.{suffix}")
        recordings, left_alone = found(folder)
        assert recordings == {"eve": ["eve.wav"]}
        assert len(left_alone) == 1
        assert [path.name for path in parts_of(folder / "eve.wav")[1]] == ["eve.wav"]

    def test_words_with_a_percentage_are_words(self, folder):
        (folder / "eve.srt").write_text(SRT + "\n2\n00:00:03,000 --> 00:00:04,000\nit is 50 %\n")
        assert found(folder)[0] == {"eve": ["eve.srt"]}

    def test_nothing(self, folder):
        (folder / "readme.txt").write_text("")
        with pytest.raises(RecordingError, match=r"holds no recording, only readme.txt \(not a"):
            found(folder)


class TestPartsOf:
    def test_the_given_file_first(self, folder):
        write_sound(folder / "eve.wav")
        write_sound(folder / "eve2.wav")
        (folder / "eve.srt").write_text(SRT)
        name, paths = parts_of(folder / "eve.wav")
        assert (name, [path.name for path in paths]) == ("eve", ["eve.wav", "eve.srt"])

    def test_in_the_current_folder(self, folder, monkeypatch):
        write_sound(folder / "eve.wav")
        (folder / "eve.srt").write_text(SRT)
        monkeypatch.chdir(folder)
        assert [str(path) for path in parts_of(folder.__class__("eve.wav"))[1]] == [
            "eve.wav",
            "eve.srt",
        ]

    @pytest.mark.parametrize("name", ["notes.txt", "photos"])
    def test_no_recording(self, folder, name):
        (folder / "photos").mkdir()
        (folder / "notes.txt").write_text("")
        with pytest.raises(RecordingError, match=f"{name}: is no recording"):
            parts_of(folder / name)


class TestRead:
    def test_joins_and_names(self, folder):
        write_sound(folder / "eve.wav")
        (folder / "eve.srt").write_text(SRT)
        name, paths = parts_of(folder / "eve.wav")
        recording = read(name, paths, CsvLayout(), person="Eve")
        assert (recording.name, recording.person) == ("eve", "Eve")
        assert list(recording.signals) == ["audio", "text"]

    def test_files_without_a_wanted_signal_are_left_out(self, folder):
        write_sound(folder / "eve.wav")
        (folder / "eve.srt").write_text(SRT)
        name, paths = parts_of(folder / "eve.wav")
        recording = read(name, paths, CsvLayout(), person="eve", wanted=["audio", "mel"])
        assert list(recording.signals) == ["audio"]

    def test_two_clocks(self, folder):
        write_e4(folder / "S01")
        write_sound(folder / "S01.wav")
        name, paths = parts_of(folder / "S01.wav")
        with (
            pytest.warns(RecordingWarning, match="missing"),
            pytest.raises(RecordingError, match="do not overlap; expected one clock"),
        ):
            read(name, paths, CsvLayout(), person="S01")

    def test_clock_of_a_player(self, folder):
        assert has_media_clock([folder / "eve.MP4", folder / "eve.csv"])
        assert not has_media_clock([folder / "eve.csv", folder / "S01.zip"])


class TestSoundAndWords:
    """From sound with subtitles to subtitles, through all commands."""

    @pytest.fixture
    def spoken(self, home, table):
        folder = home / "spoken"
        folder.mkdir()
        rows = []
        for seed, person in enumerate(("fay", "gus", "hal")):
            random = np.random.default_rng(seed)
            tones = [(440, "joy"), (140, "calm")] * 3
            t = np.arange(8000 * 6) / 8000
            sound = [np.sin(2 * np.pi * (hertz + 9 * seed) * t) for hertz, _ in tones]
            sound = 0.3 * np.concatenate(sound) + 0.01 * random.standard_normal(8000 * 36)
            soundfile.write(folder / f"{person}.wav", sound, 8000)
            cues = [
                f"{i + 1}\n00:00:{6 * i:02},000 --> 00:00:{6 * i + 5:02},000\n"
                f"{'what a great day' if label == 'joy' else 'the table is brown'}\n"
                for i, (_, label) in enumerate(tones)
            ]
            (folder / f"{person}.srt").write_text("\n".join(cues))
            rows += [(person, 6 * i, 6 * (i + 1), label) for i, (_, label) in enumerate(tones)]
        table(home / "spoken.csv", ["recording", "start", "end", "label"], rows[:12])
        return folder

    def test_to_subtitles_on_the_clock_of_the_player(self, home, run, spoken):
        said = run("train spoken spoken.csv --window 3 --networks 0 -o heard").out
        assert "without labels, not used: hal\n" in said
        assert "2 recordings in spoken, 3 signals: text, mel, prosody\n" in said
        said = run("timeline heard spoken/hal.wav -o spoken/hal.vtt --step 3").out
        assert "hal.wav, hal.srt: 36.0 s of mel, prosody, text\n" in said
        lines = (spoken / "hal.vtt").read_text().splitlines()
        cues = [(lines[i], lines[i + 1].split()[0]) for i in range(len(lines)) if "-->" in lines[i]]
        assert cues == [
            (f"00:00:{6 * i:02}.000 --> 00:00:{6 * i + 6:02}.000", "calm" if i % 2 else "joy")
            for i in range(6)
        ]
        settings = home / "heard" / "settings.json"
        settings.write_text(settings.read_text().replace('"mel": "dB"', '"mel": "B"'))
        assert (
            "warning: signal 'mel' is in 'dB', the model was trained on 'B'; expected the same "
            "unit\n" in run("timeline heard spoken/hal.wav -o spoken/hal.vtt").err
        )
        # What was written beside the sound is not read as what was said.
        assert "hal.wav, hal.srt: " in run("timeline heard spoken/hal.wav -o hal.vtt").out
        assert (spoken / "hal.vtt").read_text() == (home / "hal.vtt").read_text()

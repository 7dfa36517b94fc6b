import functools
import re

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from stf2m_sk.recordings import Recording, RecordingError, Signal
from stf2m_sk.recordings._extract import extract
from stf2m_sk.recordings._faces import video
from stf2m_sk.recordings._files import FileValues
from stf2m_sk.recordings._voice import voice
from stf2m_sk.recordings._words import words

CALLS = []


def halved(signal, factor=2):
    CALLS.append(factor)
    return Signal(signal.read(0, signal.n_samples)[:, ::factor] * 1.0, signal.rate / factor)


def split(signal):
    return {name: Signal(signal.values[i][None], signal.rate) for i, name in enumerate("ab")}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv1d(2, 3, 2)

    def forward(self, x):
        CALLS.append("net")
        return self.layer(x)


def failing(signal):
    raise ZeroDivisionError("nothing to divide by")


def wrong(signal):
    return signal.values


class Bytes(FileValues):
    def __init__(self, path):
        super().__init__(path, (1, path.stat().st_size), np.uint8)

    def _read(self, first, last):
        return np.frombuffer(self.path.read_bytes()[first:last], dtype=np.uint8)[None]


def text(*seconds):
    return Signal(np.array([seconds], dtype=object), rate=1)


def eda(value=1.0):
    return Signal(np.full((2, 8), value), rate=4)


def assert_same(one, other):
    np.testing.assert_array_equal(one.values, other.values)
    assert repr(one) == repr(other) and one.channels == other.channels


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def test_voice_video_and_text_are_extracted_and_the_rest_stays():
    audio = Signal(0.1 * np.random.default_rng(0).standard_normal((1, 8000)), rate=16_000)
    film = Signal(np.full((90, 120, 3, 4), 9, dtype=np.uint8), rate=10, start=2.0)
    said = text("fine", "")
    table = pd.DataFrame({"start": [0.0], "end": [1.0], "label": ["calm"]})
    raw = Recording(
        {"audio": audio, "eda": eda(), "video": film, "text": said}, table, person="S1", name="one"
    )
    made = extract(raw)
    assert list(made.signals) == ["mel", "prosody", "eda", "motion", "face", "text"]
    for name, signal in {**voice(audio), **video(film), "text": words(said)}.items():
        assert_same(made[name], signal)
    assert made["eda"] is raw["eda"]
    assert (made.person, made.name) == ("S1", "one")
    assert made.annotations.equals(raw.annotations)
    assert list(raw.signals) == ["audio", "eda", "video", "text"]
    assert_same(extract(made.select("eda", "mel"))["mel"], made["mel"])


def test_a_list_gives_a_list_in_its_order_and_signals_may_be_absent():
    raw = [Recording({"text": text("good")}), Recording({"eda": eda()})]
    made = extract(raw, {"eda": halved})
    assert [list(recording.signals) for recording in made] == [["text"], ["eda"]]
    assert made[1]["eda"].n_samples == 4
    assert extract([]) == []


def test_own_extractors_replace_or_switch_off_the_defaults():
    raw = Recording({"text": text("good"), "eda": eda()})
    assert extract(raw, {"text": None})["text"] is raw["text"]
    made = extract(raw, {"text": functools.partial(words, n_features=2), "eda": split})
    assert list(made.signals) == ["text", "a", "b"]
    assert made["text"].n_channels == 5


def test_workers_and_a_progress_bar_change_nothing(capsys):
    raw = [Recording({"text": text(word)}, name=word) for word in ("good", "bad", "so")]
    made = extract(raw, n_jobs=2, progress=True)
    for one, recording in zip(made, raw, strict=True):
        assert_same(one["text"], words(recording["text"]))
        assert one.name == recording.name
    assert "3/3" in capsys.readouterr().err


class TestModule:
    def test_its_output_has_the_rate_of_its_length(self):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Conv1d(2, 5, 4, stride=4), torch.nn.Dropout(0.5))
        values = np.random.default_rng(0).standard_normal((2, 80))
        made = extract(Recording({"eda": Signal(values, rate=8, start=3)}), {"eda": module})["eda"]
        weight = module[0].weight.detach().numpy().reshape(5, 8)
        frames = values.reshape(2, 20, 4).transpose(1, 0, 2).reshape(20, 8)
        expected = (frames @ weight.T + module[0].bias.detach().numpy()).T
        np.testing.assert_allclose(made.values, expected, atol=1e-5)  # without dropout
        assert (made.rate, made.start, made.values.dtype) == (2.0, 3.0, np.float32)
        assert module.training

    @pytest.mark.parametrize(
        ("signal", "module", "message"),
        [
            (eda(), torch.nn.Flatten(), r"\(1, n_out, n_frames\), got \(1, 16\)"),
            (eda(), torch.nn.AvgPool1d(9), "output size"),
            (text("a"), torch.nn.Identity(), "channels of numbers"),
        ],
    )
    def test_what_it_cannot_take_or_give_is_an_error(self, signal, module, message):
        with pytest.raises(
            RecordingError, match=rf"signal 'x': {type(module).__name__}: .*{message}"
        ):
            extract(Recording({"x": signal}), {"x": module})


class TestErrors:
    def test_recording_signal_and_extractor_are_named(self):
        raw = [Recording({"eda": eda()}, name=name) for name in ("first", "second")]
        message = "recording 'first': signal 'eda': failing: nothing to divide by"
        with pytest.raises(RecordingError, match=re.escape(message)) as raised:
            extract(raw, {"eda": functools.partial(failing)})
        assert isinstance(raised.value.__cause__, ZeroDivisionError)

    def test_a_result_that_is_no_signal_is_refused(self):
        with pytest.raises(RecordingError, match=r"'eda': wrong: expected a Signal.*got array"):
            extract(Recording({"eda": eda()}), {"eda": wrong})

    def test_two_signals_of_one_name_are_refused(self):
        raw = Recording({"a": eda(), "eda": eda()}, name="x")
        with pytest.raises(
            RecordingError, match="'x': signal 'eda': there is a signal 'a' already"
        ):
            extract(raw, {"eda": split})

    def test_a_name_that_no_recording_has_is_refused(self):
        with pytest.raises(ValueError, match=r"'edda', which no recording has.*\['eda'\]"):
            extract(Recording({"eda": eda()}), {"edda": halved})

    def test_what_cannot_be_called_is_refused(self):
        with pytest.raises(TypeError, match="extractor of 'eda' must be callable or None, given 3"):
            extract(Recording({"eda": eda()}), {"eda": 3})

    def test_what_is_no_recording_is_refused(self):
        with pytest.raises(TypeError, match="expected Recordings, given ndarray"):
            extract([np.zeros(3)])

    def test_a_missing_library_stays_an_import_error(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "cv2", None)
        film = Signal(np.zeros((9, 9, 3, 2), dtype=np.uint8), rate=10)
        with pytest.raises(ImportError, match=r"stf2m_sk\[video\]"):
            extract(Recording({"video": film}))


class TestCache:
    def test_the_same_content_is_extracted_once(self, tmp_path):
        first = extract(Recording({"eda": eda()}, name="one"), {"eda": halved}, cache=tmp_path)
        again = extract(Recording({"eda": eda()}, name="two"), {"eda": halved}, cache=tmp_path)
        assert CALLS == [2]
        assert_same(first["eda"], again["eda"])
        assert again.name == "two"
        memory = joblib.Memory(tmp_path, verbose=0)
        extract(Recording({"eda": eda()}), {"eda": halved}, cache=memory)
        assert CALLS == [2]

    def test_other_content_parameters_and_times_are_extracted_anew(self, tmp_path):
        keep = functools.partial(extract, cache=str(tmp_path))
        keep(Recording({"eda": eda()}), {"eda": halved})
        keep(Recording({"eda": eda(2.0)}), {"eda": halved})
        third = functools.partial(halved, factor=4)
        made = keep(Recording({"eda": eda()}), {"eda": third})
        keep(Recording({"eda": eda()}), {"eda": functools.partial(halved, factor=4)})
        assert CALLS == [2, 2, 4]
        assert made["eda"].n_samples == 2
        later = Recording({"eda": Signal(eda().values, rate=4, start=9)})
        keep(later, {"eda": halved})
        assert CALLS == [2, 2, 4, 2]

    def test_a_module_of_the_same_weights_is_found_again(self, tmp_path):
        first, same, other = Net(), Net(), Net()
        same.load_state_dict(first.state_dict())
        made = [
            extract(Recording({"eda": eda()}), {"eda": module}, cache=tmp_path)["eda"]
            for module in (first, same, other)
        ]
        assert CALLS == ["net", "net"]
        assert_same(made[0], made[1])
        assert not np.array_equal(made[0].values, made[2].values)

    def test_the_name_of_the_signal_is_the_new_ones(self, tmp_path):
        extract(Recording({"eda": eda()}), {"eda": halved}, cache=tmp_path)
        made = extract(Recording({"other": eda()}), {"other": halved}, cache=tmp_path)
        assert list(made.signals) == ["other"]

    def test_a_renamed_file_is_found_and_a_changed_one_is_not(self, tmp_path):
        path, cache = tmp_path / "a.bin", tmp_path / "cache"
        path.write_bytes(bytes(range(8)))

        def made(path):
            raw = Recording({"eda": Signal(Bytes(path), rate=4)})
            return extract(raw, {"eda": halved}, cache=cache)["eda"].values.tolist()

        assert made(path) == made(path.rename(tmp_path / "b.bin")) == [[0, 2, 4, 6]]
        assert CALLS == [2]
        (tmp_path / "b.bin").write_bytes(bytes(range(1, 9)))
        assert made(tmp_path / "b.bin") == [[1, 3, 5, 7]]
        assert CALLS == [2, 2]

    def test_a_lambda_is_refused_before_anything_is_done(self, tmp_path):
        raw = Recording({"eda": eda(), "x": eda()})
        with pytest.raises(TypeError, match=r"<lambda>.*top of a module.*leave out cache"):
            extract(raw, {"eda": halved, "x": lambda signal: signal}, cache=tmp_path)
        assert not CALLS
        assert extract(raw, {"x": lambda signal: signal})["x"].n_samples == 8

    def test_an_entry_that_is_damaged_is_made_anew(self, tmp_path, caplog):
        raw = Recording({"eda": eda()})
        first = extract(raw, {"eda": halved}, cache=tmp_path)
        (entry,) = tmp_path.rglob("output.pkl")
        entry.write_bytes(b"nonsense")
        again = extract(raw, {"eda": halved}, cache=tmp_path)
        assert "Exception while loading results" in caplog.text  # joblib's warning
        assert CALLS == [2, 2]
        assert_same(first["eda"], again["eda"])

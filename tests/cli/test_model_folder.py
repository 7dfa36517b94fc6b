"""A model's folder: damage is found, and nothing is lost when writing fails."""

import json

import pytest

from stf2m_sk.cli._model_folder import load_model, save_model
from stf2m_sk.cli._writing import draft_file


@pytest.fixture
def change(home):
    """Change the settings of the model."""

    def change(**values):
        path = home / "model" / "settings.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


class TestDamage:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("window", 0),
            ("window", "10"),
            ("window", True),
            ("window", float("nan")),
            ("step", -1),
            ("trim", -1),
            ("lag", None),
            ("extracted", "audio"),
            ("units", {"eda": 1}),
            ("people", [1]),
            ("n_recordings", 1.5),
            ("n_clips", {"joy": "3"}),
            ("version", 1),
        ],
    )
    def test_value(self, change, refused, name, value):
        change(**{name: value})
        message = refused("info model")
        assert message.startswith(f"model/settings.json: cannot be used: {name} must ")

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"format": 2}, "its format is 2, and this stf2m_sk reads format 1"),
            ({"more": 1}, "it lacks [] and has ['more']"),
            ({"csv": {"time": 1, "rate": None}}, "csv.time must be of type str, given 1"),
            ({"csv": {"separator": ";"}}, "unexpected keyword argument 'separator'"),
            ({"csv": {"time": None, "rate": 0}}, "csv.rate must be a positive number, given 0"),
            ({"adapted": {"person": "dan"}}, "missing 2 required"),
        ],
    )
    def test_form(self, change, refused, values, said):
        change(**values)
        assert said in refused("info model")

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
    def test_no_settings(self, home, refused, text):
        (home / "model" / "settings.json").write_text(text)
        assert refused("info model").startswith("model/settings.json: cannot be used: ")

    def test_settings_of_another_model(self, change, refused):
        change(window=20.0)
        assert refused("info model") == (
            "model/settings.json: a window of 20 s has 80 samples of 'eda', but "
            "classifier.safetensors was trained on 40; the two files do not belong together"
        )

    def test_classifier(self, home, refused):
        path = home / "model" / "classifier.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        assert "classifier.safetensors' is damaged" in refused("info model")


class TestWriting:
    def test_what_was_read_is_written(self, home):
        classifier, settings = load_model(home / "model")
        save_model(home / "again", classifier, settings)
        assert load_model(home / "again")[1] == settings

    def test_the_old_model_stays_when_writing_fails(self, home, monkeypatch):
        classifier, settings = load_model(home / "model")

        def fails(path):
            path.write_bytes(b"half")
            raise OSError("the disk is full")

        monkeypatch.setattr(classifier, "save", fails)
        with pytest.raises(OSError, match="the disk is full"):
            save_model(home / "model", classifier, settings)
        assert load_model(home / "model")[1] == settings
        assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []

    def test_a_file_that_fails_leaves_nothing(self, tmp_path):
        with (
            pytest.raises(OSError, match="the disk is full"),
            draft_file(tmp_path / "out.vtt") as draft,
        ):
            draft.write_text("half")
            raise OSError("the disk is full")
        assert list(tmp_path.iterdir()) == []

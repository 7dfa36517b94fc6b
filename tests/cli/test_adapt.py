"""`adapt`: the same as the library's own verb, and what it says of labels."""

import json

import numpy as np
import pytest

import stf2m_sk
from stf2m_sk.recordings import cut, read_annotations, read_csv

ADAPT = "adapt model new/dan.csv -o dan --labels"


@pytest.fixture
def dan(home):
    return read_csv(home / "new" / "dan.csv", time="time", person="dan")


class TestWhatIsWritten:
    def test_is_adapt_with_both_kinds_of_clips(self, home, run, dan):
        run(f"{ADAPT} few.csv")
        model = stf2m_sk.load(home / "model" / "classifier.safetensors")
        few = cut(dan, read_annotations(home / "few.csv"), window=10)
        whole = cut(dan, label=None, window=10)
        expected = model.adapt(few.views, few.target, unlabelled=whole.views)
        found = stf2m_sk.load(home / "dan" / "classifier.safetensors")
        np.testing.assert_array_equal(
            found.predict_proba(whole.views), expected.predict_proba(whole.views)
        )
        assert not np.array_equal(
            found.predict_proba(whole.views), model.predict_proba(whole.views)
        )

    def test_settings_tell_of_the_person(self, home, run, dan):
        run(f"{ADAPT} few.csv")
        model, person = (
            json.loads((home / name / "settings.json").read_text()) for name in ("model", "dan")
        )
        assert person.pop("adapted") == {
            "person": "dan",
            "labelled": {"calm": 2, "joy": 2, "rage": 2},
            "unlabelled": 24,
        }
        assert model.pop("adapted") is None
        assert person == model

    def test_trim_is_that_of_training_unless_given(self, home, run, refused):
        run("train recordings labels.csv --window 10 --trim 8 --networks 0 -o model")
        message = refused(f"{ADAPT} few.csv")
        assert message.startswith("few.csv: no clip of 10 s is left")
        assert message.endswith(
            "With --trim 8, as in training unless it is given, a stretch needs 26 s"
        )
        assert "6 clips of 10 s" in run(f"{ADAPT} few.csv --trim 0").out


class TestWhatIsSaid:
    def test_counts(self, run):
        said = run(f"{ADAPT} few.csv")
        assert said.out.splitlines() == [
            "dan.csv: 240.0 s of eda, pulse",
            "6 clips of 10 s, 1 person",
            "  calm      2",
            "  joy       2",
            "  rage      2",
            "  left out: 18 not annotated",
            "24 unlabelled clips",
            "written: dan",
        ]
        assert said.err == ""

    def test_emotions_without_a_label(self, home, run):
        lines = (home / "few.csv").read_text().splitlines(keepends=True)
        kept = lines[1].strip().rpartition(",")[2]
        (home / "few.csv").write_text("".join(lines[:2]))
        missing = ", ".join(sorted({"calm", "joy", "rage"} - {kept}))
        assert f"warning: no label of {missing}: " in run(f"{ADAPT} few.csv").err

    def test_new_emotion(self, home, run, table):
        table(home / "few.csv", ["start", "end", "label"], [(0, 20, "rage!"), (20, 40, "joy")])
        assert "labels that are new to this classifier: 'rage!' (nearest: 'rage')" in (
            run(f"{ADAPT} few.csv").err
        )


class TestRefusals:
    def test_model_that_knows_a_person(self, run, refused):
        run(f"{ADAPT} few.csv")
        assert refused("adapt dan new/dan.csv --labels few.csv -o dan2") == (
            "dan: knows dan already; adapt the model that `train` wrote, with all labels in one "
            "table"
        )

    def test_labels_of_somebody_else(self, refused):
        message = refused(f"{ADAPT} labels.csv")
        assert message.startswith("labels.csv: no annotation is of a given recording")

    def test_no_recording(self, refused):
        message = refused("adapt model new/eve.csv --labels few.csv -o eve")
        assert message == "new/eve.csv: there is no such file or folder"

    def test_labels_are_required(self, refused):
        message = refused("adapt model new/dan.csv -o dan")
        assert message == "the following arguments are required: --labels"

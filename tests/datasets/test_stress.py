"""The bundled recording: whole, true to the original, documented, and small enough to ship."""

import importlib.util
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from stf2m_sk.datasets import load_stress
from stf2m_sk.views import Views

DATA = files("stf2m_sk.datasets") / "data"
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_stress_sample.py"

# Read off the full recording in float64: mean, standard deviation, lowest and highest value, and
# the last value of clips 0, 700 and 1374; then the rounding error that the description states.
ORIGINAL = {
    "acc": (-0.10114877, 0.63859489, -3.2699387, 2.9999807, -0.09002106, -0.07003815, 0.7599722),
    "eda": (1.74542154, 2.12290849, 0.0, 9.146924, 0.0830394, 1.9589897, 0.32600215),
    "temp": (31.9071211, 1.59252202, 25.100094, 35.799904, 30.600048, 31.199932, 32.399944),
    "spo2": (95.9269046, 1.72071554, 80.00021, 100.0, 96.0, 95.0, 97.99994),
    "hr": (77.0329494, 15.1898534, 48.000183, 134.0, 79.00009, 74.00017, 68.00037),
}
ROUNDING = {"acc": 0.00008, "eda": 0.00012, "temp": 0.00014, "spo2": 0.0003, "hr": 0.0012}
STEPS_PER_UNIT = {"acc": 1000, "eda": 1000, "temp": 10, "spo2": 1, "hr": 1}


@pytest.fixture(scope="module")
def stress():
    return load_stress()


class TestLoadStress:
    def test_modalities(self, stress):
        assert isinstance(stress.views, Views)
        assert stress.views.dtype == np.float32
        assert stress.views.schema.to_dict() == {
            "acc": _modality(3, 240, 8.0, ["ax", "ay", "az"]),
            "eda": _modality(1, 240, 8.0, ["EDA"]),
            "temp": _modality(1, 240, 8.0, ["temp"]),
            "spo2": _modality(1, 30, 1.0, ["SpO2"]),
            "hr": _modality(1, 30, 1.0, ["hr"]),
        }
        assert all(stress.views.measured(name).all() for name in stress.views.names)

    def test_labels_and_people(self, stress):
        labels, counts = np.unique(stress.target, return_counts=True)
        assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == {
            "cognitive_stress": 219,
            "emotional_stress": 236,
            "physical_stress": 200,
            "relax": 720,
        }
        np.testing.assert_array_equal(stress.target_names, labels)
        np.testing.assert_array_equal(np.unique(stress.groups), [f"S{i:02d}" for i in range(1, 21)])
        assert len(stress.views) == len(stress.target) == len(stress.groups) == 1375
        assert stress.target.dtype.kind == stress.groups.dtype.kind == "U"
        assert len(set(zip(stress.groups, stress.target, strict=True))) == 20 * 4

    def test_recording_order(self, stress):
        people, first = np.unique(stress.groups, return_index=True)
        np.testing.assert_array_equal(np.argsort(first), np.arange(20))
        for person in people:
            mine = stress.groups == person
            assert np.ptp(np.flatnonzero(mine)) == mine.sum() - 1
            assert (np.diff(stress.segment[mine]) >= 0).all()
        pairs = set(zip(stress.groups, stress.segment.tolist(), strict=True))
        labelled = set(zip(stress.groups, stress.segment.tolist(), stress.target, strict=True))
        assert len(pairs) == len(labelled)
        assert set(stress.segment.tolist()) == {0, 1, 2, 4, 5, 6, 7}

    @pytest.mark.parametrize("name", ORIGINAL)
    def test_values_are_those_of_the_original(self, stress, name):
        values = stress.views[name].astype(np.float64)
        summary = [values.mean(), values.std(), values.min(), values.max()]
        last = values[[0, 700, 1374], -1, -1]
        # 1e-7 for the decimals to which the reference is written down.
        np.testing.assert_allclose(
            [*summary, *last], ORIGINAL[name], rtol=1e-7, atol=ROUNDING[name]
        )

    @pytest.mark.parametrize("name", ORIGINAL)
    def test_values_are_the_floats_nearest_to_whole_steps(self, stress, name):
        per_unit = STEPS_PER_UNIT[name]
        steps = np.rint(stress.views[name].astype(np.float64) * per_unit)
        np.testing.assert_array_equal(stress.views[name], (steps / per_unit).astype(np.float32))

    def test_return_X_y(self, stress):
        X, y = load_stress(return_X_y=True)
        assert X.equals(stress.views)
        np.testing.assert_array_equal(y, stress.target)

    def test_keyword_only(self):
        with pytest.raises(TypeError, match="positional"):
            load_stress(True)

    def test_the_signals_belong_to_the_labels(self, stress):
        """A linear model on means and deviations, on people it has not seen."""
        features = np.concatenate(
            [
                statistic(stress.views[name], axis=2)
                for name in stress.views.names
                for statistic in (np.mean, np.std)
            ],
            axis=1,
        )
        model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(priors=[0.25] * 4))
        scores = cross_val_score(
            model,
            features,
            stress.target,
            groups=stress.groups,
            cv=GroupKFold(5),
            scoring="balanced_accuracy",
        )
        assert scores.mean() > 0.5


class TestWhatIsShipped:
    def test_small(self):
        assert sum(len(file.read_bytes()) for file in DATA.iterdir()) < 1_000_000

    def test_plain_arrays(self):
        with (DATA / "noneeg_stress.npz").open("rb") as file:
            arrays = dict(np.load(file, allow_pickle=False))
        assert {arrays[name].dtype for name in ORIGINAL} == {np.dtype(np.int16)}

    @pytest.mark.parametrize(
        "words",
        [
            "https://physionet.org/content/noneeg/1.0.0/",
            "https://opendatacommons.org/licenses/by/1-0/",
            "10.1109/SiPS.2016.27",
            "Goldberger",
            "a person\nshould confirm it before a release",
            "The phases came in the same order for everyone",
            "acc 0.00008 g, eda 0.00012 microsiemens",
        ],
    )
    def test_description(self, stress, words):
        assert words in stress.DESCR

    def test_full_licence(self):
        text = (DATA / "LICENSE-ODC-By-1.0.txt").read_text(encoding="utf-8")
        assert "ODC Attribution License (ODC-By)" in text
        for section in range(1, 11):
            assert f"\n   {section}.0 " in text


@pytest.mark.skipif(not SCRIPT.exists(), reason="benchmarks/ is not in a source distribution")
class TestMakeStressSample:
    @pytest.fixture
    def script(self):
        spec = importlib.util.spec_from_file_location("make_stress_sample", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @pytest.fixture
    def recording(self, tmp_path):
        rng = np.random.default_rng(0)
        steps = rng.integers(0, 3000, size=(2, 1, 5))
        # What the file format left of the values: a tenth of a step off at most.
        eda = (steps + rng.uniform(-0.1, 0.1, size=steps.shape)) / 1000
        path = tmp_path / "full.npz"
        others = {"y": ["a", "b"], "groups": ["p", "p"], "segment": [0, 1]}
        np.savez(path, eda=eda.astype(np.float32), **others)
        description = {"modalities": {"eda": {"sampling_rate_hz": 8, "channels": ["EDA"]}}}
        path.with_suffix(".json").write_text(json.dumps(description))
        return path, steps

    def test_steps_are_found_again(self, script, recording, tmp_path):
        path, steps = recording
        script.make_sample(path, tmp_path / "sample.npz")
        sample = np.load(tmp_path / "sample.npz", allow_pickle=False)
        np.testing.assert_array_equal(sample["eda"], steps)
        assert sample["eda"].dtype == np.int16
        assert (sample["steps_per_unit_eda"], sample["rate_eda"]) == (1000, 8.0)
        assert sample["channels_eda"].tolist() == ["EDA"]
        assert sample["segment"].tolist() == [0, 1]

    def test_same_bytes(self, script, recording, tmp_path):
        path, _ = recording
        for name in ("one.npz", "two.npz"):
            script.make_sample(path, tmp_path / name)
        assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (0.0004, "eda: values are up to 0.4.* steps off the grid of whole steps"),
            (np.nan, "eda: values are up to nan steps off the grid of whole steps"),
            (40.0, "eda: a value does not fit into 16 bits"),
        ],
    )
    def test_refuses_what_the_integers_cannot_hold(self, script, value, message):
        with pytest.raises(ValueError, match=message):
            script.to_steps("eda", np.array([[[0.0, value]]]))


def _modality(n_channels, n_timesteps, rate, channel_names):
    return {
        "n_channels": n_channels,
        "n_timesteps": n_timesteps,
        "rate": rate,
        "channel_names": channel_names,
    }

from datetime import UTC, datetime

import numpy as np
import pytest

from stf2m_sk.recordings._mne import from_mne

mne = pytest.importorskip("mne", reason="mne is not installed")
BEGUN = datetime(2022, 7, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(4, 500))


@pytest.fixture
def raw(data):
    info = mne.create_info(["C3", "EDA", "C4", "up"], 50.0, ["eeg", "gsr", "eeg", "eog"])
    return mne.io.RawArray(data, info, first_samp=100, verbose="error")


def test_channels_of_one_type_are_one_signal(raw, data):
    recording = from_mne(raw, person="P1", name="visit")
    assert (recording.person, recording.name, recording.annotations) == ("P1", "visit", None)
    assert {name: signal.channels for name, signal in recording.signals.items()} == {
        "eeg": ("C3", "C4"),
        "gsr": ("EDA",),
        "eog": ("up",),
    }
    assert [signal.unit for signal in recording.signals.values()] == ["V", "S", "V"]
    np.testing.assert_array_equal(recording["eeg"].values[..., 10:20], data[[0, 2], 10:20])
    np.testing.assert_array_equal(recording["gsr"].read(490, 500), data[[1], 490:])
    assert recording["eeg"].values[..., 30:20].shape == (2, 0)
    assert recording["eeg"].rate == 50


@pytest.mark.parametrize("begun", [None, BEGUN])
def test_times_of_signals_and_annotations_are_on_one_clock(raw, data, begun):
    raw.set_meas_date(begun)
    raw.set_annotations(mne.Annotations([2.0, 5.0], [1.0, 0.5], ["calm", "joy"]))  # of the data
    recording = from_mne(raw)
    origin = begun.timestamp() if begun else 0
    assert recording["eeg"].start == pytest.approx(origin + 2)  # 100 samples at 50 Hz
    table = recording.annotations
    assert table["label"].tolist() == ["calm", "joy"]
    np.testing.assert_allclose(table["start"] - recording["eeg"].start, [2, 5])
    np.testing.assert_allclose(table["end"] - table["start"], [1, 0.5])
    part = recording["eeg"].slice(table["start"][0], table["end"][0])
    np.testing.assert_array_equal(part.values[..., :], data[[0, 2], 100:150])


def test_values_of_a_file_stay_there(raw, tmp_path):
    path = tmp_path / "a_raw.fif"
    raw.save(path, verbose="error")
    stored = mne.io.read_raw_fif(path, verbose="error")
    eeg = from_mne(stored)["eeg"]
    expected = raw.get_data(picks=["C3", "C4"])[:, 7:17]
    np.testing.assert_allclose(eeg.values[..., 7:17], expected, rtol=1e-6)
    assert not stored.preload


@pytest.mark.parametrize("key", [(0, slice(0, 3)), (..., slice(0, 8, 2))])
def test_values_are_read_in_slices_of_time(raw, key):
    with pytest.raises(TypeError, match=r"read as values\[\.\.\., first:last\]"):
        from_mne(raw)["eeg"].values[key]


def test_epochs_are_refused(raw):
    epochs = mne.make_fixed_length_epochs(raw, 1.0, verbose="error")
    with pytest.raises(TypeError, match="must be a Raw of MNE-Python, got Epochs without"):
        from_mne(epochs)

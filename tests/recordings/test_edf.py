import pickle
from datetime import datetime

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._edf import read_edf

pyedflib = pytest.importorskip("pyedflib", reason="extra [physio] is not installed")
BEGUN = datetime(2022, 7, 1, 12, 0, 30)


def header(label, rate, unit):
    return {
        "label": label,
        "dimension": unit,
        "sample_frequency": rate,
        "physical_min": -100,
        "physical_max": 100,
        "digital_min": -32768,
        "digital_max": 32767,
        "transducer": "",
        "prefilter": "",
    }


@pytest.fixture
def values():
    """Ten seconds of two channels at 64 Hz and one at 4 Hz."""
    rng = np.random.default_rng(0)
    return [rng.uniform(-99, 99, 640), rng.uniform(-99, 99, 640), rng.uniform(0, 20, 40)]


@pytest.fixture
def write(tmp_path, values):
    def write(name="night.edf", kind=pyedflib.FILETYPE_EDFPLUS, annotations=(), signals=3):
        path = tmp_path / name
        with pyedflib.EdfWriter(str(path), signals, kind) as file:
            headers = [header("C3", 64, "uV"), header("C4", 64, "uV"), header("EDA", 4, "uS")]
            file.setSignalHeaders(headers[:signals])
            file.setStartdatetime(BEGUN)
            for onset, duration, text in annotations:
                file.writeAnnotation(onset, duration, text)
            file.writeSamples(values[:signals])
        return path

    return write


@pytest.mark.parametrize(
    ("name", "kind", "step"),
    [
        ("a.edf", pyedflib.FILETYPE_EDF, 200 / 65535),
        ("b.edf", pyedflib.FILETYPE_EDFPLUS, 200 / 65535),
        ("c.bdf", pyedflib.FILETYPE_BDFPLUS, 200 / 65535),
    ],
)
def test_each_channel_keeps_its_rate_and_unit(write, values, name, kind, step):
    recording = read_edf(write(name, kind), person="P1")
    assert (recording.name, recording.person) == (name[0], "P1")
    for (label, signal), expected in zip(recording.signals.items(), values, strict=True):
        rate, unit = (4, "uS") if label == "EDA" else (64, "uV")
        assert (signal.rate, signal.unit, signal.start) == (rate, unit, 0)
        assert signal.channels == (label,)
        np.testing.assert_allclose(signal.values[..., :], expected[None], rtol=0, atol=step)


def test_channels_are_grouped_and_read_in_slices(write):
    path = write()
    eeg = read_edf(path, signals={"eeg": ["C4", "C3"]})["eeg"]
    with pyedflib.EdfReader(str(path)) as file:
        expected = np.stack([file.readSignal(1), file.readSignal(0)])
    np.testing.assert_array_equal(eeg.values[..., 100:200], expected[:, 100:200])
    np.testing.assert_array_equal(eeg.slice(2, 3).values[..., :], expected[:, 128:192])
    assert eeg.channels == ("C4", "C3")
    assert pickle.loads(pickle.dumps(eeg.values))[..., 7:8] == pytest.approx(expected[:, 7:8])


def test_annotations_with_text_are_kept(write):
    path = write(annotations=[(1, 2.5, "calm"), (4, -1, "start of film")])
    table = read_edf(path).annotations
    assert table.to_dict("list") == {
        "start": [1, 4],
        "end": [3.5, 4],
        "label": ["calm", "start of film"],
    }
    assert read_edf(write("b.edf")).annotations is None


def test_times_are_those_of_the_clock_where_the_zone_is_given(write):
    recording = read_edf(write(annotations=[(1, 2, "calm")]), tz="UTC")
    since_1970 = (BEGUN - datetime(1970, 1, 1)).total_seconds()
    assert recording["EDA"].start == since_1970
    assert recording.annotations["start"].tolist() == [since_1970 + 1]
    with pytest.raises(ValueError, match="no time zone"):
        read_edf(write(), tz="nowhere")


def test_files_cut_short_or_changed_are_refused(write):
    path = write()
    recording = read_edf(path)
    content = path.read_bytes()
    for size in (0, 10, 300, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(RecordingError, match=r"night\.edf"):
            read_edf(path)
        with pytest.raises(RecordingError, match=r"night\.edf"):
            recording["C3"].values[..., 600:]


def test_labels_that_are_not_there_are_named(write):
    with pytest.raises(RecordingError, match=r"night\.edf: expected one channel named 'Cz'"):
        read_edf(write(), signals={"eeg": ["Cz"]})


def test_mne_reads_the_same(write):
    mne = pytest.importorskip("mne", reason="mne is the reference of this test")
    path = write(signals=2)
    raw = mne.io.read_raw_edf(path, verbose="error")
    ours = read_edf(path, signals={"eeg": ["C3", "C4"]})["eeg"]
    np.testing.assert_allclose(ours.values[..., :] * 1e-6, raw.get_data(), rtol=0, atol=1e-12)

import pickle
from datetime import datetime

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._wfdb import read_wfdb

wfdb = pytest.importorskip("wfdb", reason="extra [physio] is not installed")
BEGUN = datetime(2022, 7, 1, 12, 0, 30)


@pytest.fixture
def values():
    """Ten seconds of frames at 4 Hz, with 16 samples of ECG and one of EDA in each."""
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, 640), rng.uniform(-1, 1, 640), rng.uniform(0, 20, 40)]


@pytest.fixture
def write(tmp_path, values):
    def write(name="rec", dated=True):
        values[2][5] = np.nan
        record = wfdb.Record(
            record_name=name,
            n_sig=3,
            fs=4,
            counter_freq=None,
            base_counter=None,
            sig_len=40,
            base_time=BEGUN.time() if dated else None,
            base_date=BEGUN.date() if dated else None,
            file_name=[f"{name}.dat"] * 3,
            fmt=["16", "16", "16"],
            samps_per_frame=[16, 16, 1],
            skew=[None] * 3,
            byte_offset=[None] * 3,
            adc_gain=[30_000.0, 30_000.0, 1_000.0],
            baseline=[0, 0, 0],
            units=["mV", "mV", "uS"],
            adc_res=[16] * 3,
            adc_zero=[0] * 3,
            init_value=[0] * 3,
            checksum=[0] * 3,
            block_size=[0] * 3,
            sig_name=["I", "II", "EDA"],
            comments=[],
        )
        record.e_p_signal = values
        record.e_d_signal = record.adc(expanded=True)
        record.wrsamp(expanded=True, write_dir=str(tmp_path))
        return tmp_path / name

    return write


def test_each_channel_keeps_its_rate_and_unit(write, values):
    recording = read_wfdb(write(), person="P1")
    assert (recording.name, recording.person, recording.annotations) == ("rec", "P1", None)
    expected = {"I": (64, "mV"), "II": (64, "mV"), "EDA": (4, "uS")}
    for (name, signal), truth in zip(recording.signals.items(), values, strict=True):
        assert (signal.rate, signal.unit, signal.start) == (*expected[name], 0)
        np.testing.assert_allclose(signal.values[..., :], truth[None], rtol=0, atol=6e-4)
    assert np.flatnonzero(np.isnan(recording["EDA"].values[..., :])).tolist() == [5]


def test_channels_are_grouped_and_read_in_slices(write, values):
    path = write()
    ecg = read_wfdb(f"{path}.hea", signals={"ecg": ["II", "I"]})["ecg"]
    whole = wfdb.rdrecord(str(path), smooth_frames=False).e_p_signal
    for first, last in [(0, 1), (17, 31), (15, 17), (639, 640), (0, 640)]:
        np.testing.assert_array_equal(
            ecg.values[..., first:last], [whole[1][first:last], whole[0][first:last]]
        )
    sent = pickle.loads(pickle.dumps(ecg.values))
    np.testing.assert_array_equal(sent[..., 3:9], ecg.values[..., 3:9])


def test_times_are_those_of_the_clock_where_the_zone_is_given(write):
    since_1970 = (BEGUN - datetime(1970, 1, 1)).total_seconds()
    assert read_wfdb(write(), tz="UTC")["EDA"].start == since_1970
    with pytest.raises(ValueError, match="does not say when it was recorded"):
        read_wfdb(write("undated", dated=False), tz="UTC")


def test_headers_and_data_that_are_damaged_are_refused(write):
    path = write()
    header, data = path.with_suffix(".hea"), path.with_suffix(".dat")
    whole, samples = header.read_text(), data.read_bytes()
    for size in (0, 10, len(samples) // 2, len(samples) - 2):
        data.write_bytes(samples[:size])
        with pytest.raises(RecordingError, match=r"rec\.hea"):
            read_wfdb(path)
    data.unlink()
    with pytest.raises(RecordingError, match=r"rec\.hea: cannot be read"):
        read_wfdb(path)
    data.write_bytes(samples)
    for damaged in ("", "rec\n", "hello\n", whole.replace("rec 3 4", "rec 3 -4"), whole[:40]):
        header.write_text(damaged)
        with pytest.raises(RecordingError, match=r"rec\.hea"):
            read_wfdb(path)
    with pytest.raises(RecordingError, match=r"none\.hea: there is no such file"):
        read_wfdb(path.with_name("none"))


def test_records_of_several_segments_are_refused(tmp_path):
    (tmp_path / "multi.hea").write_text("multi/2 1 4 80\na 40\nb 40\n")
    with pytest.raises(RecordingError, match=r"multi\.hea: records of several segments"):
        read_wfdb(tmp_path / "multi")

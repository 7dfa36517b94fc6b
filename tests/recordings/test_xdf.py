import gzip
import struct
import warnings

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._xdf import read_xdf

pytest.importorskip("pyxdf", reason="extra [physio] is not installed")
FORMATS = {"float32": "<f4", "int16": "<i2", "double64": "<f8"}


def chunk(tag, content):
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


def stream(
    number, name, rate, times, values, kind="float32", offset=0.0, labels=(), footer=True, unit=""
):
    """The chunks of one stream, written by hand after the specification of XDF."""
    channels = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit></channel>" for label in labels
    )
    n_channels = len(values[0]) if len(values) else 1
    xml = (
        f"<info><name>{name}</name><type>x</type><channel_count>{n_channels}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{kind}</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    place = struct.pack("<I", number)
    chunks = [chunk(2, place + xml.encode())]
    for time in (0.0, 5.0, 10.0) if offset else ():
        chunks.append(chunk(4, place + struct.pack("<dd", time, offset)))
    for first in range(0, len(times), 50):
        rows = range(first, min(first + 50, len(times)))
        samples = b"".join(
            b"\x08" + struct.pack("<d", times[row]) + packed(values[row], kind) for row in rows
        )
        chunks.append(chunk(3, place + b"\x04" + struct.pack("<I", len(rows)) + samples))
    if footer:
        xml = f"<info><sample_count>{len(times)}</sample_count></info>"
        chunks.append(chunk(6, place + xml.encode()))
    return chunks


def packed(sample, kind):
    if kind != "string":
        return np.asarray(sample, dtype=FORMATS[kind]).tobytes()
    texts = [text.encode() for text in sample]
    return b"".join(b"\x01" + bytes([len(text)]) + text for text in texts)


@pytest.fixture
def write(tmp_path):
    def write(*streams, name="lab.xdf"):
        path = tmp_path / name
        content = b"XDF:" + chunk(1, b"<info><version>1.0</version></info>")
        content += b"".join(part for chunks in streams for part in chunks)
        path.write_bytes(gzip.compress(content) if name.endswith(("z", "gz")) else content)
        return path

    return write


EEG = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
EDA = np.arange(40)[:, None]
TIMES = 100 + np.arange(400) / 40


def eeg(**how):
    return stream(1, "eeg", 40, TIMES, EEG, labels=("C3", "C4"), unit="uV", **how)


def eda(**how):
    return stream(2, "eda", 4, 100.5 + np.arange(40) / 4, EDA, "int16", **how)


MARKERS = stream(3, "task", 0, [102.0, 105.0], [["calm"], ["stress"]], "string")


@pytest.mark.parametrize("name", ["lab.xdf", "lab.xdfz", "lab.xdf.gz"])
def test_streams_with_a_rate_are_signals_on_one_clock(write, name):
    recording = read_xdf(write(eeg(), eda(), name=name), person="P1")
    assert (recording.name, recording.person, recording.annotations) == ("lab", "P1", None)
    first, second = recording["eeg"], recording["eda"]
    assert (first.rate, first.start, first.unit, first.channels) == (40, 0, "uV", ("C3", "C4"))
    assert (second.rate, second.start, second.channels) == (4, pytest.approx(0.5), ())
    np.testing.assert_array_equal(first.values, EEG.T)
    np.testing.assert_array_equal(second.values, EDA.T)


def test_offsets_between_clocks_are_taken_out(write):
    # The clock of the second device is 20 s behind that of the recorder.
    late = stream(2, "eda", 4, 80.5 + np.arange(40) / 4, EDA, "int16", offset=20.0)
    recording = read_xdf(write(eeg(), late))
    assert recording["eda"].start == pytest.approx(0.5, abs=1e-6)


def test_a_stream_that_paused_has_a_gap(write):
    # A gap that pyxdf takes for one: more than a second, and more than 500 samples.
    times = np.concatenate([np.arange(400), np.arange(1000, 1400)]) / 40
    values = np.arange(800)[:, None]
    signal = read_xdf(write(stream(1, "eeg", 40, times, values, "double64")))["eeg"]
    expected = np.full(1400, np.nan)
    expected[:400], expected[1000:] = np.arange(400), np.arange(400, 800)
    np.testing.assert_array_equal(signal.values, expected[None])


def test_streams_without_a_rate_are_left_out_by_name(write):
    with pytest.warns(
        RecordingWarning, match=r"lab\.xdf: left out are the streams task,.*markers="
    ):
        recording = read_xdf(write(eeg(), MARKERS))
    assert list(recording.signals) == ["eeg"]


def test_markers_last_up_to_the_next_on_request(write):
    table = read_xdf(write(eeg(), MARKERS), markers="task").annotations
    assert table["label"].tolist() == ["calm", "stress"]
    np.testing.assert_allclose(table[["start", "end"]], [[2, 5], [5, 10]], atol=1e-6)
    with pytest.raises(RecordingError, match="one stream of text named 'eeg'; streams are 'eeg'"):
        read_xdf(write(eeg(), MARKERS), markers="eeg")


def test_a_rate_that_is_not_as_promised_is_told(write):
    slow = stream(1, "eeg", 40, 100 + np.arange(400) / 38, EEG)
    with pytest.warns(RecordingWarning, match="'eeg' promises 40 Hz and has 38 Hz, which is used"):
        assert read_xdf(write(slow))["eeg"].rate == pytest.approx(38)


def test_a_recording_that_was_not_closed_is_told(write):
    with pytest.warns(RecordingWarning, match="stream 'eeg' has no footer: .* was not closed"):
        read_xdf(write(eeg(footer=False)))


def test_streams_of_one_name_are_numbered(write):
    recording = read_xdf(write(eeg(), stream(2, "eeg", 40, TIMES, EEG)))
    assert list(recording.signals) == ["eeg", "eeg 2"]


def test_files_cut_short_are_refused_or_told_wherever_the_cut_is(write):
    path = write(eeg(), eda())
    content = path.read_bytes()
    told = []
    for size in [0, 3, *range(4, len(content), 97), len(content) - 1]:
        path.write_bytes(content[:size])
        with warnings.catch_warnings():
            warnings.simplefilter("error", RecordingWarning)
            with pytest.raises((RecordingError, RecordingWarning), match=r"lab\.xdf") as caught:
                read_xdf(path)
        told.append(caught.type)
    assert told.count(RecordingError) > 80


def test_chunks_that_pyxdf_would_skip_are_an_error(write):
    path = write(eeg())
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<IH", 2 + 4 + 5 + 50 * 17, 3)) + 10
    content[place] = 3  # the width of a number can be 1, 4 or 8
    path.write_bytes(bytes(content))
    with pytest.raises(RecordingError, match=r"lab\.xdf: .*corrupt"):
        read_xdf(path)


def test_a_footer_that_counts_more_samples_is_an_error(write):
    chunks = eeg()
    del chunks[3]
    with pytest.raises(RecordingError, match="'eeg' holds 350 samples, its footer promises 400"):
        read_xdf(write(chunks))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "expected an XDF file, which begins with 'XDF:'"),
        (b"XDF:", "no stream has a constant rate"),
        (b"XDF:\x05abc", "has no chunk at byte 4"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, message):
    path = tmp_path / "a.xdf"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        read_xdf(path)

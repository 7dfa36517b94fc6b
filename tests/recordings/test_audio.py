import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError
from stf2m_sk.recordings._audio import read_wav

soundfile = pytest.importorskip("soundfile", reason="extra [audio] is not installed")
REAL = Path(__file__).parents[2].parent / "shared/data/raw/ravdess_speech_wav"
KINDS = [
    ("a.wav", {}),
    ("b.wav", {"subtype": "FLOAT"}),
    ("c.wav", {"subtype": "PCM_24"}),
    ("a.flac", {}),
    ("a.aiff", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ("a.mp3", {}),
]


@pytest.fixture(scope="module")
def sound():
    """Two channels of noise, of a length that is no multiple of a block."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, (50_001, 2))


@pytest.fixture
def write(tmp_path, sound):
    def write(name, **how):
        path = tmp_path / name
        soundfile.write(path, sound, 16_000, **how)
        return path

    return write


@pytest.mark.parametrize(("name", "how"), KINDS, ids=[name for name, _ in KINDS])
def test_slices_equal_the_file_read_at_once(write, name, how):
    path = write(name, **how)
    whole = soundfile.read(path, dtype="float32")[0].T
    audio = read_wav(path, person="P1")["audio"]
    assert (audio.rate, audio.start, audio.values.shape) == (16_000, 0, whole.shape)
    assert audio.values.dtype == np.float32
    # MP3 is decoded to within a rounding.
    np.testing.assert_allclose(audio.values[..., :], whole, rtol=0, atol=1e-6)
    for first, last in [(0, 1), (1, 20_000), (33_333, 33_334), (49_990, 50_001), (40_000, 45_000)]:
        np.testing.assert_allclose(
            audio.values[..., first:last], whole[:, first:last], rtol=0, atol=1e-6
        )


def test_values_lie_in_their_range_and_keep_their_scale(write, sound):
    values = read_wav(write("a.wav"))["audio"].values[..., :]
    np.testing.assert_allclose(values, sound.T, rtol=0, atol=2**-15)


def test_name_and_person(write):
    recording = read_wav(write("a.wav"), person="P1")
    assert (recording.name, recording.person, list(recording.signals)) == ("a", "P1", ["audio"])


def test_values_stay_in_the_file_and_can_be_sent_to_other_processes(write):
    path = write("a.wav")
    values = read_wav(path)["audio"].values
    sent = pickle.dumps(values)
    assert len(sent) < 1000
    np.testing.assert_array_equal(pickle.loads(sent)[..., 5:9], values[..., 5:9])


def test_a_file_that_changed_since_is_refused(write, sound):
    path = write("a.wav")
    values = read_wav(path)["audio"].values
    soundfile.write(path, sound[:100], 16_000)
    with pytest.raises(RecordingError, match=r"a\.wav: expected 10 samples of 2 channels"):
        values[..., 95:105]
    path.unlink()
    with pytest.raises(RecordingError, match=r"a\.wav: cannot be read"):
        values[..., 95:105]


def test_no_file_stays_open(write):
    path = write("a.wav")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        values = read_wav(path)["audio"].values
        values[..., :10]
    assert not list(open_files(path))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_files_cut_short_are_refused(write, name):
    path = write(name)
    content = path.read_bytes()
    for share in (0.001, 0.3, 0.7, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(RecordingError, match=name):
            read_wav(path)["audio"].values[..., :]


def test_what_is_no_sound_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("hello, this is text")
    with pytest.raises(RecordingError, match=r"a\.wav: cannot be read"):
        read_wav(path)
    soundfile.write(path, np.zeros((0, 1)), 8000)
    with pytest.raises(RecordingError, match=r"a\.wav: holds no samples"):
        read_wav(path)


@pytest.mark.skipif(not REAL.exists(), reason="the real utterances (../shared) are not here")
def test_real_utterances_are_read_as_soundfile_does():
    for path in sorted(REAL.glob("*.wav"))[::32]:
        expected, rate = soundfile.read(path, dtype="float32", always_2d=True)
        audio = read_wav(path)["audio"]
        assert audio.rate == rate
        np.testing.assert_array_equal(audio.values[..., :], expected.T)
        np.testing.assert_array_equal(
            audio.slice(1, 1.5).values[..., :], expected[rate : rate * 3 // 2].T
        )


def open_files(path):
    """Descriptors of this process that lead to a file."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("this system does not list open files")
    for descriptor in folder.iterdir():
        try:
            if descriptor.readlink() == path:
                yield descriptor
        except OSError:
            continue  # closed meanwhile

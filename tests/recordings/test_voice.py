from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import Signal
from stf2m_sk.recordings._voice import log_mel, prosody, voice

librosa = pytest.importorskip("librosa", reason="extra [audio] is not installed")
LAW = settings(max_examples=15, deadline=None)
SHARED = Path(__file__).parents[2].parent / "shared/data"
SPEECH = SHARED / "raw/ravdess_speech_wav"
WINDOW = 1024


def speech(seconds, rate=16_000, seed=0):
    """Harmonics that glide, with pauses and noise."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(150 + 60 * np.sin(2 * times)) / rate
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    loud = np.clip(np.sin(3 * times), 0, 1)
    return (0.1 * loud * tone + 0.002 * random.standard_normal(len(times))).astype(np.float32)


def librosa_mel(samples, rate=16_000, hop=400, n_mels=40):
    power = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=WINDOW, hop_length=hop, n_mels=n_mels, fmin=50, fmax=8000
    )
    return librosa.power_to_db(power, top_db=None)


class Lazy:
    """Values that note what was read at once."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.longest = 0

    def __getitem__(self, key):
        found = self.values[key]
        self.longest = max(self.longest, found.shape[-1])
        return found


def test_log_mel_of_a_long_recording_is_librosas_and_is_read_in_blocks():
    samples = speech(35.013)
    values = Lazy(samples[None])
    found = log_mel(Signal(values, rate=16_000, start=5.0))
    expected = librosa_mel(samples)
    assert found.values.shape == expected.shape
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert values.longest <= 12 * 16_000
    assert (found.rate, found.start, found.unit, len(found.channels)) == (40.0, 5.0, "dB", 40)


@pytest.mark.filterwarnings("ignore:n_fft=1024 is too large:UserWarning")  # librosa's reference
@LAW
@given(
    n=st.integers(1, 40_000),
    hop=st.sampled_from([160, 250, 400, 640, 2000]),
    n_mels=st.integers(8, 40),
)
def test_log_mel_is_librosas_for_any_length_and_rate(n, hop, n_mels):
    samples = speech(3)[:n]
    found = log_mel(Signal(samples[None], rate=16_000), n_mels=n_mels, rate=16_000 / hop)
    np.testing.assert_allclose(
        found.values, librosa_mel(samples, hop=hop, n_mels=n_mels), atol=1e-4
    )


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050])
def test_audio_of_another_rate_is_resampled_as_a_whole_would_be(rate):
    samples = speech(25, rate)
    found = log_mel(Signal(samples[None], rate=rate))
    resampled = librosa.resample(samples, orig_sr=rate, target_sr=16_000)
    np.testing.assert_allclose(found.values, librosa_mel(resampled), atol=1e-4)


def test_a_frame_rate_that_does_not_divide_16_khz_changes_the_sample_rate():
    samples = speech(4)
    found = log_mel(Signal(samples[None], rate=16_000), rate=30)
    resampled = librosa.resample(samples, orig_sr=16_000, target_sr=15_990)
    power = librosa.feature.melspectrogram(
        y=resampled, sr=15_990, n_fft=WINDOW, hop_length=533, n_mels=40, fmin=50, fmax=7995
    )
    assert found.rate == 30
    np.testing.assert_allclose(found.values, librosa.power_to_db(power, top_db=None), atol=1e-4)


def test_frames_are_centred_at_their_time():
    click = np.zeros(32_000, dtype=np.float32)
    click[12_000] = 1.0  # at 0.75 s: frame 30
    energy = prosody(Signal(click[None], rate=16_000)).values[1]
    assert energy.argmax() == 30


def test_channels_are_averaged_and_a_dead_one_is_left_out():
    left, right = speech(2, seed=1), speech(2, seed=2)
    both = log_mel(Signal(np.stack([left, right]), rate=16_000)).values
    np.testing.assert_allclose(both, librosa_mel((left + right) / 2), atol=1e-3)
    dead = np.full_like(left, np.nan)
    found = log_mel(Signal(np.stack([left, dead]), rate=16_000)).values
    np.testing.assert_array_equal(found, log_mel(Signal(left[None], rate=16_000)).values)


@LAW
@given(
    holes=st.lists(st.tuples(st.integers(0, 31_999), st.integers(1, 3000)), min_size=0, max_size=4),
    n=st.integers(20_000, 32_000),
)
def test_frames_are_nan_where_a_sample_they_see_is_not_recorded(holes, n):
    samples = speech(2)[:n]
    recorded = np.ones(n, dtype=bool)
    for first, length in holes:
        recorded[first : first + length] = False
    found = voice(Signal(np.where(recorded, samples, np.nan)[None], rate=16_000))
    padded = np.pad(~recorded, WINDOW // 2)
    sees_hole = [padded[i * 400 : i * 400 + WINDOW].any() for i in range(1 + n // 400)]
    filled = voice(Signal(np.where(recorded, samples, 0)[None], rate=16_000))
    for name, signal in found.items():
        np.testing.assert_array_equal(
            np.isnan(signal.values), np.tile(sees_hole, (signal.n_channels, 1))
        )
        kept = ~np.array(sees_hole)
        np.testing.assert_array_equal(signal.values[:, kept], filled[name].values[:, kept])


def test_holes_are_found_in_resampled_audio():
    samples = speech(3, 48_000)
    samples[48_000:96_000] = np.nan  # 1 s to 2 s; a frame sees 32 ms on each side
    missing = np.isnan(log_mel(Signal(samples[None], rate=48_000)).values).all(axis=0)
    assert np.flatnonzero(missing).tolist() == list(range(39, 82))


def test_bands_that_a_low_rate_cannot_hold_are_nan():
    found = log_mel(Signal(speech(1, 8000)[None], rate=8000))
    unknown = np.isnan(found.values).any(axis=1)
    tops = librosa.mel_frequencies(42, fmin=50, fmax=8000)[2:]
    assert unknown.tolist() == (tops > 4000).tolist()
    assert unknown.any() and not unknown.all()


def test_prosody_is_librosas():
    samples = speech(21)
    found = prosody(Signal(samples[None], rate=16_000))
    frame = {"frame_length": WINDOW, "hop_length": 400}
    magnitude = np.abs(librosa.stft(samples, n_fft=WINDOW, hop_length=400))
    expected = {
        "pitch": np.log2(librosa.yin(samples, fmin=60, fmax=600, sr=16_000, **frame) / 100),
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=16_000)[0] / 1000,
        "flatness": np.log(librosa.feature.spectral_flatness(S=magnitude)[0]),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found.values[found.channels.index(name)], values, atol=1e-4)


@pytest.mark.parametrize("hertz", [70, 100, 200, 400, 580])
def test_pitch_energy_and_crossings_of_a_tone(hertz):
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)
    found = prosody(Signal(tone[None], rate=16_000))
    pitch, energy, centroid, _, crossings, voicing = found.values[:, 5:-5]
    np.testing.assert_allclose(pitch, np.log2(hertz / 100), atol=0.02)  # YIN: 1 %
    np.testing.assert_allclose(energy, 10 * np.log10(0.5**2 / 2), atol=0.25)
    np.testing.assert_allclose(centroid, hertz / 1000, atol=0.02)
    np.testing.assert_allclose(crossings, 2 * hertz / 16_000, atol=0.002)
    assert voicing.min() > 0.95


def test_noise_and_silence_are_not_voiced():
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 16_000))
    silence = prosody(Signal(np.zeros((1, 16_000)), rate=16_000))
    voicing = prosody(Signal(noise, rate=16_000)).values[5]
    assert np.median(voicing) < 0.3
    assert not silence.values[5].any()
    assert np.isfinite(silence.values).all()
    np.testing.assert_allclose(silence.values[1], -100, rtol=1e-5)


def test_an_offset_of_the_microphone_is_no_voice():
    noise = 0.01 * np.random.default_rng(0).standard_normal((1, 16_000))
    assert np.median(prosody(Signal(noise + 0.3, rate=16_000)).values[5]) < 0.3


def test_voicing_is_a_correlation_with_the_next_period():
    samples = speech(1).astype(np.float64)
    found = prosody(Signal(samples[None], rate=16_000))
    for i in (12, 20, 30):
        frame = samples[i * 400 - 512 : i * 400 + 512]
        frame = frame - frame.mean()
        lag = round(16_000 / (100 * 2 ** float(found.values[0, i])))
        early, late = frame[:-lag], frame[lag:]
        expected = (early * late).sum() / np.sqrt((early**2).sum() * (late**2).sum())
        assert found.values[5, i] == pytest.approx(max(expected, 0), abs=1e-3)


@LAW
@given(gain=st.floats(0.05, 3.0))
def test_loudness_changes_energy_alone(gain):
    samples = speech(2)[None, 6000:16_000]  # no pause: its noise lies at the floor of 16 bits
    one = prosody(Signal(samples, rate=16_000)).values
    other = prosody(Signal(np.float32(gain) * samples, rate=16_000)).values
    np.testing.assert_allclose(other[1] - one[1], 20 * np.log10(gain), atol=1e-2)
    np.testing.assert_allclose(np.delete(other, 1, 0), np.delete(one, 1, 0), atol=1e-2)


def test_voice_is_both_in_one_pass():
    values = Lazy(speech(12)[None])
    found = voice(Signal(values, rate=16_000), n_mels=20, rate=20)
    alone = Signal(values.values, rate=16_000)
    np.testing.assert_array_equal(found["mel"].values, log_mel(alone, n_mels=20, rate=20).values)
    np.testing.assert_array_equal(found["prosody"].values, prosody(alone, rate=20).values)


def test_audio_without_samples_has_no_frames():
    assert log_mel(Signal(np.zeros((1, 0)), rate=16_000)).values.shape == (40, 0)


@pytest.mark.parametrize(
    ("signal", "settings_", "message"),
    [
        (Signal(np.zeros((1, 9), dtype=int), rate=16_000), {}, r"floats in \[-1, 1\].*int64"),
        (Signal(np.zeros((2, 2, 9)), rate=16_000), {}, r"shape \(2, 2, 9\)"),
        (Signal(np.zeros((1, 9)), rate=64), {}, "at least 2000 samples a second, given 64 Hz"),
        (Signal(np.zeros((1, 9)), rate=16_000), {"rate": 0}, "rate must be 1 to 1000.*given 0"),
        (Signal(np.zeros((1, 9)), rate=16_000), {"n_mels": 0}, "n_mels must be at least 1"),
        (
            Signal(np.where(np.arange(32_000) == 24_000, np.inf, 0)[None], rate=16_000, start=10),
            {},
            "infinite value at 11.500 s",
        ),
    ],
)
def test_what_is_no_audio_is_refused(signal, settings_, message):
    with pytest.raises(ValueError, match=message):
        voice(signal, **settings_)


def test_without_librosa_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "librosa", None)
    with pytest.raises(ImportError, match=r"stf2m_sk\[audio\]"):
        log_mel(Signal(np.zeros((1, 16_000)), rate=16_000))


@pytest.mark.skipif(not SPEECH.is_dir(), reason="../shared/data/raw/ravdess_speech_wav is absent")
def test_real_speech_gives_librosas_log_mel_and_nearly_that_of_the_data_set():
    soundfile = pytest.importorskip("soundfile")
    for path in sorted(SPEECH.glob("*.wav"))[::37]:
        samples, rate = soundfile.read(path, dtype="float32")
        found = log_mel(Signal(samples[None], rate=rate)).values
        np.testing.assert_allclose(found, librosa_mel(samples, rate), atol=1e-4)
    data = np.load(SHARED / "ravdess_speech.npz")
    samples, rate = soundfile.read(SPEECH / "03-01-06-01-02-01-05.wav", dtype="float32")
    same = (data["y"] == "fearful") & (data["intensity"] == "normal") & (data["groups"] == 5)
    row = np.flatnonzero(same & (data["statement"] == 2) & (data["repetition"] == 1))[0]
    trimmed = librosa.effects.trim(samples, top_db=35)[0]
    found, n = voice(Signal(trimmed[None], rate=rate)), data["length"][row]
    difference = found["mel"].values[:, :n] - data["mel"][row][:, :n]
    assert np.median(np.abs(difference)) < 0.05  # dB, of float16
    pitch = found["prosody"].values[0, :n] - data["prosody"][row][0, :n]
    assert np.median(np.abs(pitch)) < 1e-3

import math
import pickle
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stf2m_sk.recordings import RecordingError, RecordingWarning
from stf2m_sk.recordings._video import read_video

av = pytest.importorskip("av", reason="extra [video] is not installed")
REAL = Path(__file__).parents[2].parent / "shared/data/raw/video"
RATE = 25


def picture(number, size=(48, 64)):
    """Grey that gets lighter, with a white bar that moves right."""
    image = np.full((*size, 3), 16 + 3 * number % 200, dtype=np.uint8)
    image[:, number % size[1] : number % size[1] + 6] = 235
    return image


def write_video(path, pts=range(40), *, codec="libx264", sound=True, size=(48, 64)):
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=RATE)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 12
        track = file.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for number, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        for first in range(0, 16_000 if sound else 0, 1024):
            tone = np.sin(np.arange(first, first + 1024) / 9, dtype=np.float32)[None]
            block = av.AudioFrame.from_ndarray(tone / 2, format="fltp", layout="mono")
            block.sample_rate, block.pts = 16_000, first
            file.mux(track.encode(block))
        if sound:
            file.mux(track.encode(None))
    return path


def decoded(path):
    """Times, pictures and sound as PyAV decodes them from beginning to end."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        frames = [
            (frame.pts * stream.time_base, frame.to_ndarray(format="rgb24"))
            for frame in file.decode(stream)
        ]
    with av.open(str(path)) as file:
        sound = [block.to_ndarray() for block in file.decode(audio=0)] if file.streams.audio else []
    times = np.array([float(time) for time, _ in frames])
    return times, [image for _, image in frames], np.concatenate(sound, axis=1) if sound else None


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("b.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.mov", "libx265")],
)
def test_slices_and_times_equal_those_of_pyav(tmp_path, name, codec):
    path = write_video(tmp_path / name, codec=codec)
    times, pictures, sound = decoded(path)
    recording = read_video(path, person="P1")
    video, audio = recording["video"], recording["audio"]
    assert (recording.name, recording.person) == (path.stem, "P1")
    np.testing.assert_array_equal(video.values.times, times)
    assert (video.rate, video.start) == (RATE, times[0])
    assert (video.values.shape, video.values.dtype) == ((48, 64, 3, 40), np.uint8)
    for first, last in [(0, 40), (0, 1), (39, 40), (11, 13), (12, 14), (25, 31), (7, 7)]:
        expected = [*pictures[first:last], np.empty((48, 64, 3))][: last - first]
        got = np.moveaxis(video.values[..., first:last], -1, 0)
        np.testing.assert_array_equal(got, np.reshape(expected, got.shape))
    assert (audio.rate, audio.values.dtype) == (16_000, np.float32)
    np.testing.assert_array_equal(audio.values[..., :], sound)
    for first, last in [(0, 10), (9_000, 9_001), (12_345, 15_999), (14_000, sound.shape[1])]:
        np.testing.assert_array_equal(audio.values[..., first:last], sound[:, first:last])


def test_pictures_are_those_that_were_written(tmp_path):
    video = read_video(write_video(tmp_path / "a.mp4"))["video"]
    for number, (time, image) in enumerate(video.values.frames()):
        assert time == pytest.approx(number / RATE)
        assert np.abs(image.astype(int) - picture(number)).mean() < 6  # compressed


def test_frames_are_streamed_and_parts_can_be_asked_for(tmp_path):
    path = write_video(tmp_path / "a.mp4", range(150), sound=False, size=(96, 128))
    values = read_video(path)["video"].values
    tracemalloc.start()
    n_frames = sum(1 for _ in values.frames())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_frames == 150
    assert peak < 8 * 96 * 128 * 3  # some frames, not 150
    part = list(values.frames(20, 23))
    assert [time for time, _ in part] == pytest.approx([0.8, 0.84, 0.88])
    for (_, image), number in zip(part, range(20, 23), strict=True):
        np.testing.assert_array_equal(image, values[..., number : number + 1][..., 0])


def test_a_varying_rate_repeats_and_leaves_out_frames(tmp_path):
    # By hand, in steps of 1/25 s: frames 0 to 3 at 0, 1, 2, 3, then a pause up to 8, 9, 10. The
    # average rate is 6 frames in 10 steps, so the grid lies at 0, 5/3, 10/3, 5, 20/3, 25/3, 10.
    path = write_video(tmp_path / "a.mp4", [0, 1, 2, 3, 8, 9, 10], sound=False)
    times, pictures, _ = decoded(path)
    video = read_video(path)["video"]
    np.testing.assert_allclose(times * RATE, [0, 1, 2, 3, 8, 9, 10])
    np.testing.assert_array_equal(video.values.times, times)
    assert video.n_samples == 7
    assert video.rate == pytest.approx(6 / 10 * RATE)
    # At 5/3 frame 2 begins 1/3 step of the file later, a fifth of a step of the grid: shown.
    for (_, image), number in zip(video.values.frames(), [0, 2, 3, 3, 3, 4, 6], strict=True):
        np.testing.assert_array_equal(image, pictures[number])


def test_a_long_pause_is_told(tmp_path):
    path = write_video(tmp_path / "a.mp4", [*range(20), *range(70, 90)], sound=False)
    with pytest.warns(RecordingWarning, match=r"a\.mp4: the frame at 0\.760 s is shown for 2\.040"):
        read_video(path)


def turn(path, degrees):
    """Note a rotation in an MP4 file, in its track header: ISO/IEC 14496-12, section 8.3.2."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = (cosine, -sine, 0, sine, cosine, 0)  # counterclockwise
    content[matrix : matrix + 24] = struct.pack(">6i", *(round(2**16 * value) for value in rows))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("turned", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_a_noted_rotation_is_applied(tmp_path, turned, quarters):
    path = turn(write_video(tmp_path / "a.mp4", range(5), sound=False), turned)
    _, pictures, _ = decoded(path)
    video = read_video(path)["video"]
    assert video.values.shape[:2] == ((64, 48) if quarters % 2 else (48, 64))
    expected = np.rot90(pictures[3], quarters)  # counterclockwise, as FFmpeg defines it
    np.testing.assert_array_equal(video.values[..., 3:4][..., 0], expected)


def test_a_rotation_by_other_angles_is_told(tmp_path):
    path = turn(write_video(tmp_path / "a.mp4", range(5), sound=False), 30)
    with pytest.warns(RecordingWarning, match="turned by (29|30) degrees"):
        assert read_video(path)["video"].values.shape[:2] == (48, 64)


def test_pictures_or_sound_may_be_alone(tmp_path):
    silent = read_video(write_video(tmp_path / "a.mp4", sound=False))
    assert list(silent.signals) == ["video"]
    heard = read_video(write_sound(tmp_path / "a.m4a"))
    assert list(heard.signals) == ["audio"]


def write_sound(path, codec="aac"):
    with av.open(str(path), "w") as file:
        track = file.add_stream(codec, rate=8000, layout="stereo")
        for first in range(0, 8000, 1000):
            tone = (np.arange(2 * first, 2 * (first + 1000)) % 200 * 100 - 10_000).astype(np.int16)
            block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="stereo")
            block.sample_rate, block.pts = 8000, first
            file.mux(track.encode(av_format(block, track)))
        file.mux(track.encode(None))
    return path


def av_format(block, track):
    resampled = av.AudioResampler(track.format, track.layout, track.rate).resample(block)[0]
    resampled.pts = block.pts
    return resampled


def test_whole_numbers_become_parts_of_one(tmp_path):
    audio = read_video(write_sound(tmp_path / "a.mkv", "pcm_s16le"))["audio"]
    expected = (np.arange(16_000) % 200 * 100 - 10_000).reshape(-1, 2).T / 2**15
    np.testing.assert_array_equal(audio.values[..., :], expected.astype(np.float32))


def test_times_that_do_not_begin_at_zero_are_kept(tmp_path):
    path = write_video(tmp_path / "a.mkv", range(50, 90), sound=False)
    video = read_video(path)["video"]
    assert video.start == pytest.approx(2)
    np.testing.assert_array_equal(video.values.times, decoded(path)[0])


def test_values_can_be_sent_to_other_processes_and_leave_no_file_open(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    recording = read_video(path)
    video, audio = recording["video"].values, recording["audio"].values
    for values in (video, audio):
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(values))[..., 3:5], values[..., 3:5]
        )
    begun = video.frames()
    next(begun)
    begun.close()
    folder = Path("/proc/self/fd")
    if folder.exists():
        assert path not in [link.readlink() for link in folder.iterdir() if link.is_symlink()]


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text("hello, this is text")
    with pytest.raises(RecordingError, match=r"a\.mp4: (cannot be read|its header promises)"):
        read_video(path)
    with pytest.raises(RecordingError, match=r"none\.mp4: there is no such file"):
        read_video(tmp_path / "none.mp4")


def test_subtitles_alone_are_no_video(tmp_path):
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    with pytest.raises(RecordingError, match=r"a\.srt: has neither pictures nor sound"):
        read_video(path)


def test_a_file_that_changed_since_is_refused(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    recording = read_video(path)
    write_video(path, range(10), sound=False)
    with pytest.raises(RecordingError, match=r"a\.mp4: the frame at .* s is missing or damaged"):
        recording["video"].values[..., 20:30]
    with pytest.raises(RecordingError, match=r"a\.mp4"):
        recording["audio"].values[..., 5000:5010]


@pytest.mark.skipif(not REAL.exists(), reason="the real videos (../shared) are not here")
@pytest.mark.parametrize(
    "name", ["WolfgangLanger_Pexels.mp4", "face_noface.mov", "no_face.mp4", "single_face.mp4"]
)
def test_real_videos_are_read_as_pyav_does(name):
    times, pictures, sound = decoded(REAL / name)
    recording = read_video(REAL / name)
    video, audio = recording["video"], recording["audio"]
    np.testing.assert_array_equal(video.values.times, times)
    np.testing.assert_array_equal(audio.values[..., :], sound)
    half = audio.n_samples // 2
    np.testing.assert_array_equal(audio.values[..., half : half + 99], sound[:, half : half + 99])
    grid = video.start + np.arange(video.n_samples) / video.rate + 0.25 / video.rate
    shown = np.searchsorted(times, grid, side="right") - 1
    for number in (0, video.n_samples // 2, video.n_samples - 1):
        image = video.values[..., number : number + 1][..., 0]
        np.testing.assert_array_equal(image, pictures[shown[number]])

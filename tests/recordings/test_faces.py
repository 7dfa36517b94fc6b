import importlib.util
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.recordings import Signal
from stf2m_sk.recordings._faces import face, motion, video

cv2 = pytest.importorskip("cv2", reason="extra [video] is not installed")
ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared/data/raw/video"
LAW = settings(max_examples=30, deadline=None)
N_CELLS = 36


def grey(pictures):
    """Video of pictures (n, height, width) that are grey."""
    return np.ascontiguousarray(np.moveaxis(np.repeat(pictures[..., None], 3, axis=-1), 0, -1))


def numbered(n, size=(12, 16)):
    """Video whose brightness is the number of the frame."""
    return grey(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, *size)))


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("av", reason="extra [video] is not installed")
    path = ROOT / "examples/video_timeline.py"
    spec = importlib.util.spec_from_file_location("video_timeline", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(example):
    """A drawn face, 300x400 RGB."""

    def draw(person=0, emotion="calm"):
        state = example.course([emotion] * example.N_STRETCHES, 1.0, 1)
        return example.draw(example.PEOPLE[person], state, 0.5, 5, (0, 0, 0, 0))

    return draw


def moved(picture, right=0.0, down=0.0, scale=1.0):
    """The picture enlarged about its centre and shifted, in pixels."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, scale)
    matrix[:, 2] += right, down
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def as_video(pictures, rate=10.0):
    return Signal(np.stack(pictures, axis=-1), rate=rate)


def column(signal, name):
    return signal.values[signal.channels.index(name)]


def found(signal):
    return ~np.isnan(column(signal, "size"))


def test_motion_is_mean_and_mean_absolute_change_of_cells():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 24, 32), dtype=np.uint8)
    signal = motion(Signal(grey(pictures), rate=25, start=3.0), grid=(3, 4))
    cells = pictures.reshape(5, 3, 8, 4, 8) / 255
    level = cells.mean(axis=(2, 4)).reshape(5, 12).T
    change = np.abs(np.diff(cells, axis=0)).mean(axis=(2, 4)).reshape(4, 12).T * 25
    np.testing.assert_allclose(signal.values[:12], level, atol=1e-4)
    np.testing.assert_allclose(signal.values[12:, 1:], change, atol=1e-3)
    assert np.isnan(signal.values[12:, 0]).all()
    assert signal.channels[:2] == ("brightness 1,1", "brightness 1,2")
    assert signal.channels[-1] == "motion 3,4"
    assert (signal.rate, signal.start) == (25, 3.0)


def test_motion_of_a_large_picture_is_that_of_its_cells():
    pictures = np.zeros((2, 480, 640), dtype=np.uint8)
    pictures[1, :240, :320] = 200
    signal = motion(Signal(grey(pictures), rate=1), grid=(2, 2))
    np.testing.assert_allclose(signal.values[:, 1] * 255, [200, 0, 0, 0] * 2, atol=1e-3)


def test_colours_count_by_their_luminance():
    pictures = np.zeros((8, 8, 3, 1), dtype=np.uint8)
    pictures[..., 1, :] = 100  # green
    assert motion(Signal(pictures, rate=1)).values[0, 0] * 255 == pytest.approx(58.7, abs=0.5)


@LAW
@given(n=st.integers(1, 60), rate=st.sampled_from([12.0, 15.0, 23.976, 25.0, 29.97, 30.0, 60.0]))
def test_the_frame_nearest_to_each_time_is_taken(n, rate):
    signal = motion(Signal(numbered(n), rate=rate), grid=(1, 1), rate=10.0)
    number = signal.values[0] * 255
    times = np.arange(signal.n_samples) / 10
    assert np.abs(number / rate - times).max() <= 0.5 / rate + 1e-4
    end = (n - 0.5) / rate  # up to where the last frame is the nearest
    assert times[-1] < end + 1e-6 <= times[-1] + 0.1 + 2e-6


class Film:
    """Values that are decoded frame by frame, as those of a file."""

    dtype = np.dtype(np.uint8)

    def __init__(self, values):
        self.values, self.shape, self.n_passes = values, values.shape, 0

    def frames(self):
        self.n_passes += 1
        for i in range(self.shape[-1]):
            yield i / 10, self.values[..., i]

    def __getitem__(self, key):
        raise AssertionError("frames are to be taken one after the other")


def test_a_film_is_gone_through_once(drawn):
    frames = as_video([moved(drawn(), right=i) for i in range(6)])
    film = Film(frames.values)
    at_once = video(Signal(film, rate=10))
    assert film.n_passes == 1
    for name, expected in {"motion": motion(frames), "face": face(frames)}.items():
        np.testing.assert_array_equal(at_once[name].values, expected.values)
        assert at_once[name].channels == expected.channels


@pytest.mark.parametrize("emotion", ["calm", "happy", "angry", "sad"])
@pytest.mark.parametrize("person", range(5))
def test_drawn_faces_are_found(drawn, person, emotion):
    signal = face(as_video([drawn(person, emotion)] * 3))
    assert found(signal).all()
    assert column(signal, "x") == pytest.approx(0.5, abs=0.03)
    assert 0.4 < column(signal, "y")[0] < 0.65 and 0.4 < column(signal, "size")[0] < 0.8


def test_nobody_is_found_in_noise():
    pictures = np.random.default_rng(0).integers(0, 256, (10, 90, 120), dtype=np.uint8)
    assert np.isnan(face(Signal(grey(pictures), rate=10)).values).all()


def test_a_face_that_moves_has_that_speed(drawn):
    steps = np.arange(15)
    signal = face(as_video([moved(drawn(), right=3 * i - 20, down=-i) for i in steps]))
    side = column(signal, "size") * 300  # pixels of 400 x 300
    np.testing.assert_allclose(
        np.diff(column(signal, "x") * 400) * 10 / side[1:], column(signal, "speed x")[1:], rtol=1e-3
    )
    settled = slice(6, None)  # boxes are smoothed
    assert np.median(column(signal, "speed x")[settled] * side[settled]) == pytest.approx(
        30, rel=0.15
    )
    assert np.median(column(signal, "speed y")[settled] * side[settled]) == pytest.approx(
        -10, abs=4
    )
    assert np.isnan(column(signal, "speed x")[0])


def test_a_face_that_comes_nearer_grows(drawn):
    signal = face(as_video([moved(drawn(), scale=0.6 * 1.03**i) for i in range(20)]))
    growth = np.log(1.03) * 10  # a second
    assert np.median(column(signal, "growth")[8:]) == pytest.approx(growth, rel=0.25)
    assert column(signal, "size")[-1] > 1.4 * column(signal, "size")[0]


def test_light_does_not_change_what_a_face_shows(drawn):
    bright, dim = drawn(), (0.6 * drawn() + 20).astype(np.uint8)
    one, other = (face(as_video([picture] * 2)).values[:N_CELLS, 1] for picture in (bright, dim))
    np.testing.assert_allclose(one, other, atol=0.05)
    assert one.std() > 0.3


def test_cells_are_means_of_the_normalised_face(drawn):
    picture = drawn()
    signal = face(as_video([picture]), grid=(6, 6))
    reduced = cv2.resize(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (320, 240), interpolation=cv2.INTER_AREA
    ).astype(float)
    x, y, size = (column(signal, name)[0] for name in ("x", "y", "size"))
    x, y, size = 320 * x, 240 * y, 240 * size
    inside = reduced[
        round(y - size / 2) : round(y + size / 2), round(x - size / 2) : round(x + size / 2)
    ]
    edges = np.linspace(0, len(inside), 7).round().astype(int)
    cells = [
        inside[top:bottom, left:right].mean()
        for top, bottom in pairwise(edges)
        for left, right in pairwise(edges)
    ]
    expected = (np.array(cells) - inside.mean()) / inside.std()
    np.testing.assert_allclose(signal.values[:N_CELLS, 0], expected, atol=0.15)


def test_a_mouth_that_moves_is_motion_there(drawn):
    calm, happy = drawn(0, "calm"), drawn(0, "happy")
    signal = face(as_video([calm, calm, calm, happy, calm, happy]))
    grid = signal.values[N_CELLS : 2 * N_CELLS].reshape(6, 6, -1)
    assert not grid[..., 1:3].any()
    changed = grid[..., 3:].mean(axis=-1)
    assert changed[4, 2:4].mean() > 5 * changed[2].mean()  # mouth; between eyes and mouth


def test_a_short_absence_is_bridged_and_a_long_one_is_not(drawn):
    wall = np.full_like(drawn(), 128)
    signal = face(
        as_video([drawn()] * 5 + [wall] * 2 + [drawn()] * 5 + [wall] * 12 + [drawn()] * 3)
    )
    there = "".join("x" if is_there else "." for is_there in found(signal))
    assert there == "x" * 12 + "x" * 5 + "." * 7 + "xxx"  # held for half a second
    assert np.isnan(column(signal, "speed x")[24])  # it has just come


def test_the_same_face_is_followed_though_a_larger_one_comes(drawn):
    small, large = moved(drawn(), scale=0.5), moved(drawn(1), scale=1.0)
    beside = np.concatenate([small, np.full_like(large, 128)], axis=1)
    both = np.concatenate([small, large], axis=1)
    followed = face(as_video([beside] * 4 + [both] * 4))
    assert column(followed, "x") == pytest.approx(0.25, abs=0.03)
    assert column(face(as_video([both] * 2)), "x") == pytest.approx(0.75, abs=0.03)


def test_a_face_that_jumps_is_found_again_beside_a_larger_one(drawn):
    small, large = moved(drawn(), right=-60, scale=0.5), moved(drawn(1), scale=1.0)
    jumped = moved(drawn(), right=60, scale=0.5)  # by more than is searched around the last place
    pictures = [np.concatenate([picture, large], axis=1) for picture in (small, jumped)]
    pictures[0][:, 400:] = 128
    places = column(face(as_video([pictures[0]] * 3 + [pictures[1]] * 2)), "x")
    assert places[2] == pytest.approx(140 / 800, abs=0.02)
    assert places[4] == pytest.approx(260 / 800, abs=0.02)


@pytest.mark.parametrize(
    ("signal", "settings_", "message"),
    [
        (Signal(np.zeros((3, 9)), rate=4), {}, r"shape \(height, width, 3, n_frames\).*\(3, 9\)"),
        (Signal(np.zeros((8, 8, 3, 2)), rate=4), {}, "uint8 RGB.*float64"),
        (Signal(numbered(3), rate=8), {"rate": 10}, "at most the 8 frames a second"),
        (Signal(numbered(3), rate=8), {"rate": 0}, "above 0"),
        (Signal(numbered(3), rate=8), {"rate": 4, "grid": (0, 4)}, r"given \(0, 4\)"),
        (Signal(numbered(3), rate=8), {"rate": 4, "grid": (13, 4)}, "12x16"),
    ],
)
@pytest.mark.parametrize("extractor", [motion, face])
def test_what_is_no_video_is_refused(extractor, signal, settings_, message):
    with pytest.raises(ValueError, match=message):
        extractor(signal, **{"rate": 1, **settings_})


def test_opencv_5_has_no_faces_and_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(ImportError, match=r'"opencv-python-headless<5".*stf2m_sk\[video\]'):
        face(Signal(numbered(2, (90, 120)), rate=10))


def test_without_opencv_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(ImportError, match=r"stf2m_sk\[video\]"):
        motion(Signal(numbered(2), rate=10))


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/raw/video is absent")
class TestRealVideos:
    def faces(self, name):
        from stf2m_sk.recordings._video import read_video

        return found(face(read_video(REAL / name)["video"]))

    def test_a_face_is_found_where_there_is_one(self):
        assert self.faces("single_face.mp4").all()

    def test_no_face_is_found_where_there_is_none(self):
        assert self.faces("no_face.mp4").mean() <= 0.02

    def test_a_face_goes_where_it_goes(self):
        there = self.faces("face_noface.mov")
        assert there[:25].all() and not there[-25:].any()

    @pytest.mark.parametrize("name", ["single_face.jpg", "multi_face.jpg"])
    def test_pictures(self, name):
        picture = cv2.cvtColor(cv2.imread(str(REAL / name)), cv2.COLOR_BGR2RGB)
        assert found(face(as_video([picture]))).all()

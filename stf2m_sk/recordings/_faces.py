"""Video: brightness and motion on a coarse grid, of the picture and of the face in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._signal import Signal

__all__ = ["face", "motion", "video"]

_LARGEST_SIDE = 320  # pixels: pictures are reduced to this, which is enough for a cascade
_BYTES_AT_ONCE = 2**25  # of frames that are read at a time, where values have no `frames`
_SMALLEST_FACE = 0.1  # of the larger side
_NEIGHBOURS = 5  # overlapping detections that make a face
_SEARCH = 0.4  # of the last face's size: how far it is looked for on each side of it
_BRIDGE = 0.5  # seconds for which a face that is not found is taken to be where it was
_SMOOTHING = 0.2  # seconds, time constant: the cascade's boxes jitter by some per cent
_PATCH = 48  # pixels of the face's side, before the grid
_FLAT = 1.0  # grey levels: a face of less deviation is no picture

_MOVEMENT = ("x", "y", "size", "speed x", "speed y", "growth")


class _Box(NamedTuple):
    """A square in pixels of the reduced picture."""

    x: float  # of the centre
    y: float
    size: float


# From a reduced grey picture, and the one before it (or None), to values (n_channels,).
_Part = Callable[[NDArray[np.uint8], NDArray[np.uint8] | None], NDArray]


def motion(signal: Signal, *, grid: tuple[int, int] = (4, 4), rate: float | None = None) -> Signal:
    """Brightness and motion of a video on a coarse grid.

    Parameters
    ----------
    signal : Signal
        Video of shape (height, width, 3, n_frames), uint8 RGB; read a few frames at a time.
    grid : (int, int), default=(4, 4)
        Rows and columns of cells.
    rate : float, default=None
        Pictures a second that are looked at, at most the video's own, which is the default.

    Returns
    -------
    Signal
        Values, as float32, of shape (2 * rows * columns, n): the mean brightness of each cell (0 to
        1), then its motion: the mean absolute change of brightness since the picture before, a
        second. The first picture's motion is NaN. Values i are of the video's frame that is
        nearest to ``start + i / rate``.

    Raises
    ------
    ImportError
        If OpenCV is not installed (extra "video").
    ValueError
        If the signal is no video, or a parameter is impossible.

    Notes
    -----
    Pictures are reduced to 320 pixels at the larger side first. Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import motion
    >>> frames = np.zeros((40, 60, 3, 3), dtype=np.uint8)
    >>> frames[:20, :30, :, 1:] = 51  # a corner lights up
    >>> moved = motion(Signal(frames, rate=10), grid=(2, 2))
    >>> moved.channels[4], moved.values[4].round(3).tolist()
    ('motion 1,1', [nan, 2.0, 0.0])
    """
    return _signals(signal, rate, {"motion": (_GridPart, grid)})["motion"]


def face(signal: Signal, *, rate: float = 10.0, grid: tuple[int, int] = (6, 6)) -> Signal:
    """Find and follow a face, and describe what it shows and how it moves.

    Parameters
    ----------
    signal : Signal
        Video of shape (height, width, 3, n_frames), uint8 RGB; read a few frames at a time.
    rate : float, default=10.0
        Pictures a second that are looked at, at most the video's own.
    grid : (int, int), default=(6, 6)
        Rows and columns of cells in the face's box.

    Returns
    -------
    Signal
        Values, as float32, of shape (2 * rows * columns + 6, n), NaN where no face is found:

        - "face r,c": mean brightness of a cell, in units of the face's deviation from the
          face's mean;
        - "motion r,c": mean absolute change of the same since the picture before, a second;
        - "x", "y", "size": centre and side of the box, as shares of the picture's width, height
          and height;
        - "speed x", "speed y", "growth": movement of the centre in sides of the box a second,
          and change of the side's natural logarithm a second. NaN when a face has just come.

        Values i are of the video's frame that is nearest to ``start + i / rate``.

    Raises
    ------
    ImportError
        If OpenCV is not installed (extra "video").
    ValueError
        If the signal is no video, or a parameter is impossible.

    Notes
    -----
    OpenCV's frontal Haar cascade on pictures reduced to 320 pixels at the larger side; faces of
    a tenth of it or more. The largest face is chosen, then the one nearest to the last. It is
    held for half a second where it is not found. Boxes are smoothed over 0.2 s, without looking
    ahead. All of this is ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import face
    >>> wall = Signal(np.full((90, 160, 3, 20), 128, dtype=np.uint8), rate=20)
    >>> nobody = face(wall)
    >>> nobody, bool(np.isnan(nobody.values).all())
    (Signal(78x10 @ 10 Hz, 0 s to 1 s), True)
    """
    return _signals(signal, rate, {"face": (_FacePart, grid)})["face"]


def video(signal: Signal, *, rate: float = 10.0) -> dict[str, Signal]:
    """Motion of the picture and of the face in it, in one pass over the video.

    Parameters
    ----------
    signal : Signal
        Video of shape (height, width, 3, n_frames), uint8 RGB; read a few frames at a time.
    rate : float, default=10.0
        Pictures a second that are looked at, at most the video's own.

    Returns
    -------
    dict of str to Signal
        "motion", as from `motion`, and "face", as from `face`, on their default grids.

    Raises
    ------
    ImportError
        If OpenCV is not installed (extra "video").
    ValueError
        If the signal is no video, or `rate` is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import video
    >>> video(Signal(np.zeros((90, 160, 3, 30), dtype=np.uint8), rate=30))["motion"]
    Signal(32x10 @ 10 Hz, 0 s to 1 s)
    """
    return _signals(signal, rate, {"motion": (_GridPart, (4, 4)), "face": (_FacePart, (6, 6))})


def _signals(
    signal: Signal, rate: float | None, kinds: Mapping[str, tuple[type, tuple[int, int]]]
) -> dict[str, Signal]:
    """Values of every part (class and grid), from one pass over the video."""
    rate = signal.rate if rate is None else rate
    _check(signal, rate)
    for _, grid in kinds.values():
        _check_grid(grid, signal)
    parts = {name: kind(grid, rate) for name, (kind, grid) in kinds.items()}
    numbers = _frames_looked_at(signal, rate)
    found = {
        name: np.empty((len(part.channels), len(numbers)), dtype=np.float32)
        for name, part in parts.items()
    }
    before = None
    for i, picture in enumerate(_grey_pictures(signal, numbers)):
        for name, part in parts.items():
            found[name][:, i] = part(picture, before)
        before = picture
    return {
        name: replace(signal, values=found[name], rate=rate, unit="", channels=part.channels)
        for name, part in parts.items()
    }


def _frames_looked_at(signal: Signal, rate: float) -> NDArray[np.int64]:
    """Number of the frame nearest to each time."""
    step = signal.rate / rate
    numbers = np.floor(np.arange(math.ceil(signal.n_samples / step) + 1) * step + 0.5)
    return numbers[numbers < signal.n_samples].astype(np.int64)


def _grey_pictures(signal: Signal, numbers: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    """Frames of the given numbers, grey and reduced."""
    cv2 = require("cv2", "video")
    height, width = signal.values.shape[:2]
    shrink = min(1.0, _LARGEST_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    wanted = set(numbers.tolist())
    for i, frame in enumerate(_frames(signal)):
        if i in wanted:
            grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
            yield cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _frames(signal: Signal) -> Iterator[NDArray[np.uint8]]:
    values = signal.values
    if hasattr(values, "frames"):  # a video file, decoded once from its beginning to its end
        yield from (picture for _, picture in values.frames())
        return
    n = max(1, _BYTES_AT_ONCE // math.prod(values.shape[:-1]))
    for first in range(0, signal.n_samples, n):
        block = signal.read(first, min(first + n, signal.n_samples))
        yield from np.moveaxis(block, -1, 0)


class _GridPart:
    """Brightness and motion of the whole picture."""

    def __init__(self, grid: tuple[int, int], rate: float) -> None:
        self._grid, self._rate = grid, rate
        self.channels = (*_cells("brightness", grid), *_cells("motion", grid))

    def __call__(self, picture: NDArray, before: NDArray | None) -> NDArray:
        level = _grid_means(picture, self._grid)
        if before is None:
            return np.concatenate([level, np.full_like(level, np.nan)]) / 255
        change = np.abs(picture.astype(np.float32) - before)
        return np.concatenate([level, _grid_means(change, self._grid) * self._rate]) / 255


class _FacePart:
    """Brightness, motion and movement of one face."""

    def __init__(self, grid: tuple[int, int], rate: float) -> None:
        self._grid, self._rate = grid, rate
        self._tracker = _Tracker(rate)
        self._last: _Box | None = None
        self.channels = (*_cells("face", grid), *_cells("motion", grid), *_MOVEMENT)

    def __call__(self, picture: NDArray, before: NDArray | None) -> NDArray:
        box, last = self._tracker(picture), self._last
        self._last = box
        if box is None:
            return np.full(len(self.channels), np.nan)
        now = _patch(picture, box)
        mean, deviation = now.mean(), max(float(now.std()), _FLAT)
        level = _grid_means((now - mean) / deviation, self._grid)
        change = np.full_like(level, np.nan)
        if before is not None:  # the same place in both, so that a box that jitters adds nothing
            moved = np.abs(now - _patch(before, box)) / deviation
            change = _grid_means(moved, self._grid) * self._rate
        return np.concatenate([level, change, self._movement(box, last, picture.shape)])

    def _movement(self, box: _Box, last: _Box | None, shape: tuple[int, int]) -> list[float]:
        height, width = shape
        place = [box.x / width, box.y / height, box.size / height]
        if last is None:
            return [*place, math.nan, math.nan, math.nan]
        across, down = (box.x - last.x) / box.size, (box.y - last.y) / box.size
        growth = math.log(box.size / last.size)
        return [*place, across * self._rate, down * self._rate, growth * self._rate]


class _Tracker:
    """One face from picture to picture."""

    def __init__(self, rate: float) -> None:
        self._cv2 = require("cv2", "video")
        if not hasattr(self._cv2, "CascadeClassifier"):
            raise ImportError(
                f"OpenCV {self._cv2.__version__} has no face cascade; install "
                '"opencv-python-headless<5", as pip install "stf2m_sk[video]" does'
            )
        path = self._cv2.data.haarcascades + "haarcascade_frontalface_default.xml"
        self._cascade = self._cv2.CascadeClassifier(path)
        self._bridge = round(_BRIDGE * rate)
        self._new = 1 - math.exp(-1 / (_SMOOTHING * rate))  # weight of a new box
        self._box: _Box | None = None
        self._missed = 0

    def __call__(self, picture: NDArray[np.uint8]) -> _Box | None:
        found = self._near(picture) if self._box is not None else None
        found = found or self._anywhere(picture)
        if found is None:
            self._missed += 1
            if self._missed > self._bridge:
                self._box = None
            return self._box
        self._missed = 0
        last = self._box
        if last is not None and _distance(found, last) < last.size:
            pairs = zip(last, found, strict=True)
            found = _Box(*(old + self._new * (new - old) for old, new in pairs))
        self._box = found
        return found

    def _near(self, picture: NDArray[np.uint8]) -> _Box | None:
        """The last face, looked for around its place and near its size: a tenth of the work."""
        box, (height, width) = self._box, picture.shape
        reach = box.size * (0.5 + _SEARCH)
        left, right = max(0, int(box.x - reach)), min(width, math.ceil(box.x + reach))
        top, bottom = max(0, int(box.y - reach)), min(height, math.ceil(box.y + reach))
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        smallest, largest = round(0.75 * box.size), round(1.35 * box.size)
        return self._nearest(self._detect(part, smallest, largest, left, top))

    def _anywhere(self, picture: NDArray[np.uint8]) -> _Box | None:
        smallest = max(24, round(_SMALLEST_FACE * max(picture.shape)))
        boxes = self._detect(picture, smallest, max(picture.shape), 0, 0)
        return self._nearest(boxes)

    def _detect(
        self, picture: NDArray[np.uint8], smallest: int, largest: int, left: int, top: int
    ) -> list[_Box]:
        found = self._cascade.detectMultiScale(
            picture,
            scaleFactor=1.1,
            minNeighbors=_NEIGHBOURS,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return [_Box(left + x + w / 2, top + y + h / 2, float(w)) for x, y, w, h in found]

    def _nearest(self, boxes: list[_Box]) -> _Box | None:
        """The nearest to the last face; the largest if there is none."""
        if self._box is None:
            return max(boxes, key=lambda box: box.size, default=None)
        return min(boxes, key=lambda box: _distance(box, self._box), default=None)


def _distance(one: _Box, other: _Box) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)


def _patch(picture: NDArray[np.uint8], box: _Box) -> NDArray[np.float32]:
    """What is in the box, at a fixed size; beyond the picture its edge is repeated."""
    cv2 = require("cv2", "video")
    side = max(1, round(box.size))
    part = cv2.getRectSubPix(picture, (side, side), (box.x - 0.5, box.y - 0.5))
    return cv2.resize(part, (_PATCH, _PATCH), interpolation=cv2.INTER_AREA).astype(np.float32)


def _grid_means(picture: NDArray, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Mean of every cell, row by row; pixels across a border count by their area."""
    cv2 = require("cv2", "video")
    small = cv2.resize(picture.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)
    return small.ravel()


def _cells(name: str, grid: tuple[int, int]) -> Iterator[str]:
    rows, columns = grid
    return (f"{name} {r},{c}" for r in range(1, rows + 1) for c in range(1, columns + 1))


def _check(signal: Signal, rate: float) -> None:
    shape, dtype = tuple(signal.values.shape), signal.values.dtype
    if len(shape) != 4 or shape[2] != 3 or dtype != np.uint8:
        raise ValueError(
            "video must be uint8 RGB of shape (height, width, 3, n_frames), given "
            f"{dtype} of shape {shape}"
        )
    if not 0 < rate <= signal.rate * (1 + 1e-9):
        raise ValueError(
            f"rate must be above 0 and at most the {signal.rate:g} frames a second of the video, "
            f"given {rate}"
        )


def _check_grid(grid: tuple[int, int], signal: Signal) -> None:
    height, width = signal.values.shape[:2]
    rows, columns = grid
    if not (1 <= rows <= min(height, _PATCH) and 1 <= columns <= min(width, _PATCH)):
        raise ValueError(
            f"grid must have 1 to {_PATCH} rows and columns, and no more than the video has "
            f"pixels ({height}x{width}), given {grid}"
        )

"""Pictures and sound that stay in a video file until they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import FileValues, as_recording_error
from stf2m_sk.recordings._optional import require

if TYPE_CHECKING:
    import av

__all__ = ["SoundTrackValues", "VideoValues", "opened", "time_of"]

_EARLY = 0.25  # of a step: a frame that begins so little after a time of the grid is shown then
_PREROLL = 0.5  # seconds of sound decoded before a slice, so that the decoder has settled


@contextmanager
def opened(path: Path) -> Iterator[av.container.InputContainer]:
    """A video file, opened by PyAV and closed in the end; its errors name the path.

    Parameters
    ----------
    path : Path

    Yields
    ------
    container

    Raises
    ------
    RecordingError
        If it cannot be opened or decoded.
    """
    av = require("av", "video")
    with as_recording_error(path, av.error.FFmpegError, UnicodeDecodeError):  # noqa: SIM117
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            yield container


class _TrackValues(FileValues):
    """Values of the first stream of a kind."""

    def _stream(self, streams: tuple[av.Stream, ...]) -> av.Stream:
        if not streams:
            raise RecordingError(f"{self.path}: the file was changed since it was opened")
        return streams[0]


class VideoValues(_TrackValues):
    """Frames of a video in RGB, uint8 of shape (height, width, 3, n_frames).

    Parameters
    ----------
    path : Path
        Video file.
    size : tuple of int
        Height and width as shown, after the rotation.
    pts : array of shape (n,)
        Time stamps of all frames in the stream's time base, rising.
    times : array of shape (n,)
        Time in seconds of each frame in the file, ``pts * time_base``.
    rate : float
        Of the regular grid.
    keys : array of shape (n_keys,)
        Time stamps of the frames at which decoding may begin, rising.
    quarters : int
        Quarter turns counterclockwise that bring a decoded frame upright.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        pts: NDArray[np.int64],
        times: NDArray[np.float64],
        rate: float,
        keys: NDArray[np.int64],
        quarters: int = 0,
    ) -> None:
        self.times, self.rate = times, rate
        n_frames = round((times[-1] - times[0]) * rate) + 1
        super().__init__(path, (*size, 3, n_frames), np.uint8)
        self._pts, self._keys, self._quarters = pts, keys, quarters
        grid = times[0] + np.arange(n_frames) / rate + _EARLY / rate
        self._shown = np.searchsorted(times, grid, side="right") - 1

    def frames(
        self, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Time and picture of each frame of the regular grid, in order, decoded as they come.

        Parameters
        ----------
        first, last : int, default=0, None
            Frames first to last - 1 of the grid; None is all up to the end.

        Yields
        ------
        time : float
            In seconds, on the grid. The frame is the last one shown at that time; its own time
            stamp is in `times`.
        picture : array of shape (height, width, 3)
            Red, green and blue in uint8. Where the file has no new frame for a time, the array
            is the same object as before.

        Raises
        ------
        RecordingError
            If a frame is damaged or missing.
        """
        first, last, _ = slice(first, last).indices(self.shape[-1])
        if last <= first:
            return
        shown = self._shown[first:last]
        decoded = self._decoded(int(shown[0]), int(shown[-1]))
        number, picture = -1, None
        for step, wanted in enumerate(shown, first):
            if number != wanted:
                while number != wanted:
                    number, frame = next(decoded)
                picture = self._upright(frame)
            yield float(self.times[0] + step / self.rate), picture

    def _read(self, first: int, last: int) -> NDArray[np.uint8]:
        values = np.empty((last - first, *self.shape[:-1]), dtype=np.uint8)
        for place, (_, picture) in enumerate(self.frames(first, last)):
            values[place] = picture
        return np.moveaxis(values, 0, -1)

    def _upright(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        picture = np.rot90(frame.to_ndarray(format="rgb24"), self._quarters)
        if picture.shape != self.shape[:-1]:
            raise RecordingError(
                f"{self.path}: the frame at {self._time(frame):.3f} s has shape {picture.shape}, "
                f"those before have {self.shape[:-1]}"
            )
        return np.ascontiguousarray(picture)

    def _time(self, frame: av.VideoFrame) -> float:
        # Not frame.time: its time base is wrong after the decoder was flushed (PyAV 1280).
        return float(self.times[np.searchsorted(self._pts, frame.pts)])

    def _decoded(self, first: int, last: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """Numbers and frames from first to last, each of them."""
        wanted = first
        with opened(self.path) as container:
            for frame in self._from_key(container, first):
                if frame.pts is None or frame.pts < self._pts[wanted]:
                    continue
                if frame.pts > self._pts[wanted]:
                    break
                if frame.is_corrupt:
                    raise self._damaged(wanted)
                yield wanted, frame
                if wanted == last:
                    return
                wanted += 1
        raise self._damaged(wanted)

    def _from_key(
        self, container: av.container.InputContainer, first: int
    ) -> Iterator[av.VideoFrame]:
        """Frames from the nearest place before `first` at which decoding may begin."""
        stream = self._stream(container.streams.video)
        key = np.searchsorted(self._keys, self._pts[first], side="right") - 1
        if key <= 0:
            yield from container.decode(stream)
            return
        container.seek(int(self._keys[key]), stream=stream)
        begun = False
        for frame in container.decode(stream):
            if not begun and (frame.pts is None or frame.pts > self._pts[first]):
                break  # the jump went too far: the index of the file is wrong
            begun = True
            yield frame
        if not begun:
            container.seek(0)
            yield from container.decode(stream)

    def _damaged(self, number: int) -> RecordingError:
        return RecordingError(
            f"{self.path}: the frame at {self.times[number]:.3f} s is missing or damaged; is the "
            "file cut short or changed?"
        )


class SoundTrackValues(_TrackValues):
    """Samples of the sound track of a video, float32 of shape (n_channels, n_samples).

    Parameters
    ----------
    path : Path
        Video file.
    shape : tuple of int
        Channels and samples.
    rate : int
        Samples a second.
    start : float
        Time of the first sample, in seconds.
    """

    def __init__(self, path: Path, shape: tuple[int, int], rate: int, start: float) -> None:
        super().__init__(path, shape, np.float32)
        self.rate, self.start = rate, start

    def _read(self, first: int, last: int) -> NDArray[np.float32]:
        values = np.full((self.shape[0], last - first), np.nan, dtype=np.float32)
        reached = 0
        for position, samples in self._decoded(first):
            reached = position + samples.shape[1]
            into = slice(max(position - first, 0), max(min(reached, last) - first, 0))
            taken = samples[:, first + into.start - position :]
            values[:, into] = taken[:, : into.stop - into.start]
            if reached >= last:
                return values
        raise RecordingError(
            f"{self.path}: the sound ends at {self.start + reached / self.rate:.3f} s, expected "
            f"{self.start + last / self.rate:.3f} s; is the file cut short or changed?"
        )

    def _decoded(self, first: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Position and samples of blocks, from somewhat before `first` on."""
        with opened(self.path) as container:
            time_base = self._stream(container.streams.audio).time_base
            following = None
            for frame in self._from_before(container, first):
                time = float(time_of(self.path, frame, time_base))
                if frame.is_corrupt:
                    raise RecordingError(f"{self.path}: the sound is damaged near {time:.3f} s")
                position = round((time - self.start) * self.rate)
                # Time stamps are rounded to the time base: blocks follow each other up to that.
                if following is not None and abs(position - following) <= 1 + time_base * self.rate:
                    position = following
                yield position, as_floats(frame)
                following = position + frame.samples

    def _from_before(
        self, container: av.container.InputContainer, first: int
    ) -> Iterator[av.AudioFrame]:
        stream = self._stream(container.streams.audio)
        time = self.start + first / self.rate
        if time - _PREROLL > self.start:
            container.seek(int((time - _PREROLL) / stream.time_base), stream=stream)
            frames = container.decode(stream)
            frame = next(frames, None)
            if frame is not None and frame.pts is not None and frame.pts * stream.time_base < time:
                yield frame
                yield from frames
                return
            container.seek(0)  # the jump went too far: the index of the file is wrong
        yield from container.decode(stream)


def time_of(path: Path, frame: av.AudioFrame, time_base: Fraction) -> Fraction:
    """Time of a block of sound in seconds; a `RecordingError` if it has no time stamp."""
    if frame.pts is None:
        raise RecordingError(f"{path}: a block of sound has no time stamp")
    return frame.pts * time_base


def as_floats(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Samples of a decoded block of sound.

    Parameters
    ----------
    frame : AudioFrame

    Returns
    -------
    array of shape (n_channels, n_samples)
        Float32; whole numbers are divided by the largest, so that they lie in [-1, 1].
    """
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(frame.samples, -1).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32, copy=False)

"""Video files: pictures, and the sound track beside them."""

from __future__ import annotations

from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stf2m_sk.recordings._complete import check_complete
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import existing_file, warn_of_recording
from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._video_values import SoundTrackValues, VideoValues, opened, time_of

if TYPE_CHECKING:
    import av

__all__ = ["read_video"]

_COUNTED = "mov"  # containers whose header says how many packets each stream has
_LONG_STEP = (1.0, 10)  # seconds, and times the median step: then a frame was shown strangely long


def read_video(path: str | PathLike, *, person: str = "") -> Recording:
    """Read a video file: MP4, MOV, Matroska, WebM, AVI and what else FFmpeg knows.

    Parameters
    ----------
    path : path-like
        File with pictures, sound, or both.
    person : str, default=""
        Who is seen.

    Returns
    -------
    Recording
        Signal "video", uint8 of shape (height, width, 3, n_frames) in red, green and blue, and
        signal "audio", float32 of shape (n_channels, n_samples); that which the file has. Nothing
        is decoded before a slice is taken. ``recording["video"].values.frames()`` goes through
        all frames once, with one in memory. The name is the stem of the path.

    Raises
    ------
    RecordingError
        If the file is missing, empty, no video, cut short, or has neither pictures nor sound.
        When slices are taken: if a frame is missing or the decoder marks it as damaged.
    ImportError
        If PyAV is not installed: extra [video].

    Warns
    -----
    RecordingWarning
        If a frame is shown for more than a second and ten times as long as usual, or if the
        pictures are to be turned by something else than quarter turns.

    Notes
    -----
    Times are those of the file, ``pts * time_base``, from the first frame or sample on; pictures
    and sound may begin at different times. All time stamps of frames are in
    ``recording["video"].values.times``. Frames lie on a regular grid at the average rate. Where the
    rate of the file varies, frame i is the last one shown at ``start + i / rate``, so that
    frames may be repeated or left out. A frame that begins up to a quarter of a step later counts
    as shown. A rotation by quarter turns, as phones note it, is applied. In sound, NaN marks gaps.

    Formats without checksums, such as MP4, cannot tell that a picture was changed unless the
    decoder notices.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import av
    >>> import numpy as np
    >>> from stf2m_sk.recordings import read_video
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "grey.mp4")
    ...     with av.open(str(path), "w") as file:
    ...         stream = file.add_stream("mpeg4", rate=10)
    ...         stream.width, stream.height = 64, 48
    ...         picture = np.full((48, 64, 3), 128, dtype=np.uint8)
    ...         for _ in range(20):
    ...             file.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
    ...         file.mux(stream.encode(None))
    ...     video = read_video(path)["video"]
    ...     print(video, [time for time, _ in video.values.frames(0, 3)])
    Signal(48x64x3x20 @ 10 Hz, 0 s to 2 s) [0.0, 0.1, 0.2]
    """
    path = existing_file(path)
    check_complete(path)
    with opened(path) as container:
        packets = _packets(path, container)
    signals = {}
    if "video" in packets:
        signals["video"] = _pictures(path, packets["video"])
    if "audio" in packets:
        signals["audio"] = _sound(path, packets["audio"])
    return Recording(signals, None, person, path.stem)


class _Packets:
    """Time stamps of the packets of a stream, in its time base."""

    def __init__(self) -> None:
        self.n = 0
        self.pts: list[int] = []
        self.keys: list[int] = []
        self.lacks_times = False

    def add(self, packet: av.Packet) -> None:
        self.n += 1
        if packet.is_discard:  # decoded, but not shown
            return
        if packet.pts is None:
            self.lacks_times = True
            return
        self.pts.append(packet.pts)
        if packet.is_keyframe:
            self.keys.append(packet.pts)


def _packets(path: Path, container: av.container.InputContainer) -> dict[str, _Packets]:
    """Of the first stream of pictures, and of the first of sound, by "video" and "audio"."""
    cover = require("av.stream", "video").Disposition.attached_pic
    streams = [stream for stream in container.streams.video[:1] if not stream.disposition & cover]
    streams += container.streams.audio[:1]
    if not streams:
        raise RecordingError(f"{path}: has neither pictures nor sound")
    packets = {stream.type: _Packets() for stream in streams}
    for packet in container.demux(streams):
        if packet.is_corrupt:
            raise RecordingError(f"{path}: is damaged or cut short at byte {packet.pos}")
        if packet.size:
            packets[packet.stream.type].add(packet)
    for stream in streams:
        found, promised = packets[stream.type].n, stream.frames
        if not found or (_COUNTED in container.format.name and promised not in (0, found)):
            raise RecordingError(
                f"{path}: its header promises {promised} packets of {stream.type}, {found} are "
                "there; the file is cut short or damaged"
            )
    return packets


def _pictures(path: Path, packets: _Packets) -> Signal:
    with opened(path) as container:
        stream = container.streams.video[0]
        decoded = container.decode(stream)
        frame = next(decoded, None)
        if frame is None or frame.pts is None:
            raise RecordingError(f"{path}: has no picture with a time stamp")
        first, shape, quarters = frame.pts, (frame.height, frame.width), _quarters(path, frame)
        if packets.lacks_times:
            packets = _decoded_packets(path, first, decoded)
        time_base, nominal = stream.time_base, float(stream.average_rate or 0)
    # Frames before the first that can be decoded are never shown.
    pts = np.array(sorted(stamp for stamp in packets.pts if stamp >= first), dtype=np.int64)
    if (repeated := np.flatnonzero(np.diff(pts) == 0)).size:
        time = float(pts[repeated[0]] * time_base)
        raise RecordingError(f"{path}: two frames have the time stamp {time:.3f} s")
    times = pts * time_base.numerator / time_base.denominator
    rate = _average_rate(path, times, nominal, float(time_base))
    size = shape if quarters % 2 == 0 else shape[::-1]
    keys = np.array(sorted(packets.keys), dtype=np.int64)
    values = VideoValues(path, size, pts, times, rate, keys, quarters)
    return Signal(values, rate, float(values.times[0]))


def _decoded_packets(path: Path, first: int, decoded: object) -> _Packets:
    """Time stamps of a file whose packets have none: all frames are decoded for them."""
    packets = _Packets()
    packets.pts = [first]
    for frame in decoded:
        if frame.pts is None:
            raise RecordingError(f"{path}: frame {len(packets.pts)} has no time stamp")
        packets.pts.append(frame.pts)
    return packets


def _average_rate(path: Path, times: np.ndarray, nominal: float, tick: float) -> float:
    """The nominal rate where the time stamps fit it up to their rounding, else theirs."""
    steps, span = np.diff(times), float(times[-1] - times[0])
    if steps.size and steps.max() > max(_LONG_STEP[0], _LONG_STEP[1] * np.median(steps)):
        longest = int(np.argmax(steps))
        warn_of_recording(
            f"{path}: the frame at {times[longest]:.3f} s is shown for {steps[longest]:.3f} s; if "
            "the camera paused, cut that part off"
        )
    if nominal and abs(len(steps) / nominal - span) < 1.5 * tick:
        return nominal
    if not steps.size:
        raise RecordingError(f"{path}: a single picture has no rate")
    return len(steps) / span


def _quarters(path: Path, frame: av.VideoFrame) -> int:
    turns = round(frame.rotation / 90)
    if abs(frame.rotation - 90 * turns) > 1:  # PyAV rounds degrees
        warn_of_recording(
            f"{path}: is to be shown turned by {frame.rotation} degrees; pictures are left as "
            "they are, since only quarter turns are applied"
        )
        return 0
    return turns % 4


def _sound(path: Path, packets: _Packets) -> Signal:
    if packets.lacks_times:
        raise RecordingError(f"{path}: the sound has no time stamps")
    with opened(path) as container:
        stream = container.streams.audio[0]
        time_base = stream.time_base
        frame = next(container.decode(stream), None)
        if frame is None:
            raise RecordingError(f"{path}: has no sound")
        rate, n_channels = frame.sample_rate, frame.layout.nb_channels
        start = end = time_of(path, frame, time_base)
        # The last block may be shorter than its packet says: it is decoded.
        last = max(max(packets.pts) - int(1 / time_base), min(packets.pts))
        container.seek(last, stream=stream)
        for frame in container.decode(stream):
            end = max(end, time_of(path, frame, time_base) + Fraction(frame.samples, rate))
    values = SoundTrackValues(path, (n_channels, round((end - start) * rate)), rate, float(start))
    return Signal(values, rate, float(start))

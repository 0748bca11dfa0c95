"""Driving, pose, face and mask videos inside the child process: facts, and the part that is used.

Frames are decoded, chosen by their time, scaled and written one by one: memory does not grow with length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from backend.errors import BadMedia
from backend.media import check, timing
from backend.media.container import THREADS, Reader, opened, picture_track
from backend.media.encode import Writer, rotation
from backend.media.facts import VIDEO_FILE_MAX, VIDEO_MAX_FRAMES, VIDEO_PART_MAX, VideoFacts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_UNEVEN = 0.25
_UNEVEN_SHARE = 0.01
_SEEK_FROM = 2.0
_SEEK_MARGIN = 0.5
_MAX_FPS = 240
# FFmpeg's numbers for the transfer curves of HDR.
_HDR_CURVES = (16, 18)


def facts(path: str, name: str, field: str = "", max_mb: int = 0) -> VideoFacts:
    """Facts about an uploaded video, from counting its packets and decoding its first frame.

    Raises BadMedia when it is not a video, too long, too large, or has a single frame.
    """
    with opened(path, name, field, max_mb) as container:
        track = _track(container, name, field)
        context = track.codec_context
        if context.width and context.height:
            timing.frame(context.width, context.height, name, field)
        claimed = _claimed_seconds(container, track)
        if claimed > VIDEO_FILE_MAX:
            timing.length(claimed, "video", name, field)
        times, reader = _times(container, track, name, field)
        if len(times) == 1:
            raise timing.one_frame(name, field)
        container.seek(0)
        frame = next(_decoding(container, track).frames(), None)
        if frame is None:
            raise check.damaged(name, field, "no frame could be decoded")
        width, height = _upright_size(frame, track)
        timing.frame(width, height, name, field)
        steps = np.diff(np.asarray(times))
        usual = float(median(steps))
        seconds = times[-1] - times[0] + usual
        timing.length(seconds, "video", name, field)
        fps = len(times) / seconds
        if track.average_rate and abs(fps / float(track.average_rate) - 1) < 0.005:
            fps = float(track.average_rate)
        uneven = int(np.count_nonzero(np.abs(steps - usual) > _UNEVEN * usual))
        notes = []
        if reader.cut or (track.frames and len(times) < track.frames - 1):
            notes.append(f"cut short: {timing.spoken(seconds)} of {timing.spoken(claimed)} are there")
        if frame.color_trc in _HDR_CURVES:
            notes.append("HDR: its colours become flatter")
        note = ", ".join(notes)
        return VideoFacts(
            width,
            height,
            len(times),
            fps,
            seconds,
            context.codec.canonical_name,
            context.pix_fmt or frame.format.name,
            bool(container.streams.audio),
            rotation(frame),
            uneven >= max(1, _UNEVEN_SHARE * len(steps)),
            note[:1].upper() + note[1:],
        )


def cut(
    path: str,
    out: str,
    name: str,
    field: str,
    start: float,
    seconds: float,
    fps: float,
    size: tuple[int, int],
    first_frame: int = 0,
    frames: int = 0,
    lossless: bool = False,
    crf: int = 12,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[int, int, int, float]:
    """Write frames `first_frame` .. `first_frame + frames` of the part that begins at `start`, at `fps`.

    Frame i is the source frame nearest to `start` + i / fps; after the end of the source its last frame is
    repeated. `frames` 0: all of `seconds`, at most to the end; `seconds` 0: to the end. The result is
    upright, has no sound, and is scaled down (never up) until it just covers `size`, with even sides (0 x 0:
    not scaled). H.264 of this `crf`, or FFV1 in Matroska when `lossless`. Returns width, height, frames, fps.
    Raises BadMedia.
    """
    with opened(path, name, field) as container:
        track = _track(container, name, field)
        picker = _FramePicker(container, track)
        source = picker.source_size()
        if source is None:
            raise check.damaged(name, field, "no frame could be decoded")
        rate = Fraction(min(fps or float(track.average_rate or 16), _MAX_FPS)).limit_denominator(1001)
        hold = bool(frames)
        if not frames:
            frames = max(1, round(min(seconds or VIDEO_PART_MAX, VIDEO_PART_MAX) * rate) - first_frame)
        begin = start + float(first_frame / rate)
        stored = covering(source, size)
        with Writer(out, rate, stored, lossless, crf) as writer:
            made = 0
            expected = frames if hold else min(frames, (_claimed_seconds(container, track) - begin) * rate)
            for frame in picker.at(begin, rate, frames, hold):
                writer.add(frame)
                made += 1
                progress(min(1.0, made / max(1, expected)))
        if not made:
            raise BadMedia(
                f"{check.shown(name)} has no picture at {timing.spoken(begin)}.",
                "Choose an earlier start.",
                field=field,
            )
        return (*stored, made, float(rate))


def covering(source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The source's size scaled down until it just covers `size`, with even sides; never scaled up."""
    factor = 1.0
    if size[0] > 0 and size[1] > 0:
        factor = min(1.0, max(size[0] / source[0], size[1] / source[1]))
    width, height = (max(2, 2 * round(side * factor / 2)) for side in source)
    return width, height


class _FramePicker:
    """Selects frames by time, in seconds from the first picture of the file."""

    def __init__(self, container: InputContainer, track: VideoStream) -> None:
        self._container, self._track = container, track
        self._origin = 0.0
        self._step = float(1 / track.average_rate) if track.average_rate else 0.04

    def source_size(self) -> tuple[int, int] | None:
        """Upright size of the first picture, whose time becomes 0; None when nothing can be decoded."""
        frame = next(_decoding(self._container, self._track).frames(), None)
        if frame is None:
            return None
        if frame.pts is not None:
            self._origin = float(frame.pts * frame.time_base)
        return _upright_size(frame, self._track)

    def at(self, begin: float, rate: Fraction, count: int, hold: bool) -> Iterator[VideoFrame]:
        """The frames nearest to `begin`, `begin` + 1 / `rate`, ...: `count` of them, repeating the last one,
        if `hold`; otherwise at most to the end of the source."""
        done, before = 0, None
        time = 0.0
        for time, frame in self._from(begin):
            if before is not None:
                middle = (before[0] + time) / 2
                while done < count and begin + float(done / rate) <= middle:
                    yield before[1]
                    done += 1
            if done >= count:
                return
            before = (time, frame)
        if before is None or begin >= time + self._step:
            return
        while done < count and (hold or begin + float(done / rate) < time + self._step - 1e-6):
            yield before[1]
            done += 1

    def _from(self, begin: float) -> Iterator[tuple[float, VideoFrame]]:
        """(time, frame), starting at or before `begin`."""
        target = begin - _SEEK_MARGIN
        if begin > _SEEK_FROM and self._track.time_base:
            self._container.seek(int((self._origin + target) / self._track.time_base), stream=self._track)
            timed = self._timed(target)
            first = next(timed, None)
            if first is not None and first[0] <= begin:
                yield first
                yield from timed
                return
        self._container.seek(0)
        yield from self._timed(0.0)

    def _timed(self, guess: float) -> Iterator[tuple[float, VideoFrame]]:
        last = guess - self._step
        for frame in _decoding(self._container, self._track).frames():
            time = last + self._step
            if frame.pts is not None:
                time = max(last, float(frame.pts * frame.time_base) - self._origin)
            yield time, frame
            last = time


def _track(container: InputContainer, name: str, field: str) -> VideoStream:
    track = picture_track(container)
    if track is None:
        raise (check.no_pictures if container.streams.audio else timing.no_frame)(name, field)
    if track.codec_context is None:
        raise check.not_a_video(name, field)
    return track


def _decoding(container: InputContainer, track: VideoStream) -> Reader:
    if not track.codec_context.is_open:
        track.thread_type = "AUTO"
        track.codec_context.thread_count = THREADS
    return Reader(container, track)


def _claimed_seconds(container: InputContainer, track: VideoStream) -> float:
    """The length in seconds from the header; 0 when it has none."""
    if track.duration and track.time_base:
        return float(track.duration * track.time_base)
    return container.duration / 1_000_000 if container.duration else 0.0


def _times(
    container: InputContainer, track: VideoStream, name: str, field: str
) -> tuple[list[float], Reader]:
    """The sorted times of all frames in seconds, without decoding them."""
    reader = Reader(container, track)
    times: list[float] = []
    for packet in reader.demux():
        if packet.size and not packet.is_discard and packet.pts is not None:
            times.append(float(packet.pts * packet.time_base))
            if len(times) > VIDEO_MAX_FRAMES:
                raise check.too_heavy(name, field, f"more than {VIDEO_MAX_FRAMES} frames", "video")
    if not times:
        raise check.damaged(name, field, "no packet") if reader.cut else timing.no_frame(name, field)
    times.sort()
    return times, reader


def _upright_size(frame: VideoFrame, track: VideoStream) -> tuple[int, int]:
    """Width and height as displayed: with square pixels, after rotation."""
    width, height = frame.width, frame.height
    shape = track.sample_aspect_ratio
    if shape and shape > 0 and Fraction(1, 4) < shape < 4:
        width = max(1, round(width * shape))
    return (height, width) if rotation(frame) in (90, 270) else (width, height)

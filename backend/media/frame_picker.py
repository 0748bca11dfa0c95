"""Selects the frames of a video by their time, in seconds from its first picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

from backend.media.container import JUMP_BACK, THREADS, Reader, runs_through
from backend.media.deinterlace import progressive
from backend.media.orientation import of_frame
from backend.media.timeline import GAP_MAX, Timeline

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_SEEK_FROM = 2.0
_SEEK_MARGIN = 0.5
_LONG_LAST = 1.5
_SEEKABLE = ("mov", "mp4", "matroska")
"""Containers with an index of their frames, by the first of FFmpeg's names. Others are read from the start:
after a seek they would give frames whose references are missing."""
Source = tuple["InputContainer", "VideoStream"]


class FramePicker:
    """The frames of `source`. `again` opens the same file once more, for seeking."""

    def __init__(self, source: Source, again: Callable[[], Source]) -> None:
        self._track, self._again = source[1], again
        self._readers = [decoding(*source)]
        self._frames = progressive(self._readers[0].frames())
        self._first: VideoFrame | None = None
        self._origin: float | None = None
        self.step = usual_step(self._track)

    def source_size(self) -> tuple[int, int] | None:
        """Upright size of the first picture, whose time becomes 0; None when nothing can be decoded."""
        self._first = next(self._frames, None)
        if self._first is None:
            return None
        if self._first.pts is not None and self._first.time_base is not None:
            self._origin = float(self._first.pts * self._first.time_base)
        return upright_size(self._first, self._track)

    def at(self, begin: float, rate: Fraction, count: int, hold: bool) -> Iterator[VideoFrame]:
        """The frames nearest to `begin`, `begin` + 1 / `rate`, ...: `count` of them, repeating the last one,
        if `hold`; otherwise at most to the end of the source. To be called once."""
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
        if before is None:
            return
        end = time + shown_for(_lasts(before[1]), self.step)
        if begin >= end:
            return
        while done < count and (hold or begin + float(done / rate) < end - 1e-6):
            yield before[1]
            done += 1

    def _from(self, begin: float) -> Iterator[tuple[float, VideoFrame]]:
        """(time, frame), starting at or before `begin`."""
        if begin > _SEEK_FROM and (found := self._seek(begin)) is not None:
            timed = self._timed(found, begin - _SEEK_MARGIN)
            first = next(timed, None)
            if first is not None and first[0] <= begin:
                yield first
                yield from timed
                return
        if self._first is not None:
            yield from self._timed(chain((self._first,), self._frames), 0.0)

    def _seek(self, begin: float) -> Iterator[VideoFrame] | None:
        """The frames from a key frame before `begin` on; None where the container does not lead there."""
        container, track = self._again()
        if container.format.name.split(",")[0] not in _SEEKABLE or not track.time_base:
            return None
        if not runs_through(container, track, begin):
            return None
        target = (self._origin or 0.0) + begin - _SEEK_MARGIN
        container.seek(int(target / track.time_base), stream=track)
        self._readers.append(decoding(container, track))
        return progressive(self._readers[-1].frames())

    @property
    def broken_share(self) -> float:
        """The share of the packets read so far that could not be decoded, 0 to 1."""
        reader = self._readers[-1]
        return reader.broken / max(1, reader.packets)

    def _timed(self, frames: Iterator[VideoFrame], guess: float) -> Iterator[tuple[float, VideoFrame]]:
        last = guess - self.step
        timeline = Timeline(self.step, JUMP_BACK, self._origin, far=True)
        for frame in frames:
            time = last + self.step
            if frame.pts is not None and frame.time_base is not None:
                time = max(last, timeline.at(float(frame.pts * frame.time_base)))
            yield time, frame
            last = time


def decoding(container: InputContainer, track: VideoStream) -> Reader:
    """The reader of a video track, with several threads."""
    if not track.codec_context.is_open:
        track.thread_type = "AUTO"
        track.codec_context.thread_count = THREADS
    return Reader(container, track)


def shown_for(lasts: float, usual: float) -> float:
    """Seconds that the last frame is shown: as long as the file says where that is clearly more than
    usual."""
    return min(lasts, GAP_MAX) if lasts > _LONG_LAST * usual else usual


def _lasts(frame: VideoFrame) -> float:
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0


def usual_step(track: VideoStream) -> float:
    """Seconds from one frame to the next, from the header. An average of less than a frame a second may come
    from a jump in the times."""
    rate = track.average_rate
    if rate and rate < 1:
        rate = track.guessed_rate or rate
    return float(1 / rate) if rate else 0.04


def upright_size(frame: VideoFrame, track: VideoStream) -> tuple[int, int]:
    """Width and height as displayed: with square pixels, upright."""
    width, height = frame.width, frame.height
    shape = track.sample_aspect_ratio
    if shape and shape > 0 and Fraction(1, 4) < shape < 4:
        width = max(1, round(width * shape))
    return of_frame(frame).size(width, height)

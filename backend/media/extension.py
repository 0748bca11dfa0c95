"""Joins the parts of a joined video inside the child process.

The first frames of a part repeat the last frames before it and are dropped. A stream of packets of several
encoders cannot be played, so the pictures are encoded once, from the files of the parts: a video that is
extended again loses nothing more. The sound of the first part is copied as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backend.media import check
from backend.media.colour_match import Match, Planes, match
from backend.media.container import opened, picture_track, sound_track
from backend.media.encode import Writer
from backend.media.picture_frames import PictureFrames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_CRF = 18
_REMEMBERED = 8
"""Frames at the end of a part that the next one can repeat."""
_COPIED = frozenset({"aac", "mp3"})
"""Codecs of a sound that MP4 files of browsers have."""


class Piece(NamedTuple):
    """What is used of a part's file: `frames` of the joined video from frame `first` of the file on."""

    path: str
    first: int
    frames: int


def join(
    pieces: Sequence[Piece], out: str, name: str, progress: Callable[[float], None] = lambda share: None
) -> tuple[int, int, list[int], float]:
    """Writes the parts one after another as H.264 without sound, in size and rate of the first one.

    Returns width, height, the frames of each part, fps. A part of another rate is re-timed by its nearest
    frames; one whose file ends early holds its last frame. Raises BadMedia.
    """
    import av

    with ExitStack() as stack:
        first = _Part(stack, pieces[0], name)
        size = (first.width // 2 * 2, first.height // 2 * 2)
        total = sum(piece.frames for piece in pieces)
        made = 0
        counts: list[int] = []
        before: deque[Planes] = deque(maxlen=_REMEMBERED)
        with Writer(out, first.rate, size, lossless=False, crf=_CRF) as writer:
            for number, piece in enumerate(pieces):
                part = first if number == 0 else _Part(stack, piece, name)
                again, shown = part.planes(size, first.rate)
                found = None
                if number:
                    pairs = min(len(again), len(before))
                    found = match(list(before)[len(before) - pairs :], again[len(again) - pairs :])
                begun = made
                for planes in _matched(shown, found):
                    before.append(planes)
                    writer.add(_frame(av, planes, part.colours))
                    made += 1
                    progress(min(1.0, made / max(1, total)))
                counts.append(made - begun)
        return (*size, counts, float(first.rate))


def _matched(shown: Iterator[Planes], found: Match | None) -> Iterator[Planes]:
    for number, planes in enumerate(shown):
        yield planes if found is None else found.apply(planes, number)


def _frame(av: Any, planes: Planes, colours: tuple[int, int]) -> VideoFrame:
    height, width = planes[0].shape
    packed = np.concatenate([plane.reshape(-1) for plane in planes])  # half a width need not divide a width
    frame: VideoFrame = av.VideoFrame.from_ndarray(packed.reshape(height * 3 // 2, width), format="yuv420p")
    frame.colorspace, frame.color_range = colours
    return frame


class _Part(PictureFrames):
    """One part's file. Raises BadMedia when it has no frame."""

    def __init__(self, stack: ExitStack, piece: Piece, name: str) -> None:
        super().__init__(stack, piece.path, name)
        self._piece, self._name = piece, name

    def planes(self, size: tuple[int, int], rate: Fraction) -> tuple[list[Planes], Iterator[Planes]]:
        """(the last frames before the first one that is used, the frames that are used), in this size and
        rate."""
        skipped: deque[Planes] = deque(maxlen=_REMEMBERED)
        for _ in range(self._piece.first):
            frame = self.take()
            if frame is None:
                raise check.damaged(self._name, detail="a part ends before its first frame")
            skipped.append(_planes(frame, size))
        if rate != self.rate:  # the frame times differ, so only the last pair matches
            skipped = deque(list(skipped)[-1:])
        return list(skipped), self._used(size, rate)

    def _used(self, size: tuple[int, int], rate: Fraction) -> Iterator[Planes]:
        held: Planes | None = None
        number = -1  # of the frame that is held, from the first one used
        for wanted in range(self._piece.frames):
            nearest = int(wanted * self.rate / rate + Fraction(1, 2))
            while number < nearest and (frame := self.take()) is not None:
                number += 1
                if number == nearest or self.ended:
                    held = _planes(frame, size)
            if held is None:
                raise check.damaged(self._name, detail="a part ends before its first frame")
            yield held


def _planes(frame: VideoFrame, size: tuple[int, int]) -> Planes:
    """Y, U and V at half size each way; scaled where the frame has another size."""
    small = frame.reformat(width=size[0], height=size[1], format="yuv420p", interpolation="BICUBIC")
    packed: Any = small.to_ndarray()
    width, height = size
    half = (height // 2, width // 2)
    flat = packed.reshape(-1)
    whole, quarter = width * height, half[0] * half[1]
    return (
        flat[:whole].reshape(height, width),
        flat[whole : whole + quarter].reshape(half),
        flat[whole + quarter : whole + 2 * quarter].reshape(half),
    )


def with_sound(
    video: str, out: str, name: str, sound: str, seconds: float,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[int, int, int, float]:  # fmt: skip
    """Writes the pictures of `video` with the first `seconds` of the sound of another file, both copied as
    they are. Returns width, height, frames, fps. Raises BadMedia, also for a sound that has to be encoded."""
    import av

    with opened(video, name) as pictures, opened(sound, name, kind="sound") as sounds:
        track, voice = picture_track(pictures), sound_track(sounds)
        if track is None:
            raise check.damaged(name, detail="no picture track")
        if voice is None:
            raise check.no_sound(name)
        if voice.codec_context.name not in _COPIED:
            raise check.damaged(name, detail=f"{voice.codec_context.name} is not copied")
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(out, "w", format="mp4", container_options=options) as target:
            shown = target.add_stream_from_template(track)
            heard = target.add_stream_from_template(voice)
            count, total = 0, track.frames or 1
            copied = _sound_packets(sounds, voice, seconds)
            ahead = next(copied, None)
            for packet in pictures.demux(track):
                if not packet.size:
                    continue
                at = float((packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base)
                while ahead is not None and ahead[0] <= at:
                    ahead[1].stream = heard
                    target.mux(ahead[1])
                    ahead = next(copied, None)
                packet.stream = shown
                target.mux(packet)
                count += 1
                progress(min(1.0, count / total))
            while ahead is not None:
                ahead[1].stream = heard
                target.mux(ahead[1])
                ahead = next(copied, None)
        size = (track.codec_context.width, track.codec_context.height)
        return (*size, count, float(track.average_rate or 0))


def _sound_packets(container: Any, track: Any, seconds: float) -> Iterator[tuple[float, Any]]:
    """(time in seconds, packet) of the sound before `seconds`."""
    for packet in container.demux(track):
        if not packet.size or packet.pts is None:
            continue
        at = float(packet.pts * packet.time_base)
        if at >= seconds:
            return
        yield at, packet

"""Driving, pose, face and mask videos inside the child process: facts, and the part that is used.

Frames are decoded, chosen by their time, scaled and written one by one: memory does not grow with length.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backend.media import check, timing
from backend.media.container import (
    JUMP_BACK,
    ProtectedError,
    Reader,
    ends_early,
    moving_tracks,
    opened,
    picture_track,
    sound_track,
)
from backend.media.encode import Writer, see_through
from backend.media.facts import VIDEO_MAX_FRAMES, VIDEO_PART_MAX, VideoFacts
from backend.media.frame_picker import FramePicker, Source, decoding, shown_for, upright_size, usual_step
from backend.media.orientation import of_frame
from backend.media.timeline import Timeline
from workflows.notice import Notice, made

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_UNEVEN = 0.25
_UNEVEN_SHARE = 0.01
_MAX_FPS = 240
_LOST_SHARE = 0.1
"""Of frames that are missing at the end, and of packets that could not be decoded: more is an error, so that
no part of a video is lost without a word."""
_FIELDS = 0.02
"""How far the rate of packets that hold one field of a frame may be from twice the frame rate, as a share."""
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
        times, last, reader = _times(container, track, name, field)
    if len(times) == 1:
        raise timing.one_frame(name, field)
    steps = np.diff(np.asarray(times))
    usual = float(median(steps)) or usual_step(track)
    seconds = times[-1] - times[0] + shown_for(last, usual)
    timing.length(seconds, "video", name, field)
    with opened(path, name, field, max_mb) as container:
        track = _track(container, name, field)
        context = track.codec_context
        frame = next(decoding(container, track).frames(), None)
        if frame is None:
            raise check.damaged(name, field, "no frame could be decoded")
        width, height = upright_size(frame, track)
        timing.frame(width, height, name, field)
        frames, fps = _frames_and_rate(len(times), seconds, track)
        uneven = int(np.count_nonzero(np.abs(steps - usual) > _UNEVEN * usual))
        orientation = of_frame(frame)
        sound = _sound(path, name, field)
        notes: list[Notice] = []
        short = reader.cut or (track.frames and len(times) < track.frames - 1)
        if short and claimed > seconds + usual:  # some containers end with an error although they are whole
            notes.append(made("note_cut_short", {"there_seconds": seconds, "claimed_seconds": claimed}))
        elif ends_early(path, container):
            notes.append(made("note_first_part", {}))
        notes += _frame_notes(frame)
        notes += [sound.note] if sound.note is not None else []
        return VideoFacts(
            width,
            height,
            frames,
            fps,
            seconds,
            context.codec.canonical_name,
            context.pix_fmt or frame.format.name,
            sound.channels > 0,
            orientation.degrees,
            uneven >= max(1, _UNEVEN_SHARE * len(steps)),
            tuple(notes),
            orientation.turned_over,
            sound.channels,
            sound.lost,
        )


def _frames_and_rate(packets: int, seconds: float, track: VideoStream) -> tuple[int, float]:
    """(frames, frames per second). Where each packet holds one field, two packets are a frame."""
    fps = packets / seconds
    if track.average_rate:
        average = float(track.average_rate)
        if abs(fps / average - 2) < 2 * _FIELDS:
            return -(-packets // 2), average
        if abs(fps / average - 1) < 0.005:
            return packets, average
    return packets, fps


def _frame_notes(frame: VideoFrame) -> list[Notice]:
    """What is converted in the pictures, by the first of them."""
    notes: list[Notice] = []
    if frame.interlaced_frame:
        notes.append(made("note_interlaced", {}))
    if frame.color_trc in _HDR_CURVES:
        notes.append(made("note_hdr", {}))
    if see_through(frame):
        notes.append(made("note_transparent", {}))
    return notes


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
    """Writes frames `first_frame` .. `first_frame + frames` of the part that begins at `start`, at `fps`.

    Frame i is the source frame nearest to `start` + i / fps; after the end of the source its last frame is
    repeated. `frames` 0: all of `seconds`, at most to the end; `seconds` 0: to the end. The result is
    upright, has no sound, and is scaled down (never up) until it just covers `size`, with even sides (0 x 0:
    not scaled). H.264 of this `crf`, or FFV1 in Matroska when `lossless`. Returns width, height, frames, fps.
    Raises BadMedia.
    """
    with ExitStack() as stack:

        def source() -> Source:
            container = stack.enter_context(opened(path, name, field))
            return container, _track(container, name, field)

        container, track = source()
        picker = FramePicker((container, track), source)
        full = picker.source_size()
        if full is None:
            raise check.damaged(name, field, "no frame could be decoded")
        rate = Fraction(min(fps or float(track.average_rate or 16), _MAX_FPS)).limit_denominator(1001)
        hold = bool(frames)
        if not frames:
            frames = max(1, round(min(seconds or VIDEO_PART_MAX, VIDEO_PART_MAX) * rate) - first_frame)
        begin = start + float(first_frame / rate)
        stored = covering(full, size)
        with Writer(out, rate, stored, lossless, crf, full) as writer:
            made = 0
            expected = frames if hold else min(frames, (_claimed_seconds(container, track) - begin) * rate)
            for frame in picker.at(begin, rate, frames, hold):
                writer.add(frame, upright_size(frame, track))
                made += 1
                progress(min(1.0, made / max(1, expected)))
        if not made:
            raise check.no_picture_at(begin, name, field)
        if not hold and made < (1 - _LOST_SHARE) * expected and picker.broken_share > _LOST_SHARE:
            raise check.damaged(name, field, f"{made} of {expected:.0f} frames could be decoded")
        return (*stored, made, float(rate))


def covering(source: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The source's size scaled down until it just covers `size`, with even sides; never scaled up."""
    factor = 1.0
    if size[0] > 0 and size[1] > 0:
        factor = min(1.0, max(size[0] / source[0], size[1] / source[1]))
    width, height = (max(2, 2 * round(side * factor / 2)) for side in source)
    return width, height


def _track(container: InputContainer, name: str, field: str) -> VideoStream:
    track = picture_track(container)
    if track is not None:
        return track
    if moving_tracks(container):
        raise check.codec_unknown(name, field)
    raise (check.no_pictures if container.streams.audio else timing.no_frame)(name, field)


def _claimed_seconds(container: InputContainer, track: VideoStream) -> float:
    """The length in seconds from the header, for a note and for the progress; 0 when it has none."""
    if track.duration and track.time_base:
        began = track.start_time or 0
        return float((track.duration - (began if 0 < began < track.duration else 0)) * track.time_base)
    return container.duration / 1_000_000 if container.duration else 0.0


def _times(
    container: InputContainer, track: VideoStream, name: str, field: str
) -> tuple[list[float], float, Reader]:
    """The sorted times of all frames in seconds from the first one, without decoding them, and how long the
    last one lasts. Packets without a time, as in AVI and bare streams, follow each other at the usual
    distance."""
    reader, step = Reader(container, track), usual_step(track)
    back = max(JUMP_BACK, 4 * step)
    recordings: list[list[float]] = [[]]
    last: float | None = None
    count = 0
    final = (0.0, 0.0)
    for packet in reader.demux():
        if not packet.size or packet.is_discard:
            continue
        order = packet.dts if packet.dts is not None else packet.pts
        if order is not None:
            at = float(order * packet.time_base)
        else:
            at = 0.0 if last is None else last + step
        if last is not None and at < last - back:
            recordings.append([])
            final = (0.0, 0.0)
        shown = at if packet.pts is None else float(packet.pts * packet.time_base)
        recordings[-1].append(shown)
        if len(recordings[-1]) == 1 or shown >= final[0]:
            final = (shown, float((packet.duration or 0) * packet.time_base))
        last = at
        count += 1
        if count > VIDEO_MAX_FRAMES:
            raise check.too_heavy(name, field, f"more than {VIDEO_MAX_FRAMES} frames", "video")
    if not count:
        raise check.damaged(name, field, "no packet") if reader.cut else timing.no_frame(name, field)
    timeline = Timeline(step, 0.0)
    return [timeline.at(time) for times in recordings for time in sorted(times)], final[1], reader


class _Sound(NamedTuple):
    """A video's sound: its channels, 0 where it cannot be used; and what is to be said of it."""

    channels: int = 0
    note: Notice | None = None

    @property
    def lost(self) -> bool:
        return not self.channels and self.note is not None


def _sound(path: str, name: str, field: str) -> _Sound:
    """What the sound of the video is, from its first frame."""
    with opened(path, name, field) as container:
        if not container.streams.audio:
            return _Sound()
        try:
            track = sound_track(container)
            if track is None:
                return _Sound(0, made("note_its_sound_unknown", {}))
            frame = next(Reader(container, track).frames(), None)
        except ProtectedError:
            return _Sound(0, made("note_its_sound_encrypted", {}))
        if frame is None:
            return _Sound(0, made("note_its_sound_damaged", {}))
        channels = frame.layout.nb_channels
        stereo = made("note_its_sound_to_stereo", {"channels": channels}) if channels > 2 else None
        return _Sound(channels, stereo)

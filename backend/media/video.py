"""Results inside the child process: facts, and the first frame as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from backend.media import check
from backend.media.container import Reader, opened, picture_track
from backend.media.deinterlace import progressive
from backend.media.encode import on_white
from backend.media.facts import VideoFacts
from backend.media.orientation import of_frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


def facts(path: str, name: str) -> VideoFacts:
    """Facts about the video. Frames are counted by decoding only where the header has no count.

    Raises BadMedia when the file is not a readable video.
    """
    with opened(path, name) as container:
        stream = _track(container, name)
        context = stream.codec_context
        fps = float(stream.average_rate or 0)
        frames = stream.frames or sum(1 for _ in container.decode(stream))
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = frames / fps if fps else 0.0
        return VideoFacts(
            context.width,
            context.height,
            frames,
            fps,
            seconds,
            context.name,
            context.pix_fmt or "",
            bool(container.streams.audio),
        )


def first_frame(path: str, out: str, name: str, max_side: int) -> tuple[int, int]:
    """Writes the first frame to `out` as JPEG, at most `max_side` pixels a side. Returns width, height."""
    with opened(path, name) as container:
        frame = next(progressive(Reader(container, _track(container, name)).frames()), None)
        if frame is None:
            raise check.not_a_video(name)
        image = _picture(frame)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    image.save(out, format="JPEG", quality=85, optimize=True)
    return image.size


def _track(container: InputContainer, name: str) -> VideoStream:
    track = picture_track(container)
    if track is None:
        raise check.not_a_video(name)
    track.thread_count = 1
    return track


def _picture(frame: VideoFrame) -> Image.Image:
    image = on_white(frame).to_image()
    image.info.clear()
    return of_frame(frame).of_image(image)

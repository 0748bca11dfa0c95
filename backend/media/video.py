"""Videos inside the child process: facts, first frame, last frame. PyAV is loaded on first use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image

from backend.media import check
from backend.media.facts import VideoFacts
from backend.media.normalise import regular_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

_TAIL_SECONDS = 2


def facts(path: str, name: str) -> VideoFacts:
    """Figures of the video; frames are counted by decoding only where the file does not say them.

    Raises BadMedia when the file is no video that can be read.
    """
    with _opened(path, name) as container:
        stream = container.streams.video[0]
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
    """Write the first frame to `out` as JPEG, at most `max_side` pixels a side. Returns width, height."""
    with _opened(path, name) as container:
        frame = next(container.decode(container.streams.video[0]), None)
        if frame is None:
            raise check.not_a_video(name)
        image = _picture(frame)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    image.save(out, format="JPEG", quality=85, optimize=True)
    return image.size


def last_frame(path: str, out: str, name: str) -> tuple[int, int]:
    """Write the last frame to `out` as PNG in full size. Returns width, height."""
    with _opened(path, name) as container:
        stream = container.streams.video[0]
        if stream.duration and stream.time_base:
            start = stream.duration - int(_TAIL_SECONDS / stream.time_base)
            if start > 0:
                container.seek(start, stream=stream)
        last: VideoFrame | None = None
        for frame in container.decode(stream):
            last = frame
        if last is None:
            raise check.not_a_video(name)
        image = _picture(last)
    image.save(out, format="PNG", compress_level=1)
    return image.size


def _picture(frame: VideoFrame) -> Image.Image:
    image = frame.to_image()
    image.info.clear()
    return image


@contextmanager
def _opened(path: str, name: str) -> Iterator[InputContainer]:
    import av
    from av.error import FFmpegError

    with regular_file(path, name) as file:
        head = file.read(16)
        file.seek(0)
        # Named, never guessed: FFmpeg would also take playlists, which open other files and addresses.
        form = "mp4" if head[4:8] == b"ftyp" else "matroska" if head[:4] == b"\x1aE\xdf\xa3" else ""
        if not form:
            raise check.not_a_video(name)
        try:
            with av.open(file, mode="r", format=form) as container:
                if not container.streams.video:
                    raise check.not_a_video(name)
                container.streams.video[0].thread_count = 1
                yield container
        except FFmpegError as error:
            raise check.damaged(name, detail=str(error)) from error

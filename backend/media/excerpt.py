"""The last frames of a finished video for the engine, without loss, inside the child process.

Engines write files without a colour matrix in BT.601 at any size, so such files are read as BT.601.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from PIL import Image

from backend.media import check
from backend.media.container import Reader, opened, picture_track
from backend.media.encode import on_white

if TYPE_CHECKING:
    import numpy as np
    from av.video.frame import VideoFrame

_UNKNOWN, _BT601 = 2, 5


def last_frames(
    path: str, out: str, name: str, frame: int, count: int, size: tuple[int, int],
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[int, int, int, float]:  # fmt: skip
    """Writes the `count` frames that end with `frame` to `out` as FFV1 in Matroska, scaled to `size`. Returns
    width, height, frames, fps. Raises BadMedia where there are fewer."""
    import av

    pictures, rate = _frames(path, name, frame, count, progress), _rate(path, name)
    with av.open(out, "w", format="matroska", container_options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.pix_fmt = "bgr0"  # FFV1's 8-bit RGB: no colour conversion
        stream.width, stream.height = size
        stream.codec_context.time_base = 1 / rate
        stream.codec_context.thread_count = 1
        stream.options = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"}
        for number, pixels in enumerate(pictures):
            if (pixels.shape[1], pixels.shape[0]) != size:
                scaled = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
                made = av.VideoFrame.from_image(scaled)
            else:
                made = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            made = made.reformat(format="bgr0")
            made.pts, made.time_base = number, stream.codec_context.time_base
            container.mux(stream.encode(made))
        container.mux(stream.encode(None))
    return (*size, len(pictures), float(rate))


def _rate(path: str, name: str) -> Fraction:
    with opened(path, name) as container:
        track = picture_track(container)
        return Fraction(track.average_rate or 16 if track is not None else 16).limit_denominator(1001)


def _frames(
    path: str, name: str, frame: int, count: int, progress: Callable[[float], None]
) -> list[np.ndarray]:
    """`count` frames up to `frame` as RGB; -1: the last one."""
    kept: deque[VideoFrame] = deque(maxlen=count)
    last = -1
    with opened(path, name) as container:
        track = picture_track(container)
        if track is None:
            raise check.not_a_video(name)
        for number, decoded in enumerate(Reader(container, track).frames()):
            kept.append(decoded)
            last = number
            progress(min(1.0, (number + 1) / max(1, track.frames or 1)))
            if number == frame:
                break
        if len(kept) < count or frame > last:
            raise check.damaged(name, detail=f"there are no {count} frames up to {frame}")
        return [_rgb(each) for each in kept]


def _rgb(frame: VideoFrame) -> np.ndarray:
    source = _BT601 if int(frame.colorspace) == _UNKNOWN else None
    shown: Any = on_white(frame).reformat(format="rgb24", src_colorspace=source)
    pixels: np.ndarray = shown.to_ndarray()
    return pixels

"""Encodes frames to a file inside the child process: scaled, upright, BT.601, with reproducible bytes."""

from __future__ import annotations

import gc
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.media.orientation import UPRIGHT, Orientation, of_frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

CRF = 12
_THREADS = 2
"""Fixed, because the bytes that x264 writes depend on the number of threads."""
# FFmpeg's numbers of the colour matrices that swscale can convert.
_SPACES = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}
_SPACE_709, _SPACE_601, _SPACE_UNKNOWN = 1, 5, 2
_LIMITED_RANGE = 1
_SMPTE_170M = 6
_HD = 720
_BLEND_ROWS = 128
_SAME_RATIO = 0.02
"""By how much the ratio of a frame may differ, as a share, without bars."""
_COLLECT_BYTES = 160_000_000
"""A frame of PyAV and its side data refer to each other, so that a frame whose orientation was read stays in
memory (12 to 70 MB in 4K) until the garbage collector runs, which counts objects, not bytes."""


class Writer:
    """An encoder and its file. Equal frames give equal bytes: no dates, no versions, a fixed thread count."""

    def __init__(
        self,
        out: str,
        rate: Fraction,
        size: tuple[int, int],
        lossless: bool,
        crf: int = CRF,
        full: tuple[int, int] | None = None,
    ) -> None:
        """`full`: the upright size of the frames, in whose ratio `size` is; None: any frame fills `size`."""
        import av
        from av.video.reformatter import VideoReformatter

        self._size, self._full = size, full
        self._scaler = VideoReformatter()
        self._container = av.open(
            out,
            "w",
            format="matroska" if lossless else "mp4",
            container_options={"fflags": "+bitexact"} | ({} if lossless else {"movflags": "+faststart"}),
        )
        self._format = "yuv420p"
        codec = "ffv1" if lossless else "libx264"
        stream: Any = self._container.add_stream(codec, rate=rate)
        self._stream = stream
        stream.width, stream.height = size
        stream.pix_fmt = self._format
        context = stream.codec_context
        context.thread_count = _THREADS
        context.time_base = 1 / rate
        # BT.601: what readers that ignore the tag assume.
        context.colorspace, context.color_range = _SMPTE_170M, _LIMITED_RANGE
        if not lossless:
            # At this crf ultrafast has the quality of veryfast (44 dB PSNR on difficult pictures) in a third
            # of the time and 1.5 times the size; only an engine reads the file. Another crf means that size
            # counts.
            preset = "ultrafast" if crf == CRF else "veryfast"
            stream.options = {"crf": str(crf), "preset": preset, "g": "16", "bf": "0"}
        self._source: VideoFrame | None = None
        self._ready: VideoFrame | None = None
        self._count = self._held = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def add(self, frame: VideoFrame, shown: tuple[int, int] | None = None) -> None:
        """Writes the frame, scaled and upright. A repeated frame is not scaled again. `shown`: its upright
        size; one of another ratio, since a recording may change in the middle, gets black bars."""
        if frame is not self._source or self._ready is None:
            self._source, self._ready = frame, self._scaled(frame, self._inner(shown))
        ready = self._ready
        ready.pts, ready.time_base = self._count, self._stream.codec_context.time_base
        ready.pict_type = 0
        self._container.mux(self._stream.encode(ready))
        self._count += 1

    def _inner(self, shown: tuple[int, int] | None) -> tuple[int, int]:
        """The part of the size that a frame of this upright size fills."""
        if shown is None or self._full is None:
            return self._size
        wider = shown[0] * self._full[1] / (shown[1] * self._full[0])
        if abs(wider - 1) <= _SAME_RATIO:
            return self._size
        width, height = self._size[0] * min(1.0, wider), self._size[1] / max(1.0, wider)
        return max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2))

    def _scaled(self, frame: VideoFrame, inner: tuple[int, int]) -> VideoFrame:
        orientation = of_frame(frame)
        self._held += sum(plane.buffer_size for plane in frame.planes)
        if self._held > _COLLECT_BYTES:
            gc.collect()
            self._held = 0
        width, height = orientation.size(*inner)
        frame = on_white(frame)
        space = _SPACES.get(int(frame.colorspace), _SPACE_601)
        if frame.colorspace == _SPACE_UNKNOWN and min(frame.width, frame.height) >= _HD:
            space = _SPACE_709  # the usual matrix of untagged HD
        small = self._scaler.reformat(
            frame,
            width,
            height,
            self._format,
            src_colorspace=space,
            dst_colorspace=_SPACE_601,
            dst_color_range=_LIMITED_RANGE,
            interpolation="BICUBIC" if width * 2 > frame.width else "AREA",
            threads=1,
        )
        whole = upright(small, orientation)
        return (whole if inner == self._size else _in_bars(whole, self._size)).reformat(format=self._format)


def _in_bars(frame: VideoFrame, size: tuple[int, int]) -> VideoFrame:
    """The frame in the middle of a black one."""
    import av

    inner: Any = frame.reformat(format="yuv444p").to_ndarray()
    planes = np.empty((3, size[1], size[0]), np.uint8)
    planes[0], planes[1:] = 16, 128
    left, top = (size[0] - frame.width) // 2, (size[1] - frame.height) // 2
    planes[:, top : top + frame.height, left : left + frame.width] = inner
    made = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    return made


def upright(frame: VideoFrame, orientation: Orientation) -> VideoFrame:
    """The frame as it is to be shown; cheaper after scaling down."""
    if orientation == UPRIGHT:
        return frame
    import av

    planes: Any = orientation.of_planes(frame.reformat(format="yuv444p").to_ndarray())
    made = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    made.colorspace, made.color_range = frame.colorspace, frame.color_range
    return made


def see_through(frame: VideoFrame) -> bool:
    """Whether the frame has transparent parts."""
    return _alpha(frame) is not None


def on_white(frame: VideoFrame) -> VideoFrame:
    """The frame with white behind its transparent parts, as in a picture."""
    pixels = _alpha(frame)
    if pixels is None:
        return frame
    import av

    blended = np.empty((*pixels.shape[:2], 3), np.uint8)
    for row in range(0, len(pixels), _BLEND_ROWS):  # numbers of 16 bits for a whole 4K frame take 200 MB
        rows = pixels[row : row + _BLEND_ROWS]
        alpha = rows[:, :, 3:].astype(np.uint16)
        blended[row : row + _BLEND_ROWS] = (rows[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    made = av.VideoFrame.from_ndarray(blended, format="rgb24")
    made.pts, made.time_base = frame.pts, frame.time_base
    return made


def _alpha(frame: VideoFrame) -> np.ndarray | None:
    """The frame as RGBA where it has transparent parts, else None."""
    parts = frame.format.components
    if frame.format.name != "pal8" and not any(part.is_alpha for part in parts):
        return None
    pixels: Any = frame.reformat(format="rgba").to_ndarray()
    return pixels if int(pixels[:, :, 3].min()) < 255 else None

"""Joining results inside the child process: frames to a lossless video, segments to one video with sound."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any

import numpy as np
from PIL import Image

from backend.media import check
from backend.media.container import Reader, opened, picture_track, sound_track
from backend.media.facts import SOUND_PART_MAX
from backend.media.pictures import regular_file
from backend.media.sound_reader import SoundReader, output_rate

_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_SAMPLES = 1024


def frames_to_video(
    pictures: Sequence[str], out: str, name: str, fps: float, progress: Callable[[float], None]
) -> tuple[int, int, int]:
    """Writes PNGs of one size as lossless FFV1 in Matroska. Returns width, height, frames."""
    import av

    rate = Fraction(fps).limit_denominator(1001)
    size: tuple[int, int] = (0, 0)
    with av.open(out, "w", format="matroska", container_options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.pix_fmt = "bgr0"  # FFV1's 8-bit RGB: no colour conversion
        stream.codec_context.time_base = 1 / rate
        stream.codec_context.thread_count = 1
        stream.options = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"}
        for i, path in enumerate(pictures):
            with regular_file(path, name) as file, Image.open(file, formats=["PNG"]) as image:
                pixels = np.asarray(image.convert("RGB"))
            if not i:
                size = (pixels.shape[1], pixels.shape[0])
                stream.width, stream.height = size
            elif size != (pixels.shape[1], pixels.shape[0]):
                raise check.damaged(name, detail=f"frame {i} has another size")
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = i, stream.codec_context.time_base
            container.mux(stream.encode(frame))
            progress((i + 1) / len(pictures))
        container.mux(stream.encode(None))
    return (*size, len(pictures))


def join(
    videos: Sequence[str],
    out: str,
    name: str,
    sound: str,
    frames: int,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[int, int, int, float]:
    """Concatenates H.264 segments without encoding them again, and adds the sound (if any) as one AAC track,
    cut to the length of the pictures.

    `frames` 0: all. Returns width, height, frames, fps. Raises BadMedia when the segments do not fit.
    """
    import av

    with (
        opened(videos[0], name) as first,
        av.open(
            out,
            "w",
            format="mp4",
            container_options={"movflags": "+faststart", "fflags": "+bitexact"},
        ) as target,
    ):
        model = picture_track(first)
        if model is None or model.codec_context.name != "h264":
            raise check.damaged(name, detail="the first segment is not H.264")
        stream = target.add_stream_from_template(model)
        pictures = _VideoPackets(videos, name, stream, frames)
        size = (model.codec_context.width, model.codec_context.height)
        if not sound:
            for _, packet in pictures.packets(progress):
                target.mux(packet)
        else:
            with opened(sound, name, kind="sound") as container:
                track = sound_track(container)
                if track is None:
                    raise check.no_sound(name)
                seconds = min(SOUND_PART_MAX, pictures.seconds)
                encoder = AacEncoder(SoundReader(container, track), target, 0.0, seconds)
                for _, packet in heapq.merge(
                    pictures.packets(progress), encoder.packets(), key=lambda pair: pair[0]
                ):
                    target.mux(packet)
    return (*size, pictures.written, float(pictures.rate))


class _VideoPackets:
    """The packets of all segments on one timeline, counted in frames. The constructor raises BadMedia when a
    segment does not fit, before anything is written."""

    def __init__(self, videos: Sequence[str], name: str, stream: Any, frames: int) -> None:
        self._videos, self._name, self._stream = videos, name, stream
        self._limit = frames
        self._delay = 0  # the largest reordering by B-frames, in frames
        self.rate = Fraction(0)
        self.written = 0
        self._packets = 0
        count = 0
        for i, path in enumerate(videos):
            with opened(path, name) as container:
                track = self._track(container, i)
                for at, (_, number) in enumerate(self._numbered(container, track)):
                    self._delay = max(self._delay, at - number)
                    count += 1
        self.seconds = float(min(count, frames or count) / self.rate)

    def packets(self, progress: Callable[[float], None]) -> Iterator[tuple[float, Any]]:
        """(time in seconds, packet), in decoding order."""
        offset = 0
        for i, path in enumerate(self._videos):
            with opened(path, self._name) as container:
                held: list[Any] = []
                for packet, number in self._numbered(container, self._track(container, i)):
                    packet.time_base, packet.pts, packet.duration = 1 / self.rate, offset + number, 1
                    packet.stream = self._stream
                    held.append(packet)
                    # Frames beyond the limit are kept only where an earlier frame depends on them.
                    if not self._limit or offset + number < self._limit:
                        yield from self._released(held)
                        held = []
            offset = self.written
            progress((i + 1) / len(self._videos))

    def _released(self, packets: list[Any]) -> Iterator[tuple[float, Any]]:
        for packet in packets:
            packet.dts = self._packets - self._delay
            self._packets += 1
            self.written = max(self.written, packet.pts + 1)
            yield float(packet.dts / self.rate), packet

    def _track(self, container: Any, index: int) -> Any:
        track = picture_track(container)
        ours = bytes(self._stream.codec_context.extradata or b"")
        if track is None or bytes(track.codec_context.extradata or b"") != ours:
            raise check.damaged(self._name, detail=f"segment {index + 1} has other codec parameters")
        self.rate = self.rate or Fraction(track.average_rate or 16)
        return track

    def _numbered(self, container: Any, track: Any) -> Iterator[tuple[Any, int]]:
        """The segment's packets with their frame numbers, from 0."""
        start = track.start_time or 0
        for packet in Reader(container, track).demux():
            if packet.size:
                yield packet, round((packet.pts - start) * packet.time_base * self.rate)


class AacEncoder:
    """Encodes a part of a sound as AAC packets. The constructor adds the track to `target`."""

    def __init__(
        self, reader: SoundReader, target: Any, start: float, seconds: float, bit_rate: int = 0
    ) -> None:
        """`bit_rate`: bits a second; 0 for a transparent one."""
        import av

        self._blocks = reader.output(start, seconds)
        self._first = next(self._blocks, None)
        if self._first is None:
            return
        self._rate = output_rate(reader.rate)
        wanted = self._rate if self._rate in _AAC_RATES else 48_000
        self._layout = "mono" if len(self._first) == 1 else "stereo"
        # FFmpeg's default search (twoloop) turns an abrupt end into a click half as loud as the sound.
        options = {"aac_coder": "fast"}
        self._stream = target.add_stream("aac", rate=wanted, layout=self._layout, options=options)
        self._stream.bit_rate = bit_rate or (192_000 if self._layout == "mono" else 256_000)
        self._resampler = av.AudioResampler("fltp", self._layout, wanted, _AAC_SAMPLES)
        self._sent = 0

    def packets(self) -> Iterator[tuple[float, Any]]:
        """(time in seconds, packet)."""
        import av

        if self._first is None:
            return
        for block in chain((self._first,), self._blocks):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout=self._layout
            )
            frame.sample_rate = self._rate
            yield from self._encoded(self._resampler.resample(frame))
        yield from self._encoded(self._resampler.resample(None))
        yield from self._encoded([None])

    def _encoded(self, frames: list[Any]) -> Iterator[tuple[float, Any]]:
        for frame in frames:
            if frame is not None:
                frame.pts, frame.time_base = self._sent, Fraction(1, self._stream.rate)
                self._sent += frame.samples
            for packet in self._stream.encode(frame):
                yield float(packet.pts * packet.time_base), packet

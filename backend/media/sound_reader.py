"""Reads a sound track of any supported container and codec as blocks of samples on one timeline.

A block is a float32 array (channels, samples) of about a packet; a sound is never read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.media import check
from backend.media.container import Reader, picture_track

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

Block = np.ndarray[Any, np.dtype[np.float32]]

MAX_RATE = 48_000
"""Of written files, in Hz. The model uses 16 kHz; this covers the range of hearing."""
_TIMED = ("mp4", "matroska")
_SEEKABLE = (*_TIMED, "wav", "flac")
_SEEK_FROM = 20.0
_SEEK_MARGIN = 1.0
_GAP = 0.1


class SoundReader:
    """One sound track as blocks. Time 0 is the first picture of the file, or the first sample of a file
    without pictures. `rate` (Hz), `channels` and `seconds` are known after reading."""

    def __init__(self, container: InputContainer, track: AudioStream) -> None:
        self.container, self.track = container, track
        self.format = container.format.name.split(",")[0].replace("mov", "mp4")
        self.rate = self.channels = 0
        self.samples = 0
        first: Any = picture_track(container) or track
        self._origin: float | None = None
        if first.start_time is not None and first.time_base is not None:
            self._origin = float(first.start_time * first.time_base)
        self.packets = Reader(container, track)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate if self.rate else 0.0

    def check(self, name: str, field: str) -> None:
        """Raise BadMedia when no samples were read or most packets were broken."""
        if not self.samples or self.packets.mostly_broken:
            raise check.damaged(
                name, field, f"{self.packets.broken} of {self.packets.packets} packets broken"
            )

    def blocks(self, limit: float, begin: float = 0.0) -> Iterator[Block]:
        """All samples up to `limit` seconds. Samples before `begin` seconds may be skipped by seeking."""
        if begin > _SEEK_FROM and self.format in _SEEKABLE and self.track.time_base:
            target = (self._origin or 0.0) + begin - _SEEK_MARGIN
            self.container.seek(int(target / self.track.time_base), stream=self.track)
            seeked = True
        else:
            seeked = False
        for frame in self.packets.frames():
            block = _floats(frame)
            if not self.rate:
                self.rate, self.channels = frame.sample_rate, len(block)
            if frame.sample_rate != self.rate or len(block) != self.channels or not block.shape[1]:
                self.packets.broken += 1  # another sound appended to the first
                continue
            at = self._position(frame, seeked)
            if at is not None and (not self.samples or at > self.samples + _GAP * self.rate):
                if seeked and not self.samples:
                    self.samples = max(0, at)
                yield from self._silence(min(at, int(limit * self.rate)) - self.samples)
                block = block[:, max(0, -at) :] if not self.samples else block
            self.samples += block.shape[1]
            if block.shape[1]:
                yield block
            if self.samples > limit * self.rate:
                return

    def part(self, start: float, seconds: float) -> Iterator[Block]:
        """The samples from `start` on: exactly `seconds` seconds, less only where the sound ends."""
        at = None
        for block in self.blocks(start + seconds, start):
            first, last = round(start * self.rate), round((start + seconds) * self.rate)
            at = self.samples - block.shape[1]
            piece = block[:, max(0, first - at) : max(0, last - at)]
            if piece.shape[1]:
                yield piece

    def output(self, start: float, seconds: float) -> Iterator[Block]:
        """`part` as mono or stereo of at most 48 kHz. FFmpeg's resampler keeps its state from block to
        block."""
        import av

        resampler: Any = None
        for block in self.part(start, seconds):
            if self.rate <= MAX_RATE and self.channels <= 2:
                yield block
                continue
            rate = output_rate(self.rate)
            if resampler is None:
                resampler = av.AudioResampler("fltp", "mono" if self.channels == 1 else "stereo", rate)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout=self.track.layout.name
            )
            frame.sample_rate = self.rate
            for converted in resampler.resample(frame):
                yield converted.to_ndarray()
        if resampler is not None:
            for converted in resampler.resample(None):
                yield converted.to_ndarray()

    def _position(self, frame: Any, seeked: bool) -> int | None:
        """The frame's first sample on the timeline, in samples; None: directly after the previous frame."""
        if frame.pts is None or frame.time_base is None or not (seeked or self.format in _TIMED):
            return None
        now = float(frame.pts * frame.time_base)
        if self._origin is None:
            self._origin = 0.0 if seeked else now
        return round((now - self._origin) * self.rate)

    def _silence(self, samples: int) -> Iterator[Block]:
        while samples > 0:
            count = min(samples, self.rate)
            self.samples += count
            yield np.zeros((self.channels, count), np.float32)
            samples -= count


def output_rate(rate: int) -> int:
    """The rate in Hz that a sound of this rate is written with."""
    if rate <= MAX_RATE:
        return rate
    return 44_100 if rate % 44_100 == 0 else MAX_RATE


def _floats(frame: Any) -> Block:
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return samples.astype(np.float32) / float(-np.iinfo(samples.dtype).min)
    return np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=-1.0)

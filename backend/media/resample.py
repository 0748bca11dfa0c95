"""A sound track as blocks of samples on one time line, whatever container and codec it comes from.

Samples are float32 arrays (channels, samples) of about a packet each, never a whole sound.
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
"""Of what is written. The model hears 16 kHz, people hear no more than this."""
_TIMED = ("mp4", "matroska")
_SEEKABLE = (*_TIMED, "wav", "flac")
_SEEK_FROM = 20.0
_SEEK_MARGIN = 1.0
_GAP = 0.1


class Voice:
    """One sound track as a row of blocks on a time line that begins with the file's pictures, or with
    the sound itself where there are none. `rate`, `channels`, `seconds` are known after reading."""

    def __init__(self, container: InputContainer, track: AudioStream) -> None:
        self.container, self.track = container, track
        self.form = container.format.name.split(",")[0].replace("mov", "mp4")
        self.rate = self.channels = 0
        self.samples = 0
        first: Any = picture_track(container) or track
        self._origin: float | None = None
        if first.start_time is not None and first.time_base is not None:
            self._origin = float(first.start_time * first.time_base)
        self.reader = Reader(container, track)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate if self.rate else 0.0

    def check(self, name: str, field: str) -> None:
        """Raise BadMedia when what was read is no usable sound."""
        if not self.samples or self.reader.mostly_broken:
            raise check.damaged(name, field, f"{self.reader.broken} of {self.reader.packets} packets broken")

    def blocks(self, limit: float, begin: float = 0.0) -> Iterator[Block]:
        """All samples up to `limit` seconds; `begin`: those before it may be left out."""
        if begin > _SEEK_FROM and self.form in _SEEKABLE and self.track.time_base:
            target = (self._origin or 0.0) + begin - _SEEK_MARGIN
            self.container.seek(int(target / self.track.time_base), stream=self.track)
            seeked = True
        else:
            seeked = False
        for frame in self.reader.frames():
            block = _floats(frame)
            if not self.rate:
                self.rate, self.channels = frame.sample_rate, len(block)
            if frame.sample_rate != self.rate or len(block) != self.channels or not block.shape[1]:
                self.reader.broken += 1  # a second sound behind the first
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
        """The samples from `start` on, exactly `seconds` of them unless the sound ends before."""
        at = None
        for block in self.blocks(start + seconds, start):
            first, last = round(start * self.rate), round((start + seconds) * self.rate)
            at = self.samples - block.shape[1]
            piece = block[:, max(0, first - at) : max(0, last - at)]
            if piece.shape[1]:
                yield piece

    def written(self, start: float, seconds: float) -> Iterator[Block]:
        """`part` as it is written: mono or stereo, at most 48 kHz."""
        import av

        change: Any = None
        for block in self.part(start, seconds):
            if self.rate <= MAX_RATE and self.channels <= 2:
                yield block
                continue
            rate = written_rate(self.rate)
            if change is None:
                change = av.AudioResampler("fltp", "mono" if self.channels == 1 else "stereo", rate)
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(block), format="fltp", layout=self.track.layout.name
            )
            frame.sample_rate = self.rate
            for made in change.resample(frame):
                yield made.to_ndarray()
        if change is not None:
            for made in change.resample(None):
                yield made.to_ndarray()

    def _position(self, frame: Any, seeked: bool) -> int | None:
        """The sample on the time line that the frame begins with; None: right behind the one before."""
        if frame.pts is None or frame.time_base is None or not (seeked or self.form in _TIMED):
            return None
        now = float(frame.pts * frame.time_base)
        if self._origin is None:
            self._origin = 0.0 if seeked else now
        return round((now - self._origin) * self.rate)

    def _silence(self, samples: int) -> Iterator[Block]:
        while samples > 0:
            some = min(samples, self.rate)
            self.samples += some
            yield np.zeros((self.channels, some), np.float32)
            samples -= some


def written_rate(rate: int) -> int:
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

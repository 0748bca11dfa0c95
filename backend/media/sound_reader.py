"""Reads a sound track of any supported container and codec as blocks of samples on one timeline.

A block is a float32 array (channels, samples) of about a packet, mono or stereo; a sound is never read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backend.media import check, downmix, timing
from backend.media.container import JUMP_BACK, Reader, picture_track, runs_through
from backend.media.timeline import Timeline

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

Block = np.ndarray[Any, np.dtype[np.float32]]

MAX_RATE = 48_000
"""Of written files, in Hz. The model uses 16 kHz; this covers the range of hearing."""
_TIMED = ("mp4", "matroska", "ogg")
_SEEKABLE = (*_TIMED, "wav", "flac")
_SEEK_FROM = 20.0
_SEEK_MARGIN = 1.0
_GAP = 0.1
_DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}


class Form(NamedTuple):
    """Rate in Hz and channels (1 or 2) of the blocks of a sound."""

    rate: int
    channels: int


class SoundReader:
    """One sound track as blocks. Time 0 is the first picture of the file, or the first sample of a file
    without pictures.

    A sound may change in the middle: all blocks have the form of its first frame, or `form`. Known after
    reading: `rate` (Hz) and `seconds`; `channels`, the most that the track has; `best`, the form that loses
    nothing of what was read.
    """

    def __init__(self, container: InputContainer, track: AudioStream, form: Form | None = None) -> None:
        self.container, self.track = container, track
        self.format = container.format.name.split(",")[0].replace("mov", "mp4")
        self.rate, self.width = form or (0, 0)
        self.channels = 0
        self.best = form or Form(0, 0)
        self.samples = 0
        pictures: Any = picture_track(container)
        first: Any = pictures or track
        self._timed = self.format in _TIMED or pictures is not None
        self._origin: float | None = None
        if first.start_time is not None and first.time_base is not None:
            self._origin = float(first.start_time * first.time_base)
        self._timeline = Timeline(0.0, JUMP_BACK, self._origin)
        self._converter = _Converter()
        self.packets = Reader(container, track)

    @property
    def seconds(self) -> float:
        return self.samples / self.rate if self.rate else 0.0

    @property
    def form(self) -> Form:
        """Of the blocks."""
        return Form(self.rate, self.width)

    def check(self, name: str, field: str) -> None:
        """Raises BadMedia when no samples were read or most packets were broken."""
        if not self.packets.packets and not self.packets.cut:
            timing.length(0.0, "sound", name, field)
        if not self.samples or self.packets.mostly_broken:
            raise check.damaged(
                name, field, f"{self.packets.broken} of {self.packets.packets} packets broken"
            )

    def blocks(self, limit: float, begin: float = 0.0) -> Iterator[Block]:
        """All samples up to `limit` seconds. Samples before `begin` seconds may be skipped by seeking."""
        seeked = self._seek(begin)
        for frame in self.packets.frames():
            if not frame.samples or not frame.sample_rate:
                continue
            self._note(frame)
            at = self._position(frame, seeked)
            for block in self._converter.blocks(frame, self.form):
                if at is not None and (not self.samples or at > self.samples + _GAP * self.rate):
                    if seeked and not self.samples:
                        self.samples = max(0, at)
                    yield from self._silence(min(at, int(limit * self.rate)) - self.samples)
                    block = block[:, max(0, -at) :] if not self.samples else block
                at = None
                self.samples += block.shape[1]
                if block.shape[1]:
                    yield block
            if self.samples > limit * self.rate:
                return
        for block in self._converter.rest():
            self.samples += block.shape[1]
            yield block

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
        """`part` at no more than 48 kHz."""
        rest = _Rate()
        for block in self.part(start, seconds):
            yield from rest.blocks(block, self.rate, output_rate(self.rate))
        yield from rest.rest()

    def _seek(self, begin: float) -> bool:
        """Goes to shortly before `begin` where the container allows it exactly. Whether it did."""
        if begin <= _SEEK_FROM or self.format not in _SEEKABLE or not self.track.time_base:
            return False
        if self._timed and not runs_through(self.container, self.track, begin):
            self.container.seek(int((self._origin or 0.0) / self.track.time_base), stream=self.track)
            return False
        target = (self._origin or 0.0) + begin - _SEEK_MARGIN
        self.container.seek(int(target / self.track.time_base), stream=self.track)
        return True

    def _note(self, frame: AudioFrame) -> None:
        """Remembers what the sound is; the first frame decides what the blocks are."""
        channels = frame.layout.nb_channels
        self.channels = max(self.channels, channels)
        self.best = Form(max(self.best.rate, frame.sample_rate), max(self.best.channels, min(2, channels)))
        if not self.rate:
            self.rate, self.width = frame.sample_rate, min(2, channels)

    def _position(self, frame: AudioFrame, seeked: bool) -> int | None:
        """The frame's first sample on the timeline, in samples; None: directly after the previous frame."""
        if frame.pts is None or frame.time_base is None or not (seeked or self._timed):
            return None
        now = float(frame.pts * frame.time_base)
        if seeked:
            return round((now - (self._origin or 0.0)) * self.rate)
        return round(self._timeline.at(now) * self.rate)

    def _silence(self, samples: int) -> Iterator[Block]:
        while samples > 0:
            count = min(samples, self.rate)
            self.samples += count
            yield np.zeros((self.width, count), np.float32)
            samples -= count


class _Converter:
    """Frames of a track, whatever their layout and rate, as blocks of one form."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._matrix = np.zeros((0, 0), np.float32)
        self._rate = _Rate()

    def blocks(self, frame: AudioFrame, form: Form) -> Iterator[Block]:
        block = self._mixed(floats(frame), frame, form.channels)
        yield from self._rate.blocks(block, frame.sample_rate, form.rate)

    def rest(self) -> Iterator[Block]:
        """What is held back at the end."""
        yield from self._rate.rest()

    def _mixed(self, block: Block, frame: AudioFrame, width: int) -> Block:
        names = tuple(channel.name for channel in frame.layout.channels)
        if len(block) > 1 and not (len(block) == 2 and _plain_stereo(names)):
            if names != self._names:
                self._names, self._matrix = names, downmix.stereo(names)
            block = self._matrix @ block
        if len(block) == width:
            return block
        return np.repeat(block, 2, axis=0) if width == 2 else block.mean(axis=0, keepdims=True)


def _plain_stereo(names: tuple[str, ...]) -> bool:
    return names in (("FL", "FR"), ("DL", "DR"), ("BIL", "BIR")) or names[0] == names[1]


class _Rate:
    """Blocks at another rate. FFmpeg's resampler keeps its state from block to block."""

    def __init__(self) -> None:
        self._resampler: Any = None
        self._between = (0, 0, 0)

    def blocks(self, block: Block, source: int, target: int) -> Iterator[Block]:
        import av

        between = (source, target, len(block))
        if between != self._between:
            yield from self.rest()
            self._between = between
        if source == target:
            yield block
            return
        layout = "mono" if len(block) == 1 else "stereo"
        if self._resampler is None:
            self._resampler = av.AudioResampler("fltp", layout, target)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
        frame.sample_rate = source
        for converted in self._resampler.resample(frame):
            yield floats(converted)

    def rest(self) -> Iterator[Block]:
        """What the resampler still holds."""
        if self._resampler is not None:
            for converted in self._resampler.resample(None):
                yield floats(converted)
        self._resampler = None


def output_rate(rate: int) -> int:
    """The rate in Hz that a sound of this rate is written with."""
    if rate <= MAX_RATE:
        return rate
    return 44_100 if rate % 44_100 == 0 else MAX_RATE


def floats(frame: AudioFrame) -> Block:
    """The samples of a frame, (channels, samples). PyAV's `to_ndarray` reads beyond the planes of a frame of
    eight planar channels or more."""
    from av.audio.plane import AudioPlane

    channels, count = frame.layout.nb_channels, frame.samples
    dtype = np.dtype(_DTYPES[frame.format.name.removesuffix("p")])
    if frame.format.is_planar:
        planes: list[Any] = [AudioPlane(frame, index) for index in range(channels)]
        samples = np.stack([np.frombuffer(plane, dtype, count) for plane in planes])
    else:
        packed: Any = AudioPlane(frame, 0)
        samples = np.frombuffer(packed, dtype, count * channels).reshape(-1, channels).T
    if dtype.kind == "u":
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if dtype.kind == "i":
        return samples.astype(np.float32) / np.float32(-float(np.iinfo(dtype).min))
    return np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=1.0, neginf=-1.0)

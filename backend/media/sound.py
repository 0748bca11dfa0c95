"""Sounds inside the child process: facts, the waveform, and a part as WAV.

Samples are float32 arrays (channels, samples) of about a packet each; a sound is never read whole.
"""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backend.media import check, timing
from backend.media.container import Reader, ends_early, opened, picture_track, sound_track
from backend.media.facts import SILENT_BELOW, SOUND_FILE_MAX, SOUND_PART_MAX, WAVE_POINTS_MAX, SoundFacts
from backend.media.layouts import kept
from backend.media.sound_edit import pcm16, silence
from backend.media.sound_reader import MAX_RATE, Block, Form, SoundReader, output_rate
from workflows.notice import Notice, made

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_WAVE_BLOCK = 0.01
_LEVEL_BLOCK = 0.1
LEVEL_RMS_DB = -18.0
"""Loudness after levelling, of the blocks that are not silent: a common level for speech."""
LEVEL_PEAK_DB = -1.0
_LEVEL_GAIN_MAX_DB = 30.0
_LEVEL_GATE = 1e-4
_CLIPPED_CLAIM = 1.05


def facts(path: str, name: str, field: str = "", max_mb: int = 0) -> SoundFacts:
    """Facts about the file's sound, after decoding all of it. A file whose packets are longer than
    SOUND_FILE_MAX seconds is refused without decoding. Raises BadMedia."""
    with opened(path, name, field, max_mb, "sound") as container:
        track = _track(container, name, field)
        claimed = _claimed_seconds(container, track, Path(path).stat().st_size)
        if claimed > SOUND_FILE_MAX and (counted := _counted_seconds(path, name, field)) > SOUND_FILE_MAX:
            timing.length(counted, "sound", name, field)
        reader = SoundReader(container, track)
        peak = 0.0
        for block in reader.blocks(limit=SOUND_FILE_MAX + 1):
            peak = max(peak, _peak(block))
        reader.check(name, field)
        timing.length(reader.seconds, "sound", name, field)
        silent = peak < SILENT_BELOW
        notes: list[Notice] = []
        if silent:
            notes.append(made("note_silent", {}))
        elif peak < 0.05:
            notes.append(made("note_quiet", {}))
        if reader.format in ("mp4", "wav", "flac") and reader.seconds < claimed - max(0.5, 0.02 * claimed):
            notes.append(
                made("note_cut_short", {"there_seconds": reader.seconds, "claimed_seconds": claimed})
            )
        elif reader.packets.cut or ends_early(path, container):
            notes.append(made("note_first_part", {}))
        elif reader.packets.broken > 1:
            notes.append(made("note_parts_damaged", {}))
        if picture_track(container) is not None:
            notes.append(made("note_sound_of_video", {}))
        if reader.channels > 2:
            notes.append(made("note_to_stereo", {"channels": reader.channels}))
        rate = reader.best.rate
        if rate > MAX_RATE:
            notes.append(
                made("note_lower_rate", {"from_khz": rate / 1000, "to_khz": output_rate(rate) / 1000})
            )
        if peak > _CLIPPED_CLAIM:
            notes.append(made("note_too_loud", {}))
        codec = track.codec_context.codec.canonical_name
        return SoundFacts(reader.seconds, rate, reader.channels, codec, peak, silent, tuple(notes))


def waveform(path: str, name: str, field: str, points: int) -> list[float]:
    """`points` peaks (0..1) over the whole length of the sound. Raises BadMedia."""
    points = max(1, min(points, WAVE_POINTS_MAX))
    with opened(path, name, field, kind="sound") as container:
        reader = SoundReader(container, _track(container, name, field))
        fine, rest = array("f"), np.zeros(0, np.float32)
        for block in reader.blocks(limit=SOUND_FILE_MAX + 1):
            mono = np.concatenate((rest, np.abs(block).max(axis=0)))
            size = max(1, round(reader.rate * _WAVE_BLOCK))
            whole = len(mono) // size
            fine.extend(mono[: whole * size].reshape(whole, size).max(axis=1).tolist())
            rest = mono[whole * size :]
        if len(rest):
            fine.append(float(rest.max()))
        reader.check(name, field)
    peaks = np.frombuffer(fine, np.float32)
    edges = np.arange(points) * len(peaks) // points
    highest = np.maximum.reduceat(peaks, edges) if len(peaks) else np.zeros(points)
    return [round(float(x), 4) for x in np.clip(highest, 0.0, 1.0)]


def cut(
    path: str,
    out: str,
    name: str,
    field: str,
    start: float,
    seconds: float,
    lead_in: float = 0.0,
    level: tuple[float, float] | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> float:
    """Writes the part as 16-bit WAV, mono or stereo, at most 48 kHz, after `lead_in` seconds of silence.

    `seconds` 0: to the end. `level` (start, seconds): applies the gain that brings that part of the source to
    LEVEL_RMS_DB; samples outside of that part may be clipped. Returns the seconds written. Raises BadMedia.
    """
    seconds = min(seconds or SOUND_PART_MAX, SOUND_PART_MAX)
    form: Form | None = None
    while True:
        written, best = _cut(path, out, name, field, start, seconds, lead_in, level, progress, form)
        if best.channels <= written.channels and output_rate(best.rate) <= output_rate(written.rate):
            return written.seconds
        form = best  # the sound changes in the middle; what came first would have reduced the rest


class _Written(NamedTuple):
    seconds: float
    rate: int
    channels: int


def _cut(
    path: str,
    out: str,
    name: str,
    field: str,
    start: float,
    seconds: float,
    lead_in: float,
    level: tuple[float, float] | None,
    progress: Callable[[float], None],
    form: Form | None,
) -> tuple[_Written, Form]:
    """Writes the part in this form, or in that of its first frame. What was written, and the form that loses
    nothing."""
    gain_db: float | None = None
    if level is not None:
        with opened(path, name, field, kind="sound") as container:
            reader = SoundReader(container, _track(container, name, field), form)
            gain_db = _gain_db(reader, level[0], min(level[1] or SOUND_PART_MAX, SOUND_PART_MAX), progress)
    with opened(path, name, field, kind="sound") as container:
        reader = SoundReader(container, _track(container, name, field), form)
        blocks = reader.output(start, seconds)
        first = next(blocks, None)
        if first is None:
            reader.check(name, field)
            raise check.no_sound_at(start, name, field)
        rate, channels = output_rate(reader.rate), len(first)
        written = lead_samples = round(lead_in * rate)
        with Path(out).open("wb") as file, wave.open(file, "wb") as target:
            target.setnchannels(channels)
            target.setsampwidth(2)
            target.setframerate(rate)
            target.writeframesraw(silence(lead_samples, rate, channels).raw_data)
            for block in chain((first,), blocks):
                target.writeframesraw(pcm16(block, rate, gain_db).raw_data)
                written += block.shape[1]
                progress(min(1.0, (written - lead_samples) / (seconds * rate)))
        return _Written(written / rate, rate, channels), reader.best


def _track(container: InputContainer, name: str, field: str) -> AudioStream:
    track = sound_track(container)
    if track is None:
        unknown = len(container.streams.audio) > 0
        raise check.codec_unknown(name, field, "sound") if unknown else check.no_sound(name, field)
    return track


def _counted_seconds(path: str, name: str, field: str) -> float:
    """The length in seconds of all packets, without decoding them."""
    with opened(path, name, field, kind="sound") as container:
        track = _track(container, name, field)
        packets = Reader(container, track).demux()
        return sum(float(packet.duration * packet.time_base) for packet in packets if packet.duration)


def _claimed_seconds(container: InputContainer, track: AudioStream, file_bytes: int) -> float:
    """The length in seconds from the header, at most what a PCM file of this size can hold. For a sound that
    starts late, without the time before."""
    claimed = 0.0
    if track.duration and track.time_base:
        started = track.start_time or 0
        claimed = float((track.duration - (started if 0 < started < track.duration else 0)) * track.time_base)

    elif container.duration:
        claimed = container.duration / 1_000_000
    context = track.codec_context
    if context.name.startswith("pcm_") and context.format is not None:
        # WAV files written to a pipe claim the largest 32-bit length.
        second = context.rate * kept(context.layout).nb_channels * context.format.bytes
        claimed = min(claimed, file_bytes / second) if second else claimed
    return claimed


def _peak(block: Block) -> float:
    return max(float(block.max()), -float(block.min()))


def _gain_db(reader: SoundReader, start: float, seconds: float, progress: Callable[[float], None]) -> float:
    """The gain that brings the part to LEVEL_RMS_DB where it is not silent, with no peak above LEVEL_PEAK_DB.

    Measured on floats, because the samples of a floating-point file may exceed full scale. `progress` is
    called with 0.0 after each block, so that the work is not taken for hung.
    """
    powers: list[float] = []
    peak, rest = 0.0, np.zeros(0, np.float32)
    for block in reader.part(start, seconds):
        progress(0.0)
        peak = max(peak, _peak(block))
        mono = np.concatenate((rest, np.square(block).mean(axis=0)))
        size = max(1, round(reader.rate * _LEVEL_BLOCK))
        whole = len(mono) // size
        powers += mono[: whole * size].reshape(whole, size).mean(axis=1).tolist()
        rest = mono[whole * size :]
    if len(rest):
        powers.append(float(rest.mean()))
    loudest = max(powers, default=0.0)
    if peak < SILENT_BELOW or not loudest:
        return 0.0
    heard = [power for power in powers if power >= loudest * _LEVEL_GATE]
    rms_db = 10 * math.log10(sum(heard) / len(heard))
    return min(LEVEL_RMS_DB - rms_db, LEVEL_PEAK_DB - 20 * math.log10(peak), _LEVEL_GAIN_MAX_DB)

"""Limits of time, CPU and file size for each kind of long work, from the length of the media. Pure.

A limit is several times what a slow machine with two cores needs for the largest accepted media.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backend.media.facts import SOUND_PART_MAX, VIDEO_PART_MAX
from backend.media.process import Budget

FILE_BYTES_MAX = 4_000_000_000
"""The hard limit of one written file. The child cannot raise it."""
_SMALL_FILE = 64_000_000
STALL_SECONDS = 60.0
"""The longest time without a progress report from a child during long work."""
_CORES = 2

LOOK = Budget(wall=180.0, stall=180.0, cpu=240.0, file_bytes=_SMALL_FILE)
"""For decoding an hour of sound or counting the frames of half an hour of 4K: measured 5 to 10 s."""


def _long(wall: float, file_bytes: float) -> Budget:
    return Budget(
        wall, STALL_SECONDS, _CORES * wall, int(min(FILE_BYTES_MAX, _SMALL_FILE + file_bytes)), long=True
    )


def cut_sound(
    start: float, seconds: float, silence: float, level: tuple[float, float] | None = None
) -> Budget:
    """Decoding runs at 100 times real time or faster; levelling reads its part first."""
    length = min(seconds or SOUND_PART_MAX, SOUND_PART_MAX)
    read = max(0.0, start) + length
    if level is not None:
        read += max(0.0, level[0]) + min(level[1] or SOUND_PART_MAX, SOUND_PART_MAX)
    return _long(60 + read / 5, (length + silence) * 48_000 * 4)


def cut_video(
    start: float, seconds: float, fps: float, first_frame: int, frames: int, size: tuple[int, int]
) -> Budget:
    """4K at 60 frames a second in HEVC or AV1 is decoded at about a third of real time. A file without key
    frames is decoded from its beginning."""
    fps = fps or 16.0
    length = frames / fps if frames else min(seconds or VIDEO_PART_MAX, VIDEO_PART_MAX)
    before = max(0.0, start) + first_frame / fps
    pixels = max(size[0] * size[1], 1_000_000)
    return _long(120 + 8 * length + 2 * before, length * fps * pixels * 3)


def frames_to_video(pictures: Sequence[str | Path]) -> Budget:
    """About 0.1 s a frame; FFV1 is at most slightly larger than the PNGs."""
    return _long(60 + len(pictures), 3 * _bytes(pictures))


def join(videos: Sequence[str | Path]) -> Budget:
    """Copying packets, and encoding up to ten minutes of sound."""
    return _long(120 + _bytes(videos) / 5e6, 2 * _bytes(videos) + SOUND_PART_MAX * 32_000)


def sheet(files: Sequence[str | Path]) -> Budget:
    """Up to nine videos of two minutes at once, decoded, scaled and encoded: about 0.1 s a frame."""
    return _long(300 + _bytes(files) / 2e5, 4 * _bytes(files))


def extension(pieces: Sequence[str | Path], seconds: float) -> Budget:
    """Two minutes at 720p: decoded, matched, encoded and measured at about 0.2 s a frame."""
    return _long(300 + 20 * seconds, 4 * _bytes(pieces) + 4_000_000 * seconds)


def copy(files: Sequence[str | Path]) -> Budget:
    """Copying the packets of finished videos."""
    bytes_ = min(FILE_BYTES_MAX, _SMALL_FILE + 2 * _bytes(files))
    return Budget(wall=120.0, stall=120.0, cpu=120.0, file_bytes=bytes_)


def _bytes(paths: Sequence[str | Path]) -> int:
    total = 0
    for path in map(Path, paths):
        total += path.stat().st_size if path.is_file() else 0
    return total

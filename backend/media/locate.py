"""Finds where the sound or video of a file begins: behind tags, padding or noise.

The format is always chosen here and given to FFmpeg, which would also accept playlists when guessing: those
open other files and addresses.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from backend.media.mpeg_frames import first_frames
from backend.media.sniff import HEAD_BYTES, container_of, id3_bytes, kind_of

SCAN_BYTES = 1 << 20
"""How far the first frame of a sound may lie behind noise."""
_MAX_TAGS = 8
_UNKNOWN = ("another kind of file", "a text file")
_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 1000


class Located(NamedTuple):
    """FFmpeg's name of the container, "" for none, and the offset at which it begins."""

    demuxer: str
    start: int


def locate(file: BinaryIO, head: bytes) -> Located:
    """The container in a file that begins with `head`. Frames of a sound are also found behind noise, but not
    in a file of another kind or a playlist."""
    start = 0
    for _ in range(_MAX_TAGS):
        if not (tag := id3_bytes(head)):
            break
        start += tag
        file.seek(start)
        head = file.read(HEAD_BYTES)
    if start and not head:  # nothing behind the tag, or a tag that claims more than it has
        file.seek(0)
        exact, skipped = first_frames(file.read(SCAN_BYTES))
        return Located(exact or "mp3", skipped)
    found = container_of(head) or ("apng" if not start and _moves(file, head) else "")
    if found not in ("", "mp3", "aac"):
        return Located(found, start)
    if not found and not start and kind_of(head).name not in _UNKNOWN:
        return Located("", 0)
    file.seek(start)
    exact, skipped = first_frames(file.read(SCAN_BYTES))
    if exact:
        return Located(exact, start + skipped)
    return Located(found or ("mp3" if start else ""), start)


def _moves(file: BinaryIO, head: bytes) -> bool:
    """Whether a PNG is an animation: its acTL chunk may lie behind a colour profile."""
    if not head.startswith(_PNG):
        return False
    at = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8 or chunk[4:] in (b"acTL", b"IDAT", b"IEND"):
            break
        at += 12 + int.from_bytes(chunk[:4], "big")
    return chunk[4:] == b"acTL"

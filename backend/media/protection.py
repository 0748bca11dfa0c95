"""Says whether a file or a track is encrypted (copy protection, DRM).

Common encryption of single packets is found while they are read (container.py).
"""

from __future__ import annotations

import contextlib
from typing import Any, BinaryIO

_TAGS = ("drmi", "drms", "drmt", "encv", "enca", "aavd")
"""Codec tags of Apple's protected tracks, of common encryption and of Audible."""
_KEY = "enc_key_id"
"""FFmpeg's name of the key in the metadata of an encrypted track of a Matroska or WebM."""
_ASF_OBJECTS = tuple(
    bytes.fromhex(guid)
    for guid in (
        "fbb3112223bdd211b4b700a0c955fc6e",
        "14e68a292226174cb935dae07ee9289c",
        "338505438169e6499b74ad12cb86d58c",
    )
)
"""Objects in the header of a protected WMA or WMV: content encryption, extended and advanced."""
_ASF_HEADER_MAX = 8_000_000
_TS_SYNC, _TS_PACKET, _TS_PACKETS, _TS_BYTES = b"G", 188, 5, 1 << 17
_TS_SCRAMBLED = 0xC0
_TS_SHARE = 0.5


def of_file(file: BinaryIO, form: str, start: int, head: bytes) -> bool:
    """Whether a file, whose container `form` begins at `start` with `head`, says that it is protected."""
    if form == "asf":
        file.seek(start)
        header = file.read(min(int.from_bytes(head[16:24], "little"), _ASF_HEADER_MAX))
        return any(guid in header for guid in _ASF_OBJECTS)
    if form == "mpegts":
        file.seek(start)
        return _scrambled(file.read(_TS_BYTES))
    return False


def of_track(track: Any) -> bool:
    """Whether the track of an open container is protected."""
    if _KEY in track.metadata:
        return True
    with contextlib.suppress(UnicodeDecodeError):  # a tag that is not four letters
        return track.codec_context.codec_tag in _TAGS
    return False


def _scrambled(data: bytes) -> bool:
    """Whether most packets of a transport stream are scrambled, as pay television is."""
    for size in (_TS_PACKET, 192, 204):
        for first in range(size):
            marks = data[first::size]
            if len(marks) >= _TS_PACKETS and marks[:_TS_PACKETS] == _TS_SYNC * _TS_PACKETS:
                flags = data[first + 3 :: size]
                return sum(bool(flag & _TS_SCRAMBLED) for flag in flags) > _TS_SHARE * len(flags)
    return False

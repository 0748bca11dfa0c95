"""Removes the metadata of a file without encoding it again, inside the child process.

Used for results that cannot be copied track by track, and for the files of any graph.

What says how the media look or sound stays byte for byte. Boxes of an MP4 are overwritten where they are, so
that every offset stays valid.
"""

from __future__ import annotations

import errno
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from backend.errors import BadMedia
from backend.media import check, png_text
from backend.media.container import opened
from backend.media.pictures import regular_file
from backend.media.sniff import HEAD_BYTES, kind_of

_PIECE = 1 << 20
_INNER = (b"moov", b"trak", b"mdia", b"moof", b"traf", b"mvex", b"edts")
"""Boxes that hold boxes with metadata at any depth."""
_REMOVED = (b"udta", b"meta", b"uuid", b"free", b"skip", b"wide", b"ID32")
_SHOWN = (b"vide", b"soun")
"""Handlers of tracks with pictures and sound; the others can hold texts."""
_DEPTH_MAX, _BOXES_MAX = 8, 200_000
_NAME_AT = 24
"""Bytes of a handler box before the name of its track."""
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""Segments of applications that say how a picture looks, with what they begin with: JFIF, the colour profile,
Adobe's transform."""
_JPEG_DATA = frozenset({0x00, *range(0xD0, 0xD8)})
"""What follows 0xFF within the data of a scan."""
_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_FLAGS = 0x04 | 0x08
_MUXERS = {
    "matroska": "matroska", "mov": "mp4", "mp4": "mp4", "flac": "flac", "mp3": "mp3", "ogg": "ogg",
    "wav": "wav", "aiff": "aiff", "aac": "adts", "avi": "avi",
}  # fmt: skip
"""FFmpeg's name of a container -> the muxer that writes it."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _NotStripped(ValueError):
    """The file is not built as its kind is."""


def strip(path: str, out: str, name: str) -> None:
    """Copies a picture, video or sound of any kind to `out` without its metadata; a text has none. Raises
    BadMedia for a file from which it cannot be removed."""
    with regular_file(path, name) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        kind = kind_of(head)
        try:
            if _rewritten(file, head, out):
                return
            if kind.family == "raster" and kind.name != "BMP":
                raise _NotStripped(f"the metadata of {kind.name} is not removed")
            if kind.name in ("a text file", "BMP"):
                shutil.copyfile(path, out)
                return
            try:
                return _remuxed(path, out, name, b"webm" in head[:64])
            except (BadMedia, av_error(), ValueError) as error:
                if head[4:8] != b"ftyp" or getattr(error, "errno", None) in _FULL:
                    raise
            file.seek(0)
            _blanked(file, out)
        except (_NotStripped, struct.error) as error:
            raise check.damaged(name, detail=str(error)) from None


def _rewritten(file: BinaryIO, head: bytes, out: str) -> bool:
    """Writes a picture without its metadata; False for a file that is none of the kinds that are followed."""
    with Path(out).open("wb") as target:
        if head.startswith(png_text.SIGNATURE):
            png_text.rewrite(file, target, {}, whole=False)
        elif head.startswith(b"\xff\xd8"):
            _jpeg(file, target)
        elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            _webp(file, target)
        elif head[:6] in (b"GIF87a", b"GIF89a"):
            _gif(file, target)
        else:
            return False
    return True


def av_error() -> type[Exception]:
    """The class of FFmpeg's errors; PyAV is imported when it is needed."""
    import av

    return av.FFmpegError


def _remuxed(path: str, out: str, name: str, webm: bool) -> None:
    """Copies the tracks of pictures and sound into a container of the same kind. `webm`: of the kinds of
    Matroska that for browsers."""
    import av

    with opened(path, name) as source:
        muxer = _MUXERS.get(source.format.name.partition(",")[0])
        if muxer == "matroska" and webm:
            muxer = "webm"
        if muxer is None:
            raise check.damaged(name, detail=f"the metadata of {source.format.name} is not removed")
        options = {"fflags": "+bitexact"} | ({"movflags": "+faststart"} if muxer == "mp4" else {})
        with av.open(out, "w", format=muxer, container_options=options) as target:
            copy_tracks(source, target, name)


def copy_tracks(source: Any, target: Any, name: str) -> None:
    """Copies the packets of all tracks with pictures or sound, without their metadata. `source`, `target`:
    containers of PyAV. Raises BadMedia for a file without such tracks."""
    streams = [*source.streams.video, *source.streams.audio]
    if not streams:
        raise check.no_pictures(name)
    tracks: dict[int, Any] = {}
    for stream in streams:
        tracks[stream.index] = target.add_stream_from_template(stream)
        tracks[stream.index].metadata.clear()
    for packet in source.demux(streams):
        if packet.dts is None:  # the end of a track
            continue
        packet.stream = tracks[packet.stream.index]
        target.mux(packet)


# MP4


def _blanked(file: BinaryIO, out: str) -> None:
    """Copies an MP4 and overwrites its metadata with zeros, as free space. Raises _NotStripped."""
    size = file.seek(0, 2)
    file.seek(0)
    with Path(out).open("w+b") as target:
        shutil.copyfileobj(file, target, _PIECE)
        left = [_BOXES_MAX]
        found = list(_boxes(target, 0, size, left, last_is_cut=True))
        if not any(kind == b"moov" for kind, *_ in found):
            raise _NotStripped("it has no index")
        for box in found:
            _blank(target, box, 0, left)


_Box = tuple[bytes, int, int, int]
"""Kind, position, position of the content, end."""


def _boxes(file: BinaryIO, at: int, end: int, left: list[int], last_is_cut: bool = False) -> Iterator[_Box]:
    """The boxes in a row. `left`: how many more may be read; `last_is_cut`: the last may be longer than the
    file. Raises _NotStripped."""
    while at + 8 <= end:
        left[0] -= 1
        if left[0] < 0:
            raise _NotStripped("it has too many boxes")
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        content = at + 8
        if size == 1:
            size, content = struct.unpack(">Q", file.read(8))[0], at + 16
        stop = at + size if size else end
        if stop < content or (stop > end and not last_is_cut):
            raise _NotStripped("a box is longer than what holds it")
        yield kind, at, content, min(stop, end)
        at = stop


def _blank(file: BinaryIO, box: _Box, depth: int, left: list[int]) -> None:
    kind, at, content, end = box
    if kind in _REMOVED:
        file.seek(at + 4)
        file.write(b"free")
        _zeros(file, content, end)
    elif kind == b"hdlr" and end > content + _NAME_AT:
        _zeros(file, content + _NAME_AT, end)
    elif kind in _INNER and depth < _DEPTH_MAX:
        inner = list(_boxes(file, content, end, left))
        if kind == b"mdia":
            handler = next((one for one in inner if one[0] == b"hdlr"), None)
            file.seek(handler[2] + 8 if handler else content)
            if handler is None or file.read(4) not in _SHOWN:
                raise _NotStripped("it has a track of texts")
        for one in inner:
            _blank(file, one, depth + 1, left)


def _zeros(file: BinaryIO, at: int, end: int) -> None:
    file.seek(at)
    while at < end:
        count = min(_PIECE, end - at)
        file.write(bytes(count))
        at += count


# pictures


def _jpeg(file: BinaryIO, target: BinaryIO) -> None:
    """Copies a JPEG without comments and the segments of applications, up to the end of its first picture. A
    picture whose end is missing is copied as far as it goes."""
    target.write(_exactly(file, 2))
    while True:
        mark, kind = _exactly(file, 2)
        if mark != 0xFF:
            raise _NotStripped("a segment does not begin with its mark")
        if kind == 0xFF:
            file.seek(-1, 1)
            continue
        if kind == 0xD9:
            target.write(b"\xff\xd9")
            return
        length = _exactly(file, 2)
        data = _exactly(file, max(0, struct.unpack(">H", length)[0] - 2))
        if kind != 0xFE and (not 0xE0 <= kind <= 0xEF or _looks(kind, data)):
            target.write(bytes((mark, kind)) + length + data)
        if kind == 0xDA and not _scan(file, target):
            return


def _looks(kind: int, data: bytes) -> bool:
    """Whether a segment of an application says how the picture looks."""
    start = _JPEG_KEPT.get(kind)
    return start is not None and data.startswith(start)


def _scan(file: BinaryIO, target: BinaryIO) -> bool:
    """Copies the data of a scan up to the segment after it; False where the file ends before."""
    begin = file.tell()
    data = file.read()
    end = data.find(b"\xff")
    while 0 <= end < len(data) - 1 and data[end + 1] in _JPEG_DATA:
        end = data.find(b"\xff", end + 2)
    if not 0 <= end < len(data) - 1:
        target.write(data)
        return False
    target.write(data[:end])
    file.seek(begin + end)
    return True


def _webp(file: BinaryIO, target: BinaryIO) -> None:
    """Copies a WebP, moving or not, without its EXIF and XMP, and chunks that are not known."""
    head = _exactly(file, 12)
    chunks = []
    while kind := file.read(4):
        length = _exactly(file, 4)
        size = struct.unpack("<I", length)[0]
        data = _exactly(file, size + size % 2)
        if kind == b"VP8X" and data:
            data = bytes((data[0] & ~_WEBP_FLAGS,)) + data[1:]
        if kind in _WEBP_KEPT:
            chunks.append(kind + length + data)
    body = b"WEBP" + b"".join(chunks)
    target.write(head[:4] + struct.pack("<I", len(body)) + body)


def _gif(file: BinaryIO, target: BinaryIO) -> None:
    """Copies a GIF without its comments and the blocks of applications, except the one that repeats it."""
    head = _exactly(file, 13)
    target.write(head + (_exactly(file, 3 << ((head[10] & 7) + 1)) if head[10] & 0x80 else b""))
    while True:
        mark = _exactly(file, 1)
        if mark == b"\x3b":
            target.write(mark)
            return
        if mark == b"\x2c":
            place = _exactly(file, 9)
            table = _exactly(file, 3 << ((place[8] & 7) + 1)) if place[8] & 0x80 else b""
            target.write(mark + place + table + _exactly(file, 1) + _blocks(file))
        elif mark == b"\x21":
            kind = _exactly(file, 1)
            blocks = _blocks(file)
            if kind == b"\xf9" or (kind == b"\xff" and blocks[1:12] in (b"NETSCAPE2.0", b"ANIMEXTS1.0")):
                target.write(mark + kind + blocks)
        else:
            raise _NotStripped("a block of the GIF is of no kind")


def _blocks(file: BinaryIO) -> bytes:
    found = bytearray()
    while size := _exactly(file, 1):
        found += size
        if size == b"\0":
            break
        found += _exactly(file, size[0])
    return bytes(found)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _NotStripped("it ends too early")
    return data

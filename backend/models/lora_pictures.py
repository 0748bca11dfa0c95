"""Small pictures of LoRAs: the thumbnail in the metadata, or a picture beside the file.

Both come from elsewhere, so they are decoded in the bounded media process.
"""

from __future__ import annotations

import base64
import binascii
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from backend.errors import StudioError
from backend.media.decoder import Decoder
from backend.models.lora_header import thumbnail
from backend.models.lora_sidecars import FOLDERS

SIDE = 128
"""Pixels of the longer side."""
REMEMBERED = 500
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")
_MARKS = (".preview", "", ".cm-preview", ".thumb", ".thumbnail", "_preview", "_thumb")
BESIDE = tuple(mark + ending for mark in _MARKS for ending in _PICTURES)
"""Endings of a picture beside a LoRA, in place of the LoRA's own, as managers of models write them."""
ADDED = (*_PICTURES, ".preview.png")
"""The same after the LoRA's own ending."""
VIDEOS = tuple(mark + ending for mark in (".preview", "", ".cm-preview") for ending in (".mp4", ".webm"))
"""Previews of LoRAs for video, of which the first frame is shown."""
PICTURE_MAX = 16 << 20
"""Bytes of a picture that is decoded."""
VIDEO_MAX = 64 << 20


class LoraPictures:
    """JPEG data by path, size and modification time of LoRA and picture. Any thread may ask."""

    def __init__(self, decoder: Decoder, most: int = REMEMBERED) -> None:
        self._decoder = decoder
        self._most = most
        self._known: OrderedDict[tuple[tuple[str, int, int], ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path) -> bytes:
        """The picture of a LoRA on this disk; empty for none, or for one that cannot be decoded."""
        beside = _beside(path)
        key = tuple(_stamp(one) for one in (path, *([beside] if beside else ())))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = self._made(path, beside)
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found

    def _made(self, path: Path, beside: Path | None) -> bytes:
        with tempfile.TemporaryDirectory(prefix="wan-lora-") as folder:
            source, target = beside, Path(folder) / "small.jpg"
            if source is None:
                data = _decoded(thumbnail(path))
                if not data:
                    return b""
                source = Path(folder) / "source"
                source.write_bytes(data)
            try:
                make = self._decoder.poster if _is_video(source) else self._decoder.preview
                make(source, target, max_side=SIDE)
                return target.read_bytes()
            except (OSError, StudioError):
                return b""


def _beside(path: Path) -> Path | None:
    for picture in FOLDERS.beside(path, (*BESIDE, *VIDEOS), ADDED):
        most = VIDEO_MAX if _is_video(picture) else PICTURE_MAX
        try:
            if picture.is_file() and picture.stat().st_size <= most:
                return picture
        except OSError:
            continue
    return None


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in (".mp4", ".webm")


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def _decoded(address: str) -> bytes:
    """The bytes of a base64 data address; empty for any other."""
    head, comma, body = address.partition(",")
    if not comma or not head.endswith(";base64") or len(body) > PICTURE_MAX:
        return b""
    try:
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        return b""

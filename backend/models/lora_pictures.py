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

SIDE = 128
"""Pixels of the longer side."""
REMEMBERED = 500
BESIDE = (".preview.png", ".png", ".preview.jpg", ".jpg", ".jpeg", ".preview.jpeg", ".webp", ".preview.webp")
"""Endings of a picture beside a LoRA, in place of the LoRA's own, as managers of models write them."""
PICTURE_MAX = 16 << 20
"""Bytes of a picture that is decoded."""


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
                self._decoder.preview(source, target, max_side=SIDE)
                return target.read_bytes()
            except (OSError, StudioError):
                return b""


def _beside(path: Path) -> Path | None:
    for ending in BESIDE:
        picture = path.with_name(path.stem + ending)
        try:
            if picture.is_file() and picture.stat().st_size <= PICTURE_MAX:
                return picture
        except OSError:
            continue
    return None


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

"""Texts in the metadata of pictures and videos, inside the child process: read from a file, or written into a
copy of a result.

The keys are in backend/media/metadata_keys.py.
"""

from __future__ import annotations

import codecs
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from backend.errors import BadMedia
from backend.media import check, png_text
from backend.media.container import opened
from backend.media.metadata_keys import JSON_TEXT, KEYS, PARAMETERS
from backend.media.pictures import regular_file
from backend.media.sniff import HEAD_BYTES, kind_of
from backend.media.strip import copy_tracks

TEXT_MAX = 2_000_000
"""Bytes of one text; that of a job with sixteen graphs has 400,000."""
TOTAL_MAX = 4_000_000
"""Characters of all texts that are read from one file."""
_EXIF_FORMATS = ("WEBP", "JPEG", "AVIF")
_EXIF_TEXTS = (0x0110, 0x010F, 0x010E)
"""EXIF tags (Model, Make, ImageDescription) in which ComfyUI writes "prompt:{...}" and "workflow:{...}"."""
_NO_EXIF = (UnidentifiedImageError, OSError, SyntaxError, ValueError, KeyError, TypeError)
"""What Pillow raises for a picture whose EXIF is broken."""
_EXIF, _USER_COMMENT = 0x8769, 0x9286


def read(path: str, name: str) -> dict[str, str]:
    """The texts of a file by key, in lower case. A text file that begins like JSON is one text, JSON_TEXT.

    Raises BadMedia: for a file that is none of these, and for a text of more than TEXT_MAX bytes.
    """
    with regular_file(path, name) as file:
        head = file.read(HEAD_BYTES)
        if head.startswith(png_text.SIGNATURE):
            return _known(png_text.texts(file, TEXT_MAX, KEYS))
        if _begins_like_json(head):
            return {JSON_TEXT: _whole_text(file, name)}
        if kind_of(head).family == "raster":
            return _known(dict(_exif_texts(file)))
    with opened(path, name) as container:
        tracks = [stream.metadata for stream in container.streams]
        texts = {key: value for each in (*tracks, container.metadata) for key, value in each.items()}
    return _known(texts)


def extract(path: str, out: str, name: str) -> None:
    """Writes the texts of a file to `out` as JSON. Raises BadMedia."""
    Path(out).write_text(json.dumps(read(path, name)), encoding="ascii")


def write(path: str, out: str, name: str, texts: str) -> None:
    """Copies a result to `out` with these texts as its only metadata; pictures and sound are not encoded
    again. `texts`: a file with a JSON object, key -> ASCII text. Raises BadMedia."""
    written: dict[str, str] = json.loads(Path(texts).read_text(encoding="ascii"))
    with regular_file(path, name) as file:
        if file.read(len(png_text.SIGNATURE)) == png_text.SIGNATURE:
            with Path(out).open("wb") as target:
                try:
                    png_text.rewrite(file, target, written)
                except png_text.BrokenPng:
                    raise check.damaged(name, detail="its chunks cannot be followed") from None
            return
    _remux(path, out, name, written)


def _remux(path: str, out: str, name: str, written: Mapping[str, str]) -> None:
    """Copies the packets of all tracks into an MP4, whose index comes first."""
    import av

    options = {"movflags": "+faststart+use_metadata_tags", "fflags": "+bitexact"}
    with opened(path, name) as source, av.open(out, "w", format="mp4", container_options=options) as target:
        target.metadata.update(written)
        copy_tracks(source, target, name)


def _known(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts that are read, of TOTAL_MAX characters together."""
    found: dict[str, str] = {}
    left = TOTAL_MAX
    given = {key.lower(): value for key, value in reversed(list(texts.items()))}
    for key in KEYS:
        if key in given and len(given[key]) <= min(TEXT_MAX, left):
            found[key] = given[key]
            left -= len(given[key])
    return found


def _begins_like_json(head: bytes) -> bool:
    bare = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return bare[:1] in (b"{", b"[") and b"\0" not in head


def _whole_text(file: BinaryIO, name: str) -> str:
    """Raises BadMedia for one that is too long or no UTF-8."""
    file.seek(0)
    data = file.read(TEXT_MAX + 1)
    if len(data) > TEXT_MAX:
        raise BadMedia.of("text_too_long", upload=check.cleaned(name), most=TEXT_MAX // 1_000_000)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise check.damaged(name, detail="it is not UTF-8") from None


def _exif_texts(file: BinaryIO) -> Iterator[tuple[str, str]]:
    """(key, text) of what programs write into EXIF."""
    file.seek(0)
    with contextlib.suppress(*_NO_EXIF), Image.open(file, formats=_EXIF_FORMATS) as image:
        exif = image.getexif()
        for tag in _EXIF_TEXTS:
            key, colon, text = str(exif.get(tag, "")).partition(":")
            if colon and key.strip().lower() in KEYS:
                yield key.strip(), text
        comment = exif.get_ifd(_EXIF).get(_USER_COMMENT)
        if isinstance(comment, bytes) and (text := _comment(comment)):
            yield PARAMETERS, text


def _comment(data: bytes) -> str:
    """The text of EXIF's UserComment, whose first eight bytes name its encoding."""
    encoding, text = data[:8], data[8:]
    if encoding.startswith(b"UNICODE"):
        return text.decode("utf-16-be" if text[:1] == b"\0" else "utf-16-le", "replace").strip("\0")
    return text.decode("utf-8", "replace").strip("\0")

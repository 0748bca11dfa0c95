"""Detects the kind of a file from its first bytes, never from its name. Pure."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_BYTES = 4096
"""How many bytes `kind_of` needs at most."""

_RASTER_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
_OTHER_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
    (b"Rar!\x1a\x07", "a compressed archive"),
    (b"ID3", "a sound"),
    (b"OggS", "a sound"),
    (b"fLaC", "a sound"),
    (b"\xff\xfb", "a sound"),
    (b"\xff\xf3", "a sound"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_CONTAINERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
)
# The first box of an MP4 or MOV; files from before 2001 have no ftyp.
_ISO_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_PLAYLISTS = ("#extm3u", "ffconcat", "[playlist]", "<?wpl", "<asx", "<smil", "v=0")
_FOREIGN_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL \r\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x01\x00", "icon"),
    (b"v/1\x01", "OpenEXR"),
    (b"gimp xcf", "GIMP"),
)
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)


@dataclass(frozen=True)
class Kind:
    """`family` is raster, foreign, drawing or other; `name` is Pillow's format name for raster, otherwise
    words for messages ("a text file", "Photoshop"). HEIC is a raster that Pillow does not open."""

    family: str
    name: str


def kind_of(head: bytes) -> Kind:
    """The kind of the file that begins with `head` (up to HEAD_BYTES). Never raises."""
    for magic, name in _RASTER_MAGIC:
        if head.startswith(magic):
            return Kind("raster", name)
    if head[:4] == b"RIFF":
        inside = head[8:12]
        if inside == b"WEBP":
            return Kind("raster", "WEBP")
        return Kind("other", {b"WAVE": "a sound", b"AVI ": "a video"}.get(inside, "another kind of file"))
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return Kind("raster", "BMP")
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[4:8] in _ISO_BOXES:
        return Kind("other", "a video")
    for magic, name in _FOREIGN_PICTURES:
        if head.startswith(magic):
            return Kind("foreign", name)
    for magic, name in _OTHER_MAGIC:
        if head.startswith(magic):
            return Kind("other", name)
    if _mpeg_sound(head):
        return Kind("other", "a sound")
    return _text(head)


def container_of(head: bytes) -> str:
    """FFmpeg's name of the container (mp4, matroska, wav, mp3, aac, flac, ogg) that begins with `head`, or
    "". Only containers that hold their media: not playlists, which refer to other files and URLs."""
    if head[4:8] in _ISO_BOXES:
        return "" if kind_of(head).family in ("raster", "foreign") else "mp4"
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    for magic, name in _CONTAINERS:
        if head.startswith(magic):
            return name
    return _mpeg_sound(head)


def id3_bytes(head: bytes) -> int:
    """Length of the ID3 tag at the beginning of the file, or 0. The container begins after it."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def _mpeg_sound(head: bytes) -> str:
    """mp3, aac or "". Both begin with eleven set bits; reserved values in the header rule other files out."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    layer, rate = head[1] >> 1 & 3, head[2] >> 2
    if layer == 0:
        return "aac" if head[1] & 0xF0 == 0xF0 and rate & 15 < 13 else ""
    version, bits = head[1] >> 3 & 3, head[2] >> 4
    if layer == 3:  # Layer I is obsolete, and UTF-16 text begins like it
        return ""
    return "mp3" if version != 1 and bits not in (0, 15) and rate & 3 != 3 else ""


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height from a WebP's header; Pillow would allocate the whole canvas to read them."""
    chunk, body = head[12:16], head[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    return None


def _iso_media(head: bytes) -> Kind:
    box = head[: max(16, min(int.from_bytes(head[:4], "big"), len(head)))]
    brands = {box[8:12], *(box[i : i + 4] for i in range(16, len(box) - 3, 4))}
    if b"avif" in brands or b"avis" in brands:
        return Kind("raster", "AVIF")
    if brands & _HEIF_BRANDS:
        return Kind("raster", "HEIC")
    if box[8:12] in (b"M4A ", b"M4B "):
        return Kind("other", "a sound")
    return Kind("other", "a video")


def _text(head: bytes) -> Kind:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Kind("other", "a text file")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:
            return Kind("other", "another kind of file")
        text = head[: error.start].decode("utf-8-sig")
    if any(char < " " and char not in "\t\n\r\f\x1b" for char in text):
        return Kind("other", "another kind of file")
    lowered = text.lower()
    if lowered.lstrip().startswith(_PLAYLISTS):
        return Kind("other", "a playlist, which only names other files")
    if "<svg" in lowered and lowered.lstrip().startswith("<"):
        return Kind("drawing", "SVG")
    if lowered.lstrip().startswith(("<!doctype html", "<html")):
        return Kind("other", "a web page")
    return Kind("other", "a text file")

"""Detects the kind of a file from its first bytes, never from its name. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from backend.media.formats import BY_DEMUXER, CONTAINERS
from backend.media.mpeg_frames import kind_of_frame

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
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
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
    (b"II\xbc\x01", "JPEG XR"),
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"icns", "icon"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"#?RADIANCE", "Radiance"),
    (b"#?RGBE", "Radiance"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"\x8aMNG", "MNG"),
    (b"\x8bJNG", "JNG"),
    (b"AT&TFORM", "DjVu"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIRS", "camera raw"),
    (b"MMOR", "camera raw"),
    (b"IIU\x00", "camera raw"),
    (b"FOVb", "camera raw"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera raw"),
)
_NETPBM = frozenset(b"1234567fF")
_TARGA_KINDS, _TARGA_BITS = (1, 2, 3, 9, 10, 11), (8, 15, 16, 24, 32)
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_MOVING_BRANDS = frozenset({b"avis", b"msf1", b"hevc", b"hevx"})
_TS_PACKETS = (188, 192, 204)
"""Lengths of packets: plain, with the timestamps of cameras and discs, with error correction."""
_TS_MARKS = 5
_OGG_VIDEOS = (b"\x80theora", b"BBCD\0", b"OVP80")
_ASF_SOUND = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"
_ASF_VIDEO = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b"


@dataclass(frozen=True)
class Kind:
    """`family` is raster, foreign, drawing or other; `name` is Pillow's format name for raster, otherwise
    words for messages ("a text file", "Photoshop"). HEIC is a raster that Pillow does not open."""

    family: str
    name: str


SOUND, VIDEO = Kind("other", "a sound"), Kind("other", "a video")
UNKNOWN = Kind("other", "another kind of file")


def kind_of(head: bytes) -> Kind:
    """The kind of the file that begins with `head` (up to HEAD_BYTES). Never raises."""
    for magic, name in _RASTER_MAGIC:
        if head.startswith(magic):
            return Kind("raster", name)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("raster", "WEBP")
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return Kind("raster", "BMP")
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    for magic, name in _FOREIGN_PICTURES:
        if head.startswith(magic):
            return Kind("foreign", name)
    for magic, name in _OTHER_MAGIC:
        if head.startswith(magic):
            return Kind("other", name)
    if found := container_of(head):
        return Kind("other", f"a {_holds(found, head)}")
    if named := _by_header(head):
        return Kind("foreign", named)
    return _text(head)


def _by_header(head: bytes) -> str:
    """The name of a foreign picture without a signature of its own, by what its header may hold."""
    if len(head) > 10 and head[:1] == b"P" and head[1] in _NETPBM and head[2] in b" \t\r\n":
        return "Netpbm" if head[3:4].isdigit() or head[3:4] == b"#" or head[1] == ord("7") else ""
    if len(head) < 65:
        return ""
    if head.startswith(b"\0\0\2\0") and any(head[4:6]):
        return "cursor"
    if head[0] == 10 and head[1] <= 5 and head[2] == 1 and head[3] in (1, 2, 4, 8) and head[64] == 0:
        return "PCX"
    sides = int.from_bytes(head[12:14], "little"), int.from_bytes(head[14:16], "little")
    mapped = head[1] == 1 and head[2] in (1, 9)
    plain = head[1] == 0 and head[2] in _TARGA_KINDS and not any(head[3:8])
    if (mapped or plain) and head[16] in _TARGA_BITS and min(sides) > 0 and head[17] & 0xC0 == 0:
        return "Targa"
    return ""


def container_of(head: bytes) -> str:
    """FFmpeg's name of the container that begins with `head`, as in the table of formats, or "".

    Only containers that hold their media: not playlists, which refer to other files and URLs. GIF and moving
    AVIF count too: a field for videos takes them, one for sounds does not.
    """
    if head[4:8] == b"ftyp" and _iso_media(head).family != "other":
        return "mp4" if _brands(head) & _MOVING_BRANDS else ""
    for container in CONTAINERS:
        if container.begins(head):
            if container.demuxer == "ac3" and len(head) > 5 and head[5] >> 3 > 10:
                return "eac3"
            return container.demuxer
    return _repeated(head) or kind_of_frame(head)


def _repeated(head: bytes) -> str:
    """The container that is known by a mark that repeats: TS by the beginning of each packet, LATM of each
    frame. "" when there is none."""
    for size in _TS_PACKETS if max(head, default=0) >= 0x80 else ():
        for first in range(min(size, len(head))):
            marks = head[first::size]
            if len(marks) >= _TS_MARKS and marks == b"G" * len(marks):
                return "mpegts"
    if len(head) > 3 and head[0] == 0x56 and head[1] & 0xE0 == 0xE0:
        after = 3 + ((head[1] & 0x1F) << 8 | head[2])
        if head[after : after + 1] == b"\x56" and head[after + 1] & 0xE0 == 0xE0:
            return "loas"
    return ""


def _holds(demuxer: str, head: bytes) -> str:
    """sound or video, for a file in the wrong field: as far as the first bytes tell."""
    if demuxer == "ogg":
        return "video" if any(mark in head for mark in _OGG_VIDEOS) else "sound"
    if demuxer == "asf" and _ASF_SOUND in head and _ASF_VIDEO not in head:
        return "sound"
    if demuxer == "mp4" and head[8:12] in (b"M4A ", b"M4B ") and head[4:8] == b"ftyp":
        return "sound"
    if demuxer == "rm" and head.startswith(b".ra"):
        return "sound"
    return "sound" if BY_DEMUXER[demuxer].holds[0] == "sound" else "video"


def id3_bytes(head: bytes) -> int:
    """Length of the ID3 tag at the beginning of the file, or 0. The container begins after it."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return size + (20 if head[5] & 0x10 else 10)


def webp_moves(head: bytes) -> bool:
    """Whether the file is an animated WebP."""
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 2)


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
    box, brands = head[8:12], _brands(head)
    if box == b"crx ":
        return Kind("foreign", "camera raw")
    if b"avif" in brands or b"avis" in brands:
        return Kind("raster", "AVIF")
    if brands & _HEIF_BRANDS:
        return Kind("raster", "HEIC")
    if box in (b"M4A ", b"M4B "):
        return SOUND
    return VIDEO


def _brands(head: bytes) -> set[bytes]:
    box = head[: max(16, min(int.from_bytes(head[:4], "big"), len(head)))]
    return {box[8:12], *(box[i : i + 4] for i in range(16, len(box) - 3, 4))}


def _text(head: bytes) -> Kind:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Kind("other", "a text file")
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:
            return UNKNOWN
        text = head[: error.start].decode("utf-8-sig")
    if any(char < " " and char not in "\t\n\r\f\x1b" for char in text):
        return UNKNOWN
    lowered = text.lower()
    if lowered.lstrip().startswith(_PLAYLISTS):
        return Kind("other", "a playlist, which only names other files")
    if "<svg" in lowered and lowered.lstrip().startswith("<"):
        return Kind("drawing", "SVG")
    if lowered.lstrip().startswith(("<!doctype html", "<html")):
        return Kind("other", "a web page")
    return Kind("other", "a text file")

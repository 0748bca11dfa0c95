"""The formats of pictures, sounds and videos as people know them: from the table in formats.py. Pure."""

from __future__ import annotations

from backend.media.formats import CONTAINERS, Holds

PICTURES = ("JPEG", "PNG", "WebP", "HEIC", "HEIF", "AVIF", "GIF", "BMP", "TIFF")
"""Formats of pictures, which Pillow and libheif open."""
PICTURE_ENDINGS = (
    "jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif",
)  # fmt: skip
USUAL = {
    "picture": ("JPEG", "PNG", "WebP", "HEIC"),
    "sound": ("WAV", "MP3", "M4A", "FLAC", "OGG"),
    "video": ("MP4", "MOV", "WebM", "MKV", "AVI", "GIF"),
}
"""The formats that a short line names; all others of the table are taken too."""
_NAMES: dict[str, tuple[str, ...]] = {
    "mp4": ("MP4", "MOV", "3GP"),
    "matroska": ("MKV", "WebM"),
    "mpegts": ("TS", "MTS"),
    "mp3": ("MP3", "MP2"),
}
"""Demuxer -> what its files are called, where that is more than its title."""
_SOUND_NAMES = {"mp4": ("M4A",), "asf": ("WMA",), "matroska": ("MKA",)}
"""Demuxer of videos -> what its files without pictures are called."""
_VIDEO_NAMES = {"ogg": ("OGV",)}
"""Demuxer of sounds -> what its files with pictures are called."""
_NAMED_FOR: dict[str, Holds] = {
    **dict.fromkeys(("m4a", "m4b", "mka", "wma", "ra"), "sound"),
    **dict.fromkeys(("ogv", "apng"), "video"),
    **dict.fromkeys(("gif", "png"), "picture"),
}
"""Ending -> the kind that its files are of, where the container may hold another one."""


def endings(kind: str) -> tuple[str, ...]:
    """Endings of file names of a kind (picture, sound or video); each is of one kind."""
    if kind == "picture":
        return PICTURE_ENDINGS
    found = (
        ending
        for container in CONTAINERS
        for ending in container.endings
        if _NAMED_FOR.get(ending, container.holds[0]) == kind
    )
    return tuple(dict.fromkeys(found))


def titles(kind: str) -> tuple[str, ...]:
    """The names of all formats that a field of this kind takes, the usual ones first."""
    if kind == "picture":
        return PICTURES
    found: list[str] = []
    for container in CONTAINERS:
        named = _NAMES.get(container.demuxer, (container.title,))
        own = container.holds[0] == "sound"
        if own == (kind == "sound") and kind in container.holds:
            found += named
        else:
            others = _SOUND_NAMES if kind == "sound" else _VIDEO_NAMES
            found += others.get(container.demuxer, ())
    first = [name for name in USUAL[kind] if name in found]
    return tuple(dict.fromkeys((*first, *found)))


def usual(kind: str) -> str:
    """The usual formats of a kind as words: "JPEG, PNG, WebP or HEIC"."""
    *first, last = USUAL[kind]
    return f"{', '.join(first)} or {last}"


def field_line(kind: str) -> str:
    """What an empty field of this kind takes, in a few words."""
    return f"{', '.join(USUAL[kind])} or a video" if kind == "sound" else usual(kind)


def accept(kind: str) -> str:
    """The list of a phone's file dialog for a field of this kind, with what another field takes."""
    types = "audio/*,video/*" if kind == "sound" else "image/*,video/*"
    shown = ("sound", "video") if kind == "sound" else (kind,)
    return ",".join([types, *(f".{ending}" for one in shown for ending in endings(one))])

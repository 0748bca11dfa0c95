"""Rules for uploaded media and their error messages. Pure.

A function named after a fault returns the error for it; `size` and `upload` raise theirs.
"""

from __future__ import annotations

import unicodedata

from backend.errors import BadMedia, MediaBusy
from backend.media.facts import MAX_NAME, MAX_PIXELS, MAX_PIXELS_JPEG, MAX_RATIO, MIN_SIDE
from backend.media.format_names import usual
from backend.media.sniff import Kind

CHOOSE = {
    "picture": f"Choose a {usual('picture')}.",
    "sound": f"Choose a {usual('sound')}, or a video with sound.",
    "video": f"Choose an {usual('video')}.",
}
_SMALLER = {
    "picture": "Save it smaller, as JPEG for example.",
    "sound": "Save it as MP3 or M4A, or cut out the part that you need.",
    "video": "Save it smaller, 1280 pixels on the longer side, or cut out the part that you need.",
}
_PLAINER = {
    "picture": "Save it again as JPEG or PNG, 2048 pixels on the longer side, then choose that.",
    "sound": "Save it again as WAV or MP3, then choose that.",
    "video": "Save it again as MP4 (H.264), 1280 pixels on the longer side, then choose that.",
}
AGAIN = "Export or download it again, then retry."


def shown(name: str) -> str:
    """A file name for a message: the base name without control characters, at most MAX_NAME characters."""
    base = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    clean = "".join(c for c in base if unicodedata.category(c)[0] != "C")
    clean = " ".join(clean.split())
    if len(clean) > MAX_NAME:
        tail = MAX_NAME // 3
        clean = clean[: MAX_NAME - tail - 1] + "…" + clean[-tail:]
    return clean or "The file"


def upload(bytes_: int, max_mb: int, name: str, field: str = "", kind: str = "picture") -> None:
    """Raise BadMedia when the file is empty or has more than `max_mb` million bytes (0: no limit)."""
    if bytes_ <= 0:
        raise BadMedia(f"{shown(name)} is empty: it has 0 bytes.", AGAIN, field=field)
    if max_mb and bytes_ > max_mb * 1_000_000:
        # Rounded up: 100.2 MB must not be shown as 100 MB when 100 MB is the limit.
        has = -(-bytes_ // 1_000_000)
        raise BadMedia(
            f"{shown(name)} has {has:,} MB. Up to {max_mb:,} MB can be used.",
            _SMALLER[kind],
            field=field,
        )


def size(
    width: int,
    height: int,
    name: str,
    field: str = "",
    *,
    row_by_row: bool = False,
    max_ratio: float = MAX_RATIO,
) -> None:
    """Raise BadMedia for too many pixels, too few, or too long a side. `row_by_row`: the format can be
    decoded at a fraction of its size (baseline JPEG), so that more pixels are accepted."""
    pixels, limit = width * height, MAX_PIXELS_JPEG if row_by_row else MAX_PIXELS
    figures = f"{shown(name)} is {width} × {height}"
    if pixels > limit:
        raise BadMedia(
            f"{figures}, {-(-pixels // 1_000_000):,} megapixels. Up to {limit // 1_000_000} can be used.",
            "Save it smaller: 2048 pixels on the longer side are enough for any video made here.",
            field=field,
        )
    if min(width, height) < MIN_SIDE:
        raise BadMedia(
            f"{figures}: too small. At least {MIN_SIDE} × {MIN_SIDE} pixels are needed.",
            "Choose a larger picture.",
            field=field,
        )
    if max(width, height) > max_ratio * min(width, height):
        times = max(width, height) / min(width, height)
        shape = "as wide as it is high" if width > height else "as high as it is wide"
        raise BadMedia(
            f"{figures}: {times:.3g} times {shape}. Up to {max_ratio:g} times can be used.",
            "Cut out the part that should move, then choose it.",
            field=field,
        )


def not_a_picture(kind: Kind, name: str, field: str = "") -> BadMedia:
    """The error for a file whose first bytes are not those of a supported picture."""
    if kind.family == "drawing":
        return BadMedia(
            f"{shown(name)} is an SVG: a drawing, not a picture.",
            "Export it as PNG, then choose that.",
            field=field,
        )
    if kind.family == "foreign":
        article = "an" if kind.name[:1].lower() in "aeiou" else "a"
        return BadMedia(
            f"{shown(name)} is {article} {kind.name} picture, which cannot be read here.",
            "Save it as JPEG or PNG, then choose that.",
            field=field,
        )
    return BadMedia(f"{shown(name)} is not a picture: it is {kind.name}.", CHOOSE["picture"], field=field)


def not_a_video(name: str, field: str = "", found: Kind | None = None) -> BadMedia:
    return BadMedia(f"{shown(name)} is not a video{_but(found)}.", CHOOSE["video"], field=field)


def not_a_sound(name: str, field: str = "", found: Kind | None = None) -> BadMedia:
    return BadMedia(f"{shown(name)} is not a sound{_but(found)}.", CHOOSE["sound"], field=field)


def _but(found: Kind | None) -> str:
    """What the file is instead, as the end of a message."""
    if found is None or found.name == "another kind of file":
        return " that can be read here"
    if found.name in ("a sound", "a video"):  # a container that is known, and nothing in it that can be read
        return " of a kind that can be read here"
    if found.family == "other":
        return f": it is {found.name}"
    return f": it is a picture ({found.name})" if found.family != "drawing" else ": it is a drawing"


def protected(name: str, field: str = "", kind: str = "video") -> BadMedia:
    return BadMedia(
        f"{shown(name)} is encrypted (copy protection, DRM), so nothing in it can be read.",
        f"Choose a {kind} without copy protection.",
        field=field,
    )


def codec_unknown(name: str, field: str = "", kind: str = "video") -> BadMedia:
    """The error for a container that can be read with a track that cannot."""
    what = "pictures" if kind == "video" else "sound"
    return BadMedia(
        f"{shown(name)} holds its {what} in a codec that cannot be read here.", _PLAINER[kind], field=field
    )


def no_sound(name: str, field: str = "") -> BadMedia:
    return BadMedia(
        f"{shown(name)} has no sound.", "Choose a video with sound, or a sound file.", field=field
    )


def no_pictures(name: str, field: str = "") -> BadMedia:
    return BadMedia(f"{shown(name)} has no pictures, only sound.", CHOOSE["video"], field=field)


def missing(name: str, field: str = "") -> BadMedia:
    return BadMedia(f"{shown(name)} is no longer there.", "Choose it again.", field=field)


def not_a_file(name: str, field: str = "", *, folder: bool = False, kind: str = "picture") -> BadMedia:
    what = "a folder" if folder else "not a file"
    return BadMedia(f"{shown(name)} is {what}.", CHOOSE[kind], field=field)


def unreadable(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia(f"{shown(name)} cannot be opened.", "Choose it again.", field=field, detail=detail)


def cut_short(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia(
        f"{shown(name)} is incomplete: part of the file is missing.", AGAIN, field=field, detail=detail
    )


def damaged(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia(
        f"{shown(name)} is damaged or incomplete and cannot be read.", AGAIN, field=field, detail=detail
    )


def invisible(name: str, field: str = "") -> BadMedia:
    return BadMedia(
        f"{shown(name)} is fully transparent: there is nothing to see in it.",
        "Choose another picture.",
        field=field,
    )


def too_heavy(name: str, field: str = "", detail: str = "", kind: str = "picture") -> BadMedia:
    return BadMedia(
        f"{shown(name)} takes more memory or time to open than it may.",
        _PLAINER[kind],
        field=field,
        detail=detail,
    )


def busy(name: str, field: str = "", kind: str = "picture") -> MediaBusy:
    return MediaBusy(
        f"{shown(name)} could not be looked at yet: other {kind}s are being opened.",
        "Try again in a moment.",
        field=field,
    )


def waiting(name: str, field: str = "", kind: str = "picture") -> MediaBusy:
    return MediaBusy(
        f"{shown(name)} could not be looked at yet: too many of your files are waiting to be opened.",
        f"Wait until they are, then try this {kind} again.",
        field=field,
    )

"""Rules for uploaded media and the errors of those that break them. Pure.

A function named after a fault returns the error for it; `size` and `upload` raise theirs.
"""

from __future__ import annotations

import unicodedata

from backend.errors import BadMedia, MediaBusy
from backend.media.facts import MAX_NAME, MAX_PIXELS, MAX_PIXELS_JPEG, MAX_RATIO, MIN_SIDE
from backend.media.format_names import USUAL
from backend.media.sniff import SOUND, UNKNOWN, VIDEO, Kind


def cleaned(name: str) -> str:
    """A file name for a message: the base name without control characters, at most MAX_NAME characters; ""
    if nothing is left of it."""
    base = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    clean = "".join(c for c in base if unicodedata.category(c)[0] != "C")
    clean = " ".join(clean.split())
    if len(clean) > MAX_NAME:
        tail = MAX_NAME // 3
        clean = clean[: MAX_NAME - tail - 1] + "…" + clean[-tail:]
    return clean


def upload(bytes_: int, max_mb: int, name: str, field: str = "", kind: str = "picture") -> None:
    """Raises BadMedia when the file is empty or has more than `max_mb` million bytes (0: no limit)."""
    if bytes_ <= 0:
        raise BadMedia.of("file_empty", upload=cleaned(name), field=field)
    if max_mb and bytes_ > max_mb * 1_000_000:
        # Rounded up: 100.2 MB must not be shown as 100 MB when 100 MB is the limit.
        has = -(-bytes_ // 1_000_000)
        raise BadMedia.of(f"too_many_bytes_{kind}", upload=cleaned(name), has=has, most=max_mb, field=field)


def size(
    width: int,
    height: int,
    name: str,
    field: str = "",
    *,
    row_by_row: bool = False,
    max_ratio: float = MAX_RATIO,
) -> None:
    """Raises BadMedia for too many pixels, too few, or too long a side. `row_by_row`: the format can be
    decoded at a fraction of its size (baseline JPEG), so that more pixels are accepted."""
    pixels, limit = width * height, MAX_PIXELS_JPEG if row_by_row else MAX_PIXELS
    upload = cleaned(name)
    if pixels > limit:
        raise BadMedia.of(
            "picture_too_large",
            upload=upload,
            width=width,
            height=height,
            megapixels=-(-pixels // 1_000_000),
            most=limit // 1_000_000,
            field=field,
        )
    if min(width, height) < MIN_SIDE:
        raise BadMedia.of(
            "picture_too_small", upload=upload, width=width, height=height, least=MIN_SIDE, field=field
        )
    if max(width, height) > max_ratio * min(width, height):
        raise BadMedia.of(
            "picture_too_wide" if width > height else "picture_too_high",
            upload=upload,
            width=width,
            height=height,
            times=max(width, height) / min(width, height),
            most=max_ratio,
            field=field,
        )


def not_a_picture(kind: Kind, name: str, field: str = "") -> BadMedia:
    """The error for a file whose first bytes are not those of a supported picture."""
    upload = cleaned(name)
    if kind.family == "drawing":
        return BadMedia.of("picture_is_svg", upload=upload, field=field)
    if kind.family == "foreign":
        return BadMedia.of("picture_foreign", upload=upload, picture_format=kind.name, field=field)
    formats = USUAL["picture"]
    return BadMedia.of("other_than_picture", upload=upload, found=kind.name, formats=formats, field=field)


def unread_kind(picture_format: str, name: str, field: str = "", detail: str = "") -> BadMedia:
    """The error for a picture of a variant of its format that is not read."""
    return BadMedia.of(
        "picture_unread", upload=cleaned(name), picture_format=picture_format, field=field, detail=detail
    )


def not_a_video(name: str, field: str = "", found: Kind | None = None) -> BadMedia:
    return _not_a("video", name, field, found)


def not_a_sound(name: str, field: str = "", found: Kind | None = None) -> BadMedia:
    return _not_a("sound", name, field, found)


def _not_a(kind: str, name: str, field: str, found: Kind | None) -> BadMedia:
    """The error for a file of another kind, which is named where it is known."""
    upload, formats = cleaned(name), USUAL[kind]
    if found is None or found == UNKNOWN:
        return BadMedia.of(f"not_a_{kind}", upload=upload, formats=formats, field=field)
    if found in (SOUND, VIDEO):  # a container that is known, and nothing in it that can be read
        return BadMedia.of(f"odd_{kind}", upload=upload, formats=formats, field=field)
    if found.family == "other":
        return BadMedia.of(
            f"other_than_{kind}", upload=upload, found=found.name, formats=formats, field=field
        )
    if found.family == "drawing":
        return BadMedia.of(f"drawing_for_{kind}", upload=upload, formats=formats, field=field)
    return BadMedia.of(f"picture_for_{kind}", upload=upload, format=found.name, formats=formats, field=field)


def moving_picture(picture_format: str, name: str, field: str = "") -> BadMedia:
    """The error for an animation of a picture format that is not read as a video."""
    return BadMedia.of(
        "animation_for_video",
        upload=cleaned(name),
        format=picture_format,
        field=field,
    )


def protected(name: str, field: str = "", kind: str = "video") -> BadMedia:
    return BadMedia.of(f"protected_{kind}", upload=cleaned(name), field=field)


def codec_unknown(name: str, field: str = "", kind: str = "video") -> BadMedia:
    """The error for a container that can be read with a track that cannot."""
    return BadMedia.of(f"unknown_codec_{kind}", upload=cleaned(name), field=field)


def no_sound(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("no_sound", upload=cleaned(name), field=field)


def no_sound_at(seconds: float, name: str, field: str = "") -> BadMedia:
    """The error for a part that begins after the end of a sound."""
    return BadMedia.of("no_sound_at", upload=cleaned(name), at_seconds=seconds, field=field)


def no_picture_at(seconds: float, name: str, field: str = "") -> BadMedia:
    """The error for a part that begins after the end of a video."""
    return BadMedia.of("no_picture_at", upload=cleaned(name), at_seconds=seconds, field=field)


def no_frame(number: int, count: int, name: str, field: str = "") -> BadMedia:
    """The error for a frame number, from 0, beyond the end of a video."""
    return BadMedia.of("no_frame", upload=cleaned(name), number=number, count=count, field=field)


def no_pictures(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("no_pictures", upload=cleaned(name), formats=USUAL["video"], field=field)


def missing(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("file_missing", upload=cleaned(name), field=field)


def not_a_file(name: str, field: str = "", *, folder: bool = False, kind: str = "picture") -> BadMedia:
    code = f"is_a_folder_{kind}" if folder else f"not_a_file_{kind}"
    return BadMedia.of(code, upload=cleaned(name), formats=USUAL[kind], field=field)


def unreadable(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia.of("file_unreadable", upload=cleaned(name), field=field, detail=detail)


def cut_short(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia.of("file_cut_short", upload=cleaned(name), field=field, detail=detail)


def damaged(name: str, field: str = "", detail: str = "") -> BadMedia:
    return BadMedia.of("file_damaged", upload=cleaned(name), field=field, detail=detail)


def invisible(name: str, field: str = "") -> BadMedia:
    return BadMedia.of("picture_transparent", upload=cleaned(name), field=field)


def too_heavy(name: str, field: str = "", detail: str = "", kind: str = "picture") -> BadMedia:
    return BadMedia.of(f"too_heavy_{kind}", upload=cleaned(name), field=field, detail=detail)


def busy(name: str, field: str = "", kind: str = "picture") -> MediaBusy:
    return MediaBusy.of(f"busy_{kind}", upload=cleaned(name), field=field)


def waiting(name: str, field: str = "", kind: str = "picture") -> MediaBusy:
    return MediaBusy.of(f"waiting_{kind}", upload=cleaned(name), field=field)

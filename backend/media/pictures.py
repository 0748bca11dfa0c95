"""Pictures inside the child process: opens them, reads their facts, and rewrites them as PNG.

Nothing here may run in the app itself: Pillow opens untrusted files only where memory, time and file sizes
are limited (child.py). `name` and `field` of the functions are for the BadMedia that they raise.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from PIL import (
    AvifImagePlugin,
    Image,
    ImageCms,
    ImageEnhance,
    ImageFilter,
    PngImagePlugin,
    UnidentifiedImageError,
)

from backend.errors import BadMedia
from backend.media import as_shown, check, exif, heif, margins, rescue, unread_kinds
from backend.media.facts import MAX_STORED_SIDE, PictureFacts
from backend.media.levels import levels
from backend.media.orientation import BY_EXIF, UPRIGHT, Orientation
from backend.media.sniff import HEAD_BYTES, Kind, kind_of, webp_size
from workflows.notice import Notice, made

Image.MAX_IMAGE_PIXELS = None  # check.size refuses with a message, before decoding
AvifImagePlugin.DEFAULT_MAX_THREADS = 2  # each thread takes address space; the default is all cores
PngImagePlugin.MAX_TEXT_CHUNK = margins.PROFILE_BYTES  # also the limit of colour profiles

_WORDS = {"WEBP": "WebP", "MPO": "JPEG"}
_ORIENTATION_TAG = 0x0112
_NOT_EXIF = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif")
"""Keys in Image.info from which Pillow also takes an orientation, and browsers do not."""
_PROBE_SIDE = 64
_CUT_SHORT_WORDS = ("truncated", "unexpected end", "not enough image data", "end of file")


@contextmanager
def regular_file(
    path: str, name: str, field: str = "", max_mb: int = 0, kind: str = "picture"
) -> Iterator[BinaryIO]:
    """Opens a regular file for reading, without blocking on a pipe or a device.

    Raises BadMedia when it is missing, a folder, anything but a regular file, empty, or too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise check.missing(name, field) from None
        raise check.unreadable(name, field, detail=str(error)) from None
    except ValueError as error:  # a NUL in the path
        raise check.unreadable(name, field, detail=str(error)) from None
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise check.not_a_file(name, field, folder=stat.S_ISDIR(facts.st_mode), kind=kind)
        check.upload(facts.st_size, max_mb, name, field, kind)
        with os.fdopen(fd, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(fd)


def look(path: str, name: str, field: str = "", max_mb: int = 0) -> PictureFacts:
    """Facts about the picture, after decoding all of it, so that a truncated file is found before it is
    queued.

    Raises BadMedia.
    """
    with regular_file(path, name, field, max_mb) as file:
        image, (width, height) = _open(file, name, field, _PROBE_SIDE)
        with image:
            orientation = _orientation(image)
            width, height = orientation.size(width, height)
            notes: list[Notice] = []
            if image.has_transparency_data:
                lowest, highest = _alpha_range(image)
                if highest == 0:
                    raise check.invisible(name, field)
                if lowest < 255:
                    notes.append(made("note_transparent", {}))
            if image.mode == "CMYK":
                notes.append(made("note_print_colours", {}))
            word = _WORDS.get(str(image.format), str(image.format))
            frames = _frames(image)
            used = _used_part(image, word, frames)
            size = os.fstat(file.fileno()).st_size
            return PictureFacts(width, height, word, frames, (*used, *notes), size)


def rewrite(
    path: str,
    out: str,
    name: str,
    field: str = "",
    max_mb: int = 0,
    pad_to: tuple[int, int] | None = None,
    max_side: int = MAX_STORED_SIDE,
) -> tuple[int, int]:
    """Writes the picture to `out` as PNG: rotated by its flag, sRGB, 8 bit, opaque, no metadata, at most
    `max_side` pixels a side. Equal pictures give equal bytes. Returns width and height.

    `pad_to` (width, height): the whole picture on a blurred, darker copy of itself, in exactly that ratio.
    The result is a whole multiple of that size, so that the engine's crop removes nothing.
    """
    plain = _plain(path, name, field, max_mb, max_side)
    if pad_to is not None:
        plain = _pad(plain, pad_to, max_side)
    plain.info.clear()
    # Level 1 is 4 times faster than the default and 15 % larger; the file never leaves the machine.
    plain.save(out, format="PNG", compress_level=1)
    return plain.size


def preview(path: str, out: str, name: str, max_side: int) -> tuple[int, int]:
    """Writes the picture to `out` as JPEG, at most `max_side` pixels a side. Returns width and height."""
    plain = _plain(path, name, "", 0, max_side)
    plain.info.clear()
    plain.save(out, format="JPEG", quality=82)
    return plain.size


def _plain(path: str, name: str, field: str, max_mb: int, max_side: int) -> Image.Image:
    """The picture upright, in sRGB, 8 bit, opaque, at most `max_side` pixels a side."""
    with regular_file(path, name, field, max_mb) as file:
        image, _ = _open(file, name, field, max_side)
        with image:
            orientation, profile = _orientation(image), image.info.get("icc_profile")
            try:
                small = _shrink(_eight_bit(image), max_side)
                return _srgb(_flatten(orientation.of_image(small)), profile)
            except ValueError as error:  # a colour mode that Pillow has no conversion for
                raise check.damaged(name, field, detail=str(error)) from error


def _open(file: BinaryIO, name: str, field: str, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The decoded picture, possibly reduced (but not below `side`), and its full size."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    kind = kind_of(head)
    if kind.family != "raster":
        raise check.not_a_picture(kind, name, field)
    if kind.name == "TIFF" and unread_kinds.is_raw(file):
        raise check.not_a_picture(Kind("foreign", unread_kinds.RAW), name, field)
    if kind.name == "WEBP" and (canvas := webp_size(head)):
        check.size(*canvas, name, field)
    try:
        view = margins.without(file, kind.name, os.fstat(file.fileno()).st_size)
        if kind.name == heif.FORMAT:
            image = heif.opened(view, head, lambda size: check.size(*size, name, field), name, field)
            return image, image.size
        image = Image.open(view, formats=[kind.name])
        full = image.size
        if not min(full):
            raise check.damaged(name, field, f"{full[0]} x {full[1]}")
        row_by_row = kind.name == "JPEG" and not image.info.get("progressive")
        check.size(*full, name, field, row_by_row=row_by_row)
        if kind.name == "JPEG":
            image.draft(None, (side, side))
        _drop_foreign(image)
        box, raw = as_shown.drawn_box(image), as_shown.raw_mode(image)
        try:
            if getattr(image, "default_image", False):
                image.seek(1)  # what an animated PNG shows to programs that do not know animations
            image.load()
        except Exception as error:
            whole = None if isinstance(error, MemoryError) else rescue.decoded(view, kind.name, side)
            if whole is None:
                raise
            image = whole
        image = as_shown.shown(image, box, raw)
    except (BadMedia, MemoryError):
        raise
    except margins.CutShortError as error:
        raise check.cut_short(name, field) from error
    except Exception as error:
        _raise_decode_fault(error, file, head, name, field)
    return image, full


def _raise_decode_fault(error: Exception, file: BinaryIO, head: bytes, name: str, field: str) -> NoReturn:
    detail = f"{type(error).__name__}: {error}"
    short = any(word in str(error).lower() for word in _CUT_SHORT_WORDS) or isinstance(error, EOFError)
    size = os.fstat(file.fileno()).st_size
    if head[8:12] == b"WEBP":  # Pillow only reports that it cannot create a decoder
        short = short or int.from_bytes(head[4:8], "little") + 8 > size
    kind = kind_of(head).name
    if not short and kind != heif.FORMAT and unread_kinds.unread(file, kind):
        raise check.unread_kind(kind, name, field, detail) from error
    if isinstance(error, UnidentifiedImageError):
        short = short or size <= 128  # correct first bytes and almost no header after them
    raise (check.cut_short if short else check.damaged)(name, field, detail) from error


def _orientation(image: Image.Image) -> Orientation:
    """That of the EXIF block. To be read after decoding: Pillow then has rotated a TIFF."""
    _drop_foreign(image)
    if isinstance(block := image.info.get("exif"), bytes):
        return BY_EXIF[exif.orientation(block)]
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # an invalid flag does not make the picture unusable
        return UPRIGHT
    return BY_EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def _drop_foreign(image: Image.Image) -> None:
    for key in _NOT_EXIF:
        image.info.pop(key, None)


def _frames(image: Image.Image) -> int:
    """The number of frames or pages. To be read last, since counting seeks in the file."""
    if image.format == "MPO":  # a photograph with a preview or a depth map behind it
        return 1
    if heif.PICTURES in image.info:
        return int(image.info[heif.PICTURES])
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # damage after the first frame does not matter
        return 1


def _used_part(image: Image.Image, word: str, frames: int) -> tuple[Notice, ...]:
    """A note on which of several pictures in the file is used; empty for a file of one."""
    if image.info.get(heif.SEQUENCE):
        return (made("note_first_frame", {}),)
    if (pictures := int(image.info.get(heif.PICTURES, 1))) > 1:
        return (made("note_main_picture", {"count": pictures}),)
    if frames > 1:
        return (
            made("note_first_page", {"count": frames}) if word == "TIFF" else made("note_first_frame", {}),
        )
    return ()


def _alpha_range(image: Image.Image) -> tuple[int, int]:
    with_alpha = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    lowest, highest = levels(with_alpha.getchannel("A"))
    return int(lowest), int(highest)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The picture in a mode that can be resized: L, LA, RGB, RGBA or CMYK."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        wide = image.convert("F")
        low, high = levels(wide)
        if image.mode == "F" and low >= 0.0 and high <= 1.0:
            low, high = 0.0, 1.0
        elif low >= 0 and (high <= 65535 or image.mode.startswith("I;16")):
            low, high = 0.0, 65535.0
        scale = 255.0 / (high - low) if high > low else 0.0
        # The form x * a + b is what Pillow can do on 32-bit modes; 0.5 rounds.
        return wide.point(lambda x: x * scale + (0.5 - low * scale)).convert("L")
    if image.has_transparency_data:
        return image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        from_lab = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, *from_lab, outputMode="RGB")
        return image.convert("L") if converted is None else converted
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _shrink(image: Image.Image, max_side: int) -> Image.Image:
    factor = max_side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image
    opaque = Image.new(image.mode[:-1], image.size, "white")
    opaque.paste(image.convert(opaque.mode), mask=image.getchannel("A"))
    return opaque


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    """The picture in sRGB. A colour profile that is damaged or of another mode is ignored."""
    if isinstance(profile, bytes) and 0 < len(profile) <= margins.PROFILE_BYTES:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[image.mode]
            described = source.profile.profile_description or ""
            if source.profile.xcolor_space.strip() == space and "sRGB" not in described:
                converted = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
                if converted is not None:
                    return converted
        except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _pad(image: Image.Image, pad_to: tuple[int, int], max_side: int) -> Image.Image:
    width, height = pad_to
    fit = max(image.width / width, image.height / height)
    times = max(1, min(max_side // max(pad_to), -(-int(fit * 100) // 100)))
    canvas_size = (width * times, height * times)
    scale = min(canvas_size[0] / image.width, canvas_size[1] / image.height)
    inner = tuple(max(1, round(side * scale)) for side in image.size)
    front = image.resize((inner[0], inner[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if front.size == canvas_size:
        return front
    canvas = _backdrop(image, canvas_size)
    canvas.paste(front, ((canvas.width - front.width) // 2, (canvas.height - front.height) // 2))
    return canvas


def _backdrop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The centre of the picture, blurred and darkened, in `size`: the background for padding."""
    scale = max(size[0] / image.width, size[1] / image.height)
    take = (size[0] / scale, size[1] / scale)
    left, top = (image.width - take[0]) / 2, (image.height - take[1]) / 2
    box = (max(0.0, left), max(0.0, top), min(image.width, left + take[0]), min(image.height, top + take[1]))
    small = (max(8, size[0] // 16), max(8, size[1] // 16))
    soft = image.resize(small, Image.Resampling.BOX, box=box).filter(
        ImageFilter.GaussianBlur(min(small) / 12)
    )
    soft = ImageEnhance.Brightness(soft).enhance(0.62)
    return soft.resize(size, Image.Resampling.BICUBIC)

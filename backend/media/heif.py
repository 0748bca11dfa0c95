"""HEIC and HEIF pictures inside the child process: the main picture of a file, upright, 8 bit.

libheif applies the file's own rotation and mirroring (irot, imir), as browsers do, and the EXIF flag is
ignored. Depth maps, thumbnails and further pictures are not decoded. pi_heif is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from backend.errors import BadMedia
from backend.media import check

if TYPE_CHECKING:
    from PIL import Image

DECODER_THREADS = 2
"""Of libde265. Each takes address space."""
FORMAT = "HEIC"
PICTURES = "heif_pictures"
"""Key in Image.info: the number of pictures in the file."""
SEQUENCE = "heif_sequence"
"""Key in Image.info: whether the picture is the first frame of an animation."""
_SEQUENCE_BRANDS = frozenset({b"msf1", b"hevc", b"hevx", b"hevm", b"hevs"})
_UNSUPPORTED = ("unsupported", "not supported", "no decoding plugin")


def opened(
    file: BinaryIO, head: bytes, check_size: Callable[[tuple[int, int]], None], name: str, field: str = ""
) -> Image.Image:
    """The decoded picture. check_size: called with width and height before decoding.

    Raises BadMedia, and what the decoder raises for a damaged file.
    """
    import pi_heif

    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    pi_heif.options.DECODE_THREADS = DECODER_THREADS
    sequence = bool(_brands(head) & _SEQUENCE_BRANDS)
    file.seek(0)
    try:
        found: Any = pi_heif.open_heif(file)
        main = found[found.primary_index]
        check_size(main.size)
        image = main.to_pillow()
        pictures = len(found)
    except (ValueError, RuntimeError, EOFError, SyntaxError, IndexError) as error:
        if sequence and (frame := _first_frame(file, check_size)) is not None:
            image, pictures = frame, 1
        elif isinstance(error, IndexError) or any(word in str(error).lower() for word in _UNSUPPORTED):
            # pi_heif lists no picture that is in another codec than HEVC
            raise _unsupported(name, field, str(error)) from error
        else:
            raise
    image.format = FORMAT
    image.info[PICTURES], image.info[SEQUENCE] = pictures, sequence
    for key in ("exif", "xmp", "metadata"):
        image.info.pop(key, None)
    return image


def _brands(head: bytes) -> set[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}


def _first_frame(file: BinaryIO, check_size: Callable[[tuple[int, int]], None]) -> Image.Image | None:
    """The first frame of an image sequence without a main picture; None when there is none."""
    import av
    from av.error import FFmpegError

    file.seek(0)
    try:
        options = {"protocol_whitelist": "none"}
        with av.open(file, mode="r", format="mp4", container_options=options) as container:
            if not container.streams.video:
                return None
            track = container.streams.video[0]
            check_size((track.codec_context.width, track.codec_context.height))
            track.codec_context.thread_count = DECODER_THREADS
            frame = next(container.decode(track), None)
            return None if frame is None else frame.to_image()
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        return None


def _unsupported(name: str, field: str, detail: str) -> BadMedia:
    return BadMedia.of("picture_heif", upload=check.cleaned(name), field=field, detail=detail)

"""Writes files that are odd in one respect: byte by byte where the encoders do not make them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

from backend.media.orientation import BY_EXIF
from tests.support.media_files import write_video

ONE = 0x10000
EXIF_ORIENTATION = 0x0112


def display_matrix(exif: int) -> tuple[int, ...]:
    """The matrix of a track header that asks for what an EXIF orientation asks for."""
    transposed, mirrored, flipped = BY_EXIF[exif]
    across, down = -ONE if mirrored else ONE, -ONE if flipped else ONE
    a, b, c, d = (0, down, across, 0) if transposed else (across, 0, 0, down)
    return (a, b, 0, c, d, 0, 0, 0, 0x40000000)


def orient(path: Path, exif: int) -> Path:
    """Sets the display matrix of an MP4's or MOV's first track."""
    data = bytearray(path.read_bytes())
    box = data.find(b"tkhd")
    at = box + 8 + (32 if data[box + 4] else 20) + 16
    data[at : at + 36] = struct.pack(">9i", *display_matrix(exif))
    path.write_bytes(data)
    return path


def remux(source: Path, target: Path, form: str) -> Path:
    """The first video track in another container, with its orientation."""
    with av.open(str(source)) as container, av.open(str(target), "w", format=form) as made:
        stream = made.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    return target


def stored_for(image: Image.Image, exif: int) -> Image.Image:
    """The image as a camera stores it with this orientation, so that it is shown as `image`."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    return image if exif == 1 else image.transpose(undo[exif])


def corners(width: int = 160, height: int = 96) -> Image.Image:
    """Red top left, green top right, blue bottom left, white bottom right."""
    picture = Image.new("RGB", (width, height), "white")
    half = (width // 2, height // 2)
    picture.paste("red", (0, 0, *half))
    picture.paste((0, 255, 0), (half[0], 0, width, half[1]))
    picture.paste("blue", (0, half[1], half[0], height))
    return picture


def corner_names(image: Image.Image) -> str:
    """The corners by rows, as letters: RGBW for `corners`; ? for any other colour."""
    right, low = image.width - 6, image.height - 6
    return "".join(_letter(image.getpixel(at)) for at in ((5, 5), (right, 5), (5, low), (right, low)))


def _letter(pixel: object) -> str:
    on = tuple(value > 127 for value in pixel)  # type: ignore[attr-defined]
    colours = {
        (True, False, False): "R", (False, True, False): "G", (False, False, True): "B",
        (True, True, True): "W",
    }  # fmt: skip
    return colours.get(on, "?")


def wav(samples: np.ndarray, rate: int = 16_000, mask: int | None = None) -> bytes:
    """A 16-bit WAV of any number of channels (channels, samples); `mask`: which speakers, None: not said."""
    channels = len(samples)
    data = (np.clip(samples.T, -1, 1) * 32767).astype("<i2").tobytes()
    block = 2 * channels
    form = struct.pack("<HHIIHH", 1 if mask is None else 0xFFFE, channels, rate, rate * block, block, 16)
    if mask is not None:
        pcm = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
        form += struct.pack("<HHI", 22, 16, mask) + pcm
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def one_channel(channels: int, index: int, seconds: float = 0.4, rate: int = 16_000) -> np.ndarray:
    """A tone in one of several channels (channels, samples)."""
    time = np.arange(round(seconds * rate)) / rate
    samples = np.zeros((channels, len(time)), np.float32)
    samples[index] = 0.5 * np.sin(2 * np.pi * 440 * time)
    return samples


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with further chunks behind its header."""
    at = 8 + 25
    return png[:at] + b"".join(chunks) + png[at:]


def encrypted_video(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """An MP4 with common encryption (cenc), without its key."""
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    with av.open(str(path), "w", format="mp4", container_options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def late_video(path: Path, pictures: Sequence[np.ndarray], start: float, rate: float = 25) -> Path:
    """A video whose first frame is at `start` seconds."""
    return write_video(path, pictures, rate, times=[start + i / rate for i in range(len(pictures))])


def mp3_frames(count: int, kbps_index: int = 9, rate_index: int = 0, mode: int = 0) -> bytes:
    """Silent MP3 frames (MPEG-1 Layer III, 128 kbit/s, 44.1 kHz unless said); mode 3: mono."""
    rate = (44_100, 48_000, 32_000)[rate_index]
    kbps = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[kbps_index - 1]
    head = bytes([0xFF, 0xFB, kbps_index << 4 | rate_index << 2, mode << 6])
    return (head + bytes(144 * kbps * 1000 // rate - 4)) * count


def id3(size: int) -> bytes:
    """An ID3 tag with `size` bytes of padding."""
    return b"ID3\x04\x00\x00" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(size)

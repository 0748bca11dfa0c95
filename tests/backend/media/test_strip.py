"""Metadata that is removed without a muxer, or from files of any kind."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend.errors import BadMedia
from backend.media import metadata
from backend.media.strip import strip
from tests.support.boxes import boxes
from tests.support.odd_results import PRIVATE, quicktime

MARK = b"of-ann"


def picture(number: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 50, 3), dtype=np.uint8))


def png(path: Path) -> None:
    info = PngInfo()
    info.add_text("prompt", PRIVATE)
    picture().save(path, pnginfo=info)


def moving_png(path: Path) -> None:
    info = PngInfo()
    info.add_text("workflow", PRIVATE)
    picture().save(path, "PNG", pnginfo=info, save_all=True, append_images=[picture(4)])


def exif() -> Image.Exif:
    found = Image.Exif()
    found[0x010F] = f"workflow:{PRIVATE}"
    return found


def jpeg(path: Path) -> None:
    picture().save(path, "JPEG", exif=exif(), comment=PRIVATE.encode(), xmp=PRIVATE.encode())
    path.write_bytes(path.read_bytes() + PRIVATE.encode())


def webp(path: Path) -> None:
    more = [picture(4)]
    picture().save(path, "WEBP", exif=exif(), xmp=PRIVATE.encode(), save_all=True, append_images=more)


def segment(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data


def progressive_jpeg(path: Path) -> None:
    """With a comment between two scans, the list of a second picture, and that picture."""
    picture().save(path, "JPEG", progressive=True, exif=exif())
    one = path.read_bytes()
    last = one.rindex(b"\xff\xda")
    own = one[:last] + segment(0xFE, PRIVATE.encode()) + one[last:]
    path.write_bytes(own[:2] + segment(0xE2, b"MPF\0" + PRIVATE.encode()) + own[2:] + one)


def webp_with_more(path: Path) -> None:
    """With a chunk of a kind that no one knows."""
    picture().save(path, "WEBP")
    data = PRIVATE.encode().ljust(len(PRIVATE.encode()) + len(PRIVATE.encode()) % 2, b" ")
    body = path.read_bytes()[8:] + b"NOTE" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def gif(path: Path) -> None:
    picture().save(path, "GIF", comment=PRIVATE.encode(), save_all=True, append_images=[picture(4)], loop=0)


PICTURES = {
    "png": png, "apng": moving_png, "jpg": jpeg, "progressive": progressive_jpeg, "webp": webp,
    "more": webp_with_more, "gif": gif,
}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_keeps_its_pixels_and_loses_its_texts(tmp_path: Path, kind: str) -> None:
    source, target = tmp_path / f"a.{kind}", tmp_path / "b"
    PICTURES[kind](source)
    assert MARK in source.read_bytes()
    strip(str(source), str(target), source.name)
    assert MARK not in target.read_bytes()
    with Image.open(source) as before, Image.open(target) as after:
        assert kind == "progressive" or getattr(before, "n_frames", 1) == getattr(after, "n_frames", 1)
        for number in range(getattr(after, "n_frames", 1)):
            before.seek(number)
            after.seek(number)
            assert before.tobytes() == after.tobytes()
        assert not after.getexif() and before.info.get("loop") == after.info.get("loop")


def sound(path: Path, form: str, codec: str) -> None:
    with av.open(str(path), "w", format=form) as target:
        target.metadata.update({"prompt": PRIVATE, "title": PRIVATE, "comment": PRIVATE})
        stream: Any = target.add_stream(codec, rate=48_000, layout="mono")
        for number in range(20):
            shape, kind = ((1, 960), stream.format.name)
            samples = (
                np.full(shape, 9, np.int32 if "s32" in kind else np.int16)
                if kind[0] == "s"
                else np.full(shape, 0.1, np.float32)
            )
            frame = av.AudioFrame.from_ndarray(samples, kind, "mono")
            frame.sample_rate, frame.pts = 48_000, 960 * number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("form", "codec"),
    [
        ("flac", "flac"),
        ("mp3", "mp3"),
        ("ogg", "libopus"),
        ("wav", "pcm_s16le"),
        ("webm", "libopus"),
        ("mp4", "aac"),
    ],
)
def test_a_sound_keeps_its_packets_and_loses_its_texts(tmp_path: Path, form: str, codec: str) -> None:
    source, target = tmp_path / f"a.{form}", tmp_path / "b"
    sound(source, form, codec)
    assert MARK in source.read_bytes()
    strip(str(source), str(target), source.name)
    assert MARK not in target.read_bytes()
    with av.open(str(source)) as before, av.open(str(target)) as after:
        sent, kept = ([bytes(one) for one in each.demux() if one.dts is not None] for each in (before, after))
        assert sent == kept and before.format.name == after.format.name


def test_boxes_are_overwritten_where_a_film_cannot_be_copied(tmp_path: Path) -> None:
    source, target = quicktime(tmp_path / "a.mov"), tmp_path / "b.mov"
    with source.open("ab") as file:
        for kind in (b"uuid", b"free", b"skip"):
            file.write(struct.pack(">I4s", 8 + len(PRIVATE), kind) + PRIVATE.encode())
    assert metadata.read(str(source), "a.mov")["prompt"] == PRIVATE
    strip(str(source), str(target), "a.mov")
    assert metadata.read(str(target), "b.mov") == {} and MARK not in target.read_bytes()
    assert target.stat().st_size == source.stat().st_size
    with av.open(str(source)) as before, av.open(str(target)) as after:
        frames = [[one.to_ndarray() for one in each.decode(video=0)] for each in (before, after)]
    assert np.array_equal(frames[0], frames[1]) and len(frames[0]) == 5


def test_a_film_whose_end_is_missing(tmp_path: Path) -> None:
    path = quicktime(tmp_path / "a.mov", frames=30)
    kinds = dict(boxes(path.read_bytes()))
    head = struct.pack(">I4s", 8 + len(kinds[b"ftyp"]), b"ftyp") + kinds[b"ftyp"]
    index = struct.pack(">I4s", 8 + len(kinds[b"moov"]), b"moov") + kinds[b"moov"]
    cut = struct.pack(">I4s", 10**6, b"mdat") + kinds[b"mdat"][:90]
    path.write_bytes(head + index + cut)
    strip(str(path), str(tmp_path / "b"), "a.mov")
    assert MARK not in (tmp_path / "b").read_bytes()


def test_a_picture_whose_end_is_missing(tmp_path: Path) -> None:
    png(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for cut in (12, 40):
        (tmp_path / "a.png").write_bytes(whole[:-cut])
        strip(str(tmp_path / "a.png"), str(tmp_path / "b.png"), "a.png")
        assert MARK not in (tmp_path / "b.png").read_bytes() and b"IDAT" in (tmp_path / "b.png").read_bytes()


def latent(path: Path) -> None:
    head = json.dumps({"__metadata__": {"prompt": PRIVATE}}).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head)


def avif(path: Path) -> None:
    picture().save(path, "AVIF", exif=exif())


def with_text_track(path: Path) -> None:
    quicktime(path)
    path.write_bytes(path.read_bytes().replace(b"vide", b"text"))


def odd_box(path: Path) -> None:
    quicktime(path)
    data = path.read_bytes()
    at = data.index(b"trak") - 4
    path.write_bytes(data[:at] + struct.pack(">I", 3) + data[at + 4 :])


@pytest.mark.parametrize("made", [latent, avif, with_text_track, odd_box])
def test_what_cannot_be_removed_is_refused(tmp_path: Path, made: Callable[[Path], None]) -> None:
    path = tmp_path / "a.bin"
    made(path)
    with pytest.raises(BadMedia):
        strip(str(path), str(tmp_path / "b"), path.name)


def test_a_text_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A boat.\n")
    strip(str(tmp_path / "a.txt"), str(tmp_path / "b"), "a.txt")
    assert (tmp_path / "b").read_text() == "A boat.\n"

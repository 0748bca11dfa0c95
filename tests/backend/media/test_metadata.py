"""Texts in media files: written into a copy without touching its pictures, and read from files of others."""

from __future__ import annotations

import json
import struct
import zlib
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from backend.errors import BadMedia
from backend.media import metadata, png_text
from backend.media.metadata_keys import JSON_TEXT, KEYS, PARAMETERS, PROMPT, RECIPE, WORKFLOW
from tests.support.boxes import mdta_texts

GRAPH = json.dumps({"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "漢字 <b>é</b>"}}})
TEXTS = {RECIPE: json.dumps({"version": 1, "note": "ü"}), PROMPT: GRAPH}


def video(path: Path, sound: bool, tags: dict[str, str], form: str = "mp4") -> Path:
    """12 frames at 24000/1001 with B-frames, and a tone."""
    options = {"movflags": "+faststart+use_metadata_tags"} if form == "mp4" else {}
    with av.open(str(path), "w", format=form, container_options=options) as target:
        target.metadata.update(tags)
        codec = "libx264" if form == "mp4" else "libvpx-vp9"
        stream: Any = target.add_stream(codec, rate=Fraction(24000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voice = (
            target.add_stream("aac" if form == "mp4" else "libopus", rate=48_000, layout="mono")
            if sound
            else None
        )
        for number in range(12):
            pixels = np.full((48, 64, 3), 20 * number, np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        target.mux(stream.encode(None))
        if voice is not None:
            for number in range(20):
                frame = av.AudioFrame.from_ndarray(np.full((1, 960), 0.1, np.float32), "fltp", "mono")
                frame.sample_rate, frame.pts = 48_000, 960 * number
                target.mux(voice.encode(frame))
            target.mux(voice.encode(None))
    return path


def packets(path: Path) -> list[tuple[Any, ...]]:
    """(kind, pts and dts in seconds, data) of each packet, and the rate and length of each track."""
    with av.open(str(path)) as source:
        found: list[tuple[Any, ...]] = [(one.type, one.frames) for one in source.streams]
        found += [(one.average_rate, one.duration * one.time_base) for one in source.streams.video]
        for packet in source.demux():
            if packet.dts is not None:
                at, base = packet.stream.type, packet.time_base
                found.append((at, float(packet.pts * base), float(packet.dts * base), bytes(packet)))
    return sorted(found, key=repr)


def write(source: Path, target: Path, texts: dict[str, str], tmp_path: Path) -> None:
    given = tmp_path / "texts"
    given.write_text(json.dumps(texts))
    metadata.write(str(source), str(target), "clip", str(given))


@pytest.mark.parametrize("sound", [False, True])
def test_a_video_keeps_its_packets_and_gets_the_texts(tmp_path: Path, sound: bool) -> None:
    private = {"prompt": '{"old": "/home/ann/clip"}', "title": "/home/ann", "comment": "ann"}
    source, target = video(tmp_path / "a.mp4", sound, private), tmp_path / "b.mp4"
    write(source, target, TEXTS, tmp_path)
    assert packets(target) == packets(source)
    assert mdta_texts(target) == TEXTS, "as ComfyUI's page reads the boxes"
    assert metadata.read(str(target), "b.mp4") == TEXTS
    assert b"ann" not in target.read_bytes()
    write(target, source, {}, tmp_path)
    assert metadata.read(str(source), "a.mp4") == {} == mdta_texts(source)
    write(target, tmp_path / "c.mp4", TEXTS, tmp_path)
    assert (tmp_path / "c.mp4").read_bytes() == target.read_bytes(), "equal results have equal bytes"


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 255, (40, 50, 3), dtype=np.uint8))


def test_a_picture_keeps_its_data_and_gets_the_texts(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("prompt", '{"old": "/home/ann"}')
    info.add_itxt("workflow", "ann ü")
    info.add_text("parameters", "ann", zip=True)
    exif = Image.Exif()
    exif[0x010E] = "ann"
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    picture().save(source, pnginfo=info, exif=exif, dpi=(72, 72))
    write(source, target, TEXTS, tmp_path)
    with Image.open(source) as before, Image.open(target) as after:
        assert before.tobytes() == after.tobytes()
        assert after.text == TEXTS and not after.getexif()
        assert after.info["dpi"] == before.info["dpi"]
    assert metadata.read(str(target), "b.png") == TEXTS
    assert b"ann" not in target.read_bytes()
    assert b"IDAT" in target.read_bytes() and idat(source) == idat(target)


def idat(path: Path) -> bytes:
    data = path.read_bytes()
    return data[data.index(b"IDAT") : data.index(b"IEND")]


def test_texts_of_comfyui_in_other_formats(tmp_path: Path) -> None:
    webm = video(tmp_path / "a.webm", True, {"prompt": GRAPH, "workflow": "{}"}, "webm")
    assert metadata.read(str(webm), "a.webm") == {PROMPT: GRAPH, WORKFLOW: "{}"}
    exif = Image.Exif()
    exif[0x0110], exif[0x010F] = f"prompt:{GRAPH}", 'workflow:{"nodes": []}'
    webp = tmp_path / "a.webp"
    picture().save(webp, exif=exif)
    assert metadata.read(str(webp), "a.webp") == {PROMPT: GRAPH, WORKFLOW: '{"nodes": []}'}
    info = PngInfo()
    info.add_itxt("prompt", GRAPH, zip=True)
    png = tmp_path / "a.png"
    picture().save(png, pnginfo=info)
    assert metadata.read(str(png), "a.png") == {PROMPT: GRAPH}


@pytest.mark.parametrize("text", ["a cat\nSteps: 20", "eine Mücke\nNegative prompt: x"])
def test_parameters_in_the_comment_of_a_jpeg(tmp_path: Path, text: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    path = tmp_path / "a.jpg"
    picture().save(path, exif=exif)
    assert metadata.read(str(path), "a.jpg") == {PARAMETERS: text}


def test_a_json_file_is_one_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf  {"version": 1}')
    assert metadata.read(str(path), "a.json") == {JSON_TEXT: '  {"version": 1}'}


def chunk(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    said = len(data) if size is None else size
    return struct.pack(">I", said) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes) -> bytes:
    buffer = BytesIO()
    picture().save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


BOMB = b"prompt\0\0" + zlib.compress(b" " * 50_000_000)
BROKEN = {
    "text behind a cut": png_with(chunk(b"tEXt", b"workflow\0{}", 2**31 - 1)),
    "compressed to a thousandth": png_with(chunk(b"zTXt", BOMB)),
    "no compressed data": png_with(chunk(b"zTXt", b"prompt\0\0abc")),
    "longer than is read": png_with(chunk(b"tEXt", b"prompt\0" + b"x" * (metadata.TEXT_MAX + 1))),
    "no UTF-8": png_with(chunk(b"iTXt", b"prompt\0\0\0\0\0\xff\xfe")),
    "without a separator": png_with(chunk(b"tEXt", b"x" * 1000)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_texts_of_a_picture_are_none(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(BROKEN[name])
    assert metadata.read(str(path), "a.png") == {}


def test_only_texts_that_are_asked_for_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []
    real = zlib.decompressobj

    def counted() -> Any:
        unpacked.append(1)
        return real()

    monkeypatch.setattr(png_text.zlib, "decompressobj", counted)
    packed = zlib.compress(b" " * 1_500_000)
    others = [chunk(b"zTXt", b"key-%d\0\0" % number + packed) for number in range(40)]
    mine = [chunk(b"zTXt", b"Prompt\0\0abc"), chunk(b"zTXt", b"Prompt\0\0" + zlib.compress(b"{}"))]
    file = BytesIO(png_with(*others, *mine, *[chunk(b"zTXt", b"prompt\0\0" + packed)] * 40))
    assert png_text.texts(file, metadata.TEXT_MAX, KEYS) == {PROMPT: "{}"} and len(unpacked) == 2


NO_FILES = {
    "a.bin": b"\x00" * 5000, "a.txt": b"plain words", "a.mp4": b"\0\0\0\x18ftypmp42" + b"\xff" * 400,
    "a.json": b'{"a": "\xff"}', "b.json": b"[" + b" " * (metadata.TEXT_MAX + 1), "c.json": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", NO_FILES)
def test_a_file_without_texts_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(NO_FILES[name])
    with pytest.raises(BadMedia, match=name.replace(".", r"\.")):
        metadata.read(str(path), name)
    assert path.read_bytes() == NO_FILES[name]


def test_a_broken_picture_is_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(BROKEN["text behind a cut"][:200])
    with pytest.raises(BadMedia):
        write(source, tmp_path / "b.png", TEXTS, tmp_path)

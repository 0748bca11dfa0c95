"""Videos that are odd in one respect: 25 numbered pictures of one second unless said, or refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from PIL import Image

from tests.support.ebml import Track, encryption, matroska
from tests.support.media_files import flat, numbered, tone, write_sound, write_video
from tests.support.odd_media import ONE, corners, encrypted_video, png_chunk
from tests.support.sibling_pictures import animated_webp

SIZE = (128, 96)
Maker = Callable[[Path], bytes]


class Video(NamedTuple):
    """What writes it, into a folder that it may use; what it is; words of the line below the field; `pixels`:
    of its first picture, at (column, row) as shares of the sides."""

    make: Maker
    frames: int = 25
    seconds: float = 1.0
    size: tuple[int, int] = SIZE
    note: str = ""
    pixels: tuple[tuple[float, float, tuple[int, int, int]], ...] = ()


def _video(name: str, pictures: Sequence[np.ndarray] | None = None, **more: Any) -> Maker:
    return lambda folder: write_video(folder / name, pictures or numbered(25, SIZE), 25, **more).read_bytes()


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]


_QUICK = {"cpu-used": "8", "deadline": "realtime", "auto-alt-ref": "0"}


def vp8(folder: Path, pictures: Sequence[np.ndarray] | None = None) -> list[tuple[int, bytes]]:
    path = write_video(
        folder / "a.webm", pictures or numbered(25, SIZE), 25, "libvpx", form="webm", options=_QUICK
    )
    return [(40 * index, data) for index, data in enumerate(packets(path))]


# -- tracks


def _png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def _cover_first(folder: Path) -> bytes:
    """A cover as a track of its own that is not marked as one."""
    cover = Track("V_MS/VFW/FOURCC", (64, 64), [(0, _png(flat(200, (64, 64))))], private=_bitmap(b"MPNG"))
    return matroska(cover, Track("V_VP8", SIZE, vp8(folder)), kind="matroska")


def _bitmap(codec: bytes) -> bytes:
    return struct.pack("<IiiHH4sIiiII", 40, 64, 64, 1, 24, codec, 0, 0, 0, 0, 0)


def _second_is_default(folder: Path) -> bytes:
    other = vp8(folder, [flat(250, SIZE)] * 25)
    return matroska(Track("V_VP8", SIZE, other, default=False), Track("V_VP8", SIZE, vp8(folder)))


# -- times


def _at(times: Sequence[float], name: str = "a.mkv", last: float = 0.0) -> Maker:
    """Pictures at these times; the last one lasts `last` seconds."""

    def make(folder: Path) -> bytes:
        path = folder / name
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.options = {"bf": "0"}
            for index in range(len(times)):
                picture = flat(20 + 4 * (index % 50), SIZE)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = round(1000 * times[index]), Fraction(1, 1000)
                for packet in stream.encode(frame):
                    if last and index == len(times) - 1:
                        packet.duration = round(last / packet.time_base)
                    container.mux(packet)
            container.mux(stream.encode(None))
        return path.read_bytes()

    return make


_STEADY = [index / 25 for index in range(25)]
_FREEZE = [*_STEADY[:12], *(20 + time for time in _STEADY[12:])]
_FASTER = [0.0, 1.0, *(1 + index / 240 for index in range(1, 240))]


def gif(delays: Sequence[int]) -> bytes:
    """A GIF of pictures with these delays in milliseconds."""
    frames = [Image.fromarray(picture) for picture in numbered(len(delays), SIZE)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=list(delays))
    return out.getvalue()


def _gif_of_part() -> bytes:
    """The first picture covers the upper half of the screen."""
    frames = [
        corners().crop((0, 0, 160, 48)),
        *[Image.new("RGB", (160, 48), (60 * index, 0, 0)) for index in range(4)],
    ]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    data = out.getvalue()
    return data[:6] + struct.pack("<HH", 160, 96) + data[10:]


def apng(delays: Sequence[tuple[int, int]]) -> bytes:
    """An animated PNG with these delays as fractions."""
    frames = [Image.fromarray(picture) for picture in numbered(len(delays), SIZE)]
    out = io.BytesIO()
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], duration=100)
    data, at, index = out.getvalue(), 8, 0
    made = data[:8]
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        if kind == b"fcTL":
            content = content[:20] + struct.pack(">HH", *delays[index]) + content[24:]
            index += 1
        made += png_chunk(kind, content)
        at += 12 + length
    return made


# -- pictures


def _frames(
    name: str, codec: str, pix_fmt: str, frame: Any, count: int = 25, form: str | None = None, **context: Any
) -> Maker:
    """One frame, `count` times, with further fields of the encoder."""

    def make(folder: Path) -> bytes:
        path = folder / name
        with av.open(str(path), "w", format=form) as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.height, stream.width, stream.pix_fmt = frame.height, frame.width, pix_fmt
            stream.options = context.pop("options", {})
            for field, value in context.items():
                setattr(stream.codec_context, field, value)
            for index in range(count):
                made = frame.reformat(format=pix_fmt)
                made.pts, made.time_base = index, Fraction(1, 25)
                for field in ("color_trc", "color_primaries", "colorspace", "color_range"):
                    if field in context:
                        setattr(made, field, context[field])
                container.mux(stream.encode(made))
            container.mux(stream.encode(None))
        return path.read_bytes()

    return make


def _red_left() -> Any:
    """Red on the left, transparent black on the right."""
    pixels = np.zeros((*SIZE[::-1], 4), np.uint8)
    pixels[:, : SIZE[0] // 2] = (255, 0, 0, 255)
    return av.VideoFrame.from_ndarray(pixels, format="rgba")


def _colours() -> Any:
    pixels = np.zeros((*SIZE[::-1], 3), np.uint8)
    pixels[:, : SIZE[0] // 2] = (200, 40, 30)
    pixels[:, SIZE[0] // 2 :] = (40, 60, 210)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


WHITE = "Transparent parts become white"
RED_AND_WHITE = ((0.2, 0.5, (255, 0, 0)), (0.8, 0.5, (255, 255, 255)))
RED_AND_BLUE = ((0.2, 0.5, (200, 40, 30)), (0.8, 0.5, (40, 60, 210)))


def _changing(folder: Path) -> bytes:
    """A call of a phone that was turned: upright from the middle on."""
    wide = write_video(folder / "1.ts", [flat(200, (128, 96))] * 13, 25, form="mpegts").read_bytes()
    high = write_video(folder / "2.ts", [flat(200, (96, 128))] * 12, 25, form="mpegts").read_bytes()
    return wide + high


def _matrix(*values: int) -> Maker:
    def make(folder: Path) -> bytes:
        data = bytearray(write_video(folder / "a.mp4", numbered(25, SIZE), 25).read_bytes())
        box = data.find(b"tkhd")
        at = box + 8 + (32 if data[box + 4] else 20) + 16
        data[at : at + 36] = struct.pack(">9i", *values)
        return bytes(data)

    return make


_DIAGONAL = round(ONE * 0.70711)


def _broken_jpegs(folder: Path) -> bytes:
    """Motion JPEG with bytes that are no markers behind each picture."""
    frames = packets(write_video(folder / "a.avi", numbered(25, SIZE), 25, "mjpeg", "yuvj420p", form="avi"))
    track = [(40 * index, data + b"\xff\xff\0\xfe\x11") for index, data in enumerate(frames)]
    return matroska(Track("V_MJPEG", SIZE, track), kind="matroska")


def _fragments_cut(folder: Path) -> bytes:
    flags = "frag_keyframe+empty_moov+default_base_moof"
    options = {"preset": "ultrafast", "g": "5"}
    data = write_video(folder / "a.mp4", numbered(25, SIZE), 25, movflags=flags, options=options).read_bytes()
    return data[: data.rindex(b"mdat") + 60]


def _m2ts(folder: Path) -> bytes:
    """As cameras and discs write it: four bytes of time before each packet."""
    data = write_video(folder / "a.ts", numbered(25, SIZE), 25, form="mpegts").read_bytes()
    return b"".join(struct.pack(">I", at) + data[at : at + 188] for at in range(0, len(data), 188))


SHOWN: Mapping[str, Video] = {
    "a cover as the first track": Video(_cover_first),
    "two tracks, the second one default": Video(_second_is_default),
    "MKV, the last picture lasts 5 s": Video(_at(_STEADY, last=5.0), seconds=5.96),
    "MP4, the last picture lasts 5 s": Video(_at(_STEADY, "a.mp4", last=5.0), seconds=5.96),
    "GIF, the last picture lasts 3 s": Video(lambda _: gif([100] * 9 + [3000]), 10, 3.9),
    "a picture of 20 s": Video(_at(_FREEZE), 25, 20 + 1.0),
    "from 1 to 240 a second": Video(_at(_FASTER), 241, 2.0),
    "times below zero": Video(_at([time - 0.4 for time in _STEADY])),
    "GIF, delays of 10 ms": Video(lambda _: gif([10] * 10), 10, 1.0),
    "GIF, a first picture smaller than the screen": Video(
        lambda _: _gif_of_part(), 5, 0.5, (160, 96), WHITE,
        pixels=((0.2, 0.2, (255, 0, 0)), (0.5, 0.9, (255, 255, 255)))
    ),
    "APNG, no delays": Video(lambda _: apng([(0, 0)] * 10), 10, 1.0),
    "APNG, delays of 10 ms": Video(lambda _: apng([(10, 1000)] * 10), 10, 1.0),
    "APNG, delays of 200 ms": Video(lambda _: apng([(1, 5)] * 10), 10, 2.0),
    "VP9 with alpha": Video(
        _frames("a.webm", "libvpx-vp9", "yuva420p", _red_left(), options=_QUICK),
        note=WHITE, pixels=RED_AND_WHITE,
    ),
    "VP8 with alpha": Video(
        _frames("a.webm", "libvpx", "yuva420p", _red_left(), options=_QUICK),
        note=WHITE, pixels=RED_AND_WHITE,
    ),
    "ProRes 4444 with alpha": Video(
        _frames("a.mov", "prores_ks", "yuva444p10le", _red_left()), note=WHITE, pixels=RED_AND_WHITE,
    ),
    "FFV1 in RGB with alpha": Video(
        _frames("a.mkv", "ffv1", "bgra", _red_left()), note=WHITE, pixels=RED_AND_WHITE
    ),
    "H.264 in RGB": Video(_frames("a.mp4", "libx264rgb", "rgb24", _colours()), pixels=RED_AND_BLUE),
    "H.264, full range": Video(
        _frames("a.mp4", "libx264", "yuvj420p", _colours(), color_range=2), pixels=RED_AND_BLUE
    ),
    "HDR10": Video(
        _frames("a.mp4", "libx264", "yuv420p10le", _colours(), color_trc=16, color_primaries=9, colorspace=9),
        note="HDR: its colours become flatter",
    ),
    "HLG": Video(
        _frames("a.mov", "libx264", "yuv420p10le", _colours(), color_trc=18, color_primaries=9, colorspace=9),
        note="HDR: its colours become flatter",
    ),
    "HEVC, 4:2:2, 10 bit": Video(_video("a.mov", codec="libx265", pix_fmt="yuv422p10le")),
    "H.264, 4:4:4": Video(_video("a.mp4", pix_fmt="yuv444p")),
    "DNxHR": Video(
        _video(
            "a.mov", numbered(25, (256, 128)), codec="dnxhd", pix_fmt="yuv422p",
            options={"profile": "dnxhr_lb"},
        ),
        size=(256, 128),
    ),
    "AV1 in MP4": Video(_video("a.mp4", codec="libsvtav1", options={"preset": "13"})),
    "B-frames in AVI": Video(_video("a.avi", codec="mpeg4", options={"bf": "2"})),
    "B-frames of H.264 in AVI": Video(
        _video("a.avi", options={"preset": "ultrafast", "x264-params": "bframes=2:b-adapt=0"})
    ),
    "B-frames, open groups in TS": Video(
        _video("a.ts", form="mpegts", options={"bf": "2", "g": "6", "x264-params": "open-gop=1"})
    ),
    "a recording that changes its shape": Video(_changing),
    "half a quarter of a turn": Video(
        _matrix(_DIAGONAL, _DIAGONAL, 0, -_DIAGONAL, _DIAGONAL, 0, 0, 0, 0x40000000)
    ),
    "a matrix of nothing": Video(_matrix(*[0] * 9)),
    "a display size in MKV": Video(
        lambda folder: matroska(Track("V_VP8", SIZE, vp8(folder), shown=(192, 96))), size=(192, 96)
    ),
    "motion JPEG with bad markers": Video(_broken_jpegs),
    "fragments, cut in the last one": Video(_fragments_cut, 22, 0.88, note="its first part"),
    "M2TS": Video(_m2ts),
    "odd sides": Video(_video("a.mp4", numbered(25, (129, 97)), pix_fmt="yuv444p"), size=(129, 97)),
}  # fmt: skip
"""What is odd -> the video."""


def cenc(folder: Path) -> bytes:
    return encrypted_video(folder / "a.mp4", numbered(25, SIZE)).read_bytes()


def cbcs(folder: Path) -> bytes:
    return cenc(folder).replace(b"cenc", b"cbcs")


def without_auxiliary(folder: Path) -> bytes:
    """Encrypted, without what says how each sample is."""
    data = cenc(folder)
    for box in (b"senc", b"saiz", b"saio"):
        data = data.replace(box, b"free")
    return data


def encrypted_webm(folder: Path, clear: int = 0) -> bytes:
    """The first `clear` pictures are not encrypted."""
    random = np.random.default_rng(1)
    frames = [
        (time, b"\0" + data if index < clear else b"\1" + bytes(8) + random.bytes(len(data)))
        for index, (time, data) in enumerate(vp8(folder))
    ]
    return matroska(Track("V_VP8", SIZE, frames, more=encryption()))


def scrambled_ts(folder: Path) -> bytes:
    data = bytearray(write_video(folder / "a.ts", numbered(25, SIZE), 25, form="mpegts").read_bytes())
    random = np.random.default_rng(1)
    for at in range(0, len(data), 188):
        if (data[at + 1] & 0x1F) << 8 | data[at + 2] >= 0x100:
            data[at + 3] |= 0x80
            data[at + 4 : at + 188] = random.bytes(184)
    return bytes(data)


def protected_wmv(folder: Path) -> bytes:
    data = bytearray(write_video(folder / "a.wmv", numbered(25, SIZE), 25, "wmv2", form="asf").read_bytes())
    filler = bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8") + struct.pack("<Q", 20_024) + bytes(20_000)
    added = filler + bytes.fromhex("14e68a292226174cb935dae07ee9289c") + struct.pack("<Q", 40) + bytes(16)
    size, count = struct.unpack_from("<QI", data, 16)
    struct.pack_into("<QI", data, 16, size + len(added), count + 2)
    return bytes(data[:size] + added + data[size:])


def _without_moov(folder: Path) -> bytes:
    data = write_video(folder / "a.mp4", numbered(25, SIZE), 25).read_bytes()
    return data[: data.index(b"moov") - 4]


def _half_moov(folder: Path, sound: bool = False) -> bytes:
    if sound:
        data = write_sound(folder / "a.m4a", tone(1.0), 44_100, "aac", "mp4").read_bytes()
    else:
        data = write_video(folder / "a.mp4", numbered(25, SIZE), 25).read_bytes()
    return data[: data.index(b"moov") + 200]


REFUSED: Mapping[str, tuple[Maker, str]] = {
    "cenc": (cenc, "is encrypted"),
    "cbcs": (cbcs, "is encrypted"),
    "encrypted, without the table": (without_auxiliary, "is encrypted"),
    "WebM, encrypted": (encrypted_webm, "is encrypted"),
    "WebM, encrypted from the middle": (lambda folder: encrypted_webm(folder, 12), "is encrypted"),
    "TS, scrambled": (scrambled_ts, "is encrypted"),
    "WMV, protected": (protected_wmv, "is encrypted"),
    "MP4, without its index": (_without_moov, "is damaged or incomplete"),
    "M4A, half its index": (lambda folder: _half_moov(folder, sound=True), "is damaged or incomplete"),
    "MP4, half its index": (_half_moov, "is damaged or incomplete"),
    "animated WebP": (lambda _: animated_webp(), "is an animation (WebP) that cannot be read as a video"),
    "CR3": (lambda _: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(900), "it is a picture (camera raw)"),
    "a GIF of one picture": (lambda _: gif([100]), "has one frame"),
    "sound alone in MP4": (
        lambda folder: write_sound(folder / "a.m4a", tone(1.0), 44_100, "aac", "mp4").read_bytes(),
        "has no pictures, only sound",
    ),
}  # fmt: skip
"""What it is -> (what writes it, words of the refusal)."""

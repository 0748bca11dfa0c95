"""Sounds that are odd in one respect: a tone of one second unless said, or refused with a reason."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from tests.support.media_files import tone, write_sound
from tests.support.odd_media import id3, mp3_frames

RATE = 44_100


class Sound(NamedTuple):
    """What writes it, into a folder that it may use; what it is; words of the line below the field."""

    make: Callable[[Path], bytes]
    seconds: float = 1.0
    rate: int = RATE
    channels: int = 1
    note: str = ""


# -- WAV


def chunk(kind: bytes, data: bytes, order: str = "<") -> bytes:
    return kind + struct.pack(f"{order}I", len(data)) + data + bytes(len(data) & 1)


def riff(form: bytes, data: bytes, *before: bytes, claimed: int | None = None, after: bytes = b"") -> bytes:
    """A WAV; `claimed`: the length of its data as it says."""
    size = len(data) if claimed is None else claimed
    body = (
        b"WAVE" + chunk(b"fmt ", form) + b"".join(before) + b"data" + struct.pack("<I", size) + data + after
    )
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


def form(
    tag: int, bits: int, rate: int = RATE, channels: int = 1, order: str = "<", extra: bytes = b""
) -> bytes:
    block = channels * -(-bits // 8)
    made = struct.pack(f"{order}HHIIHH", tag, channels, rate, rate * block, block, bits)
    return made + (struct.pack(f"{order}H", len(extra)) + extra if extra else b"")


def samples(kind: str, rate: int = RATE, seconds: float = 1.0, channels: int = 1) -> bytes:
    wave = tone(seconds, rate, channels).T
    if kind == "i3":
        whole = (wave * (2**23 - 1)).astype("<i4")
        return whole.view("u1").reshape(-1, 4)[:, :3].tobytes()
    if kind[1] == "f":
        return wave.astype(kind).tobytes()
    return (wave * (2 ** (8 * int(kind[2]) - 1) - 1)).astype(kind).tobytes()


def mu_law() -> bytes:
    wave = tone(1.0, 8000)[0]
    steps = np.round(127 * np.sign(wave) * np.log1p(255 * np.abs(wave)) / np.log(256)).astype(int)
    return np.where(steps >= 0, 255 - steps, 127 + steps).astype("u1").tobytes()


def _wide_float(rate: int) -> bytes:
    return riff(form(3, 32, rate), samples("<f4", rate))


def _extensible() -> bytes:
    """24 bits in 32, and speakers that are not said."""
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    extra = struct.pack("<HI", 24, 0) + guid
    data = (np.frombuffer(samples("<i4", channels=2), "<i4") & ~0xFF).astype("<i4").tobytes()
    return riff(form(0xFFFE, 32, channels=2, extra=extra), data)


def _long(kind: bytes) -> bytes:
    """RF64 or BW64: lengths of 64 bits in a chunk of their own."""
    data = samples("<i2")
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(data), len(data) // 2, 0))
    body = b"WAVE" + sizes + chunk(b"fmt ", form(1, 16)) + b"data\xff\xff\xff\xff" + data
    return kind + b"\xff\xff\xff\xff" + body


def _big_endian() -> bytes:
    data = samples(">i2")
    body = b"WAVE" + chunk(b"fmt ", form(1, 16, order=">"), ">") + chunk(b"data", data, ">")
    return b"RIFX" + struct.pack(">I", len(body)) + body


def _of(codec: str, kind: str | None = None, rate: int = RATE, **more: Any) -> Callable[[Path], bytes]:
    return lambda folder: write_sound(
        folder / "made", tone(1.0, rate), rate, codec, kind, **more
    ).read_bytes()


# -- tagged and streamed


def _picture_tag() -> bytes:
    picture = b"\0image/png\0\3\0" + bytes(range(256)) * 20_000
    size = bytes(len(picture) >> shift & 127 for shift in (21, 14, 7, 0))
    frame = b"APIC" + size + b"\0\0" + picture
    return b"ID3\4\0\0" + bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0)) + frame


def _mp3(folder: Path) -> bytes:
    return write_sound(folder / "a.mp3", tone(1.0), RATE, "libmp3lame").read_bytes()


def _without_xing(folder: Path) -> bytes:
    path = folder / "vbr.mp3"
    with av.open(str(path), "w", format="mp3", container_options={"write_xing": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", options={"q": "2"})
        stream.codec_context.flags |= 2  # a quality instead of a bit rate
        wave = np.ascontiguousarray(tone(1.0))
        for at in range(0, RATE, 1152):
            frame = av.AudioFrame.from_ndarray(wave[:, at : at + 1152], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _claiming_tag(folder: Path) -> bytes:
    """An ID3 tag that is longer than the file, as it says."""
    return b"ID3\3\0\0\x7f\x7f\x7f\x7f" + bytes(100) + _mp3(folder)


def _ape_tag(folder: Path) -> bytes:
    return b"APETAGEX" + struct.pack("<IIII", 2000, 400, 1, 0xA0000000) + bytes(400) + _mp3(folder)


def _flac_of_unknown_length(folder: Path) -> bytes:
    """Encoded to a pipe: no number of samples, no checksum."""
    data = bytearray(write_sound(folder / "a.flac", tone(1.0), RATE, "flac").read_bytes())
    data[8 + 13] &= 0xF0
    data[8 + 14 : 8 + 34] = bytes(20)
    return bytes(data)


def _fragments(folder: Path) -> bytes:
    flags = "frag_keyframe+empty_moov+default_base_moof+frag_every_frame"
    path = folder / "a.m4a"
    with av.open(str(path), "w", format="mp4", container_options={"movflags": flags}) as target:
        source = write_sound(folder / "b.m4a", tone(1.0), RATE, "aac", "mp4")
        with av.open(str(source)) as container:
            stream = target.add_stream_from_template(container.streams.audio[0])
            for packet in container.demux(container.streams.audio[0]):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    return path.read_bytes()


def _lost_pages(folder: Path) -> bytes:
    """An OGG of which pages in the middle were not received."""
    data = write_sound(folder / "a.opus", tone(4.0, 48_000), 48_000, "libopus", "ogg").read_bytes()
    pages = [b"OggS" + page for page in data.split(b"OggS")[1:]]
    return b"".join(pages[:3] + pages[4:])


def _layout(name: str, channels: int) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        wave = np.repeat(tone(1.0), channels, axis=0)
        return write_sound(folder / "a.mov", wave, RATE, "pcm_s16le", layout=name).read_bytes()

    return make


def _two_tracks(folder: Path) -> bytes:
    """Silence for commentators first; the default track is the tone."""
    from av.stream import Disposition

    path = folder / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        streams[0].disposition, streams[1].disposition = Disposition.comment, Disposition.default
        for stream, level in zip(streams, (0.0, 0.5), strict=True):
            frame = av.AudioFrame.from_ndarray(
                (tone(1.0, level=level) * 32767).astype(np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path.read_bytes()


USED: Mapping[str, Sound] = {
    "WAV, 24 bits": Sound(lambda _: riff(form(1, 24), samples("i3"))),
    "WAV, 24 of 32 bits": Sound(lambda _: _extensible(), channels=2),
    "WAV, 32-bit floats": Sound(lambda _: _wide_float(RATE)),
    "WAV, 64-bit floats": Sound(lambda _: riff(form(3, 64), samples("<f8"))),
    "WAV, 384 kHz": Sound(lambda _: _wide_float(384_000), rate=384_000, note="384 kHz become 48 kHz"),
    "WAV, 352.8 kHz": Sound(lambda _: _wide_float(352_800), rate=352_800, note="become 44.1 kHz"),
    "WAV, mu-law": Sound(lambda _: riff(form(7, 8, 8000), mu_law()), rate=8000),
    "WAV, ADPCM of Microsoft": Sound(_of("adpcm_ms", "wav")),
    "WAV, ADPCM of IMA": Sound(_of("adpcm_ima_wav", "wav")),
    "WAV, MP3 inside": Sound(_of("libmp3lame", "wav")),
    "WAV, length 0": Sound(lambda _: riff(form(1, 16), samples("<i2"), claimed=0)),
    "WAV, the largest length": Sound(lambda _: riff(form(1, 16), samples("<i2"), claimed=0xFFFFFFFF)),
    "WAV, length of a stream": Sound(lambda _: riff(form(1, 16), samples("<i2"), claimed=0x7FFFFFFF)),
    "WAV, longer than it says": Sound(
        lambda _: riff(form(1, 16), samples("<i2"), after=chunk(b"LIST", bytes(99)))
    ),
    "WAV, 2 MB before its data": Sound(
        lambda _: riff(form(1, 16), samples("<i2"), chunk(b"LIST", bytes(2_000_000)))
    ),
    "RF64": Sound(lambda _: _long(b"RF64")),
    "BW64": Sound(lambda _: _long(b"BW64")),
    "RIFX": Sound(lambda _: _big_endian()),
    "FLAC, length unknown": Sound(_flac_of_unknown_length),
    "FLAC in OGG": Sound(_of("flac", "ogg")),
    "ALAC in M4A": Sound(_of("alac", "ipod")),
    "MP3, picture of 5 MB": Sound(lambda folder: _picture_tag() + _mp3(folder)),
    "MP3, tag longer than the file": Sound(_claiming_tag),
    "MP3, APE tag before it": Sound(_ape_tag),
    "MP3, two tags before it": Sound(lambda folder: id3(900) + id3(3000) + _mp3(folder)),
    "MP3, variable rate without a header": Sound(_without_xing),
    "MP3 in MP4": Sound(_of("libmp3lame", "mp4")),
    "M4A, priming samples": Sound(_of("aac", "ipod")),
    "M4A in fragments": Sound(_fragments),
    "M4A in fragments, cut": Sound(
        lambda folder: (data := _fragments(folder))[: len(data) // 2], 0.51, note="Only its first part"
    ),
    "Opus, a page lost": Sound(_lost_pages, 4.0, 48_000),
    "5.1 with sides": Sound(_layout("5.1(side)", 6), channels=6, note="6 channels become stereo"),
    "6.1 with a back": Sound(_layout("6.1(back)", 7), channels=7, note="7 channels become stereo"),
    "hexagonal": Sound(_layout("hexagonal", 6), channels=6, note="6 channels become stereo"),
    "downmixed": Sound(_layout("downmix", 2), channels=2),
    "two tracks, the second one default": Sound(_two_tracks),
    "AC-3 in MKA": Sound(_of("ac3", "matroska", 48_000), rate=48_000),
}  # fmt: skip
"""What is odd -> the sound."""


def _wma(folder: Path) -> bytes:
    return write_sound(folder / "a.wma", tone(1.0), RATE, "wmav2", "asf").read_bytes()


def protected_wma(folder: Path) -> bytes:
    """The object that says so lies behind a cover of 20 kB."""
    data = bytearray(_wma(folder))
    guid = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")
    filler = bytes.fromhex("74d40618dfca0945a4ba9aabcb96aae8") + struct.pack("<Q", 20_024) + bytes(20_000)
    added = filler + guid + struct.pack("<Q", 40) + bytes(16)
    size, count = struct.unpack_from("<QI", data, 16)
    struct.pack_into("<QI", data, 16, size + len(added), count + 2)
    return bytes(data[:size] + added + data[size:])


def audible(folder: Path) -> bytes:
    data = write_sound(folder / "a.m4a", tone(1.0), RATE, "aac", "ipod").read_bytes()
    return data.replace(b"mp4a", b"aavd")


REFUSED: Mapping[str, tuple[Callable[[Path], bytes], str]] = {
    "no samples": (lambda _: riff(form(1, 16), b""), "At least 0.2 s are needed"),
    "one sample": (lambda _: riff(form(1, 16), b"\1\1"), "At least 0.2 s are needed"),
    "a protected WMA": (protected_wma, "is encrypted"),
    "a book of Audible": (audible, "is encrypted"),
    "a tag alone": (lambda _: id3(3000), "damaged or incomplete"),
    "a WAV of a picture": (lambda _: b"RIFF\x24\0\0\0WEBPVP8 " + bytes(99), "it is a picture"),
}
"""What it is -> (what writes it, words of the refusal)."""


def silent_mp3() -> bytes:
    return mp3_frames(60)

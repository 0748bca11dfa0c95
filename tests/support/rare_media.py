"""Sounds and videos in formats that the bundled encoders do not write, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np

from tests.support.media_files import numbered, tone, write_sound, write_video

RATE = 8_000


def _pcm(kind: str = "<i2", seconds: float = 0.5, channels: int = 1, rate: int = RATE) -> bytes:
    samples = tone(seconds, rate, channels).T
    return bytes((samples * 32767).astype(kind).tobytes())


def _packets(path: Path) -> tuple[list[bytes], bytes]:
    """The packets of the first track, and its extradata."""
    with av.open(str(path)) as container:
        track = container.streams[0]
        found = [bytes(packet) for packet in container.demux(track) if packet.size]
        return found, track.codec_context.extradata or b""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def _big_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def eight_svx(_: Path) -> bytes:
    samples = (tone(0.5, RATE)[0] * 127).astype("i1").tobytes()
    header = struct.pack(">IIIHBBI", len(samples), 0, 0, RATE, 1, 0, 0x10000)
    body = b"8SVX" + _big_chunk(b"VHDR", header) + _big_chunk(b"BODY", samples)
    return b"FORM" + struct.pack(">I", len(body)) + body


def dsd_bits(seconds: float, rate: int = 2_822_400) -> bytes:
    """A tone of 440 Hz as one bit a sample, of a first-order modulator; least significant bit first."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    level = np.floor(np.cumsum((wave + 1) / 2))
    return np.packbits(np.diff(level, prepend=0).astype(np.uint8), bitorder="little").tobytes()


def dsf(_: Path) -> bytes:
    bits, block = dsd_bits(0.5), 4096
    count = 8 * len(bits)
    data = bits + bytes(-len(bits) % block)
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, 2_822_400, 1, count, block, 0)
    body = b"data" + struct.pack("<Q", 12 + len(data)) + data
    return b"DSD " + struct.pack("<QQQ", 28, 28 + len(form) + len(body), 0) + form + body


def nist(_: Path) -> bytes:
    data = _pcm()
    lines = (
        "NIST_1A", "   1024", "channel_count -i 1", f"sample_count -i {len(data) // 2}",
        f"sample_rate -i {RATE}", "sample_n_bytes -i 2", "sample_byte_format -s2 01", "sample_sig_bits -i 16",
        "sample_coding -s3 pcm", "end_head",
    )  # fmt: skip
    return ("\n".join(lines) + "\n").encode().ljust(1024) + data


def pvf(_: Path) -> bytes:
    return f"PVF1\n1 {RATE} 16\n".encode() + _pcm(">i2")


def avr(_: Path) -> bytes:
    data = _pcm(">i2")
    head = b"2BIT" + b"tone".ljust(8, b"\0") + struct.pack(">HHHHH", 0, 16, 0xFFFF, 0, 0xFFFF)
    head += struct.pack(">IIII", RATE | 0xFF000000, len(data) // 2, 0, len(data) // 2)
    return head.ljust(128, b"\0") + data


def oma(_: Path) -> bytes:
    """Uncompressed samples."""
    head = b"EA3\x01" + struct.pack(">HH", 96, 0xFFFF)
    return (
        head.ljust(32, b"\0")
        + (b"\x04" + (0x200).to_bytes(3, "big")).ljust(64, b"\0")
        + _pcm(">i2", 0.5, 2, 44_100)
    )


def qoa(_: Path) -> bytes:
    """Residuals of one step up, one step down, so that it is audible."""
    frames, per_frame = 2, 5_120
    out = b"qoaf" + struct.pack(">I", frames * per_frame)
    for _ in range(frames):
        slices = 256
        size = 8 + 16 + 8 * slices
        out += struct.pack(">BBHHH", 1, 0, RATE, per_frame, size)  # channels, rate (24 bits), samples, bytes
        out += struct.pack(">4h", 0, 0, 0, 0) + struct.pack(">4h", 0, 0, -8192, 16384)
        word = 9 << 60
        for index in range(20):
            word |= (4 if index % 20 < 10 else 5) << (57 - 3 * index)
        out += struct.pack(">Q", word) * slices
    return out


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def rice(self, value: int, size: int) -> None:
        """`value` >= 0: its high part in unary, `size` low bits."""
        self.text += (
            "0" * (value >> size) + "1" + (format(value & (1 << size) - 1, f"0{size}b") if size else "")
        )

    def signed(self, value: int, size: int) -> None:
        self.rice(2 * value if value >= 0 else -2 * value - 1, size)

    def long(self, value: int) -> None:
        size = value.bit_length()
        self.rice(size, 2)
        self.rice(value, size)

    def bytes(self) -> bytes:
        text = self.text + "0" * (-len(self.text) % 32)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def shn(_: Path) -> bytes:
    """Shorten: a triangle wave as first differences."""
    bits, block, blocks = _Bits(), 256, 16
    for value in (5, 1, block, 0, 0, 0):  # 16-bit little endian, channels, block, LPC, means, bytes to skip
        bits.long(value)
    size = 2 * block * blocks
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE" + _chunk(b"fmt ", form)
    head += b"data" + struct.pack("<I", size)
    bits.rice(9, 2)  # verbatim
    bits.rice(len(head), 5)
    for byte in head:
        bits.rice(byte, 8)
    for _ in range(blocks):
        bits.rice(1, 2)  # first differences
        bits.rice(8, 3)  # bits of a residual, less one
        for index in range(block):
            bits.signed(200 if index % 128 < 64 else -200, 9)
    bits.rice(4, 2)  # the end
    return b"ajkg\x02" + bits.bytes() + bytes(64)


def xwma(folder: Path) -> bytes:
    source = write_sound(folder / "a.wma", tone(1.0, 44_100), 44_100, "wmav2", "asf")
    packets, extra = _packets(source)
    block = len(packets[0])
    form = struct.pack("<HHIIHHH", 0x161, 1, 44_100, 16_000, block, 16, len(extra)) + extra
    sizes = struct.pack(f"<{len(packets)}I", *(4_096 * (1 + index) for index in range(len(packets))))
    body = b"XWMA" + _chunk(b"fmt ", form) + _chunk(b"dpds", sizes) + _chunk(b"data", b"".join(packets))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def qcp(_: Path) -> bytes:
    """Frames of an eighth of the full rate."""
    guid = bytes.fromhex("416d7f5e15b1d011ba9100805fb4b97e")
    frames = (b"\x01" + b"\x5a\x3c\x16") * 50
    form = struct.pack("<BB", 1, 0) + guid + struct.pack("<H", 2) + b"Qcelp 13K".ljust(80, b"\0")
    form += struct.pack("<HHHHH", 13_000, 35, 160, RATE, 16)
    form += struct.pack("<I", 4) + b"\x22\x04\x10\x03\x07\x02\x03\x01".ljust(16, b"\0") + bytes(20)
    body = (
        b"QLCM" + _chunk(b"fmt ", form) + _chunk(b"vrat", struct.pack("<II", 1, 50)) + _chunk(b"data", frames)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _h264(folder: Path) -> list[bytes]:
    """The frames as a bare stream, each with its parameters."""
    options = {"preset": "ultrafast", "g": "1", "x264-params": "repeat-headers=1:annexb=1"}
    source = write_video(
        folder / "a.ts", numbered(25, (176, 144)), 25, "libx264", form="mpegts", options=options
    )
    return _packets(source)[0]


def nsv(folder: Path) -> bytes:
    out = b""
    for index, frame in enumerate(_h264(folder)):
        sizes = struct.pack("<B", (len(frame) & 15) << 4) + struct.pack("<HH", len(frame) >> 4, 0)
        if index % 5:
            out += b"\xef\xbe" + sizes + frame
        else:
            out += b"NSVsH264NONE" + struct.pack("<HHBh", 176, 144, 25, 0) + sizes + frame
    return out


def dhav(folder: Path) -> bytes:
    out = b""
    for index, frame in enumerate(_h264(folder)):
        more = b"\x81\x00\x08\x19" + b"\x80\x00" + bytes([176 // 8, 144 // 8])
        size = 24 + len(more) + len(frame) + 8
        date = 24 << 26 | 1 << 22 | 1 << 17 | index // 25
        head = (
            b"DHAV\xfd\x00\x00\x00" + struct.pack("<IIIHB", index, size, date, 40 * index, len(more)) + b"\0"
        )
        out += head + more + frame + b"dhav" + struct.pack("<I", size)
    return out


def nuv(folder: Path) -> bytes:
    """MPEG-4 in MythTV's extended form."""
    source = write_video(folder / "a.avi", numbered(25, (176, 144)), 25, "mpeg4", form="avi")
    packets, _ = _packets(source)
    out = b"MythTVVideo\0" + b"0.07\0\0\0\0" + struct.pack("<IIII", 176, 144, 0, 0) + b"P\0\0\0"
    out += struct.pack("<ddIIII", 1.0, 25.0, 25, 0, 0, 0)
    extended = struct.pack("<I", 1) + b"DIVX" + bytes(512 - 8)
    out += b"X\0\0\0" + struct.pack("<II", 0, len(extended)) + extended
    for index, packet in enumerate(packets):
        out += b"V4\1\0" + struct.pack("<II", 40 * index, len(packet)) + packet
    return out


SOUNDS: Mapping[str, Callable[[Path], bytes]] = {
    "iff": eight_svx, "dsf": dsf, "nistsphere": nist, "pvf": pvf, "avr": avr, "oma": oma, "qoa": qoa,
    "shn": shn, "xwma": xwma, "qcp": qcp,
}  # fmt: skip
"""Demuxer -> what writes a file of about half a second; it may use the folder."""
VIDEOS: Mapping[str, Callable[[Path], bytes]] = {"nsv": nsv, "dhav": dhav, "nuv": nuv}
"""Demuxer -> what writes 25 pictures of 176 x 144; it may use the folder."""

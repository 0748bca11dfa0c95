"""Generates small sounds and videos of known content."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def tone(seconds: float, rate: int = 44_100, channels: int = 1, level: float = 0.5) -> np.ndarray:
    """A sine of 440 Hz, float32 (channels, samples); the second channel is half as loud."""
    time = np.arange(round(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * 440 * time)
    return np.stack([wave / (1 + i) for i in range(channels)]).astype(np.float32)


def _encode(container: Any, stream: Any, samples: np.ndarray, rate: int, at: float = 0.0) -> None:
    layout = stream.layout.name
    size = stream.codec_context.frame_size or 4096
    change = av.AudioResampler(stream.codec_context.format.name, layout, stream.rate, size)
    packed = np.ascontiguousarray(samples.T.reshape(1, -1))  # PyAV cannot fill eight planes
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = rate
    done = round(at * stream.rate)
    for made in (*change.resample(frame), *change.resample(None), None):
        if made is not None:
            made.pts, made.time_base = done, Fraction(1, stream.rate)
            done += made.samples
        container.mux(stream.encode(made))


def coded(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """An image of eight black or white columns, the number in binary, which survives lossy codecs."""
    bits = np.array([number >> i & 1 for i in range(8)], np.uint8) * 200 + 20
    row = np.repeat(bits, -(-size[0] // 8))[: size[0]]
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (size[1], size[0], 3)))


def decoded(picture: np.ndarray) -> int:
    """The number in an image made by `coded`."""
    width = -(-picture.shape[1] // 8)
    columns = [float(picture[:, i * width : (i + 1) * width].mean()) for i in range(8)]
    return sum((value > 120) << i for i, value in enumerate(columns))


def _sound_options(codec: str) -> dict[str, str]:
    if codec == "aac":  # the default coder produces clicks at abrupt ends
        return {"aac_coder": "fast", "b": "192k"}
    if codec in ("wmav1", "wmav2"):  # they have no bit rate of their own
        return {"b": "128k"}
    return {"strict": "-2"} if codec == "vorbis" else {}


def has_encoder(codec: str) -> bool:
    """Whether the bundled FFmpeg has this encoder."""
    from av.codec.codec import Codec, UnknownCodecError

    try:
        return bool(Codec(codec, "w").is_encoder)
    except UnknownCodecError:
        return False


def write_sound(
    path: Path,
    samples: np.ndarray,
    rate: int = 44_100,
    codec: str = "pcm_s16le",
    form: str | None = None,
    cover: bool = False,
    layout: str = "",
) -> Path:
    """Encodes the samples into a file; `cover` adds a cover image. `layout`: of the channels, "" for the
    usual one."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(samples)]
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options=_sound_options(codec))
        picture: Any = None
        if cover:
            from av.stream import Disposition

            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
            container.mux(picture.encode(None))
        _encode(container, stream, samples, rate)
    return path


def flat(value: int, size: tuple[int, int]) -> np.ndarray:
    """A grey image."""
    return np.full((size[1], size[0], 3), value, np.uint8)


def numbered(count: int, size: tuple[int, int] = (128, 96), step: int = 4) -> list[np.ndarray]:
    """Grey images whose brightness encodes their number (see `number_of`)."""
    return [flat(20 + step * i, size) for i in range(count)]


def number_of(picture: np.ndarray, step: int = 4) -> int:
    return round((float(picture.mean()) - 20) / step)


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray],
    rate: float | Fraction = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    *,
    times: Iterable[float] | None = None,
    sound: np.ndarray | None = None,
    sound_codec: str = "aac",
    sound_rate: int = 44_100,
    sound_at: float = 0.0,
    options: dict[str, str] | None = None,
    movflags: str = "",
    form: str | None = None,
) -> Path:
    """Encodes the images as a video, at a constant `rate` or at `times` (seconds), with sound from
    `sound_at`."""
    container_options = {"movflags": movflags} if movflags else {}
    defaults = {"libx264": {"preset": "ultrafast"}, "libx265": {"preset": "ultrafast"}}
    defaults["libx265"]["x265-params"] = "log-level=none"
    defaults["libvpx-vp9"] = {"cpu-used": "8", "deadline": "realtime"}
    defaults["libsvtav1"] = {"preset": "13"}
    with av.open(str(path), "w", format=form, container_options=container_options) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = options or defaults.get(codec, {})
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        voice: Any = None
        if sound is not None:
            layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[len(sound)]
            how = _sound_options(sound_codec)
            voice = container.add_stream(sound_codec, rate=sound_rate, layout=layout, options=how)
        at = list(times) if times is not None else None
        for i, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pix_fmt)
            if at is not None:
                frame.pts, frame.time_base = round(1000 * at[i]), Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = i, 1 / Fraction(rate).limit_denominator(1001)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None and sound is not None:
            _encode(container, voice, sound, sound_rate, sound_at)
    return path


def repeat(src: Path, dst: Path, times: int, kind: str = "video") -> Path:
    """Repeats the only track of `src` without re-encoding."""
    with av.open(str(src)) as source, av.open(str(dst), "w") as target:
        track = (source.streams.video if kind == "video" else source.streams.audio)[0]
        stream = target.add_stream_from_template(track)
        packets = [p for p in source.demux(track) if p.size]
        ends = max(p.pts + p.duration for p in packets) - min(p.pts for p in packets)
        data = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in packets]
        for turn in range(times):
            for content, pts, dts, duration, key in data:
                packet = av.Packet(content)
                packet.pts, packet.dts, packet.duration = pts + turn * ends, dts + turn * ends, duration
                packet.time_base, packet.is_keyframe, packet.stream = track.time_base, key, stream
                target.mux(packet)
    return dst


def rotate_flag(path: Path, degrees: int) -> Path:
    """Sets the MP4's display rotation, clockwise in degrees."""
    one = 0x10000
    matrix = {
        90: (0, one, 0, -one, 0, 0, 0, 0, 0x40000000),
        180: (-one, 0, 0, 0, -one, 0, 0, 0, 0x40000000),
        270: (0, -one, 0, one, 0, 0, 0, 0, 0x40000000),
    }[degrees]
    data = bytearray(path.read_bytes())
    box = data.find(b"tkhd")
    at = box + 8 + (32 if data[box + 4] else 20) + 16
    data[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
    return path


def pictures_of(path: Path) -> list[np.ndarray]:
    """All frames of a video as RGB."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def samples_of(path: Path) -> tuple[np.ndarray, int]:
    """A 16-bit WAV's samples (channels, samples) as float32, and its rate."""
    import wave

    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data.reshape(-1, file.getnchannels()).T.astype(np.float32) / 32768, file.getframerate()

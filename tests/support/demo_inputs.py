"""Generates the input files of the recorded graphs."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
from PIL import Image


def make(folder: Path) -> None:
    """Writes images, sounds and videos under the names of the recorded runs."""
    folder.mkdir(parents=True, exist_ok=True)
    picture(96, 128).save(folder / "rig_image.png")
    picture(200, 100).save(folder / "rig_image_wide.jpg")
    Image.new("RGB", (64, 64), "white").save(folder / "rig_mask.png")
    (folder / "rig_corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"not a picture" * 20)
    (folder / "rig_audio_corrupt.wav").write_bytes(b"RIFF0000WAVEnot audio at all" * 5)
    tone(folder / "rig_audio_1s.wav", 1.0)
    tone(folder / "rig_audio_tiny_20ms.wav", 0.02)
    for name in ("rig_ref.mp4", "rig_pose.mp4", "rig_face.mp4"):
        clip(folder / name, sound=name != "rig_face.mp4")


def picture(width: int, height: int) -> Image.Image:
    """An image that reveals crops and mirroring: red on the left, blue on the right, brighter at the top."""
    y, x = np.mgrid[0:height, 0:width]
    red, blue = 255 * (1 - x / width), 255 * x / width
    return Image.fromarray(np.stack([red, 255 * (1 - y / height), blue], -1).astype(np.uint8))


def tone(path: Path, seconds: float, rate: int = 16000) -> None:
    samples = 0.4 * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 220 / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def clip(path: Path, frames: int = 24, fps: int = 16, *, sound: bool = True) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        voice = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame.from_image(picture(96, 64))))
        container.mux(video.encode(None))
        if voice is not None:
            samples = np.zeros((1, round(16000 * frames / fps)), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(voice.encode(frame))
            container.mux(voice.encode(None))

"""Encodes frames as an H.264 MP4 with the index in front, one frame at a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from backend.engines.demo.values import Sound, Video, iter_frames

CRF = "19"
PRESET = "veryfast"  # 81 frames of 832 x 480 in about a second


def write_video(video: Video, path: Path, check: Callable[[], None]) -> None:
    """Writes an MP4 with H.264 (yuv420p) video, and AAC sound cut to the length of the video.

    `check` is called before each frame and may raise to abort; the partial file is removed.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        with av.open(str(unfinished), "w", format="mp4", options={"movflags": "faststart"}) as container:
            container.metadata["comment"] = "Demo: no model took part in this."
            _write(container, video, check)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write(container: Any, video: Video, check: Callable[[], None]) -> None:
    rate = Fraction(round(video.fps * 1000), 1000)
    stream = container.add_stream("libx264", rate=rate, options={"crf": CRF, "preset": PRESET})
    stream.width, stream.height, stream.pix_fmt = video.frames.width, video.frames.height, "yuv420p"
    sound = video.sound
    voice = None
    if sound is not None and sound.samples.shape[1]:
        voice = container.add_stream("aac", rate=sound.rate, layout="stereo")
    for image in iter_frames(video.frames):
        check()
        frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    if sound is not None and voice is not None:
        seconds = video.frames.count / rate
        _write_sound(container, voice, sound, round(sound.rate * seconds), check)


def _write_sound(container: Any, stream: Any, sound: Sound, length: int, check: Callable[[], None]) -> None:
    samples = sound.samples[:, :length]
    if samples.shape[0] == 1:
        samples = np.repeat(samples, 2, axis=0)
    size = 1024  # samples of one AAC frame
    for first in range(0, samples.shape[1], size):
        check()
        block = np.ascontiguousarray(samples[:2, first : first + size], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = sound.rate, first
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def next_name(folder: Path, prefix: str, width: int, height: int) -> tuple[Path, str, str, int]:
    """The folder (created), subfolder, name and first free number for a prefix such as "wan-studio/abc".

    Like ComfyUI, it uses the highest number of existing files <name>_00012_* plus one.
    Raises ValueError for a prefix that leads out of the folder.
    """
    now = time.localtime()
    for key, value in {
        "width": str(width),
        "height": str(height),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }.items():
        prefix = prefix.replace(f"%{key}%", value)
    target = (folder / prefix).resolve()
    if not target.is_relative_to(folder.resolve()) or target == folder.resolve():
        raise ValueError("Saving outside of the output folder is not allowed.")
    target.parent.mkdir(parents=True, exist_ok=True)
    numbered = re.compile(re.escape(target.name) + r"_(\d+)_")
    taken = [match for entry in target.parent.iterdir() if (match := numbered.match(entry.name))]
    number = max((int(match.group(1)) for match in taken), default=0) + 1
    subfolder = target.parent.relative_to(folder.resolve()).as_posix()
    return target.parent, "" if subfolder == "." else subfolder, target.name, number

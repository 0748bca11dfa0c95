"""Submitting valid and invalid sounds and videos: a refusal names the field and leaves no files, and an
accepted job is completed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from backend.errors import BadInput
from backend.studio import Studio
from tests.support.media_files import (
    flat,
    numbered,
    repeat,
    rotate_flag,
    tone,
    write_sound,
    write_video,
)
from tests.support.scripted import OWNER, Make, ended
from tests.support.tiers import deep
from workflows.notice import notice

pytestmark = pytest.mark.full

SMALL = {"width": 64, "height": 64, "speed": "fast", "steps": 1, "seed": 5}
Maker = Callable[[Path], object]


def wav(path: Path, seconds: float, channels: int = 1, rate: int = 44_100, codec: str = "pcm_s16le") -> Path:
    """Writes a WAV file of this name with any suffix."""
    made = write_sound(path.with_suffix(".made.wav"), tone(seconds, rate, channels), rate, codec)
    return made.rename(path)


def three_hours(path: Path) -> None:
    size = 3 * 3600 * 8000
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1,
                       8000, 8000, 1, 8, b"data", size)  # fmt: skip
    with path.open("wb") as file:
        file.write(head)
        file.truncate(44 + size)  # a hole: takes no room


def an_hour(path: Path) -> None:
    repeat(write_video(path.with_suffix(".m.mp4"), numbered(60, (64, 64), 2), 1), path, 60)


def no_frame(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


def mute(path: Path) -> None:
    write_video(path.with_suffix(".mp4"), numbered(9)).rename(path)


def corrupt(path: Path) -> None:
    path.write_bytes(b"RIFF\x24\0\0\0WAVEdata" + bytes(64))


def second(path: Path) -> None:
    write_video(path, numbered(25))


def cut_short(path: Path) -> None:
    write_video(path, numbered(25))
    path.write_bytes(path.read_bytes()[:400])


def photo(path: Path) -> None:
    Image.effect_noise((640, 360), 40).convert("RGB").save(path, format="PNG")


BAD_SOUNDS: dict[str, tuple[Maker, dict[str, Any], str, str]] = {
    "20 ms": (lambda p: wav(p, 0.02), {}, "audio", "is 0.02 s long. At least 0.2 s are needed"),
    "100 ms": (lambda p: wav(p, 0.1), {}, "audio", "is 0.1 s long. At least 0.2 s are needed"),
    "three hours": (three_hours, {}, "audio", "is 3 h long. Files of up to 1 h can be used"),
    "corrupt header": (corrupt, {}, "audio", "damaged"),
    "a text with a sound's name": (lambda p: p.write_text("la la la"), {}, "audio", "it is a text file"),
    "a video without sound": (mute, {}, "audio", "has no sound"),
    "a picture": (photo, {}, "audio", "it is a picture (PNG)"),
    "a playlist": (lambda p: p.write_text("#EXTM3U\n/etc/passwd\n"), {}, "audio", "only names other files"),
    "an empty file": (lambda p: p.write_bytes(b""), {}, "audio", "is empty"),
    "a start beyond the end": (lambda p: wav(p, 2.0), {"start": 2.5}, "start", "past the end of the sound"),
    "a start below 0": (lambda p: wav(p, 2.0), {"start": -1}, "start", "between 0 and"),
    "a negative duration": (lambda p: wav(p, 2.0), {"duration": -1}, "duration", "between 0 and"),
    "too long a part": (lambda p: wav(p, 2.0), {"duration": 3}, "duration", "lasts only 2 s, not 3 s"),
    "too short a part": (lambda p: wav(p, 2.0), {"duration": 0.1}, "duration", "at least 0.2 s"),
}  # fmt: skip

BAD_VIDEOS: dict[str, tuple[Maker, dict[str, Any], str, str]] = {
    "one frame": (lambda p: write_video(p, numbered(1)), {}, "video", "has one frame: it is a picture"),
    "no frame": (no_frame, {}, "video", "has no frames: nothing is in it"),
    "an hour": (an_hour, {}, "video", "is 1 h long. Files of up to 30 min can be used"),
    "8K": (lambda p: write_video(p, [flat(90, (7680, 4320))] * 2), {}, "video", "is 7680 × 4320"),
    "a list of other files": (lambda p: p.write_text("ffconcat version 1.0\nfile /etc/passwd\n"), {}, "video",
                              "a playlist, which only names other files"),
    "only sound": (lambda p: write_sound(p, tone(1.0), 44_100, "aac", "mp4"), {}, "video", "only sound"),
    "truncated": (cut_short, {}, "video", "damaged or incomplete"),
    "a start beyond the end": (second, {"start": 1.5}, "start", "past the end"),
    "a negative length": (second, {"seconds": -1}, "seconds", "between 0 and"),
    "too short a part": (second, {"seconds": 0.1}, "seconds", "0.25 s"),
}  # fmt: skip


def nothing_left(studio: Studio) -> bool:
    return list(studio.settings.jobs_dir.iterdir()) == [] and studio.jobs(OWNER) == []


def refused(studio: Studio, mode: str, values: dict[str, Any], files: dict[str, Path]) -> BadInput:
    with pytest.raises(BadInput) as caught:
        studio.submit(OWNER, mode, {**SMALL, **values}, files)
    error = caught.value
    assert error.message.endswith(".") and error.hint.endswith(".") and "Traceback" not in error.message
    assert nothing_left(studio)
    return error


@pytest.mark.parametrize("which", BAD_SOUNDS)
def test_bad_sounds(which: str, make: Make, tmp_path: Path) -> None:
    write, values, field, said = BAD_SOUNDS[which]
    path = tmp_path / "talk.mp3"
    write(path)
    error = refused(make(), "sound_to_video", values, {"audio": path})
    assert said in error.message and error.field == field
    assert path.is_file(), "what a creator gave is never taken away"


@pytest.mark.parametrize("which", BAD_VIDEOS)
def test_bad_videos(which: str, make: Make, picture: Path, tmp_path: Path) -> None:
    write, values, field, said = BAD_VIDEOS[which]
    path = tmp_path / "dance.mp4"
    write(path)
    error = refused(make(), "animate", values, {"video": path, "image": picture})
    assert said in error.message and error.field == field


@pytest.mark.parametrize(
    ("frames", "size", "said"),
    [(10, (128, 96), "The mask ends at 0.4 s"), (25, (96, 96), "their aspect ratios differ")],
)
def test_a_mask_of_another_length_or_size(
    frames: int, size: tuple[int, int], said: str, make: Make, picture: Path, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "dance.mp4", numbered(25))
    mask = write_video(tmp_path / "mask.mp4", numbered(frames, size))
    files = {"video": video, "image": picture, "mask": mask}
    error = refused(make(), "animate", {"method": "mix"}, files)
    assert said in error.message and error.field == "mask"


GOOD_SOUNDS: dict[str, Maker] = {
    "8 bit, 8 kHz": lambda p: wav(p, 1.0, 1, 8000, "pcm_u8"),
    "192 kHz, floats, stereo": lambda p: wav(p, 1.0, 2, 192_000, "pcm_f32le"),
    "under a wrong name": lambda p: write_sound(p.with_suffix(".flac"), tone(1.0), 44_100, "flac").rename(p),
    "of a video": lambda p: write_video(
        p.with_suffix(".mp4"), numbered(25), 25, sound=tone(1.0)
    ).rename(p),
}  # fmt: skip


@pytest.mark.parametrize("which", GOOD_SOUNDS)
def test_odd_sounds_become_videos(which: str, make: Make, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    GOOD_SOUNDS[which](path)
    studio = make()
    done = ended(studio, studio.submit(OWNER, "sound_to_video", SMALL, {"audio": path}))
    assert (done.status, done.frames, done.error) == ("done", 16, None)


def test_silence_is_accepted_with_a_warning(make: Make, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "talk.wav", tone(1.0, level=0.0))
    studio = make()
    done = ended(studio, studio.submit(OWNER, "sound_to_video", {**SMALL, "level": True}, {"audio": path}))
    assert done.status == "done"
    assert done.warnings == (notice("silent_sound"),)


def hevc(path: Path) -> None:
    write_video(path, numbered(25, (128, 96)), 25, "libx265", "yuv420p10le")


def uneven(path: Path) -> None:
    times = np.cumsum([0.0] + [0.02, 0.06] * 12)
    write_video(path, numbered(25), 25, times=times)


GOOD_VIDEOS: dict[str, Maker] = {
    "odd sizes": lambda p: write_video(p, numbered(25, (129, 97)), 25, "libx264", "yuv444p"),
    "rotated": lambda p: rotate_flag(write_video(p, numbered(25)), 90),
    "variable rate": uneven,
    "HEVC, 10 bits": hevc,
    "with sound": lambda p: write_video(p, numbered(25), 25, sound=tone(1.0)),
}


@pytest.mark.parametrize(
    "which", [name if name in ("rotated", "HEVC, 10 bits") else deep(name) for name in GOOD_VIDEOS]
)
def test_odd_videos_are_accepted_as_driving_videos(
    which: str, make: Make, picture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dance.mp4"
    GOOD_VIDEOS[which](path)
    studio = make()
    done = ended(studio, studio.submit(OWNER, "animate", SMALL, {"video": path, "image": picture}))
    assert (done.status, done.frames, done.error) == ("done", 16, None)

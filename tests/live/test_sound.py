"""Sound-to-Video on a real ComfyUI: every length and option, long sounds in several prompts and in one."""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

import pytest

from backend.media.decoder import Decoder, StoredMedia
from tests.live.runs import SIZE, Bench, film, pictures_of, seed, sound_seconds, tone
from workflows.catalog import load_catalog
from workflows.modes import sound_to_video
from workflows.modes.sound_to_video import SoundToVideo
from workflows.params.media import Media


def portrait(picture: StoredMedia) -> Media:
    return Media(picture.name, 160, 90)


@pytest.mark.parametrize("seconds", [0.2, 1.0, 4.9, 5.1, 12.0])
def test_lengths(seconds: float, bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    audio = tone(tmp_path / "tone.wav", seconds)
    params = SoundToVideo(audio=audio, image=portrait(picture), seed=seed(), speed="fast", **SIZE)
    compiled = bench.compile(params)
    assert compiled.sampling_steps == 4 * math.ceil((16 * seconds + 2) / 80)
    pictures = bench.video(f"sound {seconds:g} s", compiled, tmp_path / "tone.wav", picture)
    assert len(pictures) == round(16 * seconds)


@pytest.mark.parametrize(
    ("name", "options", "frames", "steps"),
    [
        ("quality, no picture, a part, levelled", {"start": 1.0, "duration": 1.5, "level": True}, 24, 20),
        ("quality with a prompt and its opposite", {"prompt": "A singer", "negative_prompt": "mud"}, 48, 20),
        ("own steps, guidance, shift", {"steps": 3, "cfg": 2.5, "shift": 5.0, "speed": "fast"}, 48, 3),
        ("tall", {"width": 64, "height": 96, "speed": "fast"}, 48, 4),
    ],
)
def test_options(
    name: str, options: dict[str, Any], frames: int, steps: int, bench: Bench, tmp_path: Path
) -> None:
    audio = tone(tmp_path / "tone.wav", 3.0)
    compiled = bench.compile(SoundToVideo(**{"audio": audio, "seed": seed(), **SIZE, **options}))
    bench.video(f"sound, {name}", compiled, tmp_path / "tone.wav")
    assert (compiled.frames, compiled.sampling_steps) == (frames, steps)


def test_the_sound_of_a_video_and_a_padded_picture(
    bench: Bench, decoder: Decoder, picture: StoredMedia, tmp_path: Path
) -> None:
    video = film(tmp_path / "film.mp4", 40)
    padded = decoder.normalise(picture.path, tmp_path / "padded", pad_to=(96, 64))
    image = Media(padded.name, padded.width, padded.height)
    params = SoundToVideo(
        audio=Media("film.mp4", seconds=video.seconds), image=image, fit="pad", seed=seed(), speed="fast",
        width=96, height=64,
    )  # fmt: skip
    compiled = bench.compile(params)
    bench.video("sound of a video, padded picture", compiled, tmp_path / "film.mp4", padded)
    assert compiled.frames == 40


def test_in_several_prompts_it_is_as_long_as_in_one(
    bench: Bench, picture: StoredMedia, tmp_path: Path
) -> None:
    audio = tone(tmp_path / "tone.wav", 12.0)
    params = SoundToVideo(audio=audio, image=portrait(picture), seed=seed(), speed="fast", steps=1, **SIZE)
    for most in (2, 1):
        compiled = sound_to_video.build(params, load_catalog(), bench.server, uuid.uuid4().hex, most)
        assert len(compiled.graphs) == {2: 2, 1: 3}[most]
        pictures = bench.video(f"sound 12 s, {most} a prompt", compiled, tmp_path / "tone.wav", picture)
        assert len(pictures) == 192


@pytest.mark.parametrize(("name", "most"), [("as it is cut", 8), ("in one prompt", 13)])
def test_a_minute(name: str, most: int, bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    audio = tone(tmp_path / "tone.wav", 60.0)
    params = SoundToVideo(audio=audio, image=portrait(picture), seed=seed(), speed="fast", steps=1, **SIZE)
    compiled = sound_to_video.build(params, load_catalog(), bench.server, uuid.uuid4().hex, most)
    assert len(compiled.graphs) == (2 if most == 8 else 1)
    pictures = bench.video(f"sound 60 s, {name}", compiled, tmp_path / "tone.wav", picture)
    assert len(pictures) == 960


def test_the_whole_studio_with_two_prompts(address: str, picture: StoredMedia, bench: Bench) -> None:
    """45 s, nine parts in two prompts, through everything that a creator's job goes through."""
    from tests.live.studio import finished

    tone(bench.folder / "tone.wav", 45.0)
    values = {"speed": "fast", "steps": 1, "level": True, **SIZE}
    files = {"audio": bench.folder / "tone.wav", "image": picture.path}
    job, path = finished(address, bench.folder, "sound_to_video", values, files)
    assert (job.status, job.frames, job.demo) == ("done", 720, False)
    heard = sound_seconds(path)
    bench.table.add(
        "sound 45 s, the whole studio", "2", "64 x 64", f"{len(pictures_of(path))} of 720", "16", "45.000",
        f"{heard:.3f}", "-", f"{job.elapsed:.0f}",
    )  # fmt: skip
    assert heard == pytest.approx(45.0, abs=0.1) and len(pictures_of(path)) == 720

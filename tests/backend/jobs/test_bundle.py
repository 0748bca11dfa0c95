"""Files of a job within what goes through RunPod, and what the job is then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.errors import JobCancelled, TooLargeToSend
from backend.jobs import bundle, input_files, originals
from backend.jobs.job import Job
from backend.jobs.params import make_params
from backend.jobs.preflight import compile_for
from backend.media.decoder import Decoder
from tests.support import media_files
from workflows.graph.node_contract import facts, recorded
from workflows.modes.registry import MODES
from workflows.params.media import Media
from workflows.spec import ModeParams

pytestmark = pytest.mark.full


def measured(decoder: Decoder, mode: str, files: dict[str, Path]) -> dict[str, Media]:
    return {
        name: input_files.measured(decoder, MODES[mode].media[name].kind, path, name, name)
        for name, path in files.items()
    }


def kept(
    decoder: Decoder, folder: Path, mode: str, values: dict[str, Any], files: dict[str, Path]
) -> tuple[Job, ModeParams]:
    """The job as the studio would have stored it."""
    sizes = measured(decoder, mode, files)
    params = make_params(mode, {"seed": 5, **values}, sizes)
    inputs = input_files.keep(
        decoder, params, {name: originals.plain(path) for name, path in files.items()}, (), sizes, folder, {}
    )
    return Job("job", "owner", mode, {"prompt": "a boat", **values}, inputs, created=0.0, seed=5), params


def received(decoder: Decoder, request: Any) -> ModeParams:
    """What a worker makes of a request."""
    sizes = measured(decoder, request.mode, dict(request.media))
    return make_params(request.mode, request.params, sizes)


def noise(path: Path, size: tuple[int, int]) -> Path:
    Image.effect_noise(size, 80).convert("RGB").save(path)
    return path


def test_small_files_go_as_they_are(decoder: Decoder, tmp_path: Path) -> None:
    files = {"image": noise(tmp_path / "a.png", (641, 360))}
    job, params = kept(decoder, tmp_path / "job", "image_to_video", {"resolution": "480p"}, files)
    request = bundle.request(decoder, tmp_path / "job", job, params, lambda: None)
    assert request.media["image"].read_bytes()[:4] == b"\x89PNG"
    assert not (tmp_path / "job" / bundle.SENT).exists()
    assert (request.params["width"], request.params["height"]) == params.size
    assert request.params["seed"] == 5
    there = received(decoder, request)
    assert (there.size, there.frames) == (params.size, params.frames)


def test_pictures_become_jpeg_when_they_are_too_much(decoder: Decoder, tmp_path: Path) -> None:
    files = {name: noise(tmp_path / f"{name}.png", (1280, 720)) for name in ("image", "end_image")}
    job, params = kept(decoder, tmp_path / "job", "image_to_video", {}, files)
    request = bundle.request(decoder, tmp_path / "job", job, params, lambda: None, 2_500_000)
    assert all(path.read_bytes()[:2] == b"\xff\xd8" for path in request.media.values())
    assert sum(path.stat().st_size for path in request.media.values()) <= 2_500_000
    assert received(decoder, request).size == params.size


def test_a_long_sound_goes_as_its_chosen_part_in_aac(decoder: Decoder, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    media_files.write_sound(sound, media_files.tone(40.0, channels=2))
    values = {"start": 3.0, "duration": 30.5}
    job, params = kept(decoder, tmp_path / "job", "sound_to_video", values, {"audio": sound})
    request = bundle.request(decoder, tmp_path / "job", job, params, lambda: None, 900_000)
    assert request.media["audio"].stat().st_size <= 900_000
    assert request.params["start"] == 0.0
    assert received(decoder, request).frames == params.frames


def test_driving_videos_go_in_the_size_and_rate_of_their_use(decoder: Decoder, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    pictures = [generator.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(60)]
    video, pose = tmp_path / "a.mp4", tmp_path / "b.mp4"
    media_files.write_video(video, pictures, rate=30)
    media_files.write_video(pose, pictures, rate=30)
    files = {"image": noise(tmp_path / "p.png", (96, 64)), "video": video, "pose_video": pose}
    values = {"start": 0.5, "seconds": 1.2, "width": 96, "height": 64}
    job, params = kept(decoder, tmp_path / "job", "animate", values, files)
    whole = sum(path.stat().st_size for path in files.values())
    request = bundle.request(decoder, tmp_path / "job", job, params, lambda: None, whole // 4)
    assert sum(path.stat().st_size for path in request.media.values()) <= whole // 4
    there = received(decoder, request)
    assert (there.size, there.frames) == (params.size, params.frames)
    assert (request.params["start"], request.params["seconds"]) == (0.0, 1.2)


def test_what_cannot_be_made_to_fit_is_refused_with_its_name(decoder: Decoder, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    media_files.write_sound(sound, media_files.tone(10.0))
    job, params = kept(decoder, tmp_path / "job", "sound_to_video", {}, {"audio": sound})
    with pytest.raises(TooLargeToSend, match="sound does not fit") as caught:
        bundle.request(decoder, tmp_path / "job", job, params, lambda: None, 10_000)
    assert caught.value.field == "audio"


def test_cancelling_stops_the_compression(decoder: Decoder, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    media_files.write_sound(sound, media_files.tone(60.0))
    job, params = kept(decoder, tmp_path / "job", "sound_to_video", {}, {"audio": sound})

    def stop() -> None:
        raise JobCancelled("Cancelled.")

    with pytest.raises(JobCancelled):
        bundle.request(decoder, tmp_path / "job", job, params, stop, 10_000)


def test_what_is_refused_before_it_is_queued() -> None:
    picture = Media("p", 1280, 720)
    for seconds, fits in ((20.0, True), (300.0, False)):
        video = Media("v", 1920, 1080, round(30 * seconds), 30.0, seconds)
        params = make_params("animate", {"seed": 1, "resolution": "720p"}, {"image": picture, "video": video})
        sizes = {"image": 4_000_000, "video": 90_000_000}
        if fits:
            bundle.check(params, sizes)
        else:
            with pytest.raises(TooLargeToSend, match="driving video") as caught:
                bundle.check(params, sizes)
            assert caught.value.field == "video"
        bundle.check(params, {"image": 4_000_000, "video": 3_000_000})  # small enough as it is
    sound = Media("a", seconds=600.0)
    bundle.check(make_params("sound_to_video", {"seed": 1}, {"audio": sound}), {"audio": 100_000_000})


@pytest.mark.parametrize(
    ("mode", "seconds", "graphs", "sound"),
    [
        ("sound_to_video", 4.0, 1, 4.0),
        ("sound_to_video", 60.0, 2, 60.0),
        ("animate", 4.0, 1, 4.0),
        ("animate", 40.0, 3, 40.0),
        ("animate", 0.0, 1, None),
        ("image_to_video", 2.0, 1, None),
    ],
)
def test_a_whole_job_is_one_piece_with_the_creators_own_sound(
    mode: str, seconds: float, graphs: int, sound: float | None
) -> None:
    picture, values = Media("p", 832, 480), {"seed": 1}
    video = Media("v", 832, 480, round(16 * (seconds or 4)), 16.0, seconds or 4.0, sound=bool(seconds))
    media = {
        "sound_to_video": {"audio": Media("a", seconds=seconds)},
        "animate": {"image": picture, "video": video},
        "image_to_video": {"image": picture},
    }[mode]
    compiled = compile_for(make_params(mode, values, media), facts(recorded()), "job")
    assert len(compiled.graphs) == graphs
    one = bundle.as_one(compiled)
    assert (len(one.graphs), one.derived, one.frames) == (1, ((),), compiled.frames)
    assert (one.sound.seconds if one.sound else None) == sound
    assert one.sound is None or one.sound.silence == 0
    assert bundle.as_one(replace(one, sound=one.sound)) == one

"""Animate on a real ComfyUI: Move and Mix at one, three and six chunks, every option, seams of long jobs."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.media.decoder import StoredMedia
from tests.live.runs import SIZE, Bench, film, pictures_of, seed, shift, sound_seconds
from workflows.catalog import load_catalog
from workflows.modes.animate import build as animate
from workflows.modes.animate.params import Animate
from workflows.params.media import Media

LONG = {1: 20, 3: 200, 6: 400}
"""chunks -> frames"""


def job(
    folder: Path, picture: StoredMedia, method: str, frames: int, **options: Any
) -> tuple[Animate, list[Any]]:
    """The params of one job, and its sources."""
    names = ["video"] + (["mask"] if method == "mix" else [])
    files = {n: film(folder / n, frames, sound=n == "video") for n in names}
    params = Animate(
        **{
            "image": Media(picture.name, 160, 90), "method": method, "model": "animate_1",
            "seed": seed(), "speed": "fast",
            **files, **SIZE, **options,
        }
    )  # fmt: skip
    return params, [picture, *(folder / n for n in names)]


def needs(bench: Bench, *roles: str) -> None:
    """Skips the test unless the server has these files of Animate 2."""
    for role in roles:
        name = load_catalog().file(role).name
        if name not in bench.server.options[("UNETLoader", "unet_name")]:
            pytest.skip(f"{name} is not on this server")


@pytest.mark.parametrize(
    ("name", "frames", "options", "role"),
    [
        ("LoRA, one chunk", 20, {}, "animate_2"),
        ("LoRA, two chunks, cache in int8", 100, {"pose_cache": "int8"}, "animate_2"),
        ("quality, cache in full", 20, {"speed": "quality", "steps": 3, "pose_cache": "full"}, "animate_2"),
        ("distilled, two chunks", 82, {}, "animate_2_distilled"),
        ("distilled, cache in int4, 30 a second", 20, {"pose_cache": "int4", "fps": 30.0},
         "animate_2_distilled"),
        ("LoRA, own negative prompt", 20, {"negative_prompt": "mud", "nag": "auto"}, "animate_2"),
    ],
)  # fmt: skip
def test_animate_2(
    name: str, frames: int, options: dict[str, Any], role: str, bench: Bench, picture: StoredMedia,
    tmp_path: Path,
) -> None:  # fmt: skip
    """The file has the frames of the plan, with the full file and with the distilled one."""
    needs(bench, role)
    key = ("UNETLoader", "unet_name")
    other = {load_catalog().file(one).name for one in ("animate_2", "animate_2_distilled") if one != role}
    listed = tuple(one for one in bench.server.options[key] if one not in other)
    server = replace(bench.server, options={**bench.server.options, key: listed})
    params, sources = job(tmp_path, picture, "move", frames, **{"model": "animate_2", "steps": 2, **options})
    compiled = animate.build(params, load_catalog(), server, uuid.uuid4().hex)
    assert compiled.models[0] == load_catalog().file(role).name
    made = bench.video(f"animate 2, {name}", compiled, *sources)
    assert len(made) == compiled.frames == params.frames


def test_animate_2_in_two_prompts_is_as_in_one(bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    """The same seed: no frame at the seam is doubled or left out."""
    needs(bench, "animate_2")
    params, sources = job(tmp_path, picture, "move", 200, steps=1, model="animate_2")
    made = {}
    for most in (2, 3):
        compiled = animate.build(params, load_catalog(), bench.server, uuid.uuid4().hex, most)
        made[most] = bench.video(f"animate 2, chunks: 3, {len(compiled.graphs)} prompts", compiled, *sources)
    assert len(made[2]) == len(made[3]) == 200
    assert [shift(made[3], made[2], frame) for frame in (20, 100, 160, 162, 178)] == [0] * 5


@pytest.mark.parametrize("method", ["move", "mix"])
@pytest.mark.parametrize("chunks", [1, 3])
def test_lengths(method: str, chunks: int, bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    params, sources = job(tmp_path, picture, method, LONG[chunks], steps=2)
    compiled = bench.compile(params)
    assert compiled.sampling_steps == 2 * chunks and len(compiled.graphs) == 1
    bench.video(f"animate {method}, chunks: {chunks}", compiled, *sources)
    assert compiled.frames == LONG[chunks]


@pytest.mark.parametrize("method", ["move", "mix"])
def test_six_chunks_in_two_prompts_are_those_of_one(
    method: str, bench: Bench, picture: StoredMedia, tmp_path: Path
) -> None:
    """The same seed: the frames on both sides of the seam are those of the job in one prompt, none doubled
    and none left out."""
    params, sources = job(tmp_path, picture, method, LONG[6], steps=1)
    made = {}
    for most in (4, 6):
        compiled = animate.build(params, load_catalog(), bench.server, uuid.uuid4().hex, most)
        assert len(compiled.graphs) == (2 if most == 4 else 1)
        name = "as it is cut" if most == 4 else "in one prompt"
        made[most] = bench.video(f"animate {method}, chunks: 6, {name}", compiled, *sources)
        if most == 4:
            seam = compiled.kept[0]
    assert len(made[4]) == len(made[6]) == 400
    late = [shift(made[6], made[4], frame) for frame in (20, seam - 14, seam, seam + 2, seam + 90)]
    print(late, [float(np.abs(made[4][k] - made[6][k]).mean()) for k in range(seam - 3, seam + 6)])
    assert late == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quality", {"speed": "quality"}),
        ("fast, no relighting", {"relight": 0.0}),
        ("strong relighting, with words", {"relight": 1.5, "prompt": "A dancer", "negative_prompt": "mud"}),
        ("own steps, guidance, shift", {"steps": 3, "cfg": 2.0, "shift": 5.0}),
        ("30 a second", {"fps": 30.0, "steps": 1}),
        ("wide, padded", {"width": 96, "height": 64, "fit": "pad", "steps": 1}),
    ],
)
def test_options(
    name: str, options: dict[str, Any], bench: Bench, picture: StoredMedia, tmp_path: Path
) -> None:
    params, sources = job(tmp_path, picture, "move", 24, **options)
    compiled = bench.compile(params)
    bench.video(f"animate, {name}", compiled, *sources)
    assert (compiled.frames, compiled.fps) == (45 if compiled.fps == 30 else 24, params.fps)


def test_own_pose_face_and_mask(bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    """Quality, Mix, a part at 24 a second, no sound."""
    names = ("video", "pose", "face", "mask")
    files = {n: film(tmp_path / n, 48, sound=False, shape=(128, 96)) for n in names}
    params = Animate(
        image=Media(picture.name, 160, 90), video=files["video"], pose_video=files["pose"],
        method="mix", face_video=files["face"], mask=files["mask"], fps=24.0, start=0.5, seconds=1.5,
        relight=0.0, seed=seed(), steps=2, **SIZE,
    )  # fmt: skip
    compiled = bench.compile(params)
    sources = [picture, *(tmp_path / n for n in names)]
    bench.video("animate mix, own pose, face, mask; 24 a second; a part", compiled, *sources, sound=False)
    assert (compiled.frames, compiled.fps) == (36, 24.0)


def test_the_whole_studio_with_two_prompts(address: str, picture: StoredMedia, bench: Bench) -> None:
    """Five chunks, through everything that a creator's job goes through."""
    from tests.live.studio import finished

    film(bench.folder / "video", 330)
    values = {"speed": "fast", "steps": 1, **SIZE}
    files = {"video": bench.folder / "video", "image": picture.path}
    job, path = finished(address, bench.folder, "animate", values, files)
    assert (job.status, job.frames, job.demo) == ("done", 330, False)
    heard = sound_seconds(path)
    bench.table.add(
        "animate move, chunks: 5, the whole studio", "2", "64 x 64", f"{len(pictures_of(path))} of 330",
        "16", "20.625", f"{heard:.3f}", "-", f"{job.elapsed:.0f}",
    )  # fmt: skip
    assert heard == pytest.approx(330 / 16, abs=0.1) and len(pictures_of(path)) == 330


def test_the_second_version_of_the_model(bench: Bench, picture: StoredMedia, tmp_path: Path) -> None:
    """It comes first wherever the server lists it."""
    better = load_catalog().file("animate_v2").name
    if better not in bench.server.options[("UNETLoader", "unet_name")]:
        pytest.skip(f"{better} is not on this server")
    params, sources = job(tmp_path, picture, "move", 20)
    compiled = bench.compile(params)
    assert compiled.models[0] == better
    bench.video("animate, second version of the model", compiled, *sources)

"""Extending a clip on a real ComfyUI: three parts by both routes, to an end picture, and one part again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.jobs.views import JobView
from backend.studio import Studio
from tests.live.runs import pictures_of
from tests.live.studio import OWNER, done
from tests.live.table import Table

CLIP = {"width": 64, "height": 64, "seconds": 1.0, "speed": "fast", "prompt": "A boat drifts"}


def clip_of(studio: Studio, photo: Path) -> JobView:
    return done(studio, studio.submit(OWNER, "image_to_video", CLIP, {"image": photo}))


def extended(studio: Studio, job: JobView, **options: Any) -> JobView:
    return done(studio, studio.extend(OWNER, job.id, job.key, **{"seconds": 1.0, **options}))


@pytest.mark.parametrize("method", ["last_frame", "svi"])
def test_three_parts_have_the_frames_and_seams_of_one_clip(
    method: str, studio: Studio, photo: Path, table: Table
) -> None:
    clip = clip_of(studio, photo)
    plan = studio.extend_plan(OWNER, clip.id, clip.key, method=method)
    if plan.problems:
        pytest.skip(f"this server cannot: {plan.problems[0]}")
    began = time.monotonic()
    job = extended(studio, extended(studio, clip, method=method), method=method)
    pictures = pictures_of(studio.result_path(job.id, job.key))
    assert [part.route for part in job.parts] == ["clip", method, method]
    assert [part.frames for part in job.parts] == [17, 16, 16] and len(pictures) == 49
    assert len({part.seed for part in job.parts}) == 3
    figures = []
    for part in job.parts[1:]:
        seam = part.seam
        assert seam is not None and not seam.doubled  # random weights draw another picture: a cut
        figures.append(f"{seam.brightness:.1f}/{seam.colour:.1f}/{seam.motion:.2f}")
    table.add(
        f"extend-{method}", "3", f"{job.width} x {job.height}", f"{len(pictures)} of 49", f"{job.fps:g}",
        f"{job.seconds:.3f}", "none", ", ".join(figures), f"{time.monotonic() - began:.0f}",
    )  # fmt: skip


def test_to_an_end_picture_and_one_part_again(studio: Studio, photo: Path, tmp_path: Path) -> None:
    end = tmp_path / "end.png"
    Image.effect_noise((160, 90), 20).convert("RGB").save(end)
    job = extended(studio, clip_of(studio, photo), end_image=end, frame=8)
    assert [part.frames for part in job.parts] == [9, 16] and job.parts[1].route == "last_frame"
    longer = extended(studio, job)
    again = done(studio, studio.reroll(OWNER, longer.id, longer.key, 2))
    assert [part.stale for part in again.parts] == [False, False, True] and again.frames == 41

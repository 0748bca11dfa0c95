"""Variations and chains on a real ComfyUI: the nodes that run again, and results that others start from."""

from __future__ import annotations

import json
from pathlib import Path

from backend.jobs.family import Family, Part
from backend.jobs.job import DONE, VARIATIONS, PartResult, ResultOf
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.live.studio import OWNER, done

VALUES = {"width": 64, "height": 64, "seconds": 0.25, "speed": "fast", "prompt": "A boat on a lake"}


def ran(studio: Studio, job: JobView) -> str:
    graph = json.loads((studio.settings.jobs_dir / job.id / "workflow.json").read_text())
    counts = job.reused
    return f"{job.mode} seed {job.seed}: {len(graph)} nodes, {dict(counts)}"


def test_variations_read_text_and_picture_once(studio: Studio, photo: Path) -> None:
    parent = done(
        studio,
        studio.submit(OWNER, "image_to_video", {**VALUES, "seed": 3}, {"image": photo}, variations=3),
    )
    parts = [studio.job(child.id, child.key) for child in parent.children]
    print(*(ran(studio, part) for part in parts), sep="\n")
    assert parent.read_once
    for later in parts[1:]:
        assert later.reused["read"] == later.reused["read_cached"] > 0
        assert later.reused["nodes"] - later.reused["cached"] <= 6


def test_a_chain_and_a_driving_video_from_a_result(studio: Studio, photo: Path) -> None:
    parts = [
        Part("image_to_video", {**VALUES, "seed": 1}, {"image": photo}),
        Part("image_to_video", {**VALUES, "seed": 2}, {"image": PartResult(1)}),
        Part("animate", {**VALUES, "seed": 3, "steps": 1}, {"image": photo, "video": PartResult(2)}),
    ]
    parent = done(studio, studio.submit_family(Family(OWNER, VARIATIONS, parts)))
    assert [child.status for child in parent.children] == [DONE] * 3
    for child in parent.children:
        print(ran(studio, studio.job(child.id, child.key)))
    last = parent.children[1]
    source = ResultOf(last.id, 0, last.key)
    done(studio, studio.submit(OWNER, "image_to_video", {**VALUES, "seed": 9}, {"image": source}))

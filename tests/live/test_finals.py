"""Drafts and their finals, recipes and shipped presets on a real ComfyUI."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from backend.engines.comfy.engine import ComfyEngine
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.live.runs import film, fps_of, pictures_of, seed, tone
from tests.live.studio import OWNER, done
from tests.live.table import Table
from workflows.catalog import load_catalog
from workflows.compile import compile
from workflows.graph.node_contract import check, facts
from workflows.modes.presets import SHIPPED, Shipped
from workflows.modes.registry import MODES, media_fields
from workflows.params.media import Media

WORDS = {"width": 64, "height": 64, "prompt": "A boat drifts"}
SMALL = {**WORDS, "seconds": 0.25, "speed": "fast"}
DRAFTS: dict[str, dict[str, Any]] = {
    "image_to_video": {**SMALL, "motion": "dynamic", "negative_prompt": "blur"},
    "fast_video": {**WORDS, "seconds": 0.25, "variant": "subtle"},
    "text_to_video": {**SMALL, "shift": 6.0},
    "sound_to_video": {**WORDS, "duration": 0.25, "speed": "fast"},
    "animate": SMALL,
}


@pytest.fixture
def files(photo: Path, tmp_path: Path) -> dict[str, Path]:
    """A file of each kind."""
    tone(tmp_path / "tone.wav", 0.5)
    film(tmp_path / "film.mp4", 8)
    return {"image": photo, "audio": tmp_path / "tone.wav", "video": tmp_path / "film.mp4"}


def given(mode: str, files: dict[str, Path]) -> dict[str, Path | None]:
    """The files of the main parameters of a mode."""
    return {name: files[name] for name in media_fields(mode) if name in files}


def draft(studio: Studio, mode: str, files: dict[str, Path]) -> JobView:
    return done(studio, studio.submit(OWNER, mode, {**DRAFTS[mode], "seed": seed()}, given(mode, files)))


def graph_of(studio: Studio, job: JobView) -> str:
    """The graph of a job, without the names that its id is in."""
    graph = json.loads((studio.settings.jobs_dir / job.id / "workflow.json").read_text())
    return json.dumps(graph, sort_keys=True).replace(job.id, "JOB")


@pytest.mark.parametrize("mode", DRAFTS)
def test_a_final_has_the_seed_and_files_of_its_draft(
    mode: str, studio: Studio, files: dict[str, Path], table: Table
) -> None:
    first = draft(studio, mode, files)
    began = time.monotonic()
    final = done(studio, studio.finish(OWNER, first.id, first.key, resolution="same", speed="quality"))
    pictures = pictures_of(studio.result_path(final.id, final.key))
    assert final.seed == first.seed and len(pictures) == final.frames == first.frames
    assert (final.width, final.height) == (first.width, first.height)
    assert final.steps > first.steps, "quality draws more steps"
    assert pictures.shape == pictures_of(studio.result_path(first.id, first.key)).shape
    table.add(
        f"final of a draft, {mode}", "1", f"{final.width} x {final.height}", f"{len(pictures)}",
        f"{fps_of(studio.result_path(final.id, final.key)):g}", f"{final.seconds:.3f}", "-", "-",
        f"{time.monotonic() - began:.0f}",
    )  # fmt: skip


def test_a_final_at_480p(studio: Studio, files: dict[str, Path]) -> None:
    values = {"resolution": "draft", "seconds": 0.25, "speed": "fast", "prompt": "A boat", "seed": seed()}
    first = done(studio, studio.submit(OWNER, "image_to_video", values, given("image_to_video", files)))
    final = done(studio, studio.finish(OWNER, first.id, first.key, speed="fast"))
    pictures = pictures_of(studio.result_path(final.id, final.key))
    assert final.width > first.width and pictures.shape[1:3] == (final.height, final.width)


@pytest.mark.parametrize("mode", DRAFTS)
def test_a_recipe_of_a_file_makes_the_same_frames(
    mode: str, studio: Studio, engine: ComfyEngine, files: dict[str, Path]
) -> None:
    first = draft(studio, mode, files)
    path = studio.result_path(first.id, first.key)
    recipe = studio.recipe(path)
    assert recipe.mode == mode and recipe.values["seed"] == first.seed
    assert recipe.comfyui == engine.info().version
    assert not studio.recipe_lacks(OWNER, recipe)
    found = studio.recipe_sources(OWNER, recipe)
    again = studio.submit(OWNER, mode, recipe.values, {name: one.path for name, one in found.items()})
    again = done(studio, again)
    texts = [graph_of(studio, one) for one in (first, again)]
    assert texts[0] == texts[1]
    pictures = [pictures_of(studio.result_path(one.id, one.key)) for one in (first, again)]
    assert np.array_equal(*pictures)


def test_the_graph_in_a_file_runs_as_it_is(studio: Studio, address: str) -> None:
    values = {**DRAFTS["text_to_video"], "seed": seed()}
    first = done(studio, studio.submit(OWNER, "text_to_video", values, {}))
    (graph,) = studio.recipe(studio.result_path(first.id, first.key)).graphs
    answer = requests.post(f"{address}/prompt", json={"prompt": graph}, timeout=60)
    assert answer.status_code == 200 and not answer.json()["node_errors"], answer.text


@pytest.mark.parametrize("preset", SHIPPED, ids=lambda preset: preset.id)
def test_a_shipped_preset_fits_the_nodes_of_the_server(preset: Shipped, engine: ComfyEngine) -> None:
    contract = engine.contract()
    values = {"prompt": "A boat", "seed": 1, **preset.values}
    if "image" in media_fields(preset.mode):
        values["image"] = Media("image", 832, 480)
    compiled = compile(MODES[preset.mode].params(**values), load_catalog(), facts(contract), "0" * 32)
    problems = [problem for graph in compiled.graphs for problem in check(graph, contract)]
    assert [one for one in problems if one.value not in compiled.inputs] == []

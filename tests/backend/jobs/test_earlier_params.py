"""Jobs that an earlier version stored: Try again, Reuse settings and a restart make what they made then."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backend.jobs.job import Job
from backend.jobs.migrations import MIGRATIONS
from backend.jobs.params import job_params
from backend.jobs.rows import COLUMNS, row_of
from backend.jobs.store import Store
from backend.jobs.views import view
from tests.support.compile_cases import compiled
from tests.support.job_views import stored_job
from ui.forms import schema
from workflows.modes.registry import MODES

BEFORE = 6
"""Migrations of the last version whose jobs have no version of their parameters."""
PICTURE = {"name": "a.png", "width": 832, "height": 480, "file": "inputs/image"}


def old_store(tmp_path: Path, mode: str, params: dict[str, Any], inputs: dict[str, Any]) -> Store:
    """A database as that version left it, with one job, opened by this version."""
    path = tmp_path / "studio.db"
    with sqlite3.connect(path) as db:
        for script in MIGRATIONS[:BEFORE]:
            db.executescript(script)
        columns = [row[1] for row in db.execute("PRAGMA table_info(job)")]
        row = dict(zip(COLUMNS, row_of(stored_job(mode=mode)), strict=True))
        row |= {"params": json.dumps({"seed": 7, **params}), "inputs": json.dumps(inputs)}
        marks = ", ".join("?" * len(columns))
        db.execute(
            f"INSERT INTO job ({', '.join(columns)}) VALUES ({marks})", [row[name] for name in columns]
        )
        db.execute(f"PRAGMA user_version = {BEFORE}")
    db.close()
    return Store(path)


def old_job(tmp_path: Path, mode: str, params: dict[str, Any], inputs: dict[str, Any]) -> Job:
    store = old_store(tmp_path, mode, params, inputs)
    try:
        job = store.get("job1")
        assert job is not None
        return job
    finally:
        store.close()


def shifts(job: Job) -> set[float]:
    (graph,) = compiled(job_params(job)).graphs
    return {node["inputs"]["shift"] for node in graph.values() if node["class_type"] == "ModelSamplingSD3"}


IMAGE = {"image": PICTURE}
BOTH = {**IMAGE, "end_image": PICTURE}
PAGE = {"speed": "quality", "steps": 0, "cfg": 0.0, "shift": 0.0, "motion": "balanced"}


@pytest.mark.parametrize(("mode", "params", "inputs", "shift"), [
    ("image_to_video", PAGE, IMAGE, 8.0),
    ("image_to_video", {}, IMAGE, 8.0),  # as an API client sent it
    ("image_to_video", {**PAGE, "shift": 3.0}, IMAGE, 3.0),
    ("image_to_video", PAGE, BOTH, 8.0),
    ("image_to_video", {**PAGE, "speed": "fast"}, IMAGE, 5.0),
    ("text_to_video", {"prompt": "A boat"}, {}, 8.0),
    ("text_to_video", {"prompt": "A boat", "speed": "fast"}, {}, 5.0),
    ("text_to_image", {"prompt": "A boat"}, {}, 8.0),
])  # fmt: skip
def test_an_old_job_keeps_its_shift(
    tmp_path: Path, mode: str, params: dict[str, Any], inputs: dict[str, Any], shift: float
) -> None:
    assert shifts(old_job(tmp_path, mode, params, inputs)) == {shift}


def test_an_old_job_hands_over_where_it_did(tmp_path: Path) -> None:
    job = old_job(tmp_path, "image_to_video", {**PAGE, "motion": "official"}, IMAGE)
    (graph,) = compiled(job_params(job)).graphs
    first = next(node["inputs"] for node in graph.values() if node["class_type"] == "KSamplerAdvanced")
    assert (first["end_at_step"], first["cfg"]) == (10, 3.5)


@pytest.mark.parametrize(("mode", "params", "inputs", "distillation"), [
    ("image_to_video", {"speed": "fast"}, IMAGE, "v1"),
    ("fast_video", {"variant": "dynamic"}, IMAGE, "v1"),
    ("text_to_video", {"prompt": "A boat", "speed": "fast"}, {}, "v1.1"),
])  # fmt: skip
def test_an_old_fast_job_keeps_its_loras(
    tmp_path: Path, mode: str, params: dict[str, Any], inputs: dict[str, Any], distillation: str
) -> None:
    job = old_job(tmp_path, mode, params, inputs)
    assert job.params["distillation"] == distillation
    assert job_params(job)  # accepted together with the mode's other values


def test_an_old_480p_job_can_be_made_again(tmp_path: Path) -> None:
    assert job_params(old_job(tmp_path, "fast_video", {"variant": "480p"}, IMAGE))


def test_an_old_animate_job_stays_with_the_first_animate(tmp_path: Path) -> None:
    job = old_job(tmp_path, "animate", {"method": "move"}, {**IMAGE, "video": PICTURE})
    assert job.params["model"] == "animate_1"


def test_old_weights_stay_weights_and_old_text_stays_text(tmp_path: Path) -> None:
    weighted = old_job(tmp_path, "image_to_video", {"prompt": "a (red:1.3) boat"}, IMAGE)
    (graph,) = compiled(job_params(weighted)).graphs
    assert "a (red:1.3) boat" in [node["inputs"].get("text") for node in graph.values()]
    (tmp_path / "studio.db").unlink()
    plain = old_job(tmp_path, "image_to_video", {"prompt": "a red boat"}, IMAGE)
    assert "prompt_weights" not in plain.params


def test_an_old_negative_prompt_stays_without_effect_in_fast(tmp_path: Path) -> None:
    job = old_job(tmp_path, "image_to_video", {"speed": "fast", "negative_prompt": "rain"}, IMAGE)
    assert job.params["nag"] == "off"


def test_reuse_settings_shows_what_the_old_job_ran_with(tmp_path: Path) -> None:
    shown = schema.from_params(
        "image_to_video", view(old_job(tmp_path, "image_to_video", PAGE, IMAGE), "key").params
    )
    assert shown["shift"] == 8.0 and shown["steps"] is None
    again = schema.to_values("image_to_video", shown)
    assert again["shift"] == 8.0
    assert set(again) == {field.name for field in MODES["image_to_video"].fields}


def test_a_job_of_this_version_keeps_what_it_was_given(tmp_path: Path) -> None:
    store = Store(tmp_path / "studio.db")
    job = stored_job(params={"prompt": "(a:2)", "speed": "quality", "shift": 0.0, "seed": 7})
    store.add(job)
    assert store.get("job1") == job
    store.save(job)
    store.close()
    again = Store(tmp_path / "studio.db")
    assert again.get("job1") == job
    again.close()


def test_an_old_job_that_is_saved_again_is_not_converted_twice(tmp_path: Path) -> None:
    store = old_store(tmp_path, "image_to_video", PAGE, IMAGE)
    job = store.get("job1")
    assert job is not None
    store.save(job)
    assert store.get("job1") == job and job.params["shift"] == 8.0
    store.close()

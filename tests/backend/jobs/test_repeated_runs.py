"""Another run of an earlier job: Try again and Make another keep what that was resolved to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.errors import OutOfMemory
from backend.jobs.views import JobView
from backend.studio import Studio
from tests.support.fake_engine import FakeEngine
from tests.support.paths import DATA
from tests.support.scripted import OWNER, SMALL, Make, ended
from workflows.catalog import load_catalog
from workflows.graph.node_contract import Contract, from_object_info
from workflows.graph.object_info import FILE_INPUTS

pytestmark = pytest.mark.full

FAST = {**SMALL, "prompt": "A boat", "speed": "fast", "seed": 5}


def listing(without: tuple[str, ...]) -> Contract:
    """ComfyUI 0.33 with the catalogue's files, except those whose role begins with one of these."""
    info = json.loads((DATA / "object_info_0_33.json").read_text())
    files = [file for file in load_catalog().files if not file.role.startswith(without)]
    for (node, name), folder in FILE_INPUTS.items():
        if node in info:
            names = [file.name for file in files if file.folder == folder]
            info[node]["input"]["required"][name] = [names, {}]
    return from_object_info(info)


@pytest.fixture
def described(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> dict[str, Contract]:
    """The engine describes itself by `now` in this."""
    told = {"now": listing(("lora_i2v_1022", "i2v_1030", "i2v_260412"))}
    monkeypatch.setattr(engine, "contract", lambda: told["now"])
    monkeypatch.setattr(engine, "known_contract", lambda: told["now"])
    return told


def again(studio: Studio, job: JobView, picture: Path, **changes: Any) -> JobView:
    values = {**job.params, **changes}
    return ended(studio, studio.submit(OWNER, job.mode, values, {"image": picture}, job))


def graph(studio: Studio, job: JobView) -> dict[str, Any]:
    text = (studio.settings.jobs_dir / job.id / "workflow.json").read_text()
    return json.loads(text.replace(job.id, "JOB"))


def test_a_repeated_job_draws_with_the_models_of_the_first(
    make: Make, engine: FakeEngine, picture: Path, described: dict[str, Contract]
) -> None:
    studio = make()
    engine.error = OutOfMemory("The GPU ran out of memory.")
    failed = ended(studio, studio.submit(OWNER, "image_to_video", FAST, {"image": picture}))
    engine.error = None
    assert failed.status == "failed" and failed.params.get("distillation", "auto") == "auto"
    record = failed.record()
    assert (record["resolved"]["distillation"], record["resolved"]["shift"]) == ("v1", 5.0)
    assert load_catalog().file("lora_i2v_high").name in record["models"]

    described["now"] = listing(("no role",))  # all distillations were downloaded
    retried = again(studio, failed, picture)
    assert retried.status == "done" and graph(studio, retried) == graph(studio, failed)
    assert retried.record()["warning_codes"] == ["repeats_earlier_run"]
    another = again(studio, retried, picture, seed=9)
    assert another.resolved == retried.resolved and another.seed == 9
    fresh = ended(studio, studio.submit(OWNER, "image_to_video", retried.params, {"image": picture}))
    assert fresh.record()["resolved"]["distillation"] == "260412", "a reused form takes the best again"
    assert again(studio, retried, picture, speed="quality").record()["warning_codes"] == []

    described["now"] = listing(("i2v_260412", "i2v_1030"))  # and some were removed
    left = again(studio, fresh, picture)
    assert left.record()["resolved"]["distillation"] == "1022"
    (said,) = [one for one in left.warnings if one.code == "earlier_run_gone"]
    assert said.arg("names") == tuple(
        load_catalog().file(f"i2v_260412_{who}").name for who in ("high", "low")
    )

"""Servers whose disk is full: who waits, for how long, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.engines.base import EngineInfo
from backend.engines.full_disk import at_upload, of_server
from backend.errors import DiskFull, EngineDiskFull
from backend.jobs.full_servers import LONGEST, FullServers
from backend.jobs.job import DONE, FAILED
from backend.jobs.limits import Limits
from backend.jobs.obstacles import FULL, Obstacles
from backend.jobs.store import Store
from backend.notices import words
from tests.support.fake_engine import FakeEngine
from tests.support.scripted import OWNER, SMALL, Make, ended, until

REMOTE = of_server(at_upload(""), "ComfyUI", "http://gpu-box:8188")
PROMPT = {"prompt": "A boat", **SMALL}


def test_a_full_server_is_asked_again_after_growing_delays() -> None:
    servers, now, delays = FullServers(Limits(room=1.0)), 0.0, []
    for _ in range(9):
        servers.note("a", REMOTE, now, paid=False)
        until_free = next(after for after in range(1, 100) if not servers.why("a", now + after))
        delays.append(until_free)
        now += until_free
    assert delays == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]
    servers.has_room("a")
    servers.note("a", REMOTE, now, paid=False)
    assert servers.why("a", now + 0.9) and not servers.why("a", now + 1.1)


def test_other_servers_go_on() -> None:
    servers = FullServers(Limits(room=1.0))
    servers.note("a", REMOTE, 0.0, paid=False)
    assert servers.why_none(["a"], 0.5) and not servers.why_none(["a", "b"], 0.5)
    assert not servers.why_none([], 0.5) and not servers.why("b", 0.5)


@pytest.fixture
def obstacles(tmp_path: Path) -> Obstacles:
    return Obstacles(Store(tmp_path / "studio.db"), Limits(room=60.0, broken=0.0))


def test_the_disk_of_the_data_folder_and_of_a_server_are_distinguished(obstacles: Obstacles) -> None:
    here, there = EngineInfo("comfyui", "here"), EngineInfo("comfyui", "there")
    assert obstacles.delays("1", REMOTE, there)
    assert obstacles.why() is None, "other servers go on"
    assert [words(one) for one in obstacles.full_disks()] == [
        f"{REMOTE.message} Videos wait until there is space."
    ]
    assert obstacles.delays("2", DiskFull.of("disk_is_full"), here)
    assert obstacles.why() == FULL and "data folder" in words(FULL)
    assert len(obstacles.full_disks()) == 2


def test_a_paid_worker_is_not_asked_for_ever(obstacles: Obstacles) -> None:
    endpoint = EngineInfo("runpod", "endpoint")
    assert not obstacles.delays("1", REMOTE, endpoint), "its time is over at once: Limits.broken"
    patient = Obstacles(obstacles._store, Limits(room=60.0, broken=600.0))
    assert patient.delays("1", REMOTE, endpoint)
    assert "giving up" in words(patient.servers.why_none(["endpoint"], 0.0))


@pytest.mark.full
def test_a_job_waits_for_space_at_its_server_and_is_drawn_again(make: Make, engine: FakeEngine) -> None:
    studio = make(limits=Limits(room=0.2))
    engine.error = REMOTE
    job = studio.submit(OWNER, "text_to_video", PROMPT, {})
    until(lambda: "gpu-box" in studio.progress(job.id, job.key).text)
    assert (
        studio.progress(job.id, job.key).text == f"{REMOTE.message} This video continues when there is space."
    )
    until(lambda: any("gpu-box" in note for note in studio.health()["notes"]))
    failed = {prompt.id for prompt in engine.prompts}
    engine.known |= failed  # the server's history has them, failed
    engine.error = None
    assert ended(studio, job).status == DONE
    assert engine.prompts[-1].id not in failed and not engine.resumed
    assert not studio.health()["notes"] or not any("gpu-box" in note for note in studio.health()["notes"])


@pytest.mark.full
def test_another_server_takes_the_job(make: Make) -> None:
    full, free = FakeEngine("http://full"), FakeEngine("http://free")
    free.state = "starting"
    full.error = REMOTE
    studio = make(full, free, limits=Limits(room=3600.0))
    job = studio.submit(OWNER, "text_to_video", PROMPT, {})
    until(lambda: full.prompts)
    free.state = "ok"
    assert ended(studio, job).status == DONE and len(free.prompts) == 1


@pytest.mark.deep
def test_a_job_of_a_paid_worker_fails_with_the_reason(make: Make, engine: FakeEngine) -> None:
    engine.kind = "runpod"
    engine.error = EngineDiskFull.of("runpod_disk_full", where="its output folder")
    studio = make(limits=Limits(room=0.05, broken=0.3))
    job = studio.submit(OWNER, "text_to_video", PROMPT, {})
    done = ended(studio, job)
    assert done.status == FAILED and done.error is not None
    assert done.error["code"] == "engine_disk_full" and "RunPod worker" in done.error["message"]
    assert len(engine.prompts) > 1

"""The lane against the demo engine: a real process with ComfyUI's protocol."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.engines.comfy.timing import Timing
from backend.errors import EngineDiskFull, EngineError, EngineLost, JobCancelled
from backend.events import Connection, Finished, Output, Preview, Progress, Queued, Stage, Started
from backend.jobs.job import DONE
from tests.support.comfy_run import NAME, Run, has, in_order
from tests.support.comfy_run import compiled_prompt as prompt
from tests.support.demo_server import DemoServer, start_demo
from tests.support.ports import free_port
from tests.support.scripted import OWNER, Make, ended
from tests.support.waiting import until

pytestmark = pytest.mark.full

TIMING = Timing(
    receive=0.05,
    first_poll=0.02,
    queue_poll=0.1,
    idle_poll=0.3,
    offline_poll=0.05,
    interrupt_interval=0.1,
    refused_limit=0.5,
    error_limit=3.0,
)


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoServer]:
    with start_demo(step_seconds=0.02, faults=True) as server:
        yield server


@pytest.fixture
def engine(demo: DemoServer) -> Iterator[ComfyEngine]:
    demo.faults()
    one = ComfyEngine(demo.url, timing=TIMING)
    yield one
    one.close()


def test_a_job(demo: DemoServer, engine: ComfyEngine, picture: Path, tmp_path: Path) -> None:
    info = engine.refresh()
    assert (info.kind, info.state) == ("demo", "ok")
    run = Run(engine, prompt(engine, picture))
    (output,) = run.result(60)
    in_order(run)
    assert [event.step for event in run.of(Progress)] == [1, 2, 3, 4]
    assert run.of(Preview), "the demo engine draws previews when it is asked to per prompt"
    stages = [event.stage for event in run.of(Stage)]
    assert stages[-1] == "save"
    assert "draw" in stages
    assert not run.of(Finished), "the result is the end"
    engine.fetch(output, tmp_path / "result.mp4")
    assert (tmp_path / "result.mp4").read_bytes()[4:8] == b"ftyp"


def test_an_input_is_linked_when_the_folder_is_on_this_machine(demo: DemoServer, picture: Path) -> None:
    (demo.folder / "input" / NAME).unlink(missing_ok=True)
    engine = ComfyEngine(demo.url, timing=TIMING, input_dir=demo.folder / "input")
    Run(engine, prompt(engine, picture)).result(60)
    assert (demo.folder / "input" / NAME).samefile(picture)


def test_text_and_picture_of_variations_are_read_once(
    make: Make, demo: DemoServer, engine: ComfyEngine, picture: Path
) -> None:
    """The engine reports what it still has from the one before; only what depends on the seed runs again."""
    studio = make(engine)
    values = {"width": 64, "height": 64, "seconds": 0.25, "seed": 3, "speed": "fast"}
    parent = ended(studio, studio.submit(OWNER, "image_to_video", values, {"image": picture}, variations=2))
    assert parent.status == DONE and parent.read_once
    counts = [studio.job(child.id, child.key).reused for child in parent.children]
    for later in counts[1:]:
        assert later["read"] == later["read_cached"] > 0
        drawn = later["nodes"] - later["cached"]
        assert 0 < drawn <= 6, "samplers, decoding and saving"
    assert parent.record()["reused"]["cached"] == sum(each["cached"] for each in counts)


@pytest.mark.parametrize("here", [True, False])
def test_a_full_disk_is_said_with_its_machine(here: bool, demo: DemoServer, picture: Path) -> None:
    """The folders of a server on another machine are not known here."""
    engine = ComfyEngine(demo.url, timing=TIMING, input_dir=demo.folder / "input" if here else None)
    engine.refresh()
    message = "[Errno 28] No space left on device: '/comfy/output/wan/a.mp4'"
    demo.faults(error_at={"class": "SaveVideo", "message": message})
    with pytest.raises(EngineDiskFull) as caught:
        Run(engine, prompt(engine, picture)).result(60)
    machine = "this machine" if here else f"the machine at {demo.url}"
    said = f"The disk of {machine} is full: the demo engine cannot write into its output folder."
    assert caught.value.message == said and caught.value.folder == "output"
    engine.close()


def test_an_input_is_uploaded_when_the_folder_is_not_known(demo: DemoServer, picture: Path) -> None:
    engine = ComfyEngine(demo.url, timing=TIMING)  # not refreshed: nothing known of its folder
    (demo.folder / "input" / NAME).unlink(missing_ok=True)
    Run(engine, prompt(engine, picture)).result(60)
    copy = demo.folder / "input" / NAME
    assert copy.read_bytes() == picture.read_bytes()
    assert not copy.samefile(picture)


def test_a_new_seed_reuses_cached_nodes(engine: ComfyEngine, picture: Path) -> None:
    Run(engine, prompt(engine, picture)).result(60)
    again = Run(engine, prompt(engine, picture))
    again.result(60)
    (started,) = again.of(Started)
    assert len(started.cached) > 5
    assert next(event.stage for event in again.of(Stage)) == "draw"


def test_the_same_again_gives_the_same_file(engine: ComfyEngine, picture: Path) -> None:
    job = prompt(engine, picture, seed=5000)
    first = Run(engine, job).result(60)
    second = Run(engine, Prompt(str(uuid.uuid4()), job.graph, job.labels, job.sampling_steps, job.files))
    assert second.result(60) == first


def test_cancel_while_it_draws(demo: DemoServer, engine: ComfyEngine, picture: Path) -> None:
    demo.faults(hang_at_step=2)
    run = Run(engine, prompt(engine, picture))
    run.until(has(Progress))
    engine.cancel(run.job.id)
    demo.faults()
    with pytest.raises(JobCancelled):
        run.result(60)
    until(lambda: demo.call("GET", "/queue").json()["queue_running"] == [])
    assert Run(engine, prompt(engine, picture)).result(60)


def test_a_dropped_socket_is_reopened(demo: DemoServer, engine: ComfyEngine, picture: Path) -> None:
    demo.faults(drop_socket_at_step=2)
    run = Run(engine, prompt(engine, picture))
    assert run.result(60)
    assert run.of(Connection)[:2] == [Connection(False), Connection(True)]
    in_order(run)


def test_an_error_at_a_node(demo: DemoServer, engine: ComfyEngine, picture: Path) -> None:
    demo.faults(error_at={"class": "KSamplerAdvanced", "kind": "oom", "step": 1})
    with pytest.raises(EngineError) as caught:
        Run(engine, prompt(engine, picture)).result(60)
    assert caught.value.code == "out_of_memory"


def test_two_lanes_on_one_server_do_not_interfere(
    demo: DemoServer, engine: ComfyEngine, picture: Path
) -> None:
    other = ComfyEngine(demo.url, timing=TIMING)
    demo.faults(hang_at_step=2)
    first = Run(engine, prompt(engine, picture))
    first.until(has(Started))
    second = Run(other, prompt(other, picture))
    second.until(has(Queued, others=1))
    other.cancel(second.job.id)
    with pytest.raises(JobCancelled):
        second.result(60)
    demo.faults()
    assert first.result(60), "the first went on"

    demo.faults(hang_at_step=2)
    first = Run(engine, prompt(engine, picture))
    first.until(has(Started))
    second = Run(other, prompt(other, picture))
    second.until(has(Queued))
    engine.cancel(first.job.id)
    demo.faults()
    assert second.result(60), "the second took its turn"
    with pytest.raises(JobCancelled):
        first.result(60)
    assert not [event for event in first.events if isinstance(event, Output)]
    in_order(second)


def test_a_server_that_dies(picture: Path) -> None:
    with start_demo(faults=True, port=free_port()) as demo:
        engine = ComfyEngine(demo.url, timing=TIMING)
        engine.refresh()
        demo.faults(die_at_step=2)
        run = Run(engine, prompt(engine, picture))
        with pytest.raises(EngineLost):
            run.result(60)
        assert run.of(Connection) == [Connection(False)]
        assert engine.refresh().state == "lost"
        port = int(demo.url.rpartition(":")[2])
        with start_demo(port=port) as again:
            assert again.url == demo.url
            until(lambda: engine.refresh().state == "ok")
            assert Run(engine, prompt(engine, picture)).result(60)

"""Image-to-Video and Fast on a real ComfyUI: every variant, caching, cancelling, refusals, events."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.engines.base import Prompt
from backend.engines.comfy.engine import ComfyEngine
from backend.errors import JobCancelled, MissingModel
from backend.events import Event, Output, Progress, Stage, Started
from backend.jobs.preflight import preflight
from backend.media.decoder import Decoder, StoredMedia
from tests.live.studio import finished
from tests.live.table import Table
from tests.support.compile_cases import CASES
from tests.support.demo_server import start_demo
from workflows.catalog import load_catalog
from workflows.compile import Compiled, compile
from workflows.graph.node_contract import facts
from workflows.params.media import Media
from workflows.spec import ModeParams

SIZE, SECONDS, FRAMES = 64, 0.5, 9


def small(params: ModeParams, picture: StoredMedia, last: StoredMedia) -> ModeParams:
    """The same job at 64x64 and nine frames."""
    changes: dict[str, Any] = {"width": SIZE, "height": SIZE, "seconds": SECONDS}
    changes["seed"] = uuid.uuid4().int % 2**53  # small as they are, some cases are alike: no cache hits
    changes["image"] = Media(picture.name, picture.width, picture.height)
    if getattr(params, "end_image", None) is not None:
        changes["end_image"] = Media(last.name, last.width, last.height)
    return replace(params, **changes)


def run(
    engine: ComfyEngine, params: ModeParams, *pictures: StoredMedia
) -> tuple[Compiled, list[Event], tuple[Output, ...]]:
    """Compiles for this server, checks against it, runs; the job id is new each time."""
    contract = engine.contract()
    compiled = compile(params, load_catalog(), facts(contract), uuid.uuid4().hex)
    preflight(params.MODE, compiled, contract, engine.info())
    events: list[Event] = []
    outputs = engine.run(prompt_of(compiled, *pictures), events.append)
    return compiled, events, outputs


def prompt_of(compiled: Compiled, *pictures: StoredMedia) -> Prompt:
    files = {picture.name: picture.path for picture in pictures if picture.name in compiled.inputs}
    return Prompt(str(uuid.uuid4()), compiled.graphs[0], compiled.labels[0], compiled.sampling_steps, files)


@pytest.mark.parametrize("case", CASES)
def test_every_variant_gives_the_video_that_was_asked_for(
    case: str, engine: ComfyEngine, decoder: Decoder, picture: StoredMedia, last_picture: StoredMedia,
    tmp_path: Path, table: Table,
) -> None:  # fmt: skip
    began = time.monotonic()
    compiled, events, outputs = run(engine, small(CASES[case], picture, last_picture), picture, last_picture)
    engine.fetch(outputs[-1], tmp_path / "result.mp4")
    video = decoder.video_facts(tmp_path / "result.mp4")
    table.add(
        case, "1", f"{video.width} x {video.height}", f"{video.frames} of {FRAMES}", f"{video.fps:g}",
        f"{video.seconds:.3f}", "sound" if video.has_audio else "none", "-",
        f"{time.monotonic() - began:.0f}",
    )  # fmt: skip
    assert (video.width, video.height, video.frames, video.fps) == (SIZE, SIZE, FRAMES, 16.0)
    assert (video.codec, video.pix_fmt) == ("h264", "yuv420p")
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps[-1] == compiled.sampling_steps and steps == sorted(steps)


@pytest.mark.parametrize("case", ["image_to_video-quality", "fast_video-anti_slow_motion"])
def test_a_new_seed_runs_only_sampling_decoding_and_saving_again(
    case: str, engine: ComfyEngine, picture: StoredMedia, last_picture: StoredMedia
) -> None:
    params = small(CASES[case], picture, last_picture)
    run(engine, params, picture)
    compiled, events, _ = run(engine, replace(params, seed=params.seed + 1), picture)
    cached = next(event.cached for event in events if isinstance(event, Started))
    again = {node["class_type"] for key, node in compiled.graphs[0].items() if key not in cached}
    assert again == {"KSamplerAdvanced", "VAEDecode", "CreateVideo", "SaveVideo"}


def test_cancel_hits_its_own_job(
    engine: ComfyEngine, picture: StoredMedia, last_picture: StoredMedia
) -> None:
    params = replace(small(CASES["image_to_video-quality"], picture, last_picture), steps=100, seed=11)
    compiled = compile(params, load_catalog(), facts(engine.contract()), uuid.uuid4().hex)
    prompt = prompt_of(compiled, picture)

    def stop_at_first_step(event: Event) -> None:
        if isinstance(event, Progress):
            threading.Thread(target=engine.cancel, args=(prompt.id,)).start()

    with pytest.raises(JobCancelled):
        engine.run(prompt, stop_at_first_step)
    fast = small(CASES["image_to_video-fast"], picture, last_picture)
    _, _, outputs = run(engine, replace(fast, seed=12), picture)
    assert outputs, "the next job is not touched"


def test_a_model_that_the_server_does_not_have_is_named(
    engine: ComfyEngine, picture: StoredMedia, last_picture: StoredMedia
) -> None:
    params = small(CASES["image_to_video-fast"], picture, last_picture)
    compiled = compile(params, load_catalog(), facts(engine.contract()), "job")
    graph = {key: {**node, "inputs": dict(node["inputs"])} for key, node in compiled.graphs[0].items()}
    loader = next(node for node in graph.values() if node["class_type"] == "UNETLoader")
    loader["inputs"]["unet_name"] = "wan2.2_not_there.safetensors"
    with pytest.raises(MissingModel, match=r"wan2\.2_not_there\.safetensors"):
        engine.run(prompt_of(replace(compiled, graphs=(graph,)), picture), lambda _: None)


@pytest.mark.parametrize("case", ["image_to_video-fast", "image_to_video-first_last_frame_fast"])
def test_the_demo_engine_reports_the_same_events(
    case: str, engine: ComfyEngine, picture: StoredMedia, last_picture: StoredMedia
) -> None:
    params = replace(
        small(CASES[case], picture, last_picture), seed=uuid.uuid4().int % 2**53, distillation="v1"
    )  # both have it; the demo engine has newer ones as well
    engine.http.post("/free", {"unload_models": True, "free_memory": True})
    _, real, _ = run(engine, params, picture, last_picture)
    with start_demo(step_seconds=0.01) as server:
        demo_engine = ComfyEngine(server.url)
        demo_engine.refresh()
        _, demo, _ = run(demo_engine, params, picture, last_picture)
        demo_engine.close()
    assert story(demo) == story(real)


def story(events: list[Event]) -> list[tuple[Any, ...]]:
    """Stages with their node and words, and the steps: all that does not depend on time."""
    told: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, Stage):
            told.append(("stage", event.node, event.text))
        elif isinstance(event, Progress):
            told.append(("step", event.step, event.steps))
    return told


def test_a_whole_studio_on_it(address: str, picture: StoredMedia, tmp_path: Path) -> None:
    values = {"prompt": "A boat", "seconds": SECONDS, "width": SIZE, "height": SIZE, "speed": "fast"}
    job, path = finished(address, tmp_path, "image_to_video", values, {"image": picture.path})
    assert (job.status, job.demo, job.frames) == ("done", False, FRAMES) and path.is_file()

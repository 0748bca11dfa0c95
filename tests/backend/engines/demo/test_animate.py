"""Animate on the demo engine: it lacks nothing, and runs every route that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from backend.engines.demo.executor import Context
from backend.engines.demo.folders import Folders
from backend.engines.demo.nodeinfo import NodeInfo
from backend.engines.demo.nodes_wan import animate_2
from backend.engines.demo.values import Conditioning, StillImage
from tests.support import demo_inputs
from tests.support.compile_cases import PHOTO, animated, compiled
from tests.support.demo_server import DemoServer, start_demo
from workflows.catalog import load_catalog
from workflows.compile import Compiled, ServerFacts
from workflows.graph.node_contract import check, facts, from_object_info
from workflows.modes.animate import build
from workflows.modes.animate.routes import route
from workflows.params.media import Media


def demo_facts(folder: Path, *without: str) -> ServerFacts:
    return facts(from_object_info(NodeInfo(Folders.below(folder), without).describe()))


@pytest.mark.parametrize(
    "options", [{}, {"speed": "fast"}, {"method": "mix"}, {"model": "animate_1"}], ids=str
)
def test_nothing_is_missing_in_the_demo(options: dict[str, Any], tmp_path: Path) -> None:
    """No warning asks for an update or an installation there."""
    result = compiled(animated(**options), server=demo_facts(tmp_path))
    codes = {one.code for one in result.warnings}
    assert codes <= {"animate_2_used", "animate_1_replaces"}
    assert result.route == {"mix": "native+sam3"}.get(
        options.get("method", ""), "native" if "model" in options else result.route
    )
    contract = from_object_info(NodeInfo(Folders.below(tmp_path)).describe())
    assert [list(check(graph, contract.offline())) for graph in result.graphs] == [[]]


def test_the_routes_of_the_demo(tmp_path: Path) -> None:
    assert route(demo_facts(tmp_path)).name == "native+sam3"
    without = demo_facts(
        tmp_path, *(f"wan_animate_2_{name}int8_convrot.safetensors" for name in ("", "distill_"))
    )
    assert compiled(animated(), server=without).route == "native"


# the node


def still(count: int) -> StillImage:
    return StillImage(Image.new("RGB", (64, 64)), count)


def chunk(**options: Any) -> tuple[Any, ...]:
    both = Conditioning("a"), Conditioning("b")
    context: Context = None  # type: ignore[assignment]  # the node does not use it
    given = {"width": 64, "height": 48, "length": 13, "batch_size": 1, "video_frame_offset": 0}
    return animate_2(context, *both, None, **{**given, "pose_video": still(25), **options})


def test_lengths_and_offsets_are_those_of_the_node() -> None:
    """Recorded on ComfyUI 0.33: two chunks of 13 frames make 25."""
    *_, latent, trim, first, offset = chunk()
    assert (latent.length, trim, first, offset) == (5, 1, 0, 13)
    assert latent.with_length(latent.length - trim).frames == 13
    *_, first, offset = chunk(video_frame_offset=13, continue_motion=still(13))
    assert (first, offset) == (1, 12 + 13)


def test_its_errors_are_those_of_the_node() -> None:
    with pytest.raises(
        ValueError, match="pose_video has 25 frames but video_frame_offset is 25 -- nothing left"
    ):
        chunk(video_frame_offset=25)
    with pytest.raises(ValueError, match="must not be greater than pose_end_percent"):
        chunk(pose_start_percent=0.5, pose_end_percent=0.2)


# whole jobs


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    with start_demo(folder=tmp_path_factory.mktemp("demo")) as server:
        yield server


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.full
@pytest.mark.parametrize("options", [
    {"frames": 100, "speed": "fast", "pose_cache": "int8"}, {"frames": 6, "method": "mix"},
], ids=["Animate 2, two chunks", "Replace"])  # fmt: skip
def test_a_job_runs(options: dict[str, Any], demo: DemoServer, tmp_path: Path) -> None:
    options = dict(options)
    frames = options.pop("frames")
    video = Media("wan-studio/v.mp4", 64, 64, frames, 16.0, frames / 16, sound=False)
    params = replace(animated(video=video, width=64, height=64, steps=2), **options)
    result: Compiled = build.build(params, load_catalog(), demo_facts(tmp_path), "job")
    folder = demo.folder / "input" / "wan-studio"
    folder.mkdir(parents=True, exist_ok=True)
    demo_inputs.picture(96, 64).save(demo.folder / "input" / PHOTO.name)
    for part in result.derived[0]:
        demo_inputs.clip(demo.folder / "input" / part.name, frames=part.frames, sound=False)
    (graph,) = result.graphs
    entry = demo.wait(demo.submit(graph))
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    files = [one["images"][0] for one in entry["outputs"].values()]
    made = {
        Path(one["filename"]).suffix: demo.folder / "output" / one["subfolder"] / one["filename"]
        for one in files
    }
    assert frames_of(made[".mp4"]) == result.frames == frames
    assert (".webp" in made) == (options.get("method") == "mix"), "the check for faces"

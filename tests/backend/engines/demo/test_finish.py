"""The nodes for finished frames: frame counts, sizes, progress and errors as measured on ComfyUI 0.33.

tests/data/finishing has the graphs that ran there.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from backend.engines.demo import nodes_colour, nodes_finish
from backend.engines.demo.executor import Context, Interrupted
from backend.engines.demo.folders import Folders
from backend.engines.demo.nodeinfo import NodeInfo
from backend.engines.demo.nodes import run_node
from backend.engines.demo.schedule import Schedule, is_link
from backend.engines.demo.validate import validate
from backend.engines.demo.values import ConcatenatedFrames, ModelHandle, StillImage, iter_frames
from tests.support import demo_inputs
from tests.support.finishing import CASES, CONTRACT, FAILURE, TOO_SMALL, Graph, plain, recoloured
from tests.support.finishing import graph as read
from tests.support.paths import DATA

FILM = ModelHandle("interp_model", "film_net_fp16.safetensors")
RIFE = ModelHandle("interp_model", "rife_v4.26.safetensors")


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> NodeInfo:
    folder = tmp_path_factory.mktemp("demo")
    (folder / "input").mkdir()
    demo_inputs.clip(folder / "input" / "rig_ref.mp4")
    return NodeInfo(Folders.below(folder))


class Bar:
    """What a node reports: (value, max) of each update."""

    def __init__(self, info: NodeInfo, interrupt_at: int = 0) -> None:
        self.info, self.interrupt_at = info, interrupt_at
        self.updates: list[tuple[int, int]] = []
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.interrupt_at:
            raise Interrupted

    def report(self, value: int, total: int, picture: bytes | None) -> None:
        self.check()
        self.updates.append((value, total))

    def context(self, class_type: str = "") -> Context:
        folders = self.info.file_folders
        return Context(
            folders, self.info, 0.0, "1", class_type, False, self.report, self.check, lambda seconds: None
        )


def ran(graph: Graph, info: NodeInfo) -> Path:
    """Runs a valid graph; the video that it saves."""
    result = validate(graph, info)
    assert result.error is None, result
    outputs: dict[str, Any] = {}
    schedule = Schedule(graph, result.targets, lambda node: False, lambda node: node in result.targets)
    while schedule:
        node = schedule.next()
        assert node is not None
        kind, given = graph[node]["class_type"], graph[node]["inputs"]
        values = {name: outputs[v[0]].outputs[v[1]] if is_link(v) else v for name, v in given.items()}
        outputs[node] = run_node(kind, Bar(info).context(kind), values)
        schedule.done(node)
    (shown,) = outputs[result.targets[0]].ui["images"]
    return info.file_folders.output / shown["subfolder"] / shown["filename"]


@pytest.mark.parametrize(("name", "frames", "size", "rate"), CASES)
def test_frames_and_sizes_are_those_of_comfyui(
    name: str, frames: int, size: tuple[int, int], rate: int, info: NodeInfo
) -> None:
    with av.open(str(ran(read(name), info))) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert sum(1 for _ in container.decode(video)) == frames
        assert (video.width, video.height, video.average_rate) == (*size, rate)
        assert float(sound.duration * sound.time_base) == pytest.approx(frames / rate, abs=0.07)


def test_every_graph_is_tried() -> None:
    there = {path.stem for path in (DATA / "finishing").glob("*.json")}
    assert there == {TOO_SMALL, *(name for name, *_ in CASES)}


def test_film_fails_below_64_pixels_a_side(info: NodeInfo) -> None:
    with pytest.raises(RuntimeError, match=re.escape(FAILURE)):
        ran(read(TOO_SMALL), info)


def ramp(count: int, width: int = 64, height: int = 64) -> ConcatenatedFrames:
    """Grey frames, each lighter than the one before."""
    shades = [Image.new("RGB", (width, height), (8 * n, 8 * n, 8 * n)) for n in range(count)]
    return ConcatenatedFrames(tuple(StillImage(one) for one in shades))


def shade(image: Image.Image) -> int:
    """Of the lower right corner, which has no mark."""
    return int(np.asarray(image)[-1, -1, 0])


@pytest.mark.parametrize(
    ("model", "side", "fits"),
    [(FILM, 64, True), (FILM, 63, False), (RIFE, 33, True), (RIFE, 32, False), (RIFE, 20, False)],
)
def test_a_side_below_the_smallest_is_refused(
    model: ModelHandle, side: int, fits: bool, info: NodeInfo
) -> None:
    for frames in (ramp(2, side, 96), ramp(2, 96, side)):
        if fits:
            (made,) = nodes_finish.interpolate(Bar(info).context(), model, frames, 2)
            assert (made.count, made.width, made.height) == (3, frames.width, frames.height)
        else:
            with pytest.raises(RuntimeError, match=r"too small|Padding size"):
                nodes_finish.interpolate(Bar(info).context(), model, frames, 2)


def test_frames_lie_between_those_of_the_clip(info: NodeInfo) -> None:
    (made,) = nodes_finish.interpolate(Bar(info).context(), RIFE, ramp(4), 4)
    shades = [shade(image) for image in iter_frames(made)]
    assert shades == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]
    assert [shade(made.frame(index)) for index in (12, 5, 0)] == [24, 10, 0], "in any order"


def test_one_frame_stays_as_it_is(info: NodeInfo) -> None:
    bar, one = Bar(info), ramp(1, 20, 20)
    assert nodes_finish.interpolate(bar.context(), FILM, one, 8) == (one,)
    assert bar.updates == []


def test_a_clip_is_decoded_once(info: NodeInfo) -> None:
    class Counted:
        width = height = 64
        count = 5

        def __init__(self) -> None:
            self.read: list[int] = []

        def frame(self, index: int) -> Image.Image:
            self.read.append(index)
            return Image.new("RGB", (64, 64))

    frames = Counted()
    (made,) = nodes_finish.interpolate(Bar(info).context(), RIFE, frames, 3)
    assert len(list(iter_frames(made))) == 13
    assert frames.read == [0, 1, 2, 3, 4]


def test_progress_counts_frames_and_tiles(info: NodeInfo) -> None:
    bar = Bar(info)
    nodes_finish.interpolate(bar.context(), RIFE, ramp(3), 4)
    assert (bar.updates[0], bar.updates[-1]) == ((3, 6), (6, 6))
    bar = Bar(info)
    nodes_finish.upscale(
        bar.context(), ModelHandle("upscale_model", "RealESRGAN_x2plus.pth"), ramp(2, 832, 480)
    )
    assert (bar.updates[0], bar.updates[-1]) == ((1, 4), (4, 4))
    assert [nodes_finish.tiles(*size) for size in ((512, 512), (513, 512), (1280, 720))] == [1, 2, 6]


def test_updates_between_the_first_and_the_last_are_few(
    info: NodeInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=0.025)
    monkeypatch.setattr("backend.engines.demo.nodes_finish.time.monotonic", lambda: next(seconds))
    bar = Bar(info)
    nodes_finish.interpolate(bar.context(), RIFE, ramp(10), 2)
    assert bar.updates == [(1, 9), (5, 9), (9, 9)] and bar.checks == 9


def test_an_interrupt_ends_the_work(info: NodeInfo) -> None:
    bar = Bar(info, interrupt_at=3)
    with pytest.raises(Interrupted):
        nodes_finish.interpolate(bar.context(), RIFE, ramp(10), 2)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("RealESRGAN_x2plus.pth", 2), ("RealESRGAN_x4plus.safetensors", 4), ("4x-UltraSharp.pth", 4),
        ("OmniSR_X3_DIV2K.safetensors", 3), ("8x_NMKD.pth", 8), ("1x-denoise.pth", 1), ("some.pth", 4),
        ("0x.pth", 4),
    ],
)  # fmt: skip
def test_the_factor_is_in_the_name(name: str, factor: int) -> None:
    assert nodes_finish.factor_of(name) == factor


# validation


def errors(graph: Graph, info: NodeInfo, node: str) -> list[dict[str, Any]]:
    result = validate(graph, info)
    assert result.error is not None and result.error["type"] == "prompt_outputs_failed_validation"
    found: list[dict[str, Any]] = result.node_errors[node]["errors"]
    return found


@pytest.mark.parametrize("name", ["interp_rife", "upscale_x2"])
def test_a_missing_model_is_refused(name: str, info: NodeInfo) -> None:
    graph = read(name)
    graph["3"]["inputs"]["model_name"] = "none.pth"
    (error,) = errors(graph, info, "3")
    assert error["type"] == "value_not_in_list"
    options = error["extra_info"]["input_config"][1]["options"]
    assert error["details"] == f"model_name: 'none.pth' not in {options}" and len(options) == 2


@pytest.mark.parametrize(
    ("multiplier", "kind"), [(1, "value_smaller_than_min"), (17, "value_bigger_than_max")]
)
def test_the_multiplier_has_limits(multiplier: int, kind: str, info: NodeInfo) -> None:
    graph = read("interp_rife")
    graph["4"]["inputs"]["multiplier"] = multiplier
    assert [error["type"] for error in errors(graph, info, "4")] == [kind]


def test_loaded_models_are_of_their_kind(info: NodeInfo) -> None:
    graph = read("interp_rife")
    graph["3"] = read("upscale_x2")["3"]
    assert [error["type"] for error in errors(graph, info, "4")] == ["return_type_mismatch"]


def test_a_dynamic_choice_has_the_inputs_of_its_value(info: NodeInfo) -> None:
    assert validate(recoloured(source_stats="uniform"), info).error is None
    target = recoloured(source_stats="target_frame", **{"source_stats.target_index": 3})
    assert validate(target, info).error is None
    (missing,) = errors(recoloured(source_stats="target_frame"), info, "4")
    assert (missing["type"], missing["details"]) == ("required_input_missing", "target_index")
    target["4"]["inputs"]["source_stats.target_index"] = -1
    assert [one["type"] for one in errors(target, info, "4")] == ["value_smaller_than_min"]
    wrong = recoloured(source_stats="uniform", method="none")
    assert [one["type"] for one in errors(wrong, info, "4")] == ["value_not_in_list"]


def test_colours_are_transferred_in_a_graph(info: NodeInfo) -> None:
    path = ran(recoloured(source_stats="target_frame", **{"source_stats.target_index": 3}), info)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 24


# colours


def noise(seed: int, low: int, high: int, size: tuple[int, int] = (48, 32)) -> StillImage:
    pixels = np.random.default_rng(seed).integers(low, high, (size[1], size[0], 3), np.uint8)
    return StillImage(Image.fromarray(pixels))


def moved(info: NodeInfo, target: Any, reference: Any, method: str, stats: str, **more: Any) -> Any:
    (made,) = nodes_colour.color_transfer(Bar(info).context(), target, reference, method, stats, **more)
    return made


def apart(one: Any, other: Any) -> float:
    """Difference of the mean colours, 0 to 255."""
    means = [np.asarray(frames.frame(0), float).mean(axis=(0, 1)) for frames in (one, other)]
    return float(np.abs(means[0] - means[1]).max())


@pytest.mark.parametrize("method", ["reinhard_lab", "mkl_lab", "histogram"])
@pytest.mark.parametrize("stats", ["per_frame", "uniform", "target_frame"])
def test_frames_get_the_colours_of_the_reference(method: str, stats: str, info: NodeInfo) -> None:
    target, reference = noise(1, 20, 120), noise(2, 90, 240, (20, 20))
    made = moved(info, target, reference, method, stats)
    assert (made.width, made.height, made.count) == (48, 32, 1)
    assert apart(target, reference) > 60 and apart(made, reference) < 6
    same = moved(info, target, target, method, stats)
    assert np.abs(np.asarray(same.frame(0), int) - np.asarray(target.frame(0), int)).max() <= 2


def test_strength_goes_from_the_old_to_the_new_colours(info: NodeInfo) -> None:
    target, reference = noise(1, 20, 120), noise(2, 90, 240)
    assert moved(info, target, reference, "histogram", "uniform", strength=0.0) is target
    half = moved(info, target, reference, "histogram", "uniform", strength=0.5)
    assert apart(half, target) == pytest.approx(apart(half, reference), abs=2)


def test_one_change_for_all_frames_keeps_their_differences(info: NodeInfo) -> None:
    """Per frame a flash disappears; the change of one chosen frame keeps it."""
    dark, light = noise(1, 40, 80), noise(3, 80, 120)
    clip = ConcatenatedFrames((dark, light))

    def flash(stats: str, **more: Any) -> float:
        made = moved(info, clip, dark, "reinhard_lab", stats, **more)
        return float(np.asarray(made.frame(1), float).mean() - np.asarray(made.frame(0), float).mean())

    assert abs(flash("per_frame")) < 2
    assert flash("target_frame", **{"source_stats.target_index": 0}) > 30
    assert flash("target_frame", **{"source_stats.target_index": 9}) > 30, "counted from the last then"


def test_lab_is_there_and_back() -> None:
    rgb = np.random.default_rng(5).random((500, 3))
    assert np.abs(nodes_colour.to_rgb(nodes_colour.to_lab(rgb)) - rgb).max() < 1e-3
    white, red = nodes_colour.to_lab(np.array([[1.0, 1, 1], [1, 0, 0]]))
    assert white == pytest.approx([100, 0, 0], abs=0.02)
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.1)


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contract_is_the_recorded_one(name: str, info: NodeInfo) -> None:
    assert plain(info.describe(name)[name]) == CONTRACT[name]

"""The figures of every mode's run, held to their sources: sampler by sampler, with models, LoRAs and shift.

The wiring is held to the templates themselves (tests/data/template_*.json) in test_compile.py,
test_compile_sound.py and test_compile_animate.py.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.support.compile_cases import (
    CASES,
    LAST,
    MODE_CASES,
    ROUTE_CASES,
    SHORT,
    animated,
    compiled,
    fast,
    image,
    sound,
    still,
    text,
)
from workflows.catalog import load_catalog
from workflows.modes.registry import MODES
from workflows.spec import ModeParams

TEMPLATES = "comfyui-workflow-templates 0.11.97"
I2V, FLF = f"{TEMPLATES}, video_wan2_2_14B_i2v", f"{TEMPLATES}, video_wan2_2_14B_flf2v"
T2V, S2V = f"{TEMPLATES}, video_wan2_2_14B_t2v", f"{TEMPLATES}, video_wan2_2_14B_s2v"
T2V_OLD = "comfyui-workflow-templates 0.1.95, video_wan2_2_14B_t2v"
ANIMATE = "comfyui-workflow-templates 0.1.95, video_wan2_2_14B_animate; not in 0.11.97"
FLUX = "comfyui-workflow-templates, flux_dev_checkpoint_example"
WAN_I2V = "Wan-Video/Wan2.2 wan/configs/wan_i2v_A14B.py: sample_shift 5, boundary 0.900, guide scale 3.5, 3.5"
WAN_T2V = "Wan-Video/Wan2.2 wan/configs/wan_t2v_A14B.py: sample_shift 12, boundary 0.875, guide scale 3, 4"
LIGHTX2V = "lightx2v configs wan22/wan_moe_i2v_distill*, _t2v_distill*: 4 steps, shift 5, boundary index 2"
BERNINI = f"{TEMPLATES}, Bernini: the 4-step LoRA at 3 on the high-noise expert and 1.5 on the other"
SLOW = "ModelTC/LightX2V-Wan2.2-Lightning#13: two guided steps without the LoRA first"
MOTIONS = "share of the steps: subtle 0.35, balanced 0.5, dynamic 0.65, rounded"


class Step(NamedTuple):
    """One sampler. `files`: roles of its model and its LoRAs with their strengths; end: of its steps."""

    files: tuple[Any, ...]
    shift: float
    steps: int
    start: int
    end: int
    cfg: float
    sampler: str = "euler"
    scheduler: str = "simple"


def pair(prefix: str, shift: float, steps: int, k: int, *cfg: float, **more: Any) -> list[Step]:
    """Both experts, handed over at step k. loras: prefix of their roles; strengths of the two."""
    loras, strengths = more.get("loras", ""), more.get("strengths", (1.0, 1.0))
    found = []
    for number, (who, start, end) in enumerate((("high", 0, k), ("low", k, steps))):
        role = loras if loras in ("", "lora_480p") else f"{loras}_{who}"
        files = (f"{prefix}_{who}", *(((role, strengths[number]),) if role else ()))
        found.append(Step(files, shift, steps, start, end, cfg[number % len(cfg)]))
    return found


def single(role: str, loras: tuple[tuple[str, float], ...], shift: float, steps: int, cfg: float, by: str):
    return [Step((role, *loras), shift, steps, 0, steps, cfg, by)]


RELIGHT = ("lora_relight", 0.8)
LIGHT = ("lora_480p", 1.0)
SOURCES: dict[str, tuple[str, ModeParams, list[Step]]] = {
    "i2v quality": (I2V, image(), pair("i2v", 5, 20, 10, 3.5)),
    "i2v fast": (I2V, image(speed="fast"), pair("i2v", 5, 4, 2, 1, loras="lora_i2v")),
    "i2v 1022": (
        LIGHTX2V, image(speed="fast", distillation="1022"), pair("i2v", 5, 4, 2, 1, loras="lora_i2v_1022")
    ),
    "i2v 1030": (LIGHTX2V, image(speed="fast", distillation="1030"), pair("i2v_1030", 5, 4, 2, 1)),
    "i2v 260412": (LIGHTX2V, image(speed="fast", distillation="260412"), pair("i2v_260412", 5, 4, 2, 1)),
    "i2v official": (WAN_I2V, image(motion="official"), pair("i2v", 5, 20, 8, 3.5)),
    "i2v subtle": (MOTIONS, image(motion="subtle"), pair("i2v", 5, 20, 7, 3.5)),
    "i2v dynamic": (MOTIONS, image(motion="dynamic"), pair("i2v", 5, 20, 13, 3.5)),
    "flf quality": (FLF, image(end_image=LAST), pair("i2v", 8, 20, 10, 4)),
    "flf fast": (FLF, image(end_image=LAST, speed="fast"), pair("i2v", 5, 4, 2, 1, loras="lora_i2v")),
    "fast balanced": (I2V, fast("balanced"), pair("i2v", 5, 4, 2, 1, loras="lora_i2v")),
    "fast subtle": (MOTIONS, fast("subtle"), pair("i2v", 5, 4, 1, 1, loras="lora_i2v")),
    "fast dynamic": (MOTIONS, fast("dynamic"), pair("i2v", 5, 4, 3, 1, loras="lora_i2v")),
    "fast 480p": (LIGHTX2V, fast("480p"), pair("i2v", 5, 4, 2, 1, loras="lora_480p")),
    "fast 480p strong": (
        BERNINI, fast("480p_strong"), pair("i2v", 5, 4, 2, 1, loras="lora_480p", strengths=(3.0, 1.5))
    ),
    "fast anti slow motion": (
        SLOW, fast("anti_slow_motion"),
        [
            Step(("i2v_high",), 5, 8, 0, 2, 3.5), Step(("i2v_high", ("lora_i2v_high", 1.0)), 5, 8, 2, 4, 1),
            Step(("i2v_low", ("lora_i2v_low", 1.0)), 5, 8, 4, 8, 1),
        ],
    ),
    "t2v quality": (T2V, text(), pair("t2v", 5, 20, 10, 3.5)),
    "t2v fast": (T2V, text(speed="fast"), pair("t2v", 5, 4, 2, 1, loras="lora_t2v")),
    "t2v 250928": (
        LIGHTX2V, text(speed="fast", distillation="250928"), pair("t2v", 5, 4, 2, 1, loras="lora_t2v_250928")
    ),
    "t2v 1217": (
        LIGHTX2V, text(speed="fast", distillation="1217"), pair("t2v", 5, 4, 2, 1, loras="lora_t2v_1217")
    ),
    "t2v official": (WAN_T2V, text(motion="official"), pair("t2v", 12, 20, 13, 4, 3)),
    "picture, WAN": (T2V_OLD, still(), pair("t2v", 8, 20, 10, 3.5)),
    "picture, Flux": (FLUX, still(model="flux"), [Step(("flux",), 0, 20, 0, 20, 1)]),
    "s2v quality": (S2V, sound(duration=1.0), single("s2v", (), 8, 20, 6, "uni_pc")),
    "s2v fast": (
        S2V, sound(duration=1.0, speed="fast"), single("s2v", (("lora_t2v_high", 1.0),), 8, 4, 1, "uni_pc")
    ),
    "animate quality": (ANIMATE, animated(video=SHORT), single("animate", (RELIGHT,), 8, 20, 1, "euler")),
    "animate fast": (
        ANIMATE, animated(video=SHORT, speed="fast"), single("animate", (LIGHT, RELIGHT), 8, 6, 1, "euler")
    ),
}  # fmt: skip
CATALOG = load_catalog()


def steps_of(params: ModeParams) -> list[Step]:
    """The samplers of a job's only graph, in order."""
    (graph,) = compiled(params).graphs
    found = []
    for node in graph.values():
        inputs = node["inputs"]
        if node["class_type"] not in ("KSampler", "KSamplerAdvanced"):
            continue
        files, shift = chain(graph, inputs["model"][0])
        found.append(
            Step(
                files, shift, inputs["steps"], inputs.get("start_at_step", 0),
                inputs.get("end_at_step", inputs["steps"]), inputs["cfg"], inputs["sampler_name"],
                inputs["scheduler"],
            )
        )  # fmt: skip
    return found


def chain(graph: dict[str, Any], key: str) -> tuple[tuple[Any, ...], float]:
    """(roles of the model and its LoRAs in the order in which they are applied, shift) behind a link."""
    shift, loras = 0.0, []
    while True:
        node = graph[key]
        inputs = node["inputs"]
        match node["class_type"]:
            case "UNETLoader":
                return (role(inputs["unet_name"]), *reversed(loras)), shift
            case "CheckpointLoaderSimple":
                return (role(inputs["ckpt_name"]),), shift
            case "LoraLoaderModelOnly":
                loras.append((role(inputs["lora_name"]), inputs["strength_model"]))
            case "ModelSamplingSD3":
                shift = inputs["shift"]
        key = inputs["model"][0]


def role(name: str) -> str:
    file = CATALOG.by_name(name)
    assert file is not None, name
    return file.role


@pytest.mark.parametrize("name", SOURCES)
def test_figures_are_those_of_the_source(name: str) -> None:
    source, params, expected = SOURCES[name]
    assert steps_of(params) == expected, source


def test_every_mode_speed_and_variant_has_a_source() -> None:
    kinds = {kind(params) for _, params, _ in SOURCES.values()}
    assert {params.MODE for _, params, _ in SOURCES.values()} == set(MODES)
    routed = [params for params, _ in ROUTE_CASES.values()]
    assert {kind(params) for params in (*CASES.values(), *MODE_CASES.values(), *routed)} <= kinds
    for mode, field in (("fast_video", "variant"), ("image_to_video", "motion"), ("text_to_image", "model")):
        named = {getattr(params, field) for _, params, _ in SOURCES.values() if mode == params.MODE}
        assert named == set(MODES[mode].field(field).values)


def kind(params: ModeParams) -> tuple[Any, ...]:
    """What decides on the figures of a run, besides the creator's own."""
    return params.MODE, getattr(params, "speed", ""), getattr(params, "variant", getattr(params, "model", ""))

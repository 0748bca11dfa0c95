"""What the keys of a LoRA say, by what ComfyUI loads: adapters, parts of WAN, widths, other families."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from backend.models.kinds import KINDS
from backend.models.lora_families import families, plain_module
from backend.models.lora_keys import judge
from tests.support.compile_cases import animated, image, sound
from workflows.graph.lora_file import LoraFile
from workflows.graph.node_contract import ServerFacts
from workflows.modes.registry import MODES
from workflows.stages.lora_fit import file_obstacle, file_warnings

Shapes = Mapping[str, tuple[int, ...]]
RANK = 4


def adapter(kind: str, module: str, into: int, out: int) -> dict[str, tuple[int, ...]]:
    """The tensors of one module as a trainer of that adapter writes them."""
    half = 2 if into % 2 == out % 2 == 0 else 1
    found: dict[str, dict[str, tuple[int, ...]]] = {
        "kohya": {"lora_down.weight": (RANK, into), "lora_up.weight": (out, RANK), "alpha": ()},
        "peft": {"lora_A.weight": (RANK, into), "lora_B.weight": (out, RANK)},
        "peft_default": {"lora_A.default.weight": (RANK, into), "lora_B.default.weight": (out, RANK)},
        "diffusers": {"lora.down.weight": (RANK, into), "lora.up.weight": (out, RANK)},
        "dora": {"lora_down.weight": (RANK, into), "lora_up.weight": (out, RANK), "dora_scale": (out, 1)},
        "loha": {
            "hada_w1_a": (out, RANK), "hada_w1_b": (RANK, into), "hada_w2_a": (out, RANK),
            "hada_w2_b": (RANK, into), "alpha": (),
        },
        "lokr": {"lokr_w1": (half, half), "lokr_w2": (out // half, into // half), "alpha": ()},
        "lokr_low": {
            "lokr_w1": (half, half), "lokr_w2_a": (out // half, RANK), "lokr_w2_b": (RANK, into // half),
        },
        "oft": {"oft_blocks": (8, out // 8, out // 8), "alpha": ()},
        "boft": {"oft_blocks": (2, 8, out // 8, out // 8)},
        "full": {"diff": (out, into), "diff_b": (out,)},
        "peft_dora": {
            "lora_A.weight": (RANK, into), "lora_B.weight": (out, RANK), "lora_magnitude_vector": (out,),
        },
        "peft_oft": {"oft_R.weight": (8, out)},
        "peft_named": {"lora_A.style.weight": (RANK, into), "lora_B.style.weight": (out, RANK)},
        "vera": {"vera_lambda_b": (out,), "vera_lambda_d": (RANK,)},
    }  # fmt: skip
    return {f"{module}.{part}": shape for part, shape in found[kind].items()}


LOADED = (
    "kohya",
    "peft",
    "peft_default",
    "diffusers",
    "dora",
    "loha",
    "lokr",
    "lokr_low",
    "oft",
    "boft",
    "full",
)
LEFT_OUT = ("peft_oft", "peft_named", "vera")


def wan(kind: str, width: int, prefix: str = "diffusion_model.") -> Shapes:
    found: dict[str, tuple[int, ...]] = {}
    for block in range(2):
        for part, sides in {
            "self_attn.q": (width, width), "cross_attn.o": (width, width), "ffn.0": (width, 2 * width),
        }.items():  # fmt: skip
            name = f"blocks.{block}.{part}"
            name = name.replace(".", "_") if prefix.startswith(("lora_unet", "lycoris")) else name
            found |= adapter(kind, prefix + name, *sides)
    return found


@pytest.mark.parametrize("prefix", ["diffusion_model.", "lora_unet_"])
@pytest.mark.parametrize("kind", LOADED)
def test_adapters_that_comfyui_loads(kind: str, prefix: str) -> None:
    found = judge(wan(kind, 5120, prefix))
    assert found.lora and "i2v" in found.fits and not found.ignored and found.applied == 1.0, found
    assert found.width == 5120
    assert judge(wan(kind, 3072, prefix)).fits == {"ti2v_5b"}
    assert judge(wan(kind, 1536, prefix)).fits == {"wan_1.3b"}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_adapters_that_comfyui_leaves_out(kind: str) -> None:
    found = judge(wan(kind, 5120))
    assert found.lora and found.ignored == "adapter" and found.applied == 0.0


def test_a_part_of_an_adapter_is_left_out() -> None:
    found = judge(wan("peft_dora", 5120))
    assert not found.ignored and found.applied == pytest.approx(2 / 3)
    assert [note.code for note in notes(wan("peft_dora", 5120))] == ["lora_in_part"]
    mixed = {**wan("peft", 5120), **wan("peft", 5120, "lycoris_")}
    assert judge(mixed).applied == pytest.approx(0.5) and not judge(mixed).ignored


@pytest.mark.parametrize(
    ("prefix", "ignored"),
    [
        ("", "bare"), ("lycoris_", "bare"), ("base_model.model.", "bare"), ("model.", "bare"),
        ("model.diffusion_model.", "bare"), ("transformer.", "diffusers"), ("lora_unet__", "bare"),
    ],
)  # fmt: skip
def test_beginnings_that_comfyui_does_not_know(prefix: str, ignored: str) -> None:
    found = judge(wan("kohya", 5120, prefix))
    assert "i2v" in found.fits and found.ignored == ignored and found.applied == 0.0


def test_the_layout_with_two_underscores_is_converted_by_one_key() -> None:
    more = adapter("kohya", "lora_unet__blocks_0_cross_attn_k", 5120, 5120)
    assert judge({**wan("kohya", 5120, "lora_unet__"), **more}).ignored == ""


ONLY: Mapping[str, tuple[str, ...]] = {
    "vace": ("vace_blocks.0.self_attn.q", "vace_blocks.7.ffn.0", "vace_blocks.0.before_proj"),
    "s2v": ("audio_injector.injector.0.q", "casual_audio_encoder.encoder.final_linear"),
    "animate": ("face_adapter.fuser_blocks.0.linear1_kv", "motion_encoder.enc.fc.0"),
    "camera": ("control_adapter.conv",),
    "scail": ("patch_embedding_pose",),
    "dancer": ("music_injector.injector.0.q",),
    "humo": ("blocks.0.audio_cross_attn_wrapper.audio_cross_attn.q",),
    "wan_other": ("blocks.0.audio_cross_attn.q_linear",),
}


@pytest.mark.parametrize("prefix", ["diffusion_model.", "lora_unet_"])
@pytest.mark.parametrize("kind", ONLY)
def test_parts_that_one_model_of_the_family_has(kind: str, prefix: str) -> None:
    names = [name if prefix[-1] == "." else name.replace(".", "_") for name in ONLY[kind]]
    alone = {
        key: shape for name in names for key, shape in adapter("kohya", prefix + name, 5120, 5120).items()
    }
    found = judge(alone)
    assert found.fits == found.parts == {kind} and not found.ignored
    both = judge({**alone, **wan("kohya", 5120, prefix)})
    assert {"i2v", "t2v"} <= both.fits and both.parts == {kind} and not both.ignored
    said = notes({**alone, **wan("kohya", 5120, prefix)})
    assert [note.code for note in said] == ["lora_other_parts"] and said[0].arg("base") == kind


def file_of(shapes: Shapes) -> LoraFile:
    found = judge(shapes)
    return LoraFile(
        "x", fits=frozenset(found.fits), ignored=found.ignored, partly=found.partly, width=found.width,
        seen=True, parts=frozenset(found.parts), applied=found.applied,
        purpose="" if found.lora else "not_a_lora",
    )  # fmt: skip


def notes(shapes: Shapes, mode: str = "image_to_video") -> list:
    return list(file_warnings("x", file_of(shapes), MODES[mode].lora_targets[0]))


@pytest.mark.parametrize(
    ("kind", "fitting"), [("vace", ""), ("s2v", "sound_to_video"), ("animate", "animate"), ("camera", "")]
)
def test_a_lora_for_parts_alone_is_refused_elsewhere(kind: str, fitting: str) -> None:
    shapes = {k: s for n in ONLY[kind] for k, s in adapter("peft", f"diffusion_model.{n}", 64, 64).items()}
    for params in (image(), sound(), animated()):
        target = MODES[params.MODE].lora_target(params)
        assert target is not None
        refused = file_obstacle("x", file_of(shapes), target, ServerFacts(frozenset()))
        if fitting == params.MODE:
            assert refused is None
        else:
            assert refused is not None and refused.code == "lora_other_model" and refused.arg("base") == kind


def test_animate_2_lacks_the_parts_of_the_first_animate() -> None:
    spec, params = MODES["animate"], animated()
    first, second = spec.lora_target(params), spec.lora_target(params, "animate_2_distilled")
    assert first is not None and second is not None
    assert (first.kind, second.kind) == ("animate", "animate_2") and spec.lora_target(
        params, "native"
    ) == first
    face = {k: s for n in ONLY["animate"] for k, s in adapter("peft", f"diffusion_model.{n}", 64, 64).items()}
    plain, none = wan("peft", 5120), ServerFacts(frozenset())
    assert file_obstacle("x", file_of(face), first, none) is None
    refused = file_obstacle("x", file_of(face), second, none)
    assert refused is not None and refused.arg("for_model") == "animate_2"
    for target in (first, second):
        assert file_obstacle("x", file_of(plain), target, none) is None
        old = {**plain, **adapter("peft", "diffusion_model.blocks.0.cross_attn.k_img", 5120, 5120)}
        assert file_obstacle("x", file_of(old), target, none) is None
        assert not list(file_warnings("x", file_of(old), target))


def test_keys_of_the_image_encoder_alone_have_no_effect_on_image_to_video() -> None:
    found = judge(adapter("peft", "diffusion_model.blocks.0.cross_attn.k_img", 5120, 5120))
    assert found.fits == {"i2v_2.1", "animate", "animate_2"} and not found.partly


D0, D1, S0 = "double_blocks_0_img_attn_qkv", "double_blocks.0.img_attn.qkv", "single_blocks_0_linear1"
T0, T1 = "transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn1.to_q"
FAMILIES: tuple[tuple[str, set[str], tuple[str, ...], int], ...] = (
    # name of the test, kinds, modules, width
    ("hunyuan musubi", {"hunyuan_video"}, (D0, "double_blocks_0_img_mlp_fc1"), 3072),
    ("hunyuan mod", {"hunyuan_video"}, (D1, "single_blocks.3.modulation.linear"), 3072),
    ("hunyuan comfy", {"hunyuan_video"}, ("double_blocks.19.img_attn.qkv", "single_blocks.39.linear1"), 3072),
    ("hunyuan refiner", {"hunyuan_video"}, (
        D1, "txt_in.individual_token_refiner.blocks.0.self_attn.qkv"), 3072),
    ("hunyuan 1.5", {"hunyuan_video"}, (D1,), 2048),
    ("hunyuan diffusers", {"hunyuan_video"}, (
        "transformer_blocks.19.attn.to_q", "single_transformer_blocks.39.attn.to_q"), 3072),
    ("flux kohya", {"flux"}, ("double_blocks_0_img_mod_lin", "single_blocks_37_linear1"), 3072),
    ("flux or chroma", {"flux", "chroma"}, (D0, "double_blocks_18_img_attn_qkv"), 3072),
    ("flux, chroma or hunyuan", {"flux", "chroma", "hunyuan_video"}, (D0, S0), 3072),
    ("flux diffusers", {"flux"}, (
        "transformer_blocks.0.norm1.linear", "single_transformer_blocks.37.attn.to_q"), 3072),
    ("chroma", {"chroma"}, (D1, "distilled_guidance_layer.layers.0.in_layer"), 3072),
    ("flux 2", {"flux_2"}, (D1, "single_blocks.47.linear1"), 6144),
    ("qwen", {"qwen_image"}, (T0, "transformer_blocks.0.img_mlp.net.0.proj"), 3072),
    ("sd3", {"sd3"}, ("joint_blocks.0.x_block.attn.qkv",), 1536),
    ("sd3 diffusers", {"sd3"}, (T0, "transformer_blocks.0.attn.add_q_proj"), 1536),
    ("ltx", {"ltx_video"}, (T1, "transformer_blocks.0.attn2.to_k"), 2048),
    ("ltx audio", {"ltx_video"}, ("transformer_blocks.0.audio_attn1.to_q", T1), 4096),
    ("cogvideox", {"cogvideox"}, (T1, "transformer_blocks.0.ff.net.0.proj"), 3072),
    ("mochi", {"mochi"}, ("blocks.0.attn.qkv_x", "blocks.0.attn.proj_y"), 3072),
    ("mochi diffusers", {"mochi"}, ("transformer_blocks.0.attn1.add_q_proj",), 3072),
    ("z-image", {"z_image"}, ("layers.0.attention.qkv", "layers.29.feed_forward.w1"), 3840),
    ("lumina", {"lumina"}, ("layers.0.attention.qkv", "noise_refiner.0.attention.qkv"), 2304),
    ("kandinsky", {"kandinsky_5"}, ("visual_transformer_blocks.0.self_attention.to_query",), 1792),
    ("hidream", {"hidream"}, ("double_stream_blocks.0.block.attn1.to_q",), 2560),
    ("cosmos", {"other"}, ("blocks.0.self_attn.q_proj", "blocks.0.mlp.layer1"), 2048),
    ("hunyuan dit", {"other"}, ("blocks.0.attn1.Wqkv",), 1408),
    ("aura", {"other"}, ("joint_transformer_blocks.0.attn.to_q",), 3072),
    ("sdxl", {"sdxl"}, ("input_blocks_4_1_transformer_blocks_0_attn2_to_k",), 2048),
    ("sd", {"sd"}, ("down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k",), 768),
    ("wan diffusers", {"wan_diffusers"}, ("blocks.0.attn1.to_q", "blocks.0.ffn.net.0.proj"), 5120),
    ("unknown", set(), ("decoder.layers.0.attn", "something_else"), 512),
)  # fmt: skip


@pytest.mark.parametrize("prefix", ["diffusion_model.", "transformer.", "lora_unet_", ""])
@pytest.mark.parametrize(("name", "kinds", "names", "width"), FAMILIES, ids=[row[0] for row in FAMILIES])
def test_loras_of_other_families_are_named_and_refused(
    name: str, kinds: set[str], names: tuple[str, ...], width: int, prefix: str
) -> None:
    if prefix == "lora_unet_":
        names = tuple(each.replace(".", "_") for each in names)
    shapes = {k: s for each in names for k, s in adapter("kohya", prefix + each, width, width).items()}
    found = judge(shapes)
    assert found.fits == kinds and found.lora
    refused = file_obstacle(
        "x", file_of(shapes), MODES["image_to_video"].lora_targets[0], ServerFacts(frozenset())
    )
    assert refused is not None and refused.code in ("lora_other_model", "lora_keys_ignored")
    assert refused.arg("base") != "flux" or kinds == {"flux"}, "never Flux wrongly"
    assert found.fits <= set(KINDS)


def test_the_official_names_of_hunyuan_video() -> None:
    shapes = adapter("kohya", "transformer.double_blocks.0.img_attn_qkv", 3072, 3072)
    assert judge(shapes).fits == {"hunyuan_video"}
    assert judge({key.replace("transformer.", ""): shape for key, shape in shapes.items()}).fits == {
        "hunyuan_video"
    }


def test_metadata_decides_between_families_with_the_same_keys() -> None:
    shapes = adapter("kohya", "lora_unet_double_blocks_0_img_attn_qkv", 3072, 3072)
    told = (("chroma/lora", "chroma"), ("flux-1-dev/lora", "flux"), ("hunyuan-video", "hunyuan_video"))
    for text, kind in told:
        assert judge(shapes, {"modelspec.architecture": text}).fits == {kind}
    assert judge(shapes, {"modelspec.architecture": "Wan2.1"}).fits == judge(shapes).fits
    sure = adapter("kohya", "lora_unet_double_blocks_0_img_mlp_fc1", 3072, 3072)
    assert judge(sure, {"modelspec.architecture": "flux-1-dev/lora"}).fits == {"hunyuan_video"}


def test_names_of_modules_without_what_trainers_add() -> None:
    assert plain_module("base_model.model.diffusion_model.blocks.0.ffn.0") == "blocks_0_ffn_0"
    for name in ("lora_unet__blocks_0_ffn_0", "blocks.0.ffn.0", "lycoris_blocks_0_ffn_0"):
        assert plain_module(name) == "blocks_0_ffn_0"
    assert families([], {}, {}) == frozenset()
    assert not judge({"blocks.0.self_attn.q.weight": (8, 8)}).lora and not judge({}).lora

"""Which kinds of model a list of tensors can be. The keys are those by which ComfyUI 0.33 detects a model
(comfy/model_detection.py); what they leave open is left open here."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from backend.models.kinds import Expert, Kind
from backend.models.lora_keys import WIDTH_1_3B, is_lora
from backend.models.tensor_list import Tensors
from workflows.params.expert_names import expert_of as named_by

_PREFIXES = ("model.diffusion_model.", "diffusion_model.", "model.")
_TEXT_KINDS: frozenset[Kind] = frozenset({"t2v", "t2v_2.1", "bernini", "wan_other"})
_PICTURE_KINDS: frozenset[Kind] = frozenset({"i2v", "fun_inpaint", "wan_other"})
_MARKS: tuple[tuple[str, Kind], ...] = (
    ("casual_audio_encoder.encoder.final_linear.weight", "s2v"),
    ("audio_proj.audio_proj_glob_1.layer.weight", "humo"),
    ("face_adapter.fuser_blocks.0.k_norm.weight", "animate"),
    ("vace_patch_embedding.weight", "vace"),
    ("control_adapter.conv.weight", "camera"),
    ("patch_embedding_mask.weight", "scail"),
    ("patch_embedding_pose.weight", "scail"),
    ("patch_embedding_global.weight", "dancer"),
    ("ref_conv.weight", "fun_control"),
)
_CLIP_LAYERS: Mapping[int, Kind] = {
    24: "clip_vision_other",
    27: "clip_vision_other",
    32: "clip_vision",
    48: "clip_vision_other",
}
_FAMILIES: tuple[tuple[str, Kind], ...] = (
    ("double_blocks.0.img_attn.norm.key_norm", "flux"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", "flux"),
    ("double_blocks.0.img_attn.qkv.weight", "flux"),
    ("joint_blocks.0.context_block.attn.qkv.weight", "sd3"),
    ("txt_in.individual_token_refiner.blocks.0.norm1.weight", "hunyuan_video"),
    ("transformer_blocks.0.img_mod.1.weight", "qwen_image"),
    ("patchify_proj.weight", "ltx_video"),
    ("label_emb.0.0.weight", "sdxl"),
    ("input_blocks.0.0.weight", "sd"),
    ("cap_embedder.0.weight", "other"),
)


def kinds_of(tensors: Tensors) -> frozenset[Kind]:
    """The kinds that the file can be; empty when its keys do not say so."""
    if is_lora(tensors.shapes):
        return frozenset({"lora"})
    bundled = any(name.startswith("model.diffusion_model.") for name in tensors.shapes) and any(
        name.startswith(("text_encoders.", "cond_stage_model.", "conditioner.", "first_stage_model.", "vae."))
        for name in tensors.shapes
    )
    shapes = _stripped(tensors.shapes)
    wan = _wan(shapes, tensors)
    if wan:
        return frozenset({"all_in_one"}) if bundled else wan
    family = next((kind for key, kind in _FAMILIES if key in shapes), None)
    if family is not None:
        return frozenset({"flux_checkpoint"}) if bundled and family == "flux" else frozenset({family})
    return _encoders(shapes, tensors)


def _stripped(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The same without the prefix under which checkpoints have their diffusion model."""
    for prefix in _PREFIXES:
        inner = {key[len(prefix) :]: shape for key, shape in shapes.items() if key.startswith(prefix)}
        if inner and ("head.head.weight" in inner or any(key in inner for key, _ in _FAMILIES)):
            return inner
    return dict(shapes)


def _wan(shapes: Mapping[str, tuple[int, ...]], tensors: Tensors) -> frozenset[Kind]:
    if "blocks.0.attn1.to_q.weight" in shapes and "condition_embedder.time_proj.weight" in shapes:
        return frozenset({"wan_diffusers"})
    if not any(key.startswith("blocks.0.self_attn.q.") for key in shapes):
        return frozenset()
    patch = shapes.get("patch_embedding.weight")
    if patch is None:  # modules that are added to a model: VACE, talking heads
        vace = any(key.startswith("vace_") for key in shapes)
        return frozenset({"vace"}) if vace else frozenset({"wan_other"})
    if len(patch) < 2:
        return frozenset()
    marked: Kind | None = next((kind for key, kind in _MARKS if key in shapes), None)
    if marked is not None:
        return frozenset({marked})
    channels, width = patch[1], patch[0]
    out = shapes.get("head.head.weight", (0,))[0] // 4
    if channels == 48 and out == 48:
        return frozenset({"ti2v_5b", "wan_other"})
    if width == WIDTH_1_3B:
        return frozenset({"wan_1.3b", "fun_control", "fun_inpaint", "vace", "wan_other"})
    if channels == 16:
        return _TEXT_KINDS
    if channels == 36:
        if _model_type(tensors.metadata) == "animate2":
            return frozenset({"animate_2"})
        older: frozenset[Kind] = frozenset({"i2v_2.1", "fun_inpaint", "wan_other"})
        found = older if "img_emb.proj.0.bias" in shapes else _PICTURE_KINDS
        gguf = "general.architecture" in tensors.metadata  # its loader passes no metadata on
        return found | {"animate_2"} if gguf else found
    return frozenset({"fun_control", "wan_other"})


def _model_type(metadata: Mapping[str, str]) -> str:
    """transformer.model_type of the configuration in the metadata, by which ComfyUI detects Animate 2."""
    try:
        config = json.loads(metadata.get("config", ""))
        return str(config["transformer"]["model_type"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _encoders(shapes: Mapping[str, tuple[int, ...]], tensors: Tensors) -> frozenset[Kind]:
    """Text, sound and picture encoders, and VAEs."""
    if "model.conv2.weight" in shapes:
        shapes = {key.removeprefix("model."): shape for key, shape in shapes.items()}
    if "encoder.block.0.layer.0.SelfAttention.q.weight" in shapes:
        every = "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight" in shapes
        return frozenset({"text_encoder" if every else "text_encoder_other"})
    if "enc.blk.0.attn_q.weight" in shapes:
        every = "enc.blk.1.attn_rel_b.weight" in shapes or tensors.vocabulary > 250_000
        return frozenset({"text_encoder" if every else "text_encoder_other"})
    if "token_embedding.weight" in shapes and "blocks.0.attn.q.weight" in shapes:
        return frozenset({"text_encoder_kijai"})
    if "decoder.middle.0.residual.0.gamma" in shapes or "decoder.conv1.weight" in shapes:
        latent = shapes.get("conv2.weight", (0,))[0]
        return _vae_kinds(latent)
    if "decoder.conv_in.weight" in shapes or "first_stage_model.decoder.conv_in.weight" in shapes:
        return frozenset({"vae_other"})
    return _sound_and_picture(shapes)


def _vae_kinds(latent: int) -> frozenset[Kind]:
    """By channels of the latent. Qwen-Image's VAE has the same layout as WAN 2.1's."""
    if latent == 48:
        return frozenset({"vae_2.2"})
    return frozenset({"vae", "vae_other"}) if latent == 16 else frozenset({"vae_other"})


def _sound_and_picture(shapes: Mapping[str, tuple[int, ...]]) -> frozenset[Kind]:
    if any("feature_extractor.conv_layers.0." in key for key in shapes):
        layers = _layers(shapes, r"encoder\.layers\.(\d+)\.attention")
        return frozenset({"audio_encoder_other"} if layers == 12 else {"audio_encoder"})
    if any(key.startswith(("model.encoder.embed_positions", "encoder.embed_positions")) for key in shapes):
        return frozenset({"audio_encoder_other"})
    if any(re.match(r"visual\.transformer\.\d+\.attn\.to_qkv", key) for key in shapes):
        return frozenset({"clip_vision_original"})
    layers = _layers(shapes, r"(?:vision_model\.encoder\.layers|visual\.transformer\.resblocks)\.(\d+)\.")
    if layers in _CLIP_LAYERS:
        return frozenset({_CLIP_LAYERS[layers]})
    if "text_model.encoder.layers.0.self_attn.q_proj.weight" in shapes:
        return frozenset({"text_encoder_other"})
    return frozenset()


def _layers(shapes: Iterable[str], pattern: str) -> int:
    found = [int(match.group(1)[:4]) for key in shapes if (match := re.search(pattern, key))]
    return max(found) + 1 if found else 0


def width_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The width of the layers of a WAN model; 0 where the keys do not say so."""
    for key, shape in shapes.items():
        if key.endswith("blocks.0.self_attn.q.weight") and len(shape) == 2:
            return shape[0]  # the other side is packed in some formats
    return 0


def expert_of(metadata: Mapping[str, str]) -> Expert:
    """The expert by the metadata of Kijai's files (`model_type`) and of GGUF files (`general.name`),
    read as a name is: "Slow motion" names none."""
    texts = (metadata.get(key, "")[:200] for key in ("model_type", "general.name", "modelspec.title"))
    return next(filter(None, (named_by([text]) for text in texts)), "")


_FORMATS = {"F64": "fp32", "F32": "fp32", "F16": "fp16", "BF16": "bf16"}


def format_of(tensors: Tensors) -> str:
    """The format in which most of the weights are stored."""
    counts: Counter[str] = Counter()
    inner = any("blocks." in name for name in tensors.shapes)  # the rest stays in a wider format
    for name, shape in tensors.shapes.items():
        if len(shape) >= 2 and ("blocks." in name or not inner):
            counts[tensors.dtypes[name]] += math.prod(shape)
    if not counts:
        return ""
    main = counts.most_common(1)[0][0]
    if "general.architecture" in tensors.metadata:
        return main
    scaled = "_scaled" if any("scale_weight" in n or "weight_scale" in n for n in tensors.shapes) else ""
    if main in ("F8_E4M3", "F8_E5M2"):
        return ("fp8_e5m2" if main.endswith("M2") else "fp8") + scaled
    if main == "U8" and any(name.endswith("weight_scale_2") for name in tensors.shapes):
        return "nvfp4"
    if main == "I8":
        return "int8_convrot" if "convrot" in tensors.metadata.get("_quantization_metadata", "") else "int8"
    return _FORMATS.get(main, "")


def parameters_of(tensors: Tensors) -> int:
    """The number of weights, scales included."""
    return sum(math.prod(shape) for shape in tensors.shapes.values())

"""Judges a LoRA by its keys and shapes: which models it fits, and which keys ComfyUI applies.

The rules are those of ComfyUI 0.33 (comfy/lora.py, comfy/lora_convert.py, comfy/weight_adapter/): a key
counts as applied when its module has a name that ComfyUI makes for WAN, and its ending is one of a known
adapter (LoRA, LoHa, LoKr, DoRA, GLoRA, OFT, BOFT, or a plain difference).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from backend.models.kinds import Kind
from backend.models.lora_families import families, plain_module

Shape: TypeAlias = tuple[int, ...]
Parts: TypeAlias = Mapping[str, Shape]
"""Ending of a key -> shape, of one module."""

WIDTH_5B, WIDTH_1_3B = 3072, 1536
_ADAPTED = re.compile(
    r"(?:\.lora_(?:up|down|mid)\.weight|_lora\.(?:up|down)\.weight|\.lora\.(?:up|down)\.weight"
    r"|\.lora_[AB](?:\.default)?\.weight|\.lora_[AB]|\.lora_linear_layer\.(?:up|down)\.weight"
    r"|\.hada_(?:w[12]_[ab]|t[12])|\.lokr_(?:w[12](?:_[ab])?|t2)|\.[ab][12]\.weight|\.oft_blocks"
    r"|\.(?:w_norm|b_norm|diff|diff_b|set_weight)|\.(?:alpha|dora_scale|rescale|reshape_weight))$"
)
"""Endings that ComfyUI reads."""
_OTHER = re.compile(
    r"(?:\.lora_[AB]\.(?:[\w-]+\.)?(?:weight|bias)|\.lora_(?:up|down)\.(?:[\w-]+\.)?(?:weight|bias)"
    r"|\.lora_magnitude_vector(?:\.[\w-]+)*|\.lora_embedding_[AB](?:\.[\w-]+)*"
    r"|\.b?oft_[rRsS](?:\.[\w-]+)*|\.vera_lambda_[bd](?:\.[\w-]+)*|\.ia3_l(?:\.[\w-]+)*"
    r"|\.(?:hada|lokr)_\w+\.[\w-]+|\.on_input)$"
)
"""Endings of adapters that ComfyUI leaves out: those of the peft library of other kinds or names."""
_SCALES = frozenset({".alpha", ".dora_scale", ".rescale", ".reshape_weight"})
"""Endings that occur only together with others."""
_FUN_KEY = "lora_unet__blocks_0_cross_attn_k.lora_down.weight"
"""ComfyUI converts the layout with two underscores when it finds this key."""
_BIG: frozenset[Kind] = frozenset(
    {
        "t2v", "i2v", "s2v", "animate", "animate_2", "vace", "camera", "fun_control", "fun_inpaint",
        "bernini", "t2v_2.1", "i2v_2.1", "scail", "humo", "dancer", "wan_other",
    }
)  # fmt: skip
_PICTURE: frozenset[Kind] = frozenset({"i2v_2.1", "animate", "animate_2"})
"""Models with an image encoder of their own, which 2.2 Image-to-Video lacks."""
_BLOCK = re.compile(
    r"blocks_\d+_(?:(?:self|cross)_attn_(?:[qkvo]|norm_[qk])|ffn_[02]|modulation|norm3)"
    r"|patch_embedding|text_embedding_[02]|time_embedding_[02]|time_projection_1|head(?:_head|_modulation)?"
)
_IMAGE = re.compile(r"blocks_\d+_cross_attn_(?:[kv]_img|norm_k_img)|img_emb_(?:proj_\d|emb_pos)")
_SPECIAL: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"vace_(?:blocks_\d+_.+|patch_embedding)"), "vace"),
    (
        re.compile(
            r"(?:casual_audio_encoder|audio_injector|trainable_cond_mask|cond_encoder|frame_packer)(?:_.*)?"
        ),
        "s2v",
    ),
    (re.compile(r"(?:face_adapter|face_encoder|motion_encoder|pose_patch_embedding)(?:_.*)?"), "animate"),
    (re.compile(r"control_adapter(?:_.*)?"), "camera"),
    (re.compile(r"ref_conv"), "fun_control"),
    (re.compile(r"audio_proj_audio_.*|blocks_\d+_audio_cross_attn_wrapper_.*"), "humo"),
    (re.compile(r"patch_embedding_(?:pose|mask)"), "scail"),
    (re.compile(r"music_.*|patch_embedding_global|img_emb_refimage_.*|head_global(?:_.*)?"), "dancer"),
    (re.compile(r"blocks_\d+_(?:audio_cross_attn|norm_x)(?:_.*)?|audio_proj_.*"), "wan_other"),
)  # fmt: skip
"""Modules that only one model of the family has."""
_BLOCKS = re.compile(r"blocks_\d+_")
_DIFFUSERS = re.compile(
    r"blocks_\d+_(?:attn[12]_(?:to_(?:[qkv]|out_0)|add_[kv]_proj|norm_\w+)|ffn_net_(?:0_proj|2))"
    r"|condition_embedder_.*"
)
_SQUARE = re.compile(r"(?:self|cross)_attn_[qkvo]$")


@dataclass(frozen=True)
class LoraKeys:
    """`fits`: kinds of model; empty when the keys do not say so. `ignored`: the layout, where ComfyUI applies
    no key: bare, diffusers, or adapter. `partly`: it has keys for the image encoder of WAN 2.1; `parts`:
    kinds that have modules which others lack; `applied`: the share of the keys that ComfyUI reads; `width`:
    of the layers of its model, 0 where the shapes do not say so."""

    lora: bool = False
    fits: frozenset[Kind] = frozenset()
    ignored: str = ""
    partly: bool = False
    parts: frozenset[Kind] = frozenset()
    applied: float = 1.0
    width: int = 0


def is_lora(shapes: Iterable[str]) -> bool:
    """Whether most of the tensors are those of a LoRA or a similar adapter."""
    names = list(shapes)
    return bool(names) and 2 * sum(_ending(name) is not None for name in names) >= len(names)


def modules(shapes: Mapping[str, Shape]) -> dict[str, dict[str, Shape]]:
    """Module, as the file writes it -> its parts."""
    found: dict[str, dict[str, Shape]] = {}
    for key, shape in shapes.items():
        ending = _ending(key)
        if ending is not None:
            found.setdefault(key[: -len(ending)], {})[ending] = shape
    return found


def rank_of(parts: Parts) -> int:
    """The rank by which ComfyUI divides alpha; 0 for an adapter without one."""
    for ending, shape in parts.items():
        down = re.search(r"lora_(?:A|down)\b|lora\.down\.|lora_linear_layer\.down", ending)
        if (down or ending.endswith(("hada_w1_b", "lokr_w1_b", "lokr_w2_b"))) and len(shape) >= 2:
            return shape[0]
    return 0


def judge(shapes: Mapping[str, Shape], metadata: Mapping[str, str] | None = None) -> LoraKeys:
    """What the keys say. metadata: decides between families that have the same keys."""
    if not is_lora(shapes):
        return LoraKeys()
    found = {name: plain_module(name) for name in modules(shapes)}
    wan = {name: plain for name, plain in found.items() if _is_wan(plain)}
    if any(_BLOCKS.match(plain) or _special(plain) for plain in wan.values()):
        return _wan(shapes, wan)
    if any(_DIFFUSERS.fullmatch(plain) for plain in found.values()):
        return LoraKeys(True, frozenset({"wan_diffusers"}), "diffusers", applied=0.0)
    return LoraKeys(True, families(list(found.values()), shapes, metadata or {}))


def lora_bases(shapes: Mapping[str, Shape]) -> frozenset[Kind]:
    """The kinds of model that a LoRA fits by its keys and shapes; empty when they do not say so."""
    return judge(shapes).fits


def _ending(key: str) -> str | None:
    match = _ADAPTED.search(key) or _OTHER.search(key)
    return match.group(0) if match else None


def _is_wan(plain: str) -> bool:
    return bool(_BLOCK.fullmatch(plain) or _IMAGE.fullmatch(plain) or _special(plain))


def _special(plain: str) -> Kind | None:
    return next((kind for pattern, kind in _SPECIAL if pattern.fullmatch(plain)), None)


def _wan(shapes: Mapping[str, Shape], wan: Mapping[str, str]) -> LoraKeys:
    """`wan`: module as the file writes it -> plain name."""
    all_parts = modules(shapes)
    parts: frozenset[Kind] = frozenset(kind for plain in wan.values() if (kind := _special(plain)))
    shared = any(_BLOCK.fullmatch(plain) for plain in wan.values())
    image = any(_IMAGE.fullmatch(plain) for plain in wan.values())
    width = next(filter(None, (_width(plain, all_parts[name]) for name, plain in wan.items())), 0)
    if not shared:
        fits = _PICTURE if image and not parts else parts
    elif width == WIDTH_5B:
        fits = frozenset({"ti2v_5b"})
    elif width == WIDTH_1_3B:
        fits = frozenset({"wan_1.3b"})
    else:
        fits = _PICTURE if image else _BIG
    named = {name for name in wan if _reached(name, shapes)}
    read = sum(bool(_ADAPTED.search(ending)) for name in named for ending in all_parts[name])
    works = any(
        _ADAPTED.search(ending) and ending not in _SCALES for name in named for ending in all_parts[name]
    )
    count = sum(len(all_parts[name]) for name in wan)
    ignored = "" if works else "adapter" if named else _layout(wan)
    partly = image and shared and fits == _PICTURE
    return LoraKeys(True, fits, ignored, partly, parts, read / count if works else 0.0, width)


def _reached(name: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether ComfyUI has a weight of this name in a WAN model."""
    if name.startswith("lora_unet__"):
        return _FUN_KEY in shapes
    return name.startswith(("diffusion_model.", "lora_unet_"))


def _layout(names: Iterable[str]) -> str:
    return "diffusers" if any(name.startswith("transformer.") for name in names) else "bare"


def _width(plain: str, parts: Parts) -> int:
    """The width of the layers by one module; 0 where it does not say so."""
    into, out = _sides(parts)
    if _SQUARE.search(plain):
        return into or out
    if plain.endswith("ffn_0"):
        return into
    return out if plain.endswith("ffn_2") else 0


def _sides(parts: Parts) -> tuple[int, int]:
    """(inputs, outputs) of the layer that an adapter is for, 0 where it does not say so."""
    into = out = 0
    for ending, shape in parts.items():
        if len(shape) >= 2 and re.search(r"lora_(?:A|down)\b|lora\.down|layer\.down|hada_w1_b", ending):
            into = shape[1]
        elif len(shape) >= 2 and re.search(r"lora_(?:B|up)\b|lora\.up|layer\.up|hada_w1_a", ending):
            out = shape[0]
        elif ending == ".diff" and len(shape) == 2:
            out, into = shape
        elif ending == ".diff_b" and len(shape) == 1:
            out = out or shape[0]
        elif ending == ".oft_blocks" and len(shape) in (3, 4):
            out = shape[-3] * shape[-2]
    rows, columns = _kronecker(parts)
    return into or columns, out or rows


def _kronecker(parts: Parts) -> tuple[int, int]:
    """(rows, columns) of the product of a LoKr; 0 without one."""
    sides = []
    for one in ("w1", "w2"):
        whole = parts.get(f".lokr_{one}")
        first, second = parts.get(f".lokr_{one}_a"), parts.get(f".lokr_{one}_b")
        if whole is not None and len(whole) >= 2:
            sides.append((whole[0], whole[1]))
        elif first is not None and second is not None and len(first) >= 2 and len(second) >= 2:
            sides.append((first[0], second[1]))
        else:
            return 0, 0
    return sides[0][0] * sides[1][0], sides[0][1] * sides[1][1]

"""Small LoRA files of every key layout, with real values for alpha."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

WIDTH, RANK = 128, 4
_DIFFUSERS = {"self_attn.q": "attn1.to_q", "cross_attn.k": "attn2.to_k", "ffn.0": "ffn.net.0.proj"}
_FOREIGN = {
    "flux": ("lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_single_blocks_0_linear1"),
    "sdxl": ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", "lora_te1_text_model_encoder_q"),
    "qwen_image": ("transformer_blocks.0.attn.to_q", "transformer_blocks.0.img_mod.1"),
    "unknown": ("layers.0.attention.to_q", "layers.0.feed_forward.w1"),
}
LAYOUTS = ("peft", "kohya", "comfy", "fun", "diffusers", "bare", *_FOREIGN)


def write_lora(
    path: Path,
    layout: str = "peft",
    *,
    alpha: float | None = None,
    images: bool = False,
    width: int = WIDTH,
    metadata: Mapping[str, str] | None = None,
    seed: int = 0,
    dtype: str = "BF16",
) -> Path:
    """Writes a LoRA of rank 4. images: with keys for the image encoder of WAN 2.1. Data of other seeds
    differs."""
    modules = list(_FOREIGN.get(layout, ()))
    if not modules:
        parts = ["self_attn.q", "cross_attn.k", "ffn.0"] + (["cross_attn.k_img"] if images else [])
        modules = [_module(layout, f"blocks.{n}.{part}") for n in range(2) for part in parts]
    down, up = ("lora_A", "lora_B") if layout in ("peft", "diffusers", "bare") else ("lora_down", "lora_up")
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    data = b""
    for number, module in enumerate(modules):
        for side, shape in ((down, (RANK, width)), (up, (width, RANK))):
            size = math.prod(shape) * 2
            entries[f"{module}.{side}.weight"] = _entry("BF16", shape, len(data), size)
            data += bytes((seed * 31 + number * 7 + at) % 251 for at in range(size))
        if alpha is not None:
            value = struct.pack("<f", alpha) if dtype == "F32" else struct.pack("<f", alpha)[2:]
            entries[f"{module}.alpha"] = _entry(dtype, (), len(data), len(value))
            data += value
    head = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(head)) + head + data)
    return path


def _entry(dtype: str, shape: tuple[int, ...], at: int, size: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}


def _module(layout: str, name: str) -> str:
    if layout == "diffusers":
        block, _, part = name.partition(".")[2].partition(".")
        return f"transformer.blocks.{block}.{_DIFFUSERS[part]}"
    if layout in ("kohya", "fun"):
        return ("lora_unet_" if layout == "kohya" else "lora_unet__") + name.replace(".", "_")
    return name if layout == "bare" else f"diffusion_model.{name}"

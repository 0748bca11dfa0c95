"""Tiny model files for tests: the keys and shapes by which a kind is detected, and sparse data."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]
WIDTHS = {"F8_E4M3": 1, "F8_E5M2": 1, "U8": 1, "I8": 1, "F16": 2, "BF16": 2, "F32": 4}
GGUF_TYPES = {
    "F32": 0,
    "F16": 1,
    "Q8_0": 8,
    "Q4_K": 12,
    "Q5_K": 13,
    "Q6_K": 14,
    "BF16": 30,
    "MXFP4": 39,
    "NVFP4": 40,
}

DIM = 128
_BLOCK = {"blocks.0.self_attn.q.weight": (DIM, DIM), "blocks.0.cross_attn.k.weight": (DIM, DIM)}
_WAN = {**_BLOCK, "head.head.weight": (64, DIM)}


def _wan(channels: int, **more: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {"patch_embedding.weight": (DIM, channels, 1, 2, 2), **_WAN, **more}


KEYS: dict[str, dict[str, tuple[int, ...]]] = {
    "t2v": _wan(16),
    "i2v": _wan(36),
    "i2v_2.1": {**_wan(36), "img_emb.proj.0.bias": (1280,)},
    "s2v": {**_wan(16), "casual_audio_encoder.encoder.final_linear.weight": (DIM, DIM)},
    "animate": {**_wan(36), "img_emb.proj.0.bias": (8,), "face_adapter.fuser_blocks.0.k_norm.weight": (DIM,)},
    "vace": {**_wan(16), "vace_patch_embedding.weight": (DIM, 96, 1, 2, 2)},
    "camera": {**_wan(36), "control_adapter.conv.weight": (DIM, 24, 2, 2)},
    "fun_control": {**_wan(52), "ref_conv.weight": (DIM, 16, 2, 2)},
    "ti2v_5b": {**_wan(48), "head.head.weight": (192, DIM)},
    "scail": {**_wan(16), "patch_embedding_pose.weight": (DIM, 16, 1, 2, 2)},
    "dancer": {**_wan(16), "patch_embedding_global.weight": (DIM, 16, 1, 2, 2)},
    "humo": {**_wan(36), "audio_proj.audio_proj_glob_1.layer.weight": (DIM, DIM)},
    "wan_diffusers": {
        "blocks.0.attn1.to_q.weight": (DIM, DIM),
        "condition_embedder.time_proj.weight": (DIM, DIM),
    },
    "all_in_one": {
        **{f"model.diffusion_model.{key}": shape for key, shape in _wan(36).items()},
        "text_encoders.umt5xxl.transformer.shared.weight": (9, 9),
    },
    "text_encoder": {
        "shared.weight": (256384, 8),
        "encoder.block.0.layer.0.SelfAttention.q.weight": (8, 8),
        "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight": (32, 8),
    },
    "text_encoder_other": {
        "shared.weight": (32128, 8),
        "encoder.block.0.layer.0.SelfAttention.q.weight": (8, 8),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 8),
    },
    "text_encoder_kijai": {"token_embedding.weight": (256384, 8), "blocks.0.attn.q.weight": (8, 8)},
    "vae": {"conv2.weight": (16, 16, 1, 1, 1), "decoder.conv1.weight": (96, 16, 3, 3, 3)},
    "vae_2.2": {"conv2.weight": (48, 48, 1, 1, 1), "decoder.conv1.weight": (256, 48, 3, 3, 3)},
    "vae_other": {"decoder.conv_in.weight": (8, 4, 3, 3), "quant_conv.weight": (8, 8, 1, 1)},
    "audio_encoder": {
        "wav2vec2.feature_extractor.conv_layers.0.conv.weight": (8, 1, 10),
        "wav2vec2.encoder.layers.23.attention.k_proj.weight": (8, 8),
    },
    "audio_encoder_other": {
        "wav2vec2.feature_extractor.conv_layers.0.conv.weight": (8, 1, 10),
        "wav2vec2.encoder.layers.11.attention.k_proj.weight": (8, 8),
    },
    "clip_vision": {"vision_model.encoder.layers.31.mlp.fc1.weight": (8, 8)},
    "clip_vision_other": {"vision_model.encoder.layers.23.mlp.fc1.weight": (8, 8)},
    "clip_vision_original": {"visual.transformer.0.attn.to_qkv.weight": (24, 8)},
    "flux": {"double_blocks.0.img_attn.qkv.weight": (24, 8), "img_in.weight": (8, 8)},
    "flux_checkpoint": {
        "model.diffusion_model.double_blocks.0.img_attn.qkv.weight": (24, 8),
        "text_encoders.t5xxl.transformer.shared.weight": (9, 9),
    },
    "sdxl": {"model.diffusion_model.label_emb.0.0.weight": (8, 8), "conditioner.embedders.0.x": (8, 8)},
    "qwen_image": {"transformer_blocks.0.img_mod.1.weight": (8, 8)},
    "lora": {
        f"diffusion_model.blocks.{n}.self_attn.q.lora_{side}.weight": (4, DIM) if side == "A" else (DIM, 4)
        for n in range(2)
        for side in "AB"
    },
}  # fmt: skip
"""kind -> keys and shapes of a file of that kind."""


def safetensors(
    path: Path,
    kind: str | Shapes,
    dtype: str = "F16",
    metadata: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Path:
    """Writes a file of a kind, or with the given keys. Other seeds have other first bytes of data."""
    shapes = KEYS[kind] if isinstance(kind, str) else kind
    entries: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        count = math.prod(shape) * WIDTHS[dtype]
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + count]}
        at += count
    head = json.dumps(entries).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        file.write(seed.to_bytes(2, "little") * 8)
        file.truncate(8 + len(head) + at)
    return path


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(
    path: Path,
    kind: str | Shapes,
    dtype: str | int = "Q4_K",
    texts: Mapping[str, str] | None = None,
    flat: bool = False,
    vocabulary: int = 0,
) -> Path:
    """Writes a GGUF file. flat: tensors of five dimensions have four, and their shape as metadata."""
    shapes = KEYS[kind] if isinstance(kind, str) else kind
    keys = {"general.architecture": "wan", **(texts or {})}
    parts = [_text(key) + struct.pack("<I", 8) + _text(value) for key, value in keys.items()]
    if vocabulary:
        tokens = b"".join(_text(f"t{n}") for n in range(vocabulary))
        parts.append(_text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, vocabulary) + tokens)
    infos, at = b"", 0
    for name, shape in shapes.items():
        stored = list(shape[::-1])
        if flat and len(shape) > 4:
            parts.append(
                _text(f"comfy.gguf.orig_shape.{name}")
                + struct.pack(f"<IIQ{len(shape)}i", 9, 5, len(shape), *shape)
            )
            stored = [math.prod(shape[1:]), shape[0]]
        infos += _text(name) + struct.pack("<I", len(stored))
        infos += b"".join(struct.pack("<Q", each) for each in stored)
        infos += struct.pack("<IQ", dtype if isinstance(dtype, int) else GGUF_TYPES[dtype], at)
        at += math.prod(shape) * 4
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(parts)) + b"".join(parts) + infos
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 64 + at)
    return path

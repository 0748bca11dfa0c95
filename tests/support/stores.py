"""Model stores for tests: tiny files of the right kinds under the names that people have."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

from backend.models.file_names import name_facts
from tests.support.tiny_models import KEYS, gguf, safetensors
from workflows.catalog import load_catalog

_ALIKE = {"t2v_2.1": "t2v", "bernini": "t2v", "fun_inpaint": "i2v", "animate_2": "i2v"}


def put(folder: Path, path: str, kind: str = "", **more: object) -> Path:
    """A tiny file at a path (`loras/x.safetensors`), of the kind that its name says or of another one."""
    named = kind or str(name_facts(path).kind)
    target = folder / path
    if path.endswith(".gguf"):
        return gguf(target, _ALIKE.get(named, named))
    more.setdefault("seed", zlib.crc32(path.encode()) % 65_000)
    return safetensors(target, _ALIKE.get(named, named) if named in KEYS or named in _ALIKE else {}, **more)  # type: ignore[arg-type]


def own_names(*roles: str) -> dict[str, str]:
    """role -> folder and name of the catalogue's files."""
    files = load_catalog().files
    return {f.role: f"{f.folder}/{f.name}" for f in files if not roles or f.role in roles}


_SEKO = "loras/Wan2.2-Lightning/Wan2.2-I2V-A14B-4steps-lora-rank64-Seko-V1"
I2V: Mapping[str, Mapping[str, str]] = {
    "flat": own_names("i2v_high", "i2v_low", "text_encoder", "vae", "lora_i2v_high", "lora_i2v_low"),
    "wanvideo": {
        "i2v_high": "diffusion_models/WanVideo/I2V/Wan2_2-I2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors",
        "i2v_low": "diffusion_models/WanVideo/I2V/Wan2_2-I2V-A14B-LOW_fp8_e4m3fn_scaled_KJ.safetensors",
        "text_encoder": "text_encoders/WanVideo/umt5_xxl_fp16.safetensors",
        "vae": "vae/WanVideo/Wan2_1_VAE_bf16.safetensors",
        "lora_i2v_high": "loras/WanVideo/Wan2.2-Lightning_I2V-A14B-4steps-lora_HIGH_fp16.safetensors",
        "lora_i2v_low": "loras/WanVideo/Wan2.2-Lightning_I2V-A14B-4steps-lora_LOW_fp16.safetensors",
    },
    "gguf": {
        "i2v_high": "unet/HighNoise/Wan2.2-I2V-A14B-HighNoise-Q4_K_M.gguf",
        "i2v_low": "unet/LowNoise/Wan2.2-I2V-A14B-LowNoise-Q4_K_M.gguf",
        "text_encoder": "clip/umt5-xxl-encoder-Q8_0.gguf",
        "vae": "vae/Wan2.1_VAE.pth",
        "lora_i2v_high": f"{_SEKO}/high_noise_model.safetensors",
        "lora_i2v_low": f"{_SEKO}/low_noise_model.safetensors",
    },
}  # fmt: skip
"""Stores with what Image-to-Video needs: role -> path below the models folder."""

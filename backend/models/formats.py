"""Which of several files of one model suits a GPU best: by the memory that its format takes."""

from __future__ import annotations

import re

_BITS = {
    "fp32": 32.0, "fp16": 16.0, "bf16": 16.0, "F32": 32.0, "F16": 16.0, "BF16": 16.0,
    "fp8_scaled": 8.1, "fp8": 8.0, "fp8_e5m2_scaled": 8.1, "fp8_e5m2": 8.0, "int8_convrot": 8.1, "int8": 8.0,
    "mxfp8": 8.3, "nvfp4": 4.6, "int4": 4.2, "nf4": 4.5,
}  # fmt: skip
"""Bits for each weight, scales included."""
_QUALITY = (
    "fp16", "bf16", "F16", "BF16", "fp8_scaled", "int8_convrot", "Q8", "fp8_e5m2_scaled", "mxfp8", "Q6",
    "fp8", "int8", "Q5", "fp8_e5m2", "Q4", "nvfp4", "Q3", "Q2", "fp32", "F32",
)  # fmt: skip
"""Formats from the closest to the original to the furthest; fp32 has no more detail than was trained."""
PARAMETERS = 14.3e9
SHARE = 0.8
"""Share of the GPU's memory that the weights may take, so that activations have the rest."""
GIB = 1 << 30
_BLACKWELL = re.compile(r"RTX\s(50\d\d|PRO\s\d{4})|\bG?B[23]00\b|Blackwell", re.I)
_ROTATED_SINCE = (0, 33)
"""The ComfyUI version in which rotated int8 was seen to load; 0.3.64 does not have it."""


def bits(form: str) -> float:
    """Bits for each weight; 16 for an unknown format."""
    if found := re.match(r"(?:I?Q|TQ)(\d)", form):
        return int(found.group(1)) + 0.6
    return _BITS.get(form, 16.0)


def weight_bytes(form: str, size: int) -> int:
    """Bytes of the weights: of the file, else estimated for a 14B model from its format."""
    return size or round(PARAMETERS * bits(form) / 8)


def rank(form: str, size: int, vram: int, gpu: str = "", version: str = "") -> tuple[int, int, int]:
    """Sorts the best first: usable, fits the GPU, quality; those that do not fit by size.

    vram: bytes, 0 when unknown: then every format counts as fitting up to 8 bits for each weight.
    """
    usable = 0 if _usable(form, gpu, version) else 1
    needed = weight_bytes(form, size)
    fits = needed <= vram * SHARE if vram else bits(form) < 9
    return (usable, 0, _quality(form)) if fits else (usable, 1, needed)


def _quality(form: str) -> int:
    key = re.sub(r"^I?(Q\d).*", r"\1", form)
    return _QUALITY.index(key) if key in _QUALITY else len(_QUALITY)


def _usable(form: str, gpu: str, version: str) -> bool:
    """Whether the GPU and the server are known to take the format."""
    if form == "nvfp4":
        return bool(_BLACKWELL.search(gpu))
    if form.startswith("fp8") and gpu.lower() in ("mps", "apple"):
        return False
    if form == "int8_convrot" and version:
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        return numbers >= _ROTATED_SINCE
    return form != "int4"

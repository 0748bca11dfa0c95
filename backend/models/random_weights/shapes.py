"""Which tensors a model file of the catalogue has: names, types and shapes, at full or tiny scale.

The files of Comfy-Org's I2V and T2V experts come out as large as the published ones, to the byte.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml

from backend.models.random_weights.spiece import vocabulary

Dtype = Literal["F8_E4M3", "F16", "BF16", "F32", "U8"]
BYTES: Mapping[str, int] = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "U8": 1}
"""Size of a number, in the order in which a file has its tensors."""
Fill = Literal["random", "ones", "zeros", "scale"]
"""`scale`: the factor that brings the fp8 numbers of a weight to its standard deviation."""


@dataclass(frozen=True)
class Tensor:
    """One entry of a safetensors file. `deviation`: standard deviation of random numbers; `data`: fixed
    content."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    fill: Fill = "random"
    deviation: float = 0.0
    data: bytes = b""

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * BYTES[self.dtype]


@dataclass(frozen=True)
class Scale:
    """The dimensions that differ between full and tiny files: of WAN's blocks, of Animate (a face adapter in
    every fifth block), of its face encoder and of the VAE; of an encoder A, G, T, R and L are attention,
    inner layer, vocabulary, heads and layers. `rank`: of LoRAs, 0 for their own."""

    width: int
    inner: int
    blocks: int
    animate_blocks: int
    face: int
    vae: int
    text: Mapping[str, int]
    vision: Mapping[str, int]
    sound_layers: int  # of the sound encoder that are not all zero
    rank: int = 0


SCALES: Mapping[str, Scale] = {
    "full": Scale(
        5120, 13824, 40, 40, 32, 96, {"A": 4096, "G": 10240, "T": 256384, "R": 64, "L": 24},
        {"G": 5120, "L": 32}, 24,
    ),
    "tiny": Scale(
        128, 256, 2, 5, 2, 16, {"A": 128, "G": 64, "T": 1024, "R": 2, "L": 2}, {"G": 64, "L": 2}, 1, rank=4,
    ),
}  # fmt: skip
"""`tiny` needs the custom node backend/custom_nodes/tiny_models.py, which has the same dimensions."""

CHANNELS: Mapping[str, int] = {"t2v": 16, "i2v": 36, "s2v": 16, "animate": 36}
"""Input channels of each kind of WAN model."""
WAN: Mapping[str, tuple[str, bool]] = {
    "i2v_high": ("i2v", True), "i2v_low": ("i2v", True), "t2v_high": ("t2v", True),
    "t2v_low": ("t2v", True), "s2v": ("s2v", True), "animate": ("animate", False),
}  # fmt: skip
"""Role -> kind, and whether layers outside of the blocks are fp8 too, as in Comfy-Org's files."""
LORAS: Mapping[str, tuple[int, Dtype, bool]] = {
    "lora_i2v_high": (64, "F32", False), "lora_i2v_low": (64, "F32", False),
    "lora_t2v_high": (64, "F32", False), "lora_t2v_low": (64, "F32", False),
    "lora_relight": (128, "F16", True), "lora_480p": (64, "BF16", True),
}  # fmt: skip
"""Role -> rank, type, and whether it covers the image attention. By the sizes of the files."""
OTHERS = ("text_encoder", "vae", "audio_encoder", "clip_vision")
ROLES = frozenset((*WAN, *LORAS, *OTHERS))
"""The roles of the catalogue for which files can be written."""
MARKS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "text_encoder": ("encoder.block.23.layer.1.DenseReluDense.wi_1.weight", (10240, 4096)),
    "clip_vision": ("vision_model.encoder.layers.30.layer_norm1.weight", (1280,)),
}
"""The tensor by which ComfyUI identifies the encoder; a tiny file has it in addition, as zeros."""


def tensors(role: str, scale: Scale) -> tuple[Tensor, ...]:
    """The content of the file of a role, in file order. Raises KeyError for a role that is not in ROLES."""
    order = list(BYTES)
    return tuple(sorted(_tensors(role, scale), key=lambda one: (order.index(one.dtype), one.name)))


def _tensors(role: str, scale: Scale) -> Iterator[Tensor]:
    if role in WAN:
        return _wan(role, scale)
    if role in LORAS:
        return _lora(role, scale)
    if role == "vae":
        return _plain("vae", {"V": scale.vae})
    if role == "audio_encoder":
        return _sound(scale)
    if role == "clip_vision":
        return itertools.chain(_plain("vision", scale.vision), _mark(role, scale))
    if role == "text_encoder":
        return _text(role, scale)
    raise KeyError(role)


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]]:
    text = (Path(__file__).parent / "shapes.yaml").read_text(encoding="utf-8")
    found = {}
    for model, lines in yaml.safe_load(text).items():
        rows = [line.split() for line in lines.splitlines()]
        found[model] = tuple((name, kind, tuple(shape)) for name, kind, *shape in rows)
    return found


def _expanded(model: str, letters: Mapping[str, int]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name, kind, shape) of each tensor of a table."""
    for pattern, kind, shape in _tables()[model]:
        sizes = tuple(_size(text, letters) for text in shape)
        repeated = re.search(r"{(\w)}", pattern)
        if repeated is None:
            yield pattern, kind, sizes
            continue
        for number in range(letters[repeated.group(1)]):
            yield pattern.replace(repeated.group(0), str(number)), kind, sizes


def _size(text: str, letters: Mapping[str, int]) -> int:
    """`5`, `D`, `2D` or `D/4` as a number."""
    found = re.fullmatch(r"(\d*)([A-Z]?)/?(\d*)", text)
    if found is None:
        raise ValueError(f"not a size: {text}")
    factor, letter, divisor = found.groups()
    return int(factor or 1) * letters.get(letter, 1) // int(divisor or 1)


def _initial(name: str, shape: tuple[int, ...], dtype: Dtype) -> Tensor:
    """With numbers of the size that the model works with, so that no result overflows."""
    one_dimension = math.prod(shape) == max(shape)
    if name.endswith(("gamma", "original0", "casual_audio_encoder.weights")):
        return Tensor(name, dtype, shape, "ones")
    if name.endswith("bias"):
        return Tensor(name, dtype, shape, "zeros")
    if name.endswith("weight") and one_dimension and len(shape) == 1:
        return Tensor(name, dtype, shape, "ones")
    if "motion_encoder." in name:  # its layers divide by the square root of their inputs themselves
        return Tensor(name, dtype, shape, "random", 1.0)
    inputs = shape[-1] if "modulation" in name or "tokens" in name else math.prod(shape[1:])
    if name == "shared.weight" or "position_embedding" in name or "relative_attention" in name:
        return Tensor(name, dtype, shape, "random", 0.05)
    return Tensor(name, dtype, shape, "random", 1.0 / math.sqrt(max(1, inputs)))


def _scaled(name: str, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """A linear layer in fp8 with its scale."""
    deviation = 1.0 / math.sqrt(shape[-1])
    yield Tensor(name, "F8_E4M3", shape, "random", deviation)
    yield Tensor(name.removesuffix("weight") + "scale_weight", "F32", (), "scale", deviation)


def _wan(role: str, scale: Scale) -> Iterator[Tensor]:
    kind, outside = WAN[role]
    blocks = scale.animate_blocks if kind == "animate" else scale.blocks
    letters = {
        "D": scale.width, "F": scale.inner, "N": blocks, "P": blocks // 5, "I": 12, "M": scale.face,
        "C": CHANNELS[kind],
    }  # fmt: skip
    for table in ("wan", kind):
        for name, sort, shape in _expanded(table, letters) if table in _tables() else ():
            if sort == "linear" and (outside or ".blocks." in f".{name}"):
                yield from _scaled(name, shape)
                if outside:
                    yield Tensor(name.removesuffix("weight") + "scale_input", "F32", (), "ones")
            elif sort == "kernel":
                yield _kernel(name, shape)
            else:
                yield _initial(name, shape, "F16")
    # Two numbers tell ComfyUI not to multiply in fp8 (Kijai's files); none leaves it to its options.
    yield Tensor("scaled_fp8", "F8_E4M3", (0,) if outside else (2,), "zeros")


def _kernel(name: str, shape: tuple[int, ...]) -> Tensor:
    """A buffer of a layer that blurs."""
    return Tensor(name, "F16", shape, "random", 1.0 / math.sqrt(math.prod(shape)))


def _lora(role: str, scale: Scale) -> Iterator[Tensor]:
    rank, dtype, image = LORAS[role]
    rank = scale.rank or rank
    blocks = scale.animate_blocks if image else scale.blocks
    layers = [(f"{a}.{part}", "D", "D") for a in ("self_attn", "cross_attn") for part in "qkvo"]
    layers += [("ffn.0", "D", "F"), ("ffn.2", "F", "D")]
    if image:
        layers += [("cross_attn.k_img", "D", "D"), ("cross_attn.v_img", "D", "D")]
    sizes = {"D": scale.width, "F": scale.inner}
    for block in range(blocks):
        for layer, source, target in layers:
            name = f"diffusion_model.blocks.{block}.{layer}"
            down = (rank, sizes[source])
            yield Tensor(f"{name}.lora_down.weight", dtype, down, "random", 1.0 / math.sqrt(down[1]))
            yield Tensor(f"{name}.lora_up.weight", dtype, (sizes[target], rank), "random", 0.01)
            yield Tensor(f"{name}.alpha", dtype, (), "ones")


def _plain(model: str, letters: Mapping[str, int]) -> Iterator[Tensor]:
    for name, _, shape in _expanded(model, letters):
        yield _initial(name, shape, "F16")


def _sound(scale: Scale) -> Iterator[Tensor]:
    """Its dimensions are fixed in ComfyUI: a tiny file has zeros, which take no space, in most layers."""
    for tensor in _plain("audio", {"L": 24}):
        layer = re.match(r"encoder\.layers\.(\d+)\.", tensor.name)
        if layer and int(layer.group(1)) >= scale.sound_layers:
            yield Tensor(tensor.name, tensor.dtype, tensor.shape, "zeros")
        else:
            yield tensor


def _text(role: str, scale: Scale) -> Iterator[Tensor]:
    for name, kind, shape in _expanded("text", scale.text):
        if kind == "linear":
            yield from _scaled(name, shape)
        else:
            yield _initial(name, shape, "F16")
    yield from _mark(role, scale)
    yield Tensor("scaled_fp8", "F8_E4M3", (0,), "zeros")
    pieces = vocabulary(min(scale.text["T"], 1024))
    yield Tensor("spiece_model", "U8", (len(pieces),), data=pieces)


def _mark(role: str, scale: Scale) -> Iterator[Tensor]:
    name, shape = MARKS[role]
    if scale is not SCALES["full"]:
        yield Tensor(name, "F8_E4M3" if role == "text_encoder" else "F16", shape, "zeros")

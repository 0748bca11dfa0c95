"""What a model file can be: its kind, and what its name and its header say of it, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from backend.models.gguf_types import UNLOADED

Kind: TypeAlias = Literal[
    "t2v", "i2v", "s2v", "animate", "animate_2", "vace", "camera", "fun_control", "fun_inpaint", "bernini",
    "ti2v_5b", "t2v_2.1", "i2v_2.1", "wan_1.3b", "scail", "humo", "dancer", "wan_other", "wan_diffusers",
    "all_in_one",
    "text_encoder", "text_encoder_kijai", "text_encoder_other",
    "vae", "vae_2.2", "vae_other",
    "audio_encoder", "audio_encoder_other",
    "clip_vision", "clip_vision_original", "clip_vision_other",
    "lora",
    "sdpose", "sam3", "flux", "flux_checkpoint", "sdxl", "sd", "sd3", "qwen_image", "hunyuan_video",
    "ltx_video", "seedvr2", "chroma", "flux_2", "z_image", "lumina", "kandinsky_5", "cogvideox", "mochi",
    "hidream", "other",
    "shard",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
Expert: TypeAlias = Literal["", "high", "low"]
Speed: TypeAlias = Literal["", "baked", "unknown"]
"""How a diffusion model is sampled: "" as WAN trained it, in full steps; `baked`: a 4-step distillation is in
its weights; `unknown`: a merge that can be either."""
Purpose: TypeAlias = Literal["", "speed", "other_speed", "relight", "svi", "svi_pro", "style"]
"""What a LoRA is for; `speed`: 4 steps by lightx2v; `other_speed`: another distillation."""
WAN_KINDS: frozenset[Kind] = frozenset(KINDS[: KINDS.index("text_encoder")])
"""Diffusion models of the WAN family."""
FOREIGN: frozenset[Kind] = frozenset(KINDS[KINDS.index("sdpose") : KINDS.index("shard")])
"""Models of other families."""


@dataclass(frozen=True)
class NameFacts:
    """What the path of a file says; "" for what it does not say."""

    kind: Kind | Literal[""] = ""
    expert: Expert = ""
    format: str = ""  # fp8_scaled, fp8_e5m2_scaled, fp8, fp16, bf16, fp32, int8_convrot, Q4_K_M, ...
    speed: Speed = ""
    version: Literal["", "2.1", "2.2"] = ""
    base: Kind | Literal[""] = ""  # of a LoRA: the kind of model that it is for
    purpose: Purpose = ""


@dataclass(frozen=True)
class HeaderFacts:
    """What the header of a file says. An empty `kinds` means that the header does not tell.

    fault: a code of FAULTS for a file that no program can load.
    """

    kinds: frozenset[Kind] = frozenset()
    bases: frozenset[Kind] = frozenset()  # of a LoRA
    format: str = ""
    parameters: int = 0
    expert: Expert = ""  # by metadata
    size: int = 0  # bytes on the disk
    fault: str = ""
    unloaded: str = ""  # the type of a GGUF file's tensors that ComfyUI-GGUF does not load
    width: int = 0  # of the layers of a WAN model, or of the one that a LoRA is for


FAULTS = (
    "empty", "not_a_model", "damaged", "cut_short", "header_too_large", "unreadable", "no_target",
    "other_ending",
)  # fmt: skip
UNKNOWN = HeaderFacts()


@dataclass(frozen=True)
class Identity:
    """What a file is, by name and header together.

    unlike: what the name says, where the header contradicts it. experts_differ: the name says one expert, the
    metadata of the file the other.
    """

    kind: Kind | Literal[""]
    possible: frozenset[Kind]  # more than one: neither header nor name decides
    expert: Expert
    format: str
    speed: Speed
    purpose: Purpose
    base: Kind | Literal[""]
    version: str
    unlike: Kind | Literal[""] = ""
    experts_differ: bool = False
    fault: str = ""
    unloaded: str = ""
    size: int = 0
    parameters: int = 0
    seen: bool = False  # the header says the kind
    width: int = 0


def identify(name: NameFacts, header: HeaderFacts = UNKNOWN) -> Identity:
    """Combines both: the header narrows the kind to a set, the name decides within it."""
    kind, possible, unlike = _kind(name, header)
    base = name.base
    if header.bases and base not in header.bases:
        base = next(iter(header.bases)) if len(header.bases) == 1 else ""
    differ = bool(header.expert and name.expert and header.expert != name.expert)
    return Identity(
        kind=kind,
        possible=possible,
        expert=name.expert or header.expert,
        format=name.format if _refines(name.format, header.format) else header.format or name.format,
        speed=name.speed,
        purpose=name.purpose,
        base=base,
        version=name.version,
        unlike=unlike,
        experts_differ=differ,
        fault=header.fault,
        unloaded=header.unloaded or (name.format if not header.kinds and name.format in UNLOADED else ""),
        size=header.size,
        parameters=header.parameters,
        seen=bool(header.kinds),
        width=header.width,
    )


def _kind(
    name: NameFacts, header: HeaderFacts
) -> tuple[Kind | Literal[""], frozenset[Kind], Kind | Literal[""]]:
    """(kind, possible kinds, the name's kind where the header contradicts it)."""
    if not header.kinds:
        return name.kind, frozenset({name.kind} if name.kind else ()), ""
    if name.kind in header.kinds:
        return name.kind, frozenset({name.kind} if name.kind else ()), ""
    unlike = name.kind
    if not unlike and len(header.kinds) > 1:
        return "", header.kinds, ""
    return (next(iter(header.kinds)) if len(header.kinds) == 1 else ""), header.kinds, unlike


def _refines(name: str, header: str) -> bool:
    """Whether the name gives the format that the header gives in more detail: Q4_K_M for Q4_K."""
    return bool(name) and bool(header) and name.startswith(header)

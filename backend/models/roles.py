"""Which files can take a role of the catalogue when its own file is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from backend.models.kinds import Expert, Identity, Kind, Purpose, Speed


@dataclass(frozen=True)
class Want:
    """What a file has to be. kinds: what the header may say; base, purpose: of a LoRA.

    speed: "" for any; replaceable: other files than the catalogue's may take the role; gguf: ComfyUI loads
    GGUF files of this kind as what they are.
    """

    kind: Kind
    expert: Expert = ""
    base: Kind | Literal[""] = ""
    purpose: Purpose = ""
    speed: Speed = ""
    replaceable: bool = True
    gguf: bool = True
    partner: str = ""  # the role of the other expert


WANTS: Mapping[str, Want] = {
    "i2v_high": Want("i2v", "high", partner="i2v_low"),
    "i2v_low": Want("i2v", "low", partner="i2v_high"),
    "t2v_high": Want("t2v", "high", partner="t2v_low"),
    "t2v_low": Want("t2v", "low", partner="t2v_high"),
    "s2v": Want("s2v"),
    "animate": Want("animate"),
    "animate_v2": Want("animate", replaceable=False),
    "animate_2": Want("animate_2", gguf=False),
    "animate_2_distilled": Want("animate_2", speed="baked", gguf=False),
    "text_encoder": Want("text_encoder"),
    "vae": Want("vae"),
    "audio_encoder": Want("audio_encoder"),
    "clip_vision": Want("clip_vision"),
    "lora_i2v_high": Want("lora", "high", "i2v", "speed", partner="lora_i2v_low"),
    "lora_i2v_low": Want("lora", "low", "i2v", "speed", partner="lora_i2v_high"),
    "lora_t2v_high": Want("lora", "high", "t2v", "speed", partner="lora_t2v_low"),
    "lora_t2v_low": Want("lora", "low", "t2v", "speed", partner="lora_t2v_high"),
    "lora_svi_high": Want("lora", "high", "i2v", "svi_pro", partner="lora_svi_low"),
    "lora_svi_low": Want("lora", "low", "i2v", "svi_pro", partner="lora_svi_high"),
    "lora_relight": Want("lora", "", "animate", "relight"),
    "lora_480p": Want("lora", "", "i2v_2.1", "speed"),
    "flux": Want("flux_checkpoint", replaceable=False),
}
"""role -> what its file has to be. A role that is not listed has its own file only."""

Fit = Literal["yes", "ask", "no"]


def fit(want: Want, found: Identity) -> Fit:
    """Whether a file can take the role: yes, no, or only if a person says so."""
    if found.fault or found.unloaded or found.unlike:
        return "no"
    if want.kind == "lora":
        return _lora_fit(want, found)
    if found.kind and found.kind != want.kind:
        return "no"
    if not found.kind and want.kind not in found.possible:
        return "no"
    if want.speed and found.speed != want.speed:
        return "no"
    if want.expert and found.expert and found.expert != want.expert:
        return "no"
    if (
        not found.kind
        or (want.expert and not found.expert)
        or found.speed == "unknown"
        or found.experts_differ
    ):
        return "ask"
    return "yes"


def _lora_fit(want: Want, found: Identity) -> Fit:
    """Never asks: most LoRAs have another use, and a role without one is simply missing."""
    if found.kind != "lora" or found.purpose != want.purpose or found.base != want.base:
        return "no"
    return "yes" if found.expert == want.expert and not found.experts_differ else "no"


def fits_by_name(want: Want, found: Identity) -> bool:
    """Whether a file that cannot take the role is one for it by its name: a damaged one, one that
    ComfyUI-GGUF does not load, or another model."""
    if want.expert and found.expert != want.expert:
        return False
    if found.unlike:
        return found.unlike == want.kind
    if not found.fault and not found.unloaded:
        return False
    if want.kind == "lora" and (found.purpose, found.base) != (want.purpose, want.base):
        return False
    return found.kind == want.kind


def contradicts(want: Want, found: Identity, known: bool) -> bool:
    """Whether a file is not what the role needs. known: it has the catalogue's own name, so that only its
    header can say so."""
    if known and not found.seen:
        return False
    if found.possible and want.kind not in found.possible:
        return True
    return want.kind == "lora" and found.base != want.base

"""Whether the LoRAs of a job have an effect on its model, by what is known of their files.

ComfyUI loads a LoRA for another model, or with keys that it does not know, without an error and without an
effect (tried on 0.33): such a job is refused. What has some effect is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.graph.lora_file import LoraFile, listed
from workflows.graph.node_contract import ServerFacts
from workflows.notice import Notice, notice
from workflows.params.expert_names import precision_key
from workflows.params.loras import LoraTarget, plain
from workflows.stages.own_loras import Used, used
from workflows.stages.schedule import HIGH, LOW

WEAK = 0.25
"""alpha divided by rank, up to which a LoRA is called weak."""
MOST_APPLIED = 0.95
"""The share of its keys that ComfyUI reads, below which a LoRA is said to be used in part."""
RELATED: Mapping[str, frozenset[str]] = {
    "i2v": frozenset({"i2v"}),
    "t2v": frozenset({"t2v", "t2v_2.1"}),
    "s2v": frozenset({"s2v", "t2v", "t2v_2.1"}),
    "animate": frozenset({"animate", "animate_2", "i2v", "i2v_2.1"}),
    "animate_2": frozenset({"animate", "animate_2", "i2v", "i2v_2.1"}),
    "flux": frozenset({"flux"}),
}
"""Kind of a job's model -> the kinds whose LoRAs suit it. Sound-to-Video's own speed LoRA is one for
Text-to-Video, Animate's is one for Image-to-Video."""
SAME_LAYERS = frozenset({"i2v", "t2v", "i2v_2.1", "t2v_2.1", "s2v", "animate", "animate_2"})
"""Kinds of WAN with the same layers: a LoRA for one of them has some effect on the others."""
OBSTACLES = frozenset(
    {
        "lora_missing", "lora_ambiguous", "lora_twice", "lora_damaged", "lora_not_lora", "lora_other_model",
        "lora_keys_ignored", "lora_other_width",
    }
)  # fmt: skip
"""Codes with which a job is refused."""


@dataclass(frozen=True)
class LoraFindings:
    """`obstacle`: why the job is refused; None when it is not."""

    obstacle: Notice | None = None
    warnings: tuple[Notice, ...] = ()


def file_obstacle(name: str, file: LoraFile, target: LoraTarget, server: ServerFacts) -> Notice | None:
    """Why a file has no effect on a model; None if it has one, or if nothing is known."""
    if file.fault:
        return notice("lora_damaged", lora=name, fault=file.fault)
    if file.fits and not _suits(file, target):
        if "wan_diffusers" in file.fits and target.kind != "flux":
            return notice("lora_keys_ignored", lora=name, layout="diffusers")
        return notice("lora_other_model", lora=name, base=_made_for(file), for_model=target.kind)
    if file.ignored:
        return notice("lora_keys_ignored", lora=name, layout=file.ignored)
    if file.seen and not file.fits:
        if file.purpose == "not_a_lora":
            return notice("lora_not_lora", lora=name)
        return notice("lora_other_model", lora=name, base="other", for_model=target.kind)
    needs = max((server.models[role].width for role in target.roles if role in server.models), default=0)
    if needs and file.width and file.width != needs:
        return notice("lora_other_width", lora=name, has=file.width, needs=needs)
    return None


def _made_for(file: LoraFile) -> str:
    """The kind of model to name; "wan" or "other" where the keys fit several of them."""
    if len(file.fits) == 1:
        return next(iter(file.fits))
    if file.base in file.fits:
        return file.base
    if file.fits & SAME_LAYERS:
        return "wan"
    return "flux_chroma" if file.fits == {"flux", "chroma"} else "other"


def _suits(file: LoraFile, target: LoraTarget) -> bool:
    """Whether the keys fit; those of WAN 2.1 Image-to-Video fit in part."""
    return target.kind in file.fits or (file.partly and target.kind != "flux")


def file_warnings(name: str, file: LoraFile, target: LoraTarget) -> Iterator[Notice]:
    """What to know about a file that is used on a model."""
    if file.partly and target.kind not in file.fits:
        yield notice("lora_partly", lora=name)
    elif file.base and file.base not in RELATED.get(target.kind, frozenset((target.kind,))):
        if file.seen or (file.base in SAME_LAYERS and target.kind in SAME_LAYERS):
            yield notice("lora_other_task", lora=name, base=file.base, for_model=target.kind)
        else:
            yield notice("lora_other_family", lora=name, base=file.base, for_model=target.kind)
    if file.parts and target.kind not in file.parts:
        yield notice("lora_other_parts", lora=name, base=min(file.parts))
    if file.seen and 0 < file.applied < MOST_APPLIED:
        yield notice("lora_in_part", lora=name, share=file.applied)
    if file.unjudged:
        yield notice("lora_not_judged", lora=name)
    if 0 < file.scale <= WEAK:
        yield notice("lora_weak", lora=name, share=file.scale)
    if file.differs:
        other = "low" if file.expert == HIGH else "high"
        yield notice("lora_experts_differ", lora=name, expert=other)
    if file.purpose in ("speed", "other_speed"):
        yield notice("lora_is_speed", lora=name)


def lora_findings(params: Any, target: LoraTarget, server: ServerFacts) -> LoraFindings:
    """What is wrong with the LoRAs of a job and what to point out. Nothing for a job without any."""
    found = used(params, server, target.experts)
    if not found:
        return LoraFindings()
    if listed(server) is None:
        return LoraFindings(None, (notice("lora_list_unknown"),))
    experts = getattr(params, "experts", "both") if target.experts else ""
    obstacle: Notice | None = None
    warnings: list[Notice] = []
    names: dict[str, str] = {}  # file -> as the creator wrote it
    for one in found:
        if not one.file.name:
            obstacle = obstacle or _not_found(one)
            continue
        if one.file.moved:
            warnings.append(notice("lora_moved", lora=one.lora.name, file=one.file.name))
        if one.file.name in names:
            obstacle = obstacle or notice("lora_twice", lora=names[one.file.name], other=one.lora.name)
        names[one.file.name] = one.lora.name
        said: set[str] = set()  # of a pair the same is said once
        for name in _names(one, experts):
            file = one.file if name == one.file.name else server.loras.get(name, LoraFile(name))
            refused = file_obstacle(name, file, target, server)
            obstacle = obstacle or refused
            if refused is None:
                notes = [note for note in file_warnings(name, file, target) if note.code not in said]
                warnings += notes
                said |= {note.code for note in notes}
        if target.experts:
            warnings += _pair_warnings(one, experts, {plain(each.file.name) for each in found})
    return LoraFindings(obstacle, tuple(dict.fromkeys(warnings)))


def _not_found(one: Used) -> Notice:
    if one.file.namesakes:
        return notice("lora_ambiguous", lora=one.lora.name, names=one.file.namesakes)
    return notice("lora_missing", lora=one.lora.name)


def _names(one: Used, experts: str) -> list[str]:
    """The files that are loaded."""
    high = [one.high] if experts in ("both", "", HIGH) and one.lora.strength else []
    low = [one.low] if experts in ("both", LOW) and one.lora.strength_low else []
    return [name for name in dict.fromkeys((*high, *low)) if name]


def _pair_warnings(one: Used, experts: str, given: set[str]) -> Iterator[Notice]:
    file = one.file
    if not file.expert:
        return
    if not file.partner:
        if experts in ("both", LOW if file.expert == HIGH else HIGH):
            yield notice("lora_one_expert", lora=file.name, expert=file.expert)
        return
    if file.expert == LOW and plain(file.partner) in given:
        return  # said with the other file
    if file.same:
        yield notice("lora_pair_is_one_file", lora=file.name, other=file.partner)
    elif precision_key(file.name) != precision_key(file.partner) and plain(file.partner) not in given:
        yield notice("lora_pair_differs", lora=file.name, other=file.partner)

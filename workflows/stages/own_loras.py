"""Which files the LoRAs of a job put on each expert, in order.

They follow the speed LoRA. The order changes nothing in the result, since every LoRA is added to the weights;
ComfyUI's templates load the speed LoRA first, and ComfyUI keeps a model with it in its cache while the
LoRAs after it change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.graph.lora_file import LoraFile, lora_file
from workflows.graph.node_contract import ServerFacts
from workflows.params.loras import Lora, plain
from workflows.stages.schedule import HIGH, LOW

ONE = ""
"""The key of a model without experts."""

Chain = tuple[tuple[str, float], ...]
"""(file, strength) in order."""


@dataclass(frozen=True)
class OwnLoras:
    """Files by expert; ONE for a model without experts."""

    chains: Mapping[str, Chain] = field(default_factory=dict)

    def of(self, expert: str) -> Chain:
        """The files on one expert."""
        return self.chains.get(expert, ())


NO_LORAS = OwnLoras()


@dataclass(frozen=True)
class Used:
    """A LoRA of a job with its files. high, low: "" for none; of a model without experts both are its one
    file."""

    lora: Lora
    file: LoraFile
    high: str
    low: str


def used(params: Any, server: ServerFacts, experts: bool = True) -> tuple[Used, ...]:
    """The LoRAs of a job with their files on this server."""
    loras: Sequence[Lora] = getattr(params, "loras", ())
    files = [lora_file(one.name, server) for one in loras]
    given = {plain(file.name) for file in files}
    found = []
    for lora, file in zip(loras, files, strict=True):
        name = file.name or lora.name
        if not experts or not file.expert:
            found.append(Used(lora, file, name, name))
            continue
        # Both files of a pair are in the list: each has its own strength.
        partner = "" if plain(file.partner) in given else file.partner
        high, low = (name, partner) if file.expert == HIGH else (partner, name)
        found.append(Used(lora, file, high, low))
    return tuple(found)


def own_loras(params: Any, server: ServerFacts, experts: bool = True) -> OwnLoras:
    """The files on each expert. A strength of 0 loads nothing."""
    found = used(params, server, experts)
    if not experts:
        return OwnLoras({ONE: tuple((one.high, one.lora.strength) for one in found if one.lora.strength)})
    high = ((one.high, one.lora.strength) for one in found if one.lora.strength)
    low = ((one.low, one.lora.strength_low) for one in found if one.lora.strength_low)
    return OwnLoras(
        {HIGH: tuple(pair for pair in high if pair[0]), LOW: tuple(pair for pair in low if pair[0])}
    )

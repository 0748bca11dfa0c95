"""The LoRAs of a part of a joined video: what no server has any more is left out, and named. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from backend.jobs.offers import Offer
from workflows.graph.node_contract import ServerFacts
from workflows.modes.registry import MODES
from workflows.notice import Notice, made
from workflows.params.expert_names import pair_key
from workflows.params.loras import Lora, check_loras, plain
from workflows.params.values import InvalidParam
from workflows.repetition import without_namesakes
from workflows.resolved import Resolved
from workflows.stages.lora_fit import lora_findings

LORAS = "loras"


@dataclass(frozen=True)
class Usable:
    """`values`: with the LoRAs that can be used; `notes`: why the others are left out; `keep`: the earlier
    run without those; `offers`: the servers that can draw with the rest."""

    values: dict[str, Any]
    notes: tuple[Notice, ...]
    keep: Resolved | None
    offers: tuple[Offer, ...]


def usable(mode: str, values: Mapping[str, Any], offers: Sequence[Offer], keep: Resolved | None) -> Usable:
    """What is drawn on the servers that lack the fewest LoRAs. A server whose LoRAs are not known counts as
    having all of them; servers that are away count where all are."""
    there = tuple(offer for offer in offers if offer.info.state != "lost") or tuple(offers)
    try:
        given = check_loras(LORAS, LORAS, values.get(LORAS))
    except InvalidParam:  # refused when it is submitted
        given = ()
    if not given or not there:
        return Usable(dict(values), (), keep, tuple(offers))
    each = [(offer, _refused(mode, values, given, offer.facts, keep)) for offer in there]
    left = min((refused for _, refused in each), key=len)
    able = tuple(offer for offer, refused in each if refused.keys() == left.keys())
    if not left:
        return Usable(dict(values), (), keep, able)
    stay = [one.to_json() for one in given if one not in left]
    notes = tuple(made("part_without_lora", {"because": why}) for why in left.values())
    return Usable({**values, LORAS: stay}, notes, _without(keep, left), able)


def _refused(
    mode: str, values: Mapping[str, Any], given: Sequence[Lora], server: ServerFacts, keep: Resolved | None
) -> dict[Lora, Notice]:
    """The LoRAs with which a job would be refused by this server, each with the reason."""
    server = without_namesakes(keep, server) if keep is not None else server
    named = {field.name: values.get(field.name, field.default) for field in MODES[mode].fields}
    target = MODES[mode].lora_target(SimpleNamespace(**named))
    if target is None:
        return {}
    stay: list[Lora] = []
    found: dict[Lora, Notice] = {}
    for one in given:
        tried = SimpleNamespace(**{**named, LORAS: (*stay, one)})
        obstacle = lora_findings(tried, target, server).obstacle
        if obstacle is None:
            stay.append(one)
        else:
            found[one] = obstacle
    return found


def _without(keep: Resolved | None, left: Mapping[Lora, Notice]) -> Resolved | None:
    """An earlier run without the files of these LoRAs, so that they are not missed a second time."""
    if keep is None:
        return None
    names = {_pair(one.name) for one in left}
    return replace(
        keep,
        loras=tuple(name for name in keep.loras if _pair(name) not in names),
        files={role: name for role, name in keep.files.items() if _pair(name) not in names},
    )


def _pair(name: str) -> str:
    """What the two files of a pair have in common, without their folder."""
    return pair_key(plain(name).rsplit("/", 1)[-1])

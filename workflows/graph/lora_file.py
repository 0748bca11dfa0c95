"""What is known of a LoRA on one server, and the search of a name in the server's list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workflows.params.expert_names import (
    loose_key,
    loosest_key,
    named_expert,
    other_name,
    pair_key,
    precision_key,
)
from workflows.params.loras import plain

if TYPE_CHECKING:
    from workflows.graph.node_contract import ServerFacts

LIST = ("LoraLoaderModelOnly", "lora_name")
"""The input whose options are a server's LoRAs."""
_ENDING = re.compile(r"\.(?:safetensors|sft|pt2?|pth|ckpt|bin|pkl)$")


@dataclass(frozen=True)
class LoraFile:
    """One file. `name`: as the server spells it; "" for one that the server does not list.

    expert, partner: the expert that it is for and the file of the other one. base: the kind of model that the
    name says; fits: the kinds that it fits by its keys, empty where they are not known or do not say so.
    ignored: the layout of its keys, if ComfyUI applies none of them; partly: some are left out; scale: alpha
    divided by rank; same: the partner has the same content; differs: the metadata names the other expert;
    fault: why it cannot be loaded; parts: kinds of model that have layers which others lack, and that it has
    keys for; applied: the share of its keys that ComfyUI reads; unjudged: its keys could not be looked at;
    size: bytes, 0 when unknown; twins: files of its name and content in other folders; moved: found by its
    name in another folder than the one that was asked for; namesakes: with `name` "", several such files.
    """

    name: str
    expert: str = ""
    partner: str = ""
    base: str = ""
    purpose: str = ""
    fits: frozenset[str] = field(default_factory=frozenset)
    ignored: str = ""
    partly: bool = False
    width: int = 0
    scale: float = 1.0
    same: bool = False
    differs: bool = False
    fault: str = ""
    seen: bool = False  # its header was read
    parts: frozenset[str] = field(default_factory=frozenset)
    applied: float = 1.0
    unjudged: bool = False
    size: int = 0
    twins: tuple[str, ...] = ()
    moved: bool = False
    namesakes: tuple[str, ...] = ()


def listed(server: ServerFacts) -> tuple[str, ...] | None:
    """The LoRAs of a server as it spells them; None when it does not list any folder."""
    return server.options.get(LIST)


@dataclass(frozen=True)
class Found:
    """A name in a list: as the list has it, "" for none. `moved`: in another folder than was written;
    `namesakes`: several files that match equally."""

    name: str = ""
    moved: bool = False
    namesakes: tuple[str, ...] = ()


def find(name: str, names: Sequence[str]) -> Found:
    """Searches a list. Slashes, case, folder and ending of the name may differ, as long as only one file of
    the list matches."""
    if name in names:
        return Found(name)
    wanted = plain(name)
    for form in (plain, _stem):
        found = [one for one in names if form(one) == wanted]
        if len(found) == 1:
            return Found(found[0])
    bare = wanted.rsplit("/", 1)[-1]
    for form, moved in ((_last, True), (lambda one: _stem(_last(one)), bare != wanted)):
        found = [one for one in names if form(one) == bare]
        found = [one for one in found if named_expert(one) == named_expert(name)] or found
        if len(found) == 1:
            return Found(found[0], moved)
        if found:
            return Found(namesakes=tuple(sorted(found)))
    return Found()


def spelled(name: str, names: Sequence[str]) -> str:
    """The name as the list has it; "" when it is not there, or several files are meant."""
    return find(name, names).name


def _last(name: str) -> str:
    return plain(name).rsplit("/", 1)[-1]


def _stem(name: str) -> str:
    return _ENDING.sub("", plain(name))


def partner_of(name: str, names: Iterable[str]) -> str:
    """The file of the other expert by its name; "" for none, or several that are as near.

    Files of the same folder come first; of two that differ in precision, version or epoch the pair is the
    only one.
    """
    expert = named_expert(name)
    if not expert:
        return ""
    wanted = other_name(name)
    others = [one for one in names if named_expert(one) not in ("", expert)]
    if wanted in others:
        return wanted
    for key in (pair_key, precision_key, loose_key, loosest_key):
        found = [one for one in others if key(one) == key(name)]
        if len(found) == 1:
            return found[0]
    return ""


def by_name(name: str, names: Sequence[str] | None) -> LoraFile:
    """What the name alone says. `names`: the server's list; None: the partner is assumed to be there."""
    partner = other_name(name) if names is None else partner_of(name, names)
    return LoraFile(name, named_expert(name), partner if partner != name else "")


def lora_file(name: str, server: ServerFacts) -> LoraFile:
    """What is known of the LoRA that a creator named."""
    names = listed(server)
    if names is None:
        return by_name(name, None)
    found = find(name, names)
    if found.namesakes:
        found = _one_content(found, server)
    if not found.name:
        return LoraFile("", namesakes=found.namesakes)
    file = server.loras[found.name] if found.name in server.loras else by_name(found.name, names)
    return replace(file, moved=True) if found.moved else file


def _one_content(found: Found, server: ServerFacts) -> Found:
    """The first of several files if all have the same content."""
    first, *others = found.namesakes
    twins = server.loras[first].twins if first in server.loras else ()
    return Found(first, True) if set(others) <= set(twins) else found

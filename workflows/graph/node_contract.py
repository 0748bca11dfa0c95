"""What every ComfyUI node takes and gives, and whether a graph keeps to it.

The facts come from a server's /object_info: recorded (node_contract.json, written by
scripts/record_contract.py) or live. The check is stricter than ComfyUI's own, which passes newer combo
inputs, numbers as text, step sizes and unknown inputs unseen and then fails, or misbehaves, while running.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from workflows.catalog import Catalog, load_catalog
from workflows.graph.lora_file import LoraFile
from workflows.graph.object_info import FILE_INPUTS, VALUE_TYPES, Contract, Input, Node, from_object_info
from workflows.notice import Notice

__all__ = [
    "FILE_INPUTS",
    "Contract",
    "Input",
    "Node",
    "Problem",
    "check",
    "facts",
    "from_object_info",
    "missing",
    "recorded",
]


@dataclass(frozen=True)
class Problem:
    """Where a graph breaks the contract; `input` is "" when the node as a whole does.

    `kind`: unknown_node, unreadable_node (the server has it, but its description cannot be read),
    missing_input, unknown_input, wrong_type, not_in_list, out_of_range or bad_link.
    """

    node: str
    class_type: str
    input: str
    kind: str
    message: str
    value: Any = None


@lru_cache(maxsize=1)
def recorded() -> Contract:
    """The facts recorded from ComfyUI 0.3.64, without model files."""
    text = (Path(__file__).parent / "node_contract.json").read_text(encoding="utf-8")
    return from_object_info(json.loads(text)).offline()


VARYING = ("WanContextWindowsManual",)
"""Nodes whose inputs differ between the versions of ComfyUI that are supported."""


def facts(contract: Contract) -> ServerFacts:
    """What compile() wants to know: the classes, and the options where they are known."""
    options = {
        (name, key): tuple(str(option) for option in entry.options)
        for name, node in contract.nodes.items()
        for key, entry in node.inputs.items()
        if entry.options is not None
    }
    inputs = {name: frozenset(contract.nodes[name].inputs) for name in VARYING if name in contract.nodes}
    return ServerFacts(frozenset(contract.nodes), options, inputs=inputs)


# checking a graph


def check(
    graph: Mapping[str, Any], contract: Contract, catalog: Catalog | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong with a graph in API format, in the order of its nodes; () when it is right.

    Model files that the contract does not list are looked up in the catalog (default: ours).
    """
    names = catalog or load_catalog()
    problems = [p for node in graph for p in _check_node(node, graph, contract, names)]
    return tuple(problems) + tuple(_check_cycles(graph))


def missing(graph: Mapping[str, Any], server: ServerFacts) -> tuple[Problem, ...]:
    """The nodes and the files or options that a server does not have, by its facts alone."""
    problems = []
    for node in graph:
        class_type = _class_of(graph, node)
        if server.nodes and class_type not in server.nodes:
            text = f"The engine has no node {class_type}."
            problems.append(Problem(node, class_type, "", "unknown_node", text))
            continue
        for name, value in _inputs_of(graph, node).items():
            options = server.options.get((class_type, name))
            if options is not None and isinstance(value, str) and value not in options:
                text = f"The engine does not list {value}."
                problems.append(Problem(node, class_type, name, "not_in_list", text, value))
    return tuple(problems)


def _class_of(graph: Mapping[str, Any], node: str) -> str:
    data = graph[node]
    return str(data.get("class_type", "")) if isinstance(data, Mapping) else ""


def _inputs_of(graph: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    data = graph[node]
    inputs = data.get("inputs") if isinstance(data, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _check_node(
    node: str, graph: Mapping[str, Any], contract: Contract, catalog: Catalog
) -> Iterator[Problem]:
    class_type = _class_of(graph, node)
    known = contract.nodes.get(class_type)
    if known is None and class_type in contract.skipped:
        text = f"The server's description of {class_type} cannot be read: {contract.skipped[class_type]}."
        yield Problem(node, class_type, "", "unreadable_node", text)
        return
    if known is None:
        yield Problem(node, class_type, "", "unknown_node", f"There is no node class {class_type!r}.")
        return
    given = _inputs_of(graph, node)
    accepted, required = _accepted(known.inputs, given)
    for name in required:
        if name not in given:
            yield Problem(node, class_type, name, "missing_input", f"{class_type} needs {name}.")
    for name, value in given.items():
        entry = accepted.get(name)
        if entry is None:
            text = f"{class_type} has no input {name}."
            yield Problem(node, class_type, name, "unknown_input", text, value)
            continue
        fault = _check_input(entry, value, graph, contract, catalog)
        if fault:
            yield Problem(node, class_type, name, fault[0], f"{class_type}.{name}: {fault[1]}", value)


def _accepted(
    inputs: Mapping[str, Input], given: Mapping[str, Any], prefix: str = ""
) -> tuple[dict[str, Input], list[str]]:
    """(inputs that may be given, names that must be), the ones that a chosen option brings included.

    Those may be written flat ("codec") or below their parent ("format.codec"); one of the two is enough.
    """
    accepted: dict[str, Input] = {}
    required: list[str] = []
    for name, entry in inputs.items():
        dotted = prefix + name
        written = dotted if dotted in given else name
        accepted[dotted] = accepted[name] = entry
        if entry.required:
            required.append(written)
        if written not in given:
            continue
        choice = given[written]
        chosen = isinstance(choice, str) and choice in entry.nested
        for option, brings in entry.nested.items():
            if chosen and option != choice:
                continue
            more, needed = _accepted(brings, given, dotted + ".")
            accepted.update({key: value for key, value in more.items() if key not in accepted})
            if chosen:  # else the choice itself is the problem
                required.extend(needed)
    return accepted, list(dict.fromkeys(required))


def _check_input(
    entry: Input, value: Any, graph: Mapping[str, Any], contract: Contract, catalog: Catalog
) -> tuple[str, str] | None:
    """(kind, sentence) of what is wrong, or None."""
    if isinstance(value, (list, tuple)):
        return _check_link(entry, value, graph, contract)
    if entry.type not in VALUE_TYPES:
        return None if entry.type == "*" else ("wrong_type", f"wants a {entry.type} link, not {value!r}")
    if entry.type == "COMBO":
        return _check_combo(entry, value, catalog)
    if entry.type == "STRING":
        return None if isinstance(value, str) else ("wrong_type", f"wants text, not {value!r}")
    if entry.type == "BOOLEAN":
        return None if isinstance(value, bool) else ("wrong_type", f"wants true or false, not {value!r}")
    return _check_figure(entry, value)


def _check_figure(entry: Input, value: Any) -> tuple[str, str] | None:
    wanted = int if entry.type == "INT" else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        return ("wrong_type", f"wants {entry.type}, not {value!r}")
    if not math.isfinite(value):
        return ("out_of_range", f"{value!r} is not finite")
    if (entry.low is not None and value < entry.low) or (entry.high is not None and value > entry.high):
        return ("out_of_range", f"{value!r} lies outside {entry.low} to {entry.high}")
    if entry.step > 1 and (value - int(entry.low or 0)) % entry.step:
        return ("out_of_range", f"{value!r} is not a step of {entry.step} from {entry.low}")
    return None


def _check_combo(entry: Input, value: Any, catalog: Catalog) -> tuple[str, str] | None:
    options = entry.options
    if options is None and entry.folder:
        options = tuple(file.name for file in catalog.files if file.folder == entry.folder)
    if options is None:
        return None if isinstance(value, str) and value else ("wrong_type", f"wants a name, not {value!r}")
    if any(type(value) is type(option) and value == option for option in options):
        return None
    if not isinstance(value, str):
        return ("wrong_type", f"wants one of the listed names, not {value!r}")
    return ("not_in_list", f"{value!r} is not one of {len(options)} options")


def _check_link(
    entry: Input, value: Sequence[Any], graph: Mapping[str, Any], contract: Contract
) -> tuple[str, str] | None:
    if len(value) != 2 or not isinstance(value[0], str) or type(value[1]) is not int:
        return ("bad_link", f"{value!r} is not a link")
    source, index = value
    if source not in graph:
        return ("bad_link", f"there is no node {source}")
    giver = contract.nodes.get(_class_of(graph, source))
    if giver is None:
        return None  # reported at that node
    if not 0 <= index < len(giver.outputs):
        return ("bad_link", f"node {source} has no output {index}")
    given, wanted = giver.outputs[index], entry.type
    if "*" in (given, wanted) or set(given.split(",")) & set(wanted.split(",")):
        return None
    return ("bad_link", f"wants {wanted}, but output {index} of node {source} is {given}")


def _check_cycles(graph: Mapping[str, Any]) -> Iterator[Problem]:
    """One problem for the first node that reads, by way of others, its own output."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack = [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                done.add(path.pop())
                continue
            if node in done or node not in graph:
                continue
            if node in path:
                text = f"Node {node} reads its own output."
                yield Problem(node, _class_of(graph, node), "", "bad_link", text)
                return
            path.append(node)
            stack.append((node, True))
            for value in _inputs_of(graph, node).values():
                if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
                    stack.append((value[0], False))


@dataclass(frozen=True)
class RoleFile:
    """The file that takes a role of the catalogue on one server.

    distilled: a 4-step distillation is in its weights; obstacle: why it cannot be used; notes: what is to be
    pointed out.
    """

    name: str  # as the server spells it
    distilled: bool = False
    obstacle: Notice | None = None
    notes: tuple[Notice, ...] = ()
    width: int = 0  # of the layers of a diffusion model; 0 when unknown


@dataclass(frozen=True)
class ServerFacts:
    """What a server offers. Nothing known of an input's options (no entry) means: anything may be there.

    models: role -> its file, for roles whose file on this server is known. loras: name of a LoRA, as the
    server spells it -> what is known of it; read when it is asked for. ram: bytes of the
    computer's memory, 0 when unknown. inputs: class -> the inputs that this server's version of it has, for
    the classes in VARYING.
    """

    nodes: frozenset[str]
    options: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    models: Mapping[str, RoleFile] = field(default_factory=dict)
    loras: Mapping[str, LoraFile] = field(default_factory=dict)
    ram: int = 0
    inputs: Mapping[str, frozenset[str]] = field(default_factory=dict)

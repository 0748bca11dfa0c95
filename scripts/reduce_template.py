#!/usr/bin/env python3
"""Reduces an official ComfyUI template to classes, wiring and settings, for tests/data/template_*.json.

    pip download --no-deps comfyui-workflow-templates-json==0.1.123 && unzip the wheel
    python scripts/reduce_template.py templates/video_wan2_2_14B_i2v.json 0.11.97 > template_i2v.json

The second argument is the version of comfyui-workflow-templates, of which that wheel is a part. Animate and
Sound-to-Video are of 0.1.95, which is one wheel. A template holds several workflows side by side, of which
the one without LoRAs is the quality one, or for Animate the bypassed one (node mode 4), which is longer; or
one workflow with switches between the two (ComfySwitchNode, true for the fast one). Each becomes a graph in
ComfyUI's API format: what its largest SaveVideo is made of. Subgraphs are unfolded,
constants put in place; notes, positions and titles are dropped.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from workflows.graph.node_contract import from_object_info, recorded  # noqa: E402
from workflows.graph.object_info import VALUE_TYPES  # noqa: E402

BYPASSED = 4
OUTSIDE_IN, OUTSIDE_OUT = -10, -20
"""The ids that a subgraph's own inputs and outputs have in its links."""
ROUTES = json.loads((ROOT / "tests" / "data" / "object_info_0_33_routes.json").read_text(encoding="utf-8"))
CLASSES = {**from_object_info(ROUTES).nodes, **recorded().nodes}


def main() -> int:
    """Prints the reduced template; returns the exit status."""
    path = Path(sys.argv[1])
    template = Template(json.loads(path.read_text(encoding="utf-8")))
    print("{")
    print(f'"source": "comfyui-workflow-templates {sys.argv[2]}, {path.name}",')
    quality, fast = template.graph(bypassed=True), template.graph(bypassed=False)
    if has_lora(quality) and not has_lora(fast):
        quality, fast = fast, quality
    print(f'"quality": {written(quality)},')
    print(f'"fast": {written(fast)}')
    print("}")
    return 0


def has_lora(nodes: dict[str, Any]) -> bool:
    """Whether the graph loads a LoRA, as the fast one of a pair does."""
    return any(node["class_type"] == "LoraLoaderModelOnly" for node in nodes.values())


def written(nodes: dict[str, Any]) -> str:
    """The nodes as JSON, one per line."""
    return "{\n" + ",\n".join(f'  "{key}": {json.dumps(value)}' for key, value in nodes.items()) + "\n}"


class Template:
    """A template file. Nodes of a subgraph get the id "<subgraph node>:<node>"."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.sources: dict[tuple[str, str], tuple[str, int]] = {}  # (node, input) -> (node, output)
        self.given: dict[tuple[str, str], Any] = {}  # (node, input) -> value set at the subgraph's node
        self.leads: dict[tuple[str, int], tuple[str, int]] = {}  # subgraph's output -> inner output
        subgraphs = {one["id"]: one for one in data.get("definitions", {}).get("subgraphs", [])}
        self._add(data, "", [[link[0], link[1], link[2], link[3], link[4]] for link in data["links"]])
        for node in data["nodes"]:
            if node["type"] in subgraphs:
                self._unfold(str(node["id"]), node, subgraphs[node["type"]])

    def _add(self, data: dict[str, Any], prefix: str, links: list[list[int]]) -> None:
        for node in data["nodes"]:
            if "Note" not in node["type"]:
                self.nodes[f"{prefix}{node['id']}"] = node
        by_id = {link[0]: link for link in links}
        for node in data["nodes"]:
            for entry in node.get("inputs", []):
                link = by_id.get(entry.get("link"))
                if link is not None and link[1] != OUTSIDE_IN:
                    self.sources[f"{prefix}{node['id']}", entry["name"]] = (f"{prefix}{link[1]}", link[2])

    def _unfold(self, outer: str, instance: dict[str, Any], subgraph: dict[str, Any]) -> None:
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        links = [[link[key] for key in keys] for link in subgraph["links"]]
        self._add(subgraph, f"{outer}:", links)
        values = iter(instance.get("widgets_values") or [])
        promoted = {e["name"]: next(values, None) for e in subgraph["inputs"] if e["type"] in VALUE_TYPES}
        inner = {node["id"]: node for node in subgraph["nodes"]}
        for _, origin, slot, target, target_slot in links:
            if origin == OUTSIDE_IN and target != OUTSIDE_OUT:
                name = subgraph["inputs"][slot]["name"]
                place = (f"{outer}:{target}", inner[target]["inputs"][target_slot]["name"])
                if (outer, name) in self.sources:
                    self.sources[place] = self.sources[outer, name]
                elif promoted.get(name) is not None and name != "text":  # the prompt is not a setting
                    self.given[place] = promoted[name]
            elif target == OUTSIDE_OUT:
                self.leads[outer, target_slot] = (f"{outer}:{origin}", slot)

    @property
    def switched(self) -> bool:
        """Whether one workflow has both settings."""
        return any(node["type"] == "ComfySwitchNode" for node in self.nodes.values())

    def graph(self, bypassed: bool) -> dict[str, Any]:
        """What the largest SaveVideo of the bypassed or of the active workflow is made of."""
        ends = [
            key
            for key, node in self.nodes.items()
            if node["type"] == "SaveVideo" and (self.switched or (node["mode"] == BYPASSED) == bypassed)
        ]
        return max((self._above(end, bypassed) for end in ends), key=len)

    def _above(self, end: str, bypassed: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        waiting = [end]
        while waiting:
            key = waiting.pop()
            if key in found:
                continue
            found[key] = {"class_type": self.nodes[key]["type"], "inputs": self._inputs(key, bypassed)}
            waiting += [value[0] for value in found[key]["inputs"].values() if isinstance(value, list)]
        order = {key: place for place, key in enumerate(self.nodes)}
        numbers = {key: tuple(int(part) for part in key.split(":")) for key in order}
        return {key: found[key] for key in sorted(found, key=lambda key: numbers[key])}

    def _inputs(self, key: str, bypassed: bool) -> dict[str, Any]:
        """Links by name; values in the order of the class's inputs."""
        node = self.nodes[key]
        values = iter(node.get("widgets_values") or [])
        result: dict[str, Any] = {}
        known = CLASSES.get(node["type"])
        for name, entry in known.inputs.items() if known else ():
            if entry.type in VALUE_TYPES:
                value = next(values, None)
                if value is not None:
                    result[name] = value
                if name == "text":
                    result[name] = ""  # the template's prompt is not a setting
                if name in ("noise_seed", "seed"):
                    next(values)  # the page's own "randomize" widget
        for entry in node.get("inputs", []):
            place = (key, entry["name"])
            if place in self.given:
                result[entry["name"]] = self.given[place]
            if place in self.sources:
                source = self._resolved(self.sources[place], bypassed)
                if source is not None:
                    result[entry["name"]] = source
        return result

    def _resolved(self, source: tuple[str, int], bypassed: bool) -> Any:
        """The [node, output] behind subgraphs and bypassed nodes, or a constant."""
        while True:
            key, output = source
            node = self.nodes[key]
            if node["mode"] == BYPASSED and not bypassed:
                kind = node["outputs"][output]["type"]
                passing = [e["name"] for e in node["inputs"] if e["type"] == kind]
                wired = [self.sources[key, name] for name in passing if (key, name) in self.sources]
                if not wired:
                    return None
                source = wired[0]
            elif source in self.leads:
                source = self.leads[source]
            elif node["type"] == "ComfySwitchNode":
                source = self.sources[key, "on_false" if bypassed else "on_true"]
            elif node["type"] == "ComfyMathExpression":
                names = {name: self.sources.get((key, f"values.{name}")) for name in "abc"}
                values = {name: self._resolved(one, bypassed) for name, one in names.items() if one}
                return eval(node["widgets_values"][0].strip(), {"floor": math.floor}, values)
            elif node["type"] in ("PrimitiveInt", "PrimitiveFloat"):
                return self.given.get((key, "value"), node["widgets_values"][0])
            else:
                return [key, output]


if __name__ == "__main__":
    raise SystemExit(main())

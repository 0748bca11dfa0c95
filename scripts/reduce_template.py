#!/usr/bin/env python3
"""Reduces an official ComfyUI template to classes, wiring and settings, for tests/data/template_*.json.

    pip download --no-deps comfyui-workflow-templates==0.1.95 && unzip the wheel
    python scripts/reduce_template.py templates/video_wan2_2_14B_i2v.json > template_i2v.json

A template holds several workflows side by side, of which the bypassed one (node mode 4) is the quality
one. Each becomes a graph in ComfyUI's API format; notes, positions and titles are dropped.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from workflows.node_contract import recorded  # noqa: E402
from workflows.object_info import VALUE_TYPES  # noqa: E402

BYPASSED = 4


def main() -> int:
    path = Path(sys.argv[1])
    template = json.loads(path.read_text(encoding="utf-8"))
    print("{")
    print(f'"source": "comfyui-workflow-templates 0.1.95, {path.name}",')
    print(f'"quality": {written(graph(template, bypassed=True))},')
    print(f'"fast": {written(graph(template, bypassed=False))}')
    print("}")
    return 0


def written(nodes: dict[str, Any]) -> str:
    """One node a line."""
    return "{\n" + ",\n".join(f'  "{key}": {json.dumps(value)}' for key, value in nodes.items()) + "\n}"


def graph(template: dict[str, Any], bypassed: bool) -> dict[str, Any]:
    """The bypassed or the active workflow."""
    links = {link[0]: [str(link[1]), link[2]] for link in template["links"]}
    return {
        str(node["id"]): {"class_type": node["type"], "inputs": inputs(node, links)}
        for node in sorted(template["nodes"], key=lambda node: int(node["id"]))
        if "Note" not in node["type"] and (node["mode"] == BYPASSED) == bypassed
    }


def inputs(node: dict[str, Any], links: dict[int, list[Any]]) -> dict[str, Any]:
    """Links by name; values in the order of the class's inputs."""
    known = recorded().nodes[node["type"]].inputs
    values = iter(node.get("widgets_values") or [])
    result: dict[str, Any] = {}
    for name, entry in known.items():
        if entry.type in VALUE_TYPES:
            result[name] = next(values)
            if name == "text":
                result[name] = ""  # the template's own words are no setting
            if name in ("noise_seed", "seed"):
                next(values)  # the page's own "randomize" widget
    for entry in node.get("inputs", []):
        if entry.get("link") is not None:
            result[entry["name"]] = links[entry["link"]]
    return result


if __name__ == "__main__":
    raise SystemExit(main())

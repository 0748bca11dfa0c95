"""The graphs for finished frames in tests/data/finishing, and what a ComfyUI 0.33 makes of them."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.support.paths import DATA

Graph = dict[str, Any]
CASES: tuple[tuple[str, int, tuple[int, int], int], ...] = (
    ("interp_film", 47, (96, 64), 32),
    ("interp_rife", 47, (96, 64), 32),
    ("interp_rife_odd", 47, (90, 58), 32),
    ("interp_rife_x4", 93, (96, 64), 64),
    ("upscale_x2", 24, (192, 128), 16),
    ("upscale_x4_half", 24, (192, 128), 16),
)
"""(graph, frames, size, frames a second) from a clip of 24 frames of 96 x 64 at 16."""
TOO_SMALL = "interp_film_48px"
"""The graph that fails: FILM needs 64 pixels a side."""
FAILURE = "Given input size: (3x1x1). Calculated output size: (3x0x0). Output size is too small"
CONTRACT: dict[str, Any] = json.loads((DATA / "object_info_0_33_finishing.json").read_text(encoding="utf-8"))
"""Node class -> its contract, without texts and lists of files."""
TEXTS = {"tooltip", "display_name", "description", "category", "search_aliases"}


def graph(name: str) -> Graph:
    """A copy of a graph."""
    found: Graph = json.loads((DATA / "finishing" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def recoloured(**inputs: Any) -> Graph:
    """A graph that gives a clip its own colours."""
    found = graph("interp_rife")
    usual = {"image_target": ["2", 0], "image_ref": ["2", 0], "method": "reinhard_lab", "strength": 1.0}
    found["4"] = {"class_type": "ColorTransfer", "inputs": {**usual, **inputs}}
    return found


def plain(described: Graph) -> Graph:
    """A node class as a server describes it, as CONTRACT has it."""
    found = _without_texts(copy.deepcopy(described))
    kept: Graph = {key: found[key] for key in CONTRACT["ColorTransfer"] if key in found}
    for name, spec in kept["input"]["required"].items():
        if name == "model_name":
            spec[1]["options"] = []
    return kept


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_texts(one) for key, one in value.items() if key not in TEXTS}
    return [_without_texts(one) for one in value] if isinstance(value, list) else value

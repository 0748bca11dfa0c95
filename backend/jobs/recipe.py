"""A recipe: what a video or picture was made with, as it stands in the file itself.

    {"version": 1, "made_by": "Wan Studio", "settings": {...}, "media": {"image": {"sha256": "...", ...}},
     "result": {...}, "resolved": {...}, "models": [{"name": "...", "role": "...", "sha256": "..."}],
     "loras": [...], "engine": "...", "comfyui": "...", "graphs": [...]}

`settings` is the form of workflows/modes/settings_json.py. A recipe goes wherever its file goes: it has no
path, owner, key, address or name of an upload. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from backend.errors import BadInput
from backend.jobs.stored_settings import stored_settings
from workflows.modes.registry import media_fields

VERSION = 1
MADE_BY = "Wan Studio"
GRAPHS_MAX = 64
"""Graphs that are read; a job has up to 16, nine variations of a clip 9."""
NODES_MAX = 5_000
"""Nodes of a graph that is read."""
ENTRIES_MAX = 60
"""Models, LoRAs, or missing nodes that are read."""
NAME_MAX = 400
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEASURES = ("width", "height", "frames", "fps", "seconds")

Graph = Mapping[str, Any]
Origin = Literal["wan_studio", "settings", "comfyui", "parameters"]
"""What was read: a recipe, settings alone (such as a preset), a graph of ComfyUI, or the text of a WebUI of
Stable Diffusion."""
Lack = Literal[
    "model", "lora", "node", "file", "setting",
    "other_model", "other_lora", "unread_model", "unread_lora",
    "renamed_model", "renamed_lora", "unused_model",
]  # fmt: skip
"""What of a recipe is not here; `other_`: a file of that name with other content is; `unread_`: a file that
may be it is being hashed. Or what is here: `renamed_`: used under another name; `unused_`: not used for its
role."""
HERE: frozenset[Lack] = frozenset({"renamed_model", "renamed_lora", "unused_model"})
"""Those that name a file which is here."""


@dataclass(frozen=True)
class RecipeFile:
    """A file that the result was made from. `sha256`: of the file as it was uploaded, "" where unknown."""

    kind: str
    sha256: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"kind": self.kind, "sha256": self.sha256, **self.measures}


@dataclass(frozen=True)
class RecipeModel:
    """A model file. `sha256`: of the file that was used, "" where it is not known; `bytes`: its size, 0 where
    it is not known; `published`: the file was not read, the hash is that of the published file of its name.
    """

    name: str
    role: str = ""
    sha256: str = ""
    bytes: int = 0
    published: bool = False

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class RecipeLora:
    """A LoRA of the creator's own, by the name that was asked for. `partner`: of a pair the file of the other
    expert."""

    name: str
    sha256: str = ""
    bytes: int = 0
    partner: RecipeModel | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is written, without strengths."""
        given = {"name": self.name, "sha256": self.sha256, "bytes": self.bytes}
        partner = {"partner": self.partner.to_json()} if self.partner is not None else {}
        return {name: value for name, value in given.items() if value} | partner


@dataclass(frozen=True)
class Recipe:
    """`values`: interface names and values, those of variations included; `left_out`: names of settings that
    this version cannot use; `result`: size, frames, rate and steps of what was made."""

    mode: str
    values: dict[str, Any]
    media: Mapping[str, RecipeFile] = field(default_factory=dict)
    graphs: tuple[Graph, ...] = ()
    origin: Origin = "wan_studio"
    left_out: tuple[str, ...] = ()
    models: tuple[RecipeModel, ...] = ()
    loras: tuple[RecipeLora, ...] = ()
    result: Mapping[str, float] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)
    engine: str = ""
    comfyui: str = ""

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes of all graphs."""
        return frozenset(node["class_type"] for graph in self.graphs for node in graph.values())

    def record(self) -> dict[str, Any]:
        """The fields of the API's answer that need no look at this machine."""
        graphs = [dict(graph) for graph in self.graphs]
        return {
            "mode": self.mode,
            "values": dict(self.values),
            "media": {name: file.to_json() for name, file in self.media.items()},
            "graph": graphs[0] if len(graphs) == 1 else graphs or None,
            "origin": self.origin,
            "result": dict(self.result),
            "models": [model.to_json() for model in self.models],
            "loras": [lora.to_json() for lora in self.loras],
            "engine": self.engine,
            "comfyui": self.comfyui,
        }


@dataclass(frozen=True)
class Lacking:
    """Something of a recipe that is not here: the name of a model, LoRA, node or setting, or a file by its
    parameter. `field`: the parameter that it concerns, "" for none; `here`: the name that it has here;
    `used`: what is used in its place."""

    kind: Lack
    name: str
    field: str = ""
    here: str = ""
    used: str = ""


def from_json(data: object) -> Recipe:
    """A recipe that this program wrote. What is not of the right form is left out. Raises BadInput for one
    without usable settings and for one of a later version."""
    if not isinstance(data, Mapping):
        raise BadInput.of("recipe_malformed")
    version = data.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BadInput.of("recipe_malformed")
    if version > VERSION:
        raise BadInput.of("settings_later")
    named = data.get("media")
    media: Mapping[Any, Any] = named if isinstance(named, Mapping) else {}
    settings = stored_settings(data.get("settings"), [str(name) for name in media])
    known = media_fields(settings.mode)
    resolved = data.get("resolved")
    return Recipe(
        settings.mode,
        settings.values,
        {name: _file(known[name].kind, one) for name, one in media.items() if name in known},
        graphs_in(data.get("graphs")),
        "wan_studio",
        settings.left_out,
        tuple(_model(one) for one in _entries(data.get("models"))),
        tuple(_lora(one) for one in _entries(data.get("loras"))),
        _measured(data.get("result"), (*_MEASURES, "steps")),
        resolved if isinstance(resolved, dict) else {},
        _text(data.get("engine"))[:40],
        _text(data.get("comfyui"))[:40],
    )


def graphs_in(value: object) -> tuple[Graph, ...]:
    """The graphs in API format of a graph or of a list of them; anything else is left out."""
    given = value if isinstance(value, list) else [value]
    return tuple(graph for one in given[:GRAPHS_MAX] if (graph := graph_in(one)) is not None)


def lines_of(names: Iterable[str]) -> tuple[str, ...]:
    """Names that a file gives, each on one line, as many as are read."""
    clean = (_text(name) for name in names)
    return tuple(islice(filter(None, clean), ENTRIES_MAX))


def graph_in(value: object) -> Graph | None:
    """A graph in API format; None for anything else."""
    if not isinstance(value, dict) or not value or len(value) > NODES_MAX:
        return None
    nodes = {key: node for key, node in value.items() if isinstance(node, dict)}
    usable = {
        key: node
        for key, node in nodes.items()
        if isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
    }
    return usable or None


def _file(kind: str, value: object) -> RecipeFile:
    given = value if isinstance(value, Mapping) else {}
    return RecipeFile(kind, _digest(given)[0], _measured(given, _MEASURES))


def _model(value: Mapping[Any, Any]) -> RecipeModel:
    digest, size = _digest(value)
    published = bool(digest) and value.get("published") is True
    return RecipeModel(_text(value["name"]), _text(value.get("role")), digest, size, published)


def _lora(value: Mapping[Any, Any]) -> RecipeLora:
    digest, size = _digest(value)
    partner = next((_model(one) for one in _entries([value.get("partner")])), None)
    return RecipeLora(_text(value["name"]), digest, size, partner)


def _digest(value: Mapping[Any, Any]) -> tuple[str, int]:
    """sha256 and bytes."""
    digest, size = _text(value.get("sha256")), value.get("bytes")
    known = type(size) is int and 0 < size < 1 << 53
    return digest if _DIGEST.fullmatch(digest) else "", int(size or 0) if known else 0


def _entries(value: object) -> Sequence[Mapping[Any, Any]]:
    """The objects of a list that have a name."""
    given = value[:ENTRIES_MAX] if isinstance(value, list) else []
    return [one for one in given if isinstance(one, Mapping) and _text(one.get("name"))]


def _measured(value: object, names: Sequence[str]) -> dict[str, float]:
    given = value if isinstance(value, Mapping) else {}
    return {name: given[name] for name in names if _is_number(given.get(name))}


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e9 and math.isfinite(value)


def _text(value: object) -> str:
    """A text on one line, bounded; anything else is empty."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:NAME_MAX] if c.isprintable())

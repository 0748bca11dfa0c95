"""What the node classes of a server take and give, read from its /object_info.

Custom nodes describe themselves, and some do it wrongly. Each node class is read separately: one that cannot
be read is left out and listed with the reason, and the others are as usable as without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

FILE_INPUTS: Mapping[tuple[str, str], str] = {
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("LoraLoaderModelOnly", "lora_name"): "loras",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("VAELoader", "vae_name"): "vae",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("AudioEncoderLoader", "audio_encoder_name"): "audio_encoders",
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("UnetLoaderGGUF", "unet_name"): "diffusion_models",
    ("CLIPLoaderGGUF", "clip_name"): "text_encoders",
}
"""Inputs whose options are the model files of one server -> their folder in the model store."""

VALUE_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Types whose inputs hold a value; every other input is a link."""
_UPLOAD_FLAGS = ("image_upload", "audio_upload", "video_upload")
MAX_BITS = 1023  # of an integer; ComfyUI's own go up to 64, and a float has room for no more


@dataclass(frozen=True)
class Input:
    """One input of a node. `options` None: any value may be right, only the running server knows."""

    type: str  # INT, FLOAT, STRING, BOOLEAN, COMBO, or the type of a link; "*" for any
    required: bool = True
    options: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None
    step: int = 0  # INT only, counted from `low`; 0 or 1 for every number
    folder: str = ""  # of the model store, for model files
    upload: bool = False  # a file of the server's input folder
    nested: Mapping[str, Mapping[str, Input]] = field(default_factory=dict)  # option -> inputs it brings


@dataclass(frozen=True)
class Node:
    """One node class."""

    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]
    output_node: bool = False


@dataclass(frozen=True)
class Contract:
    """The node classes of one server. `skipped`: classes whose description cannot be read -> the reason."""

    nodes: Mapping[str, Node]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def offline(self) -> Contract:
        """The same without that server's model files: they are then checked against the catalog."""
        return replace(
            self,
            nodes={
                name: replace(
                    node,
                    inputs={
                        key: replace(entry, options=None) if entry.folder else entry
                        for key, entry in node.inputs.items()
                    },
                )
                for name, node in self.nodes.items()
            },
        )


class Malformed(ValueError):
    """A part of a node's description has another type or value than ComfyUI's format allows."""


def from_object_info(info: object) -> Contract:
    """The contract of a server from its /object_info. Never raises.

    Understands combos as [[...], {}], ["COMBO", {"options": [...]}] and ["COMFY_DYNAMICCOMBO_V3", ...].
    """
    nodes: dict[str, Node] = {}
    skipped: dict[str, str] = {}
    for name, data in info.items() if isinstance(info, Mapping) else ():
        if not isinstance(name, str):
            continue
        try:
            nodes[name] = _node(name, data)
        except Malformed as error:
            skipped[name] = str(error)
        except RecursionError:
            skipped[name] = "its inputs are nested too deeply"
    return Contract(nodes, skipped)


def _node(class_type: str, data: object) -> Node:
    fields = _mapping(data, "the description")
    inputs = _inputs(class_type, _mapping(fields.get("input"), "input", none=True))
    outputs = fields.get("output")
    if outputs is not None and not isinstance(outputs, list):
        raise Malformed(f"output is {_shown(outputs)}, not a list")
    return Node(inputs, tuple(_link_type(each) for each in outputs or ()), bool(fields.get("output_node")))


def _inputs(class_type: str, groups: Mapping[str, Any]) -> dict[str, Input]:
    return {
        name: _input(class_type, name, spec, group == "required")
        for group in ("required", "optional")
        for name, spec in _mapping(groups.get(group), f"input.{group}", none=True).items()
    }


def _input(class_type: str, name: object, spec: object, required: bool) -> Input:
    if not isinstance(name, str):
        raise Malformed(f"the name of an input is {_shown(name)}, not text")
    if not isinstance(spec, Sequence) or isinstance(spec, str) or not spec:
        raise Malformed(f"input {name} is {_shown(spec)}, not a list that begins with its type")
    kind = spec[0]
    extra = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    upload = any(extra.get(flag) for flag in _UPLOAD_FLAGS)
    folder = FILE_INPUTS.get((class_type, name), "")
    if isinstance(kind, list) or kind == "COMBO":
        options = kind if isinstance(kind, list) else extra.get("options")
        if upload or options is None:
            return Input("COMBO", required, None, folder=folder, upload=upload)
        return Input("COMBO", required, _options(options, name), folder=folder)
    if kind == "COMFY_DYNAMICCOMBO_V3":
        return _dynamic(class_type, name, extra, required)
    if kind in ("INT", "FLOAT"):
        low, high = (_limit(extra, key, name) for key in ("min", "max"))
        return Input(kind, required, None, low, high, _step(extra, name) if kind == "INT" else 0)
    return Input(_link_type(kind), required)


def _dynamic(class_type: str, name: str, extra: Mapping[str, Any], required: bool) -> Input:
    """A combo whose options each bring inputs of their own."""
    nested: dict[str, dict[str, Input]] = {}
    options = extra.get("options", ())
    if not isinstance(options, Sequence) or isinstance(options, str):
        raise Malformed(f"the options of {name} are {_shown(options)}, not a list")
    for option in options:
        fields = _mapping(option, f"an option of {name}")
        key = fields.get("key")
        if not isinstance(key, str):
            raise Malformed(f"the key of an option of {name} is {_shown(key)}, not text")
        nested[key] = _inputs(class_type, _mapping(fields.get("inputs"), f"{name}.{key}", none=True))
    return Input("COMBO", required, tuple(nested), nested=nested)


def _mapping(value: object, what: str, *, none: bool = False) -> Mapping[str, Any]:
    """`none`: null and every other empty value count as absent."""
    if isinstance(value, Mapping):
        return value
    if none and (value is None or value == []):
        return {}
    raise Malformed(f"{what} is {_shown(value)}, not an object")


def _options(options: object, name: str) -> tuple[Any, ...]:
    if not isinstance(options, Sequence) or isinstance(options, str):
        raise Malformed(f"the options of {name} are {_shown(options)}, not a list")
    for option in options:
        if isinstance(option, int) and not isinstance(option, bool):
            _number(option, f"an option of {name}")
        elif not isinstance(option, (str, float, bool, type(None))):
            raise Malformed(f"an option of {name} is {_shown(option)}")
    return tuple(options)


def _limit(extra: Mapping[str, Any], key: str, name: str) -> float | None:
    """`min` or `max`; None when it is absent or infinite, which limits nothing."""
    if key not in extra:
        return None
    limit = _number(extra[key], f"{key} of {name}")
    return limit if math.isfinite(limit) else None


def _step(extra: Mapping[str, Any], name: str) -> int:
    step = _number(extra.get("step", 0), f"step of {name}")
    if not math.isfinite(step) or step < 0:
        raise Malformed(f"step of {name} is not a usable number")
    return int(step)


def _number(value: object, what: str) -> float:
    """An int or float that can be compared and shown. Integers stay integers: a seed has 64 bits."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Malformed(f"{what} is {_shown(value)}, not a number")
    if value != value or (isinstance(value, int) and value.bit_length() > MAX_BITS):
        raise Malformed(f"{what} is not a usable number")
    return value


def _link_type(kind: object) -> str:
    if isinstance(kind, list):
        return "COMBO"
    if not isinstance(kind, str):
        raise Malformed(f"a type is {_shown(kind)}, not text")
    return "*" if kind.startswith("COMFY_") else kind


def _shown(value: object) -> str:
    """A value for the log: its type and size, not its content."""
    if value is None:
        return "null"
    kinds = {"dict": "an object", "list": "a list", "str": "text", "bool": "true or false"}
    return kinds.get(type(value).__name__, "a number")

"""What the node classes of a server take and give, read from its /object_info."""

from __future__ import annotations

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
}
"""Inputs whose options are the model files of one server -> their folder in the model store."""

VALUE_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
"""Types whose inputs hold a value; every other input is a link."""
_UPLOAD_FLAGS = ("image_upload", "audio_upload", "video_upload")


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
    """The node classes of one server."""

    nodes: Mapping[str, Node]

    def offline(self) -> Contract:
        """The same without that server's model files: they are then checked against the catalog."""
        return Contract(
            {
                name: replace(
                    node,
                    inputs={
                        key: replace(entry, options=None) if entry.folder else entry
                        for key, entry in node.inputs.items()
                    },
                )
                for name, node in self.nodes.items()
            }
        )


def from_object_info(info: Mapping[str, Any]) -> Contract:
    """The contract of a server from its /object_info.

    Understands combos as [[...], {}], ["COMBO", {"options": [...]}] and ["COMFY_DYNAMICCOMBO_V3", ...].
    """
    return Contract({name: _node(name, data) for name, data in info.items() if isinstance(data, dict)})


def _node(class_type: str, data: Mapping[str, Any]) -> Node:
    groups = data.get("input") or {}
    inputs = {
        name: _input(class_type, name, spec, group == "required")
        for group in ("required", "optional")
        for name, spec in (groups.get(group) or {}).items()
    }
    outputs = data.get("output") or ()
    return Node(inputs, tuple(_link_type(each) for each in outputs), bool(data.get("output_node")))


def _input(class_type: str, name: str, spec: Sequence[Any], required: bool) -> Input:
    kind = spec[0]
    extra = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    upload = any(extra.get(flag) for flag in _UPLOAD_FLAGS)
    folder = FILE_INPUTS.get((class_type, name), "")
    if isinstance(kind, list) or kind == "COMBO":
        options = kind if isinstance(kind, list) else extra.get("options")
        if upload or options is None:
            return Input("COMBO", required, None, folder=folder, upload=upload)
        return Input("COMBO", required, tuple(options), folder=folder)
    if kind == "COMFY_DYNAMICCOMBO_V3":
        return _dynamic(class_type, extra, required)
    if kind == "INT":
        return Input("INT", required, None, extra.get("min"), extra.get("max"), int(extra.get("step", 0)))
    if kind == "FLOAT":
        return Input("FLOAT", required, None, extra.get("min"), extra.get("max"))
    return Input(_link_type(kind), required)


def _dynamic(class_type: str, extra: Mapping[str, Any], required: bool) -> Input:
    """A combo whose options each bring inputs of their own."""
    nested: dict[str, dict[str, Input]] = {}
    for option in extra.get("options", ()):
        groups = option.get("inputs") or {}
        nested[option["key"]] = {
            name: _input(class_type, name, spec, group == "required")
            for group in ("required", "optional")
            for name, spec in (groups.get(group) or {}).items()
        }
    return Input("COMBO", required, tuple(nested), nested=nested)


def _link_type(kind: Any) -> str:
    if isinstance(kind, list):
        return "COMBO"
    return "*" if str(kind).startswith("COMFY_") else str(kind)

"""The node classes of the demo engine (recorded from ComfyUI 0.3.64, those for finding pose and person, for
Animate 2 and for finished frames from 0.33) and the model files that it lists.

Input files are listed from the input folder at each request, as ComfyUI does.
"""

from __future__ import annotations

import copy
import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.engines.demo.folders import Folders, fingerprint

FOLDER = Path(__file__).parent

# (class, input) -> model folder whose files are the options
MODEL_INPUTS: dict[tuple[str, str], str] = {
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("VAELoader", "vae_name"): "vae",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("AudioEncoderLoader", "audio_encoder_name"): "audio_encoders",
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("LoraLoaderModelOnly", "lora_name"): "loras",
    ("FrameInterpolationModelLoader", "model_name"): "frame_interpolation",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
}

# (class, input) -> word for the file in ComfyUI's error message, and the MIME types listed (empty: all)
FILE_INPUTS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("LoadImage", "image"): ("image", ("image",)),
    ("LoadImageMask", "image"): ("image", ()),
    ("LoadAudio", "audio"): ("audio", ("audio", "video")),
    ("LoadVideo", "file"): ("video", ("video",)),
}

DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
"""The type of a choice whose values bring inputs of their own, named "choice.input"."""


@dataclass(frozen=True)
class InputSpec:
    """One input of a node. `type`: a list of options in the old format, else a type name such as INT."""

    type: Any
    required: bool
    extra: Mapping[str, Any]


class NodeInfo:
    """The available node classes, model files and input files.

    file_folders: the server's folders. without: model file names to leave out, for tests.
    """

    def __init__(self, file_folders: Folders, without: Iterable[str] = ()) -> None:
        self.file_folders = file_folders
        self._nodes: dict[str, Any] = json.loads((FOLDER / "object_info.json").read_text("utf-8"))
        folders: dict[str, list[str]] = json.loads((FOLDER / "models.json").read_text("utf-8"))
        gone = set(without)
        self.model_files = {name: [f for f in files if f not in gone] for name, files in folders.items()}
        for (class_type, name), folder in MODEL_INPUTS.items():
            options = list(self.model_files[folder])
            if folder == "vae":
                options.append("pixel_space")  # built into ComfyUI
            self._set_options(self._nodes[class_type], name, options)

    @staticmethod
    def _set_options(node: dict[str, Any], name: str, options: list[str]) -> None:
        spec = node["input"]["required"][name]
        if isinstance(spec[0], list):
            spec[0] = options
        else:
            spec[1]["options"] = options

    def __contains__(self, class_type: str) -> bool:
        return class_type in self._nodes

    def is_output(self, class_type: str) -> bool:
        """Whether a node class is an output node."""
        return bool(self._nodes[class_type]["output_node"])

    def outputs(self, class_type: str) -> list[str]:
        """The output types of a node class."""
        found: list[str] = self._nodes[class_type]["output"]
        return found

    def inputs(self, class_type: str, given: Mapping[str, Any] = {}) -> Iterator[tuple[str, InputSpec]]:
        """Names and specifications of a node class's inputs, required ones first.

        given: the node's values. As in ComfyUI, a dynamic choice is an input only while its value is one of
        the options; those of the option follow it.
        """
        for group in ("required", "optional"):
            yield from _inputs(self._nodes[class_type]["input"].get(group, {}), group == "required", given)

    def describe(self, class_type: str | None = None) -> dict[str, Any]:
        """The body of /object_info, or of /object_info/{class} (empty for an unknown class)."""
        names = list(self._nodes) if class_type is None else [class_type]
        found = {name: self._nodes[name] for name in names if name in self._nodes}
        touched = {name for name, _ in FILE_INPUTS if name in found}
        if touched:
            found = {k: copy.deepcopy(v) if k in touched else v for k, v in found.items()}
            for (name, key), (_, kinds) in FILE_INPUTS.items():
                if name in touched:
                    self._set_options(found[name], key, self._files(kinds))
        return found

    def _files(self, kinds: tuple[str, ...]) -> list[str]:
        files = [entry.name for entry in self.file_folders.input.iterdir() if entry.is_file()]
        if kinds:
            files = [name for name in files if (mimetypes.guess_type(name)[0] or "").split("/")[0] in kinds]
        return sorted(files)

    def fingerprint(self, class_type: str, inputs: Mapping[str, Any]) -> str:
        """SHA-256 of the file that a loader node reads; empty for other nodes."""
        for (owner, name), _ in FILE_INPUTS.items():
            if (
                owner == class_type
                and isinstance(inputs.get(name), str)
                and self.file_folders.has(inputs[name])
            ):
                return fingerprint(self.file_folders.locate(inputs[name]))
        return ""

    def find_model(self, folder: str, name: str) -> str:
        """Returns the name if the file is available. Raises FileNotFoundError with ComfyUI's message."""
        if name not in self.model_files[folder]:
            raise FileNotFoundError(f"Model in folder '{folder}' with filename '{name}' not found.")
        return name


def _inputs(
    specs: Mapping[str, Any], required: bool, given: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, InputSpec]]:
    for short, spec in specs.items():
        name, extra = prefix + short, spec[1] if len(spec) > 1 else {}
        option: Mapping[str, Any] = {}
        if spec[0] == DYNAMIC:
            chosen = [one for one in extra["options"] if one["key"] == given.get(name)]
            if not chosen:
                continue
            option = chosen[0]["inputs"]
        yield name, InputSpec(spec[0], required, extra)
        for group in ("required", "optional"):
            yield from _inputs(option.get(group, {}), group == "required", given, f"{name}.")

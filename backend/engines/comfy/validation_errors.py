"""Converts the body of a rejected POST /prompt into a StudioError with a message for the user. Pure.

Node classes go into `detail`, which is only logged. Prompt texts are dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import (
    BadEngineInput,
    EngineError,
    GraphRejected,
    MissingModel,
    MissingNode,
    StudioError,
)
from workflows.notice import Arg, Notice, made

MODEL_FOLDERS: Mapping[tuple[str, str], str] = {
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("UnetLoaderGGUF", "unet_name"): "diffusion_models",
    ("VAELoader", "vae_name"): "vae",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("LoraLoader", "lora_name"): "loras",
    ("LoraLoaderModelOnly", "lora_name"): "loras",
    ("AudioEncoderLoader", "audio_encoder_name"): "audio_encoders",
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
    ("FrameInterpolationModelLoader", "model_name"): "frame_interpolation",
    ("DownloadAndLoadSAM2Model", "model"): "sam2",
}
"""Folder below `models` whose files ComfyUI offers, by loader class and input."""

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx")

_FIELDS = {"noise_seed": "seed", "seed": "seed", "steps": "steps", "cfg": "cfg", "width": "width"}
_FIELDS |= {"height": "height", "length": "seconds", "shift": "shift"}

_FILE_KINDS = {"image": "picture", "audio": "sound", "video": "video", "file": "video"}

PRIVATE_INPUTS = frozenset({"text", "prompt", "positive", "negative", "string", "value"})
_DETAIL_MAX = 8000
_REASONS_MAX = 3


def validation_error(body: object, status: int = 400) -> StudioError:
    """The error for a rejected POST /prompt.

    `body` is the decoded JSON, or the text if it was not JSON; `status` is the HTTP status. Several problems
    become one error: missing model files first, then missing inputs, then invalid values.
    """
    if not isinstance(body, Mapping) or not ("error" in body or "node_errors" in body):
        return EngineError.of("request_unreadable", detail=f"HTTP {status}: {_short(body)}")
    nodes = body.get("node_errors")
    problems = list(_problems(nodes)) if isinstance(nodes, Mapping) else []
    error = body.get("error")
    detail = _body_detail(error, problems)
    if not problems:
        return _graph_error(error if isinstance(error, Mapping) else {"message": str(error)}, detail)

    missing = _unique([p for p in problems if p.model])
    if missing:
        return MissingModel.because(_missing_reason(missing), detail=detail)
    files = _unique([p for p in problems if p.type == "custom_validation_failed"])
    if files:
        kinds = tuple(sorted({p.file_kind for p in files}))
        unread = BadEngineInput.of("media_not_found", kinds=kinds, detail=detail)
        unread.sent = tuple(f"{p.details} {p.received}" for p in files)
        return unread
    values = [p for p in problems if p.reason is not None]
    if values:
        reasons = tuple(dict.fromkeys(p.reason for p in values if p.reason is not None))
        fields = {_FIELDS.get(p.input, "") for p in values}
        field = fields.pop() if len(fields) == 1 else ""
        code, count = "field_refused" if field else "values_refused", len(reasons) - _REASONS_MAX
        if count > 0:
            shown = reasons[:_REASONS_MAX]
            return GraphRejected.of(f"{code}_more", reasons=shown, count=count, field=field, detail=detail)
        return GraphRejected.of(code, reasons=reasons, field=field, detail=detail)
    return GraphRejected.of("other_settings", detail=detail)


class _Problem:
    """One entry of `node_errors`. `reason` is None if the problem is only logged."""

    def __init__(self, class_type: str, error: Mapping[str, Any]) -> None:
        extra = error.get("extra_info")
        self.extra: Mapping[str, Any] = extra if isinstance(extra, Mapping) else {}
        self.class_type = class_type
        self.type = str(error.get("type", ""))
        self.input = str(self.extra.get("input_name", ""))
        self.received = self.extra.get("received_value")
        self.details = str(error.get("details", ""))

    @property
    def model(self) -> str:
        """The name of the model file that the server lacks; empty for other problems."""
        if self.type != "value_not_in_list" or not isinstance(self.received, str):
            return ""
        known = (self.class_type, self.input) in MODEL_FOLDERS
        return self.received if known or self.received.lower().endswith(MODEL_SUFFIXES) else ""

    @property
    def folder(self) -> str:
        return MODEL_FOLDERS.get((self.class_type, self.input), "")

    @property
    def file_kind(self) -> str:
        return _FILE_KINDS.get(self.input, "file")

    @property
    def reason(self) -> Notice | None:
        value = "" if self.input in PRIVATE_INPUTS else _short(json.dumps(self.received, default=str), 60)
        said: dict[str, Arg] = {"input": self.input, "value": value}
        limits = self._limits()
        if self.type == "value_not_in_list":
            return made("value_not_offered", said)
        if self.type == "value_smaller_than_min" and "min" in limits:
            return made("value_too_small", {**said, "least": str(limits["min"])})
        if self.type == "value_bigger_than_max" and "max" in limits:
            return made("value_too_large", {**said, "most": str(limits["max"])})
        if self.type == "invalid_input_type" and value:
            return made("value_unusable", said)
        return None

    def _limits(self) -> Mapping[str, Any]:
        config = self.extra.get("input_config")
        if isinstance(config, Sequence) and len(config) > 1 and isinstance(config[1], Mapping):
            return config[1]
        return {}

    def log(self) -> str:
        text = "" if self.input in PRIVATE_INPUTS else f" ({_short(self.details, 200)})"
        return f"{self.class_type}.{self.input}: {self.type}{text}"


def _problems(nodes: Mapping[str, Any]) -> list[_Problem]:
    found = []
    for node in nodes.values():
        if not isinstance(node, Mapping):
            continue
        errors = node.get("errors")
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, Mapping):
                found.append(_Problem(str(node.get("class_type", "")), error))
    return found


def _unique(problems: list[_Problem]) -> list[_Problem]:
    """The problems sorted by file name, each file of a folder once."""
    seen = {(p.folder, str(p.received), p.details if not p.model else ""): p for p in problems}
    return [seen[key] for key in sorted(seen)]


def _missing_reason(problems: list[_Problem]) -> Notice:
    if len(problems) > 1:
        names = tuple(f"{p.model} ({p.folder})" if p.folder else p.model for p in problems)
        return made("models_missing", {"count": len(problems), "listed": names})
    only = problems[0]
    if only.folder:
        return made("model_missing_in", {"file": only.model, "folder": only.folder})
    return made("model_missing", {"file": only.model})


def _graph_error(error: Mapping[str, Any], detail: str) -> StudioError:
    """The error for a rejection that names no input: an unknown node class, a graph without outputs."""
    text = str(error.get("message", "")).lower()
    kind = str(error.get("type", ""))
    if kind == "missing_node_type" or ("does not exist" in text and "node" in text):
        return MissingNode.of("node_missing", detail=detail)
    if kind in ("prompt_no_outputs", "no_prompt"):
        return GraphRejected.of("nothing_to_make", detail=detail)
    return GraphRejected.of("workflow_not_accepted", detail=detail)


def _body_detail(error: object, problems: list[_Problem]) -> str:
    lines = []
    if isinstance(error, Mapping):
        lines.append(
            f"{error.get('type', '')}: {error.get('message', '')} {error.get('details', '')}".strip()
        )
    elif error:
        lines.append(str(error))
    return "\n".join([*lines, *(p.log() for p in problems)])[:_DETAIL_MAX]


def _short(value: object, limit: int = 500) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."

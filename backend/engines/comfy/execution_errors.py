"""Converts the data of a ComfyUI `execution_error` (from a frame or the history) into a StudioError. Pure.

Node classes, tracebacks and paths go into `detail`, which is only logged. Prompt texts are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backend.engines.comfy.validation_errors import MODEL_SUFFIXES
from backend.errors import (
    BadEngineInput,
    BadModelFile,
    DiskFull,
    EngineError,
    MissingModel,
    OutOfMemory,
    StudioError,
)

_DETAIL_MAX = 8000

_STAGE_WORDS = {
    "load": "while it loaded the models",
    "read": "while it read what you gave it",
    "draw": "while it drew the frames",
    "finish": "while it turned the drawing into frames",
    "save": "while it saved the video",
}

_OOM_TYPES = ("OutOfMemoryError", "MemoryError")
_OOM = re.compile(
    r"out of memory|allocation on device|can(?:'|no)t allocate memory|alloc_cpu|"
    r"(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED|not enough (?:gpu |video )?memory|unable to allocate",
    re.IGNORECASE,
)
_OOM_RAM = re.compile(
    r"DefaultCPUAllocator|alloc_cpu|cannot allocate memory|unable to allocate", re.IGNORECASE
)
_MODEL_NOT_FOUND = re.compile(r"Model in folder '([^']+)' with filename '([^']+)' not found")
_BAD_MODEL = re.compile(
    r"Error while deserializing header|MetadataIncompleteBuffer|HeaderToo(?:Large|Small)|InvalidHeader|"
    r"PytorchStreamReader|invalid load key|Could not detect model type|"
    r"Error\(s\) in loading state_dict|file in archive is not in a subdirectory",
    re.IGNORECASE,
)
_BAD_MEDIA_TYPES = ("UnidentifiedImageError", "InvalidDataError", "DecompressionBombError")
_BAD_MEDIA = re.compile(
    r"cannot identify image file|image file is truncated|truncated file read|broken data stream|"
    r"unrecognized data stream|Invalid data found when processing input|no audio stream found|"
    r"no video stream found|moov atom not found",
    re.IGNORECASE,
)
_SHORT_SOUND = re.compile(r"Kernel size can't be greater than actual input size", re.IGNORECASE)
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_GPU_TROUBLE = re.compile(
    r"CUDA error|HIP error|cuDNN error|CUDNN_STATUS|CUBLAS_STATUS|no kernel image", re.IGNORECASE
)
_INPUT_KINDS = (("Image", "picture"), ("Audio", "sound"), ("Video", "video"))


def execution_error(data: Mapping[str, Any], stage: str = "", server_name: str = "ComfyUI") -> StudioError:
    """The error for the data of an `execution_error`.

    `stage` (one of events.STAGES) and `server_name` are for the general message.
    """
    kind = str(data.get("exception_type", ""))
    message = str(data.get("exception_message", "")).strip()
    node = str(data.get("node_type", ""))
    detail = _failure_detail(data, kind, message, node)
    name = kind.rpartition(".")[2]

    if name in _OOM_TYPES or _OOM.search(message):
        return _out_of_memory(name, message, detail)
    if _DISK_FULL.search(message):
        return DiskFull("The disk of the machine that runs ComfyUI is full.", detail=detail)
    found = _MODEL_NOT_FOUND.search(message)
    if found:
        return MissingModel(f"{found[2]} is not in {found[1]} on this ComfyUI.", detail=detail)
    if name == "FileNotFoundError" and (file := _model_in(message)):
        return MissingModel(f"{file} is not on this ComfyUI.", detail=detail)
    if name == "SafetensorError" or _BAD_MODEL.search(message):
        return _bad_model(data, message, detail)
    media = _bad_media(name, message, node, detail)
    if media is not None:
        return media
    if _GPU_TROUBLE.search(message):
        return EngineError(
            "The GPU of the ComfyUI machine reported an error.",
            "Restart ComfyUI, then try again.",
            detail=detail,
        )
    when = _STAGE_WORDS.get(stage, "while it made the video")
    return EngineError(f"{server_name} stopped with an error {when}.", detail=detail)


def _out_of_memory(name: str, message: str, detail: str) -> StudioError:
    if name == "MemoryError" or _OOM_RAM.search(message):
        return OutOfMemory("The machine that runs ComfyUI ran out of memory (RAM).", detail=detail)
    wanted = re.search(r"Tried to allocate ([\d.]+ [KMGT]iB)", message, re.IGNORECASE)
    more = f": {wanted[1]} more was needed" if wanted else ""
    return OutOfMemory(f"The GPU ran out of memory{more}.", detail=detail)


def _bad_model(data: Mapping[str, Any], message: str, detail: str) -> StudioError:
    file = _model_in(message)
    inputs = data.get("current_inputs")
    if not file and isinstance(inputs, Mapping):
        texts = [v[0] for v in inputs.values() if isinstance(v, list) and len(v) == 1]
        file = next((_model_in(v) for v in texts if isinstance(v, str) and _model_in(v)), "")
    subject = f"The model file {file}" if file else "A model file"
    return BadModelFile(f"{subject} on this ComfyUI is damaged or incomplete.", detail=detail)


def _bad_media(name: str, message: str, node: str, detail: str) -> StudioError | None:
    words = "file"
    loads = re.match(r"(?:VHS_)?Load", node) is not None
    for part, kind in _INPUT_KINDS:
        if part in node:
            words = kind
    if "no audio stream found" in message.lower():
        return BadEngineInput(
            "The file has no sound in it.", "Drop a file that has sound, or record it again.", detail=detail
        )
    if node == "AudioEncoderEncode" and _SHORT_SOUND.search(message):
        return BadEngineInput(
            "The sound is too short to work with.", "Use a sound of 0.2 s or more.", detail=detail
        )
    if name in _BAD_MEDIA_TYPES or _BAD_MEDIA.search(message):
        return BadEngineInput(f"ComfyUI could not read the {words}: it is damaged.", detail=detail)
    if loads and words != "file":
        if name == "FileNotFoundError":
            return BadEngineInput(
                f"ComfyUI does not find the {words} that was sent to it.", "Try again.", detail=detail
            )
        return BadEngineInput(f"ComfyUI could not read the {words}.", detail=detail)
    return None


def _model_in(text: str) -> str:
    """The file name, without its path, of a model that a message mentions; empty if there is none."""
    suffixes = "|".join(re.escape(suffix) for suffix in MODEL_SUFFIXES)
    found = re.search(rf"([^\s'\"/\\:]+(?:{suffixes}))(?![\w.])", text, re.IGNORECASE)
    return found[1] if found else ""


def _failure_detail(data: Mapping[str, Any], kind: str, message: str, node: str) -> str:
    trace = data.get("traceback")
    lines = "".join(str(line) for line in trace) if isinstance(trace, list) else ""
    return f"{node} {data.get('node_id', '')}: {kind}: {message}\n{lines}".rstrip()[:_DETAIL_MAX]

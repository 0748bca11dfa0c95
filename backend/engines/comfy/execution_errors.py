"""Converts the data of a ComfyUI `execution_error` (from a frame or the history) into a StudioError. Pure.

Node classes, tracebacks and paths go into `detail`, which is only logged. ComfyUI's own message, without
paths and prompt texts, goes into `cause`, which the page offers for a bug report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backend.engines.comfy.failure_causes import MODEL_FILE
from backend.engines.comfy.failure_match import Failure, find
from backend.engines.comfy.validation_errors import PRIVATE_INPUTS
from backend.engines.full_disk import folder_of
from backend.error_texts.catalog import ERROR_TEXTS
from backend.errors import BadEngineInput, EngineDiskFull, StudioError
from workflows.notice import made

_DETAIL_MAX = 8000
_CAUSE_MAX = 400
_MESSAGE_MAX = 2000  # characters that are searched
_SHORTEST_PRIVATE = 4  # characters; shorter texts occur in any message

_MEDIA = ("Image", "Audio", "Video")
_MODEL_FILE = re.compile(MODEL_FILE, re.IGNORECASE)
_FOLDERS = (
    re.compile(r"\b[A-Za-z]:\\[^'\"<>|\n]*\\"),  # of Windows; folder names may have spaces
    re.compile(r"(?<=['\"])/[^'\"\n]*/"),  # quoted
    re.compile(r"(?<![\w:/.])/(?:[^\s/'\"<>]+/)+"),
)


def execution_error(data: Mapping[str, Any], stage: str = "", server_name: str = "ComfyUI") -> StudioError:
    """The error for the data of an `execution_error`.

    `stage` (one of events.STAGES) and `server_name` are arguments of the general reason.
    """
    kind = str(data.get("exception_type", ""))
    message = str(data.get("exception_message", "")).strip()
    node = str(data.get("node_type", ""))
    cause, groups = find(Failure(kind.rpartition(".")[2], message[:_MESSAGE_MAX], node))
    file = _model_file(message[:_MESSAGE_MAX], data.get("current_inputs"))
    known = {
        "server": server_name,
        "when": stage,
        "model": file,
        "model_file": file,
        "media": next((part.lower() for part in _MEDIA if part in node), ""),
        "package": "",
        **groups,
    }
    shown = ERROR_TEXTS[cause.reason].arguments
    error = cause.error.because(
        made(cause.reason, {name: value for name, value in known.items() if name in shown}),
        detail=_failure_detail(data, kind, message, node),
        cause=_own_words(kind, message, data.get("current_inputs")),
    )
    if isinstance(error, EngineDiskFull):
        error.folder = folder_of(message[:_MESSAGE_MAX], node)
    if isinstance(error, BadEngineInput):
        error.sent = (message[:_MESSAGE_MAX], *_texts(data.get("current_inputs")))
    return error


def _model_file(message: str, inputs: object) -> str:
    """The name, without its path, of the model that a message or the node's inputs name; "" if there is
    none."""
    for text in (message, *_texts(inputs)):
        found = _MODEL_FILE.search(text[:_MESSAGE_MAX])
        if found is not None:
            return found["model_file"]
    return ""


def _texts(inputs: object, private: bool = False) -> Iterator[str]:
    """The texts among a node's inputs (each a value or a list of values), or only those that are private."""
    for name, value in inputs.items() if isinstance(inputs, Mapping) else ():
        if not private or name in PRIVATE_INPUTS:
            yield from (each for each in (value if isinstance(value, list) else [value]) if type(each) is str)


def _own_words(kind: str, message: str, inputs: object) -> str:
    """ComfyUI's message on one line, without folders and prompt texts."""
    for text in _texts(inputs, private=True):
        if len(text.strip()) >= _SHORTEST_PRIVATE:
            message = message.replace(text, "[prompt]")
    message = message[:_MESSAGE_MAX]
    for folder in _FOLDERS:
        message = folder.sub("", message)
    said = " ".join(f"{kind.rpartition('.')[2]}: {message}".split()).strip(": ")
    return said if len(said) <= _CAUSE_MAX else said[: _CAUSE_MAX - 3] + "..."


def _failure_detail(data: Mapping[str, Any], kind: str, message: str, node: str) -> str:
    trace = data.get("traceback")
    lines = "".join(str(line) for line in trace) if isinstance(trace, list) else ""
    return f"{node} {data.get('node_id', '')}: {kind}: {message}\n{lines}".rstrip()[:_DETAIL_MAX]

"""ComfyUI's websocket frames and history entries -> our events. Pure, and it never raises.

`read` takes one frame and what is known of the prompt so far, and gives what is known now and the events.
Unknown, damaged and foreign frames give no event: newer servers send more than we know.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.engines.comfy.execution_errors import failed
from backend.errors import EngineError, StudioError
from backend.events import Cancelled, Event, Failed, Finished, Output, Preview, Progress, Stage, Started
from workflows.compile import Label

PREVIEW = 1
PREVIEW_WITH_METADATA = 4
"""First four bytes (big endian) of a binary frame; protocol.BinaryEventTypes in ComfyUI."""

_MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"RIFF", "image/webp"))


@dataclass(frozen=True)
class Watch:
    """One prompt as followed so far. Make it with the first six; the rest is what frames told."""

    prompt_id: str
    labels: Mapping[str, Label] = field(default_factory=dict)
    sampling_steps: int = 0
    index: int = 0
    step: int = 0  # sampling steps of the whole job shown so far; never goes back
    node: str = ""  # the node that was announced last
    started: bool = False
    running: str = ""  # the prompt that the server executes, by what this socket said
    outputs: tuple[Output, ...] = ()
    ending: str = ""  # finished, failed, cancelled
    error: StudioError | None = None  # of a failed one


@dataclass(frozen=True)
class Place:
    """Where a prompt is in GET /queue. `others`: jobs of other clients that come before it."""

    running: bool
    others: int = 0
    client_id: str = ""


Read = tuple[Watch, tuple[Event, ...]]


def read(frame: str | bytes, watch: Watch) -> Read:
    """One frame -> the new state and its events, in order. After the ending event there are none."""
    if watch.ending:
        return watch, ()
    if isinstance(frame, bytes):
        return watch, _preview(frame, watch)
    try:
        message = json.loads(frame)
        kind, data = message["type"], message["data"]
    except (ValueError, KeyError, TypeError):
        return watch, ()
    handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
    if handler is None or not isinstance(data, dict):
        return watch, ()

    prompt_id = data.get("prompt_id")
    if prompt_id is None:
        # After a reconnect ComfyUI repeats the running node without saying of which prompt. Node ids are
        # the same from job to job, so this counts only when our prompt is known to run.
        if kind != "executing" or not watch.started:
            return watch, ()
    elif prompt_id != watch.prompt_id:
        return replace(watch, running="" if _is_ending(kind, data) else str(prompt_id)), ()
    else:
        watch = replace(watch, running=watch.prompt_id)

    events: tuple[Event, ...] = ()
    if kind not in ("execution_start", "execution_cached", "executed"):
        watch, events = _ensure_started(watch)
    watch, more = handler(data, watch)
    return watch, events + more


def from_history(entry: object, watch: Watch) -> Read:
    """An entry of GET /history/<prompt id> -> what was missed, and the ending.

    An entry exists only when the prompt has ended; an interrupted one reads `error` there.
    """
    if watch.ending or not isinstance(entry, Mapping):
        return watch, ()
    status = entry.get("status")
    status = status if isinstance(status, Mapping) else {}
    messages = {
        str(message[0]): message[1]
        for message in _list(status.get("messages"))
        if isinstance(message, list) and len(message) == 2 and isinstance(message[1], dict)
    }
    if "execution_interrupted" in messages:
        return _interrupted({}, watch)
    if "execution_error" in messages:
        return _failed(messages["execution_error"], watch)
    if status.get("status_str") == "error":
        error = EngineError("ComfyUI stopped with an error and did not say which.")
        return _ended_with(error, watch)

    events: list[Event] = []
    if not watch.started:
        cached = messages.get("execution_cached", {}).get("nodes")
        watch, first = _cached({"nodes": cached}, watch)
        events += first
    watch, files = complete(entry, watch)
    watch, last = _succeeded({}, watch)
    return watch, (*events, *files, *last)


def entry_of(history: object, prompt_id: str) -> object:
    """The entry of one prompt in the body of GET /history/<prompt id>, bare or under its id; else None."""
    if not isinstance(history, Mapping):
        return None
    return history if "status" in history and "outputs" in history else history.get(prompt_id)


def complete(entry: object, watch: Watch) -> Read:
    """The files of a history entry that were not heard of yet."""
    outputs = entry.get("outputs") if isinstance(entry, Mapping) else None
    nodes = outputs.values() if isinstance(outputs, Mapping) else ()
    files = dict.fromkeys(file for node in nodes for file in _files(node))
    fresh = tuple(file for file in files if file not in watch.outputs)
    return replace(watch, outputs=(*watch.outputs, *fresh)), fresh


def place(queue: object, prompt_id: str, client: str = "") -> Place | None:
    """Where a prompt is in the body of GET /queue; None when it is not there.

    An item is [number, prompt id, graph, extra data, outputs]. The pending list is a heap, so it is the
    number that says who comes first. Client ids that begin with `client` are ours.
    """
    if not isinstance(queue, Mapping):
        return None
    running, pending = (
        [item for item in _list(queue.get(key)) if isinstance(item, list) and len(item) > 1]
        for key in ("queue_running", "queue_pending")
    )
    for item in running:
        if item[1] == prompt_id:
            return Place(True, 0, _client(item))
    mine = next((item for item in pending if item[1] == prompt_id), None)
    if mine is None:
        return None
    before = [*running, *(item for item in pending if item is not mine and _number(item) < _number(mine))]
    others = sum(1 for item in before if not (client and _client(item).startswith(client)))
    return Place(False, others, _client(mine))


def assume_running(watch: Watch) -> Read:
    """The server's queue says that the prompt runs, although no frame said so."""
    return _ensure_started(replace(watch, running=watch.prompt_id))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _client(item: list[Any]) -> str:
    extra = item[3] if len(item) > 3 else None
    return str(extra.get("client_id") or "") if isinstance(extra, Mapping) else ""


def _number(item: list[Any]) -> float:
    return float(item[0]) if isinstance(item[0], (int, float)) else 0.0


def _is_ending(kind: str, data: Mapping[str, Any]) -> bool:
    return kind in _ENDINGS or (kind == "executing" and data.get("node") is None)


def _ensure_started(watch: Watch) -> Read:
    if watch.started:
        return watch, ()
    return replace(watch, started=True), (Started(watch.index),)


def _start(data: Mapping[str, Any], watch: Watch) -> Read:
    return watch, ()  # execution_cached follows at once and says more


def _cached(data: Mapping[str, Any], watch: Watch) -> Read:
    if watch.started:
        return watch, ()
    nodes = data.get("nodes")
    names = tuple(str(node) for node in nodes) if isinstance(nodes, list) else ()
    return replace(watch, started=True), (Started(watch.index, names),)


def _executing(data: Mapping[str, Any], watch: Watch) -> Read:
    """A node of its own name, or of the node it was expanded from (`display_node`); null is the end."""
    if data.get("node") is None:
        return replace(watch, running=""), ()
    for key in ("display_node", "node"):
        node = data.get(key)
        label = watch.labels.get(node) if isinstance(node, str) else None
        if isinstance(node, str) and label is not None:
            if node == watch.node:
                return watch, ()
            return replace(watch, node=node), (
                Stage(label.stage, label.text, node, label.chunk, label.chunks),
            )
    return watch, ()


def _progress(data: Mapping[str, Any], watch: Watch) -> Read:
    return _advance(watch, _steps_done(watch, data.get("node"), data.get("value"), data.get("max")))


def _progress_state(data: Mapping[str, Any], watch: Watch) -> Read:
    """All nodes seen so far: what was missed while the socket was down is in it, too."""
    nodes = data.get("nodes")
    step = 0
    for name, state in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(state, dict):
            step = max(step, _steps_done(watch, name, state.get("value"), state.get("max")))
    return _advance(watch, step)


def _steps_done(watch: Watch, node: object, value: object, maximum: object) -> int:
    label = watch.labels.get(node) if isinstance(node, str) else None
    if label is None or label.steps <= 0 or not isinstance(value, (int, float)):
        return 0
    if not isinstance(maximum, (int, float)) or not 0 <= value <= maximum or maximum <= 0:
        return 0
    return label.first_step + int(value / maximum * label.steps + 1e-6)


def _advance(watch: Watch, step: int) -> Read:
    step = min(step, watch.sampling_steps)
    if step <= watch.step:
        return watch, ()
    return replace(watch, step=step), (Progress(step, watch.sampling_steps),)


def _executed(data: Mapping[str, Any], watch: Watch) -> Read:
    found = tuple(file for file in _files(data.get("output")) if file not in watch.outputs)
    return replace(watch, outputs=(*watch.outputs, *found)), found


def _files(content: object) -> tuple[Output, ...]:
    """Files come in lists under `images` (videos, too), `audio`, `gifs` ...: whatever has a file name."""
    lists = content.values() if isinstance(content, Mapping) else ()
    files = [file for files in lists if isinstance(files, list) for file in files if isinstance(file, dict)]
    return tuple(
        Output(file["filename"], str(file.get("subfolder") or ""), str(file.get("type") or "output"))
        for file in files
        if isinstance(file.get("filename"), str) and file["filename"]
    )


def _succeeded(data: Mapping[str, Any], watch: Watch) -> Read:
    return replace(watch, ending="finished", running=""), (Finished(),)


def _interrupted(data: Mapping[str, Any], watch: Watch) -> Read:
    return replace(watch, ending="cancelled", running=""), (Cancelled(),)


def _failed(data: Mapping[str, Any], watch: Watch) -> Read:
    label = watch.labels.get(str(data.get("node_id")))
    return _ended_with(failed(data, label.stage if label else ""), watch)


def _ended_with(error: StudioError, watch: Watch) -> Read:
    event = Failed(error.to_dict(), error.detail)
    return replace(watch, ending="failed", running="", error=error), (event,)


def _preview(frame: bytes, watch: Watch) -> tuple[Event, ...]:
    if len(frame) < 8:
        return ()
    kind, second = struct.unpack_from(">II", frame)
    if kind == PREVIEW and watch.running == watch.prompt_id:
        return _picture(frame[8:])
    if kind == PREVIEW_WITH_METADATA:
        try:
            metadata = json.loads(frame[8 : 8 + second])
        except ValueError:
            return ()
        if isinstance(metadata, dict) and metadata.get("prompt_id") == watch.prompt_id:
            return _picture(frame[8 + second :])
    return ()


def _picture(image: bytes) -> tuple[Event, ...]:
    for magic, mime in _MAGIC:
        if image.startswith(magic):
            return (Preview(image, mime),)
    return ()


_ENDINGS = frozenset({"execution_success", "execution_error", "execution_interrupted"})
_HANDLERS = {
    "execution_start": _start,
    "execution_cached": _cached,
    "executing": _executing,
    "progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": _succeeded,
    "execution_error": _failed,
    "execution_interrupted": _interrupted,
}

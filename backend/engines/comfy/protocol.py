"""Converts ComfyUI's websocket frames, history entries and queue into events. Pure; never raises.

Each function takes the state of a prompt and returns the new state with the resulting events. Unknown and
malformed frames, and those of other prompts, produce no events.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.engines.comfy.execution_errors import execution_error
from backend.engines.json_values import decoded, is_name, number, picture_type
from backend.errors import EngineError, StudioError
from backend.events import (
    Cancelled,
    EndedAt,
    Event,
    Failed,
    Finished,
    Output,
    Preview,
    Progress,
    Stage,
    Started,
)
from workflows.compile import Label

PREVIEW = 1
PREVIEW_WITH_METADATA = 4
"""First four bytes (big endian) of a binary frame, from ComfyUI's protocol.BinaryEventTypes."""

NAME_MAX = 1000  # characters of an output's name or subfolder


@dataclass(frozen=True)
class PromptState:
    """State of one prompt. The caller sets the first four fields and `server_name`; the others are updated by
    the functions below."""

    prompt_id: str
    labels: Mapping[str, Label] = field(default_factory=dict)
    sampling_steps: int = 0
    index: int = 0
    step: int = 0  # completed sampling steps of the whole job; never decreases
    node: str = ""  # the node that was reported last
    started: bool = False
    running: str = ""  # id of the prompt that the server executes, according to this socket
    outputs: tuple[Output, ...] = ()
    ending: str = ""  # finished, failed, cancelled
    error: StudioError | None = None  # of a failed prompt
    server_name: str = "ComfyUI"  # for the beginning of a sentence


@dataclass(frozen=True)
class QueuePosition:
    """Position of a prompt in GET /queue. `others`: prompts of other clients that run before it."""

    running: bool
    others: int = 0
    client_id: str = ""


Update = tuple[PromptState, tuple[Event, ...]]


def read_frame(frame: str | bytes, state: PromptState) -> Update:
    """Processes one frame. Produces no events after the final one."""
    if state.ending:
        return state, ()
    if isinstance(frame, bytes):
        return state, _preview(frame, state)
    try:
        message = decoded(frame)
        kind, data = message["type"], message["data"]
    except (ValueError, KeyError, TypeError):
        return state, ()
    handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
    if handler is None or not isinstance(data, dict):
        return state, ()

    prompt_id = data.get("prompt_id")
    if prompt_id is None:
        # After a reconnect ComfyUI repeats the running node without a prompt id. Node ids are the same from
        # job to job, so the frame is used only if this prompt is known to be running.
        if kind != "executing" or not state.started:
            return state, ()
    elif prompt_id != state.prompt_id:
        return replace(state, running="" if _is_ending(kind, data) else str(prompt_id)), ()
    else:
        state = replace(state, running=state.prompt_id)

    events: tuple[Event, ...] = ()
    if kind not in ("execution_start", "execution_cached", "executed"):
        state, events = _ensure_started(state)
    state, more = handler(data, state)
    return state, events + more


def read_history(entry: object, state: PromptState) -> Update:
    """Processes an entry of GET /history/<prompt id>: events that were missed, and the final event.

    An entry exists only once the prompt has ended. The status of an interrupted prompt is `error`.
    """
    if state.ending or not isinstance(entry, Mapping):
        return state, ()
    status = entry.get("status")
    status = status if isinstance(status, Mapping) else {}
    messages = {
        str(message[0]): message[1]
        for message in _list(status.get("messages"))
        if isinstance(message, list) and len(message) == 2 and isinstance(message[1], dict)
    }
    if "execution_interrupted" in messages:
        return _interrupted({}, state)
    if "execution_error" in messages:
        return _failed(messages["execution_error"], state)
    if status.get("status_str") == "error":
        error = EngineError.of("unknown_error", server=state.server_name)
        return _ended_with(error, state)

    events: list[Event] = []
    if not state.started:
        cached = messages.get("execution_cached", {}).get("nodes")
        state, first = _cached({"nodes": cached}, state)
        events += first
    state, files = add_outputs(entry, state)
    state, last = _succeeded({}, state)
    return state, (*events, *files, *_ended_at(messages.get("execution_success", {})), *last)


def _ended_at(data: Mapping[str, Any]) -> tuple[Event, ...]:
    """When the prompt ended, where the history has it (milliseconds of unix time)."""
    stamp = number(data.get("timestamp"))
    return (EndedAt(stamp / 1000),) if stamp is not None and stamp > 0 else ()


def history_entry(history: object, prompt_id: str) -> object:
    """The entry of one prompt in the body of GET /history/<prompt id>; None if there is none.

    Some versions return the entry itself, others a mapping from prompt id to entry.
    """
    if not isinstance(history, Mapping):
        return None
    if "status" in history and "outputs" in history:
        return history if _prompt_of(history) in ("", prompt_id) else None
    return history.get(prompt_id)


def _prompt_of(entry: Mapping[str, Any]) -> str:
    """The prompt id in a history entry; "" without one."""
    prompt = entry.get("prompt")
    found = prompt[1] if isinstance(prompt, list) and len(prompt) > 1 else ""
    return found if isinstance(found, str) else ""


def add_outputs(entry: object, state: PromptState) -> Update:
    """Adds the output files of a history entry that are not in the state yet."""
    outputs = entry.get("outputs") if isinstance(entry, Mapping) else None
    nodes = outputs.values() if isinstance(outputs, Mapping) else ()
    files = dict.fromkeys(file for node in nodes for file in _files(node))
    fresh = tuple(file for file in files if file not in state.outputs)
    return replace(state, outputs=(*state.outputs, *fresh)), fresh


def queue_position(queue: object, prompt_id: str, client: str = "") -> QueuePosition | None:
    """The position of a prompt in the body of GET /queue; None if it is not there.

    An item is [number, prompt id, graph, extra data, outputs]. The pending list is a heap, so the number
    determines the order. Client ids that begin with `client` belong to this lane.
    """
    if not isinstance(queue, Mapping):
        return None
    running, pending = (
        [item for item in _list(queue.get(key)) if isinstance(item, list) and len(item) > 1]
        for key in ("queue_running", "queue_pending")
    )
    for item in running:
        if item[1] == prompt_id:
            return QueuePosition(True, 0, _client(item))
    mine = next((item for item in pending if item[1] == prompt_id), None)
    if mine is None:
        return None
    before = [*running, *(item for item in pending if item is not mine and _number(item) < _number(mine))]
    others = sum(1 for item in before if not (client and _client(item).startswith(client)))
    return QueuePosition(False, others, _client(mine))


def assume_running(state: PromptState) -> Update:
    """Marks the prompt as started: it is running according to the queue, although no frame reported it."""
    return _ensure_started(replace(state, running=state.prompt_id))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _client(item: list[Any]) -> str:
    extra = item[3] if len(item) > 3 else None
    found = extra.get("client_id") if isinstance(extra, Mapping) else ""
    return found if is_name(found, NAME_MAX) else ""


def _number(item: list[Any]) -> float:
    return number(item[0]) or 0.0


def _is_ending(kind: str, data: Mapping[str, Any]) -> bool:
    return kind in _ENDINGS or (kind == "executing" and data.get("node") is None)


def _ensure_started(state: PromptState) -> Update:
    if state.started:
        return state, ()
    return replace(state, started=True), (Started(state.index),)


def _start(data: Mapping[str, Any], state: PromptState) -> Update:
    return state, ()  # execution_cached follows at once and says more


def _cached(data: Mapping[str, Any], state: PromptState) -> Update:
    if state.started:
        return state, ()
    nodes = data.get("nodes")
    names = tuple(str(node) for node in nodes) if isinstance(nodes, list) else None
    return replace(state, started=True), (Started(state.index, names),)


def _executing(data: Mapping[str, Any], state: PromptState) -> Update:
    """Reports the stage of the executing node, or of the node it was expanded from (`display_node`).

    A null node means that the prompt is no longer executed.
    """
    if data.get("node") is None:
        return replace(state, running=""), ()
    for key in ("display_node", "node"):
        node = data.get(key)
        label = state.labels.get(node) if isinstance(node, str) else None
        if isinstance(node, str) and label is not None:
            if node == state.node:
                return state, ()
            return replace(state, node=node), (
                Stage(label.stage, label.text, node, label.chunk, label.chunks),
            )
    return state, ()


def _progress(data: Mapping[str, Any], state: PromptState) -> Update:
    return _advance(state, _steps_done(state, data.get("node"), data.get("value"), data.get("max")))


def _progress_state(data: Mapping[str, Any], state: PromptState) -> Update:
    """Reads the progress of all nodes so far, including updates missed while the socket was down."""
    nodes = data.get("nodes")
    step = 0
    for name, node_state in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node_state, dict):
            step = max(step, _steps_done(state, name, node_state.get("value"), node_state.get("max")))
    return _advance(state, step)


def _steps_done(state: PromptState, node: object, value: object, maximum: object) -> int:
    label = state.labels.get(node) if isinstance(node, str) else None
    done, most = number(value), number(maximum)
    if label is None or label.steps <= 0 or done is None or most is None or not 0 <= done <= most or not most:
        return 0
    return label.first_step + int(done / most * label.steps + 1e-6)


def _advance(state: PromptState, step: int) -> Update:
    step = min(step, state.sampling_steps)
    if step <= state.step:
        return state, ()
    return replace(state, step=step), (Progress(step, state.sampling_steps),)


def _executed(data: Mapping[str, Any], state: PromptState) -> Update:
    found = tuple(file for file in _files(data.get("output")) if file not in state.outputs)
    return replace(state, outputs=(*state.outputs, *found)), found


def _files(content: object) -> tuple[Output, ...]:
    """The output files of a node: all entries with a file name in its lists (`images`, `audio`, `gifs`)."""
    lists = content.values() if isinstance(content, Mapping) else ()
    files = [file for files in lists if isinstance(files, list) for file in files if isinstance(file, dict)]
    names = [
        (file.get("filename"), file.get("subfolder") or "", file.get("type") or "output") for file in files
    ]
    return tuple(
        Output(name, folder, kind)
        for name, folder, kind in names
        if is_name(name, NAME_MAX) and (folder == "" or is_name(folder, NAME_MAX)) and is_name(kind, NAME_MAX)
    )


def _succeeded(data: Mapping[str, Any], state: PromptState) -> Update:
    return replace(state, ending="finished", running=""), (Finished(),)


def _interrupted(data: Mapping[str, Any], state: PromptState) -> Update:
    return replace(state, ending="cancelled", running=""), (Cancelled(),)


def _failed(data: Mapping[str, Any], state: PromptState) -> Update:
    label = state.labels.get(str(data.get("node_id")))
    error = execution_error(data, label.stage if label else "", state.server_name)
    return _ended_with(error, state)


def _ended_with(error: StudioError, state: PromptState) -> Update:
    event = Failed(error.to_dict(), error.detail)
    return replace(state, ending="failed", running="", error=error), (event,)


def _preview(frame: bytes, state: PromptState) -> tuple[Event, ...]:
    if len(frame) < 8:
        return ()
    kind, second = struct.unpack_from(">II", frame)
    if kind == PREVIEW and state.running == state.prompt_id:
        return _preview_event(frame[8:])
    if kind == PREVIEW_WITH_METADATA:
        try:
            metadata = decoded(frame[8 : 8 + second])
        except ValueError:
            return ()
        if isinstance(metadata, dict) and metadata.get("prompt_id") == state.prompt_id:
            return _preview_event(frame[8 + second :])
    return ()


def _preview_event(image: bytes) -> tuple[Event, ...]:
    kind = picture_type(image)
    return (Preview(image, kind),) if kind else ()


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

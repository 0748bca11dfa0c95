"""Executes prompts one at a time on a thread and sends the events that ComfyUI would send.

The order and content of the events are those of recorded ComfyUI runs (a test compares them).
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backend.engines.demo.cache import Cache, Result
from backend.engines.demo.faults import Faults
from backend.engines.demo.folders import Folders
from backend.engines.demo.hub import Hub
from backend.engines.demo.nodeinfo import NodeInfo
from backend.engines.demo.prompt_queue import PromptQueue, QueuedPrompt
from backend.engines.demo.schedule import Schedule, is_link


class Interrupted(Exception):
    """The prompt was interrupted."""


@dataclass(frozen=True)
class Options:
    """step_seconds: per sampling step; preview_method: none, auto, latent2rgb or taesd."""

    step_seconds: float = 0.15
    preview_method: str = "none"


@dataclass
class Context:
    """The execution context of a node.

    `report(step, steps, preview JPEG)` reports the progress; `check` raises Interrupted after an interrupt;
    `pause` sleeps for a number of seconds.
    """

    folders: Folders
    info: NodeInfo
    step_seconds: float
    node: str
    class_type: str
    previews: bool
    report: Callable[[int, int, bytes | None], None]
    check: Callable[[], None]
    pause: Callable[[float], None]


@dataclass
class _Prompt:
    """State of the running prompt."""

    queued: QueuedPrompt
    client: str | None
    previews: bool
    messages: list[list[Any]] = field(default_factory=list)
    progress: dict[str, dict[str, Any]] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    steps: int = 0
    success: bool = True


class Executor:
    """Executes prompts from the queue. `run_node(class, context, inputs)` returns a Result or raises."""

    def __init__(
        self,
        queue: PromptQueue,
        hub: Hub,
        info: NodeInfo,
        options: Options,
        faults: Faults,
        cache: Cache,
        run_node: Callable[[str, Context, dict[str, Any]], Result],
    ) -> None:
        self._queue, self._hub, self._info, self._options = queue, hub, info, options
        self._faults, self._cache, self._run_node = faults, cache, run_node
        self._interrupt = threading.Event()
        self.client: str | None = None
        self.node: str | None = None  # the running node, for clients that reconnect

    def interrupt(self) -> None:
        """Interrupts the running prompt at its next check."""
        self._interrupt.set()

    def run_forever(self) -> None:
        """Executes prompts as they arrive; the body of the executor thread."""
        while True:
            queued = self._queue.take()
            if queued is not None:
                self.run(queued)
            if self._queue.take_free():
                self._cache.clear()

    def run(self, queued: QueuedPrompt) -> None:
        """Executes one prompt and adds it to the history. Never raises."""
        self._interrupt.clear()
        prompt = _Prompt(queued, queued.extra.get("client_id"), self._wants_previews(queued.extra))
        self.client = prompt.client
        self._message(prompt, "execution_start", {})
        try:
            self._cache.begin(queued.graph)
            cached = [node for node in queued.graph if self._cache.get(node) is not None]
            self._message(prompt, "execution_cached", {"nodes": cached})
            if self._execute(prompt):
                self._message(prompt, "execution_success", {})
        except Exception as error:  # a malformed graph must not end the executor thread
            self._failed(prompt, next(iter(queued.graph)), {}, error)
        finally:
            self.node = None
            self._queue.finish(queued, self._entry(prompt))
        if prompt.client is not None:
            self._hub.send("executing", {"node": None, "prompt_id": queued.id}, prompt.client)

    def _wants_previews(self, extra: dict[str, Any]) -> bool:
        method = extra.get("preview_method") or "default"
        return (self._options.preview_method if method == "default" else method) != "none"

    def _execute(self, prompt: _Prompt) -> bool:
        graph = prompt.queued.graph
        schedule = Schedule(
            graph,
            prompt.queued.targets,
            has_result=lambda node: self._cache.get(node) is not None,
            is_output=lambda node: self._info.is_output(graph[node]["class_type"]),
        )
        while schedule:
            node = schedule.next()
            if node is None:
                self._failed(prompt, schedule.cycle_member(), {}, RuntimeError("Dependency cycle detected"))
                return False
            if not self._execute_node(prompt, node):
                return False
            schedule.done(node)
        return True

    def _execute_node(self, prompt: _Prompt, node: str) -> bool:
        known = self._cache.get(node)
        if known is not None:
            self._executed(prompt, node, known.ui)
            self._progress(prompt, node, "finished")
            return True
        class_type = prompt.queued.graph[node]["class_type"]
        inputs: dict[str, Any] = {}
        self._progress(prompt, node, "running", 0.0, 1.0)
        if prompt.client is not None:
            self.node = node
            shown = {"node": node, "display_node": node, "prompt_id": prompt.queued.id}
            self._hub.send("executing", shown, prompt.client)
        try:
            self._check()
            inputs = self._inputs(prompt.queued.graph[node])
            self._faults.at_node(class_type)
            result = self._run_node(class_type, self._context(prompt, node, class_type), inputs)
        except Interrupted:
            prompt.success = False
            about: dict[str, Any] = {"node_id": node, "node_type": class_type}
            about["executed"] = list(prompt.executed)
            self._message(prompt, "execution_interrupted", about, to_all=True)
            return False
        except Exception as error:
            self._failed(prompt, node, inputs, error)
            return False
        if result.ui is not None:
            meta = {"node_id": node, "display_node": node, "parent_node": None, "real_node_id": node}
            result = Result(result.outputs, result.ui, meta)
            self._executed(prompt, node, result.ui)
        self._cache.put(node, result)
        self._progress(prompt, node, "finished")
        prompt.executed.append(node)
        return True

    def _inputs(self, node: dict[str, Any]) -> dict[str, Any]:
        names = {name for name, _ in self._info.inputs(node["class_type"], node["inputs"])}
        found: dict[str, Any] = {}
        for name, value in node["inputs"].items():
            if name not in names:
                continue
            if is_link(value):
                source = self._cache.get(value[0])
                value = source.outputs[int(value[1])] if source is not None else None
            found[name] = value
        return found

    def _context(self, prompt: _Prompt, node: str, class_type: str) -> Context:
        def report(value: int, total: int, jpeg: bytes | None) -> None:
            prompt.steps += 1
            self.pause(self._faults.at_step(class_type, value, prompt.steps))
            self._check()
            metadata = self._hub.wants_metadata(prompt.client)
            self._progress(prompt, node, "running", value, total)
            if jpeg is not None and metadata:
                about: dict[str, Any] = {"node_id": node, "display_node_id": node, "real_node_id": node}
                about |= {"prompt_id": prompt.queued.id, "parent_node_id": None}
                self._hub.send_preview(jpeg, about, prompt.client)
            data = {"value": value, "max": total, "prompt_id": prompt.queued.id, "node": node}
            self._hub.send("progress", data, prompt.client)
            if jpeg is not None and not metadata:
                self._hub.send_preview(jpeg, None, prompt.client)

        return Context(
            folders=self._info.file_folders,
            info=self._info,
            step_seconds=self._options.step_seconds,
            node=node,
            class_type=class_type,
            previews=prompt.previews,
            report=report,
            check=self._check,
            pause=self.pause,
        )

    def _check(self) -> None:
        if self._interrupt.is_set():
            self._interrupt.clear()
            raise Interrupted

    @staticmethod
    def pause(seconds: float) -> None:
        """Sleeps; returns immediately for zero or less."""
        if seconds > 0:
            time.sleep(seconds)

    def _progress(
        self, prompt: _Prompt, node: str, state: str, value: float | None = None, total: float = 1
    ) -> None:
        entry = prompt.progress.setdefault(node, {"value": 1, "max": 1})
        if value is None:
            entry["value"] = entry["max"]
        else:
            entry.update(value=value, max=total)
        entry["state"] = state
        about = {"prompt_id": prompt.queued.id, "parent_node_id": None}
        nodes = {
            id: {**entry, "node_id": id, "display_node_id": id, "real_node_id": id, **about}
            for id, entry in prompt.progress.items()
        }
        self._hub.send("progress_state", {"prompt_id": prompt.queued.id, "nodes": nodes}, prompt.client)

    def _executed(self, prompt: _Prompt, node: str, output: dict[str, Any] | None) -> None:
        if prompt.client is not None:
            data = {"node": node, "display_node": node, "output": output, "prompt_id": prompt.queued.id}
            self._hub.send("executed", data, prompt.client)

    def _message(self, prompt: _Prompt, event: str, data: dict[str, Any], *, to_all: bool = False) -> None:
        data = {"prompt_id": prompt.queued.id, **data, "timestamp": int(time.time() * 1000)}
        prompt.messages.append([event, data])
        if prompt.client is not None or to_all:
            self._hub.send(event, data, prompt.client)

    def _failed(self, prompt: _Prompt, node: str, inputs: dict[str, Any], error: Exception) -> None:
        prompt.success = False
        kind = type(error)
        module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
        data = {
            "node_id": node,
            "node_type": prompt.queued.graph[node]["class_type"],
            "executed": list(prompt.executed),
            "exception_message": f"{error}\n",
            "exception_type": module + kind.__qualname__,
            "traceback": traceback.format_tb(error.__traceback__),
            "current_inputs": {name: [_plain(value)] for name, value in inputs.items()},
            "current_outputs": list(prompt.queued.graph),
        }
        self._message(prompt, "execution_error", data)

    def _entry(self, prompt: _Prompt) -> dict[str, Any]:
        shown = {}
        for node in prompt.queued.graph:
            result = self._cache.get(node)
            if result is not None and result.ui is not None:
                shown[node] = result
        status = "success" if prompt.success else "error"
        return {
            "outputs": {node: result.ui for node, result in shown.items()},
            "status": {"status_str": status, "completed": prompt.success, "messages": prompt.messages},
            "meta": {node: result.meta for node, result in shown.items()},
        }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)

"""Fault injection for tests (`--faults`).

POST /demo/faults replaces the active faults and releases a hanging step or node. Each fault applies once, or
`times` times, which may be given in the fault or for all of them:

    {"slow_step": 2.0}                                  one step takes this many seconds longer
    {"error_at": {"class": "KSamplerAdvanced", "kind": "oom" | "error", "step": 2}}   step 0: at the start
    {"drop_socket_at_step": 3}                          drops the client's connection; steps count per prompt
    {"hang_at_step": 3}                                 no further progress; an interrupt has no effect
    {"hang_at_node": "VAEDecode"}                       the same before a node of this class runs
    {"die_at_step": 3}                                  the process exits
    {"http_500": {"path": "/history", "times": 2}}      requests below this path fail
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

OUT_OF_MEMORY = (
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate {size} bytes. Error code 12 (Cannot allocate memory)"
)
KEYS = {
    "slow_step", "error_at", "drop_socket_at_step", "hang_at_step", "hang_at_node", "die_at_step", "http_500",
    "times",
}  # fmt: skip


class Faults:
    """The active faults. Thread-safe. `drop_socket` and `die` carry out those two faults."""

    def __init__(self, drop_socket: Callable[[], None], die: Callable[[], None]) -> None:
        self._drop_socket = drop_socket
        self._die = die
        self._lock = threading.Lock()
        self._active: dict[str, dict[str, Any]] = {}
        self._release = threading.Event()

    def configure(self, body: dict[str, Any]) -> None:
        """Replaces the active faults. Raises ValueError for an unknown name."""
        unknown = set(body) - KEYS
        if unknown:
            raise ValueError(f"No such fault: {', '.join(sorted(unknown))}")
        times = int(body.get("times", 1))
        active: dict[str, dict[str, Any]] = {}
        for name, value in body.items():
            if name == "times":
                continue
            fields = dict(value) if isinstance(value, dict) else {"value": value}
            fields.setdefault("times", times)
            active[name] = fields
        with self._lock:
            self._active = active
            self._release.set()
            self._release = threading.Event()

    def pending(self) -> dict[str, Any]:
        """The faults that have not been used up."""
        with self._lock:
            return {name: dict(fields) for name, fields in self._active.items()}

    def _use(self, name: str, applies: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        with self._lock:
            fields = self._active.get(name)
            if fields is None or not applies(fields):
                return None
            fields["times"] -= 1
            if fields["times"] <= 0:
                del self._active[name]
            return fields

    def at_path(self, path: str) -> bool:
        """Whether a request for this path has to fail."""
        return self._use("http_500", lambda f: path.startswith(str(f.get("path", "/")))) is not None

    def at_node(self, class_type: str) -> None:
        """Called before a node runs. Raises RuntimeError for an `error_at` fault with step 0."""
        self._fail(class_type, 0)
        release = self._release
        if self._use("hang_at_node", lambda f: f["value"] == class_type):
            release.wait()

    def at_step(self, class_type: str, node_step: int, prompt_step: int) -> float:
        """Called after a sampling step; both counts begin at 1. Returns the additional seconds to wait.

        Raises RuntimeError for an `error_at` fault.
        """
        self._fail(class_type, node_step)
        if self._use("drop_socket_at_step", lambda f: f["value"] == prompt_step):
            self._drop_socket()
        if self._use("die_at_step", lambda f: f["value"] == prompt_step):
            self._die()
        release = self._release
        if self._use("hang_at_step", lambda f: f["value"] == prompt_step):
            release.wait()
        slow = self._use("slow_step", lambda f: True)
        return float(slow.get("value", slow.get("seconds", 0.0))) if slow else 0.0

    def _fail(self, class_type: str, step: int) -> None:
        wanted = self._use(
            "error_at", lambda f: f.get("class") == class_type and int(f.get("step", 0)) == step
        )
        if wanted is None:
            return
        if wanted.get("kind") == "oom":
            raise RuntimeError(OUT_OF_MEMORY.format(size=1 << 40))
        raise RuntimeError(str(wanted.get("message", "An injected fault.")))


def exit_immediately() -> None:
    """Ends the process without cleanup, as a crash does."""
    os._exit(137)

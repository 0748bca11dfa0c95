"""The children of the decoder: at most a few, kept warm, replaced when they die, hang or answer junk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from backend.errors import InternalError, StudioError
from backend.media import check
from backend.media.process import Budget, Child, ChildDied, ChildHung, Progress

_REQUESTS_PER_CHILD = 200
_MEDIA_FOLDER = "wan-studio"
_FILE_BYTES = 64_000_000
_LONG_WAIT = 3600.0
"""Seconds that a long piece of work may wait for the one before it: several of the longest."""


class Pool:
    """See the module. `max_file_mb` 0 means no limit; `wall_seconds` bounds a short request (long ones
    bring their own bound), `memory_mb` a child's address space; `command` is for tests.

    Besides `workers` children for short requests there is one for long ones: pictures never wait for a
    video to be cut, and two videos never take memory at once.
    """

    def __init__(
        self,
        *,
        max_file_mb: int = 0,
        wall_seconds: float = 30.0,
        cpu_seconds: int = 20,
        memory_mb: int = 2000,
        workers: int = 2,
        command: Sequence[str] | None = None,
    ) -> None:
        limits = json.dumps({"memory_mb": memory_mb, "cpu_seconds": cpu_seconds})
        self._command = tuple(command or (sys.executable, "-m", "backend.media.child", limits))
        self._max_mb = max_file_mb
        self._wall = wall_seconds
        self._cpu = cpu_seconds
        self._places = threading.BoundedSemaphore(workers)
        self._long = threading.BoundedSemaphore(1)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = False

    def prewarm(self) -> None:
        """Start one child in the background, so that the first picture need not wait for it."""
        threading.Thread(target=self._ping, name="media-prewarm", daemon=True).start()

    def pids(self) -> tuple[int, ...]:
        """Process ids of the children that run now."""
        with self._lock:
            return tuple(child.process.pid for child in (*self._busy, *self._idle))

    def close(self) -> None:
        """Kill the children, also those at work; later calls raise InternalError."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.process.kill()  # the thread that uses it sees it die and takes it away
        for child in idle:
            child.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ping(self) -> None:
        with contextlib.suppress(StudioError):  # the first picture will meet it again, and say it
            self._ask("ping", "")

    def _write(
        self, op: str, src: str | Path, dst: str | Path, suffix: str, **request: Any
    ) -> tuple[dict[str, Any], str, int]:
        """The child's answer to a request that writes a file to `dst`; the file's name by its content
        and its size. Raises StudioError; then nothing is left behind."""
        target = Path(dst)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            ok = self._ask(op, src, out=str(part.absolute()), **request)
            if not part.is_file():
                name, field = request.get("name") or Path(src).name, request.get("field", "")
                raise check.damaged(name, field, "the child wrote nothing")
            digest, size = _digest(part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return ok, f"{_MEDIA_FOLDER}/{digest}{suffix}", size

    def _ask(
        self,
        op: str,
        path: str | Path,
        *,
        name: str = "",
        field: str = "",
        kind: str = "picture",
        budget: Budget | None = None,
        progress: Progress | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        """The child's figures. `kind` is the sort of file, for sentences. Raises StudioError."""
        name = name or Path(path).name
        absolute = str(Path(path).absolute()) if str(path) else ""
        request = {"op": op, "path": absolute, "name": name, "field": field, "kind": kind, **extra}
        budget = budget or Budget(self._wall, self._wall, self._cpu, _FILE_BYTES)
        with self._place(budget, name, field, kind):
            reply = self._ask_some_child(request, budget, progress)
        if "ok" in reply:
            return reply["ok"]
        error = StudioError.from_dict(reply["error"])
        error.detail = reply["error"].get("detail", "")
        raise error

    @contextlib.contextmanager
    def _place(self, budget: Budget, name: str, field: str, kind: str) -> Iterator[None]:
        places, patience = (self._long, _LONG_WAIT) if budget.long else (self._places, 4 * self._wall)
        if not places.acquire(timeout=patience):
            raise check.busy(name, field, kind)
        try:
            yield
        finally:
            places.release()

    def _ask_some_child(
        self, request: dict[str, Any], budget: Budget, progress: Progress | None
    ) -> dict[str, Any]:
        """The reply of a warm child or, when that one dies, of a fresh one: the fault may have been an
        earlier file's, or the machine's out-of-memory killer."""
        name, field, kind = request["name"], request["field"], request["kind"]
        for last_try in (False, True):
            child = self._take()
            keep = False
            try:
                reply = child.ask(request, budget, progress)
                # What a long piece of work took from the system, only the end of the process gives back.
                keep = child.served < _REQUESTS_PER_CHILD and not budget.long
                return reply
            except ChildHung as error:
                raise check.too_heavy(name, field, str(error), kind) from error
            except ChildDied as error:
                if self._closed:
                    raise InternalError("Wan Studio is shutting down.") from error
                if error.returncode == -signal.SIGXCPU:
                    raise check.too_heavy(name, field, "used up its CPU time", kind) from error
                if last_try:
                    raise check.damaged(name, field, str(error)) from error
            finally:
                self._give_back(child, keep)
        raise AssertionError  # the second try returns or raises

    def _take(self) -> Child:
        with self._lock:
            if self._closed:
                raise InternalError("Wan Studio is shutting down.")
            child = self._idle.pop() if self._idle else Child(self._command)
            self._busy.add(child)
            return child

    def _give_back(self, child: Child, keep: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            keep = keep and not self._closed
            if keep:
                self._idle.append(child)
        if not keep:
            child.stop()


def _digest(path: Path) -> tuple[str, int]:
    """Half the SHA-256 of the file, in hexadecimal, and its size."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest()[:32], size

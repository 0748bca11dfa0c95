"""The pool of the decoder's child processes: kept running, replaced when they die, hang or reply
invalidly."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import secrets
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from backend import requester
from backend.errors import ShuttingDown, StudioError
from backend.media import check
from backend.media.budget import FILE_BYTES_MAX, STALL_SECONDS
from backend.media.process import Budget, Child, ChildDied, ChildHung, Progress
from backend.media.reply_cache import CacheKey, Reply, ReplyCache, cache_key
from backend.media.slots import Closed, NoSlot, Slots

_MEDIA_FOLDER = "wan-studio"
_FILE_BYTES = 64_000_000
_LONG_WAIT = 3600.0
"""Seconds that long work for a visitor may wait for its slot."""


class Pool:
    """A pool of child processes. `max_file_mb` limits an uploaded file, 0 for no limit; `wall_seconds` a
    short request (long ones have their own limit), `stall_seconds` the time of a long one without a progress
    report, `memory_mb` a child's address space, `file_bytes_max` a written file. A child is replaced after
    `requests_per_child` requests; `command` is for tests.

    Besides `workers` children for short requests there is one for long ones, so that pictures never wait for
    a video to be cut and two videos are never in memory at once. Slots are given by requester.current(): jobs
    before visitors and without a time limit, owners round-robin. A visitor has at most `waiting_max` waiting
    requests, each for `wait_seconds`. The last `cache_size` replies about files are cached; equal requests at
    the same time share one reply.
    """

    def __init__(
        self,
        *,
        max_file_mb: int = 0,
        wall_seconds: float = 30.0,
        cpu_seconds: int = 20,
        memory_mb: int = 2000,
        workers: int = 2,
        stall_seconds: float = STALL_SECONDS,
        file_bytes_max: int = FILE_BYTES_MAX,
        requests_per_child: int = 200,
        wait_seconds: float = 120.0,
        waiting_max: int = 8,
        cache_size: int = 256,
        command: Sequence[str] | None = None,
    ) -> None:
        limits = json.dumps({"memory_mb": memory_mb, "cpu_seconds": cpu_seconds})
        self._command = tuple(command or (sys.executable, "-m", "backend.media.child", limits))
        self._max_mb = max_file_mb
        self._wall = wall_seconds
        self._stall = stall_seconds
        self._cpu = cpu_seconds
        self._file_bytes_max = file_bytes_max
        self._requests_per_child = requests_per_child
        self._wait_seconds = wait_seconds
        self._short, self._long = Slots(workers, waiting_max), Slots(1, waiting_max)
        self._cache = ReplyCache(cache_size)
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._closed = False

    def prewarm(self) -> None:
        """Starts one child in the background, so that the first picture does not wait for it."""
        threading.Thread(target=self._ping, name="media-prewarm", daemon=True).start()

    def pids(self) -> tuple[int, ...]:
        """Process ids of the running children."""
        with self._lock:
            return tuple(child.process.pid for child in (*self._busy, *self._idle))

    def stop_waiting(self) -> None:
        """Raises ShuttingDown in all requests that wait for a slot, now or later; running ones go on."""
        self._short.close()
        self._long.close()

    def waiting(self) -> int:
        """The number of requests that wait for a slot or for the reply to an equal request."""
        return self._short.waiting() + self._long.waiting()

    def close(self) -> None:
        """Kills all children, including busy ones; later calls raise ShuttingDown."""
        self.stop_waiting()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for child in self._busy:
                child.process.kill()  # the thread that uses it notices and removes it
        for child in idle:
            child.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ping(self) -> None:
        with contextlib.suppress(StudioError):  # the first request raises it again
            self._ask("ping", "")

    def _write(
        self, op: str, src: str | Path, dst: str | Path, suffix: str, **request: Any
    ) -> tuple[dict[str, Any], str, int]:
        """Sends a request that writes a file to `dst`. Returns the reply, the file's name by content hash,
        and its size in bytes. Raises StudioError, without leaving a file."""
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
        """The fields of the reply. `kind` (picture, sound or video) is for messages. Raises StudioError."""
        request = _request(op, path, name, field, kind, extra)
        with self._slot(self._bounded(budget), request):
            return _fields(self._ask_child(request, self._bounded(budget), progress), field)

    def _ask_cached(
        self,
        op: str,
        path: str | Path,
        *,
        name: str = "",
        field: str = "",
        kind: str = "picture",
        budget: Budget | None = None,
        **extra: Any,
    ) -> dict[str, Any]:
        """As _ask, for a request that only reads the file: the reply is cached until the file changes."""
        request = _request(op, path, name, field, kind, extra)
        key = cache_key(op, request["path"], request["name"], **extra)
        if key is None:  # the child raises the error for it
            return self._ask(op, path, name=name, field=field, kind=kind, budget=budget, **extra)
        while (reply := self._cache.get(key)) is None:
            with self._slot(self._bounded(budget), request, key) as granted:
                if granted and key not in self._cache:  # otherwise answered while this request got its slot
                    reply = self._ask_child(request, self._bounded(budget), None)
                    self._cache.put(key, reply)
                    break
        return _fields(reply, field)

    def unchanged(self, path: Path) -> contextlib.AbstractContextManager[None]:
        """While the studio links a file of which replies are cached: see ReplyCache."""
        return self._cache.unchanged(str(path.absolute()))

    def _bounded(self, budget: Budget | None) -> Budget:
        if budget is None:
            return Budget(self._wall, self._wall, self._cpu, _FILE_BYTES)
        stall = min(budget.stall, self._stall) if budget.long else budget.stall
        return replace(budget, stall=stall, file_bytes=min(budget.file_bytes, self._file_bytes_max))

    @contextlib.contextmanager
    def _slot(self, budget: Budget, request: dict[str, Any], key: CacheKey | None = None) -> Iterator[bool]:
        """Holds a slot for the request and yields True; False when an equal request was answered
        meanwhile."""
        who = requester.current()
        slots, wait_seconds = (self._long, _LONG_WAIT) if budget.long else (self._short, self._wait_seconds)
        wait_seconds = math.inf if who.is_job else wait_seconds

        def answered() -> bool:
            return key is not None and key in self._cache

        with contextlib.ExitStack() as stack:
            try:
                granted = stack.enter_context(slots.slot(who, wait_seconds, key, answered))
            except NoSlot as error:
                refused = check.waiting if error.own else check.busy
                raise refused(request["name"], request["field"], request["kind"]) from None
            except Closed:
                raise ShuttingDown.of("media_closed") from None
            yield granted

    def _ask_child(self, request: dict[str, Any], budget: Budget, progress: Progress | None) -> Reply:
        """The reply of an idle child or, if it dies, of a new one: the cause may have been an earlier file or
        the system's out-of-memory killer."""
        name, field, kind = request["name"], request["field"], request["kind"]
        for last_try in (False, True):
            child = self._take()
            keep = False
            try:
                reply = child.ask(request, budget, progress)
                # After long work only the end of the process returns its memory to the system.
                keep = child.served < self._requests_per_child and not budget.long
                return reply
            except ChildHung as error:
                raise check.too_heavy(name, field, str(error), kind) from error
            except ChildDied as error:
                if self._closed:
                    raise ShuttingDown.of("media_closed") from error
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
                raise ShuttingDown.of("media_closed")
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


def _request(
    op: str, path: str | Path, name: str, field: str, kind: str, extra: dict[str, Any]
) -> dict[str, Any]:
    absolute = str(Path(path).absolute()) if str(path) else ""
    name = name or Path(path).name
    return {"op": op, "path": absolute, "name": name, "field": field, "kind": kind, **extra}


def _fields(reply: Reply, field: str) -> dict[str, Any]:
    """The fields of a reply. Raises the error in it, with the field of this request, because a cached reply
    may come from a request for another field."""
    if "ok" in reply:
        return copy.deepcopy(reply["ok"])
    error = StudioError.from_dict(reply["error"])
    error.field = field if error.field else ""
    error.detail = reply["error"].get("detail", "")
    raise error


def _digest(path: Path) -> tuple[str, int]:
    """Half the SHA-256 of the file, in hexadecimal, and its size."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest()[:32], size

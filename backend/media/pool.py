"""The children of the decoder: at most a few, kept warm, replaced when they die, hang or answer junk."""

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
from backend.media.looks import Looks, Question, Reply, question
from backend.media.process import Budget, Child, ChildDied, ChildHung, Progress
from backend.media.turns import Closed, NoTurn, Turns

_MEDIA_FOLDER = "wan-studio"
_FILE_BYTES = 64_000_000
_LONG_WAIT = 3600.0
"""Seconds that a long piece of work that is no job's may wait: several of the longest."""


class Pool:
    """See the module. `max_file_mb` 0 means no limit; `wall_seconds` bounds a short request (long ones
    bring their own bound), `stall_seconds` the silence of a long one, `memory_mb` a child's address space,
    `file_bytes_max` a written file. A child is replaced after `requests_per_child`; `command` is for tests.

    Besides `workers` children for short requests there is one for long ones: pictures never wait for a
    video to be cut, and two videos never take memory at once. Both are shared by asker.current(): jobs
    come before visitors and wait as long as they are not stopped, owners take turns, and a visitor has at
    most `waiting_max` requests that wait, `patience_seconds` each. The answers to the last `looks_kept` looks
    at files are kept; equal looks that come while one is under way get its answer.
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
        patience_seconds: float = 120.0,
        waiting_max: int = 8,
        looks_kept: int = 256,
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
        self._patience = patience_seconds
        self._short, self._long = Turns(workers, waiting_max), Turns(1, waiting_max)
        self._looks = Looks(looks_kept)
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

    def end_waits(self) -> None:
        """Who waits for a place, now or later, gets ShuttingDown at once; what is at work goes on."""
        self._short.close()
        self._long.close()

    def waiting(self) -> int:
        """How many requests wait for a place or for the answer to an equal one."""
        return self._short.waiting() + self._long.waiting()

    def close(self) -> None:
        """Kill the children, also those at work; later calls raise ShuttingDown."""
        self.end_waits()
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
        request = _request(op, path, name, field, kind, extra)
        with self._place(self._bounded(budget), request):
            return _figures(self._ask_some_child(request, self._bounded(budget), progress), field)

    def _look(
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
        """As _ask, for a request that only reads the file: asked once as long as the file does not change."""
        request = _request(op, path, name, field, kind, extra)
        asked = question(op, request["path"], request["name"], **extra)
        if asked is None:  # the child says what is wrong with it
            return self._ask(op, path, name=name, field=field, kind=kind, budget=budget, **extra)
        while (reply := self._looks.get(asked)) is None:
            with self._place(self._bounded(budget), request, asked) as mine:
                if mine and asked not in self._looks:  # else answered as this got its place
                    reply = self._ask_some_child(request, self._bounded(budget), None)
                    self._looks.put(asked, reply)
                    break
        return _figures(reply, field)

    def _bounded(self, budget: Budget | None) -> Budget:
        if budget is None:
            return Budget(self._wall, self._wall, self._cpu, _FILE_BYTES)
        stall = min(budget.stall, self._stall) if budget.long else budget.stall
        return replace(budget, stall=stall, file_bytes=min(budget.file_bytes, self._file_bytes_max))

    @contextlib.contextmanager
    def _place(
        self, budget: Budget, request: dict[str, Any], asked: Question | None = None
    ) -> Iterator[bool]:
        """A place for the request: True; False when an equal one has been answered meanwhile."""
        who = requester.current()
        turns, patience = (self._long, _LONG_WAIT) if budget.long else (self._short, self._patience)
        patience = math.inf if who.is_job else patience

        def answered() -> bool:
            return asked is not None and asked in self._looks

        with contextlib.ExitStack() as stack:
            try:
                mine = stack.enter_context(turns.turn(who, patience, asked, answered))
            except NoTurn as error:
                words = check.waiting if error.own else check.busy
                raise words(request["name"], request["field"], request["kind"]) from None
            except Closed:
                raise ShuttingDown("Wan Studio is shutting down.") from None
            yield mine

    def _ask_some_child(self, request: dict[str, Any], budget: Budget, progress: Progress | None) -> Reply:
        """The reply of a warm child or, when that one dies, of a fresh one: the fault may have been an
        earlier file's, or the machine's out-of-memory killer."""
        name, field, kind = request["name"], request["field"], request["kind"]
        for last_try in (False, True):
            child = self._take()
            keep = False
            try:
                reply = child.ask(request, budget, progress)
                # What a long piece of work took from the system, only the end of the process gives back.
                keep = child.served < self._requests_per_child and not budget.long
                return reply
            except ChildHung as error:
                raise check.too_heavy(name, field, str(error), kind) from error
            except ChildDied as error:
                if self._closed:
                    raise ShuttingDown("Wan Studio is shutting down.") from error
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
                raise ShuttingDown("Wan Studio is shutting down.")
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


def _figures(reply: Reply, field: str) -> dict[str, Any]:
    """The figures of a reply. Raises the error in it, for the field of this request: the reply may be that to
    an equal request for another one."""
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

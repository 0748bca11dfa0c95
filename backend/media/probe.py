"""Decoder: looks at and rewrites pictures and videos in child processes that can die without harm.

At most `workers` children, started when first needed and kept warm. A child that dies, hangs or answers
junk is killed and replaced; the file it was given is refused with BadMedia. All methods may be called
from any thread. Arguments that methods share: `name` is the file's name in sentences (default: the path's
base name), `field` the parameter that the error names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from backend.errors import InternalError, StudioError
from backend.media import check
from backend.media.facts import MAX_STORED_SIDE, PictureFacts, StoredMedia, VideoFacts

__all__ = ["Decoder", "PictureFacts", "StoredMedia", "VideoFacts"]

_ROOT = Path(__file__).resolve().parents[2]
# Nothing of the app's environment (addresses, keys) is a decoder's business; these find Python's parts.
_KEPT_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_MAX_REPLY = 65_536
_REQUESTS_PER_CHILD = 200
_MEDIA_FOLDER = "wan-studio"
_SIZE: dict[str, type] = {"width": int, "height": int}
# What the child answers to each operation; anything else is junk. A child that opened a stranger's file
# is not believed further than that.
ANSWERS: dict[str, dict[str, type]] = {
    "ping": {},
    "picture": {**_SIZE, "format": str, "frames": int, "note": str, "bytes": int},
    "normalise": _SIZE,
    "poster": _SIZE,
    "last_frame": _SIZE,
    "video": {
        **_SIZE,
        "frames": int,
        "fps": float,
        "seconds": float,
        "codec": str,
        "pix_fmt": str,
        "has_audio": bool,
    },
}


class _ChildDied(Exception):
    """The process ended, or answered something that is no answer."""

    def __init__(self, message: str, returncode: int | None) -> None:
        super().__init__(message)
        self.returncode = returncode


class _ChildHung(Exception):
    """No answer in time."""


class _Child:
    """One process and its two pipes; used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        kept = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=_ROOT,
            # One arena: each further one would take 64 MB of the child's address space.
            env={**kept, "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,  # Ctrl+C in the terminal is the app's to handle
        )
        self.served = 0

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """One request, one reply. Raises _ChildDied or _ChildHung; the child is of no use then."""
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: S101
        number, self.served = self.served, self.served + 1
        try:
            self.process.stdin.write(json.dumps({**request, "id": number}).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise self._died(str(error)) from error
        answers = select.poll()  # not select(): a busy server has file numbers above 1024
        answers.register(self.process.stdout, select.POLLIN)
        until, reply = time.monotonic() + seconds, b""
        while not reply.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not answers.poll(left * 1000):
                raise _ChildHung(f"no answer in {seconds:g} s")
            piece = os.read(self.process.stdout.fileno(), _MAX_REPLY)
            reply += piece
            if not piece:
                raise self._died("ended without an answer")
            if len(reply) > _MAX_REPLY:
                raise self._died("answered too much")
        try:
            answer = json.loads(reply)
            if answer["id"] != number:
                raise ValueError("not the answer to this request")
            if "error" in answer:
                return {"error": {str(key): str(value) for key, value in answer["error"].items()}}
            for key, kind in ANSWERS[request["op"]].items():
                if type(answer["ok"][key]) is not kind:
                    raise ValueError(f"{key} is no {kind.__name__}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._died(f"answered junk: {error}") from error
        return {"ok": {key: answer["ok"][key] for key in ANSWERS[request["op"]]}}

    def _died(self, why: str) -> _ChildDied:
        try:
            code = self.process.wait(0.3)
        except subprocess.TimeoutExpired:
            code = None
        return _ChildDied(f"{why} (exit code {code})", code)

    def stop(self) -> None:
        """Kill the process and take its exit code; nothing stays behind."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Decoder:
    """See the module. `max_file_mb` 0 means no limit; `wall_seconds` bounds one request,
    `memory_mb` a child's address space; `command` is for tests."""

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
        self._places = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False

    def picture(self, path: str | Path, *, name: str = "", field: str = "image") -> PictureFacts:
        """Facts about the picture. It is decoded as a whole, so what passes here can be used.

        Raises BadMedia.
        """
        ok = self._ask("picture", path, name, field, max_mb=self._max_mb)
        return PictureFacts(**ok)

    def normalise(
        self,
        src: str | Path,
        dst: str | Path,
        *,
        pad_to: tuple[int, int] | None = None,
        max_side: int = MAX_STORED_SIDE,
        name: str = "",
        field: str = "image",
    ) -> StoredMedia:
        """Write the picture to the file `dst` as a clean PNG: upright, sRGB, opaque, no metadata, at most
        `max_side` pixels a side, or in exactly the ratio of `pad_to` (width, height) with soft edges.

        Equal pictures give equal bytes and so equal names. Raises BadMedia, DiskFull.
        """
        extra = {"pad_to": pad_to, "max_side": max_side, "max_mb": self._max_mb}
        return self._write("normalise", src, dst, ".png", name, field, **extra)

    def poster(self, video: str | Path, dst: str | Path, max_side: int = 640) -> StoredMedia:
        """Write the video's first frame to the file `dst` as JPEG. Raises BadMedia, DiskFull."""
        return self._write("poster", video, dst, ".jpg", max_side=max_side)

    def last_frame(self, video: str | Path, dst: str | Path) -> StoredMedia:
        """Write the video's last frame to the file `dst` as PNG, full size. Raises BadMedia, DiskFull."""
        return self._write("last_frame", video, dst, ".png")

    def video_facts(self, video: str | Path) -> VideoFacts:
        """Size, frames, rate and codec of an MP4 or WebM. Raises BadMedia."""
        return VideoFacts(**self._ask("video", video, "", ""))

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

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ping(self) -> None:
        with contextlib.suppress(StudioError):  # the first picture will meet it again, and say it
            self._ask("ping", "", "", "")

    def _write(
        self,
        op: str,
        src: str | Path,
        dst: str | Path,
        suffix: str,
        name: str = "",
        field: str = "",
        **extra: Any,
    ) -> StoredMedia:
        target = Path(dst)
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            ok = self._ask(op, src, name, field, out=str(part.absolute()), **extra)
            if not part.is_file():
                raise check.damaged(name or Path(src).name, field, "the child wrote nothing")
            content = part.read_bytes()  # bounded by the child's file size limit
            digest = hashlib.sha256(content).hexdigest()[:32]
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return StoredMedia(
            target, f"{_MEDIA_FOLDER}/{digest}{suffix}", ok["width"], ok["height"], len(content)
        )

    def _ask(self, op: str, path: str | Path, name: str, field: str, **extra: Any) -> dict[str, Any]:
        name = name or Path(path).name
        request = {"op": op, "path": str(Path(path).absolute()), "name": name, "field": field, **extra}
        if not self._places.acquire(timeout=4 * self._wall):
            raise check.busy(name, field)
        try:
            reply = self._ask_some_child(request)
        finally:
            self._places.release()
        if "ok" in reply:
            return reply["ok"]
        error = StudioError.from_dict(reply["error"])
        error.detail = reply["error"].get("detail", "")
        raise error

    def _ask_some_child(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply of a warm child or, when that one dies, of a fresh one: the fault may have been an
        earlier file's, or the machine's out-of-memory killer."""
        name, field = request["name"], request["field"]
        for last_try in (False, True):
            child = self._take()
            keep = False
            try:
                reply = child.ask(request, self._wall)
                keep = child.served < _REQUESTS_PER_CHILD
                return reply
            except _ChildHung as error:
                raise check.too_heavy(name, field, str(error)) from error
            except _ChildDied as error:
                if self._closed:
                    raise InternalError("Wan Studio is shutting down.") from error
                if error.returncode == -signal.SIGXCPU:
                    raise check.too_heavy(name, field, "used up its CPU time") from error
                if last_try:
                    raise check.damaged(name, field, str(error)) from error
            finally:
                self._give_back(child, keep)
        raise AssertionError  # the second try returns or raises

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise InternalError("Wan Studio is shutting down.")
            child = self._idle.pop() if self._idle else _Child(self._command)
            self._busy.add(child)
            return child

    def _give_back(self, child: _Child, keep: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            keep = keep and not self._closed
            if keep:
                self._idle.append(child)
        if not keep:
            child.stop()

"""One child process and the line it is spoken to by: asked, bounded in time, killed.

The child answers each request with one line; before it, it may say how far it is ({"id", "progress"}).
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[float], None]

_ROOT = Path(__file__).resolve().parents[2]
# Nothing of the app's environment (addresses, keys) is a decoder's business; these find Python's parts.
_KEPT_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_MAX_REPLY = 65_536
_SIZE: dict[str, type] = {"width": int, "height": int}
_CLIP: dict[str, type] = {**_SIZE, "frames": int, "fps": float}
# What the child answers to each operation; anything else is junk. A child that opened a stranger's file
# is not believed further than that.
ANSWERS: dict[str, dict[str, type]] = {
    "ping": {},
    "picture": {**_SIZE, "format": str, "frames": int, "note": str, "bytes": int},
    "normalise": _SIZE,
    "poster": _SIZE,
    "video": {
        **_CLIP,
        "seconds": float,
        "codec": str,
        "pix_fmt": str,
        "has_audio": bool,
        "rotated": int,
        "variable": bool,
        "note": str,
    },
    "sound": {
        "seconds": float,
        "rate": int,
        "channels": int,
        "codec": str,
        "peak": float,
        "silent": bool,
        "note": str,
    },
    "waveform": {"peaks": list},
    "cut_sound": {"seconds": float},
    "cut_video": _CLIP,
    "squeeze_picture": _SIZE,
    "squeeze_sound": {"seconds": float},
    "frames_to_video": _CLIP,
    "join": _CLIP,
}
ANSWERS["result"] = ANSWERS["video"]


@dataclass(frozen=True)
class Budget:
    """What one request may take: seconds in all, seconds without a sign of life, CPU seconds, bytes of a
    written file. `long`: one at a time, in a process of its own."""

    wall: float
    stall: float
    cpu: float
    file_bytes: int
    long: bool = False


class ChildDied(Exception):
    """The process ended, or answered something that is no answer."""

    def __init__(self, message: str, returncode: int | None) -> None:
        super().__init__(message)
        self.returncode = returncode


class ChildHung(Exception):
    """No answer in time."""


class Child:
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
            # One arena: each further one would take 64 MB of the child's address space. The child starts no
            # program, but pydub cannot be imported without a PATH.
            env={**kept, "PATH": "", "PYTHONUTF8": "1", "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,  # Ctrl+C in the terminal is the app's to handle
        )
        self.served = 0

    def ask(
        self, request: dict[str, Any], budget: Budget, progress: Progress | None = None
    ) -> dict[str, Any]:
        """One request, one reply. Raises ChildDied or ChildHung, or what `progress` raises; the child is
        of no use then."""
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: S101
        number, self.served = self.served, self.served + 1
        bounds = {"cpu_seconds": budget.cpu, "file_bytes": budget.file_bytes}
        try:
            self.process.stdin.write(json.dumps({**request, **bounds, "id": number}).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise self._died(str(error)) from error
        answers = select.poll()  # not select(): a busy server has file numbers above 1024
        answers.register(self.process.stdout, select.POLLIN)
        until, said = time.monotonic() + budget.wall, b""
        while True:
            left = min(until - time.monotonic(), budget.stall)
            if left <= 0 or not answers.poll(left * 1000):
                raise ChildHung(f"no answer in {budget.wall:g} s, or nothing for {budget.stall:g} s")
            piece = os.read(self.process.stdout.fileno(), _MAX_REPLY)
            said += piece
            if not piece:
                raise self._died("ended without an answer")
            *lines, said = said.split(b"\n")
            for line in lines:
                try:
                    reply = _understood(line, number, request["op"])
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise self._died(f"answered junk: {error}") from error
                if isinstance(reply, dict):
                    return reply
                if progress is not None:
                    progress(reply)
            if len(said) > _MAX_REPLY:
                raise self._died("answered too much")

    def _died(self, why: str) -> ChildDied:
        try:
            code = self.process.wait(0.3)
        except subprocess.TimeoutExpired:
            code = None
        return ChildDied(f"{why} (exit code {code})", code)

    def stop(self) -> None:
        """Kill the process and take its exit code; nothing stays behind."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _understood(line: bytes, number: int, op: str) -> dict[str, Any] | float:
    """The reply, or a share (0..1) of the work that is done. Raises ValueError and others for junk."""
    answer = json.loads(line)
    if answer["id"] != number:
        raise ValueError("not the answer to this request")
    if "progress" in answer:
        return min(1.0, max(0.0, float(answer["progress"])))
    if "error" in answer:
        return {"error": {str(key): str(value) for key, value in answer["error"].items()}}
    for key, kind in ANSWERS[op].items():
        if type(answer["ok"][key]) is not kind:
            raise ValueError(f"{key} is no {kind.__name__}")
    ok = {key: answer["ok"][key] for key in ANSWERS[op]}
    if "peaks" in ok:
        ok["peaks"] = [min(1.0, max(0.0, float(peak))) for peak in ok["peaks"]]
    return {"ok": ok}

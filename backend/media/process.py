"""One child process of the decoder and its pipes: sends a request, waits for the reply, kills the process.

The child replies to each request with one line; progress reports ({"id", "progress"}) may come before it.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.error_texts import media_notes
from backend.notices import readable
from workflows.notice import Notice

Progress = Callable[[float], None]

_ROOT = Path(__file__).resolve().parents[2]
# The child gets none of the app's environment (addresses, keys), except what Python needs to find its
# modules.
_KEPT_ENVIRONMENT = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH")
_MAX_REPLY = 65_536
_SIZE: dict[str, type] = {"width": int, "height": int}
_CLIP: dict[str, type] = {**_SIZE, "frames": int, "fps": float}
# The fields of the reply to each operation; any other reply is invalid. A child that opened an untrusted file
# is not trusted itself.
REPLIES: dict[str, dict[str, type]] = {
    "ping": {},
    "lit": {"lit": bool},
    "picture": {**_SIZE, "format": str, "frames": int, "notes": list, "bytes": int},
    "normalise": _SIZE,
    "poster": _SIZE,
    "frame": _SIZE,
    "video": {
        **_CLIP,
        "seconds": float,
        "codec": str,
        "pix_fmt": str,
        "has_audio": bool,
        "rotated": int,
        "variable": bool,
        "notes": list,
        "mirrored": bool,
        "channels": int,
        "sound_lost": bool,
    },
    "sound": {
        "seconds": float,
        "rate": int,
        "channels": int,
        "codec": str,
        "peak": float,
        "silent": bool,
        "notes": list,
    },
    "waveform": {"peaks": list},
    "cut_sound": {"seconds": float},
    "cut_video": _CLIP,
    "compress_picture": _SIZE,
    "preview": _SIZE,
    "compress_sound": {"seconds": float},
    "frames_to_video": _CLIP,
    "video_sheet": _CLIP,
    "picture_sheet": _SIZE,
    "join": _CLIP,
    "last_frames": _CLIP,
    "with_sound": _CLIP,
    "extension": {**_CLIP, "counts": list, "seams": list},
    "loop_seam": {"jump": float, "usual": float, "brightness": float, "colour": float, "frames": float},
    "metadata": {},
    "with_metadata": {},
    "strip": {},
}
REPLIES["result"] = REPLIES["video"]


@dataclass(frozen=True)
class Budget:
    """Limits of one request: `wall` seconds in all, `stall` seconds without a progress report, `cpu` seconds,
    bytes of a written file. `long`: one such request at a time, in its own process."""

    wall: float
    stall: float
    cpu: float
    file_bytes: int
    long: bool = False


class ChildDied(Exception):
    """The process ended or sent an invalid reply."""

    def __init__(self, message: str, returncode: int | None) -> None:
        super().__init__(message)
        self.returncode = returncode


class ChildHung(Exception):
    """The process did not reply in time."""


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
            start_new_session=True,  # Ctrl+C in the terminal reaches the app only
        )
        self.served = 0

    def ask(
        self, request: dict[str, Any], budget: Budget, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Sends a request and returns the reply. Raises ChildDied or ChildHung, or what `progress` raises;
        the child cannot be used after that."""
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: S101
        number, self.served = self.served, self.served + 1
        bounds = {"cpu_seconds": budget.cpu, "file_bytes": budget.file_bytes}
        try:
            self.process.stdin.write(json.dumps({**request, **bounds, "id": number}).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise self._died(str(error)) from error
        poll = select.poll()  # not select(), which fails for file descriptors above 1024
        poll.register(self.process.stdout, select.POLLIN)
        deadline, received = time.monotonic() + budget.wall, b""
        while True:
            left = min(deadline - time.monotonic(), budget.stall)
            if left <= 0 or not poll.poll(left * 1000):
                raise ChildHung(f"no reply in {budget.wall:g} s, or no progress for {budget.stall:g} s")
            chunk = os.read(self.process.stdout.fileno(), _MAX_REPLY)
            received += chunk
            if not chunk:
                raise self._died("ended without a reply")
            *lines, received = received.split(b"\n")
            for line in lines:
                try:
                    reply = _parsed(line, number, request["op"])
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                    raise self._died(f"invalid reply: {error}") from error
                if isinstance(reply, dict):
                    return reply
                if progress is not None:
                    progress(reply)
            if len(received) > _MAX_REPLY:
                raise self._died("reply too long")

    def _died(self, why: str) -> ChildDied:
        try:
            code = self.process.wait(0.3)
        except subprocess.TimeoutExpired:
            code = None
        return ChildDied(f"{why} (exit code {code})", code)

    def stop(self) -> None:
        """Kills the process, waits for it and closes the pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _parsed(line: bytes, number: int, op: str) -> dict[str, Any] | float:
    """The reply, or the share of the work that is done (0..1). Raises ValueError and others if it is
    invalid."""
    reply = json.loads(line)
    if reply["id"] != number:
        raise ValueError("not the reply to this request")
    if "progress" in reply:
        return min(1.0, max(0.0, float(reply["progress"])))
    if "error" in reply:
        return {"error": _error(reply["error"])}
    for key, kind in REPLIES[op].items():
        if type(reply["ok"][key]) is not kind:
            raise ValueError(f"{key} is not {kind.__name__}")
    ok = {key: reply["ok"][key] for key in REPLIES[op]}
    if "peaks" in ok:
        ok["peaks"] = [min(1.0, max(0.0, float(peak))) for peak in ok["peaks"]]
    if "notes" in ok:
        ok["notes"] = tuple(map(_note, ok["notes"]))
    if "counts" in ok and not all(type(count) is int and count > 0 for count in ok["counts"]):
        raise ValueError("counts are not numbers of frames")
    if "seams" in ok:
        ok["seams"] = [_seam(each) for each in ok["seams"]]
    return {"ok": ok}


def _seam(data: Any) -> dict[str, Any]:
    """The fields of a Seam. Raises ValueError and others for anything else."""
    figures = {name: float(data[name]) for name in ("brightness", "colour", "motion")}
    if type(data["doubled"]) is not bool or not all(map(math.isfinite, figures.values())):
        raise ValueError(f"not a seam: {data!r:.60}")
    return {"doubled": data["doubled"], **figures}


def _note(data: object) -> Notice:
    """A note of the catalogue. Raises ValueError for anything else."""
    note = Notice.from_json(data)
    if note.code not in media_notes.TEXTS or not readable(note):
        raise ValueError(f"not a note about a file: {data!r:.60}")
    return note


def _error(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of an error: texts, and its reason as an object."""
    reason = fields.get("reason")
    texts = {str(key): str(value) for key, value in fields.items() if key != "reason"}
    return {**texts, "reason": reason} if isinstance(reason, dict) else texts

"""The process that opens strangers' files: `python -m backend.media.child '{"memory_mb": ..}'`.

It bounds itself first (memory, CPU time, size of written files, no core dumps), then answers one JSON
line on stdout for each on stdin: {"id", "op", ...} -> {"id", "ok": {...}} or {"id", "error": {...}}. Only
paths and figures cross the pipe. The end of stdin is the end of the process, so it never outlives the app.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.errors import BadMedia, DiskFull, InternalError, StudioError

FILE_BYTES = 64_000_000
OPEN_FILES = 64


def bound(memory_mb: int) -> None:
    """Limits for the whole life of the process. One that the system does not know is left out."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, FILE_BYTES)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_AS, memory_mb * 1_000_000)
    with contextlib.suppress(OSError):  # when memory runs out, Linux shall end this process, not the app
        Path("/proc/self/oom_score_adj").write_text("900")


def bound_cpu(seconds: int) -> None:
    """CPU time for the next request. The kernel counts from the start of the process: add what is used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS has no RLIMIT_AS worth the name
        resource.setrlimit(which, (value, value))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request, without its id. Raises StudioError, or whatever a decoder raises."""
    from backend.media import normalise, video

    op, path, name = request["op"], request.get("path", ""), request.get("name", "")
    field, max_mb = request.get("field", ""), request.get("max_mb", 0)
    if op == "ping":
        return {}
    if op == "picture":
        return asdict(normalise.look(path, name, field, max_mb))
    if op == "normalise":
        pad = request["pad_to"]
        size = normalise.rewrite(
            path, request["out"], name, field, max_mb, (pad[0], pad[1]) if pad else None, request["max_side"]
        )
    elif op == "video":
        return asdict(video.facts(path, name))
    elif op == "poster":
        size = video.first_frame(path, request["out"], name, request["max_side"])
    elif op == "last_frame":
        size = video.last_frame(path, request["out"], name)
    else:
        raise InternalError(f"No such operation: {op}")
    return {"width": size[0], "height": size[1]}


def as_error(error: BaseException, name: str, field: str) -> StudioError:
    """The error that the other side raises. Whatever a decoder throws at us is the file's fault."""
    from backend.media import check

    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:]
    if isinstance(error, StudioError):
        return error
    if isinstance(error, MemoryError):
        return check.too_heavy(name, field, detail)
    if isinstance(error, ImportError):
        return InternalError("A part that opens pictures is not installed.", detail=detail)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The disk is full: the picture could not be kept.", detail=detail)
    if isinstance(error, OSError) and error.errno is not None:
        return InternalError("The picture could not be kept.", detail=detail)
    return check.damaged(name, field, detail)


def main() -> None:
    """Serve stdin until its end."""
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    bound(int(settings.get("memory_mb", 2000)))
    cpu_seconds = int(settings.get("cpu_seconds", 15))
    # A library that prints must not speak on the line that the answers take.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        bound_cpu(cpu_seconds)
        reply: dict[str, Any] = {"id": request["id"]}
        try:
            reply["ok"] = answer(request)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            fault = as_error(error, request.get("name", ""), request.get("field", ""))
            kind = "disk_full" if isinstance(fault, DiskFull) else "bad_media"
            kind = kind if isinstance(fault, (DiskFull, BadMedia)) else "internal_error"
            reply["error"] = {**fault.to_dict(), "code": kind, "detail": fault.detail}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()

"""The process that opens strangers' files: `python -m backend.media.child '{"memory_mb": ..}'`.

It bounds itself first (memory, CPU time, size of written files, no core dumps), then answers one JSON
line on stdout for each on stdin: {"id", "op", ...} -> {"id", "ok": {...}} or {"id", "error": {...}}, after
some {"id", "progress": 0..1} when the work is long. Only paths and figures cross the pipe. The end of
stdin is the end of the process, so it never outlives the app.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from backend.errors import BadMedia, DiskFull, InternalError, StudioError
from backend.media.budget import FILE_BYTES_MAX

FILE_BYTES = 64_000_000
"""Of a written file, unless the request says more."""
_SAY_SECONDS = 0.5
OPEN_FILES = 64


def bound(memory_mb: int) -> None:
    """Limits for the whole life of the process. One that the system does not know is left out."""
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES_MAX)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_AS, memory_mb * 1_000_000)
    with contextlib.suppress(OSError):  # when memory runs out, Linux shall end this process, not the app
        Path("/proc/self/oom_score_adj").write_text("900")


def bound_cpu(seconds: int) -> None:
    """CPU time for the next request. The kernel counts from the start of the process: add what is used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def bound_file(bytes_: int) -> None:
    """Size of what the next request may write; never above FILE_BYTES_MAX."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    soft = bytes_ if hard == resource.RLIM_INFINITY else min(bytes_, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _limit(which: int, value: int, at_most: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    at_most = at_most or value
    if hard != resource.RLIM_INFINITY:
        value, at_most = min(value, hard), min(at_most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS has no RLIMIT_AS worth the name
        resource.setrlimit(which, (value, at_most))


def answer(request: dict[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
    """The answer to one request, without its id. Raises StudioError, or whatever a decoder raises."""
    from backend.media import pictures

    op, path, name = request["op"], request.get("path", ""), request.get("name", "")
    field, max_mb = request.get("field", ""), request.get("max_mb", 0)
    if op == "ping":
        return {}
    if op == "picture":
        return asdict(pictures.look(path, name, field, max_mb))
    if op == "normalise":
        pad = request["pad_to"]
        size = pictures.rewrite(
            path, request["out"], name, field, max_mb, (pad[0], pad[1]) if pad else None, request["max_side"]
        )
    else:
        return _moving(op, path, name, field, max_mb, request, progress)
    return {"width": size[0], "height": size[1]}


def _moving(
    op: str,
    path: str,
    name: str,
    field: str,
    max_mb: int,
    request: dict[str, Any],
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """The answers about sounds and videos; PyAV takes its memory and time only when they are asked."""
    from backend.media import clip, compress, join, sound, video

    if op == "sound":
        return asdict(sound.facts(path, name, field, max_mb))
    if op == "video":
        return asdict(clip.facts(path, name, field, max_mb))
    if op == "result":
        return asdict(video.facts(path, name))
    if op == "waveform":
        return {"peaks": sound.waveform(path, name, field, request["points"])}
    if op == "cut_sound":
        part = (request["start"], request["seconds"], request["silence"], request["level"])
        return {"seconds": sound.cut(path, request["out"], name, field, *part, progress)}
    if op == "squeeze_picture":
        return _size(
            *compress.picture(path, request["out"], name, field, request["max_side"], request["quality"])
        )
    if op == "squeeze_sound":
        bounds = (request["start"], request["seconds"], request["kbps"])
        return {"seconds": compress.sound(path, request["out"], name, field, *bounds, progress)}
    if op == "poster":
        return _size(*video.first_frame(path, request["out"], name, request["max_side"]))
    if op == "cut_video":
        wide, high = request["size"]
        part = (request["start"], request["seconds"], request["fps"], (wide, high))
        rest = (request["first_frame"], request["frames"], request["lossless"], request["crf"])
        return _clip(*clip.cut(path, request["out"], name, field, *part, *rest, progress))
    if op == "frames_to_video":
        fps = request["fps"]
        return _clip(*join.frames_to_video(request["paths"], request["out"], name, fps, progress), fps)
    if op == "join":
        laid = (request["sound"], request["frames"])
        return _clip(*join.join(request["paths"], request["out"], name, *laid, progress))
    raise InternalError(f"No such operation: {op}")


def _size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height}


def _clip(width: int, height: int, frames: int, fps: float) -> dict[str, Any]:
    return {"width": width, "height": height, "frames": frames, "fps": float(fps)}


def as_error(error: BaseException, name: str, field: str, kind: str = "picture") -> StudioError:
    """The error that the other side raises. Whatever a decoder throws at us is the file's fault."""
    from backend.media import check

    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:]
    if isinstance(error, StudioError):
        return error
    if isinstance(error, MemoryError):
        return check.too_heavy(name, field, detail, kind)
    if isinstance(error, ImportError):
        return InternalError(f"A part that opens {kind}s is not installed.", detail=detail)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"The disk is full: the {kind} could not be kept.", detail=detail)
    if isinstance(error, OSError) and error.errno is not None:
        return InternalError(f"The {kind} could not be kept.", detail=detail)
    return check.damaged(name, field, detail)


def may_pass(error: BaseException) -> bool:
    """Whether the fault may be the machine's and not the file's: then another try is worth it."""
    origin = error.__context__ if isinstance(error, StudioError) else error
    if isinstance(origin, OSError):  # Pillow raises some without a number, for damaged files
        return origin.errno not in (None, errno.ENOENT, errno.ENOTDIR)
    return isinstance(origin, MemoryError)


def main(say_seconds: float = _SAY_SECONDS) -> None:
    """Serve stdin until its end. say_seconds: between two reports of progress."""
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    bound(int(settings.get("memory_mb", 2000)))
    cpu_seconds = int(settings.get("cpu_seconds", 15))
    # A library that prints must not speak on the line that the answers take.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        bound_cpu(int(request.get("cpu_seconds", cpu_seconds)))
        bound_file(int(request.get("file_bytes", FILE_BYTES)))
        reply: dict[str, Any] = {"id": request["id"]}
        try:
            reply["ok"] = answer(request, _teller(replies, request["id"], say_seconds))
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            name, field = request.get("name", ""), request.get("field", "")
            fault = as_error(error, name, field, request.get("kind", "picture"))
            kind = "disk_full" if isinstance(fault, DiskFull) else "bad_media"
            kind = kind if isinstance(fault, (DiskFull, BadMedia)) else "internal_error"
            reply["error"] = {**fault.to_dict(), "code": kind, "detail": fault.detail}
            if may_pass(error):
                reply["error"]["passing"] = "yes"
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _teller(replies: TextIO, number: int, say_seconds: float) -> Callable[[float], None]:
    """Says how far the work is, now and then; also the sign that it does not hang."""
    said = time.monotonic()

    def tell(share: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= say_seconds:
            said = now
            replies.write(json.dumps({"id": number, "progress": round(share, 4)}) + "\n")
            replies.flush()

    return tell


if __name__ == "__main__":
    main()

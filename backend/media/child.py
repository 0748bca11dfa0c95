"""The child process that opens untrusted files: `python -m backend.media.child '{"memory_mb": ..}'`.

It first limits itself (memory, CPU time, size of written files, no core dumps). Then it reads one JSON
request a line from stdin and writes one reply a line to stdout: {"id", "op", ...} -> {"id", "ok": {...}} or
{"id", "error": {...}}, after {"id", "progress": 0..1} during long work. Only paths and numbers cross the
pipe. The process ends with the end of stdin, so it never outlives the app.
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
from backend.media.facts import PictureFacts, SoundFacts, VideoFacts

FILE_BYTES = 64_000_000
"""The default limit of a written file."""
_PROGRESS_SECONDS = 0.5
OPEN_FILES = 64


def limit_process(memory_mb: int) -> None:
    """Sets the limits of the process. Skips those that the system does not support."""
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES_MAX)
    _set_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _set_limit(resource.RLIMIT_AS, memory_mb * 1_000_000)
    with contextlib.suppress(OSError):  # when memory runs out, Linux kills this process before the app
        Path("/proc/self/oom_score_adj").write_text("900")


def limit_cpu(seconds: int) -> None:
    """Limits the CPU time of the next request. The kernel counts from the process start, so used time is
    added."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def limit_file(bytes_: int) -> None:
    """Limits the size of a file that the next request writes; at most FILE_BYTES_MAX."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    soft = bytes_ if hard == resource.RLIM_INFINITY else min(bytes_, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _set_limit(which: int, value: int, at_most: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    at_most = at_most or value
    if hard != resource.RLIM_INFINITY:
        value, at_most = min(value, hard), min(at_most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS does not enforce RLIMIT_AS
        resource.setrlimit(which, (value, at_most))


def reply_to(request: dict[str, Any], progress: Callable[[float], None]) -> dict[str, Any]:
    """The reply to one request, without its id. Raises StudioError, or whatever a decoder raises."""
    from backend.media import lit, pictures

    op, path, name = request["op"], request.get("path", ""), request.get("name", "")
    field, max_mb = request.get("field", ""), request.get("max_mb", 0)
    if op == "ping":
        return {}
    if op == "picture":
        return _facts(pictures.look(path, name, field, max_mb))
    if op == "lit":
        return {"lit": lit.any_light(path)}
    if op == "preview":
        return _size(*pictures.preview(path, request["out"], name, request["max_side"]))
    if op == "normalise":
        pad = request["pad_to"]
        size = pictures.rewrite(
            path, request["out"], name, field, max_mb, (pad[0], pad[1]) if pad else None, request["max_side"]
        )
    else:
        return _of_upload(op, path, name, field, max_mb, request, progress)
    return {"width": size[0], "height": size[1]}


def _of_upload(
    op: str,
    path: str,
    name: str,
    field: str,
    max_mb: int,
    request: dict[str, Any],
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Replies about uploaded sounds and videos. PyAV is imported here, because it takes memory and time."""
    from backend.media import clip, compress, sound

    if op == "sound":
        return _facts(sound.facts(path, name, field, max_mb))
    if op == "video":
        return _facts(clip.facts(path, name, field, max_mb))
    if op == "waveform":
        return {"peaks": sound.waveform(path, name, field, request["points"])}
    if op == "cut_sound":
        part = (request["start"], request["seconds"], request["silence"], request["level"])
        return {"seconds": sound.cut(path, request["out"], name, field, *part, progress)}
    if op == "compress_picture":
        return _size(
            *compress.picture(path, request["out"], name, field, request["max_side"], request["quality"])
        )
    if op == "compress_sound":
        bounds = (request["start"], request["seconds"], request["kbps"])
        return {"seconds": compress.sound(path, request["out"], name, field, *bounds, progress)}
    if op == "cut_video":
        wide, high = request["size"]
        part = (request["start"], request["seconds"], request["fps"], (wide, high))
        rest = (request["first_frame"], request["frames"], request["lossless"], request["crf"])
        return _clip(*clip.cut(path, request["out"], name, field, *part, *rest, progress))
    return _of_result(op, path, name, field, request, progress)


def _of_result(
    op: str,
    path: str,
    name: str,
    field: str,
    request: dict[str, Any],
    progress: Callable[[float], None],
) -> dict[str, Any]:
    """Replies about finished videos and pictures, which may be made of several."""
    from backend.media import frame, join, metadata, part_operations, sheet, strip, video

    if op in part_operations.OPERATIONS:
        return part_operations.reply(op, path, name, request, progress)
    if op == "result":
        return _facts(video.facts(path, name))
    if op == "loop_seam":
        from backend.media import loop_seam

        return dict(loop_seam.loop_seam(path, name, progress))
    if op == "poster":
        return _size(*video.first_frame(path, request["out"], name, request["max_side"]))
    if op == "frame":
        return _size(*frame.write(path, request["out"], name, field, request["number"]))
    if op == "frames_to_video":
        fps = request["fps"]
        return _clip(*join.frames_to_video(request["paths"], request["out"], name, fps, progress), fps)
    if op == "video_sheet":
        return _clip(*sheet.videos(request["paths"], request["out"], name, progress))
    if op == "picture_sheet":
        return _size(*sheet.pictures(request["paths"], request["out"], name))
    if op == "metadata":
        metadata.extract(path, request["out"], name)
        return {}
    if op == "with_metadata":
        metadata.write(path, request["out"], name, request["texts"])
        return {}
    if op == "strip":
        strip.strip(path, request["out"], name)
        return {}
    if op == "join":
        laid = (request["sound"], request["frames"])
        return _clip(*join.join(request["paths"], request["out"], name, *laid, progress))
    raise InternalError.of("no_such_operation", operation=str(op))


def _facts(facts: PictureFacts | SoundFacts | VideoFacts) -> dict[str, Any]:
    return {**asdict(facts), "notes": [note.to_json() for note in facts.notes]}


def _size(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height}


def _clip(width: int, height: int, frames: int, fps: float) -> dict[str, Any]:
    return {"width": width, "height": height, "frames": frames, "fps": float(fps)}


def as_error(error: BaseException, name: str, field: str, kind: str = "picture") -> StudioError:
    """The error for the reply. Any other exception of a decoder means a damaged file."""
    from backend.media import check

    detail = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-4000:]
    if isinstance(error, StudioError):
        return error
    if isinstance(error, MemoryError):
        return check.too_heavy(name, field, detail, kind)
    if isinstance(error, ImportError):
        return InternalError.of(f"no_opener_{kind}", detail=detail)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull.of(f"no_room_{kind}", detail=detail)
    if isinstance(error, OSError) and error.errno is not None:
        return InternalError.of(f"not_kept_{kind}", detail=detail)
    return check.damaged(name, field, detail)


def is_transient(error: BaseException) -> bool:
    """Whether the error may be caused by the machine and not by the file, so that a retry may succeed."""
    origin = error.__context__ if isinstance(error, StudioError) else error
    if isinstance(origin, OSError):  # Pillow raises some without a number, for damaged files
        return origin.errno not in (None, errno.ENOENT, errno.ENOTDIR)
    return isinstance(origin, MemoryError)


def main(progress_seconds: float = _PROGRESS_SECONDS) -> None:
    """Serves stdin until its end. progress_seconds: between two progress reports."""
    settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    limit_process(int(settings.get("memory_mb", 2000)))
    cpu_seconds = int(settings.get("cpu_seconds", 15))
    # stdout is for replies: redirect what libraries print.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        limit_cpu(int(request.get("cpu_seconds", cpu_seconds)))
        limit_file(int(request.get("file_bytes", FILE_BYTES)))
        reply: dict[str, Any] = {"id": request["id"]}
        try:
            reply["ok"] = reply_to(request, _progress_reporter(replies, request["id"], progress_seconds))
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            name, field = request.get("name", ""), request.get("field", "")
            fault = as_error(error, name, field, request.get("kind", "picture"))
            kind = "disk_full" if isinstance(fault, DiskFull) else "bad_media"
            kind = kind if isinstance(fault, (DiskFull, BadMedia)) else "internal_error"
            reply["error"] = {**fault.to_dict(), "code": kind, "detail": fault.detail}
            if is_transient(error):
                reply["error"]["transient"] = "yes"
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _progress_reporter(replies: TextIO, number: int, progress_seconds: float) -> Callable[[float], None]:
    """A function that reports the share done, at most every so many seconds; the parent takes it as a
    heartbeat."""
    last = time.monotonic()

    def report(share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= progress_seconds:
            last = now
            replies.write(json.dumps({"id": number, "progress": round(share, 4)}) + "\n")
            replies.flush()

    return report


if __name__ == "__main__":
    main()

"""A full disk on the side of ComfyUI: which of its folders takes nothing more, and on which machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from backend.errors import EngineDiskFull

FOLDERS: Mapping[str, str] = {
    "output": "its output folder",
    "temp": "its temp folder",
    "input": "its input folder",
    "models": "its models folder",
    "": "one of its folders",
}
"""Folder of ComfyUI -> its name within a sentence."""

_IN_PATH = re.compile(r"[/\\](output|temp|input|models)[/\\'\"]", re.IGNORECASE)
_BY_NODE: tuple[tuple[str, str], ...] = (
    (r"Preview", "temp"),
    (r"Save|VideoCombine|WriteVideo|Export", "output"),
    (r"Download", "models"),
)
"""Pattern of a node's class -> the folder that it writes into."""
_INSUFFICIENT_STORAGE = 507
_WORDS = re.compile(
    r"no space left on device|disk quota exceeded|not enough space on the disk|\[Errno (?:28|69|122)\]"
    r"|\[WinError (?:39|112|314|1295)\]",
    re.IGNORECASE,
)


def folder_of(message: str, node: str) -> str:
    """The folder that a node could not write into: from the path in the message, else from what the node
    does; a key of FOLDERS."""
    named = _IN_PATH.findall(message)
    if named:
        return str(named[-1]).lower()  # the innermost: /data/output/ComfyUI/temp/a.png
    return next((folder for pattern, folder in _BY_NODE if re.search(pattern, node)), "")


def refused_for_room(status: int, answer: object) -> bool:
    """Whether the answer to an upload says that the disk is full."""
    return status == _INSUFFICIENT_STORAGE or (status >= 500 and bool(_WORDS.search(str(answer)[:2000])))


def at_upload(detail: str) -> EngineDiskFull:
    """The input folder took no more of an upload."""
    where = FOLDERS["input"]
    error = EngineDiskFull.of("engine_disk_full_here", server="ComfyUI", where=where, detail=detail)
    error.folder = "input"
    return error


def of_server(error: EngineDiskFull, server: str, address: str) -> EngineDiskFull:
    """The error with its machine: that at `address`, or this one without an address. `server`: its name."""
    where, detail, cause = FOLDERS[error.folder], error.detail, error.cause
    if address:
        named = EngineDiskFull.of(
            "engine_disk_full_at", server=server, where=where, address=address, detail=detail, cause=cause
        )
    else:
        named = EngineDiskFull.of(
            "engine_disk_full_here", server=server, where=where, detail=detail, cause=cause
        )
    named.folder = error.folder
    return named


def of_worker(data: Mapping[str, object]) -> EngineDiskFull:
    """The error for the report of a RunPod worker whose disk is full. Workers of earlier versions do not say
    which folder."""
    folder = str(data.get("folder") or "")
    folder = folder if folder in FOLDERS else ""
    detail, cause = str(data.get("message") or ""), str(data.get("cause") or "")
    error = EngineDiskFull.of("runpod_disk_full", where=FOLDERS[folder], detail=detail, cause=cause)
    error.folder = folder
    return error

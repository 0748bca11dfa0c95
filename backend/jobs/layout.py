"""The names of a job's files: in its folder, in download addresses, in the engine's folders."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from backend.errors import from_os_error
from workflows.modes.registry import makes_still

RESULT, STILL, POSTER, WORKFLOW = "result.mp4", "result.png", "poster.jpg", "workflow.json"
INPUTS = "inputs"
"""Subfolder with the files that the job is made from."""
ORIGINALS = "originals"
"""Subfolder with the uploaded pictures as the creator sent them."""
SOURCES = "sources"
"""Subfolder with links to results of other jobs, and frames of them, until the inputs are made from them."""
PARTS = "parts"
"""Subfolder with the files of the parts of a joined video."""
WORK, PLAN = "work", "plan"
"""Subfolder with the job's segments, and the file there that says which plan they are of."""
INPUT = "input"
"""The name under which a job's picture is downloaded."""
DOWNLOADS = {
    RESULT: ".mp4",
    STILL: ".png",
    POSTER: ".jpg",
    WORKFLOW: "-workflow.json",
    INPUT: "-picture.png",
}
"""Every name that can be downloaded -> how the name of the saved file ends."""
ENGINE_FOLDER = "wan-studio"
"""Subfolder of ComfyUI's input and output folders that the studio's files are in."""
PART = ".part"
"""Suffix of a file while it is written."""


def result_name(mode: str) -> str:
    """The name of a mode's finished file: a video or a picture."""
    return STILL if makes_still(mode) else RESULT


def answer_name(mode: str, job_id: str) -> str:
    """The name of a result that the API returns: "wan-fast-video-1f0c2d3e.mp4"."""
    return f"wan-{mode.replace('_', '-')}-{job_id[:8]}{Path(result_name(mode)).suffix}"


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Gives a file that never changes a second name; copies it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def link_whole(source: Path, target: Path) -> None:
    """As link_or_copy; `target` appears in one step and complete, or not at all. Raises OSError, also when
    `source` is not a plain file."""
    if not stat.S_ISREG(source.lstat().st_mode):
        raise FileNotFoundError(f"not a plain file: {source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    part.unlink(missing_ok=True)
    link_or_copy(source, part)
    part.replace(target)


def write_text(path: Path, text: str) -> None:
    """Writes a file atomically. Raises DiskFull, InternalError."""
    part = path.with_name(path.name + PART)
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error) from error

"""The files of a job's folder, by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from backend.errors import from_os_error
from workflows.modes.registry import makes_still

RESULT, STILL, POSTER, WORKFLOW = "result.mp4", "result.png", "poster.jpg", "workflow.json"


def result_name(mode: str) -> str:
    """What the finished file of a mode is called: a video, or a picture."""
    return STILL if makes_still(mode) else RESULT


WORK, PLAN = "work", "plan"


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """A second name for a file that nobody changes; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_text(path: Path, text: str) -> None:
    """A file that is there whole or not at all. Raises DiskFull, InternalError."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise from_os_error(error) from error

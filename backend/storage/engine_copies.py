"""What is ours in ComfyUI's input and output folders, and in the page's cache. Known by its name alone.

Nothing is removed whose name does not hold a job's id or a content's hash, or that lies anywhere but directly
in the subfolder `wan-studio`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.jobs import folders as files

OUTPUT = re.compile(r"[a-z_]+-([0-9a-f]{32})(?:-\d+)?(?:-tail)?_\d+_?\.[a-z0-9]+")
"""What SaveVideo and SaveImage write for us: mode, job id, part, tail, ComfyUI's number."""
TAIL = re.compile(r"([0-9a-f]{32})-\d+-tail\.[a-z]+")
"""Frames that one part of a long job was given from the part before."""
CONTENT = re.compile(r"[0-9a-f]{32,64}(?:-[a-z]+)?(?:\.[a-z0-9]+)?")
PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")


@dataclass(frozen=True)
class Place:
    """A ComfyUI's folders when they are on this machine."""

    input: Path | None = None
    output: Path | None = None


def of_jobs(
    inputs: Iterable[Path | None], outputs: Iterable[Path | None]
) -> Iterator[tuple[str, Path, float]]:
    """(job id, file, unix seconds of its last change): outputs, and the tails among the inputs."""
    for pattern, folders in ((OUTPUT, outputs), (TAIL, inputs)):
        for folder in folders:
            for path, info in files.regular(folder):
                match = pattern.fullmatch(path.name)
                if match:
                    yield match.group(1), path, info.st_mtime


def unused_inputs(folder: Path | None, in_use: set[str], before: float) -> list[Path]:
    """Inputs that no waiting or running job reads and that nobody has touched since `before`, and files
    that a kill left half written."""
    found = []
    for path, info in files.regular(folder):
        ours = (CONTENT.fullmatch(path.name) and path.name not in in_use) or PART.fullmatch(path.name)
        if ours and max(info.st_mtime, info.st_atime) < before:
            found.append(path)
    return found


def named_inputs(folder: Path | None, names: set[str]) -> list[Path]:
    """The inputs with these names (without `wan-studio/`), as far as they are ours."""
    return [
        path
        for path, _ in files.regular(folder)
        if path.name in names and (CONTENT.fullmatch(path.name) or TAIL.fullmatch(path.name))
    ]


def remove_cached(cache: Path | None, name: str, same: set[tuple[int, int]]) -> None:
    """Removes the page's copies of a job's files: hard links to them, and files with names that start with
    `name`."""
    if cache is None:
        return
    with contextlib.suppress(OSError), files.opened(cache) as top:
        for _, _, names, folder in os.fwalk(".", dir_fd=top):
            for each in names:
                with contextlib.suppress(OSError):
                    info = os.stat(each, dir_fd=folder, follow_symlinks=False)
                    if (info.st_dev, info.st_ino) in same or each.startswith(name):
                        os.unlink(each, dir_fd=folder)


def passing(places: Iterable[Place], cache: Path | None, beside: Path) -> int:
    """Bytes that our copies in ComfyUI's folders and the page's files take on the disk of `beside`; a second
    name of a job's file takes none."""
    try:
        disk = beside.stat().st_dev
    except OSError:
        return 0
    folders = {folder for place in places for folder in (place.input, place.output)}
    found = [info for folder in folders for _, info in files.regular(folder)]
    with contextlib.suppress(OSError):
        if cache is not None:
            with files.opened(cache) as top:
                for _, _, names, folder in os.fwalk(".", dir_fd=top):
                    for name in names:
                        with contextlib.suppress(OSError):
                            found.append(os.stat(name, dir_fd=folder, follow_symlinks=False))
    return sum(
        info.st_blocks * 512
        for info in found
        if info.st_dev == disk and info.st_nlink == 1 and stat.S_ISREG(info.st_mode)
    )

"""The studio's files in ComfyUI's input and output folders and in the page's cache, recognised by name.

In ComfyUI's folders only files directly in the subfolder `wan-studio` count, whose name contains a job's id
or the hash of the content.
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

OUTPUT = re.compile(r"[a-z_]+-([0-9a-f]{32})(?:-\d+)?(?:-tail|-faces)?_\d+_?\.[a-z0-9]+")
"""Names of files from SaveVideo and SaveImage: mode, job id, segment, tail or faces, ComfyUI's counter."""
TAIL = re.compile(r"([0-9a-f]{32})-\d+-tail\.[a-z]+")
"""Frames at the end of one segment that the next segment starts from."""
CONTENT = re.compile(r"[0-9a-f]{32,64}(?:-[a-z]+)?(?:\.[a-z0-9]+)?")
PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")


@dataclass(frozen=True)
class EngineFolders:
    """The folders of a ComfyUI on this machine."""

    input: Path | None = None
    output: Path | None = None


def of_jobs(folders: Iterable[EngineFolders]) -> Iterator[tuple[str, Path, float]]:
    """(job id, file, unix seconds of its last change) of all outputs, and of the tails among the inputs."""
    known = list(folders)
    outputs, inputs = [one.output for one in known], [one.input for one in known]
    for pattern, searched in ((OUTPUT, outputs), (TAIL, inputs)):
        for folder in searched:
            for path, info in files.regular(folder):
                match = pattern.fullmatch(path.name)
                if match:
                    yield match.group(1), path, info.st_mtime


def unused_inputs(folder: Path | None, in_use: set[str], before: float) -> list[Path]:
    """Inputs that no unfinished job reads and incomplete files of killed processes, if neither read nor
    changed since `before` (unix seconds)."""
    found = []
    for path, info in files.regular(folder):
        ours = (CONTENT.fullmatch(path.name) and path.name not in in_use) or PART.fullmatch(path.name)
        if ours and max(info.st_mtime, info.st_atime) < before:
            found.append(path)
    return found


def named_inputs(folder: Path | None, names: set[str]) -> list[Path]:
    """The studio's inputs with these names (without `wan-studio/`)."""
    return [
        path
        for path, _ in files.regular(folder)
        if path.name in names and (CONTENT.fullmatch(path.name) or TAIL.fullmatch(path.name))
    ]


def remove_cached(cache: Path | None, name: str, same: set[tuple[int, int]]) -> None:
    """Removes the page's copies of a job's files: hard links to them (`same`: their device and inode), and
    files whose names start with `name`."""
    if cache is None:
        return
    with contextlib.suppress(OSError), files.opened(cache) as top:
        for _, _, names, folder in os.fwalk(".", dir_fd=top):
            for each in names:
                with contextlib.suppress(OSError):
                    info = os.stat(each, dir_fd=folder, follow_symlinks=False)
                    if (info.st_dev, info.st_ino) in same or each.startswith(name):
                        os.unlink(each, dir_fd=folder)


def temporary_bytes(engine_folders: Iterable[EngineFolders], cache: Path | None, beside: Path) -> int:
    """Bytes that the copies in ComfyUI's folders and the page's files take on the disk of `beside`; a hard
    link to a job's file takes none."""
    try:
        disk = beside.stat().st_dev
    except OSError:
        return 0
    folders = {folder for one in engine_folders for folder in (one.input, one.output)}
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

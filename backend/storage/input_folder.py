"""Files of WAN_INPUT_DIR, which the admin can choose instead of uploading them.

Only files inside the folder after resolving links, not hidden, and named like a picture, a sound or a video;
their content is checked later like that of an upload.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from backend.errors import NotFound
from backend.media.format_names import endings

FILES_MAX = 1000
DEPTH_MAX = 4
KINDS = {kind: endings(kind) for kind in ("picture", "sound", "video")}
KIND_OF = {f".{ending}": kind for kind, names in KINDS.items() for ending in names}


@dataclass(frozen=True)
class InputFile:
    """name: the path relative to the folder, with /. kind: picture, sound or video, from the suffix."""

    name: str
    bytes: int
    kind: str


def listing(folder: Path) -> tuple[InputFile, ...]:
    """The first FILES_MAX files, sorted by name within each folder; empty when the folder does not exist."""
    root = folder.resolve()
    found: list[InputFile] = []
    for here, folders, names in os.walk(root):
        depth = len(Path(here).relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < DEPTH_MAX else []
        for name in sorted(names):
            path = Path(here) / name
            kind = KIND_OF.get(path.suffix.lower())
            if kind is None or name.startswith(".") or not _printable(name):
                continue
            try:
                real = path.resolve(strict=True)
                size = real.stat().st_size
            except OSError:
                continue
            if real.is_file() and real.is_relative_to(root):
                found.append(InputFile(path.relative_to(root).as_posix(), size, kind))
            if len(found) >= FILES_MAX:
                return tuple(found)
    return tuple(found)


def chosen(folder: Path, name: object) -> Path:
    """The path of a listed file, links resolved. Raises NotFound for any other name."""
    not_found = NotFound.of("input_folder_lacks")
    root = folder.resolve()
    if not isinstance(name, str) or not name or not _printable(name):
        raise not_found
    parts = name.split("/")
    if len(parts) > DEPTH_MAX + 1 or any(not part or part.startswith(".") for part in parts):
        raise not_found
    try:
        path = (root / name).resolve(strict=True)
        inside = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        raise not_found from None
    if not inside or Path(parts[-1]).suffix.lower() not in KIND_OF:
        raise not_found
    return path


def _printable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()

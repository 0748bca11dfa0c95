"""Finds the input and output folders of a ComfyUI on this machine from its command line."""

from __future__ import annotations

import os
from pathlib import Path


def input_folder(argv: object) -> Path | None:
    """ComfyUI's input folder according to its command line (`argv` of /system_stats); None if it is not
    writable here."""
    return _folder(argv, "input")


def output_folder(argv: object) -> Path | None:
    """ComfyUI's output folder according to its command line; None if it is not writable here."""
    return _folder(argv, "output")


def sibling_output(folder: Path) -> Path | None:
    """The `output` folder next to an input folder, if it is writable here."""
    return _usable(folder.parent / "output")


def _folder(argv: object, kind: str) -> Path | None:
    if not isinstance(argv, list) or not argv:
        return None
    words = [str(word) for word in argv]
    options: dict[str, str] = {}
    own = f"--{kind}-directory"
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in (own, "--base-directory"):
            options[name] = value if equals else (words[index + 1] if index + 1 < len(words) else "")
    if own in options:
        return _usable(Path(options[own]))
    if "--base-directory" in options:
        return _usable(Path(options["--base-directory"]) / kind)
    return _usable(Path(words[0]).parent / kind)


def _usable(folder: Path) -> Path | None:
    usable = folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return folder if usable else None

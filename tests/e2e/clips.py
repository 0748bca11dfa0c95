"""Finished clips in the studio of the browser tests."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any


def add_clips(studio: Any, photo: Path, count: int) -> None:
    """Finished clips of the visitor's, all with the same files; any others are dropped."""
    studio.runs.clear()
    first = studio.add("fast_video", {"prompt": "The lake", "resolution": "draft", "speed": "fast"}, photo)
    studio.complete(first)
    run = studio.runs[first.id]
    for number in range(count - 1):
        id = f"{number:08x}-0000-4000-8000-000000000000"
        for suffix in ("mp4", "jpg"):
            target = studio.folder / f"{id}.{suffix}"
            target.unlink(missing_ok=True)
            os.link(studio.folder / f"{first.id}.{suffix}", target)
        view = replace(run.view, id=id, key=f"key-{number}", created=first.created - number - 1)
        studio.runs[id] = replace(run, view=view)

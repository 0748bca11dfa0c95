"""Where ComfyUI, the models and the data are when no variable says so."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

RUNPOD_COMFYUI = Path("/workspace/runpod-slim/ComfyUI")
COMFYUI_FOLDERS = (RUNPOD_COMFYUI, Path("/opt/ComfyUI"), Path("~/ComfyUI"))
MODEL_FOLDERS = (Path("/workspace/models"), Path("/runpod-volume/models"))


def comfyui_dir() -> Path | None:
    """The first of COMFYUI_FOLDERS that holds a ComfyUI."""
    return _first(COMFYUI_FOLDERS, "main.py")


def models_dir(here: Path) -> Path:
    return _first(MODEL_FOLDERS) or here / "models"


def data_dir(here: Path, environ: Mapping[str, str]) -> tuple[Path, Path | None]:
    """The default data folder, and the preferred one where that cannot be written to.

    In this order: the volume of a pod or the persistent disk of a Space; beside app.py; the home folder.
    """
    volume = Path("/workspace/wan-studio")
    if environ.get("SPACE_ID"):
        volume = Path("/data/wan-studio")
    folders = [volume] if os.path.ismount(volume.parent) else []
    folders += [here / "data"]
    if environ.get("HOME"):
        folders += [Path(environ["HOME"]) / ".local" / "share" / "wan-studio"]
    folders += [Path(tempfile.gettempdir()) / f"wan-studio-{os.getuid()}"]
    chosen = next((folder for folder in folders if writable(folder)), folders[0])
    return chosen, folders[0] if chosen != folders[0] else None


def writable(folder: Path) -> bool:
    """Whether the folder can be written to, or created. A read-only disk refuses root, too."""
    existing = next(parent for parent in (folder, *folder.parents) if os.path.lexists(parent))
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _first(candidates: Sequence[Path], holding: str = "") -> Path | None:
    """The first folder that exists and holds a file of this name."""
    for candidate in candidates:
        try:
            candidate = candidate.expanduser()
        except RuntimeError:  # a user without a home folder, as in some containers
            continue
        if candidate.is_dir() and (candidate / holding).exists():
            return candidate
    return None

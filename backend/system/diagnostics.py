"""Problems and peculiarities of this machine, as sentences: printed at start and shown in System."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.engines.base import EngineInfo
from backend.engines.kinds import KINDS, kind_of
from backend.errors import StudioError
from backend.models import paths
from backend.models.needs import built_in
from backend.models.state import ModelState
from backend.notices import words
from backend.settings.folders import RUNPOD_COMFYUI
from backend.settings.model import Settings
from backend.system.health import on_this_machine
from workflows.notice import Notice

log = logging.getLogger("wan.system")

DOCKER_MARK = Path("/.dockerenv")
ENOUGH_MEMORY = 48_000_000_000
"""Bytes of RAM below which ComfyUI's cache of loaded models can push the machine into swapping."""


def at_start(
    settings: Settings, environ: Mapping[str, str] = os.environ, docker_mark: Path = DOCKER_MARK
) -> list[str]:
    """The sentences printed before the page is served. Reads only folders. `docker_mark`: a file that exists
    in a Docker container."""
    said = []
    data, refused = settings.data_dir, settings.data_dir_refused
    if refused is not None:
        said.append(
            f"{refused} cannot be written to: jobs and videos are kept in {data} instead."
            " Set WAN_DATA_DIR to choose another folder."
        )
    if _in_container(environ, docker_mark) and _same_disk(data, Path("/")):
        where = "/workspace" if environ.get("RUNPOD_POD_ID") else "/data" if environ.get("SPACE_ID") else ""
        mount = f"a volume at {where}" if where else "a volume and set WAN_DATA_DIR to a folder on it"
        said.append(
            f"No volume is used: jobs and videos in {data} are gone when this container is removed."
            f" Mount {mount} to keep them."
        )
    own = built_in(settings)
    if own is not None and not settings.models_dir.is_dir() and not any(own.glob("*/*.safetensors")):
        said.append(
            f"There is no model store at {settings.models_dir}: only ComfyUI's own {own} is looked at."
            " Mount the volume with the models, or set WAN_MODELS_DIR."
        )
    return said


def in_system(
    settings: Settings,
    engines: Sequence[EngineInfo],
    models: Sequence[ModelState],
    ended: Sequence[Notice | None] = (),
) -> list[str]:
    """The sentences at the top of System. ended: why server processes of the studio ended."""
    said = [words(why) for why in ended if why is not None]
    unseen = [model for model in models if model.restart]
    if unseen:
        files = f"{len(unseen)} files" if len(unseen) > 1 else "1 file"
        said.append(
            f"Restart ComfyUI: {files} in the model store came, or became known to it, after its start."
        )
    for info in engines:
        advice = memory(settings, info)
        if advice:
            said.append(advice)
            break
    return said


def memory(settings: Settings, info: EngineInfo) -> str:
    """Advice for a machine with little RAM; "" when there is enough or ComfyUI limits its cache itself."""
    args = settings.comfyui_args
    if not 0 < info.ram_total < ENOUGH_MEMORY or "--cache-none" in args:
        return ""
    folder = settings.comfyui_dir
    if folder is None or not kind_of(info).runs_from_folder or not on_this_machine(info.address):
        return ""
    try:
        options = (folder / "comfy" / "cli_args.py").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    if '"--cache-ram"' in options or '"--cache-none"' not in options:
        return ""  # newer versions free memory by themselves
    return (
        f"This machine has {info.ram_total / 1e9:.0f} GB of memory, and WAN 2.2 wants 48 GB. If ComfyUI"
        " becomes very slow or is killed, set COMFYUI_ARGS=--cache-none and restart it."
    )


def tell_adopted(settings: Settings, kind: str, starts: bool, urls: Sequence[str]) -> str:
    """Adds the model store to the paths of a ComfyUI of this machine that the studio does not start.

    It takes effect at that ComfyUI's next start. kind, starts, urls: as in servers.choice.Choice. Returns a
    sentence about the change, "" when nothing was changed."""
    folder = settings.comfyui_dir
    waits = folder == RUNPOD_COMFYUI  # the machine's own script may still start it
    if folder is None or not KINDS[kind].runs_from_folder:
        return ""
    if (starts and not waits) or not settings.models_dir.is_dir():
        return ""
    if not all(on_this_machine(url) for url in urls):
        return ""
    try:
        written = paths.add_store(folder, settings.models_dir)
    except StudioError as error:
        log.warning("the model store cannot be added to ComfyUI's paths: %s %s", error.message, error.hint)
        return ""
    if written.state == "unchanged":
        return ""
    kept = f" What was there is kept as {written.backup.name}." if written.backup else ""
    return (
        f"{written.path} now names the model store {settings.models_dir}.{kept}"
        " A ComfyUI that runs already reads it when it is restarted."
    )


def _in_container(environ: Mapping[str, str], docker_mark: Path) -> bool:
    return docker_mark.exists() or any(environ.get(n) for n in ("RUNPOD_POD_ID", "SPACE_ID"))


def _same_disk(folder: Path, other: Path) -> bool:
    """Whether the folder, or the place where it would be created, is on the filesystem of `other`."""
    for place in (folder, *folder.parents):
        try:
            return place.stat().st_dev == other.stat().st_dev
        except OSError:
            continue
    return False

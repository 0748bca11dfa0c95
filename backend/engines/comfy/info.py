"""Converts ComfyUI's status responses into an EngineInfo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from backend.engines.base import EngineInfo
from backend.engines.comfy.http import Http
from backend.engines.comfy.known_faults import dotted, known_fault
from backend.engines.json_values import is_name, plain, size
from backend.engines.kinds import COMFYUI, DEMO, kind_of
from workflows.notice import Notice, notice

MODEL_FOLDERS = (
    "diffusion_models",
    "loras",
    "vae",
    "text_encoders",
    "clip_vision",
    "audio_encoders",
    "upscale_models",
    "checkpoints",
    "unet_gguf",
    "clip_gguf",
)

LONGEST_PATH = 4096  # characters of a model file's name with its folders
OLDEST, NEWEST = (0, 3, 64), (0, 38)
"""Supported ComfyUI versions: their protocol was checked; graphs were run on 0.3.64 and 0.33.0."""


def list_models(http: Http) -> dict[str, tuple[str, ...]]:
    """Model file names by folder, for the folders in MODEL_FOLDERS. Raises EngineUnreachable, EngineError."""
    known = http.get("/models")
    found: dict[str, tuple[str, ...]] = {}
    for folder in MODEL_FOLDERS:
        if isinstance(known, list) and folder in known:
            names = http.get(f"/models/{folder}")
            listed = names if isinstance(names, list) else ()
            found[folder] = tuple(name for name in listed if is_name(name, LONGEST_PATH))
    return found


def engine_info(stats: Mapping[str, Any], queue: object, address: str) -> EngineInfo:
    """The snapshot of a server from the bodies of /system_stats and /queue."""
    system = stats["system"]
    devices = stats.get("devices")
    device = devices[0] if isinstance(devices, list) and devices and isinstance(devices[0], dict) else {}
    jobs = queue if isinstance(queue, dict) else {}
    version = plain(system.get("comfyui_version"))
    return EngineInfo(
        kind=(DEMO if system.get("wan_studio_demo") else COMFYUI).id,
        address=address,
        state="ok",
        version=version,
        gpu=gpu_name(plain(device.get("name"))),
        vram_total=size(device.get("vram_total")),
        vram_free=size(device.get("vram_free")),
        ram_total=size(system.get("ram_total")),
        ram_free=size(system.get("ram_free")),
        running=_count(jobs.get("queue_running")),
        pending=_count(jobs.get("queue_pending")),
        python=plain(system.get("python_version")).split(" ")[0],
        pytorch=plain(system.get("pytorch_version")),
        note=version_note(version),
    )


def server_name(info: EngineInfo) -> str:
    """The name of the server for the beginning of a sentence: ComfyUI, or the demo engine."""
    return kind_of(info).subject


def version_note(version: str) -> Notice | None:
    """A warning for a ComfyUI outside of the supported versions, or with a known fault, else None."""
    numbers = re.fullmatch(r"v?(\d{1,9}(?:\.\d{1,9}){1,3})(?:[-+.]?[A-Za-z].*)?", version.strip())
    if numbers is None:
        return None
    read = tuple(int(part) for part in numbers[1].split("."))
    if read < OLDEST:
        return notice("comfyui_old", version=version, oldest=dotted(OLDEST))
    if read[:2] > NEWEST:
        return notice("comfyui_new", version=version, oldest=dotted(OLDEST), newest=dotted(NEWEST))
    return known_fault(read, version)


def gpu_name(name: str) -> str:
    """The name of a GPU without its index and allocator: `cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync`
    becomes `NVIDIA GeForce RTX 4090`, and `cpu` becomes `CPU`."""
    name = name.partition(" : ")[0].strip()
    head, _, tail = name.partition(" ")
    if ":" in head and tail:
        name = tail
    return "CPU" if name == "cpu" else name


def _count(items: object) -> int:
    return len(items) if isinstance(items, list) else 0

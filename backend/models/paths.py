"""extra_model_paths.yaml, which points ComfyUI to the model store."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from backend.models.errors import ModelStoreError, store_error
from backend.models.roots import extra_folders

FOLDERS = (
    "diffusion_models",
    "vae",
    "text_encoders",
    "audio_encoders",
    "clip_vision",
    "loras",
    "checkpoints",
    "clip",
    "controlnet",
    "embeddings",
    "upscale_models",
    "unet",
    "configs",
)
"""The folders that are always listed, in this order: ComfyUI searches diffusion_models before unet and
text_encoders before clip."""
MARK = "# Written by Wan Studio (python app.py models paths): changes are lost when it is written again."
NAME = "extra_model_paths.yaml"
"""The file that ComfyUI reads from its own folder at start."""
SECTION = "wan2_permanent_storage"
_NOT_MODELS = frozenset({"custom_nodes"})
"""Never listed, even if the store has such a folder: ComfyUI would run the code in it."""


@dataclass(frozen=True)
class Written:
    """The outcome of a write. state: new, unchanged, updated, replaced (a foreign one, in `backup`),
    added (to a foreign one, of which `backup` is a copy)."""

    path: Path
    state: str
    backup: Path | None = None


def render(store: Path) -> str:
    """The file's text for a store, with FOLDERS and the store's further folders.

    Raises ModelStoreError for a path that ComfyUI would read differently.
    """
    base = str(store)
    if "$" in base or base != base.strip() or "\n" in base:
        raise ModelStoreError.of("store_not_listable", path=repr(base))
    lines = [
        MARK,
        "# ComfyUI reads it with --extra-model-paths-config FILE, or if it lies in ComfyUI's own folder.",
        "",
        f"{SECTION}:",
        f"  base_path: {_scalar(base)}",
        "",
        *(f"  {_scalar(name)}: {_scalar(name + '/')}" for name in (*FOLDERS, *_more(store))),
    ]
    return "\n".join(lines) + "\n"


def write(store: Path, target: Path) -> Written:
    """Writes the file atomically; a foreign one is kept beside it as .bak. Raises ModelStoreError, NoRoom."""
    text = render(store)
    backup: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        old = target.read_text(encoding="utf-8", errors="replace") if target.exists() else None
        if old == text:
            return Written(target, "unchanged")
        if old is not None and MARK not in old:
            backup = _keep(target)
        _replace(target, text)
    except OSError as error:
        raise store_error(error, target) from error
    return Written(target, "replaced" if backup else "new" if old is None else "updated", backup)


def lists_store(comfyui: Path, store: Path) -> bool:
    """Whether a ComfyUI started in this folder searches the store: because its own extra_model_paths.yaml
    lists it, or because the store is its models folder, possibly through a link."""
    try:
        if (comfyui / "models").resolve() == store.resolve():
            return True
        listed = extra_folders([comfyui / NAME]).get("diffusion_models", ())
        return (store / "diffusion_models").resolve() in [folder.resolve() for folder, _ in listed]
    except (OSError, RuntimeError):
        return False


def add_store(comfyui: Path, store: Path) -> Written:
    """Adds the store to that ComfyUI's own extra_model_paths.yaml, for its next start; keeps foreign
    sections.

    Raises ModelStoreError, NoRoom.
    """
    target = comfyui / NAME
    if lists_store(comfyui, store):
        return Written(target, "unchanged")
    try:
        old = target.read_text(encoding="utf-8", errors="replace") if target.exists() else ""
    except OSError as error:
        raise store_error(error, target) from error
    if not old.strip() or MARK in old:
        return write(store, target)
    if not isinstance(_parsed(old), dict) or SECTION in _parsed(old):
        raise ModelStoreError.of("paths_file_foreign", path=str(target), store=str(store))
    section = render(store).split(f"{SECTION}:", 1)[1]
    try:
        backup = _keep(target)
        _replace(target, f"{old.rstrip()}\n\n# Added by Wan Studio:\n{SECTION}:{section}")
    except OSError as error:
        raise store_error(error, target) from error
    return Written(target, "added", backup)


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _replace(target: Path, text: str) -> None:
    """Writes the file atomically."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _keep(target: Path) -> Path:
    """Copies the file to the first free name of .bak, .bak2, ...; returns the copy."""
    number = 1
    while True:
        backup = target.with_name(f"{target.name}.bak{number if number > 1 else ''}")
        try:
            with backup.open("xb") as copy:
                copy.write(target.read_bytes())
                os.fsync(copy.fileno())
            return backup
        except FileExistsError:
            number += 1


def _more(store: Path) -> list[str]:
    """The store's folders beyond FOLDERS that have plain names."""
    try:
        names = sorted(entry.name for entry in store.iterdir() if entry.is_dir())
    except OSError:
        return []
    known = {*FOLDERS, *_NOT_MODELS}
    return [name for name in names if name not in known and re.fullmatch(r"[A-Za-z0-9][\w-]*", name)]


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, default_style=None, width=10_000, allow_unicode=True).splitlines()[0]

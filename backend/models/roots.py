"""Where ComfyUI looks for model files: its own folders, those of extra_model_paths.yaml, the model store.

The order is ComfyUI's (folder_paths.py, utils/extra_config.py): built-in folders first, unless a section of
the file has `is_default`. Names are listed as ComfyUI lists them: with subfolders, links followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import yaml

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("unet", "diffusion_models"),
    "text_encoders": ("text_encoders", "clip"),
}
"""Folders in which ComfyUI looks for one kind, in its order; every other kind has the one of its name."""
IN_STORE: Mapping[str, tuple[str, ...]] = {
    "diffusion_models": ("diffusion_models", "unet"),
    "text_encoders": ("text_encoders", "clip"),
}
"""The same in the store: the order of the lines in our extra_model_paths.yaml."""
_LEGACY = {"unet": "diffusion_models", "clip": "text_encoders"}
_CONFIG_MAX = 1 << 20
MOST_FILES, MOST_DEPTH = 50_000, 24
"""Limits of one listing."""
ENDINGS = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".pkl")
"""Files that ComfyUI (`supported_pt_extensions` in folder_paths.py) and ComfyUI-GGUF list as models."""


@dataclass
class Roots:
    """The folders of each kind. `listed` remembers each folder's names for as long as the object is used.

    comfyui: the folder of the program, by default the one that holds comfyui_models.
    """

    store: Path
    comfyui_models: Path | None = None
    configs: Sequence[Path] = ()
    most: int = MOST_FILES
    comfyui: Path | None = None
    _extra: Mapping[str, tuple[tuple[Path, bool], ...]] | None = field(default=None, repr=False)
    _listed: dict[Path, dict[str, Path]] = field(default_factory=dict, repr=False)

    def folders(self, kind: str) -> list[Path]:
        """Where ComfyUI looks for files of this kind, first to last."""
        if self._extra is None:
            program = self.comfyui or (self.comfyui_models.parent if self.comfyui_models else None)
            own = [program / "extra_model_paths.yaml"] if program is not None else []
            self._extra = extra_folders([*own, *self.configs])
        built = (
            [self.comfyui_models / name for name in BUILT_IN.get(kind, (kind,))]
            if self.comfyui_models
            else []
        )
        extra = self._extra.get(kind, ())
        first = [path for path, default in reversed(extra) if default]
        last = [path for path, default in extra if not default]
        store = [self.store / name for name in IN_STORE.get(kind, (kind,))]
        return list(dict.fromkeys([*first, *built, *last, *store]))

    def listed(self, folder: Path) -> Mapping[str, Path]:
        """Name below the folder, with forward slashes -> path, of all files at any depth."""
        if folder not in self._listed:
            self._listed[folder] = dict(_files(folder, self.most))
        return self._listed[folder]

    def names(self, kind: str) -> dict[str, Path]:
        """Name -> path of all model files of a kind; the first folder with a name is the one that ComfyUI
        takes."""
        found: dict[str, Path] = {}
        for folder in self.folders(kind):
            for name, path in self.listed(folder).items():
                if name.lower().endswith(ENDINGS):
                    found.setdefault(name, path)
        return found

    def path(self, kind: str, name: str) -> Path | None:
        """The file that ComfyUI takes for a name of its list; None when it is not on this disk."""
        for path in self._places(kind, name):
            try:
                if path.is_file():
                    return path
            except OSError:
                continue
        return None

    def leads_nowhere(self, kind: str, name: str) -> bool:
        """Whether a name that `path` does not find is a link without a target: ComfyUI lists it, and cannot
        load it."""
        return any(path.is_symlink() for path in self._places(kind, name))

    def _places(self, kind: str, name: str) -> Iterator[Path]:
        """Where a name of ComfyUI's list can be; nowhere for one that leads out of the folders."""
        parts = name.replace("\\", "/")
        if ".." in parts.split("/") or parts.startswith("/") or "\0" in parts:
            return
        yield from (folder / parts for folder in self.folders(kind))


def _files(top: Path, most: int) -> Iterator[tuple[str, Path]]:
    """(name, path) of the files below a folder. A folder that links lead back to is listed once."""
    seen: set[tuple[int, int]] = set()
    waiting = [(top, "", 0)]
    count = 0
    while waiting:
        folder, prefix, depth = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen or depth > MOST_DEPTH:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        inner = []
        for entry in entries:
            name = f"{prefix}{entry.name}"
            try:
                if entry.is_dir():
                    if entry.name != ".git":
                        inner.append((Path(entry.path), f"{name}/", depth + 1))
                elif entry.is_file():
                    count += 1
                    yield name, Path(entry.path)
            except OSError:
                continue
            if count >= most:
                return
        waiting.extend(reversed(inner))


def extra_folders(configs: Sequence[Path]) -> dict[str, tuple[tuple[Path, bool], ...]]:
    """Kind -> (folder, is_default), as ComfyUI reads these files. One that cannot be read adds nothing."""
    found: dict[str, list[tuple[Path, bool]]] = {}
    for config in configs:
        for section in _sections(config):
            base = section.get("base_path")
            start = config.parent
            if isinstance(base, str):
                start = start / Path(os.path.expandvars(base)).expanduser()
            default = bool(section.get("is_default"))  # as ComfyUI reads it: any value but an empty one
            for kind, lines in section.items():
                if kind in ("base_path", "is_default") or not isinstance(lines, str):
                    continue
                for line in filter(None, lines.split("\n")):
                    folder = Path(os.path.normpath(start / line))
                    found.setdefault(_LEGACY.get(str(kind), str(kind)), []).append((folder, default))
    return {kind: tuple(folders) for kind, folders in found.items()}


def _sections(config: Path) -> list[Mapping[object, object]]:
    try:
        if config.stat().st_size > _CONFIG_MAX:
            return []
        data = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    return [each for each in data.values() if isinstance(each, dict)] if isinstance(data, dict) else []


def configs_of(arguments: Sequence[str]) -> list[Path]:
    """The files of --extra-model-paths-config among ComfyUI's start options."""
    found: list[Path] = []
    taking = False
    for argument in arguments:
        if argument.startswith("--"):
            taking = argument == "--extra-model-paths-config"
            if argument.startswith("--extra-model-paths-config="):
                found.append(Path(argument.partition("=")[2]))
        elif taking:
            found.append(Path(argument))
    return found


def models_folder(comfyui: Path, arguments: Sequence[str]) -> Path:
    """The models folder of a ComfyUI that runs in its own folder with these start options."""
    found: dict[str, str] = {}
    for argument, following in pairwise((*arguments, "")):
        name, given, value = argument.partition("=")
        found[name] = value if given else following
    if found.get("--models-directory"):
        return comfyui / found["--models-directory"]
    return comfyui / found.get("--base-directory", "") / "models"
